#include "engine/core/atomic_file.h"
#include "engine/core/error.h"
#include "engine/core/rng.h"
#include "engine/formats/json_text.h"
#include "engine/formats/model_files.h"
#include "engine/formats/zip_archive.h"
#include "tests/support/read_models.h"
#include "tests/support/refusal.h"

#include <doctest/doctest.h>

#include <chrono>
#include <cstdlib>
#include <functional>

using namespace moe;
namespace fs = std::filesystem;

namespace {

const std::string data = MOE_TEST_DATA "/data/keras/";

std::string refusal_of(const std::string& bytes) {
    return refusal([&] { read_keras(bytes, "m.keras"); });
}

bool has(const std::string& text, const std::string& part) {
    CAPTURE(text);
    CAPTURE(part);
    const bool found = text.find(part) != std::string::npos;
    CHECK(found);
    return found;
}

std::vector<ZipMember> members_of(const std::string& file) {
    std::vector<ZipMember> members;
    for (const auto& [name, bytes] : read_zip(read_file(data + file), file, [](std::string_view) { return true; }))
        members.push_back({name, bytes});
    return members;
}

ZipMember& member(std::vector<ZipMember>& members, const std::string& name) {
    for (ZipMember& m : members)
        if (m.name == name) return m;
    members.push_back({name, ""});
    return members.back();
}

// The archive with its config.json changed.
std::string with_config(const std::string& file, const std::function<void(Json&)>& change) {
    auto members = members_of(file);
    Json config = Json::parse(member(members, "config.json").bytes);
    change(config);
    member(members, "config.json").bytes = config.dump();
    return write_zip(members);
}

Json& layer(Json& config, const std::string& name) {
    for (Json& found : config["config"]["layers"])
        if (found["name"] == name) return found;
    FAIL("no such layer: " << name);
    return config;
}

SavedModel small_model() {
    SavedModel model;
    ModelSpec& spec = model.state.experiment.model;
    spec.vocabulary = 3;
    spec.max_seq_len = 2;
    spec.embedding_dim = spec.hidden_dim = spec.num_experts = 2;
    spec.top_k = 1;
    model.tokenizer = Tokenizer::fit(std::vector<std::string>{"a b"});
    model.corpus_text = "a b\n";
    model.complete = true;
    model.state.parameters = canonical_parameters(spec);
    for (NamedArray& array : model.state.parameters)
        array.values.assign(array.shape[0] * array.shape[1] * array.shape[2], 0.5f);
    return model;
}

struct Folder {
    fs::path path;
    Folder() {
        std::string name = (fs::temp_directory_path() / "moe-bad-XXXXXX").string();
        REQUIRE(mkdtemp(name.data()));
        path = name;
    }
    ~Folder() { fs::remove_all(path); }
};

}  // namespace

TEST_CASE("an archive cut off anywhere is one sentence") {
    const std::string whole = write_keras(small_model());
    CHECK(read_keras(whole, "m.keras") == small_model());
    std::vector<std::size_t> ends{1, 3, 4, whole.size() - 1, whole.size() - 22};
    for (std::size_t end = 0; end < whole.size(); end += 97) ends.push_back(end);
    for (std::size_t at = whole.find("PK"); at != std::string::npos; at = whole.find("PK", at + 1))
        for (const std::size_t near : {at, at + 2, at + 30}) ends.push_back(std::min(near, whole.size() - 1));
    for (const std::size_t end : ends) {
        CAPTURE(end);
        CHECK(refusal_of(whole.substr(0, end)) != "read");
    }
    MESSAGE(ends.size() << " places in " << whole.size() << " bytes");
}

