#include "engine/core/activation.h"
#include "engine/core/atomic_file.h"
#include "engine/core/error.h"
#include "engine/core/rng.h"
#include "engine/formats/hdf5_weights.h"
#include "engine/formats/json_text.h"
#include "engine/formats/keras_graph.h"
#include "engine/formats/model_files.h"
#include "engine/formats/zip_archive.h"
#include "tests/support/read_models.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <limits>
#include <map>

using namespace moe;

namespace {

std::vector<NamedArray> random_arrays(const ModelSpec& spec, Rng& rng) {
    std::vector<NamedArray> arrays = canonical_parameters(spec);
    for (NamedArray& array : arrays) {
        array.values.resize(array.shape[0] * array.shape[1] * array.shape[2]);
        for (float& value : array.values) value = float(rng.uniform() - 0.5) * std::exp2(float(rng.below(40)) - 30);
    }
    arrays[0].values[0] = std::numeric_limits<float>::denorm_min();
    arrays[0].values.back() = -0.0f;
    return arrays;
}

SavedModel random_model(ModelSpec spec, std::uint64_t seed, bool trained = true) {
    Rng rng(seed);
    SavedModel model;
    RunState& state = model.state;
    std::string line;
    for (std::size_t i = 1; i < spec.vocabulary; ++i) line += "w" + std::to_string(i) + " ";
    model.tokenizer = Tokenizer::fit(std::vector<std::string>{line, "w1 w1 w1"});
    model.corpus_name = "Ärger \"1\".txt";
    model.corpus_text = line + "\nzwei 世界 🙂\n";
    model.complete = true;
    state.experiment.model = spec;
    state.experiment.train = {13, 1.0 / 3, 17, 0xFFFFFFFFFFFFFFFFu, false};
    state.parameters = random_arrays(spec, rng);
    if (!trained) return model;
    state.step = (1u << 31) + 5u;
    state.epoch = 3;
    state.next_example = 26;
    state.sums = {0.1 + 0.2, 1e-300, 5, 26};
    state.epochs = {
        {2.3999999999999999, 1.0 / 3, 0}, {std::numeric_limits<double>::infinity(), 0, -1e22}, {5e-324, 1, 1}};
    state.momentum = random_arrays(spec, rng);
    state.velocity = random_arrays(spec, rng);
    state.target_epochs = 40;
    state.load_sums.assign(spec.num_experts, 0.1 + 0.2);
    state.load.assign(spec.num_experts, 1.0f / 3);
    RunState initial;
    initial.experiment = state.experiment;
    initial.step = 77;
    initial.parameters = random_arrays(spec, rng);
    state.initial = std::make_shared<const RunState>(initial);
    return model;
}

ModelSpec spec_of(std::size_t V, std::size_t T, std::size_t D, std::size_t H, std::size_t E, const char* router,
                  std::size_t K, bool mask) {
    ModelSpec spec;
    spec.vocabulary = V;
    spec.max_seq_len = T;
    spec.embedding_dim = D;
    spec.hidden_dim = H;
    spec.num_experts = E;
    spec.router = router;
    spec.top_k = K;
    spec.mask_zero = mask;
    spec.balance_loss = 0.01;
    return spec;
}

ModelSpec of_tokens(ModelSpec spec) {
    spec.family = "token";
    return spec;
}

const std::vector<ModelSpec> specs = {
    spec_of(11, 4, 32, 64, 4, "soft", 2, false),
    spec_of(2, 1, 1, 1, 1, "soft", 1, true),
    spec_of(30, 512, 3, 5, 7, "top_k", 3, true),
    spec_of(9, 2, 4, 4, 4, "top_k", 4, false),
    spec_of(5, 3, 2, 3, 1, "top_k", 1, false),
    spec_of(6, 3, 2, 2, 300, "soft", 9, false),
    spec_of(6, 3, 2, 2, 64, "top_k", 40, false),
    spec_of(8, 3, 5, 5, 5, "top_k", 1, true),
    of_tokens(spec_of(11, 4, 32, 64, 4, "soft", 2, false)),
    of_tokens(spec_of(2, 1, 1, 1, 1, "soft", 1, true)),
    of_tokens(spec_of(30, 512, 3, 5, 7, "top_k", 3, true)),
    of_tokens(spec_of(9, 2, 4, 4, 4, "top_k", 4, false)),
    of_tokens(spec_of(5, 3, 2, 3, 1, "top_k", 1, true)),
    of_tokens(spec_of(6, 3, 2, 2, 64, "top_k", 8, false)),
};

}  // namespace

