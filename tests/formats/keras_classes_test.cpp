#include "engine/backend/backend.h"
#include "engine/core/atomic_file.h"
#include "engine/core/error.h"
#include "engine/core/rng.h"
#include "engine/formats/hdf5_weights.h"
#include "engine/formats/json_text.h"
#include "engine/formats/keras_graph.h"
#include "engine/formats/legacy_h5.h"
#include "engine/formats/model_files.h"
#include "engine/formats/zip_archive.h"
#include "engine/session/inference.h"
#include "engine/session/session_file.h"
#include "engine/train/trainer.h"
#include "tests/support/read_sessions.h"
#include "tests/support/refusal.h"
#include "tests/support/thorough.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <set>
#include <unordered_map>

using namespace moe;
namespace fs = std::filesystem;

namespace {

const std::string data = MOE_TEST_DATA "/data/keras/";

std::string phrase(const std::vector<std::int32_t>& row, const Tokenizer& tokenizer) {
    std::string text;
    for (const std::int32_t id : row)
        if (id != 0) text += tokenizer.word(id) + " ";
    return text;
}

// The largest deviation of a probability.
double deviation(const SavedModel& model, const Tokenizer& tokenizer,
                 const std::vector<std::vector<std::int32_t>>& rows,
                 const std::vector<std::vector<float>>& predictions) {
    Predictor predictor(model.state, tokenizer);
    double worst = 0;
    REQUIRE(rows.size() >= predictions.size());
    REQUIRE(!predictions.empty());
    for (std::size_t i = 0; i < predictions.size(); ++i) {
        predictor.run(phrase(rows[i], tokenizer));
        REQUIRE(predictor.probabilities().size() == predictions[i].size());
        for (std::size_t w = 0; w < predictions[i].size(); ++w)
            worst = std::max(worst, std::fabs(double(predictor.probabilities()[w]) - double(predictions[i][w])));
    }
    return worst;
}

// A two-dimensional little-endian array as numpy saves it.
template <class T>
std::vector<std::vector<T>> read_npy(const std::string& file) {
    const std::string bytes = read_file(file);
    REQUIRE(bytes.starts_with("\x93NUMPY\x01"));
    const std::size_t start = 10 + static_cast<unsigned char>(bytes[8]) + 256u * static_cast<unsigned char>(bytes[9]);
    const std::string header = bytes.substr(10, start - 10);
    REQUIRE(header.find(sizeof(T) == 4 && std::is_integral_v<T> ? "'<i4'" : "'<f4'") != std::string::npos);
    const std::size_t open = header.find("'shape': (") + 10, comma = header.find(", ", open);
    const std::size_t rows = std::stoul(header.substr(open)), columns = std::stoul(header.substr(comma + 2));
    REQUIRE(bytes.size() == start + rows * columns * sizeof(T));
    std::vector<std::vector<T>> values(rows, std::vector<T>(columns));
    for (std::size_t r = 0; r < rows; ++r)
        std::memcpy(values[r].data(), bytes.data() + start + r * columns * sizeof(T), columns * sizeof(T));
    return values;
}

struct Folder {
    fs::path path;
    Folder() {
        std::string name = (fs::temp_directory_path() / "moe-keras-XXXXXX").string();
        REQUIRE(mkdtemp(name.data()));
        path = name;
    }
    ~Folder() { fs::remove_all(path); }
    void copy(const std::string& from, const std::string& as) const { write_file(path / as, read_file(data + from)); }
};

std::string with_config(const std::string& file, const std::function<void(Json&)>& change) {
    std::vector<ZipMember> members;
    for (const auto& [name, bytes] : read_zip(read_file(data + file), file, [](std::string_view) { return true; }))
        members.push_back({name, bytes});
    for (ZipMember& member : members) {
        if (member.name != "config.json") continue;
        Json config = Json::parse(member.bytes);
        change(config);
        member.bytes = config.dump();
    }
    return write_zip(members);
}

Json& mixture(Json& config) {
    for (Json& layer : config["config"]["layers"])
        if (layer["class_name"] == "MoELayer") return layer;
    FAIL("no mixture");
    return config;
}

}  // namespace

