#pragma once
#include "engine/backend/backend.h"
#include "engine/session/probe.h"
#include "engine/session/timeline.h"
#include "engine/text/corpus.h"
#include "engine/train/trainer.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace moe {

/// A second model of a run that goes to any of its steps, to the same bits: from the nearest checkpoint before, the
/// batches are trained again under the settings that held then. One thread.
class Replayer {
public:
    /// One thread of the run's own device.
    Replayer(BackendOptions options, std::shared_ptr<const Corpus> corpus);

    /// A moment of the run that is known beside its checkpoints: where it is now.
    void know(std::shared_ptr<const Checkpoint> moment) { known_ = std::move(moment); }

    /// Goes to `step`, which lies between the timeline's first and the newest. Calls `each` after every batch that it
    /// trains again; where it says no, stays there and returns false. A little way ahead it just goes on.
    bool go(const Timeline& timeline, std::uint64_t step, const std::function<bool(const StepResult& batch)>& each);

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
    std::unique_ptr<Backend<float>> backend_;
    std::unique_ptr<Trainer> trainer_;
    std::unique_ptr<Probe> probe_;

    // Moments passed lately: the way back to a neighbour is short. Overwritten in turn.
    std::vector<Checkpoint> passed_;
    std::size_t next_passed_ = 0;
    std::shared_ptr<const Checkpoint> known_;  // null: none
};

}  // namespace moe