std::string member(const std::string& archive, const std::string& name) {
    return read_zip(archive, "m", [&](std::string_view found) { return found == name; }).at(name);
}

TEST_CASE("every form of model comes back to the bit, and equal models are equal bytes") {
    std::uint64_t seed = 1;
    for (const ModelSpec& spec : specs) {
        CAPTURE(spec.family);
        CAPTURE(spec.num_experts);
        CAPTURE(spec.router);
        for (const bool trained : {true, false}) {
            const SavedModel model = random_model(spec, ++seed, trained);
            const std::string bytes = write_keras(model);
            CHECK(write_keras(model) == bytes);
            const SavedModel back = read_keras(bytes, "model.keras");
            CHECK(back.state.experiment == model.state.experiment);
            CHECK(back.state.epochs == model.state.epochs);
            CHECK(back.state.sums == model.state.sums);
            CHECK(back == model);
            CHECK(bool(back.state.initial) == trained);
            CHECK(std::signbit(back.state.parameters[0].values.back()));
        }
    }
}

TEST_CASE("every activation comes back, in built-in layers and in the tutorial's classes, to the bit") {
    std::uint64_t seed = 40;
    for (const ActivationInfo& activation : activations)
        for (const KerasForm form : {KerasForm::layers, KerasForm::classes})
            for (const bool mask : {false, true}) {
                CAPTURE(activation.name);
                // A gate's kernel of the size of an expert's: no shape tells which comes first.
                ModelSpec spec = spec_of(9, 4, 5, 3, 3, "soft", 2, mask);
                spec.activation = activation.name;
                for (const bool trained : {true, false}) {
                    const SavedModel model = random_model(spec, ++seed, trained);
                    const SavedModel back = read_keras(write_keras(model, form), "model.keras");
                    CHECK(back == model);
                    CHECK(back.remarks.empty());
                }
            }
}

TEST_CASE("every activation of a model that routes tokens comes back, however many words it reads") {
    std::uint64_t seed = 90;
    for (const ActivationInfo& activation : activations)
        for (const char* router : {"soft", "top_k"})
            for (const bool mask : {false, true}) {
                CAPTURE(activation.name);
                ModelSpec spec = of_tokens(spec_of(9, 4, 5, 3, 3, router, 2, mask));
                spec.activation = activation.name;
                SavedModel model = random_model(spec, ++seed);
                const SavedModel back = read_keras(write_keras(model), "model.keras");
                CHECK(back == model);
                CHECK(back.remarks.empty());
                model.state.experiment.model.max_seq_len = 0;
                model.state.initial.reset();
                CHECK(read_keras(write_keras(model), "m").state.experiment.model.max_seq_len == 0);
            }
}

TEST_CASE("a graph that routes tokens otherwise is refused by the layer that does not fit") {
    const ModelSpec spec = of_tokens(spec_of(9, 4, 5, 3, 3, "top_k", 2, false));
    const std::string good = write_keras_config(build_keras_model(spec), 0.001);
    CHECK(read_keras_config(good, "m").spec.family == "token");
    const auto said = [&](const std::string& from, const std::string& to) {
        std::string changed = good;
        const std::size_t at = changed.find(from);
        REQUIRE(at != std::string::npos);
        changed.replace(at, from.size(), to);
        try {
            read_keras_config(changed, "m");
        } catch (const Error& e) {
            return std::string(e.what());
        }
        return std::string("nothing was thrown");
    };
    CHECK(said("bte,bted->btd", "bte,bted->bd").find("does not add each token's experts up") != std::string::npos);
    CHECK(said("bte,bted->btd", "xyz,xyzw->xyw") == "nothing was thrown");
    CHECK(said("btd,edh->bteh", "bd,edh->beh").find("'experts_hidden'") != std::string::npos);
    CHECK(said("\"channels_first\"", "\"channels_last\"").find("the largest of what is left") != std::string::npos);
    CHECK(said("\"axis\":2", "\"axis\":1").find("is not over the experts") != std::string::npos);
    CHECK(said("\"mask_zero\":false", "\"mask_zero\":true").find("give the mean its mask") != std::string::npos);
    CHECK(said("[null,3,3]", "[3,3]").find("no output shape of experts and width") != std::string::npos);
    CHECK_THROWS_WITH_AS(build_class_model(of_tokens(spec_of(9, 4, 5, 3, 3, "soft", 2, false))),
                         "The tutorial's classes route a phrase's mean, but this model routes each of its words; leave "
                         "--classes out: built-in layers say that.",
                         Error);
}

