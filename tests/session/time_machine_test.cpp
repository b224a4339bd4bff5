// The time machine: a moment looked at is the moment that was trained, to the bit.
#include "engine/train/trainer.h"
#include "tests/session/past_kit.h"

#include <doctest/doctest.h>

#include <cmath>
#include <fstream>
#include <map>
#include <numeric>
#include <thread>

using namespace moe;
using namespace moe::test;

TEST_CASE("any moment looked at has the bits that were trained, with settings changed on the way") {
    for (const RunKind& kind : kinds) {
        if (!thorough && (&kind != kinds || !without_tsan) && !kind.mask) continue;
        CAPTURE(kind.name);
        TrainingSession session(cpu());
        session.open(tutorial(kind));
        // Each seventh step's state as the run itself saved it.
        std::map<std::uint64_t, SavedRun> saved;
        std::map<std::uint64_t, std::shared_ptr<const Snapshot>> shown;
        constexpr std::uint64_t last = thorough ? 2450 : 1239;
        for (std::uint64_t step = 0; step <= last; step += 7) {
            if (step == 490) session.set_learning_rate(0.01);
            if (step == 980) session.set_batch_size(5);
            if (step == 1470) session.set_balance_loss(0.1), session.set_learning_rate(0.002);
            if (step == 1960) session.set_batch_size(12), session.set_target_epochs(90000);
            session.wait();
            saved[step] = session.save().get();
            session.wait();
            shown[step] = session.take();
            if (step < last) run(session, 7);
        }
        CHECK(session.take()->checkpoints.count == (thorough ? 3 : 2));
        // There and back, and across.
        constexpr std::uint64_t stride = thorough ? 7 : 21;
        std::vector<std::uint64_t> way;
        for (std::uint64_t step = 0; step <= last; step += stride) way.push_back(step);
        for (std::uint64_t step = 0; step <= last; step += stride) way.push_back(last - step);
        for (std::uint64_t step = 0; step <= last; step += 49) way.push_back(step * 18 % (last + 7) / 7 * 7);
        for (const std::uint64_t step : way) {
            CAPTURE(step);
            CHECK(state_at(session, step) == saved.at(step).state);
        }
        for (const std::uint64_t step : {0u, 7u, 1225u, unsigned(last - 7)}) {
            CAPTURE(step);
            const auto s = moment(session, step);
            REQUIRE(s);
            const Snapshot& then = *shown.at(step);
            CHECK(s->state == (step ? SessionState::paused : SessionState::ready));
            CHECK(s->step == step);
            CHECK(s->epoch == then.epoch);
            CHECK(s->next_example == then.next_example);
            CHECK(s->steps_per_epoch == then.steps_per_epoch);
            CHECK(s->target_epochs == then.target_epochs);
            CHECK(s->experiment == then.experiment);
            CHECK(s->load == then.load);
            CHECK(s->balance == then.balance);
            if (then.epoch) CHECK(s->loss == then.loss);
            if (then.epoch) CHECK(s->accuracy == then.accuracy);
            CHECK(s->probe.gate_weights == then.probe.gate_weights);
            CHECK(s->probe.focused.mixed == then.probe.focused.mixed);
            CHECK(s->newest_step == last);
            CHECK(s->history == session.take()->history);
            CHECK(s->generation == then.generation);
        }
        session.look_at_now();
        CHECK(session.looked_at() == nullptr);
        CHECK(session.save().get().state == saved.at(last).state);  // looking changed nothing
    }
}

TEST_CASE("a moment is looked at while training goes on, and does not change what is learned") {
    TrainingSession session(cpu()), alone(cpu());
    SessionSetup setup = tutorial();
    setup.experiment.train.epochs = 2000;
    for (TrainingSession* s : {&session, &alone}) s->open(setup), s->play();
    std::uint64_t seen = 0, looks = 0;
    while (!session.wait_for(0.0005)) {
        const std::uint64_t newest = session.take()->step;
        if (const auto s = moment(session, newest / 2)) {
            CHECK(s->step <= newest);
            CHECK(s->newest_step >= seen);
            seen = s->newest_step, ++looks;
        }
    }
    alone.wait();
    CHECK(looks > 2);
    CHECK(session.save().get().state == alone.save().get().state);
    for (const std::uint64_t step : {1u, 999u, 2048u, 3999u}) CHECK(moment(session, step)->step == step);
    CHECK(moment(session, 1'000'000)->step == 4000);  // clamps to what was trained
}