TEST_CASE("the tutorial's three files, as two versions of Keras wrote them, predict what Keras predicts") {
    for (const std::string version : {"3.3.3", "3.16"}) {
        const std::string folder = data + "files-" + version + "/";
        const auto rows = read_npy<std::int32_t>(folder + "X.npy");
        const auto predictions = read_npy<float>(folder + "p.npy");
        const SavedModel model = load_model(folder);
        REQUIRE(model.tokenizer);
        CHECK(model.state.experiment.model.max_seq_len == 4);
        CHECK(model.state.experiment.model.num_experts == 4);
        CHECK(model.state.experiment.model.hidden_dim == 64);
        CHECK(model.state.momentum.size() == 9);
        CHECK(model.state.initial->parameters == model.state.parameters);
        CHECK(model.remarks.size() == 1);
        must_say(model.remarks.at(0), "The code of the layer 'mo_e_layer' is not in the file");

        // One file alone, the pickle in place of the JSON, and the legacy file, each beside nothing else.
        const Folder alone, pickled, legacy;
        const std::string from = "files-" + version + "/";
        alone.copy(from + "tiny_moe_model.keras", "any name.keras");
        pickled.copy(from + "tiny_moe_model.keras", "tiny_moe_model.keras");
        pickled.copy(from + "tokenizer.pkl", "tokenizer.pkl");
        pickled.copy(from + "max_seq_len.txt", "max_seq_len.txt");
        const SavedModel single = load_model(alone.path / "any name.keras");
        CHECK_FALSE(single.tokenizer);
        CHECK(single.state == model.state);
        CHECK(load_model(pickled.path) == model);
        std::string said = "files-" + version + ": archive " +
                           std::to_string(deviation(model, *model.tokenizer, rows, predictions) * 1e9) + "e-9";
        CHECK(deviation(model, *model.tokenizer, rows, predictions) <= 1e-6);
        if (fs::exists(folder + "leg.h5")) {
            legacy.copy(from + "leg.h5", "model.h5");
            legacy.copy(from + "tokenizer.pkl", "tokenizer.pkl");
            const SavedModel old = load_model(legacy.path);
            CHECK(old.state == model.state);
            CHECK(*old.tokenizer == *model.tokenizer);
            CHECK(load_model(legacy.path / "model.h5").state == model.state);
            said += ", legacy " + std::to_string(deviation(old, *old.tokenizer, rows, predictions) * 1e9) + "e-9";
        }
        MESSAGE(said);
        // What is written from here on has no class in it.
        const SavedModel again = read_keras(write_keras(model), "again");
        CHECK(again.state.parameters == model.state.parameters);
        CHECK(again.state.velocity == model.state.velocity);
    }
}

TEST_CASE("the tutorial's classes and legacy files train on as Keras does, with the optimizer's state") {
    double worst = 0, worst_loss = 0;
    std::size_t files = 0;
    std::size_t with_classes = 0, legacy = 0, deflated = 0;
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(data + "classes"))
        if (entry.path().extension() != ".json") names.push_back(entry.path().filename().string());
    std::sort(names.begin(), names.end());
    for (const std::string& name : names) {
        if (name.starts_with("square-3.3.3")) continue;  // the next test's
        with_classes += !name.starts_with("legacy");
        legacy += name.ends_with(".h5");
        deflated += name.find("-deflated") != std::string::npos;
        CAPTURE(name);
        std::string about = name.substr(0, name.rfind('.'));
        if (about.ends_with("-deflated")) about.resize(about.size() - 9);
        const Json expected = parse_json(read_file(data + "classes/" + about + ".json"), about);
        const SavedModel model = load_model(data + "classes/" + name);
        const auto corpus = Corpus::from_text("corpus.txt", expected["corpus"].get<std::string>());
        const ModelSpec& spec = model.state.experiment.model;
        CHECK(spec.vocabulary == corpus->tokenizer().vocabulary());
        CHECK(spec.mask_zero == (name.starts_with("experts") || name.starts_with("legacy_soft")));
        CHECK(spec.router == (name.starts_with("legacy_top2") ? "top_k" : "soft"));
        CHECK(model.state.step == expected["step"]);
        CHECK(model.state.experiment.train.learning_rate == 3e-3);
        REQUIRE(model.state.momentum.size() == 9);
        const double off =
            deviation(model, corpus->tokenizer(), expected["rows"].get<std::vector<std::vector<std::int32_t>>>(),
                      expected["predictions"].get<std::vector<std::vector<float>>>());
        CHECK(off <= 1e-6);
        worst = std::max(worst, off);

        RunState start = model.state;
        start.experiment.train.batch_size = 8;
        start.experiment.train.shuffle = false;
        start.experiment.train.epochs = 4;
        const auto backend = make_backend({"cpu", 1});
        Trainer trainer(*backend, start, corpus);
        while (trainer.epoch() < 4) trainer.step();
        for (std::size_t e = 0; e < 4; ++e) {
            const double apart = std::fabs(trainer.epochs()[e].loss / expected["loss"][e].get<double>() - 1);
            CHECK(apart <= 1e-5);
            worst_loss = std::max(worst_loss, apart);
        }
        // Without the optimizer's state it would be far off.
        RunState forgetful = start;
        forgetful.momentum.clear();
        forgetful.velocity.clear();
        Trainer other(*backend, forgetful, corpus);
        while (other.epoch() < 4) other.step();
        CHECK(std::fabs(other.epochs()[3].loss / expected["loss"][3].get<double>() - 1) > 1e-4);
        ++files;
    }
    CHECK(with_classes >= 9);
    CHECK(legacy >= 6);
    CHECK(deflated >= 2);
    MESSAGE(files << " files: largest deviation of a probability " << worst << ", of the loss of four further epochs "
                  << worst_loss);
}

