// The trace against the training step that it explains, bit for bit, and its own order.
#include "engine/train/tracer.h"

#include "engine/core/family.h"
#include "engine/core/rng.h"
#include "engine/core/settings.h"
#include "engine/routing/router.h"
#include "engine/train/trainer.h"
#include "tests/support/large_experiments.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>

using namespace moe;
using namespace moe::test;

namespace {

/// Every family and router with its K, with and without mask, balance loss and shuffling. 12 examples in batches of 5:
/// the third is short.
std::vector<Experiment> experiments() {
    std::vector<Experiment> all;
    for (const FamilyInfo& family : families)
        for (const RouterInfo& router : routers())
            for (const std::size_t K : {1, 2, 4})
                for (const bool mask : {false, true})
                    for (const double balance : {0.0, 0.3}) {
                        Experiment x = tutorial_experiment();
                        x.model.family = family.id;
                        x.model.router = router.id;
                        x.model.top_k = K;
                        if (experts_per_token(x.model) != K) continue;  // the router has no K to choose
                        x.model.mask_zero = mask, x.model.balance_loss = balance;
                        x.model.embedding_dim = 12, x.model.hidden_dim = 20;  // no multiples of 8
                        x.train.batch_size = 5;
                        x.train.shuffle = !mask;
                        all.push_back(x);
                    }
    Experiment one = tutorial_experiment();
    one.model.num_experts = 1, one.train.batch_size = 64;
    all.push_back(one);
    return all;
}

std::string describe(const Experiment& x) {
    return x.model.family + ", " + x.model.router + ", " + std::to_string(experts_per_token(x.model)) + " of " +
           std::to_string(x.model.num_experts) + (x.model.mask_zero ? ", mask" : "") +
           (x.model.balance_loss > 0 ? ", balance" : "");
}

std::shared_ptr<const RunState> shared(RunState state) {
    return std::make_shared<const RunState>(std::move(state));
}

double sum(std::span<const float> values) {
    double total = 0;
    for (const float v : values) total += double(v);
    return total;
}

}  // namespace

TEST_CASE("a step from the same state makes the bits that its trace foretold") {
    const auto corpus = tutorial_corpus();
    Tracer tracer({"cpu", 1});
    for (const Experiment& x : experiments()) {
        const std::string model = describe(x);
        CAPTURE(model);
        const auto backend = make_backend({"cpu", 1});
        Trainer trainer(*backend, x, corpus);
        for (int i = 0; i < 8; ++i) {
            const auto before = shared(trainer.state());
            const Trace trace = tracer.batch(before, *corpus);
            CHECK(trace.step == trainer.steps());
            CHECK(trace.epoch == trainer.epoch());
            CHECK(trace.first_example == trainer.next_example());
            const StepResult result = trainer.step();
            const RunState after = trainer.state();
            CHECK(trace.examples == result.examples);
            CHECK(double(trace.loss) == result.loss);
            CHECK(double(trace.balance) == result.balance);
            CHECK(trace.correct == result.correct);
            CHECK(trace.new_parameters == after.parameters);
            CHECK(trace.new_momentum == after.momentum);
            CHECK(trace.new_velocity == after.velocity);
            CHECK(trace.state == before);
        }
    }
}

TEST_CASE("twenty steps with a trace between each two end in the bits of twenty without, on one backend too") {
    const auto corpus = tutorial_corpus();
    for (const Experiment& x : experiments()) {
        const std::string model = describe(x);
        CAPTURE(model);
        const auto alone = make_backend({"cpu", 1}), shared_by_both = make_backend({"cpu", 2});
        Trainer trainer(*alone, x, corpus), watched(*shared_by_both, x, corpus);
        for (int i = 0; i < 20; ++i) {
            trainer.step();
            const auto before = shared(watched.state());
            const RunState copy = *before;
            const Trace trace = trace_batch(*shared_by_both, before, *corpus);
            trace_row(*shared_by_both, before, std::span(trace.ids).first(x.model.max_seq_len));
            CHECK(*before == copy);
            CHECK(watched.state() == copy);
            watched.step();
        }
        CHECK(trainer.state() == watched.state());
    }
}

