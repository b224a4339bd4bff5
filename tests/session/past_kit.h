#pragma once
#include "engine/session/training_session.h"
#include "tests/support/small_corpus.h"
#include "tests/support/thorough.h"

#include <doctest/doctest.h>

#include <chrono>
#include <memory>
#include <thread>

namespace moe::test {

inline SessionOptions cpu(double speed = 0) {
    SessionOptions options;
    options.backend = {"cpu", 1};
    options.speed_limit = speed;
    options.patience = 1e6;  // whatever the machine and the sanitizer: curves come in full
    return options;
}

struct RunKind {
    const char* name;
    const char* router;
    std::size_t top_k;
    bool mask;
};
inline constexpr RunKind kinds[] = {{"soft", "soft", 2, false},
                                    {"top-1", "top_k", 1, false},
                                    {"top-2", "top_k", 2, false},
                                    {"masked", "soft", 2, true}};

inline SessionSetup tutorial(const RunKind& kind = kinds[0]) {
    SessionSetup setup;
    setup.corpus = tutorial_corpus();
    setup.experiment.model.router = kind.router;
    setup.experiment.model.top_k = kind.top_k;
    setup.experiment.model.mask_zero = kind.mask;
    setup.experiment.train.epochs = 100000;
    setup.probe = "hello world how are";
    return setup;
}

/// What brings `saved` back, as undo does.
inline SessionSetup undo_of(const SavedRun& saved) {
    SessionSetup setup;
    setup.experiment = saved.state.experiment;
    setup.corpus = saved.corpus;
    setup.state = saved.state;
    setup.history = saved.history;
    setup.timeline = saved.timeline;
    setup.probe = saved.probe;
    setup.focus = saved.focus;
    return setup;
}

/// Waits until everything that was asked of the past has come, and has been taken.
inline void settle(TrainingSession& session) {
    while (session.replaying()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    session.wait();
}

inline std::shared_ptr<const Snapshot> moment(TrainingSession& session, std::uint64_t step) {
    session.look_at(step);
    while (session.replaying()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return session.looked_at();
}

inline RunState state_at(TrainingSession& session, std::uint64_t step) {
    const Answer<RunState> answer = session.state_at(step).get();
    REQUIRE_MESSAGE(answer.value, answer.error);
    return *answer.value;
}

inline void run(TrainingSession& session, std::uint64_t steps) {
    session.run_steps(steps);
    session.wait();
}

}  // namespace moe::test
