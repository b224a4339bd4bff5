#include "engine/core/atomic_file.h"
#include "engine/core/error.h"
#include "engine/formats/model_files.h"
#include "engine/text/corpus.h"
#include "tests/support/read_models.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

using namespace moe;
using nlohmann::json;

namespace {

const std::string data = MOE_TEST_DATA "/data/keras/";

void compare(const std::vector<NamedArray>& arrays, const json& expected) {
    REQUIRE(arrays.size() == expected.size());
    for (const NamedArray& array : arrays) {
        CAPTURE(array.name);
        const json& digest = expected[array.name];
        std::vector<std::size_t> shape = digest["shape"];
        shape.resize(3, 1);
        CHECK(std::equal(shape.begin(), shape.end(), array.shape.begin()));
        REQUIRE(array.values.size() == shape[0] * shape[1] * shape[2]);
        double sum = 0, size = 0;
        for (std::size_t i = 0; i < array.values.size(); ++i) {
            const double term = double(array.values[i]) * double((i + 1) % 1009 + 1);
            sum += term;
            size += std::fabs(term);
        }
        CHECK(std::fabs(sum - digest["weighted_sum"].get<double>()) <= 1e-12 * size);
        for (const json& pick : digest["values"])
            CHECK(array.values[pick[0].get<std::size_t>()] == pick[1].get<float>());
    }
}

}  // namespace

TEST_CASE("Keras's own archives hold what h5py reads in them") {
    const json all = json::parse(read_file(data + "values.json"));
    CHECK(all.size() == 7);
    for (const auto& [path, expected] : all.items()) {
        CAPTURE(path);
        const SavedModel model = load_model(data + path);
        const RunState& state = model.state;
        compare(state.parameters, expected["parameters"]);
        CHECK(state.step == expected["step"]);
        CHECK(float(state.experiment.train.learning_rate) == expected["learning_rate"].get<float>());
        CHECK_FALSE(model.complete);
        CHECK(state.momentum.empty() == !expected.contains("momentum"));
        if (expected.contains("momentum")) {
            compare(state.momentum, expected["momentum"]);
            compare(state.velocity, expected["velocity"]);
        }

        const json curve = json::parse(read_file(data + path.substr(0, path.find('/')) + "/curve.json"));
        const ModelSpec& spec = state.experiment.model;
        CHECK(spec.vocabulary == curve["V"]);
        CHECK(spec.max_seq_len == curve["T"]);
        CHECK(spec.embedding_dim == curve["D"]);
        CHECK(spec.hidden_dim == curve["H"]);
        CHECK(spec.num_experts == curve["E"]);
        CHECK(spec.mask_zero == curve["mask"]);
        CHECK((spec.router == "soft" ? spec.num_experts : spec.top_k) == curve["top_k"]);
        CHECK(state.experiment.train.learning_rate == curve["lr"]);

        REQUIRE(model.tokenizer);
        const std::string folder = data + path.substr(0, path.find('/'));
        const auto corpus = Corpus::from_text("corpus.txt", read_file(folder + "/corpus.txt"));
        CHECK(*model.tokenizer == corpus->tokenizer());
    }
}

TEST_CASE("Keras's tokenizers are written as Keras writes them") {
    for (const std::string name : {"tutorial", "masked", "top2", "words2000"}) {
        const std::string keras = read_file(data + name + "/tokenizer.json");
        const Tokenizer tokenizer = read_tokenizer_json(keras, "tokenizer.json");
        const std::string ours = write_tokenizer_json(tokenizer);
        CHECK(read_tokenizer_json(ours, "ours") == tokenizer);
        const json a = json::parse(keras), b = json::parse(ours);
        // Keras takes these two from a Python set, whose order differs from run to run.
        for (const char* field : {"word_docs", "index_docs"})
            CHECK(json::parse(a["config"][field].get<std::string>()) ==
                  json::parse(b["config"][field].get<std::string>()));
        for (const auto& [key, value] : a["config"].items())
            if (key != "word_docs" && key != "index_docs") CHECK(b["config"][key] == value);
        CHECK(ours.size() == keras.size());
        CHECK(ours.substr(0, 200) == keras.substr(0, 200));
    }
}

TEST_CASE("a tokenizer saved as a JSON string of a JSON string, and every option, come back") {
    TokenizerOptions options;
    options.num_words = 3;
    options.filters = "äΣ\"\\\n";
    options.lower = false;
    options.split = "--";
    options.oov_token = "<ü>";
    const std::vector<std::string> lines = {"Ein--ZWEI--世界--\x01\x7f--🙂", "Ein--🙂"};
    const Tokenizer tokenizer = Tokenizer::fit(lines, options);
    const std::string text = write_tokenizer_json(tokenizer);
    CHECK(std::all_of(text.begin(), text.end(), [](char c) { return c >= 32 && c < 127; }));
    CHECK(read_tokenizer_json(text, "t") == tokenizer);
    CHECK(read_tokenizer_json(json(text).dump(), "t") == tokenizer);
    CHECK(read_tokenizer_json(json(json(text).dump()).dump(), "t") == tokenizer);
    nlohmann::ordered_json objects = nlohmann::ordered_json::parse(text);
    for (const char* field : {"word_counts", "word_docs", "index_docs", "index_word", "word_index"})
        objects["config"][field] = nlohmann::ordered_json::parse(objects["config"][field].get<std::string>());
    CHECK(read_tokenizer_json(objects.dump(), "t") == tokenizer);
}