TEST_CASE("every op's inputs are there before it, and every value is the output of one op") {
    const auto corpus = tutorial_corpus();
    Tracer tracer({"cpu", 1});
    for (const Experiment& x : experiments()) {
        const std::string model = describe(x);
        CAPTURE(model);
        const bool balance = x.model.balance_loss > 0;
        const auto backend = make_backend({"cpu", 1});
        const auto state = shared(Trainer(*backend, x, corpus).state());
        const Trace trace = tracer.batch(state, *corpus);

        std::set<std::string> there = {"ids", "targets"};
        for (const NamedArray& p : state->parameters)
            for (const char* kind : {"", "m:", "v:"}) there.insert(kind + p.name);
        std::vector<std::string> ids;
        for (const TraceOp& op : trace.ops) {
            CAPTURE(op.id);
            ids.push_back(op.id);
            CHECK(!op.inputs.empty());
            CHECK(!op.outputs.empty());
            for (const std::string& name : op.inputs) {
                CHECK_MESSAGE(there.contains(name), name);
                CHECK_MESSAGE(trace.numbers(name).has_value(), name);
            }
            for (const std::string& name : op.outputs) {
                CHECK_MESSAGE(there.insert(name).second, name);
                CHECK_MESSAGE(trace.numbers(name).has_value(), name);
            }
        }
        const bool tokens = x.model.family == "token";
        std::vector<std::string> wanted = {"embedding_rows"};
        if (!tokens) wanted.push_back("mean");
        for (const char* id : {"gate_scores", "gate_softmax"}) wanted.push_back(id);
        if (x.model.router == "top_k") wanted.push_back("top_k");
        for (const char* id : {"expert_hidden", "expert_output", "weighted_sum"}) wanted.push_back(id);
        if (tokens) wanted.push_back("mean");
        for (const char* id : {"vocabulary_scores", "softmax_loss"}) wanted.push_back(id);
        if (balance) wanted.push_back("balance_loss");
        wanted.push_back("vocabulary_scores_backward");
        if (tokens) wanted.push_back("mean_backward");
        for (const char* id : {"weighted_sum_to_experts", "weighted_sum_to_gate"}) wanted.push_back(id);
        if (balance) wanted.push_back("balance_to_gate");
        for (const char* id : {"gate_softmax_backward", "gate_scores_backward", "expert_output_backward",
                               "expert_hidden_backward", "embedding_backward", "adam"})
            wanted.push_back(id);
        CHECK(ids == wanted);

        for (const TraceValue& value : trace.values) {
            CAPTURE(value.name);
            const bool from_balance = value.name == "d_gate_probs_balance" || value.name == "d_gate_logits_balance";
            CHECK(there.contains(value.name) == (!from_balance || balance));
            std::size_t count = 1;
            for (const std::size_t size : value.shape) count *= size;
            CHECK(value.values.size() == count);
            CHECK(value.shape.at(0) == trace.examples);
            if (from_balance && !balance) CHECK(std::ranges::count(value.values, 0.0f) == std::ptrdiff_t(count));
        }
        for (const NamedArray& p : state->parameters)
            for (const char* kind : {"d:", "new:", "new_m:", "new_v:"}) CHECK(there.contains(kind + p.name));
    }
}

