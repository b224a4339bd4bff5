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

TEST_CASE("the mean over tokens, with and without the mask, and its way back") {
    for_each_float_backend([](Backend<float>& b) {
        const auto text = ids(b, {{3, 2, 1}}, {7, 9, 0, 4, 0, 0});
        const auto x = tensor(b, {{6, 2, 1}}, {1, 2, 3, 6, 100, 200, 5, 7, 8, 8, 2, 4});
        const auto y = tensor(b, {{3, 2, 1}}, {9, 9, 9, 9, 9, 9});
        b.mean_tokens(y, x, text, false);
        CHECK(values(b, y) == Floats{2, 4, 52.5f, 103.5f, 5, 6});
        b.mean_tokens(y, x, text, true);
        CHECK(values(b, y) == Floats{2, 4, 5, 7, 0, 0});
        const auto dx = tensor(b, {{6, 2, 1}}, Floats(12, 9)), dy = tensor(b, {{3, 2, 1}}, {1, 2, 4, 8, 6, 10});
        b.mean_tokens_backward(dx, dy, text, false);
        CHECK(values(b, dx) == Floats{0.5f, 1, 0.5f, 1, 2, 4, 2, 4, 3, 5, 3, 5});
        b.mean_tokens_backward(dx, dy, text, true);
        CHECK(values(b, dx) == Floats{0.5f, 1, 0.5f, 1, 0, 0, 4, 8, 0, 0, 0, 0});
    });
}

TEST_CASE("rows that a mask leaves out count neither as load nor in the balance loss") {
    for_each_float_backend([](Backend<float>& b) {
        const auto words = ids(b, {{3, 1, 1}}, {0, 5, 2}), indices = ids(b, {{3, 1, 1}}, {0, 1, 1});
        const auto probs = tensor(b, {{3, 2, 1}}, {1, 0, 0.25f, 0.75f, 0.25f, 0.75f});
        const auto loss = b.allocate({}), dprobs = b.allocate({{3, 2, 1}}), load = b.allocate({{2, 1, 1}});
        b.balance_loss(loss, dprobs, probs, indices, 0.5f, words);
        CHECK(values(b, loss)[0] == doctest::Approx(0.5 * 2 * 0.75));
        CHECK(values(b, dprobs) == Floats{0, 0, 0, 0.5f, 0, 0.5f});
        b.expert_load(load, tensor(b, {{3, 1, 1}}, {1, 1, 1}), indices, words);
        CHECK(values(b, load) == Floats{0, 2});
        const auto nothing = ids(b, {{3, 1, 1}}, {0, 0, 0});
        b.balance_loss(loss, dprobs, probs, indices, 0.5f, nothing);
        CHECK(values(b, loss)[0] == 0);
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
            const auto x = tensor(b, {{1, V, 1}}, broken), y = b.allocate({{1, V, 1}});
            for (const ActivationInfo& f : activations) {
                CAPTURE(f.name);
                b.activate(y, x, f.id);
                for (std::size_t i = 0; i < V; ++i) CHECK(std::isnan(values(b, y)[i]) == (i == at));
                if (!f.needs_sums) b.activate(x, x, f.id);
                CHECK(std::isnan(values(b, x)[at]));
                const auto dy = tensor(b, {{1, V, 1}}, Floats(V, 1));
                b.activate_backward(dy, f.needs_sums ? x : y, y, f.id);
                if (f.id != Activation::relu && f.id != Activation::linear) CHECK(std::isnan(values(b, dy)[at]));
                b.upload(x, broken.data());
            }
        }
    });
}

