// What updates parameters on the way back leaves the same bits as the way back and the update apart: so a traced step,
// which looks at every gradient, is the step that training makes.
#include "engine/core/rng.h"
#include "tests/backends/backends_under_test.h"

#include <algorithm>
#include <cstring>

using namespace moe;
using namespace moe::ops;

namespace {

void apart(Io<float>& io, const std::string& op) {
    const auto adam = [&](const std::string& p) {
        io.backend.adam(io(p), io("d" + p), io("m " + p), io("v " + p), io("rate"));
    };
    if (op.starts_with("embedding")) {
        io.backend.embedding_mean_backward(io("dtable"), io("dy"), io.ids("ids"), op.ends_with("masked"));
        return adam("table");
    }
    if (op.starts_with("experts")) {
        const bool in_place = op.find("in one") != std::string::npos;
        const char* const sums = in_place ? "hidden" : "sums";
        const Activation f = in_place ? Activation::relu : Activation::gelu;
        io.backend.experts_backward(io("dx"), io("dhidden"), io("dw1"), io("db1"), io("dw2"), io("db2"), io("dy"),
                                    io("x"), io(sums), io("hidden"), io("w1"), io("w2"), io.ids("offsets"), f);
        for (const char* p : {"w1", "b1", "w2", "b2"}) adam(p);
        return;
    }
    if (op == "dense_update")
        io.backend.dense_backward(io("dx"), io("dw"), io("db"), io("dy"), io("x"), io("w"));
    else if (op == "dense_update without dx")
        io.backend.dense_backward({}, io("dw"), io("db"), io("dy"), io("x"), io("w"));
    else
        io.backend.grouped_dense_backward(io("dx"), io("dw"), io("db"), io("dy"), io("x"), io("w"), io.ids("offsets"));
    adam("w"), adam("b");
}

}  // namespace

TEST_CASE("an update on the way back has the bits of way back and update apart") {
    std::vector<Sizes> sizes = all_sizes();
    // More rows than a tile of Adam's takes, and a sum over more columns than its parts have room for.
    sizes.push_back({"long", {{'N', 300}, {'T', 3}, {'V', 50}, {'D', 20}, {'I', 40}, {'O', 33}, {'E', 2}, {'K', 1}}});
    sizes.push_back({"deep", {{'N', 33}, {'T', 3}, {'V', 50}, {'D', 20}, {'I', 64}, {'O', 5001}, {'E', 2}, {'K', 1}}});
    sizes.push_back({"both", {{'N', 250}, {'T', 3}, {'V', 50}, {'D', 20}, {'I', 99}, {'O', 4100}, {'E', 2}, {'K', 2}}});
    std::size_t compared = 0;
    for (const UnderTest& under_test : float_backends())
        for (const Sizes& s : sizes)
            for (const Row& row : table()) {
                if (row.name.find("_update") == std::string::npos) continue;
                const auto backend = under_test.make();
                Io<float> together(*backend, row.args, s, 3), one_by_one(*backend, row.args, s, 3);
                row.forward(together);
                apart(one_by_one, row.name);
                for (const Arg& arg : row.args) {
                    if (is_ids(arg.content)) continue;
                    CAPTURE(under_test.name);
                    CAPTURE(s.name);
                    CAPTURE(row.name);
                    CAPTURE(arg.name);
                    const std::vector<float> a = together.get(arg.name), b = one_by_one.get(arg.name);
                    if (!a.empty()) CHECK(std::memcmp(a.data(), b.data(), 4 * a.size()) == 0);
                    if (arg.content == Content::zero) CHECK(std::ranges::all_of(a, [](float x) { return x == 0; }));
                    ++compared;
                }
            }
    CHECK(compared > 1000);
}