TEST_CASE("a trace's arrays by name, example and visit") {
    TraceValue value{"x", {2, 3, 2}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}};
    CHECK(value.of(1).size() == 6);
    CHECK(value.of(1)[0] == 6);
    CHECK(value.of(1, 2).size() == 2);
    CHECK(value.of(1, 2)[0] == 10);
    CHECK(value.of(2).empty());
    CHECK(value.of(1, 3).empty());
    value.shape = {4, 3};
    CHECK(value.of(3, 1).size() == 1);
    CHECK(value.of(3, 1)[0] == 10);

    const auto corpus = tutorial_corpus();
    Experiment x = tutorial_experiment();
    const auto backend = make_backend({"cpu", 1});
    Trainer trainer(*backend, x, corpus);
    trainer.step();
    const Trace trace = trace_batch(*backend, shared(trainer.state()), *corpus);
    CHECK(trace.experts_per_token() == 4);
    CHECK(trace.routed_places() == 1);
    x.model.family = "token";
    const Trace of_tokens = trace_batch(*backend, shared(Trainer(*backend, x, corpus).state()), *corpus);
    CHECK(of_tokens.experts_per_token() == 4);
    CHECK(of_tokens.routed_places() == 4);
    CHECK(of_tokens.numbers("expert_indices")->shape == std::vector<std::size_t>{8, 16});
    CHECK(trace.backward());
    CHECK(trace.find("nothing") == nullptr);
    CHECK(trace.parameter("gate/kernel") == &trace.state->parameters.at(1));
    CHECK(trace.gradient("gate/kernel") == &trace.gradients.at(1));
    CHECK(trace.numbers("gate/kernel")->shape == std::vector<std::size_t>{32, 4});
    CHECK(trace.numbers("new_v:head/bias")->values.data() == trace.new_velocity.at(8).values.data());
    CHECK(trace.numbers("m:head/bias")->values.data() == trace.state->momentum.at(8).values.data());
    CHECK(trace.numbers("expert_indices")->integers.size() == trace.examples * 4);
    CHECK(trace.numbers("targets")->integers.size() == trace.examples);
    for (const char* unknown : {"", "d:", "d:nothing", "x:gate/kernel", "gate", "new_:head/bias"})
        CHECK_FALSE(trace.numbers(unknown).has_value());
}

TEST_CASE("a phrase's trace is its forward pass alone, whichever workspace it is made in") {
    const auto corpus = tutorial_corpus();
    for (const Experiment& x : experiments()) {
        const std::string model = describe(x);
        CAPTURE(model);
        const auto backend = make_backend({"cpu", 1});
        Trainer trainer(*backend, x, corpus);
        for (int i = 0; i < 3; ++i) trainer.step();
        const auto state = shared(trainer.state());
        Tracer tracer({"cpu", 1});
        const std::vector<std::int32_t> row = {0, 1, 2, 3};
        const Trace first = tracer.row(state, row);
        const Trace batch = tracer.batch(state, *corpus);
        const Trace again = tracer.row(state, row);
        CHECK_FALSE(first.backward());
        CHECK(first.examples == 1);
        CHECK(first.ids == row);
        CHECK(first.targets.empty());
        CHECK(first.new_parameters.empty());
        CHECK(first.find("loss") == nullptr);
        CHECK(first.find("d_mean") == nullptr);
        CHECK(first.ops.back().id == "softmax_loss");
        CHECK(first.ops.back().inputs == std::vector<std::string>{"logits"});
        CHECK(first.ops.back().outputs == std::vector<std::string>{"probs"});
        CHECK(sum(first.find("probs")->values) == doctest::Approx(1).epsilon(1e-6));
        REQUIRE(first.values.size() == again.values.size());
        for (std::size_t i = 0; i < first.values.size(); ++i) CHECK(first.values[i].values == again.values[i].values);

        // The same row in a batch has the same numbers, but for the products' order of summation.
        const std::span<const std::int32_t> one = std::span(batch.ids).first(4);
        const Trace alone = tracer.row(state, one);
        for (const TraceValue& value : alone.values) {
            CAPTURE(value.name);
            const std::span<const float> in_batch = batch.find(value.name)->of(0);
            REQUIRE(in_batch.size() == value.values.size());
            for (std::size_t i = 0; i < in_batch.size(); ++i)
                CHECK(value.values[i] == doctest::Approx(in_batch[i]).epsilon(1e-4));
        }
    }
}

TEST_CASE("a tracer is for any model: traces of one do not change those of another") {
    const auto corpus = tutorial_corpus();
    Tracer tracer({"cpu", 1});
    for (int round = 0; round < 2; ++round)
        for (const Experiment& x : experiments()) {
            const auto backend = make_backend({"cpu", 1});
            const auto state = shared(Trainer(*backend, x, corpus).state());
            const Trace reused = tracer.batch(state, *corpus), fresh = trace_batch(*backend, state, *corpus);
            CHECK(reused.new_parameters == fresh.new_parameters);
            REQUIRE(reused.values.size() == fresh.values.size());
            for (std::size_t i = 0; i < fresh.values.size(); ++i)
                CHECK(reused.values[i].values == fresh.values[i].values);
        }
}

