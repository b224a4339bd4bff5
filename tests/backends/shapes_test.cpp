#include "engine/core/error.h"
#include "engine/verify/op_table.h"

#include <doctest/doctest.h>

using namespace moe::ops;
using namespace moe;

namespace {

template <class T>
void refuses_every_wrong_size(Backend<T>& backend) {
    const Sizes sizes{"odd", {{'N', 7}, {'T', 5}, {'V', 13}, {'D', 19}, {'I', 17}, {'O', 23}, {'E', 5}, {'K', 2}}};
    std::size_t refused = 0;
    for (const Row& row : table())
        for (const Call& call : {row.forward, row.backward}) {
            if (!call) continue;
            Io<T> probe(backend, row.args, sizes, 1);
            call(probe);
            const std::string op = row.name.substr(0, row.name.find(' '));
            for (const Arg& a : row.args)
                for (std::size_t d = 0; probe.touched.count(a.name) && d < a.letters.size(); ++d) {
                    // A letter that no other tensor has is free.
                    const char letter = a.letters[d];
                    std::size_t uses = 0;
                    for (const Arg& other : row.args)
                        if (probe.touched.count(other.name))
                            for (const char l : other.letters) uses += l == letter || (l == '+' && letter == 'E');
                    if (letter == '+' || (uses < 2 && letter != '1')) continue;
                    Io<T> io(backend, row.args, sizes, 1);
                    Shape wrong = io.shape(a.name);
                    --wrong.size[d];
                    io.reshape(a.name, wrong);
                    CAPTURE(row.name);
                    CAPTURE(a.name);
                    std::string message;
                    try {
                        call(io);
                    } catch (const Error& e) {
                        message = e.what();
                    }
                    CHECK(message.find("[" + op) == 0);
                    CHECK(message.find("(") != std::string::npos);
                    ++refused;
                }
        }
    CHECK(refused > 100);
}

template <class F>
std::string refusal(F call) {
    try {
        call();
    } catch (const Error& e) {
        return e.what();
    }
    return "nothing was thrown";
}

}  // namespace

TEST_CASE("a wrong size is an error that names the op") {
    refuses_every_wrong_size(*make_reference_backend<double>());
    refuses_every_wrong_size(*make_backend());
}

TEST_CASE("the sentences say op and sizes") {
    for (const bool fast : {false, true}) {
        const auto b = fast ? make_backend() : make_reference_backend<float>();
        const auto f = [&](std::size_t i, std::size_t j = 1, std::size_t k = 1) { return b->allocate({{i, j, k}}); };
        const auto ids = [&](std::size_t i, std::size_t j = 1) { return b->allocate_ids({{i, j, 1}}); };
        CHECK(refusal([&] { b->dense(f(8, 11), f(8, 32), f(64, 11), f(11)); }) ==
              "[dense] x is (8,32) but w is (64,11): the I of both must be equal.");
        CHECK(refusal([&] { b->dense(f(8, 11), f(8, 32), f(32, 11), {}); }) ==
              "[dense] w is (32,11) but b is (1): the O of both must be equal.");
        CHECK(refusal([&] {
                  b->dense({nullptr, Shape{{8, 11, 1}}}, f(8, 32), f(32, 11), f(11));
              }) == "[dense] y is (8,11) but has no memory: allocate it first.");
        CHECK(refusal([&] { b->top_k(ids(3, 5), f(3, 4)); }) ==
              "[top_k] indices is (3,5) but logits is (3,4): K must not be above E.");
        CHECK(refusal([&] { b->dispatch(ids(5), ids(7), ids(3, 2), ids(3, 2)); }) ==
              "[dispatch] row_tokens is (7) but indices is (3,2): R must be N times K.");
        CHECK(refusal([&] { b->grouped_dense(f(2, 2), f(2, 2), f(3, 2, 2), f(3, 2), ids(3)); }) ==
              "[grouped_dense] offsets is (3), where it must be (4).");
        CHECK(refusal([&] { b->softmax(f(2, 3), f(2, 3, 2)); }) ==
              "[softmax] logits is (2,3,2), which has more than its 2 dimensions.");
    }
}

TEST_CASE("ids outside the vocabulary are refused, not read") {
    for (const bool fast : {false, true}) {
        const auto b = fast ? make_backend() : make_reference_backend<float>();
        const auto f = [&](std::size_t i, std::size_t j = 1) { return b->allocate({{i, j, 1}}); };
        for (const std::int32_t bad : {11, -1, 1 << 30}) {
            const Ids ids = b->allocate_ids({{2, 3, 1}}), targets = b->allocate_ids({{2, 1, 1}});
            const std::int32_t six[6] = {0, 1, 2, 3, bad, 5}, two[2] = {0, bad};
            b->upload(ids, six);
            b->upload(targets, two);
            const std::string value = std::to_string(bad);
            CHECK(refusal([&] { b->embedding_mean(f(2, 4), ids, f(11, 4), false); }) ==
                  "[embedding_mean] ids holds " + value +
                      " at row 1, but the table has 11 rows: the text and the model must share one vocabulary.");
            CHECK(refusal([&] {
                      b->softmax_cross_entropy(f(1), f(1), f(2, 11), targets);
                  }).find("targets holds " + value) != std::string::npos);
            CHECK(refusal([&] {
                      b->dispatch(b->allocate_ids({{12, 1, 1}}), b->allocate_ids({{6, 1, 1}}),
                                  b->allocate_ids({{2, 3, 1}}), ids);
                  }).find("[dispatch] indices holds " + value) == 0);
        }
    }
}

TEST_CASE("devices") {
    const std::vector<DeviceInfo> devices = list_devices();
    REQUIRE(devices.size() == 2);
    CHECK(devices[0].why_off.empty());
    if (devices[1].why_off.empty()) {
        CHECK(make_backend({"cuda", 0})->name().find("CUDA") == 0);
        CHECK(make_backend({"auto", 1})->name().find("CUDA") == 0);
    } else {
        CHECK(refusal([] {
                  make_backend({"cuda", 0});
              }) == "CUDA is off. " + devices[1].why_off + " The device cpu computes as well.");
        CHECK(devices[1].why_off.ends_with('.'));
        CHECK(make_backend({"auto", 1})->name().find("CPU") == 0);
    }
    CHECK(make_backend({"cpu", 1})->name().find("CPU") == 0);
    CHECK(refusal([] { make_backend({"gpu", 0}); }) == "--device is \"gpu\", but it takes auto, cpu or cuda.");
    CHECK_THROWS_AS(make_backend({"cpu", -1}), UsageError);
    CHECK(describe_devices().find("\ncuda: " + (devices[1].why_off.empty() ? "on" : "off. " + devices[1].why_off)) !=
          std::string::npos);
}

TEST_CASE("sizes that no machine has are refused before anything is allocated") {
    const auto b = make_reference_backend<float>();
    CHECK_THROWS_AS(b->allocate({{std::size_t(1) << 40, std::size_t(1) << 40, 1}}), Error);
    CHECK_THROWS_AS(b->allocate({{std::size_t(1) << 62, 1, 1}}), Error);
}