TEST_CASE("a byte changed anywhere is noticed or harmless") {
    const SavedModel model = small_model();
    const std::string whole = write_keras(model);
    Rng rng(3);
    for (int i = 0; i < 3000; ++i) {
        std::string damaged = whole;
        const std::size_t at = rng.below(whole.size());
        damaged[at] = static_cast<char>(damaged[at] ^ static_cast<char>(1 << rng.below(8)));
        CAPTURE(at);
        try {
            const SavedModel read = read_keras(damaged, "m.keras");
            CHECK(read.state.parameters == model.state.parameters);
        } catch (const Error&) {
        }
    }
}

TEST_CASE("files that are something else are named") {
    has(refusal_of(""), "'m.keras' is not a .keras file but empty");
    has(refusal_of(read_file(data + "tutorial/tokenizer.json")), "a JSON file, perhaps the tokenizer's");
    has(refusal_of("\"{\\\"class_name\\\": 1}\""), "a JSON file, perhaps the tokenizer's");
    has(refusal_of("hello world how are you\n"), "a text file");
    has(refusal_of("\x89HDF\r\n\x1a\n and more"), "are damaged or cut off");
    has(refusal_of(std::string("\x93NUMPY\1\0v\0", 10)), "does not start as a zip archive does");
    has(refusal_of(write_zip({{"word/document.xml", "<w/>"}})), "has no member config.json");
    has(refusal_of(write_zip({{"config.json", "{}"}, {"model.weights.h5", "x"}})), "only functional models are read");
    auto members = members_of("masked/init.keras");
    member(members, "model.weights.h5").bytes = "text";
    has(refusal_of(write_zip(members)), "its weights are no HDF5 file");
    members = members_of("masked/init.keras");
    std::erase_if(members, [](const ZipMember& m) { return m.name == "model.weights.h5"; });
    has(refusal_of(write_zip(members)), "has no member model.weights.h5");

    const auto tokenizer = [](const std::string& text) {
        return refusal([&] { read_tokenizer_json(text, "tokenizer.json"); });
    };
    has(tokenizer(""), "'tokenizer.json' cannot be read: it is no JSON");
    has(tokenizer(read_file(data + "masked/init.keras")), "it is no JSON");
    has(tokenizer("4"), "is not a Keras tokenizer");
    has(tokenizer("{\"class_name\": \"Functional\"}"), "is not a Keras tokenizer");
    has(tokenizer("{\"class_name\": \"Tokenizer\"}"), "has no \"config\"");
    has(tokenizer(R"({"class_name": "Tokenizer", "config": {"word_counts": "{\"a\": 1}"}})"), "has no \"word_index\"");
    has(tokenizer(
            R"({"class_name": "Tokenizer", "config": {"word_counts": "{\"a\": -1}", "word_index": "{\"a\": 1}"}})"),
        "is not a whole number");
    has(tokenizer(R"({"class_name": "Tokenizer", "config": {"word_counts": "{}", "word_index": "{\"a\": 7}"}})"),
        "not from 1 to 1");
    has(tokenizer(
            R"({"class_name": "Tokenizer", "config": {"word_counts": "{}", "word_index": "{\"a\": 1, \"b\": 1}"}})"),
        "the number 1 to two words");
}