TEST_CASE("experts with other activations predict and train on as in Keras, in every form that it writes") {
    const Json about = parse_json(read_file(data + "activations/activations.json"), "activations.json");
    std::string text;
    for (const Json& line : about["lines"]) {
        for (const Json& word : line) text += "w" + std::to_string(word.get<int>()) + " ";
        text += '\n';
    }
    // Every word keeps the number that it has there.
    std::unordered_map<std::string, std::int32_t> index;
    std::vector<WordCount> words;
    for (int i = 1; i < 20; ++i) {
        words.push_back({"w" + std::to_string(i), 1, 1});
        index["w" + std::to_string(i)] = i;
    }
    const Tokenizer tokenizer = Tokenizer::from_counts({}, words, 7, index);
    const auto corpus = Corpus::from_text("corpus.txt", text, tokenizer);
    double worst = 0, worst_loss = 0;
    std::set<std::string> found;
    for (const auto& [name, expected] : about["models"].items()) {
        CAPTURE(name);
        const SavedModel model = load_model(data + "activations/" + name);
        const std::string& activation = model.state.experiment.model.activation;
        const std::string stem = name.substr(0, name.rfind('.'));
        CHECK(stem.ends_with("_" + activation));
        CHECK((activation == "gelu_tanh") == stem.ends_with("gelu_tanh"));
        found.insert(activation);
        const double off = deviation(model, tokenizer, about["rows"].get<std::vector<std::vector<std::int32_t>>>(),
                                     expected["predictions"].get<std::vector<std::vector<float>>>());
        CHECK(off <= 1e-6);
        worst = std::max(worst, off);

        RunState start = model.state;
        start.experiment.train.batch_size = 8, start.experiment.train.shuffle = false;
        const auto backend = make_backend({"cpu", 1});
        Trainer trainer(*backend, start, corpus);
        while (trainer.epoch() < 4) trainer.step();
        for (std::size_t e = 0; e < 4; ++e) {
            const double apart = std::fabs(trainer.epochs()[e].loss / expected["loss"][e].get<double>() - 1);
            CHECK(apart <= 1e-5);
            worst_loss = std::max(worst_loss, apart);
        }
        // And back: what is written from here on is the same model.
        SavedModel kept = model;
        kept.complete = true;
        const SavedModel again = read_keras(write_keras(kept), "again");
        CHECK(again.state.experiment == model.state.experiment);
        CHECK(again.state.parameters == model.state.parameters);
        if (stem.starts_with("classes") || stem.starts_with("legacy_classes")) {
            REQUIRE(model.remarks.size() == 1);
            must_say(model.remarks[0], activation == "linear"      ? "experts with no activation"
                                       : activation == "gelu_tanh" ? "experts with GELU (tanh)"
                                       : activation == "gelu"      ? "experts with GELU,"
                                                                   : "experts with tanh");
        }
    }
    CHECK(found == std::set<std::string>{"linear", "gelu", "gelu_tanh", "tanh"});
    MESSAGE(about["models"].size() << " files: largest deviation of a probability " << worst
                                   << ", of the loss of four further epochs " << worst_loss);
}