TEST_CASE("the probe and the focus are those of now, under the weights of then") {
    TrainingSession session(cpu());
    session.open(tutorial());
    run(session, 300);
    const auto before = moment(session, 100);
    CHECK(before->probe.prefix_words.size() == 4);
    session.set_probe("how are you", 1);
    session.wait();
    const auto s = moment(session, 100);
    CHECK(s->probe.text == "how are you");
    CHECK(s->probe.focus == 1);
    TrainingSession then(cpu());
    SessionSetup setup = tutorial();
    setup.probe = "how are you", setup.focus = 1;
    then.open(setup);
    run(then, 100);
    CHECK(then.take()->probe.gate_weights == s->probe.gate_weights);
    CHECK(then.take()->probe.focused.mixed == s->probe.focused.mixed);
}

TEST_CASE("training on from an earlier moment is a run that never went further" * doctest::skip(!without_tsan)) {
    TrainingSession session(cpu()), fresh(cpu());
    session.open(tutorial()), fresh.open(tutorial());
    run(session, 1300);
    session.set_batch_size(5);
    session.set_learning_rate(0.01);
    run(session, 400);
    const SavedRun before = session.save().get();
    moment(session, 1290);
    CHECK(session.continue_from(1290).get() == "");
    CHECK(session.looked_at() == nullptr);
    CHECK(session.take()->state == SessionState::paused);
    CHECK(session.take()->step == 1290);
    CHECK(session.take()->experiment.train.batch_size == 8);
    CHECK(session.take()->history->points.back().step == 1290);
    CHECK(session.take()->history->gate_steps.back() <= 1290);
    CHECK(session.take()->history->epochs.size() == 645);
    CHECK(session.save().get().timeline->log.empty());
    CHECK(session.take()->checkpoints.count == 2);
    run(session, 410);
    run(fresh, 1700);
    CHECK(session.save().get().state == fresh.save().get().state);
    CHECK(session.take()->history->points.size() == fresh.take()->history->points.size());
    for (const std::uint64_t step : {100u, 1289u, 1290u, 1291u, 1600u})
        CHECK(state_at(session, step) == state_at(fresh, step));

    // Undo.
    SessionSetup back = tutorial();
    back.state = before.state, back.history = before.history, back.timeline = before.timeline;
    session.open(back);
    const SavedRun again = session.save().get();
    CHECK(again.state == before.state);
    CHECK(again.history->points.size() == before.history->points.size());
    CHECK(again.history->gate == before.history->gate);
    CHECK(again.timeline->log == before.timeline->log);
    CHECK(again.timeline->checkpoints == before.timeline->checkpoints);
    CHECK(state_at(session, 1290) == state_at(fresh, 1290));
    CHECK(state_at(session, 1699).experiment.train.batch_size == 5);

    CHECK(session.continue_from(0).get() == "");
    CHECK(session.take()->state == SessionState::ready);
    CHECK(session.take()->history->points.empty());
    run(session, 1700);
    CHECK(session.save().get().state == fresh.save().get().state);
}

TEST_CASE("a reset begins a new past, and undo of it has the old") {
    TrainingSession session(cpu());
    session.open(tutorial());
    run(session, 2100);
    const SavedRun before = session.save().get();
    session.reset();
    session.wait();
    CHECK(session.take()->checkpoints.count == 1);
    run(session, 10);
    CHECK(moment(session, 600)->step == 10);
    SessionSetup back = tutorial();
    back.state = before.state, back.history = before.history, back.timeline = before.timeline;
    session.open(back);
    CHECK(moment(session, 555)->step == 555);
    CHECK(session.take()->checkpoints.count == 3);
}

TEST_CASE("a past that is another run's is left out: it begins where the state is") {
    TrainingSession session(cpu());
    session.open(tutorial());
    run(session, 300);
    const SavedRun saved = session.save().get();
    SessionSetup other = tutorial();
    other.state = saved.state, other.timeline = saved.timeline;
    other.state->experiment.train.seed = 2;
    session.open(other);
    CHECK(moment(session, 5)->step == 300);
    CHECK(session.take()->checkpoints.count == 1);
    run(session, 40);
    CHECK(moment(session, 320)->step == 320);
}