TEST_CASE("weights of another model, and files put together from two, are refused") {
    auto members = members_of("masked/init.keras");
    auto others = members_of("tutorial-builtin/init.keras");
    member(members, "model.weights.h5") = member(others, "model.weights.h5");
    has(refusal_of(write_zip(members)),
        "the weights of the layer 'embedding' (layers/embedding/vars/0) are of the shape (11, 32), but the model needs "
        "(11, 16)");

    SavedModel model = small_model();
    const std::string bytes = write_keras(model);
    const auto with_member = [&](const char* name, const std::string& from, const std::string& to) {
        std::vector<ZipMember> all;
        for (const auto& [n, b] : read_zip(bytes, "m", [](std::string_view) { return true; })) all.push_back({n, b});
        std::string& text = member(all, name).bytes;
        const std::size_t at = text.find(from);
        REQUIRE(at != std::string::npos);
        text.replace(at, from.size(), to);
        return refusal_of(write_zip(all));
    };
    has(with_member("moe-lab/experiment.json", "\"num_experts\": \"2\"", "\"num_experts\": \"3\""),
        "contradicts itself");
    has(with_member("moe-lab/experiment.json", "\"num_experts\"", "\"num_exparts\""), "no setting 'num_exparts'");
    // What a stranger calls a setting is shown on one line.
    has(with_member("moe-lab/experiment.json", "\"num_experts\"", "\"num\\fex\\nperts\""), "no setting 'num?ex?perts'");
    has(with_member("moe-lab/experiment.json", "\"version\": 1", "\"version\": 2"),
        "was written by a newer MoE Lab in version 2 of the format, and this MoE Lab");
    has(with_member("moe-lab/run.json", "\"step\": 0", "\"step\": 9"),
        "its training is at step 9, its optimizer at step 0");
    has(with_member("moe-lab/run.json", "\"step\": 0", "\"step\": -1"), "not a whole number");
    has(with_member("moe-lab/run.json", "\"epochs\": []", "\"epochs\": [[1, 2]]"), "history of epochs is damaged");
    has(with_member("moe-lab/run.json", "{", "{{"), "it is no JSON at byte");
    has(with_member("moe-lab/tokenizer.json", "\\\"b\\\": 2", "\\\"b\\\": 1"), "the number 1 to two words");
    model.tokenizer = Tokenizer::fit(std::vector<std::string>{"a b c"});
    has(refusal_of(write_keras(model)), "has 4 numbers, but the model 'm.keras' has a vocabulary of 3");
}

