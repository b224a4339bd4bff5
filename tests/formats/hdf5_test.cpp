#include "engine/formats/hdf5_weights.h"

#include "engine/core/atomic_file.h"
#include "engine/core/error.h"
#include "engine/core/rng.h"
#include "engine/formats/hdf5_texts.h"

#include <doctest/doctest.h>

#include <chrono>
#include <thread>

using namespace moe;

namespace {

const std::vector<float> values = {0, 0.25f, 0.5f, 0.75f, 1, 1.25f};

std::string image(const std::string& name) {
    return read_file(MOE_TEST_DATA "/data/weights/" + name + ".h5");
}

std::string refusal(const std::string& name) {
    try {
        const std::string bytes = image(name);
        const Hdf5Reader reader(bytes, name);
        reader.floats("a/w", {2, 3}, "the layer 'w'");
    } catch (const Error& error) {
        return error.what();
    }
    return "read";
}

}  // namespace

TEST_CASE("weights that h5py wrote: float32, float64, gzip with shuffle") {
    for (const char* name : {"plain", "double", "gzip"}) {
        CAPTURE(name);
        const std::string bytes = image(name);
        const Hdf5Reader reader(bytes, name);
        CHECK(reader.exists("a/w"));
        CHECK_FALSE(reader.exists("a/v"));
        CHECK_FALSE(reader.exists("b/w"));
        CHECK_FALSE(reader.exists("a/w/x"));
        CHECK(reader.floats("a/w", {2, 3}, "the layer 'w'") == values);
    }
}

TEST_CASE("weights that reach outside of the file, or say more than it holds, are refused before they are read") {
    const struct {
        const char *name, *rule;
    } cases[] = {
        {"soft_link", "has a link in place of weights"},
        {"soft_group", "has a link in place of weights"},
        {"external_link", "has a link in place of weights"},
        {"external_storage", "lie in another file"},
        {"virtual", "lie in another place than the file"},
        {"lzf", "packed in a way that is not read here"},
        {"fletcher", "packed in a way that is not read here"},
        {"half", "are not float32 or float64 numbers"},
        {"big_endian", "are not float32 or float64 numbers"},
        {"integers", "are not float32 or float64 numbers"},
        {"strings", "are not float32 or float64 numbers"},
        {"other_shape", "are of the shape (3, 2), but the model needs (2, 3)"},
        {"huge_unwritten", "are of the shape (16777216, 65536), but the model needs (2, 3)"},
        {"huge_chunk", "which the file cannot hold"},
        {"rank_four", "of a rank that no layer here has"},
        {"empty", "are of the shape (), but the model needs (2, 3)"},
        {"group", "are damaged"},
    };
    for (const auto& [name, rule] : cases) {
        CAPTURE(name);
        const std::string said = refusal(name);
        CAPTURE(said);
        CHECK(said.find(rule) != std::string::npos);
        CHECK(said.find('\n') == std::string::npos);
    }
    for (const char* name : {"huge_unwritten", "huge_chunked"}) {
        const std::string bytes = image(name);
        const Hdf5Reader reader(bytes, name);
        CHECK_THROWS_WITH_AS(reader.floats("a/w", {1 << 24, 1 << 16}, "it"),
                             doctest::Contains("4.0 TiB, which the file cannot hold"), Error);
    }
    CHECK_THROWS_AS(Hdf5Reader(std::string_view(), "x"), Error);
    CHECK_THROWS_AS(Hdf5Reader(std::string_view("no file at all"), "x"), Error);
    const std::string whole = image("plain");
    for (const std::size_t size : {8u, 9u, 100u, 512u, 1000u, 2000u, unsigned(whole.size() - 1)})
        CHECK_THROWS_AS(Hdf5Reader(std::string_view(whole).substr(0, size), "x"), Error);
}

