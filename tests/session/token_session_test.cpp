// Sessions, probe and files of a model that routes each token.
#include "engine/session/inference.h"
#include "engine/session/training_session.h"
#include "engine/train/specialisation.h"
#include "tests/support/small_corpus.h"

#include <doctest/doctest.h>

#include <algorithm>

using namespace moe;
using namespace moe::test;

namespace {

SessionSetup token_setup(const char* router, bool mask) {
    SessionSetup setup;
    setup.corpus = tutorial_corpus();
    setup.experiment.model.family = "token";
    setup.experiment.model.router = router;
    setup.experiment.model.mask_zero = mask;
    setup.experiment.train.batch_size = 5;
    setup.probe = "you are hello unheard you world";
    return setup;
}

SessionOptions one_thread() {
    SessionOptions options;
    options.backend = {"cpu", 1};
    return options;
}

}  // namespace

TEST_CASE("a column is the gate of its own word: the same wherever that word stands, and as a phrase of its own") {
    for (const char* router : {"soft", "top_k"})
        for (const bool mask : {false, true}) {
            TrainingSession session(one_thread());
            session.open(token_setup(router, mask));
            session.run_epochs(9);
            session.wait();
            const auto s = session.take();
            const ProbeForward& probe = s->probe;
            REQUIRE(probe.prefix_words.size() == 5);
            const std::size_t E = 4, D = 32;
            const auto gate = [&](std::size_t p) {
                return std::vector<float>(probe.gate_weights.begin() + std::ptrdiff_t(p * E),
                                          probe.gate_weights.begin() + std::ptrdiff_t((p + 1) * E));
            };
            CHECK(gate(0) == gate(3));  // "you"
            CHECK_FALSE(gate(0) == gate(1));
            CHECK(probe.pooled.size() == 5 * D);

            const SavedRun saved = session.save().get();
            const auto& table = saved.state.parameters.at(0).values;
            Predictor predictor(saved.state, tutorial_corpus()->tokenizer());
            for (std::size_t p = 0; p < 5; ++p) {
                const ProbeWord& word = probe.words[probe.prefix_words[p]];
                CHECK(std::equal(probe.pooled.begin() + std::ptrdiff_t(p * D),
                                 probe.pooled.begin() + std::ptrdiff_t((p + 1) * D),
                                 table.begin() + std::ptrdiff_t(std::size_t(word.id) * D)));
                const ProbeForward alone = predictor.run(word.text);
                for (std::size_t e = 0; e < E; ++e)  // but for the products' order of summation
                    CHECK(alone.gate_weights[e] == doctest::Approx(double(gate(p)[e])).epsilon(1e-5));
            }
            // The prediction is of all the words, the gate beside it of the last one.
            const ProbeForward whole = predictor.run(probe.text);
            CHECK(whole.focus == 4);
            for (std::size_t e = 0; e < E; ++e)
                CHECK(whole.focused.gate_weights[e] == doctest::Approx(double(gate(4)[e])).epsilon(1e-5));
            CHECK(predictor.run("you are hello").focused.top[0].probability !=
                  predictor.run("hello").focused.top[0].probability);
            CHECK(session.take()->load.size() == E);
            double load = 0;
            for (const float share : s->load) load += double(share);
            CHECK(load == doctest::Approx(1).epsilon(1e-5));
        }
}

TEST_CASE("the answers mixed by the gate are what the head reads, where the phrase is one word") {
    TrainingSession session(one_thread());
    session.open(token_setup("top_k", true));
    session.run_epochs(3);
    session.wait();
    Predictor predictor(session.save().get().state, tutorial_corpus()->tokenizer());
    const FocusedForward f = predictor.run("hello").focused;
    for (std::size_t d = 0; d < 32; ++d) {
        double sum = 0;
        for (std::size_t e = 0; e < 4; ++e) sum += double(f.gate_weights[e]) * double(f.outputs[e * 32 + d]);
        CHECK(sum == doctest::Approx(double(f.mixed[d])).epsilon(1e-5));
    }
}

TEST_CASE("held-out lines are routed by each prefix's last word") {
    const auto backend = make_backend({"cpu", 1});
    Experiment x = tutorial_experiment();
    x.model.family = "token";
    Trainer trainer(*backend, x, tutorial_corpus());
    for (int i = 0; i < 20; ++i) trainer.step();
    const std::vector<std::string> lines = {"hello you", "you hello"};
    const RoutedPrefixes routed = route_prefixes(*backend, trainer, lines);
    REQUIRE(routed.weights.size() == 4 * 4);
    CHECK(std::equal(routed.weights.begin(), routed.weights.begin() + 4, routed.weights.begin() + 12));
    CHECK(std::equal(routed.weights.begin() + 4, routed.weights.begin() + 8, routed.weights.begin() + 8));
}

TEST_CASE("a moment of the past has the bits that were trained, and a session saved and opened trains on to the same") {
    TrainingSession session(one_thread()), again(one_thread());
    session.open(token_setup("top_k", true));
    session.run_steps(30);
    session.wait();
    const SavedRun half = session.save().get();
    SessionSetup setup = token_setup("top_k", true);
    setup.state = half.state;
    again.open(setup);
    for (TrainingSession* s : {&session, &again}) {
        s->run_steps(15);
        s->wait();
    }
    CHECK(session.save().get().state == again.save().get().state);
    CHECK(session.continue_from(30).get().empty());
    session.wait();
    CHECK(session.save().get().state.parameters == half.state.parameters);
}