TEST_CASE("activations have the values and slopes that Keras gives, and stay in bounds far out") {
    // x; keras.activations.gelu(x), the same with approximate=True, tanh(x); the three slopes: by mpmath, 30 digits.
    struct Known {
        double x, gelu, gelu_tanh, tanh, gelu_slope, gelu_tanh_slope, tanh_slope;
    };
    const Known known[] = {
        {-9.0, -1.01572956536e-18, -1.33564012015e-28, -0.99999996954, -9.13893737391e-18, -2.51573528507e-27,
         6.09199171232e-8},
        {-3.5, -0.000814201776624, -0.000616197655374, -0.998177897611, -0.00282176035362, -0.00242264376012,
         0.00364088472049},
        {-2.0, -0.0455002638964, -0.0454023059122, -0.964027580076, -0.0852318010782, -0.0860992566236,
         0.0706508248532},
        {-1.0, -0.158655253931, -0.158808009392, -0.761594155956, -0.0833154705877, -0.0829640838458, 0.419974341614},
        {-0.625, -0.166240955655, -0.166278850042, -0.554599722349, 0.0608849237047, 0.0610919626133, 0.69241914797},
        {-0.25, -0.100323418579, -0.100324649298, -0.244918662404, 0.304626645116, 0.304645904849, 0.940014848806},
        {-0.001953125, -0.000975040656941, -0.000975040656946, -0.00195312251648, 0.498441633699, 0.498441633709,
         0.999996185312},
        {0.001953125, 0.000978084343059, 0.000978084343054, 0.00195312251648, 0.501558366301, 0.501558366291,
         0.999996185312},
        {0.375, 0.242313662502, 0.242307766892, 0.358357398351, 0.785615426874, 0.785555692048, 0.871579975047},
        {0.75, 0.580029485717, 0.579960555166, 0.635148952387, 0.999225721739, 0.998938256137, 0.596585808281},
        {1.0, 0.841344746069, 0.841191990608, 0.761594155956, 1.08331547059, 1.08296408385, 0.419974341614},
        {2.25, 2.22249493653, 2.2227986701, 0.978026114739, 1.05918974398, 1.05991453452, 0.0434649188889},
        {4.0, 3.99987331503, 3.99992975405, 0.999329299739, 1.00050364966, 1.0003351232, 0.00134095068303},
        {6.5, 6.49999999974, 6.5, 0.999995479351, 1.0000000017, 1.00000000001, 9.04127675535e-6},
        {0, 0, 0, 0, 0.5, 0.5, 1.0},
    };
    for_each_float_backend([&](Backend<float>& b) {
        const std::size_t n = std::size(known);
        Floats at;
        for (const Known& k : known) at.push_back(float(k.x));
        const auto x = tensor(b, {{n, 1, 1}}, at), y = b.allocate({{n, 1, 1}});
        const auto check = [&](Activation f, double Known::*value, double Known::*slope) {
            const auto dy = tensor(b, {{n, 1, 1}}, Floats(n, 1));
            b.activate(y, x, f);
            b.activate_backward(dy, x, y, f);
            for (std::size_t i = 0; i < n; ++i) {
                CAPTURE(known[i].x);
                CHECK(double(values(b, y)[i]) == doctest::Approx(known[i].*value).epsilon(1e-6));
                CHECK(std::abs(double(values(b, dy)[i]) - known[i].*slope) < 4e-7);
            }
        };
        check(Activation::gelu, &Known::gelu, &Known::gelu_slope);
        check(Activation::gelu_tanh, &Known::gelu_tanh, &Known::gelu_tanh_slope);
        check(Activation::tanh, &Known::tanh, &Known::tanh_slope);

        const auto far = tensor(b, {{4, 1, 1}}, {-1e38f, -40, 40, 1e38f}), out = b.allocate({{4, 1, 1}});
        for (const Activation f : {Activation::gelu, Activation::gelu_tanh, Activation::relu}) {
            b.activate(out, far, f);
            CHECK(values(b, out) == Floats{0, 0, 40, 1e38f});
            const auto dy = tensor(b, {{4, 1, 1}}, {2, 2, 2, 2});
            b.activate_backward(dy, far, out, f);
            CHECK(values(b, dy) == Floats{0, 0, 2, 2});
        }
        b.activate(out, far, Activation::tanh);
        CHECK(values(b, out) == Floats{-1, -1, 1, 1});
        b.activate(out, far, Activation::linear);
        CHECK(values(b, out) == values(b, far));
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