TEST_CASE(
    "the tutorial's classes are written as Keras writes them: the same settings, the same groups, the same order") {
    const std::string keras = read_file(MOE_TEST_DATA "/data/keras/files-3.16/tiny_moe_model.keras");
    const SavedModel model = read_keras(keras, "keras");
    const std::string ours = write_keras(model, KerasForm::classes);
    const Json theirs_config = Json::parse(member(keras, "config.json")),
               our_config = Json::parse(member(ours, "config.json"));
    const auto layer = [](const Json& config) {
        for (const Json& l : config["config"]["layers"])
            if (l["class_name"] == "MoELayer") return l;
        return Json();
    };
    Json a = layer(our_config), b = layer(theirs_config);
    for (const char* key : {"module", "class_name", "registered_name", "build_config", "name"}) CHECK(a[key] == b[key]);
    for (Json* l : {&a, &b}) (*l)["config"].erase("dtype");
    CHECK(a["config"] == b["config"]);

    const std::string their_weights = member(keras, "model.weights.h5"), our_weights = member(ours, "model.weights.h5");
    Hdf5Reader their(their_weights, "theirs", h5_program()), our(our_weights, "ours", h5_program());
    const KerasModel built = build_class_model(model.state.experiment.model);
    std::size_t arrays = 0;
    std::vector<KerasVariable> variables = built.variables();
    for (const KerasVariable& v : variables) {
        CAPTURE(v.path);
        const std::vector<std::size_t> shape = their.shape(v.path, "x");
        CHECK(our.take_floats(v.path, shape, "x") == their.take_floats(v.path, shape, "x"));
        for (std::size_t moment = 0; moment < 2; ++moment) {
            const std::string path = "optimizer/vars/" + std::to_string(2 + 2 * arrays + moment);
            CHECK(our.take_floats(path, shape, "x") == their.take_floats(path, shape, "x"));
        }
        ++arrays;
    }
    CHECK(arrays == 21);
    for (const std::string& group : built.weight_groups()) {
        CAPTURE(group);
        CHECK(our.exists(group));
        // Layers of other names have the same groups: they come from the class.
        CHECK(their.exists(group));
    }
    CHECK(built.weight_groups().size() == 5 + 2 + 4 * 3);

    ModelSpec sparse = model.state.experiment.model;
    sparse.router = "top_k";
    CHECK_THROWS_WITH_AS(build_class_model(sparse),
                         "The tutorial's classes mix all experts, but this model chooses 2 of its 4; leave --classes "
                         "out: built-in layers say that.",
                         Error);
}

TEST_CASE("a model that does not say how many words it reads is written so") {
    SavedModel model = random_model(specs[0], 4);
    model.state.experiment.model.max_seq_len = 0;
    model.state.initial.reset();
    CHECK(read_keras(write_keras(model), "m").state.experiment.model.max_seq_len == 0);
    CHECK(member(write_keras(model), "config.json").find("\"batch_shape\":[null,null]") != std::string::npos);
}

TEST_CASE("a very long run's thinned epochs come back as they are") {
    SavedModel model = random_model(specs[1], 3, true);
    model.state.epochs = {};
    for (int e = 1; e <= 40001; ++e) model.state.epochs.push_back({1.0 / e, 0.5, 0});
    REQUIRE(model.state.epochs.spacing() == 4);
    const std::string bytes = write_keras(model);
    const SavedModel back = read_keras(bytes, "long.keras");
    CHECK(back.state.epochs == model.state.epochs);
    CHECK(back.state.epochs.finished() == 40001);
}

TEST_CASE("a model without tokenizer and corpus comes back without them") {
    SavedModel model = random_model(specs[0], 3);
    model.tokenizer.reset();
    model.corpus_text.clear();
    model.corpus_name.clear();
    CHECK(read_keras(write_keras(model), "m") == model);
    model.state.parameters[3].shape[0] = 5;
    CHECK_THROWS_AS(write_keras(model), Error);
}

TEST_CASE("the members stand in Keras's order, stored, under a fixed time") {
    const std::string bytes = write_keras(random_model(specs[0], 1));
    std::size_t last = 0;
    for (const char* name : {"metadata.json", "config.json", "model.weights.h5", "moe-lab/experiment.json",
                             "moe-lab/run.json", "moe-lab/tokenizer.json", "moe-lab/corpus.txt"}) {
        const std::size_t found = bytes.find(name);
        CHECK(found > last);
        CHECK(bytes.substr(found - 30, 4) == "PK\x03\x04");
        CHECK(bytes.substr(found - 22, 2) == std::string(2, '\0'));          // stored
        CHECK(bytes.substr(found - 20, 4) == std::string("\0\0\x21\0", 4));  // 1980-01-01 00:00
        last = found;
    }
}

