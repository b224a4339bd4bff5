// The token family against plain loops in double, and against the pooled one where both are the same.
#include "engine/core/family.h"
#include "engine/core/rng.h"
#include "engine/model/language_model.h"
#include "engine/train/trainer.h"
#include "tests/support/small_corpus.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

using namespace moe;
using namespace moe::test;

namespace {

using Row = std::vector<double>;

struct ByHand {
    std::map<std::string, Row> p;
    std::size_t V, D, H, E, K;
    bool mask;

    Row embedding(std::size_t id) const {
        const Row& table = p.at("embedding");
        return {table.begin() + std::ptrdiff_t(id * D), table.begin() + std::ptrdiff_t((id + 1) * D)};
    }

    /// Gate weights (E), 0 where not chosen, of what stands at the gate.
    Row gate(const Row& x) const {
        Row z(E), g(E);
        for (std::size_t e = 0; e < E; ++e) {
            z[e] = p.at("gate/bias")[e];
            for (std::size_t d = 0; d < D; ++d) z[e] += x[d] * p.at("gate/kernel")[d * E + e];
        }
        std::vector<std::size_t> order(E);
        std::iota(order.begin(), order.end(), 0);
        std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return z[a] > z[b]; });
        double sum = 0;
        for (std::size_t k = 0; k < K; ++k) sum += g[order[k]] = std::exp(z[order[k]] - z[order[0]]);
        for (double& weight : g) weight /= sum;
        return g;
    }

    Row answer(const Row& x, std::size_t e) const {
        Row h(H), y(D);
        for (std::size_t j = 0; j < H; ++j) {
            h[j] = p.at("experts/hidden/bias")[e * H + j];
            for (std::size_t d = 0; d < D; ++d) h[j] += x[d] * p.at("experts/hidden/kernel")[(e * D + d) * H + j];
            h[j] = std::max(0.0, h[j]);
        }
        for (std::size_t d = 0; d < D; ++d) {
            y[d] = p.at("experts/output/bias")[e * D + d];
            for (std::size_t j = 0; j < H; ++j) y[d] += h[j] * p.at("experts/output/kernel")[(e * H + j) * D + d];
        }
        return y;
    }

    Row logits(std::span<const std::int32_t> ids) const {
        Row mean(D), s(V);
        double counted = 0;
        for (const std::int32_t id : ids) {
            if (mask && id == 0) continue;
            ++counted;
            const Row x = embedding(std::size_t(id)), g = gate(x);
            for (std::size_t e = 0; e < E; ++e) {
                if (g[e] == 0) continue;
                const Row y = answer(x, e);
                for (std::size_t d = 0; d < D; ++d) mean[d] += g[e] * y[d];
            }
        }
        for (double& number : mean) number = counted > 0 ? number / counted : 0;
        for (std::size_t v = 0; v < V; ++v) {
            s[v] = p.at("head/bias")[v];
            for (std::size_t d = 0; d < D; ++d) s[v] += mean[d] * p.at("head/kernel")[d * V + v];
        }
        return s;
    }
};

/// Weights large enough that every part shows.
std::vector<NamedArray> strong_parameters(const ModelSpec& spec) {
    std::vector<NamedArray> all = canonical_parameters(spec);
    Rng rng(9);
    for (NamedArray& a : all) {
        a.values.resize(a.shape[0] * a.shape[1] * a.shape[2]);
        for (float& value : a.values) value = float(2 * rng.uniform() - 1);
    }
    return all;
}

Experiment token_experiment() {
    Experiment x = tutorial_experiment();
    x.model.family = "token";
    x.model.embedding_dim = 12, x.model.hidden_dim = 20, x.model.num_experts = 6;
    x.train.batch_size = 5;
    return x;
}

}  // namespace