TEST_CASE("where gate and experts are of one size and no name tells them apart, the optimizer's memory is left out") {
    const SavedModel model = load_model(data + "classes/square-3.3.3.keras");
    CHECK(model.state.momentum.empty());
    CHECK(model.state.velocity.empty());
    CHECK(model.state.step == 12);
    REQUIRE(model.remarks.size() == 2);
    must_say(model.remarks[1], "could belong to the gate or to the first expert, so training goes on without it");
    const Json expected = parse_json(read_file(data + "classes/square-3.3.3.json"), "square");
    const auto corpus = Corpus::from_text("corpus.txt", expected["corpus"].get<std::string>());
    CHECK(deviation(model, corpus->tokenizer(), expected["rows"].get<std::vector<std::vector<std::int32_t>>>(),
                    expected["predictions"].get<std::vector<std::vector<float>>>()) <= 1e-6);
}

TEST_CASE("what a class's settings say beyond the tutorial's is refused, not guessed") {
    const std::string file = "classes/gate_first-3.15.1.keras";
    const auto said = [&](const std::function<void(Json&)>& change) {
        return refusal([&] { read_keras(with_config(file, change), "m.keras"); });
    };
    const auto setting = [&](const std::string& key, const Json& value) {
        return said([&](Json& c) { mixture(c)["config"][key] = value; });
    };
    CHECK(said([](Json&) {}) == "read");
    CHECK(said([](Json& c) { mixture(c)["registered_name"] = "course>MoELayer"; }) == "read");
    CHECK(said([](Json& c) { mixture(c)["registered_name"] = "MoELayer"; }) == "read");
    CHECK(setting("activation", "relu") == "read");
    CHECK(setting("dropout", 0.0) == "read");
    CHECK(setting("noisy", false) == "read");
    CHECK(setting("top_k", 3) == "read");
    CHECK(setting("input_dim", 6) == "read");
    for (const char* activation : {"linear", "gelu", "gelu_tanh", "tanh"})
        CHECK(setting("activation", activation) == "read");
    must_say(setting("activation", "elu"),
             "the layer 'mo_e_layer' (MoELayer) gives the experts the activation 'elu', but only experts with relu, "
             "linear, gelu (exact, or with approximate=True) and tanh are computed here");
    CHECK(setting("output_activation", "linear") == "read");
    CHECK(setting("gate_activation", "softmax") == "read");
    must_say(setting("output_activation", "relu"), "the activation 'relu' as its output_activation where linear");
    must_say(setting("gate_activation", "sigmoid"), "the activation 'sigmoid'");
    must_say(setting("gating_activation", "relu"), "the activation 'relu' as its gating_activation where softmax");
    must_say(setting("approximate", true), "has the setting 'approximate' without a gelu");
    must_say(setting("top_k", 2), "chooses some of its experts (top_k = 2)");
    must_say(setting("k", 1), "chooses some of its experts (k = 1)");
    must_say(setting("num_experts", 6), "num_experts = 6, but weights of 3 experts of widths 6 and 7");
    must_say(setting("hidden_dim", 8), "hidden_dim = 8, but weights of 3 experts of widths 6 and 7");
    must_say(setting("dropout", 0.1), "the layer 'mo_e_layer' (MoELayer) has the setting 'dropout'");
    must_say(setting("router", "noisy"), "has the setting 'router'");
    must_say(setting("noisy", true), "has the setting 'noisy'");
    must_say(said([](Json& c) { mixture(c)["registered_name"] = "Custom>OtherLayer"; }),
             "the layer 'mo_e_layer' is of the class Custom>OtherLayer, which is not read here");
    must_say(said([](Json& c) { mixture(c)["class_name"] = "Lambda"; }), "no code from a file is run here");
    must_say(said([](Json& c) {
                 c["config"]["layers"][1]["config"]["output_dim"] = 5;
                 mixture(c)["config"].erase("output_dim");
             }),
             "are of the shape (12, 6), but the model needs (12, 5)");

    // Weights that are not those of a gate and of experts of two Dense layers.
    const auto weights = [&](const std::function<void(std::vector<Hdf5Item>&)>& change) {
        const std::vector<float> zeros(1000, 0);
        const std::string root = "layers/mo_e_layer/", expert = root + "experts/sequential/layers/";
        const auto item = [&](const std::string& path, std::vector<std::size_t> shape) {
            std::size_t count = 1;
            for (const std::size_t size : shape) count *= size;
            return Hdf5Item{path, shape, {zeros.data(), count}, {}};
        };
        std::vector<Hdf5Item> items = {
            item("layers/embedding/vars/0", {12, 6}), item(root + "gating/dense/vars/0", {6, 1}),
            item(root + "gating/dense/vars/1", {1}),  item(expert + "dense/vars/0", {6, 7}),
            item(expert + "dense/vars/1", {7}),       item(expert + "dense_1/vars/0", {7, 6}),
            item(expert + "dense_1/vars/1", {6}),     item("layers/dense/vars/0", {6, 12}),
            item("layers/dense/vars/1", {12})};
        change(items);
        std::vector<ZipMember> members;
        for (const auto& [name, bytes] :
             read_zip(with_config(file, [](Json& c) { mixture(c)["config"].erase("num_experts"); }), file,
                      [](std::string_view) { return true; }))
            members.push_back({name, name == "model.weights.h5" ? write_hdf5({}, items) : bytes});
        return refusal([&] { read_keras(write_zip(members), "m.keras"); });
    };
    const auto rename = [](const std::string& from, const std::string& to) {
        return [=](std::vector<Hdf5Item>& items) {
            for (Hdf5Item& item : items)
                if (const std::size_t at = item.path.find(from); at != std::string::npos)
                    item.path.replace(at, from.size(), to);
        };
    };
    CHECK(weights([](auto&) {}) == "read");
    CHECK(weights(rename("gating/dense", "router")) == "read");
    must_say(weights(rename("gating", "other")), "has no gate in its weights");
    must_say(weights(rename("experts", "parts")), "has no list of experts in its weights");
    must_say(weights(rename("layers/dense_1", "layers/conv")), "has experts that are not two Dense layers");
    must_say(weights([](auto& items) {
                 items.push_back(items[4]);
                 items.back().path = "layers/mo_e_layer/experts/sequential/layers/dropout/vars/0";
             }),
             "has experts that are not two Dense layers");
    must_say(weights([](auto& items) {
                 items.push_back(items[4]);
                 items.back().path = "layers/mo_e_layer/norm/vars/0";
             }),
             "has further parts beside its gate and its experts");
    must_say(weights([](auto& items) { items[3].shape = {7, 6}; }), "has the setting hidden_dim = 7, but weights");
    must_say(weights([](auto& items) { items[5].shape = {6, 7}; }), "expert 1");
    must_say(weights([](auto& items) { items[3].shape = {42}; }), "hidden width is outside of 1 to 65,536");
}

