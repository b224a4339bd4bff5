// What the ops mean, in numbers small enough to check by hand.
#include "tests/backends/backends_under_test.h"

#include <limits>

using namespace moe::ops;
using namespace moe;

namespace {

Tensor<float> tensor(Backend<float>& b, Shape shape, const std::vector<float>& values) {
    const auto t = b.allocate(shape);
    REQUIRE(values.size() == t.count());
    b.upload(t, values.data());
    return t;
}
Ids ids(Backend<float>& b, Shape shape, const std::vector<std::int32_t>& values) {
    const auto t = b.allocate_ids(shape);
    REQUIRE(values.size() == t.count());
    b.upload(t, values.data());
    return t;
}
std::vector<float> values(Backend<float>& b, Tensor<float> t) {
    std::vector<float> v(t.count());
    b.download(t, v.data());
    return v;
}
std::vector<std::int32_t> values(Backend<float>& b, Ids t) {
    std::vector<std::int32_t> v(t.count());
    b.download(t, v.data());
    return v;
}
using Floats = std::vector<float>;
using Ints = std::vector<std::int32_t>;

}  // namespace

TEST_CASE("the mean of embeddings, with and without the mask") {
    for_each_float_backend([](Backend<float>& b) {
        const auto table = tensor(b, {{3, 2, 1}}, {100, 200, 1, 2, 3, 6});
        const auto text = ids(b, {{2, 2, 1}}, {1, 2, 0, 1});
        const auto y = b.allocate({{2, 2, 1}});
        b.embedding_mean(y, text, table, false);
        CHECK(values(b, y) == Floats{2, 4, 50.5f, 101});
        b.embedding_mean(y, text, table, true);
        CHECK(values(b, y) == Floats{2, 4, 1, 2});
        const auto padding = ids(b, {{2, 2, 1}}, {0, 0, 0, 0});
        b.embedding_mean(y, padding, table, true);
        CHECK(values(b, y) == Floats{0, 0, 0, 0});
        const auto dtable = b.allocate({{3, 2, 1}});
        const auto dy = tensor(b, {{2, 2, 1}}, {1, 2, 4, 8});
        b.embedding_mean_backward(dtable, dy, text, true);
        CHECK(values(b, dtable) == Floats{0, 0, 4.5f, 9, 0.5f, 1});
    });
}

TEST_CASE("top-k: the largest first, of equals the lower index, and never one twice") {
    for_each_float_backend([](Backend<float>& b) {
        const auto logits = tensor(b, {{3, 4, 1}}, {1, 5, 5, 2, 0, 0, 0, 0, -1e38f, 1e38f, -3, 1e38f});
        const auto two = b.allocate_ids({{3, 2, 1}});
        b.top_k(two, logits);
        CHECK(values(b, two) == Ints{1, 2, 0, 1, 1, 3});
        const auto all = b.allocate_ids({{3, 4, 1}});
        b.top_k(all, logits);
        CHECK(values(b, all) == Ints{1, 2, 3, 0, 0, 1, 2, 3, 1, 3, 2, 0});
        const float nan = std::numeric_limits<float>::quiet_NaN();
        for (const Floats& row : {Floats{nan, nan, nan}, Floats{nan, 1, 2}, Floats{1, nan, 2}, Floats{2, 1, nan}})
            for (std::size_t k = 1; k <= 3; ++k) {
                const auto chosen = b.allocate_ids({{1, k, 1}});
                b.top_k(chosen, tensor(b, {{1, 3, 1}}, row));
                Ints found = values(b, chosen);
                std::sort(found.begin(), found.end());
                CHECK(std::adjacent_find(found.begin(), found.end()) == found.end());
                CHECK(found.front() >= 0);
                CHECK(found.back() < 3);
            }
    });
}

TEST_CASE("dispatch sorts visits by expert and keeps their order") {
    for_each_float_backend([](Backend<float>& b) {
        const auto indices = ids(b, {{3, 2, 1}}, {2, 0, 0, 2, 2, 3});
        const auto offsets = b.allocate_ids({{5, 1, 1}}), tokens = b.allocate_ids({{6, 1, 1}}),
                   positions = b.allocate_ids({{3, 2, 1}});
        for (int again = 0; again < 2; ++again) {
            b.dispatch(offsets, tokens, positions, indices);
            CHECK(values(b, offsets) == Ints{0, 2, 2, 5, 6});
            CHECK(values(b, tokens) == Ints{0, 1, 0, 1, 2, 2});
            CHECK(values(b, positions) == Ints{2, 0, 1, 3, 4, 5});
        }
    });
}

