#include "engine/formats/hdf5_weights.h"

#include "engine/core/atomic_file.h"
#include "engine/core/error.h"
#include "engine/core/rng.h"
#include "engine/formats/hdf5_texts.h"
#include "tests/support/read_models.h"
#include "tests/support/refusal.h"

#include <doctest/doctest.h>

#include <chrono>
#include <thread>

using namespace moe;

namespace {

const std::vector<float> values = {0, 0.25f, 0.5f, 0.75f, 1, 1.25f};

std::string image(const std::string& name) {
    return read_file(MOE_TEST_DATA "/data/weights/" + name + ".h5");
}

std::string said_of(const std::string& name) {
    return refusal([&] {
        const std::string bytes = image(name);
        Hdf5Reader reader(bytes, name, h5_program());
        reader.take_floats("a/w", {2, 3}, "the layer 'w'");
    });
}

}  // namespace

TEST_CASE("weights that h5py wrote: float32, float64, gzip with shuffle") {
    for (const char* name : {"plain", "double", "gzip"}) {
        CAPTURE(name);
        const std::string bytes = image(name);
        Hdf5Reader reader(bytes, name, h5_program());
        CHECK(reader.exists("a/w"));
        CHECK_FALSE(reader.exists("a/v"));
        CHECK_FALSE(reader.exists("b/w"));
        CHECK_FALSE(reader.exists("a/w/x"));
        CHECK(reader.take_floats("a/w", {2, 3}, "the layer 'w'") == values);
        CHECK_THROWS_WITH_AS(reader.take_floats("a/w", {2, 3}, "it"), doctest::Contains("something else as well"),
                             Error);
    }
}

TEST_CASE("weights that reach outside of the file, or say more than it holds, are refused before they are read") {
    const struct {
        const char *name, *rule;
    } cases[] = {
        {"soft_link", "has a link in place of weights (a/w)"},
        {"soft_group", "has a link in place of weights (a)"},
        {"external_link", "has a link in place of weights (a/w)"},
        {"external_storage", "its weights (a/w) lie in another file"},
        {"virtual", "its weights (a/w) lie in another place than the file"},
        {"lzf", "its weights (a/w) are packed in a way that is not read here"},
        {"fletcher", "its weights (a/w) are packed in a way that is not read here"},
        {"half", "are not float32 or float64 numbers"},
        {"big_endian", "are not float32 or float64 numbers"},
        {"integers", "are not float32 or float64 numbers"},
        {"strings", "are not float32 or float64 numbers"},
        {"other_shape", "are of the shape (3, 2), but the model needs (2, 3)"},
        {"huge_unwritten", "its weights (a/w) say that they take 4.0 TiB, which the file cannot hold"},
        {"huge_chunked", "its weights (a/w) say that they take 4.0 TiB, which the file cannot hold"},
        {"huge_chunk", "its weights (a/w) say that they take 1.0 GiB, which the file cannot hold"},
        {"petabytes", "its weights (a/w) say that they take 4.0 PiB, which the file cannot hold"},
        {"packed_bomb", "its weights (a/w) say that they take 64.0 MiB, which the file cannot hold"},
        {"many_large", "its weights (a/w4) say that they take 40.0 MiB, which the file cannot hold"},
        {"lying_chunk", "its weights (a/w) are damaged"},
        {"looping", "its weights (a/back) stand under two names, as in a loop"},
        {"twice", "its weights (a/w) stand under two names, as in a loop"},
        {"deep", "lie deeper than the 24 groups that a model has"},
        {"nested", "the weights of the layer 'w' (a/w) are missing"},
        {"long_name", "have a name longer than the 1,024 bytes that a model's have"},
        {"rank_four", "of a rank that no layer here has"},
        {"empty", "are not float32 or float64 numbers"},
        {"group", "are a group where an array belongs"},
    };
    for (const auto& [name, rule] : cases) {
        CAPTURE(name);
        if (!h5_has_memory_limit && std::string_view(name) == "lying_chunk") continue;  // that is what stops it
        const std::string said = said_of(name);
        CAPTURE(said);
        CHECK(said.find(rule) != std::string::npos);
    }
    const auto opened = [](std::string_view bytes) { return refusal([&] { Hdf5Reader(bytes, "x", h5_program()); }); };
    for (const char* none : {"", "no file at all"}) CHECK(opened(none).find("are no HDF5 file") != std::string::npos);
    const std::string whole = image("plain");
    for (const std::size_t size : {8u, 9u, 100u, 512u, 1000u, 2000u, unsigned(whole.size() - 1)})
        CHECK(opened(std::string_view(whole).substr(0, size)) != "read");
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
    Hdf5Reader reader(bytes, "ours", h5_program());
    CHECK(reader.exists("vars"));
    CHECK(reader.exists("layers/flatten/vars"));
    CHECK(reader.take_floats("layers/dense/vars/0", {2, 3}, "it") == values);
    CHECK(reader.take_floats("layers/dense/vars/1", {6}, "it") == values);
    CHECK(reader.take_floats("optimizer/vars/1", {}, "it") == one);
    CHECK(reader.take_floats("scalar/one", {1, 1, 1}, "it") == one);
    CHECK(reader.integer("optimizer/vars/0", "it") == 7);
    CHECK(reader.integer("optimizer/vars/2", "it") == std::int64_t(1) << 40);
    CHECK_THROWS_AS(reader.integer("layers/dense/vars/0", "it"), Error);
    CHECK_THROWS_AS(reader.take_floats("optimizer/vars/0", {}, "it"), Error);
    CHECK_THROWS_AS(reader.take_floats("vars", {}, "it"), Error);
    CHECK_THROWS_AS(write_hdf5({}, {{"a", {7}, values, {}}}), Error);
}

TEST_CASE("texts that h5py wrote as attributes") {
    const std::string bytes = image("texts");
    const Hdf5Reader reader(bytes, "texts", h5_program());
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
    CHECK(reader.links("group") == 1);
    CHECK_THROWS_AS(reader.links("nowhere"), Error);
    const std::string latest = image("texts_latest");
    CHECK_THROWS_WITH_AS(Hdf5Reader(latest, "l", h5_program()).text("", "one"), doctest::Contains("a newer layout"),
                         Error);
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
