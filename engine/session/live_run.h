#pragma once
#include "engine/session/history_builder.h"
#include "engine/session/probe.h"
#include "engine/session/timeline.h"
#include "engine/session/training_session.h"
#include "engine/train/trainer.h"

#include <memory>
#include <vector>

namespace moe {

/// A model in training with everything that watches it. Replaced as a whole when another one is opened.
struct LiveRun {
    /// `before`: the run that this one replaces, null for none. `budget`: bytes for checkpoints.
    LiveRun(const SessionOptions& options, SessionSetup given, const LiveRun* before, std::size_t budget);

    void start_timeline();
    /// After each step: the trainer's own copy of a good state, where it is due.
    void keep_checkpoint();
    /// Before each step: says so where it will be.
    void ask_checkpoint() {
        if (timeline.wants(trainer->steps())) trainer->keep_next();
    }

    bool finished() const { return trainer->epoch() >= target_epochs; }

    /// The same examples, cut and averaged alike.
    bool reads_as(const LiveRun& other) const;

    SessionSetup setup;
    std::unique_ptr<Backend<float>> backend;
    std::unique_ptr<Trainer> trainer;
    std::unique_ptr<Probe> probe;
    HistoryBuilder history;
    TimelineBuilder timeline;
    std::size_t checkpoint_size = 0, best_correct = 0;
    std::uint64_t target_epochs = 0;
    std::vector<float> gate;  // scratch, (P, E)
};

/// A moment of the past that becomes the present, with the run's curves as they were then.
struct PastMoment {
    Checkpoint checkpoint;
    HistoryBuilder curves;  // all but the epochs
};

}  // namespace moe