TEST_CASE("an optimizer that is not the one here is said, and a rate that follows a schedule") {
    const std::string file = "classes/gate_first-3.15.1.keras";
    const auto opened = [&](const std::function<void(Json&)>& change) {
        return read_keras(with_config(file, [&](Json& c) { change(c["compile_config"]["optimizer"]); }), "m.keras");
    };
    const auto said = [&](const std::function<void(Json&)>& change, const std::string& optimizer) {
        const SavedModel model = opened(change);
        CHECK(model.state.momentum.empty());
        CHECK(model.state.step == 0);
        REQUIRE(model.remarks.size() == 2);
        must_say(model.remarks[1], "was trained by " + optimizer + "; training goes on by Adam");
    };
    CHECK(opened([](Json&) {}).remarks.size() == 1);
    said([](Json& o) { o["class_name"] = "SGD"; }, "SGD");
    CHECK(opened([](Json& o) { o["class_name"] = "SGD"; }).state.experiment.train.learning_rate == 1e-3);
    said([](Json& o) { o = "rmsprop"; }, "rmsprop");
    said([](Json& o) { o["config"]["beta_1"] = 0.5; }, "Adam with other constants");
    for (const char* key : {"use_ema", "amsgrad"})
        said([&](Json& o) { o["config"][key] = true; }, std::string("Adam with ") + key);
    for (const char* key : {"weight_decay", "clipnorm", "gradient_accumulation_steps"})
        said([&](Json& o) { o["config"][key] = 2; }, std::string("Adam with ") + key);
    const SavedModel plain = opened([](Json& o) { o = Json(); });
    CHECK(plain.remarks.size() == 1);
    CHECK(plain.state.momentum.empty());

    // Keras keeps no learning rate among the optimizer's variables then.
    SavedModel model = load_model(data + "masked/final.keras");
    std::vector<ZipMember> members;
    for (const auto& [name, bytes] : read_zip(
             with_config("masked/final.keras",
                         [](Json& c) {
                             c["compile_config"]["optimizer"]["config"]["learning_rate"] = {
                                 {"class_name", "ExponentialDecay"}, {"config", {{"initial_learning_rate", 1e-5}}}};
                         }),
             "m", [](std::string_view) { return true; }))
        members.push_back({name, bytes});
    std::vector<Hdf5Item> items{{"optimizer/vars/0", {}, {}, 7}};
    const char* paths[] = {"embedding/vars/0",      "dense/vars/0",        "dense/vars/1",
                           "einsum_dense/vars/0",   "einsum_dense/vars/1", "einsum_dense_1/vars/0",
                           "einsum_dense_1/vars/1", "dense_1/vars/0",      "dense_1/vars/1"};
    for (std::size_t i = 0; i < 9; ++i) {
        const NamedArray& parameter = model.state.parameters[i];
        constexpr std::size_t ranks[] = {2, 2, 1, 3, 2, 3, 2, 2, 1};
        const std::vector<std::size_t> shape(parameter.shape.begin(),
                                             parameter.shape.begin() + std::ptrdiff_t(ranks[i]));
        items.push_back({std::string("layers/") + paths[i], shape, parameter.values, {}});
        items.push_back({"optimizer/vars/" + std::to_string(1 + 2 * i), shape, model.state.momentum[i].values, {}});
        items.push_back({"optimizer/vars/" + std::to_string(2 + 2 * i), shape, model.state.velocity[i].values, {}});
    }
    for (ZipMember& member : members)
        if (member.name == "model.weights.h5") member.bytes = write_hdf5({}, items);
    const SavedModel scheduled = read_keras(write_zip(members), "m.keras");
    CHECK(scheduled.state.parameters == model.state.parameters);
    CHECK(scheduled.state.momentum == model.state.momentum);
    CHECK(scheduled.state.velocity == model.state.velocity);
    CHECK(scheduled.state.step == 7);
    CHECK(scheduled.state.experiment.train.learning_rate == 1e-5);
    REQUIRE(scheduled.remarks.size() == 1);
    must_say(scheduled.remarks[0], "follows a schedule (ExponentialDecay); training goes on at 1e-05.");
}