TEST_CASE("layers that are not known, or do not fit together, are refused by name") {
    const std::string soft = "masked/init.keras", sparse = "top2/init.keras";
    using Change = std::function<void(Json&)>;
    const auto expect = [&](const std::string& file, const Change& change, const std::string& rule) {
        has(refusal_of(with_config(file, change)), rule);
    };
    CHECK(refusal_of(with_config(soft, [](Json&) {})) == "read");
    expect(
        soft, [](Json& c) { layer(c, "dense")["class_name"] = "Lambda"; }, "no code from a file is run here");
    expect(
        soft, [](Json& c) { layer(c, "flatten")["class_name"] = "Dropout"; },
        "the layer 'flatten' is of the class Dropout");
    expect(
        soft, [](Json& c) { layer(c, "dense")["module"] = "os"; }, "which is not read here");
    expect(
        soft, [](Json& c) { layer(c, "dense")["registered_name"] = "Mine>Dense"; }, "of the class Mine>Dense");
    expect(
        soft, [](Json& c) { layer(c, "dense")["config"]["activation"] = "relu"; },
        "has the activation 'relu' where softmax");
    for (const char* other : {"elu", "gelu_exact", "silu", "softmax"})
        expect(
            soft, [&](Json& c) { layer(c, "einsum_dense")["config"]["activation"] = other; },
            "the layer 'einsum_dense' (EinsumDense) gives the experts the activation '" + std::string(other) +
                "', but only experts with relu, linear, gelu (exact, or with approximate=True) and tanh are computed "
                "here");
    expect(
        soft,
        [](Json& c) {
            layer(c, "einsum_dense")["config"]["activation"] = Json{{"class_name", "LeakyReLU"}};
        },
        "the activation 'LeakyReLU'");
    expect(
        soft, [](Json& c) { layer(c, "einsum_dense_1")["config"]["activation"] = "tanh"; },
        "the layer 'einsum_dense_1' (EinsumDense) has the activation 'tanh' where linear belongs");
    expect(
        soft, [](Json& c) { layer(c, "dense")["config"]["units"] = 5; }, "another number of experts");
    expect(
        soft, [](Json& c) { layer(c, "dense")["config"]["units"] = 1e9; }, "a number of units outside of 1 to 2,048");
    expect(
        soft, [](Json& c) { layer(c, "dense")["config"]["use_bias"] = false; }, "has no bias");
    expect(
        soft, [](Json& c) { layer(c, "dense_1")["config"]["units"] = 12; }, "another vocabulary than the last layer");
    expect(
        soft, [](Json& c) { layer(c, "einsum_dense")["config"]["equation"] = "bd,edh->bhe"; }, "own weights and bias");
    expect(
        soft, [](Json& c) { layer(c, "einsum_dense")["config"]["bias_axes"] = "h"; }, "own weights and bias");
    expect(
        soft,
        [](Json& c) {
            layer(c, "einsum_dense")["config"]["output_shape"] = {3, 24};
        },
        "another number of experts");
    expect(
        soft,
        [](Json& c) {
            layer(c, "einsum_dense")["config"]["output_shape"] = {4, 25};
        },
        "are of the shape (4, 16, 24)");
    expect(
        soft, [](Json& c) { layer(c, "embedding")["config"]["input_dim"] = 10; }, "another vocabulary");
    expect(
        soft, [](Json& c) { layer(c, "embedding")["config"]["output_dim"] = -1; }, "a width outside of 1 to 65,536");
    expect(
        soft, [](Json& c) { layer(c, "tokens")["config"]["batch_shape"][1] = 513; },
        "a number of words outside of 1 to 512");
    expect(
        soft,
        [](Json& c) {
            layer(c, "dot")["config"]["axes"] = {2, 2};
        },
        "does not add experts up");
    expect(
        soft, [](Json& c) { layer(c, "not_equal")["inbound_nodes"][0]["args"][1] = 1; }, "called with something");
    expect(
        soft, [](Json& c) { layer(c, "dense")["inbound_nodes"].push_back(layer(c, "dense")["inbound_nodes"][0]); },
        "is not used exactly once");
    expect(
        soft,
        [](Json& c) { layer(c, "dense")["inbound_nodes"][0]["args"][0]["config"]["keras_history"][0] = "flatten"; },
        "feed each other in a circle");
    expect(
        soft, [](Json& c) { layer(c, "dense")["inbound_nodes"][0]["args"][0]["config"]["keras_history"][0] = "gone"; },
        "the layer 'gone' is used but not there");
    expect(
        soft,
        [](Json& c) {
            c["config"]["output_layers"] = {"flatten", 0, 0};
        },
        "stands where a Dense belongs");
    expect(
        soft, [](Json& c) { c["config"]["layers"] = Json::array(); }, "no list of layers");
    expect(
        soft, [](Json& c) { c["config"]["layers"][2]["name"] = "embedding"; }, "has no name of its own");
    expect(
        soft, [](Json& c) { c["class_name"] = "Sequential"; }, "of the class 'Sequential'");
    expect(
        sparse, [](Json& c) { layer(c, "rescaling")["config"]["scale"] = 1e30; }, "other constants than a sparse gate");
    expect(
        sparse, [](Json& c) { layer(c, "re_lu")["config"]["max_value"] = 2.0; }, "other limits than a sparse gate");
    expect(
        sparse, [](Json& c) { layer(c, "softmax")["config"]["axis"] = -1; }, "is not over the experts");
}