TEST_CASE("an even load has a balance loss of the weight, one expert's monopoly E times it") {
    for_each_float_backend([](Backend<float>& b) {
        const auto loss = b.allocate({{1, 1, 1}}), dprobs = b.allocate({{4, 4, 1}});
        const auto even = tensor(b, {{4, 4, 1}}, Floats(16, 0.25f));
        b.balance_loss(loss, dprobs, even, ids(b, {{4, 1, 1}}, {0, 1, 2, 3}), 0.5f);
        CHECK(values(b, loss)[0] == doctest::Approx(0.5));
        CHECK(values(b, dprobs)[5] == doctest::Approx(0.5 * 4 * 0.25 / 4));
        Floats monopoly(16, 0);
        for (std::size_t n = 0; n < 4; ++n) monopoly[4 * n + 2] = 1;
        b.balance_loss(loss, dprobs, tensor(b, {{4, 4, 1}}, monopoly), ids(b, {{4, 1, 1}}, {2, 2, 2, 2}), 0.5f);
        CHECK(values(b, loss)[0] == doctest::Approx(2));
    });
}

TEST_CASE("cross-entropy counts the first of equal largest logits") {
    for_each_float_backend([](Backend<float>& b) {
        const auto loss = b.allocate({{1, 1, 1}}), correct = b.allocate({{1, 1, 1}});
        const Floats flat(20, 1);
        b.softmax_cross_entropy(loss, correct, tensor(b, {{2, 10, 1}}, flat), ids(b, {{2, 1, 1}}, {0, 9}));
        CHECK(values(b, correct)[0] == 1);
        CHECK(values(b, loss)[0] == doctest::Approx(std::log(10.0)));
        // The largest late in the row, where vector lanes and the tail meet.
        for (const std::size_t V : {1u, 2u, 7u, 8u, 9u, 31u, 33u, 100u})
            for (std::size_t at = 0; at < V; ++at) {
                Floats row(V, -2);
                row[at] = 3;
                if (at + 1 < V) row[V - 1] = 3;
                const auto logits = tensor(b, {{1, V, 1}}, row);
                b.softmax_cross_entropy(loss, correct, logits, ids(b, {{1, 1, 1}}, {std::int32_t(at)}));
                CHECK(values(b, correct)[0] == 1);
                b.upload(logits, row.data());
                b.softmax_cross_entropy(loss, correct, logits, ids(b, {{1, 1, 1}}, {std::int32_t(V - 1)}));
                CHECK(values(b, correct)[0] == float(at == V - 1));
            }
    });
}

TEST_CASE("logits of +-1e38 stay finite where mathematics does, and NaN is never hidden") {
    for_each_float_backend([](Backend<float>& b) {
        const std::size_t V = 37;
        const float nan = std::numeric_limits<float>::quiet_NaN();
        Floats row(V, -1e38f);
        row[20] = 1e38f;
        const auto loss = b.allocate({{1, 1, 1}}), correct = b.allocate({{1, 1, 1}});
        auto logits = tensor(b, {{1, V, 1}}, row);
        b.softmax_cross_entropy(loss, correct, logits, ids(b, {{1, 1, 1}}, {3}));
        CHECK(values(b, loss)[0] == doctest::Approx(2e38));
        CHECK(values(b, logits)[3] == -1);
        CHECK(values(b, logits)[20] == 1);
        CHECK(values(b, logits)[36] == 0);
        const auto probs = b.allocate({{1, V, 1}});
        b.softmax(probs, tensor(b, {{1, V, 1}}, row));
        CHECK(values(b, probs)[20] == 1);
        CHECK(values(b, probs)[0] == 0);
        for (const std::size_t at : {0u, 5u, 36u}) {
            Floats broken(V, 1);
            broken[at] = nan;
            logits = tensor(b, {{1, V, 1}}, broken);
            b.softmax(probs, logits);
            CHECK(std::isnan(values(b, probs)[1]));
            b.softmax_cross_entropy(loss, correct, logits, ids(b, {{1, 1, 1}}, {3}));
            CHECK(std::isnan(values(b, loss)[0]));
            const auto x = tensor(b, {{1, V, 1}}, broken);
            b.relu(x);
            CHECK(std::isnan(values(b, x)[at]));
        }
    });
}

TEST_CASE("Adam's first step moves every weight by the rate, against the gradient's sign") {
    for_each_float_backend([](Backend<float>& b) {
        const std::size_t n = 21;
        Floats gradient(n);
        for (std::size_t i = 0; i < n; ++i) gradient[i] = (i % 2 ? 1.0f : -1.0f) * float(i);
        const auto w = tensor(b, {{n, 1, 1}}, Floats(n, 1)), g = tensor(b, {{n, 1, 1}}, gradient),
                   m = b.allocate({{n, 1, 1}}), v = b.allocate({{n, 1, 1}});
        const double rate = 0.01 * std::sqrt(1 - adam_beta2) / (1 - adam_beta1);
        b.adam(w, g, m, v, tensor(b, {{1, 1, 1}}, {float(rate)}));
        CHECK(values(b, w)[0] == 1);
        for (std::size_t i = 1; i < n; ++i)
            CHECK(values(b, w)[i] == doctest::Approx(i % 2 ? 0.99 : 1.01).epsilon(1e-5));
        CHECK(values(b, g) == Floats(n, 0));
        CHECK(values(b, v)[2] == doctest::Approx(4 * (1 - adam_beta2)));
    });
}