TEST_CASE("legacy files that are none of a whole model are named") {
    const std::vector<float> one = {1};
    must_say(refusal([&] { read_legacy_h5(write_hdf5({}, {{"a", {1}, one, {}}}), "w.h5"); }), "it has no model_config");
    must_say(refusal([&] { read_legacy_h5(write_hdf5({"layers/dense/vars"}, {}), "w.h5"); }), "holds weights alone");
    must_say(refusal([&] { read_legacy_h5("no file", "w.h5"); }), "are no HDF5 file");
    const Folder folder;
    folder.copy("classes/gate_first-3.3.3.h5", "a.h5");
    must_say(refusal([&] { load_model(folder.path); }), "has no tokenizer.json or tokenizer.pkl");
    folder.copy("classes/gate_first-3.3.3.h5", "b.h5");
    must_say(refusal([&] { load_model(folder.path); }), "has no model.keras, but 2 others");
    folder.copy("files-3.16/tokenizer.pkl", "tokenizer.pkl");
    must_say(refusal([&] { load_model(folder.path / "a.h5"); }), "has 11 numbers, but the model");
}

TEST_CASE("what Keras wrote opens as a session does, on a text that it fits") {
    const auto corpus = Corpus::from_text("corpus.txt", read_file(data + "tutorial/corpus.txt"));
    for (const std::string name : {"files-3.16", "files-3.3.3", "files-3.16/leg.h5", "tutorial/final.keras"}) {
        CAPTURE(name);
        const LoadedSession loaded = load_session(data + name, corpus);
        CHECK_FALSE(loaded.whole);
        REQUIRE(loaded.setup.state);
        CHECK(loaded.setup.state->parameters == load_model(data + name).state.parameters);
        CHECK(loaded.setup.corpus->tokenizer() == corpus->tokenizer());
        REQUIRE(loaded.remarks.size() == 2);
        must_say(loaded.remarks[0], "it is taken to be the tutorial's");
    }
}