TEST_CASE("groups are named and counted as Keras does") {
    CHECK(keras_snake_case("MoELayer") == "mo_e_layer");
    CHECK(keras_snake_case("GlobalAveragePooling1D") == "global_average_pooling1d");
    CHECK(keras_snake_case("GlobalMaxPooling1D") == "global_max_pooling1d");
    CHECK(keras_snake_case("ReLU") == "re_lu");
    CHECK(keras_snake_case("EinsumDense") == "einsum_dense");
    CHECK(keras_snake_case("InputLayer") == "input_layer");
    CHECK(keras_snake_case("LSTMCell") == "lstm_cell");

    const auto members = read_zip(read_file(MOE_TEST_DATA "/data/keras/top2/final.keras"), "top2",
                                  [](std::string_view) { return true; });
    const KerasModel keras = read_keras_config(members.at("config.json"), "top2");
    const std::string image = members.at("model.weights.h5");
    const Hdf5Reader weights(image, "top2", h5_program());
    const auto groups = keras.graph.groups();
    std::size_t counted = 0;
    for (std::size_t i = 0; i < groups.size(); ++i) {
        CHECK(weights.exists(groups[i] + "/vars"));
        // Where Keras's counter and the layer's own name differ, as its file tells.
        const std::map<std::string, std::string> known = {{"add_3", "layers/add_1"},
                                                          {"rescaling_5", "layers/rescaling_3"},
                                                          {"rescaling_4", "layers/rescaling_4"},
                                                          {"tokens", "layers/input_layer"}};
        if (const auto found = known.find(keras.graph.nodes[i].name); found != known.end()) {
            CHECK(groups[i] == found->second);
            ++counted;
        }
    }
    CHECK(counted == 4);
    CHECK(groups.size() == 26);

    // Ours is the same graph under other names: the same groups.
    const KerasModel ours = build_keras_model(keras.spec);
    auto a = groups, b = ours.graph.groups();
    std::sort(a.begin(), a.end());
    std::sort(b.begin(), b.end());
    CHECK(a == b);
    CHECK(ours.weight_paths() == keras.weight_paths());
    CHECK(ours.trainable_order() == keras.trainable_order());
}

TEST_CASE("a folder holds the tutorial's three files, and a model is loaded from it or from the file") {
    std::string name = (std::filesystem::temp_directory_path() / "moe-model-XXXXXX").string();
    REQUIRE(mkdtemp(name.data()));
    const std::filesystem::path folder = std::filesystem::path(name) / "deep" / "model";
    const SavedModel model = random_model(specs[0], 5);
    save_model_folder(folder, model);
    save_model_folder(folder, model);
    CHECK(read_file(folder / "max_seq_len.txt") == "4");
    CHECK(read_file(folder / "tokenizer.json") == write_tokenizer_json(*model.tokenizer));
    CHECK(std::distance(std::filesystem::directory_iterator(folder), {}) == 3);
    CHECK(load_model(folder) == model);
    CHECK(load_model(folder / "model.keras") == model);
    save_model_file(folder / "other.keras", model);
    CHECK(load_model(folder / "other.keras") == model);
    std::filesystem::remove_all(name);
}

TEST_CASE("a file of Keras's own is where its run began, and stays so in the files that are written later") {
    SavedModel model = load_model(MOE_TEST_DATA "/data/keras/tutorial-builtin/init.keras");
    CHECK_FALSE(model.complete);
    REQUIRE(model.state.initial);
    const std::vector<NamedArray> given = model.state.parameters;
    CHECK(model.state.initial->parameters == given);
    for (NamedArray& a : model.state.parameters)
        for (float& value : a.values) value += 1;
    model.complete = true;
    model.state.step += 5;
    SavedModel back = read_keras(write_keras(model), "m");
    CHECK(back.state.parameters == model.state.parameters);
    REQUIRE(back.state.initial);
    CHECK(back.state.initial->parameters == given);
    CHECK(back.state.initial->step + 5 == back.state.step);

    model.state.initial.reset();
    CHECK_FALSE(read_keras(write_keras(model), "m").state.initial);
}

TEST_CASE("weights that are no numbers are refused by the layer's name") {
    for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
        SavedModel model = random_model(specs[0], 3);
        model.state.parameters[7].values[2] = bad;
        CHECK_THROWS_WITH_AS(read_keras(write_keras(model), "m"),
                             doctest::Contains("hold what is no number, as a training that diverged leaves it"), Error);
        model = random_model(specs[0], 3);
        model.state.velocity[1].values[0] = bad;
        CHECK_THROWS_AS(read_keras(write_keras(model), "m"), Error);
    }
}
