// What updates parameters on the way back leaves the same bits as the way back and the update apart: so a traced step,
// which looks at every gradient, is the step that training makes.
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
