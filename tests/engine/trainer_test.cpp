#include "engine/train/trainer.h"
#include "engine/backend/cpu/reference_backend.h"
#include "engine/core/rng.h"
#include "engine/core/settings.h"
#include "engine/routing/router.h"
#include "tests/support/large_experiments.h"

#include <doctest/doctest.h>

#include <cmath>
#include <set>

using namespace moe;
using namespace moe::test;

namespace {

/// Every family and router, with and without mask and balance loss.
std::vector<Experiment> experiments() {
    std::vector<Experiment> all;
    for (const FamilyInfo& family : families)
        for (const RouterInfo& router : routers())
            for (const bool mask : {false, true})
                for (const double balance : {0.0, 0.02}) {
                    Experiment x = tutorial_experiment();
                    x.model.family = family.id;
                    x.model.router = router.id;
                    x.model.mask_zero = mask;
                    x.model.balance_loss = balance;
                    x.model.embedding_dim = 12, x.model.hidden_dim = 20;  // no multiples of 8
                    x.train.batch_size = 5;                               // 12 examples: the last batch is short
                    all.push_back(x);
                }
    return all;
}

/// A device that fails when it is told to.
class BreakingBackend : public ReferenceBackend<float> {
public:
    using ReferenceBackend<float>::download;
    void download(Tensor<float> from, float* to) override {
        if (left == 0) throw Error("The device is gone.");
        if (left > 0) --left;
        ReferenceBackend<float>::download(from, to);
    }
    int left = -1;  // downloads that it still makes; -1: all
};

RunState trained(const Experiment& x, std::size_t steps, int threads = 1) {
    const auto backend = make_backend({"cpu", threads});
    Trainer trainer(*backend, x, tutorial_corpus());
    for (std::size_t i = 0; i < steps; ++i) trainer.step();
    return trainer.state();
}

}  // namespace

TEST_CASE("the same spec and seed give the same bits, for any number of threads") {
    for (const Experiment& x : experiments()) {
        CAPTURE(x.model.family);
        CAPTURE(x.model.router);
        const RunState once = trained(x, 40);
        CHECK(once == trained(x, 40));
        for (const int threads : {2, 3, 4, 8}) CHECK(once == trained(x, 40, threads));
        Experiment other = x;
        other.train.seed = 2;
        CHECK_FALSE(once.parameters == trained(other, 40).parameters);
    }
}

TEST_CASE("a resumed run ends in the bits of one that was never interrupted") {
    for (const Experiment& x : experiments()) {
        const RunState whole = trained(x, 25);
        for (const std::size_t at : {1, 2, 3, 7, 24}) {
            const auto backend = make_backend({"cpu", 1});
            Trainer resumed(*backend, trained(x, at), tutorial_corpus());
            for (std::size_t i = at; i < 25; ++i) resumed.step();
            CHECK(resumed.state() == whole);
        }
    }
}

TEST_CASE("training learns, and an epoch's figures are the means over its examples") {
    for (const Experiment& x : experiments()) {
        CAPTURE(x.model.family);
        CAPTURE(x.model.router);
        const auto backend = make_backend({"cpu", 1});
        Trainer trainer(*backend, x, tutorial_corpus());
        CHECK(trainer.steps_per_epoch() == 3);
        double loss = 0, correct = 0;
        for (int i = 0; i < 3; ++i) {
            const StepResult r = trainer.step();
            CHECK(r.epoch_ended == (i == 2));
            CHECK(r.examples == (i == 2 ? 2 : 5));
            loss += r.loss * double(r.examples);
            correct += double(r.correct);
        }
        CHECK(trainer.epochs().at(0).loss == doctest::Approx(loss / 12).epsilon(1e-12));
        CHECK(trainer.epochs().at(0).accuracy == doctest::Approx(correct / 12));
        CHECK(trainer.epochs().at(0).loss == doctest::Approx(std::log(11)).epsilon(0.05));  // guessing, at first
        while (trainer.epoch() < 200) trainer.step();
        CHECK(trainer.epochs().back().loss < 0.5 * trainer.epochs().front().loss);
    }
}