TEST_CASE("what is written is read, and equal weights are equal bytes") {
    const std::vector<float> one = {42};
    const std::vector<Hdf5Item> items = {{"layers/dense/vars/0", {2, 3}, values, {}},
                                         {"layers/dense/vars/1", {6}, values, {}},
                                         {"optimizer/vars/0", {}, {}, 7},
                                         {"optimizer/vars/1", {}, one, {}},
                                         {"optimizer/vars/2", {}, {}, std::int64_t(1) << 40},
                                         {"scalar/one", {1, 1, 1}, one, {}}};
    const std::string bytes = write_hdf5({"vars", "layers/flatten/vars"}, items);
    std::this_thread::sleep_for(std::chrono::milliseconds(1100));  // a time in the file would show
    CHECK(write_hdf5({"vars", "layers/flatten/vars"}, items) == bytes);
    CHECK(static_cast<unsigned char>(bytes[8]) == 0);  // superblock 0
    const Hdf5Reader reader(bytes, "ours");
    CHECK(reader.exists("vars"));
    CHECK(reader.exists("layers/flatten/vars"));
    CHECK(reader.floats("layers/dense/vars/0", {2, 3}, "it") == values);
    CHECK(reader.floats("layers/dense/vars/1", {6}, "it") == values);
    CHECK(reader.floats("optimizer/vars/1", {}, "it") == one);
    CHECK(reader.floats("scalar/one", {1, 1, 1}, "it") == one);
    CHECK(reader.integer("optimizer/vars/0", "it") == 7);
    CHECK(reader.integer("optimizer/vars/2", "it") == std::int64_t(1) << 40);
    CHECK_THROWS_AS(reader.integer("layers/dense/vars/0", "it"), Error);
    CHECK_THROWS_AS(reader.floats("optimizer/vars/0", {}, "it"), Error);
    CHECK_THROWS_AS(reader.floats("vars", {}, "it"), Error);
    CHECK_THROWS_AS(write_hdf5({}, {{"a", {7}, values, {}}}), Error);
}

TEST_CASE("texts that h5py wrote as attributes") {
    const std::string bytes = image("texts");
    const Hdf5Reader reader(bytes, "texts");
    CHECK(reader.text("", "one") == "größer 🙂");
    CHECK(reader.text("", "empty") == "");
    CHECK(reader.text("", "bytes") == "fixed");
    CHECK(reader.text("", "long") == std::string(5000, 'x'));
    CHECK_FALSE(reader.text("", "missing"));
    CHECK_FALSE(reader.text("", "list"));
    CHECK_FALSE(reader.text("nowhere", "one"));
    CHECK(reader.texts("", "list") == std::vector<std::string>{"a/kernel", "a/bias", ""});
    CHECK(reader.texts("", "fixed") == std::vector<std::string>{"a/kernel", "a/bias"});
    CHECK(reader.texts("", "pieces") == std::vector<std::string>{"p0", "p1", "p2", "p3", "p4", "p5"});
    for (const char* empty : {"none", "null", "missing"}) CHECK(reader.texts("", empty).empty());
    for (int i = 0; i < 40; ++i)
        CHECK(reader.text("group/inner", "attribute" + std::to_string(i)) == "value " + std::to_string(i));
    for (const char* other : {"number", "numbers"})
        CHECK_THROWS_WITH_AS(reader.text("", other), doctest::Contains("is no text"), Error);
    CHECK_THROWS_WITH_AS(reader.text("", "square"), doctest::Contains("is damaged"), Error);
    CHECK_THROWS_WITH_AS(reader.text("soft/inner", "attribute1"), doctest::Contains("not safe to open"), Error);
    CHECK(reader.links("group") == 1);
    CHECK_THROWS_AS(reader.links("nowhere"), Error);
    const std::string latest = image("texts_latest");
    CHECK_THROWS_WITH_AS(Hdf5Reader(latest, "l").text("", "one"), doctest::Contains("a newer layout"), Error);
}

TEST_CASE("damaged attributes are one sentence or texts, whatever byte is changed and wherever they are said to lie") {
    const std::string whole = image("texts");
    const std::uint64_t root = 96;  // where a file of superblock 0 has its first object
    const auto read = [](const std::string& bytes, std::uint64_t address, const std::string& attribute) {
        try {
            read_hdf5_texts(bytes, address, attribute, "'m': its attribute");
            return true;
        } catch (const Error& error) {
            const std::string said = error.what();
            CHECK(said.starts_with("'m': its attribute "));
            CHECK(said.back() == '.');
            return false;
        }
    };
    REQUIRE(read_hdf5_texts(whole, root, "one", "x") == std::vector<std::string>{"größer 🙂"});
    for (std::size_t end = 0; end < whole.size(); ++end) read(whole.substr(0, end), root, "list");
    for (std::uint64_t address = 0; address < whole.size() + 9; ++address) read(whole, address, "list");
    for (const std::uint64_t address : {~std::uint64_t(0), ~std::uint64_t(7), std::uint64_t(1) << 63})
        CHECK_FALSE(read(whole, address, "list"));
    Rng rng(4);
    std::size_t good = 0;
    for (int i = 0; i < 40000; ++i) {
        std::string damaged = whole;
        for (std::uint64_t k = rng.below(3) + 1; k > 0; --k)
            damaged[rng.below(whole.size())] = static_cast<char>(rng.below(3) ? rng.below(256) : 255 * rng.below(2));
        good += read(damaged, root, i % 2 ? "list" : "long");
    }
    CHECK(good > 1000);
    CHECK(good < 40000);
}
