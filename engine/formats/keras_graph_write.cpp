#include "engine/core/error.h"
#include "engine/core/family.h"
#include "engine/formats/keras_graph.h"

namespace moe {

namespace {

class Writer {
public:
    std::vector<KerasNode> nodes;

    std::size_t add(std::string class_name, std::string name, std::vector<std::size_t> inputs,
                    std::vector<std::size_t> shape, Json config = Json::object()) {
        nodes.push_back(
            {std::move(class_name), std::move(name), std::move(config), std::move(inputs), false, std::move(shape)});
        return nodes.size() - 1;
    }

    std::size_t rescale(const std::string& name, std::size_t input, double scale, double offset) {
        const auto shape = nodes[input].shape;
        return add("Rescaling", name, {input}, shape, {{"scale", scale}, {"offset", offset}});
    }

    std::size_t relu(const std::string& name, std::size_t input, Json max_value) {
        const auto shape = nodes[input].shape;
        return add("ReLU", name, {input}, shape,
                   {{"max_value", std::move(max_value)}, {"negative_slope", 0.0}, {"threshold", 0.0}});
    }

    std::size_t merge(const char* class_name, const std::string& name, std::vector<std::size_t> inputs) {
        const auto shape = nodes[inputs[0]].shape;
        return add(class_name, name, std::move(inputs), shape);
    }
};

Json dense(std::size_t units, const char* activation) {
    return {{"units", units}, {"activation", activation}, {"use_bias", true}};
}

// One of the two layers of the expert bank: of phrases (b, e, width), or of tokens (b, t, e, width).
Json bank(const KerasBank& form, std::size_t experts, std::size_t width, bool tokens, const char* activation) {
    Json shape = Json::array({experts, width});
    if (tokens) shape.insert(shape.begin(), nullptr);  // however many there are
    return {{"equation", tokens ? form.of_tokens : form.of_phrases},
            {"output_shape", shape},
            {"activation", activation},
            {"bias_axes", form.bias_axes}};
}

// Gate weights that are zero but for the K largest logits: K times the largest of what is left is marked by
// relu(1e20 * (z - max) + 2) capped at 1 and pushed far below; a softmax over what stayed renormalises. The experts are
// axis 1 of a column (E, 1), or axis 2 of (T, E), a row a token: there one pools over channels that come first.
std::size_t add_top_k(Writer& w, std::size_t logits, std::size_t K, bool tokens) {
    std::size_t rest = logits;
    std::vector<std::size_t> chosen;
    const std::vector<std::size_t> shape = w.nodes[logits].shape;
    for (std::size_t k = 1; k <= K; ++k) {
        const std::string n = "_" + std::to_string(k);
        const std::size_t best = w.add("GlobalMaxPooling1D", "best" + n, {rest}, {tokens ? shape[0] : 1, 1},
                                       {{"data_format", experts_pool(tokens)}, {"keepdims", true}});
        const std::size_t gap = w.add("Subtract", "gap" + n, {rest, best}, shape);
        chosen.push_back(w.relu("chosen" + n, w.rescale("steep" + n, gap, steep, 2.0), 1.0));
        if (k < K) rest = w.merge("Add", "rest" + n, {rest, w.rescale("push" + n, chosen.back(), far_below, 0.0)});
    }
    const std::size_t all = K > 1 ? w.merge("Add", "chosen", chosen) : chosen[0];
    const std::size_t unchosen = w.relu("unchosen", w.rescale("turned", all, -1.0, 1.0), nullptr);
    const std::size_t kept = w.merge("Add", "kept", {logits, w.rescale("penalty", unchosen, far_below, 0.0)});
    return w.add("Softmax", "gate_weights", {kept}, shape, {{"axis", tokens ? 2 : 1}});
}

Json shape_json(const std::vector<std::size_t>& shape) {
    Json sizes = Json::array({nullptr});
    for (const std::size_t size : shape) sizes.push_back(size ? Json(size) : Json());  // 0: any number of words
    return sizes;
}

Json tensor(const KerasNode& node) {
    const char* dtype = node.class_name == "InputLayer" ? "int32" : node.class_name == "NotEqual" ? "bool" : "float32";
    return {{"class_name", "__keras_tensor__"},
            {"config",
             {{"shape", shape_json(node.shape)}, {"dtype", dtype}, {"keras_history", Json::array({node.name, 0, 0})}}}};
}

Json layer(const KerasGraph& graph, const KerasNode& node) {
    const auto config = [&](Json start) {
        for (const auto& [key, value] : node.config.items()) start[key] = value;
        return start;
    };
    if (node.class_name == "InputLayer")
        return {{"module", "keras.layers"},
                {"class_name", "InputLayer"},
                {"config",
                 {{"batch_shape", shape_json(node.shape)}, {"dtype", "int32"}, {"sparse", false}, {"name", node.name}}},
                {"registered_name", nullptr},
                {"name", node.name},
                {"inbound_nodes", Json::array()}};

    Json args = Json::array(), kwargs = Json::object(), merged = Json::array();
    const std::size_t positional = node.inputs.size() - (node.masked ? 1 : 0);
    for (std::size_t i = 0; i < positional; ++i) merged.push_back(tensor(graph.nodes[node.inputs[i]]));
    if (positional == 1)
        args.push_back(merged[0]);
    else
        args.push_back(merged);
    if (node.masked) kwargs["mask"] = tensor(graph.nodes[node.inputs.back()]);
    const Json inbound = Json::array({{{"args", args}, {"kwargs", kwargs}}});
    if (node.class_name == "NotEqual") {
        Json with_zero = Json::array({{{"args", Json::array({merged[0], 0})}, {"kwargs", kwargs}}});
        return {{"module", "keras.src.ops.numpy"}, {"class_name", "NotEqual"}, {"config", {{"name", node.name}}},
                {"registered_name", "NotEqual"},   {"name", node.name},        {"inbound_nodes", with_zero}};
    }
    if (node.class_name == "Einsum")  // its settings as Gelu's, its inputs one by one
        return {{"module", "keras.src.ops.numpy"},
                {"class_name", "Einsum"},
                {"config", node.config},
                {"registered_name", "Einsum"},
                {"name", node.name},
                {"inbound_nodes", Json::array({{{"args", merged}, {"kwargs", kwargs}}})}};
    if (node.class_name == "Gelu")  // without a name in its settings: before Keras 3.10 it takes none
        return {{"module", "keras.src.ops.nn"}, {"class_name", "Gelu"}, {"config", node.config},
                {"registered_name", "Gelu"},    {"name", node.name},    {"inbound_nodes", inbound}};
    Json written = {{"module", "keras.layers"},
                    {"class_name", node.class_name},
                    {"config", config({{"name", node.name}, {"trainable", true}, {"dtype", "float32"}})},
                    {"registered_name", nullptr}};
    if (node.class_name == tutorial_class) {
        written["module"] = nullptr;
        written["registered_name"] = "Custom>" + std::string(tutorial_class);
    }
    // Layers with weights of their own are built before their weights are read.
    if (node.class_name == "Embedding" || node.class_name == "Dense" || node.class_name == "EinsumDense" ||
        node.class_name == tutorial_class)
        written["build_config"] = {{"input_shape", shape_json(graph.nodes[node.inputs[0]].shape)}};
    written["name"] = node.name;
    written["inbound_nodes"] = inbound;
    return written;
}

}  // namespace

namespace {

// The words' rows; returns that node.
std::size_t add_rows(Writer& w, KerasModel& model) {
    const ModelSpec& spec = model.spec;
    const std::size_t V = spec.vocabulary, T = spec.max_seq_len, D = spec.embedding_dim;
    const std::size_t tokens = w.add("InputLayer", "tokens", {}, {T});
    return model.embedding = w.add("Embedding", "embedding", {tokens}, {T, D},
                                   {{"input_dim", V}, {"output_dim", D}, {"mask_zero", false}});
}

// The mean over the tokens of `rows`, (T, D); returns that node.
std::size_t add_mean(Writer& w, const KerasModel& model, std::size_t rows) {
    const std::size_t mean = w.add("GlobalAveragePooling1D", "mean", {rows}, {model.spec.embedding_dim},
                                   {{"data_format", "channels_last"}, {"keepdims", false}});
    if (model.spec.mask_zero) {
        const std::size_t tokens = w.nodes[model.embedding].inputs[0];
        const std::size_t mask = w.add("NotEqual", "not_padding", {tokens}, {model.spec.max_seq_len});
        w.nodes[mean].inputs.push_back(mask);
        w.nodes[mean].masked = true;
    }
    return mean;
}

void finish(Writer& w, KerasModel& model, std::size_t mixture) {
    const std::size_t V = model.spec.vocabulary;
    model.head = w.add("Dense", "next_word", {mixture}, {V}, dense(V, "softmax"));
    model.graph = {std::move(w.nodes), model.head};
    model.adam = true;
}

}  // namespace

KerasModel build_keras_model(const ModelSpec& spec) {
    const std::size_t D = spec.embedding_dim, H = spec.hidden_dim, E = spec.num_experts, T = spec.max_seq_len;
    const bool tokens = routes_tokens(spec), sparse = spec.router == "top_k";
    Writer w;
    KerasModel model;
    model.spec = spec;
    const std::size_t rows = add_rows(w, model), routed = tokens ? rows : add_mean(w, model, rows);
    const auto each = [&](std::vector<std::size_t> shape) {  // of what is routed
        if (tokens) shape.insert(shape.begin(), T);
        return shape;
    };
    model.gate = w.add("Dense", "gate", {routed}, each({E}), dense(E, sparse ? "linear" : "softmax"));
    std::size_t weights = model.gate;
    if (!tokens) weights = w.add("Reshape", "gate_column", {model.gate}, {E, 1}, {{"target_shape", {E, 1}}});
    if (sparse) weights = add_top_k(w, weights, spec.top_k, tokens);
    const bool apart = spec.activation == "gelu_tanh";  // an activation by name is the exact one
    const char* const activation = apart ? "linear" : spec.activation.c_str();
    model.hidden =
        w.add("EinsumDense", "experts_hidden", {routed}, each({E, H}), bank(hidden_bank, E, H, tokens, activation));
    const std::size_t hidden =
        apart ? w.add("Gelu", "gelu", {model.hidden}, each({E, H}), {{"approximate", true}}) : model.hidden;
    model.experts = w.add("EinsumDense", "experts", {hidden}, each({E, D}), bank(output_bank, E, D, tokens, "linear"));
    if (tokens) {
        const std::size_t mixture =
            w.add("Einsum", "mixture", {weights, model.experts}, {T, D}, {{"subscripts", token_mix}});
        finish(w, model, add_mean(w, model, mixture));
        return model;
    }
    const std::size_t mix =
        w.add("Dot", "mix", {weights, model.experts}, {1, D}, {{"axes", {1, 1}}, {"normalize", false}});
    const std::size_t flat = w.add("Flatten", "mixture", {mix}, {D}, {{"data_format", "channels_last"}});
    finish(w, model, flat);
    return model;
}

KerasModel build_class_model(const ModelSpec& spec) {
    if (routes_tokens(spec))
        throw Error(
            "The tutorial's classes route a phrase's mean, but this model routes each of its words; leave "
            "--classes out: built-in layers say that.");
    if (spec.router != "soft")
        throw Error("The tutorial's classes mix all experts, but this model chooses " + std::to_string(spec.top_k) +
                    " of its " + std::to_string(spec.num_experts) + "; leave --classes out: built-in layers say that.");
    Writer w;
    KerasModel model;
    model.spec = spec;
    model.of_classes = model.gate_first.emplace(true);
    const std::size_t mean = add_mean(w, model, add_rows(w, model));
    Json config = {
        {"num_experts", spec.num_experts}, {"hidden_dim", spec.hidden_dim}, {"output_dim", spec.embedding_dim}};
    if (spec.activation != "relu") config["activation"] = spec.activation;  // the tutorial's has no such setting
    model.gate = model.hidden = model.experts =
        w.add(std::string(tutorial_class), "mo_e_layer", {mean}, {spec.embedding_dim}, config);
    finish(w, model, model.experts);
    return model;
}

std::string write_keras_config(const KerasModel& model, double learning_rate) {
    Json layers = Json::array();
    // Written as listed: every layer after those that it reads. The mask stands after its reader, so it goes first.
    const auto& nodes = model.graph.nodes;
    for (const KerasNode& node : nodes)
        if (node.class_name == "InputLayer" || node.class_name == "NotEqual")
            layers.push_back(layer(model.graph, node));
    for (const KerasNode& node : nodes)
        if (node.class_name != "InputLayer" && node.class_name != "NotEqual")
            layers.push_back(layer(model.graph, node));
    const auto end_of = [](const KerasNode& node) { return Json::array({Json::array({node.name, 0, 0})}); };
    const Json adam = {
        {"module", "keras.optimizers"},
        {"class_name", "Adam"},
        {"config",
         {{"name", "adam"}, {"learning_rate", learning_rate}, {"beta_1", 0.9}, {"beta_2", 0.999}, {"epsilon", 1e-7}}},
        {"registered_name", nullptr}};
    const Json config = {{"module", "keras.src.models.functional"},
                         {"class_name", "Functional"},
                         {"config",
                          {{"name", "moe_lab"},
                           {"trainable", true},
                           {"layers", layers},
                           {"input_layers", end_of(nodes[0])},
                           {"output_layers", end_of(nodes[model.graph.output])}}},
                         {"registered_name", "Functional"},
                         {"build_config", {{"input_shape", nullptr}}},
                         {"compile_config",
                          {{"optimizer", adam},
                           {"loss", "sparse_categorical_crossentropy"},
                           {"loss_weights", nullptr},
                           {"metrics", Json::array({"accuracy"})},
                           {"weighted_metrics", nullptr},
                           {"run_eagerly", false},
                           {"steps_per_execution", 1},
                           {"jit_compile", "auto"}}}};
    return config.dump();
}

}  // namespace moe