TEST_CASE("each step's load is the gate weight of its examples") {
    std::vector<Experiment> all = experiments();
    Experiment& x = all.emplace_back(tutorial_experiment());  // eight of two thousand experts a token
    x.model.family = "token", x.model.router = "top_k", x.model.num_experts = 2048, x.model.top_k = 8;
    x.model.embedding_dim = x.model.hidden_dim = 8;
    for (const Experiment& each : all)
        for (const int threads : {1, 2}) {
            CAPTURE(each.model.family);
            const auto backend = make_backend({"cpu", threads});
            Trainer trainer(*backend, each, tutorial_corpus());
            for (int i = 0; i < 6; ++i) {
                const StepResult r = trainer.step();
                double sum = 0;
                for (const float weight : trainer.step_load()) sum += double(weight);
                CHECK(sum == doctest::Approx(double(r.examples)).epsilon(1e-5));
            }
        }
}

TEST_CASE("an epoch's order is a permutation and a pure function of seed and epoch") {
    std::vector<std::uint32_t> a(100), b(100);
    shuffle_order(a, 7, 3);
    shuffle_order(b, 7, 3);
    CHECK(a == b);
    CHECK(std::set<std::uint32_t>(a.begin(), a.end()).size() == 100);
    shuffle_order(b, 7, 4);
    CHECK(a != b);
    shuffle_order(b, 8, 3);
    CHECK(a != b);
}

TEST_CASE("divergence names its cause and leaves the last good state") {
    Experiment x = tutorial_experiment();
    x.train.learning_rate = 1e9;
    const auto backend = make_backend({"cpu", 1});
    Trainer trainer(*backend, x, tutorial_corpus());
    const RunState start = trainer.state();
    std::string said;
    try {
        for (int i = 0; i < 100; ++i) trainer.step();
    } catch (const Divergence& e) {
        said = e.what();
    }
    CHECK(said.find("Training stopped at step") != std::string::npos);
    CHECK(said.find("learning rate 1e+09") != std::string::npos);
    CHECK(trainer.state() == start);
    trainer.set_learning_rate(1e-3);
    CHECK_NOTHROW(trainer.step());  // goes on from there
}

TEST_CASE("a run diverging late returns to a state whose loss was a number") {
    const auto backend = make_backend({"cpu", 1});
    Trainer trainer(*backend, tutorial_experiment(), tutorial_corpus());
    for (int i = 0; i < 101; ++i) trainer.step();
    trainer.set_learning_rate(1e9);
    CHECK_THROWS_AS(
        [&] {
            for (int i = 0; i < 100; ++i) trainer.step();
        }(),
        Divergence);
    CHECK(trainer.steps() > 0);
    CHECK(trainer.steps() <= 101);
    trainer.set_learning_rate(1e-3);
    CHECK(trainer.step().loss < 2.4);
}

TEST_CASE("a state that could not be kept whole is none") {
    BreakingBackend backend;
    Checkpoint at_first, at_64;
    Trainer whole(backend, tutorial_experiment(), tutorial_corpus());
    whole.keep(at_first);
    for (int i = 0; i < 64; ++i) whole.step();
    whole.keep(at_64);
    int kept = 0;
    for (const bool held : {false, true})
        for (int left = 0; left < 40; ++left) {
            Trainer trainer(backend, tutorial_experiment(), tutorial_corpus());
            for (int i = 0; i < 64; ++i) trainer.step();
            const std::shared_ptr<const Checkpoint> holder = held ? trainer.good() : nullptr;
            backend.left = left;  // the next step keeps its state
            try {
                trainer.step();
            } catch (const Error&) {
            }
            backend.left = -1;
            CAPTURE(left);
            if (const auto good = trainer.good()) {
                ++kept;
                CHECK(*good == (good->step == 0 ? at_first : at_64));
            }
            if (held) CHECK(*holder == at_first);
            trainer.step();  // the device is back
            CHECK(*trainer.good() == at_64);
        }
    CHECK(kept > 20);
    CHECK(kept < 80);
}