TEST_CASE("a small budget keeps every second checkpoint, the first always, and every moment" *
          doctest::skip(!thorough)) {
    TrainingSession session(cpu());
    session.set_checkpoint_budget(1'000'000);  // four of 211 kB, beside the first, which is the seed's
    session.open(tutorial());
    run(session, 9000);
    const auto s = session.take();
    CHECK(s->checkpoints.bytes <= s->checkpoints.budget);
    CHECK(s->checkpoints.count >= 3);
    CHECK(s->checkpoints.count <= 5);
    CHECK(s->checkpoints.interval >= 2048);
    const SavedRun saved = session.save().get();
    CHECK(saved.timeline->checkpoints.front()->step == 0);
    for (std::size_t i = 1; i < saved.timeline->checkpoints.size(); ++i)
        CHECK(saved.timeline->checkpoints[i]->step == i * s->checkpoints.interval);
    TrainingSession fresh(cpu());
    fresh.open(tutorial());
    run(fresh, 3000);
    CHECK(state_at(session, 3000) == fresh.save().get().state);
    session.set_checkpoint_budget(0);
    session.wait();
    run(session, 1);
    CHECK(session.take()->checkpoints.count == 1);
    CHECK(state_at(session, 3000) == fresh.save().get().state);
}

TEST_CASE("a newer request overtakes the one that is being replayed") {
    TrainingSession session(cpu());
    session.set_checkpoint_budget(0);
    session.open(tutorial());
    constexpr std::uint64_t last = thorough ? 12000 : 800;
    run(session, last);
    const auto start = std::chrono::steady_clock::now();
    session.look_at(last - 1);
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    CHECK(moment(session, 3)->step == 3);
    const double early = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    const auto long_start = std::chrono::steady_clock::now();
    CHECK(moment(session, last - 1)->step == last - 1);
    CHECK(early < 0.5 * std::chrono::duration<double>(std::chrono::steady_clock::now() - long_start).count());
    // A little later: it goes on from there.
    const auto last_start = std::chrono::steady_clock::now();
    CHECK(moment(session, last)->step == last);
    CHECK(std::chrono::duration<double>(std::chrono::steady_clock::now() - last_start).count() < early + 0.05);
    // An answer is not lost where a look comes between.
    auto state = session.state_at(last / 2);
    CHECK(moment(session, 2)->step == 2);
    CHECK(state.get().value->step == last / 2);
}

TEST_CASE("a session that ends answers every question that was still open") {
    for (int i = 0; i < 10; ++i) {
        std::future<std::string> opened, gone_back;
        std::future<SavedRun> saved;
        std::future<Answer<RunState>> state;
        {
            TrainingSession session(cpu());
            session.open(tutorial());
            session.run_steps(400);
            std::this_thread::sleep_for(std::chrono::milliseconds(i));
            state = session.state_at(399);
            gone_back = session.continue_from(1);
            opened = session.try_open(tutorial());
            saved = session.save();
            session.look_at(77);
        }
        const Answer<RunState> answer = state.get();
        CHECK((answer.value || !answer.error.empty()));
        opened.get(), gone_back.get();
        try {
            saved.get();
        } catch (const Error& e) {
            CHECK(std::string(e.what()).find("closed") != std::string::npos);
        }
    }
}

TEST_CASE("without a model there is nothing to look at, and it is said") {
    TrainingSession session(cpu());
    session.look_at(5);
    CHECK(session.looked_at() == nullptr);
    CHECK(session.state_at(1).get().error == "There is no model yet.");
    CHECK(session.continue_from(1).get() == "There is no model yet.");
}

