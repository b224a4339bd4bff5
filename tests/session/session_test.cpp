#include "engine/session/inference.h"
#include "engine/session/training_session.h"
#include "engine/train/trainer.h"
#include "tests/support/small_corpus.h"
#include "tests/support/thorough.h"

#include <doctest/doctest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <functional>
#include <numeric>
#include <sstream>
#include <thread>

#ifdef __linux__
#include <sys/resource.h>
#endif

using namespace moe;
using namespace moe::test;

namespace {

SessionOptions cpu(double speed = 0) {
    SessionOptions options;
    options.backend = {"cpu", 1};
    options.speed_limit = speed;
    return options;
}

SessionSetup tutorial(std::string router = "soft") {
    SessionSetup setup;
    setup.corpus = tutorial_corpus();
    setup.experiment.model.router = std::move(router);
    setup.probe = "hello world how are";
    return setup;
}

std::string refusal(TrainingSession& session, SessionSetup setup) {
    return session.try_open(std::move(setup)).get();
}

}  // namespace

TEST_CASE("an opened session shows the untrained model's routing of the probe text") {
    TrainingSession session(cpu());
    CHECK(session.take()->state == SessionState::empty);
    session.open(tutorial());
    const auto s = session.take();
    CHECK(s->state == SessionState::ready);
    CHECK(s->step == 0);
    CHECK(s->parameters == 17'615);
    CHECK(s->best_correct == 11);
    CHECK(s->examples == 12);
    CHECK(std::isnan(s->loss));
    REQUIRE(s->probe.words.size() == 4);
    REQUIRE(s->probe.prefix_words.size() == 4);
    for (std::size_t p = 0; p < 4; ++p) {
        const float* gate = s->probe.gate_weights.data() + p * 4;
        CHECK(std::accumulate(gate, gate + 4, 0.0) == doctest::Approx(1).epsilon(1e-6));
    }
    CHECK(s->probe.focused.top.size() == 10);
    CHECK(s->probe.focused.row == std::vector<std::int32_t>{0, 0, 0, 2});
    CHECK(s->history->gate_steps == std::vector<std::uint64_t>{0});
}

TEST_CASE("running, stepping and the trainer alone end in the same bits") {
    for (const char* router : {"soft", "top_k"}) {
        TrainingSession running(cpu()), stepping(cpu());
        running.open(tutorial(router));
        running.play();
        running.wait();
        stepping.open(tutorial(router));
        stepping.run_steps(1);
        stepping.run_steps(2);  // adds to what is still to do
        stepping.wait();
        CHECK(stepping.take()->step == 3);
        stepping.run_epochs(1);
        stepping.wait();
        CHECK(stepping.take()->state == SessionState::paused);
        CHECK(stepping.take()->step == 4);  // the end of the second epoch
        stepping.play();
        stepping.wait();
        const auto s = running.take();
        CHECK(s->state == SessionState::finished);
        CHECK(s->epoch == 100);
        CHECK(s->step == 200);
        CHECK(s->history->epochs.size() == 100);
        CHECK(s->history->points.size() == 200);
        CHECK(s->history->gate_steps.size() == 201);
        const SavedRun a = running.save().get(), b = stepping.save().get();
        CHECK(a.state == b.state);

        Experiment x = tutorial(router).experiment;
        x.model.vocabulary = 11, x.model.max_seq_len = 4;
        const auto backend = make_backend({"cpu", 1});
        Trainer trainer(*backend, x, tutorial_corpus());
        for (int i = 0; i < 200; ++i) trainer.step();
        CHECK(trainer.state() == a.state);
    }
}

TEST_CASE("watching does not change the bits") {
    TrainingSession watched(cpu()), alone(cpu());
    for (TrainingSession* s : {&watched, &alone}) {
        SessionSetup setup = tutorial();
        setup.experiment.train.epochs = thorough ? 500 : 40;
        s->open(setup);
        s->play();
    }
    while (!watched.wait_for(0.001)) {
        watched.take();
        watched.set_probe("how are you", 1);
    }
    alone.wait();
    CHECK(watched.save().get().state == alone.save().get().state);
}

TEST_CASE("reset returns to the same initial weights, undo returns to the trained ones") {
    TrainingSession session(cpu());
    session.open(tutorial());
    const SavedRun fresh = session.save().get();
    session.play();
    session.wait();
    const SavedRun trained = session.save().get();
    session.reset();
    session.wait();
    CHECK(session.take()->state == SessionState::ready);
    CHECK(session.take()->history->points.empty());
    CHECK(session.save().get().state == fresh.state);

    SessionSetup back = tutorial();
    back.state = trained.state;
    back.history = trained.history;
    session.open(back);
    CHECK(session.take()->state == SessionState::finished);
    CHECK(session.take()->history->points.size() == 200);
    CHECK(session.take()->history->gate_steps.size() == 201);  // the lines come back too
    CHECK(session.take()->loss == trained.state.epochs.back().loss);
    CHECK(session.save().get().state == trained.state);
}

TEST_CASE("finished is a state from which training goes on") {
    TrainingSession session(cpu());
    session.open(tutorial());
    session.play();
    session.wait();
    session.play();  // does nothing: it is finished
    session.wait();
    CHECK(session.take()->step == 200);
    session.train_on(50);
    session.wait();
    CHECK(session.take()->epoch == 150);
    CHECK(session.take()->state == SessionState::finished);
}

TEST_CASE("a failure is a state with its cause; the last good state stays and can go on") {
    TrainingSession session(cpu());
    SessionSetup setup = tutorial();
    setup.experiment.train.learning_rate = 1e9;
    session.open(setup);
    session.play();
    session.wait();
    const auto s = session.take();
    CHECK(s->state == SessionState::failed);
    CHECK(s->message.find("learning rate 1e+09") != std::string::npos);
    for (const HistoryPoint& p : s->history->points) CHECK(std::isfinite(p.loss));
    session.set_learning_rate(1e-3);
    session.run_steps(5);
    session.wait();
    CHECK(session.take()->state == SessionState::paused);
    CHECK(session.take()->message.empty());
}

TEST_CASE("each setting that a running model takes ends a failure: it may have been the cause") {
    const std::vector<std::function<void(TrainingSession&)>> settings = {
        [](TrainingSession& s) { s.set_learning_rate(1e-3); }, [](TrainingSession& s) { s.set_balance_loss(0.1); },
        [](TrainingSession& s) { s.set_batch_size(3); },
        [](TrainingSession& s) { s.set_batch_size(8); },  // undo of a batch size that was not the cause
    };
    for (const auto& set : settings) {
        TrainingSession session(cpu());
        SessionSetup setup = tutorial();
        setup.experiment.train.learning_rate = 1e9;
        session.open(setup);
        session.play();
        session.wait();
        REQUIRE(session.take()->state == SessionState::failed);
        const std::uint64_t good = session.take()->step;
        set(session);
        session.wait();
        CHECK(session.take()->state == (good == 0 ? SessionState::ready : SessionState::paused));
        CHECK(session.take()->message.empty());
        CHECK(session.take()->step == good);
    }
}

#ifdef __linux__
TEST_CASE("a session that gives way runs below its window's priority, others beside it") {
    // Field 19 of a thread's stat is its nice value; the name before it may hold blanks.
    const auto below = [](int nice) {
        int count = 0;
        for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
            std::ifstream file(task.path() / "stat");
            std::string line;
            std::getline(file, line);
            std::istringstream fields(line.substr(std::min(line.size(), line.rfind(')') + 1)));
            std::string field;
            for (int i = 3; i <= 19; ++i) fields >> field;
            count += std::atoi(field.c_str()) > nice;
        }
        return count;
    };
    const int own = getpriority(PRIO_PROCESS, 0);
    if (own > 18) return;  // lower there is not
    for (const bool gives_way : {false, true}) {
        SessionOptions options = cpu();
        options.backend.threads = 2;
        options.gives_way = gives_way;
        TrainingSession session(options);
        session.open(tutorial());
        session.run_steps(2);
        session.wait();
        CHECK((below(own) >= 2) == gives_way);  // the trainer's two at least
        CHECK(getpriority(PRIO_PROCESS, 0) == own);
    }
}
#endif

