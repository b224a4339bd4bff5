// Runs that go on from a moment, diverge, are undone, or get other settings: their past and their curves stay true.
#include "engine/core/settings.h"
#include "engine/session/history_builder.h"
#include "engine/session/replayer.h"
#include "tests/session/past_kit.h"

#include <cmath>
#include <map>

using namespace moe;
using namespace moe::test;

namespace {

/// Very many experts have few points: each soon spans many steps.
SessionSetup many_experts() {
    SessionSetup setup = tutorial(kinds[1]);
    setup.experiment.model.num_experts = 1024;
    setup.experiment.model.embedding_dim = setup.experiment.model.hidden_dim = 2;
    return setup;
}

void check_same_curves(const History& a, const History& b) {
    REQUIRE(a.points.size() == b.points.size());
    for (std::size_t i = 0; i < a.points.size(); ++i) {
        CAPTURE(i);
        CHECK(a.points[i].step == b.points[i].step);
        CHECK(a.points[i].steps == b.points[i].steps);
        CHECK(a.points[i].examples == b.points[i].examples);
        CHECK(double(a.points[i].loss) == doctest::Approx(double(b.points[i].loss)).epsilon(1e-5));
    }
    for (std::size_t i = 0; i < a.load.size(); ++i)
        CHECK(double(a.load[i]) == doctest::Approx(double(b.load[i])).epsilon(1e-4));
    CHECK(a.epochs == b.epochs);
}

std::uint64_t steps_in(const History& history) {
    std::uint64_t steps = 0;
    for (const HistoryPoint& p : history.points) steps += p.steps;
    return steps;
}

Timeline from_the_seed() {
    Timeline timeline;
    timeline.start = tutorial_experiment();
    timeline.interval = 1024;
    auto first = std::make_shared<Checkpoint>();
    first->load_sums.assign(timeline.start.model.num_experts, 0.0);
    timeline.checkpoints.push_back(std::move(first));
    return timeline;
}

}  // namespace

TEST_CASE("a run that went on from a moment it had looked at has its curves whole" * doctest::skip(!without_tsan)) {
    TrainingSession session(cpu()), fresh(cpu());
    session.open(many_experts()), fresh.open(many_experts());
    run(session, 3000);
    REQUIRE(session.take()->history->steps_per_point == 32);
    constexpr std::uint64_t there = 2045;
    CHECK(moment(session, there + 2)->step == there + 2);  // leaves moments on the way that are near
    CHECK(moment(session, there)->step == there);
    CHECK(session.continue_from(there).get() == "");
    CHECK(steps_in(*session.take()->history) == there);
    run(session, 3000 - there);
    run(fresh, 3000);
    check_same_curves(*session.take()->history, *fresh.take()->history);
}

TEST_CASE("a run that trains on while a moment is sought keeps its curves whole" * doctest::skip(!without_tsan)) {
    TrainingSession session(cpu());
    session.set_checkpoint_budget(0);
    session.open(many_experts());
    run(session, 2000);
    REQUIRE(session.take()->history->steps_per_point == 16);
    auto gone_back = session.continue_from(1990);
    session.play();  // the points are joined meanwhile
    CHECK(gone_back.get() == "");
    session.pause();
    session.wait();
    CHECK(session.take()->step >= 1990);
    CHECK(steps_in(*session.take()->history) == session.take()->step);
}

TEST_CASE("undo and going on lead to the bits of a run that never stopped, in every kind of model") {
    for (const RunKind& kind : kinds)
        for (const bool shuffle : {true, false}) {
            if (!thorough && (shuffle != kind.mask || (!without_tsan && !kind.mask))) continue;
            CAPTURE(kind.name);
            CAPTURE(shuffle);
            SessionSetup setup = tutorial(kind);
            setup.experiment.train.shuffle = shuffle;
            TrainingSession session(cpu()), fresh(cpu());
            session.open(setup), fresh.open(setup);
            run(session, 1100);
            session.set_learning_rate(0.01);
            run(session, 50);
            const SavedRun before = session.save().get();
            CHECK(session.continue_from(1050).get() == "");
            run(session, 25);
            run(fresh, 1075);
            CHECK(session.save().get().state == fresh.save().get().state);
            CHECK(state_at(session, 1030) == state_at(fresh, 1030));

            session.open(undo_of(before));
            CHECK(session.save().get().state == before.state);
            run(session, 30);
            run(fresh, 25);
            fresh.set_learning_rate(0.01);
            run(fresh, 80);
            CHECK(session.save().get().state == fresh.save().get().state);
            for (const std::uint64_t step : {3u, 1060u, 1125u, 1179u}) {
                CAPTURE(step);
                CHECK(state_at(session, step) == state_at(fresh, step));
            }
        }
}