TEST_CASE("experts one after the other give the bits of op after op, with every activation") {
    // Experts with many rows, one and none.
    constexpr std::size_t R = 150, D = 70, H = 130, E = 4;
    const std::vector<std::int32_t> offsets = {0, 129, 129, 130, R};
    for (const UnderTest& under_test : float_backends())
        for (const ActivationInfo& info : activations)
            for (const bool in_place : {false, true}) {
                if (in_place && info.needs_sums) continue;
                CAPTURE(under_test.name);
                CAPTURE(std::string(info.name));
                const auto b = under_test.make();
                Rng rng(5);
                const auto drawn = [&](std::size_t i, std::size_t j, std::size_t k = 1) {
                    const Tensor<float> t = b->allocate({{i, j, k}});
                    std::vector<float> numbers(t.count());
                    for (float& x : numbers) x = float(rng.uniform() - 0.5);
                    b->upload(t, numbers.data());
                    return t;
                };
                const Ids o = b->allocate_ids({{E + 1, 1, 1}});
                b->upload(o, offsets.data());
                const auto x = drawn(R, D), w1 = drawn(E, D, H), b1 = drawn(E, H), w2 = drawn(E, H, D),
                           b2 = drawn(E, D), dy = drawn(R, D);
                struct Results {
                    Tensor<float> sums, hidden, y, dx, dhidden, dw1, db1, dw2, db2;
                };
                const auto room = [&] {
                    const Tensor<float> hidden = drawn(R, H);
                    return Results{in_place ? hidden : drawn(R, H),
                                   hidden,
                                   drawn(R, D),
                                   drawn(R, D),
                                   drawn(R, H),
                                   drawn(E, D, H),
                                   drawn(E, H),
                                   drawn(E, H, D),
                                   drawn(E, D)};
                };
                const Results a = room(), c = room();
                b->experts(a.sums, a.hidden, a.y, x, w1, b1, w2, b2, o, info.id);
                b->experts_backward(a.dx, a.dhidden, a.dw1, a.db1, a.dw2, a.db2, dy, x, a.sums, a.hidden, w1, w2, o,
                                    info.id);
                b->grouped_dense(c.sums, x, w1, b1, o);
                b->activate(c.hidden, c.sums, info.id);
                b->grouped_dense(c.y, c.hidden, w2, b2, o);
                b->grouped_dense_backward(c.dhidden, c.dw2, c.db2, dy, c.hidden, w2, o);
                b->activate_backward(c.dhidden, c.sums, c.hidden, info.id);
                b->grouped_dense_backward(c.dx, c.dw1, c.db1, c.dhidden, x, w1, o);
                for (const auto member :
                     {&Results::sums, &Results::hidden, &Results::y, &Results::dx, &Results::dhidden, &Results::dw1,
                      &Results::db1, &Results::dw2, &Results::db2}) {
                    std::vector<float> together((a.*member).count()), apart(together.size());
                    b->download(a.*member, together.data());
                    b->download(c.*member, apart.data());
                    CHECK(std::memcmp(together.data(), apart.data(), 4 * apart.size()) == 0);
                }
            }
}

TEST_CASE("an update knows nothing of the one before") {
    // More words than its parts of whole slices need, and a shorter batch after a longer one, as at an epoch's end.
    const Sizes longer{"longer", {{'N', 60}, {'I', 64}, {'O', 5001}}},
        shorter{"shorter", {{'N', 33}, {'I', 64}, {'O', 5001}}};
    const auto row = std::ranges::find(table(), std::string("dense_update"), &Row::name);
    REQUIRE(row != table().end());
    for (const UnderTest& under_test : float_backends()) {
        CAPTURE(under_test.name);
        const auto used = under_test.make(), fresh = under_test.make();
        Io<float> before(*used, row->args, longer, 4), after(*used, row->args, shorter, 5),
            alone(*fresh, row->args, shorter, 5);
        row->forward(before);
        row->forward(after);
        row->forward(alone);
        CHECK(after.get("dx") == alone.get("dx"));
    }
}