TEST_CASE("what Keras would train otherwise is said, and the model is read all the same") {
    const auto remarks = [](const std::function<void(Json&)>& change) {
        return read_keras(with_config("masked/final.keras", change), "m.keras").remarks;
    };
    const auto layer = [](Json& c, const char* class_name) -> Json& {
        for (Json& l : c["config"]["layers"])
            if (l["class_name"] == class_name) return l["config"];
        throw Error("There is no such layer.");
    };
    CHECK(remarks([](Json&) {}).empty());
    const auto regularised = remarks([&](Json& c) {
        layer(c, "Dense")["kernel_regularizer"] = {{"class_name", "L2"}};
    });
    REQUIRE(regularised.size() == 1);
    must_say(regularised[0], "with the kernel_regularizer of the layer 'dense");
    const auto loss = remarks([](Json& c) { c["compile_config"]["loss"] = "kl_divergence"; });
    REQUIRE(loss.size() == 1);
    must_say(loss[0], "with the loss 'kl_divergence'");
    for (const Json& same :
         {Json("sparse_categorical_crossentropy"), Json{{"class_name", "SparseCategoricalCrossentropy"}}})
        CHECK(remarks([&](Json& c) { c["compile_config"]["loss"] = same; }).empty());
    CHECK(remarks([&](Json& c) { layer(c, "Flatten")["trainable"] = false; }).empty());  // has nothing to train
    // Of a frozen layer the optimizer has no memory, so whose the others are cannot be told by their number.
    const SavedModel frozen = read_keras(
        with_config("masked/final.keras", [&](Json& c) { layer(c, "Embedding")["trainable"] = false; }), "m.keras");
    REQUIRE(frozen.remarks.size() == 1);
    must_say(frozen.remarks[0], "The layer 'embedding' is not trained in Keras; here every layer of 'm.keras' is");
    CHECK(frozen.state.momentum.empty());
    CHECK(frozen.state.parameters == load_model(data + "masked/final.keras").state.parameters);
}

TEST_CASE("a damaged file of Keras's, classes or legacy, is one sentence or a model") {
    // The first 2 KiB, where HDF5 says how all else lies, and places in the whole.
    Rng rng(7);
    std::size_t cuts = 0, mutants = 0, read = 0;
    const auto start = std::chrono::steady_clock::now();
    for (const std::string name :
         {"classes/gate_first-3.3.3-deflated.keras", "classes/gate_first-3.15.1-deflated.keras"}) {
        const std::string whole = read_file(data + name);
        for (std::size_t end = 0; end < whole.size(); end += moe::test::thorough ? 1 : 5, ++cuts) {
            CAPTURE(end);
            CHECK(refusal([&] { read_keras(std::string_view(whole).substr(0, end), "m"); }) != "read");
        }
        for (int i = 0; i < (moe::test::thorough ? 4000 : 1000); ++i, ++mutants) {
            std::string damaged = whole;
            damaged[rng.below(whole.size())] ^= static_cast<char>(1 << rng.below(8));
            read += refusal([&] { read_keras(damaged, "m"); }) == "read";
        }
    }
    // The same with the checksum right again, so that what is damaged is read.
    std::string config;
    with_config("classes/gate_first-3.15.1.keras", [&](Json& c) { config = c.dump(); });
    for (int i = 0; i < 3000; ++i, ++mutants) {
        std::string damaged = config;
        for (std::uint64_t k = rng.below(3) + 1; k > 0; --k) {
            const std::size_t at = rng.below(damaged.size()), length = rng.below(12);
            if (rng.below(2))
                damaged.replace(at, length, damaged.substr(rng.below(damaged.size()), length));
            else
                damaged[at] = static_cast<char>(damaged[at] ^ static_cast<char>(1 << rng.below(8)));
        }
        read += refusal([&] { read_keras_config(damaged, "m"); }) == "read";
        read += refusal([&] { read_legacy_config(damaged, damaged, "m"); }) == "read";
    }
    const std::string legacy = read_file(data + "classes/gate_first-3.15.1.h5");
    for (std::size_t end = 0; end < legacy.size(); end += end < 4096 ? 1 : 61, ++cuts) {
        CAPTURE(end);
        CHECK(refusal([&] { read_legacy_h5(std::string_view(legacy).substr(0, end), "m"); }) != "read");
    }
    MESSAGE(cuts << " cuts, " << mutants << " mutants, " << read << " of them models still, in "
                 << std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() << " s");
}