TEST_CASE("what several threads trained, one thread has again to the bit") {
    SessionSetup setup;
    std::string text;
    for (int i = 0; i < 300; ++i) text += "w" + std::to_string(i * 7 % 200) + " w" + std::to_string(i) + " w3\n";
    setup.corpus = Corpus::from_text("many", text);
    setup.experiment.model.embedding_dim = 64, setup.experiment.model.hidden_dim = 128;
    setup.experiment.model.num_experts = 8;
    setup.experiment.train.batch_size = 64;
    setup.experiment.train.epochs = 1000;
    for (const char* router : {"soft", "top_k"}) {
        CAPTURE(router);
        setup.experiment.model.router = router;
        SessionOptions options = cpu();
        options.backend.threads = 4;
        TrainingSession session(options);
        session.open(setup);
        std::map<std::uint64_t, RunState> saved;
        for (const std::uint64_t step : {10u, 20u, 30u}) run(session, 10), saved[step] = session.save().get().state;
        for (const std::uint64_t step : {20u, 10u}) CHECK(state_at(session, step) == saved.at(step));
    }
}

TEST_CASE("a run that diverged and went on has its past") {
    TrainingSession session(cpu()), fresh(cpu());
    session.open(tutorial()), fresh.open(tutorial());
    run(session, 300);
    session.set_learning_rate(1e9);
    session.play();
    session.wait();
    REQUIRE(session.take()->state == SessionState::failed);
    const std::uint64_t good = session.take()->step;
    CHECK(good == 300);  // all that was learned before the rate
    session.set_learning_rate(1e-3);
    run(session, 100);
    run(fresh, good + 100);
    const RunState state = session.save().get().state, same = fresh.save().get().state;
    CHECK(state.parameters == same.parameters);
    CHECK(state.epochs == same.epochs);
    for (const std::uint64_t step : {std::uint64_t(5), good - 1, good, good + 1, good + 99}) {
        CAPTURE(step);
        CHECK(state_at(session, step) == state_at(fresh, step));
    }
}

TEST_CASE("a run that diverged keeps every step of its curves that it keeps itself" * doctest::skip(!without_tsan)) {
    TrainingSession session(cpu()), fresh(cpu());
    session.open(tutorial()), fresh.open(tutorial());
    run(session, 4997), run(fresh, 4997);
    REQUIRE(session.take()->history->steps_per_point == 8);  // three steps are in the making
    session.set_learning_rate(1e9);
    session.play();
    session.wait();
    REQUIRE(session.take()->state == SessionState::failed);
    REQUIRE(session.take()->step == 4997);
    check_same_curves(*session.take()->history, *fresh.take()->history);
}

TEST_CASE("a question that follows a command at once has the new settings") {
    TrainingSession session(cpu());
    session.open(tutorial());
    run(session, 40);
    session.state_at(7).get();  // the viewer is at work and knows this step
    session.state_at(40).get();
    for (int i = 1; i <= 20; ++i) {
        const double rate = 0.001 * i;
        session.set_learning_rate(rate);
        session.set_batch_size(std::size_t(2 + i % 5));
        const Answer<Trace> trace = session.trace(40).get();
        REQUIRE(trace.value);
        CHECK(trace.value->experiment.train.learning_rate == rate);
        CHECK(trace.value->examples == std::size_t(2 + i % 5));
        CHECK(state_at(session, 40) == session.save().get().state);
    }
}

TEST_CASE("going back is of the model that was asked, not of one that was opened meanwhile") {
    TrainingSession session(cpu());
    session.set_checkpoint_budget(0);
    session.open(tutorial());
    run(session, thorough ? 12000 : 1000);
    const SavedRun saved = session.save().get();
    auto gone_back = session.continue_from(saved.state.step - 1);
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    session.open(undo_of(saved));
    CHECK(gone_back.get().find("meanwhile") != std::string::npos);
    session.wait();
    CHECK(session.take()->step == saved.state.step);
    CHECK(session.save().get().state == saved.state);
}