TEST_CASE("the trace of a moment is of the batch that was trained there") {
    TrainingSession session(cpu());
    session.open(tutorial());
    run(session, 299);
    const SavedRun before = session.save().get();
    session.set_learning_rate(0.005);
    run(session, 1);
    const SavedRun after = session.save().get();
    run(session, 200);
    const Answer<Trace> answer = session.trace(299).get();
    REQUIRE_MESSAGE(answer.value, answer.error);
    const Trace& trace = *answer.value;
    CHECK(trace.step == 299);
    CHECK(trace.state->parameters == before.state.parameters);
    CHECK(trace.new_parameters == after.state.parameters);
    CHECK(trace.new_velocity == after.state.velocity);
    CHECK(trace.experiment.train.learning_rate == 0.005);

    const Answer<Trace> phrase = session.trace_phrase(500, "zebra how are you", 1).get();
    REQUIRE_MESSAGE(phrase.value, phrase.error);
    CHECK(phrase.value->ids == std::vector<std::int32_t>{0, 0, tutorial_corpus()->tokenizer().ids("how are")[0],
                                                         tutorial_corpus()->tokenizer().ids("how are")[1]});
    CHECK_FALSE(phrase.value->backward());
    session.set_probe("how are you", 1);
    session.wait();
    const TraceValue* probs = phrase.value->find("gate_probs");
    REQUIRE(probs);
    const auto probe = session.take()->probe;
    CHECK(std::equal(probs->values.begin(), probs->values.end(), probe.gate_probs.begin() + 4));
    CHECK(session.trace_phrase(500, "zebra", 0).get().error.find("zebra") != std::string::npos);
}

TEST_CASE("norms are those of the weights at their steps") {
    TrainingSession session(cpu());
    session.open(tutorial());
    run(session, 1000);
    const Answer<NormCurves> answer = session.norms().get();
    REQUIRE_MESSAGE(answer.value, answer.error);
    const NormCurves& n = *answer.value;
    CHECK(n.names.size() == 9);
    REQUIRE(n.steps.size() > 60);
    CHECK(n.steps.front() == 0);
    CHECK(n.steps.back() == 1000);
    REQUIRE(n.norms.size() == n.names.size() * n.steps.size());
    for (const std::size_t at : {std::size_t(0), std::size_t(40), n.steps.size() - 1}) {
        const RunState state = state_at(session, n.steps[at]);
        for (std::size_t i = 0; i < n.names.size(); ++i) {
            CHECK(state.parameters[i].name == n.names[i]);
            double sum = 0;
            for (const float w : state.parameters[i].values) sum += double(w) * double(w);
            CHECK(double(n.norms[i * n.steps.size() + at]) ==
                  doctest::Approx(std::sqrt(sum / double(state.parameters[i].values.size()))).epsilon(1e-5));
        }
    }
}

TEST_CASE("where replaying would take longer than its patience, the checkpoints have to do") {
    SessionOptions hasty = cpu();
    hasty.patience = 0;
    TrainingSession session(hasty);
    session.open(tutorial());
    run(session, 1200);
    state_at(session, 1000);  // how long a step takes is known from what was replayed
    const Answer<NormCurves> norms = session.norms().get();
    REQUIRE_MESSAGE(norms.value, norms.error);
    const NormCurves& n = *norms.value;
    REQUIRE(!n.steps.empty());
    CHECK(n.steps.size() <= session.take()->checkpoints.count + 1);  // and now
    CHECK(n.norms.size() == n.names.size() * n.steps.size());
    session.set_probe("how are you", 1);
    session.wait();
    settle(session);
    const auto history = session.take()->history;
    CHECK(history->gate_probe == "how are you");
    REQUIRE(!history->gate_steps.empty());
    CHECK(history->gate_steps.size() < 20);
    CHECK(history->gate_steps.front() == 0);
}