TEST_CASE("what cannot be opened leaves the present model as it was") {
    TrainingSession session(cpu());
    session.open(tutorial());
    session.run_steps(3);
    session.wait();
    SessionSetup bad = tutorial("top_k");
    bad.experiment.model.top_k = 9;
    CHECK(refusal(session, bad).find("top_k is 9") != std::string::npos);
    bad = tutorial();
    bad.experiment.model.embedding_dim = bad.experiment.model.hidden_dim = 65536;
    bad.experiment.model.num_experts = 2048;
    CHECK(refusal(session, bad).find("TiB") != std::string::npos);
    bad = tutorial();
    bad.corpus = nullptr;
    CHECK(refusal(session, bad).find("no text") != std::string::npos);
    CHECK(session.take()->step == 3);
    CHECK(session.take()->state == SessionState::paused);
}

TEST_CASE("settings that a running model takes: learning rate, batch, balance loss") {
    TrainingSession session(cpu());
    session.open(tutorial());
    session.run_steps(2);
    session.wait();
    session.set_batch_size(3);
    session.set_learning_rate(0.01);
    session.set_balance_loss(0.1);
    session.run_steps(1);
    session.wait();
    const auto s = session.take();
    CHECK(s->experiment.train.batch_size == 3);
    CHECK(s->experiment.train.learning_rate == 0.01);
    CHECK(s->experiment.model.balance_loss == 0.1);
    CHECK(s->steps_per_epoch == 4);
    CHECK(s->step == 3);
    CHECK(s->history->points.back().balance > 0);
}