TEST_CASE("every token goes through gate and experts of its own, and the mean of the answers through the head") {
    const std::vector<std::int32_t> rows = {0, 0, 3, 4, 0, 5, 5, 1, 2, 9, 10, 3, 0, 0, 0, 7, 0, 0, 0, 0};
    for (const std::string router : {"soft", "top_k"})
        for (const std::size_t K : {1, 2, 6})
            for (const bool mask : {false, true}) {
                ModelSpec spec = token_experiment().model;
                spec.router = router, spec.top_k = K, spec.mask_zero = mask;
                const std::size_t E = spec.num_experts, V = spec.vocabulary, N = rows.size() / 4;
                const std::vector<NamedArray> weights = strong_parameters(spec);
                const auto backend = make_reference_backend<double>();
                Parameters<double> parameters(*backend, false);
                add_parameters(parameters, spec);
                upload_parameters(*backend, parameters, weights);
                LanguageModel<double> model(*backend, parameters, spec, N, ModelUse::predict);
                const Ids ids = backend->allocate_ids({{N, 4, 1}});
                backend->upload(ids, rows.data());
                const auto c = model.forward(ids);
                CHECK(c.mixture.routing.expert_weights.dim(0) == N * 4);
                std::vector<double> found(N * V);
                backend->download(c.head.output, found.data());

                ByHand hand{{}, V, spec.embedding_dim, spec.hidden_dim, E, router == "soft" ? E : K, mask};
                for (const NamedArray& a : weights) hand.p[a.name].assign(a.values.begin(), a.values.end());
                for (std::size_t n = 0; n < N; ++n) {
                    const Row wanted = hand.logits(std::span(rows).subspan(n * 4, 4));
                    for (std::size_t v = 0; v < V; ++v)
                        CHECK(found[n * V + v] == doctest::Approx(wanted[v]).epsilon(1e-10));
                }
            }
}

TEST_CASE("phrases of one word are the same to both families, bit for bit") {
    const auto corpus = Corpus::from_text("pairs", "a b\nb c\nc a\nd a\nb d\n");
    std::vector<NamedArray> expected;
    for (const FamilyInfo& family : families) {
        Experiment x;
        x.model.family = family.id;
        x.model.balance_loss = 0.01;
        x.train.batch_size = 3;
        const auto backend = make_backend({"cpu", 1});
        Trainer trainer(*backend, resolve(x, *corpus, std::size_t(1) << 30), corpus);
        CHECK(trainer.experiment().model.max_seq_len == 1);
        for (int i = 0; i < 20; ++i) trainer.step();
        if (expected.empty()) expected = trainer.state().parameters;
        CHECK(trainer.state().parameters == expected);
    }
}

TEST_CASE("the step's load counts tokens: padding too, but for mask_zero") {
    for (const bool mask : {false, true}) {
        Experiment x = token_experiment();
        x.model.mask_zero = mask;
        x.train.shuffle = false;
        x.train.batch_size = 2;
        const auto backend = make_backend({"cpu", 1});
        const auto corpus = tutorial_corpus();
        Trainer trainer(*backend, x, corpus);
        ByHand hand{{}, x.model.vocabulary, 12, 20, 6, 6, mask};
        for (const NamedArray& a : trainer.state().parameters) hand.p[a.name].assign(a.values.begin(), a.values.end());
        Row wanted(6);
        double tokens = 0;
        for (std::size_t n = 0; n < 2; ++n) {
            std::vector<std::int32_t> row(x.model.max_seq_len);
            pad_pre(corpus->prefix(n, row.size()), row);
            for (const std::int32_t id : row) {
                if (mask && id == 0) continue;
                const Row g = hand.gate(hand.embedding(std::size_t(id)));
                for (std::size_t e = 0; e < 6; ++e) wanted[e] += g[e];
                ++tokens;
            }
        }
        trainer.step();
        for (std::size_t e = 0; e < 6; ++e)
            CHECK(double(trainer.step_load()[e]) == doctest::Approx(wanted[e] * 2 / tokens).epsilon(1e-5));
    }
}

TEST_CASE("with a mask padding teaches nothing: its row stays as it was") {
    for (const bool mask : {false, true}) {
        Experiment x = token_experiment();
        x.model.mask_zero = mask;
        x.model.balance_loss = 0.1;
        const auto backend = make_backend({"cpu", 1});
        Trainer trainer(*backend, x, tutorial_corpus());
        const std::vector<float> before = trainer.state().parameters[0].values;
        for (int i = 0; i < 9; ++i) trainer.step();
        const std::vector<float> after = trainer.state().parameters[0].values;
        CHECK(std::equal(before.begin(), before.begin() + 12, after.begin()) == mask);
        CHECK_FALSE(before == after);
    }
}
