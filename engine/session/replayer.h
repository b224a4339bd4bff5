#pragma once
#include "engine/backend/backend.h"
#include "engine/session/probe.h"
#include "engine/session/timeline.h"
#include "engine/text/corpus.h"
#include "engine/train/trainer.h"

#include <deque>
#include <functional>
#include <memory>
#include <string>

namespace moe {

/// A second model of a run that goes to any of its steps, to the same bits: from the nearest checkpoint before, the
/// batches are trained again under the settings that held then. One thread.
class Replayer {
public:
    /// One thread of the run's own device. `memory_limit`: bytes that this model and the run's own may take together.
    Replayer(BackendOptions options, std::shared_ptr<const Corpus> corpus, std::size_t memory_limit);

    /// A moment of the run that is known beside its checkpoints: where it is now.
    void know(std::shared_ptr<const Checkpoint> moment) { known_ = std::move(moment); }

    /// Goes to `step`, which lies between the timeline's first and the newest. Calls `each` after every batch that it
    /// trains again; where it says no, stays there and returns false. A little way ahead it just goes on. Throws Error
    /// where there is no memory for a second model, or the past is another run's.
    using OnReplayed = std::function<bool(const StepResult& batch)>;
    bool go(const Timeline& timeline, std::uint64_t step, const OnReplayed& each);
    /// As go(), from where it is: no batch in between is left out.
    bool walk(const Timeline& timeline, std::uint64_t step, const OnReplayed& each);

    /// Where it is. Throws Error before the first go().
    Trainer& trainer();
    Backend<float>& backend() { return *backend_; }
    /// Asks the model where it is about a text.
    Probe& probe(const std::string& text);

private:
    const Checkpoint& nearest(const Timeline& timeline, std::uint64_t step) const;
    void remember(std::uint64_t step);
    void build(const Experiment& settings);
    void use(const Experiment& settings);

    const BackendOptions options_;
    std::shared_ptr<const Corpus> corpus_;
    const std::size_t memory_limit_;
    std::unique_ptr<Backend<float>> backend_;
    std::unique_ptr<Trainer> trainer_;
    std::unique_ptr<Probe> probe_;

    // Moments passed lately, the oldest first: the way back to a neighbour is short.
    std::deque<Checkpoint> passed_;
    std::shared_ptr<const Checkpoint> known_;  // null: none
};

}  // namespace moe