TEST_CASE("a model whose input says no length takes it from the file beside it") {
    const Folder folder;
    const std::string bytes =
        with_config("masked/init.keras", [](Json& c) { layer(c, "tokens")["config"]["batch_shape"][1] = nullptr; });
    const SavedModel model = read_keras(bytes, "m.keras");
    CHECK(model.state.experiment.model.max_seq_len == 0);
    write_file(folder.path / "tiny_moe_model.keras", bytes);
    has(refusal([&] { load_model(folder.path); }),
        "has no tokenizer.json or tokenizer.pkl, and the model does not carry it");
    write_file(folder.path / "tokenizer.json", read_file(data + "masked/tokenizer.json"));
    has(refusal([&] { load_model(folder.path); }), "has no max_seq_len.txt, and the model does not carry it");
    write_file(folder.path / "max_seq_len.txt", "four");
    has(refusal([&] { load_model(folder.path); }), "does not hold one number from 1 to 512");
    write_file(folder.path / "max_seq_len.txt", "4\n");
    CHECK(load_model(folder.path).state.experiment.model.max_seq_len == 4);
    write_file(folder.path / "tokenizer.json", read_file(data + "top2/tokenizer.json"));
    has(refusal([&] { load_model(folder.path); }), "has 117 numbers, but the model");
    write_file(folder.path / "second.keras", bytes);
    has(refusal([&] { load_model(folder.path); }), "has no model.keras, but 2 others");
    has(refusal([&] { load_model(folder.path / "gone"); }), "there is no such file");
}

TEST_CASE("archives that are not safe to open are refused") {
    const auto read = [](const std::vector<ZipMember>& members) { return refusal_of(write_zip(members)); };
    has(read({{"../config.json", "{}"}}), "leads out of the archive");
    has(read({{"a/../../b", "{}"}}), "leads out of the archive");
    has(read({{"/etc/passwd", "{}"}}), "leads out of the archive");
    has(read({{"C:\\x", "{}"}}), "leads out of the archive");
    std::string twice = write_zip({{"config.json", "{}"}, {"confih.json", "{}"}});
    for (std::size_t at = twice.find("confih"); at != std::string::npos; at = twice.find("confih")) twice[at + 5] = 'g';
    has(refusal_of(twice), "twice");
    std::vector<ZipMember> many;
    for (int i = 0; i < 5000; ++i) many.push_back({"m" + std::to_string(i), ""});
    has(read(many), "more members");

    // 80 MiB of zeros, deflated to 80 KiB by another program.
    const std::string bomb = read_file(MOE_TEST_DATA "/data/bomb.zip");
    const auto start = std::chrono::steady_clock::now();
    has(refusal_of(bomb), "says that it holds");
    CHECK(std::chrono::steady_clock::now() - start < std::chrono::milliseconds(100));
    const std::string deflated = read_file(MOE_TEST_DATA "/data/deflated.zip");
    const ZipReader zip = ZipReader::in_memory(deflated, "z");
    CHECK(zip.size("config.json") == 100000);
    CHECK(zip.packed("config.json") < deflated.size());
    CHECK(read_zip(read_file(MOE_TEST_DATA "/data/deflated.zip"), "z", [](std::string_view) { return true; })
              .at("config.json")
              .size() == 100000);
}

TEST_CASE("JSON from strangers: depth, keys twice, numbers") {
    const auto said = [](const std::string& text) { return refusal([&] { parse_json(text, "x.json"); }); };
    CHECK(parse_json(std::string(64, '[') + std::string(64, ']'), "x").is_array());
    has(said(std::string(65, '[') + std::string(65, ']')), "more than 64 levels deep");
    has(said(std::string(1 << 20, '[')), "more than 64 levels deep");
    has(said(R"({"a": 1, "b": {"a": 1, "a": 2}})"), "the key \"a\" stands twice");
    has(said("{\"a\": 1} x"), "it is no JSON at byte 10");
    has(said("1e999"), "no JSON");
    has(said("\"\xFF\""), "no JSON");
    has(said(""), "no JSON");
    const Json value =
        parse_json(R"({"z": [0.1, -1e-300, 18446744073709551615, -5], "a": {"b": null, "c": "\u00e4"}})", "x");
    CHECK(value["z"][0] == 0.1);
    CHECK(value["z"][1] == -1e-300);
    CHECK(value["z"][2].get<std::uint64_t>() == ~0ull);
    CHECK(value["a"]["c"] == "ä");
    CHECK(value.begin().key() == "z");
    CHECK(json_quote("a\"\\\n\x7fä🙂") == R"("a\"\\\n\u007f\u00e4\ud83d\ude42")");
}