TEST_CASE("a checkpoint of another model or another text is refused, and nothing changes") {
    const auto backend = make_backend({"cpu", 1});
    Trainer trainer(*backend, tutorial_experiment(), tutorial_corpus());
    trainer.step();
    const RunState before = trainer.state();
    Checkpoint moment;
    trainer.keep(moment);
    Checkpoint other = moment;
    other.next_example = 12;  // of 12
    CHECK_THROWS_WITH_AS(trainer.restore(other), doctest::Contains("another text's"), Error);
    CHECK(trainer.state() == before);
    other.next_example = ~std::uint64_t(0);
    CHECK_THROWS_AS(trainer.restore(other), Error);
    other = moment, other.values.pop_back();
    CHECK_THROWS_WITH_AS(trainer.restore(other), doctest::Contains("another model's"), Error);
    CHECK(trainer.state() == before);
    other = moment, other.load = {1, 2, 3, 4, 5, 6}, other.load_sums.clear();
    CHECK_NOTHROW(trainer.restore(other));
    trainer.step();
    CHECK(trainer.load().size() == 4);
}

TEST_CASE("initial weights follow Keras's initialisers") {
    Experiment x = tutorial_experiment();
    x.model.vocabulary = 500;
    for (const NamedArray& p : initial_parameters(x.model, 3)) {
        CAPTURE(p.name);
        double largest = 0, sum = 0, squares = 0;
        for (const float v : p.values) {
            largest = std::max(largest, std::abs(double(v)));
            sum += double(v), squares += double(v) * double(v);
        }
        if (p.name.ends_with("bias")) {
            CHECK(largest == 0);
            continue;
        }
        double limit = 0.05;
        if (p.name == "gate/kernel") limit = std::sqrt(6.0 / (32 + 4));
        if (p.name.starts_with("experts")) limit = std::sqrt(6.0 / (32 + 64));
        if (p.name == "head/kernel") limit = std::sqrt(6.0 / (32 + 500));
        const double n = double(p.values.size());
        CHECK(largest <= limit);
        CHECK(largest > 0.95 * limit);
        CHECK(std::abs(sum / n) < 4 * limit / std::sqrt(3 * n));
        CHECK(squares / n == doctest::Approx(limit * limit / 3).epsilon(0.15));
    }
}

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
TEST_CASE("training takes the bytes that were announced") {
    for (const Experiment& x : large_experiments()) {
        CAPTURE(x.model.family);
        CAPTURE(x.model.router);
        CAPTURE(x.model.vocabulary);
        const std::size_t before = heap_in_use();
        const auto backend = make_backend({"cpu", 1});
        Trainer trainer(*backend, x, tutorial_corpus());
        trainer.step();
        const std::size_t used = heap_in_use() - before;
        CHECK(used <= required_bytes(x));
        CHECK(required_bytes(x) <= 2 * used);
    }
}
#endif

TEST_CASE("a setting with which training cannot go on costs nothing of what was learned before it") {
    const auto backend = make_backend({"cpu", 1});
    for (const int steps : {0, 20, 64, 100}) {
        CAPTURE(steps);
        Trainer trainer(*backend, tutorial_experiment(), tutorial_corpus());
        for (int i = 0; i < steps; ++i) trainer.step();
        Checkpoint before, after;
        trainer.keep(before);
        trainer.set_learning_rate(1e9);
        CHECK_THROWS_AS(
            [&] {
                for (int i = 0; i < 50; ++i) trainer.step();
            }(),
            Divergence);
        trainer.keep(after);
        CHECK(after == before);
    }
}