TEST_CASE("a phrase entered late gets its gate lines from the start of the run, as if it had been there") {
    for (const std::uint64_t before : {40u, 700u, thorough ? 3000u : 50u}) {
        CAPTURE(before);
        TrainingSession late(cpu()), early(cpu());
        SessionSetup setup = tutorial(kinds[2]);
        late.open(setup);
        setup.probe = "how are you";
        early.open(setup);
        run(late, before), run(early, before);
        late.set_learning_rate(0.01), early.set_learning_rate(0.01);
        late.set_probe("hello", 0);  // overtaken
        late.set_probe("how are you", 0);
        run(late, 100), run(early, 100);
        while (late.replaying()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
        late.wait();
        run(late, 60), run(early, 60);
        const auto a = late.take()->history, b = early.take()->history;
        CHECK(a->gate_probe == "how are you");
        CHECK(a->gate_steps == b->gate_steps);
        CHECK(a->gate == b->gate);
    }
}

TEST_CASE("looking goes before the lines of a late phrase, and both come") {
    TrainingSession session(cpu());
    session.open(tutorial());
    run(session, thorough ? 6000 : 1200);
    session.set_probe("how are you", 1);
    session.wait();
    for (const std::uint64_t step : {5u, 1100u, 300u}) {
        session.look_at(step);
        const auto start = std::chrono::steady_clock::now();
        while (!session.looked_at() || session.looked_at()->step != step)
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        CHECK(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() < (thorough ? 1 : 60));
    }
    while (session.replaying()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    session.wait();
    const auto history = session.take()->history;
    CHECK(history->gate_steps.front() == 0);
    CHECK(history->gate_steps.size() > (thorough ? 500 : 100));
    CHECK(session.looked_at()->history == history);
}

TEST_CASE("a neighbour of the moment looked at is near, before it as well as after it" * doctest::skip(!thorough)) {
    TrainingSession session(cpu());
    session.set_checkpoint_budget(0);
    session.open(tutorial());
    run(session, 20000);
    const auto seconds = [&](std::uint64_t step) {
        const auto start = std::chrono::steady_clock::now();
        CHECK(moment(session, step)->step == step);
        return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    };
    const double far = seconds(10000);
    double near = 1e9;
    for (const std::uint64_t step : {9999u, 9998u, 9990u, 10001u, 9950u}) near = std::min(near, seconds(step));
    CHECK(near < far / 4);
    CHECK(state_at(session, 9985).step == 9985);
    TrainingSession fresh(cpu());
    fresh.open(tutorial());
    run(fresh, 9985);
    CHECK(state_at(session, 9985) == fresh.save().get().state);
}

TEST_CASE("the curves of a run that went on from a moment are those of a fresh one, the spanning point too" *
          doctest::skip(!thorough)) {
    TrainingSession session(cpu()), fresh(cpu());
    session.open(tutorial()), fresh.open(tutorial());
    run(session, 5000);
    REQUIRE(session.take()->history->steps_per_point == 8);
    CHECK(session.continue_from(2995).get() == "");
    CHECK(session.take()->history->points.back().step == 2995);
    run(session, 2005);
    run(fresh, 5000);
    const auto one = session.take(), other = fresh.take();
    const History &a = *one->history, &b = *other->history;
    REQUIRE(a.points.size() == b.points.size());
    for (std::size_t i = 0; i < a.points.size(); ++i) {
        CHECK(a.points[i].step == b.points[i].step);
        CHECK(a.points[i].steps == b.points[i].steps);
        CHECK(a.points[i].examples == b.points[i].examples);
        CHECK(double(a.points[i].loss) == doctest::Approx(double(b.points[i].loss)).epsilon(1e-5));
        CHECK(double(a.load[4 * i]) == doctest::Approx(double(b.load[4 * i])).epsilon(1e-4));
    }
    CHECK(a.epochs == b.epochs);
}

TEST_CASE("a very long run stays within its memory, and its picture small" * doctest::skip(!thorough)) {
    TrainingSession session(cpu());
    SessionSetup setup = tutorial();
    setup.corpus = Corpus::from_text("ab", "a b\n");
    setup.experiment.model.embedding_dim = setup.experiment.model.hidden_dim = setup.experiment.model.num_experts = 2;
    setup.experiment.train.epochs = 1'000'000'000;
    setup.probe = "a";
    session.set_checkpoint_budget(200'000);
    session.open(setup);
    const auto resident = [] {
        std::ifstream statm("/proc/self/statm");
        std::size_t all = 0, pages = 0;
        statm >> all >> pages;
        return pages * 4096;
    };
    const auto train = [&](std::uint64_t steps) {
        session.run_steps(steps);
        while (!session.wait_for(0.016)) session.take();
    };
    train(100'000);
    const std::size_t before = resident();
    train(200'000);
    CHECK(resident() < before + (std::size_t(4) << 20));
    const auto s = session.take();
    CHECK(s->epoch == 300'000);
    CHECK(s->history->epochs.size() <= EpochCurve::most);
    CHECK(s->history->epochs.back().loss == s->loss);
    CHECK(s->checkpoints.bytes <= s->checkpoints.budget);
    CHECK(session.save().get().state.epochs == s->history->epochs);
    CHECK(moment(session, 123'456)->step == 123'456);
}