TEST_CASE("the speed limit is kept, and a pause answers at once") {
    TrainingSession session(cpu(100));
    session.open(tutorial());
    const auto start = std::chrono::steady_clock::now();
    session.play();
    CHECK_FALSE(session.wait_for(0.3));
    session.pause();
    CHECK(session.wait_for(0.5));
    const double elapsed = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    const double steps = double(session.take()->step);
    CHECK(steps >= 5);
    CHECK(steps <= 100 * elapsed + 12);  // what a late start may catch up
}

TEST_CASE("long runs keep at most 1,024 points whose means stay true" * doctest::skip(!thorough)) {
    TrainingSession session(cpu());
    SessionSetup setup = tutorial();
    setup.experiment.train.epochs = 1500;
    session.open(setup);
    session.play();
    session.wait();
    const auto s = session.take();
    const History& h = *s->history;
    CHECK(h.points.size() <= 1024);
    CHECK(h.points.size() >= 512);
    CHECK(h.points.back().step == 3000);
    std::uint64_t steps = 0;
    for (const HistoryPoint& p : h.points) steps += p.steps;
    CHECK(steps == 3000);
    CHECK(h.load.size() == h.points.size() * 4);
    for (std::size_t i = 0; i < h.points.size(); ++i)
        CHECK(std::accumulate(h.load.begin() + std::ptrdiff_t(4 * i), h.load.begin() + std::ptrdiff_t(4 * i + 4),
                              0.0) == doctest::Approx(1).epsilon(1e-4));
    CHECK(h.gate.size() == h.gate_steps.size() * 16);
    CHECK(h.epochs.size() == 1500);
}

TEST_CASE("unknown words are marked, prefixes end at known ones") {
    TrainingSession session(cpu());
    SessionSetup setup = tutorial();
    setup.probe = "Hello zebra, world!";
    session.open(setup);
    const auto first = session.take();
    const ProbeForward& p = first->probe;
    REQUIRE(p.words.size() == 3);
    CHECK(p.words[1].text == "zebra");
    CHECK(p.words[1].id == 0);
    CHECK(p.prefix_words == std::vector<std::size_t>{0, 2});
    session.set_probe("zebra", 0);
    session.wait();
    CHECK(session.take()->probe.prefix_words.empty());
    CHECK(session.take()->probe.words.size() == 1);
}

TEST_CASE("the predictor serves as the session's probe does") {
    TrainingSession session(cpu());
    SessionSetup setup = tutorial();
    setup.focus = 3;
    session.open(setup);
    session.play();
    session.wait();
    const auto s = session.take();
    Predictor predictor(session.save().get().state, setup.corpus->tokenizer());
    const ProbeForward p = predictor.run("hello world how are");
    CHECK(p.gate_weights == s->probe.gate_weights);
    CHECK(p.focused.top.front().word == "you");
    CHECK(p.focused.top.front().probability == s->probe.focused.top.front().probability);
    double sum = 0;
    for (const float probability : predictor.probabilities()) sum += double(probability);
    CHECK(sum == doctest::Approx(1).epsilon(1e-5));
    CHECK(predictor.run("zebra").focused.row == std::vector<std::int32_t>{0, 0, 0, 0});
}

TEST_CASE("a session can be thrown away at any moment") {
    for (int i = 0; i < 20; ++i) {
        TrainingSession session(cpu());
        const auto opening = session.try_open(tutorial());
        session.play();
        std::this_thread::sleep_for(std::chrono::milliseconds(i % 4));
    }
}