TEST_CASE("a late phrase has its lines from the start also where the run goes another way meanwhile") {
    for (const bool diverges : {false, true}) {
        CAPTURE(diverges);
        TrainingSession session(cpu());
        session.open(tutorial());
        run(session, thorough ? 3000 : 300);
        session.set_probe("how are you", 0);
        if (diverges) {
            session.set_learning_rate(1e9);
            session.run_steps(100);
        } else {
            CHECK(session.continue_from(200).get() == "");
            CHECK(session.take()->history->gate_steps.size() > 0);
        }
        session.wait();
        if (diverges) session.set_learning_rate(0.001);
        run(session, 50);
        settle(session);
        session.set_speed(0);
        session.wait();
        const auto shown = session.take();
        const History& h = *shown->history;
        REQUIRE(h.gate_steps.size() > 100);
        CHECK(h.gate_steps.front() == 0);
        CHECK(h.gate_steps.back() >= session.take()->step - 8);
    }
}

TEST_CASE("norms stand back for what is asked after them") {
    TrainingSession session(cpu());
    session.set_checkpoint_budget(0);
    session.open(tutorial());
    run(session, thorough ? 20000 : 1500);
    auto norms = session.norms();
    CHECK(state_at(session, 5).step == 5);
    CHECK(norms.wait_for(std::chrono::seconds(0)) == std::future_status::timeout);
    CHECK(norms.get().value != nullptr);
}

TEST_CASE("a second model that does not fit beside the first is refused in a sentence") {
    SessionSetup setup = tutorial();
    SessionOptions options = cpu();
    options.memory_limit = required_bytes(tutorial_experiment()) * 3 / 2;
    TrainingSession session(options);
    session.open(setup);
    run(session, 30);
    CHECK(moment(session, 10) == nullptr);
    CHECK(session.look_failure().find("second model") != std::string::npos);
    CHECK(session.state_at(10).get().error.find("second model") != std::string::npos);
    CHECK(session.continue_from(10).get().find("second model") != std::string::npos);
    run(session, 5);
    CHECK(session.take()->step == 35);
}

TEST_CASE("a budget that is larger than the first one keeps what undo brings back") {
    TrainingSession session(cpu());
    session.set_checkpoint_budget(std::size_t(1) << 30);
    SessionSetup setup = tutorial();
    setup.experiment.model.hidden_dim = 4096;  // 14 MB a moment
    session.open(setup);
    run(session, 1);
    SavedRun saved = session.save().get();
    // Moments that a longer run would have left.
    auto timeline = std::make_shared<Timeline>(*saved.timeline);
    const std::size_t numbers = 3 * parameter_count(saved.state.experiment.model);
    auto values = std::make_shared<Checkpoint>();
    values->load_sums.assign(4, 0.0);
    values->values.assign(numbers, 0.0f);
    for (std::uint64_t i = 1; i <= 30; ++i) {
        auto c = std::make_shared<Checkpoint>(*values);
        c->step = i * timeline->interval;
        timeline->checkpoints.push_back(std::move(c));
    }
    saved.timeline = timeline;
    saved.state.step = 30 * timeline->interval;
    session.open(undo_of(saved));
    CHECK(session.take()->checkpoints.count == 31);
    CHECK(session.take()->checkpoints.budget == std::size_t(1) << 30);
}

TEST_CASE("a second model checks sizes before it is built, and moments before they are used") {
    Timeline timeline = from_the_seed();
    timeline.log = {{5, "batch_size", 1e18}};
    Replayer replayer({"cpu", 1}, tutorial_corpus(), default_memory_limit());
    const auto each = [](const StepResult&) { return true; };
    CHECK(replayer.go(timeline, 4, each));
    CHECK_THROWS_AS(replayer.go(timeline, 6, each), Error);
    CHECK(replayer.go(timeline, 3, each));
    CHECK(replayer.trainer().steps() == 3);

    timeline = from_the_seed();
    auto other = std::make_shared<Checkpoint>(*timeline.checkpoints.front());
    other->next_example = 12;  // of 12
    timeline.checkpoints.front() = other;
    Replayer fresh({"cpu", 1}, tutorial_corpus(), default_memory_limit());
    CHECK_THROWS_AS(fresh.go(timeline, 1, each), Error);
}