TEST_CASE("weights without an optimizer's state are traced as a first step, with moments of zero") {
    const auto corpus = tutorial_corpus();
    const Experiment x = tutorial_experiment();
    RunState bare;
    bare.experiment = x;
    bare.parameters = initial_parameters(x.model, 1);
    Tracer tracer({"cpu", 1});
    const auto backend = make_backend({"cpu", 1});
    Trainer trainer(*backend, bare, corpus);
    trainer.step();
    tracer.batch(shared(trainer.state()), *corpus);  // leaves moments in the workspace
    const Trace trace = tracer.batch(shared(bare), *corpus);
    CHECK(trace.new_parameters == trainer.state().parameters);
    CHECK(trace.numbers("m:embedding")->values.size() == 11 * 32);
    CHECK(sum(trace.numbers("v:embedding")->values) == 0);
}

TEST_CASE("a trace that is too large, or of what does not fit, is refused in one sentence") {
    const auto corpus = tutorial_corpus();
    Experiment x = tutorial_experiment();
    x.model.vocabulary = 500'000;
    const auto said = [&](const RunState& state, std::span<const std::int32_t> row) {
        const auto backend = make_backend({"cpu", 1});
        try {
            if (row.empty())
                trace_batch(*backend, shared(state), *corpus);
            else
                Tracer({"cpu", 1}).row(shared(state), row);
        } catch (const Error& e) {
            return std::string(e.what());
        }
        return std::string();
    };
    RunState state;
    state.experiment = x;  // no weights: the size is seen first
    CHECK(said(state, {}) ==
          "A trace of this batch would take 1.2 GiB, and 512.0 MiB is the limit; choose a smaller batch, fewer experts "
          "or smaller widths.");
    state.experiment = tutorial_experiment();
    CHECK(said(state, {}) == "The model's weights lack 'embedding'.");
    CHECK(said(state, std::vector<std::int32_t>{1, 2}) ==
          "The row has 2 ids, but the model reads 4; pad it to that length.");
    state.parameters = initial_parameters(state.experiment.model, 1);
    CHECK(said(state, std::vector<std::int32_t>{1, 2, 3, 99}).find("holds 99") != std::string::npos);
    state.momentum = state.parameters;
    state.momentum.pop_back();
    state.velocity = state.parameters;
    CHECK(said(state, {}) == "The optimizer's state does not fit the parameter 'head/bias'.");
    x.model.embedding_dim = std::size_t(1) << 60;
    state.experiment = x;
    CHECK(said(state, {}).find("larger than any computer's memory") != std::string::npos);
}

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
TEST_CASE("a trace takes the bytes that were announced, and traces one after the other no more") {
    const auto corpus = tutorial_corpus();
    for (const Experiment& x : large_experiments()) {
        CAPTURE(x.model.family);
        CAPTURE(x.model.router);
        CAPTURE(x.model.vocabulary);
        RunState fresh;
        fresh.experiment = x;
        fresh.parameters = fresh.momentum = fresh.velocity = initial_parameters(x.model, 1);
        for (float& v : fresh.velocity[0].values) v = std::abs(v);
        const auto state = shared(std::move(fresh));
        const std::size_t before = heap_in_use();
        Tracer tracer({"cpu", 1});
        Trace trace = tracer.batch(state, *corpus);
        const std::size_t used = heap_in_use() - before;
        const std::size_t announced = trace_bytes(x.model, trace.examples, true);
        CHECK(used <= announced + announced / 4);  // the backend's own scratch, and ids
        CHECK(announced <= 2 * used);
        for (int i = 0; i < 10; ++i) trace = tracer.batch(state, *corpus);
        CHECK(heap_in_use() - before <= used + used / 16);
    }
}
#endif