TEST_CASE("a run that began with a file's weights resets to these, also after it was saved and brought back") {
    TrainingSession session(cpu());
    session.open(tutorial());
    session.run_steps(7);
    session.wait();
    auto given = std::make_shared<RunState>(session.save().get().state);
    given->momentum.clear(), given->velocity.clear();  // a model without its optimizer
    SessionSetup setup = tutorial();
    setup.state = *given;
    setup.state->initial = given;
    session.open(setup);
    session.run_steps(5);
    session.wait();
    CHECK(session.take()->step == 12);

    SessionSetup back = tutorial();
    back.state = session.save().get().state;
    CHECK(back.state->parameters != given->parameters);
    session.open(tutorial());
    session.open(back);
    session.reset();
    session.wait();
    CHECK(session.take()->step == 7);
    CHECK(session.save().get().state.parameters == given->parameters);
    session.run_steps(1);
    session.reset();
    session.wait();
    CHECK(session.save().get().state.parameters == given->parameters);
}

TEST_CASE("a run that comes back brings its target and its load") {
    TrainingSession session(cpu());
    session.open(tutorial());
    session.play();
    session.wait();
    session.set_speed(1);
    session.train_on(50);
    session.pause();
    session.wait();
    const auto before = session.take();
    CHECK(before->target_epochs == 150);
    CHECK(std::accumulate(before->load.begin(), before->load.end(), 0.0) == doctest::Approx(1).epsilon(1e-5));
    SessionSetup back = tutorial();
    back.state = session.save().get().state;
    session.open(tutorial());
    CHECK(session.take()->load.empty());
    session.open(back);
    CHECK(session.take()->state == SessionState::paused);
    CHECK(session.take()->target_epochs == 150);
    CHECK(session.take()->load == before->load);
}

TEST_CASE("the load of an epoch is that of its examples, whatever the batch becomes meanwhile") {
    TrainingSession session(cpu());
    SessionSetup setup = tutorial("top_k");
    setup.experiment.train.batch_size = 3;
    session.open(setup);
    session.run_steps(2);
    session.wait();
    session.set_batch_size(6);
    session.run_epochs(1);
    session.wait();
    const auto s = session.take();
    REQUIRE(s->history->points.size() == 3);
    for (std::size_t e = 0; e < 4; ++e) {
        double sum = 0;
        for (std::size_t i = 0; i < 3; ++i)
            sum += double(s->history->load[4 * i + e]) * double(s->history->points[i].examples);
        CHECK(double(s->load[e]) == doctest::Approx(sum / 12).epsilon(1e-5));
    }
}

TEST_CASE("an exception on the worker's thread is a failure, not the end of the program") {
    TrainingSession session(cpu());
    session.on_epoch([](std::uint64_t, const EpochRecord&) { throw std::runtime_error("no paper"); });
    session.open(tutorial());
    session.play();
    session.wait();
    CHECK(session.take()->state == SessionState::failed);
    CHECK(session.take()->message == "no paper");
    session.on_epoch({});
    session.run_steps(1);
    session.wait();
    CHECK(session.take()->state == SessionState::paused);
}

TEST_CASE("no steps are no steps") {
    TrainingSession session(cpu(1e-300));  // slower than any clock counts
    session.open(tutorial());
    session.run_steps(0);
    session.run_epochs(0);
    CHECK(session.wait_for(5));
    CHECK(session.take()->step == 0);
    CHECK(session.take()->state == SessionState::ready);
    session.set_speed(1e-300);
    session.play();
    CHECK_FALSE(session.wait_for(0.05));
    session.pause();
    session.wait();
}

TEST_CASE("steps and epochs asked for while others run come after them") {
    TrainingSession session(cpu(0.001));  // the first step at once, the others not before the limit goes
    SessionSetup setup = tutorial();
    setup.experiment.train.batch_size = 1;
    session.open(setup);
    session.run_epochs(1);
    session.run_steps(1);
    session.set_speed(0);
    session.wait();
    CHECK(session.take()->step == 13);
    session.set_speed(0.001);
    session.run_epochs(1);
    session.run_epochs(1);
    session.set_speed(0);
    session.wait();
    CHECK(session.take()->step == 36);
    session.set_speed(0.001);
    session.play();
    session.pause();
    session.wait();
    const std::uint64_t before = session.take()->step;
    session.set_speed(0);
    session.run_steps(2);  // endless play leaves nothing to do first
    session.wait();
    CHECK(session.take()->step == before + 2);
}
