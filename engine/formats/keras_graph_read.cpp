#include "engine/core/activation.h"
#include "engine/core/numbers.h"
#include "engine/formats/keras_graph.h"
#include "engine/formats/strangers_text.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>
#include <unordered_map>

namespace moe {

namespace {

constexpr std::size_t most_layers = 20'000;
constexpr const char* turned_token_mix = "bted,bte->btd";

// What the built-in form is made of. Anything else is refused by name, and nothing a file names is ever run.
constexpr std::array known_classes = {
    "InputLayer", "Embedding",   "GlobalAveragePooling1D",
    "Dense",      "EinsumDense", "Reshape",
    "Dot",        "Flatten",     "Softmax",
    "Add",        "Rescaling",   "ReLU",
    "Subtract",   "NotEqual",    "GlobalMaxPooling1D",
    "Activation", "Gelu",        "Einsum",
};

std::string text_of(const Json& object, const char* key) {
    const auto found = object.is_object() ? object.find(key) : object.end();
    return object.is_object() && found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

bool has(const Json& object, const char* key) {
    return object.is_object() && object.contains(key);
}

// At most 60 bytes of a name from the file, for a sentence.
std::string shown(const std::string& text) {
    return strangers_text(text, 60);
}

bool is_tensor(const Json& value) {
    return value.is_object() && text_of(value, "class_name") == "__keras_tensor__";
}

class GraphReader {
public:
    /// A legacy config says no modules; a class of somebody's own has its package before its name there.
    GraphReader(const std::string& name, bool legacy) : name_(name), legacy_(legacy) {}

    KerasGraph read(const Json& config) {
        const Json& layers = json_field(config, "layers", name_);
        if (!layers.is_array() || layers.empty() || layers.size() > most_layers)
            throw Error("'" + name_ + "' has no list of layers that can be read.");
        for (const Json& layer : layers) add(layer);
        for (std::size_t i = 0; i < layers.size(); ++i) connect(i, layers[i]);
        const Json* end = &json_field(config, "output_layers", name_);
        if (end->is_array() && end->size() == 1) end = &(*end)[0];
        graph_.output = node_named(history_name(*end));
        refuse_cycles();
        return std::move(graph_);
    }

private:
    [[noreturn]] void refuse(const std::string& layer, const std::string& why) const {
        throw Error("'" + name_ + "': the layer '" + shown(layer) + "' " + why + ".");
    }

    void add(const Json& layer) {
        KerasNode node;
        node.class_name = text_of(layer, "class_name");
        node.config = has(layer, "config") ? layer["config"] : Json::object();
        node.name = text_of(layer, "name").empty() ? text_of(node.config, "name") : text_of(layer, "name");
        const std::string registered = text_of(layer, "registered_name"), module = text_of(layer, "module");
        if (node.class_name == "Lambda")
            refuse(node.name,
                   "is a Lambda, which holds program code; no code from a file is run here, so save the model "
                   "with Keras's built-in layers");
        const std::string full = registered.empty() ? node.class_name : registered;
        if (full == tutorial_class || full.ends_with(">" + std::string(tutorial_class))) {
            node.class_name = tutorial_class;
        } else {
            const bool known =
                std::find(known_classes.begin(), known_classes.end(), node.class_name) != known_classes.end();
            const bool own = full != node.class_name || !(module.starts_with("keras") || (legacy_ && module.empty()));
            if (!known || own)
                refuse(node.name, "is of the class " + shown(full) +
                                      ", which is not read here (Keras's built-in layers of a mixture are, and the "
                                      "tutorial's MoELayer); save the model with these");
        }
        if (node.name.empty() || !index_.emplace(node.name, graph_.nodes.size()).second)
            refuse(node.name, "has no name of its own");
        graph_.nodes.push_back(std::move(node));
    }

    std::string history_name(const Json& history) const {
        if (history.is_array() && history.size() == 3 && history[0].is_string() && history[1] == 0 && history[2] == 0)
            return history[0].get<std::string>();
        throw Error("'" + name_ +
                    "' joins its layers in a way that is not read here: each layer is used once, and there "
                    "is one output.");
    }

    std::size_t node_named(const std::string& layer) const {
        const auto found = index_.find(layer);
        if (found == index_.end()) refuse(layer, "is used but not there");
        return found->second;
    }

    std::size_t source_of(const Json& tensor) const {
        return node_named(history_name(json_field(json_field(tensor, "config", name_), "keras_history", name_)));
    }

    void connect(std::size_t index, const Json& layer) {
        KerasNode& node = graph_.nodes[index];
        const Json inbound = has(layer, "inbound_nodes") ? layer["inbound_nodes"] : Json::array();
        if (!inbound.is_array() || inbound.size() != (node.class_name == "InputLayer" ? 0u : 1u))
            refuse(node.name, "is not used exactly once");
        if (inbound.empty()) return;
        const Json& call = inbound[0];
        const Json& args = json_field(call, "args", name_);
        const Json kwargs = has(call, "kwargs") ? call["kwargs"] : Json::object();
        if (!args.is_array() || !kwargs.is_object()) refuse(node.name, "has a call that cannot be read");
        std::vector<Json> constants;
        for (const Json& arg : args) {
            if (is_tensor(arg)) {
                node.inputs.push_back(source_of(arg));
            } else if (arg.is_array()) {
                for (const Json& part : arg) {
                    if (!is_tensor(part)) refuse(node.name, "has a call that cannot be read");
                    node.inputs.push_back(source_of(part));
                }
            } else {
                constants.push_back(arg);
            }
        }
        const bool compares_zero = constants.size() == 1 && constants[0].is_number() && constants[0] == 0;
        if (node.class_name == "NotEqual" ? !compares_zero : !constants.empty())
            refuse(node.name, "is called with something that is not read here");
        for (const auto& [key, value] : kwargs.items()) {
            if (key == "mask" && is_tensor(value)) {
                node.inputs.push_back(source_of(value));
                node.masked = true;
            } else if (!value.is_null() && !value.is_boolean()) {
                refuse(node.name, "is called with the argument " + shown(key) + ", which is not read here");
            }
        }
    }

    void refuse_cycles() const {
        std::vector<std::size_t> uses(graph_.nodes.size(), 0), ready;
        for (const KerasNode& node : graph_.nodes)
            for (const std::size_t input : node.inputs) ++uses[input];
        for (std::size_t i = 0; i < uses.size(); ++i)
            if (uses[i] == 0) ready.push_back(i);
        std::size_t done = 0;
        while (!ready.empty()) {
            const std::size_t node = ready.back();
            ready.pop_back();
            ++done;
            for (const std::size_t input : graph_.nodes[node].inputs)
                if (--uses[input] == 0) ready.push_back(input);
        }
        if (done != graph_.nodes.size()) throw Error("'" + name_ + "' has layers that feed each other in a circle.");
    }

    const std::string& name_;
    bool legacy_;
    KerasGraph graph_;
    std::unordered_map<std::string, std::size_t> index_;
};

// Finds the form from its output backwards; every question that fails names the layer.
class Matcher {
public:
    Matcher(KerasGraph graph, const std::string& name) : name_(name) { model_.graph = std::move(graph); }

    KerasModel match() {
        ModelSpec& spec = model_.spec;
        model_.head = model_.graph.output;
        spec.vocabulary = dense(model_.head, "softmax", largest_vocabulary);
        if (node(input(model_.head)).class_name == tutorial_class) {
            match_classes(input(model_.head));
            match_mean(input(model_.gate));
            return std::move(model_);
        }
        const std::size_t below = input(model_.head);
        tokens_ = node(below).class_name == "GlobalAveragePooling1D";
        spec.family = tokens_ ? "token" : "pooled";
        const std::size_t mix = tokens_ ? token_mixture(input(below)) : phrase_mixture(below);
        // Usually [gate, experts]; turned round it is the same mixture.
        std::size_t gate = input(mix, 0), bank = input(mix, 1);
        if (node(gate).class_name == "EinsumDense") std::swap(gate, bank);
        match_bank(bank);
        const std::size_t routed = input(model_.hidden);
        match_gate(gate, routed);
        if (tokens_) {
            match_embedding(routed);
            match_mean(below, mix);
        } else {
            match_mean(routed);
        }
        return std::move(model_);
    }

private:
    const KerasNode& node(std::size_t index) const { return model_.graph.nodes[index]; }

    [[noreturn]] void refuse(std::size_t index, const std::string& why) const {
        throw Error("'" + name_ +
                    "' is not a mixture of experts as it is read here (embedding, mean, gate and experts, "
                    "softmax): the layer '" +
                    shown(node(index).name) + "' (" + node(index).class_name + ") " + why + ".");
    }

    std::size_t phrase_mixture(std::size_t flat) const {
        const std::size_t mix = expect(input(expect(flat, "Flatten")), "Dot", 2);
        const Json& axes = config(mix, "axes");
        if ((axes != 1 && axes != Json::array({1, 1})) || !is(config(mix, "normalize"), false))
            refuse(mix, "does not add experts up by their gate weights (Dot over axis 1)");
        return mix;
    }

    std::size_t token_mixture(std::size_t mix) const {
        expect(mix, "Einsum", 2);
        const bool turned = node(input(mix, 0)).class_name == "EinsumDense";
        if (canonical(text_of(node(mix).config, "subscripts"), "") !=
            canonical(turned ? turned_token_mix : token_mix, ""))
            refuse(mix, std::string("does not add each token's experts up by their gate weights (") + token_mix + ")");
        return mix;
    }

    std::size_t expect(std::size_t index, const char* class_name, std::size_t inputs = 1) const {
        if (node(index).class_name != class_name)
            refuse(index, std::string("stands where a ") + class_name + " belongs");
        if (node(index).inputs.size() != inputs) refuse(index, "has the wrong number of inputs");
        return index;
    }

    std::size_t input(std::size_t index, std::size_t which = 0) const {
        if (which >= node(index).inputs.size()) refuse(index, "has the wrong number of inputs");
        return node(index).inputs[which];
    }

    const Json& config(std::size_t index, const char* key) const {
        static const Json none;
        const Json& all = node(index).config;
        const auto found = all.is_object() ? all.find(key) : all.end();
        return all.is_object() && found != all.end() ? *found : none;
    }

    static bool is(const Json& value, bool wanted) { return value.is_null() ? !wanted : value == wanted; }
    static bool is(const Json& value, double wanted) { return value.is_number() && value.get<double>() == wanted; }

    std::size_t size(std::size_t index, const Json& value, std::size_t most, const char* what) const {
        if (!value.is_number_unsigned() || value.get<std::uint64_t>() < 1 || value.get<std::uint64_t>() > most)
            refuse(index, std::string("has ") + what + " outside of 1 to " + with_commas(most));
        return value.get<std::size_t>();
    }

    // "relu", or the same as an object that names a function.
    static std::string activation_of(const Json& value) {
        if (value.is_string()) return value.get<std::string>();
        const std::string config = text_of(value, "config");
        return config.empty() ? text_of(value, "class_name") : config;
    }

    // Keras's gelu with approximate=True has no name of its own there: it is an operation, or a class's setting.
    void expert_activation(std::size_t index, const Json& value) {
        const std::string found = value.is_null() ? "linear" : activation_of(value);
        if (!find_activation(found))
            refuse(index, "gives the experts the activation '" + shown(found) +
                              "', but only experts with relu, linear, gelu (exact, or with approximate=True) and tanh "
                              "are computed here; train it with one of these");
        model_.spec.activation = found;
    }

    // The experts' hidden layer below `index`; its activation is its own, or stands between the two.
    std::size_t hidden_below(std::size_t index) {
        const std::size_t between = input(index);
        const std::string& kind = node(between).class_name;
        if (kind == "Gelu")
            model_.spec.activation = config(between, "approximate") == false ? "gelu" : "gelu_tanh";
        else if (kind == "Activation")
            expert_activation(between, config(between, "activation"));
        else if (kind == "ReLU")
            relu(between, false), model_.spec.activation = "relu";
        else
            return expert_activation(expect(between, "EinsumDense"), config(between, "activation")), between;
        const std::size_t hidden = expect(input(between), "EinsumDense");
        activation(hidden, "linear");
        return hidden;
    }

    void activation(std::size_t index, const std::string& wanted) const {
        const std::string found = activation_of(config(index, "activation"));
        if (found != wanted && !(found.empty() && wanted == "linear"))
            refuse(index, "has the activation '" + shown(found) + "' where " + wanted + " belongs");
    }

    std::size_t dense(std::size_t index, const char* wanted_activation, std::size_t most) const {
        expect(index, "Dense");
        activation(index, wanted_activation);
        if (config(index, "use_bias") != true && !config(index, "use_bias").is_null()) refuse(index, "has no bias");
        return size(index, config(index, "units"), most, "a number of units");
    }

    // "bd,edh->beh" with the letters renamed in order of appearance, and the bias axes along.
    static std::string canonical(const std::string& equation, const std::string& bias) {
        std::map<char, char> letters;
        std::string text;
        for (const char c : equation + "|" + bias) {
            if ((c < 'a' || c > 'z') && (c < 'A' || c > 'Z')) {
                text += c;
                continue;
            }
            const char next = static_cast<char>('a' + std::min<std::size_t>(25, letters.size()));
            text += letters.emplace(c, next).first->second;
        }
        return text;
    }

    // {experts, width} of one of the two layers of the expert bank.
    std::pair<std::size_t, std::size_t> bank(std::size_t index, const KerasBank& form) const {
        expect(index, "EinsumDense");
        const Json& all = node(index).config;
        if (canonical(text_of(all, "equation"), text_of(all, "bias_axes")) !=
            canonical(tokens_ ? form.of_tokens : form.of_phrases, form.bias_axes))
            refuse(index, "does not run every expert on its own weights and bias");
        const Json& shape = config(index, "output_shape");
        const std::size_t before = tokens_ ? 1 : 0;  // the number of tokens may stand there or be left open
        if (!shape.is_array() || shape.size() != before + 2) refuse(index, "has no output shape of experts and width");
        return {size(index, shape[before], max_experts, "a number of experts"),
                size(index, shape[before + 1], largest_width, "a width")};
    }

    void match_bank(std::size_t index) {
        model_.experts = index;
        const auto [experts, width] = bank(index, output_bank);
        activation(index, "linear");
        model_.hidden = hidden_below(index);
        const auto [hidden_experts, hidden_width] = bank(model_.hidden, hidden_bank);
        if (hidden_experts != experts) refuse(model_.hidden, "has another number of experts than the layer after it");
        model_.spec.num_experts = experts;
        model_.spec.embedding_dim = width;
        model_.spec.hidden_dim = hidden_width;
    }

    // The class's code is not in the file. What its settings say must be what the tutorial's code makes of them.
    void match_classes(std::size_t index) {
        model_.of_classes = true;
        model_.gate = model_.hidden = model_.experts = expect(index, std::string(tutorial_class).c_str());
        model_.spec.router = "soft";
        model_.spec.num_experts = model_.spec.hidden_dim = model_.spec.embedding_dim = 0;
        const Json& settings = node(index).config;
        if (!settings.is_object()) refuse(index, "has no settings");
        bool approximate = false;
        for (const auto& [key, value] : settings.items()) {
            const bool plain = key == "name" || key == "trainable" || key == "dtype" || key == "use_bias";
            if (key.find("activation") != std::string::npos) {
                class_activation(index, key, value);
                continue;
            }
            if (plain || value.is_null() || value == false || value == 0.0) continue;
            if (key == "approximate" && value == true) {
                approximate = true;
            } else if (value.is_number_unsigned()) {
                model_.class_settings.emplace_back(key, value.get<std::size_t>());
            } else {
                refuse(index, "has the setting '" + shown(key) +
                                  "', which the tutorial's layer does not have and whose code is not in the file; "
                                  "save the model with Keras's built-in layers");
            }
        }
        if (!approximate) return;
        if (model_.spec.activation != "gelu") refuse(index, "has the setting 'approximate' without a gelu");
        model_.spec.activation = "gelu_tanh";
    }

    void class_activation(std::size_t index, const std::string& key, const Json& value) {
        const bool gate = key.find("gat") != std::string::npos, output = key.find("out") != std::string::npos;
        if (!gate && !output) return expert_activation(index, value);
        const std::string wanted = gate ? "softmax" : "linear", found = value.is_null() ? wanted : activation_of(value);
        if (found != wanted)
            refuse(index,
                   "has the activation '" + shown(found) + "' as its " + shown(key) + " where " + wanted + " belongs");
    }

    // The gate's own layer below its scores; of tokens they are its output.
    std::size_t column(std::size_t index) const {
        if (tokens_) return index;
        expect(index, "Reshape");
        if (config(index, "target_shape") != Json::array({model_.spec.num_experts, 1}))
            refuse(index, "does not make one gate weight for each expert");
        return input(index);
    }

    std::size_t rescaled(std::size_t index, double scale, double offset) const {
        expect(index, "Rescaling");
        if (!is(config(index, "scale"), scale) || !is(config(index, "offset"), offset))
            refuse(index, "has other constants than a sparse gate needs");
        return input(index);
    }

    std::size_t relu(std::size_t index, bool capped) const {
        expect(index, "ReLU");
        const Json& most = config(index, "max_value");
        const auto zero = [&](const char* key) { return config(index, key).is_null() || is(config(index, key), 0.0); };
        if ((capped ? !is(most, 1.0) : !most.is_null()) || !zero("negative_slope") || !zero("threshold"))
            refuse(index, "has other limits than a sparse gate needs");
        return input(index);
    }

    void match_gate(std::size_t index, std::size_t mean) {
        ModelSpec& spec = model_.spec;
        if (node(index).class_name == "Softmax") {
            match_top_k(index);
        } else {
            spec.router = "soft";
            model_.gate = column(index);
        }
        if (dense(model_.gate, spec.router == "soft" ? "softmax" : "linear", max_experts) != spec.num_experts)
            refuse(model_.gate, "has another number of experts than the experts' weights");
        if (input(model_.gate) != mean) refuse(model_.gate, "does not read what the experts read");
    }

    void match_top_k(std::size_t softmax) {
        expect(softmax, "Softmax");
        const Json& axis = config(softmax, "axis");
        const int experts = tokens_ ? 2 : 1;
        if (axis != experts && axis != experts - 3 && axis != Json::array({experts}))
            refuse(softmax, "is not over the experts");
        const std::size_t kept = expect(input(softmax), "Add", 2);
        const std::size_t logits = input(kept, 0);
        model_.gate = column(logits);
        const std::size_t unchosen = relu(rescaled(input(kept, 1), far_below, 0), false);
        const std::size_t all = rescaled(unchosen, -1, 1);
        std::vector<std::size_t> chosen{all};
        if (node(all).class_name == "Add") chosen = node(all).inputs;
        if (chosen.empty() || chosen.size() > model_.spec.num_experts)
            refuse(all, "chooses more experts than there are");
        std::size_t rest = logits;
        for (std::size_t k = 0; k < chosen.size(); ++k) {
            const std::size_t gap = expect(rescaled(relu(chosen[k], true), steep, 2), "Subtract", 2);
            const std::size_t best = expect(input(gap, 1), "GlobalMaxPooling1D");
            const Json& format = config(best, "data_format");
            const bool over_experts = format == experts_pool(tokens_) || (format.is_null() && !tokens_);
            if (input(gap, 0) != rest || input(best) != rest || !is(config(best, "keepdims"), true) || !over_experts)
                refuse(gap, "does not compare with the largest of what is left");
            if (k + 1 == chosen.size()) break;
            // What is left: the logits without those chosen so far.
            const std::size_t later = expect(rescaled(relu(chosen[k + 1], true), steep, 2), "Subtract", 2);
            const std::size_t next = expect(input(later, 0), "Add", 2);
            if (input(next, 0) != rest || rescaled(input(next, 1), far_below, 0) != chosen[k])
                refuse(next, "does not take the chosen expert away");
            rest = next;
        }
        model_.spec.router = "top_k";
        model_.spec.top_k = chosen.size();
    }

    void match_mean(std::size_t mean) {
        match_embedding(input(mean));
        match_mean(mean, model_.embedding);
    }

    // Over the words of `rows`; the embedding is known.
    void match_mean(std::size_t mean, std::size_t rows) {
        const bool masked = node(mean).masked;
        expect(mean, "GlobalAveragePooling1D", masked ? 2 : 1);
        const Json& format = config(mean, "data_format");
        if ((!format.is_null() && format != "channels_last") || !is(config(mean, "keepdims"), false))
            refuse(mean, "does not take the mean over the words");
        if (input(mean) != rows) refuse(mean, "does not take the mean over the words");
        if (masked && input(expect(input(mean, 1), "NotEqual")) != input(model_.embedding))
            refuse(mean, "has a mask that does not say where the padding is");
        const bool says_so = config(model_.embedding, "mask_zero") == true;
        if (tokens_ && says_so && !masked)
            refuse(model_.embedding,
                   "says mask_zero, which Keras does not carry past the experts to the mean; give the mean its mask");
        model_.spec.mask_zero = masked || says_so;
    }

    void match_embedding(std::size_t index) {
        ModelSpec& spec = model_.spec;
        model_.embedding = expect(index, "Embedding");
        const std::size_t tokens = expect(input(model_.embedding), "InputLayer", 0);
        if (size(model_.embedding, config(model_.embedding, "input_dim"), largest_vocabulary, "a vocabulary") !=
            spec.vocabulary)
            refuse(model_.embedding, "has another vocabulary than the last layer");
        const std::size_t width =
            size(model_.embedding, config(model_.embedding, "output_dim"), largest_width, "a width");
        if (spec.embedding_dim == 0) spec.embedding_dim = width;
        if (width != spec.embedding_dim) refuse(model_.embedding, "has another width than the experts' output");
        const Json& shape = has(node(tokens).config, "batch_shape") ? config(tokens, "batch_shape")
                                                                    : config(tokens, "batch_input_shape");
        if (!shape.is_array() || shape.size() != 2) refuse(tokens, "does not take a row of words");
        spec.max_seq_len = shape[1].is_null() ? 0 : size(tokens, shape[1], max_sequence_length, "a number of words");
    }

    const std::string& name_;
    KerasModel model_;
    bool tokens_ = false;  // each token is routed
};

// Whether training here goes on as Keras's would. What is kept in memory beyond Adam's two moments is not read.
void read_optimizer(const Json& optimizer, KerasModel& model) {
    if (optimizer.is_string()) {
        model.adam = optimizer == "adam" || optimizer == "Adam";
        if (!model.adam) model.other_optimizer = shown(optimizer.get<std::string>());
        return;
    }
    const std::string name = text_of(optimizer, "class_name");
    if (name.empty()) return;
    const Json& config = has(optimizer, "config") ? optimizer["config"] : Json::object();
    const auto equals = [&](const char* key, double wanted) {
        return !has(config, key) || (config[key].is_number() && std::fabs(config[key].get<double>() - wanted) < 1e-12);
    };
    const auto off = [&](const char* key) {
        return !has(config, key) || config[key].is_null() || config[key] == false || config[key] == 0;
    };
    std::string with;
    if (!equals("beta_1", 0.9) || !equals("beta_2", 0.999) || !equals("epsilon", 1e-7)) with = "other constants";
    for (const char* key : {"amsgrad", "use_ema", "weight_decay", "clipnorm", "global_clipnorm", "clipvalue",
                            "gradient_accumulation_steps", "loss_scale_factor"})
        if (!off(key)) with += (with.empty() ? "" : ", ") + std::string(key);
    model.adam = name == "Adam" && with.empty();
    if (!model.adam) model.other_optimizer = shown(name) + (with.empty() ? "" : " with " + with);
    if (!name.starts_with("Adam") || !has(config, "learning_rate")) return;  // another's rate means something else
    const Json& rate = config["learning_rate"];
    if (rate.is_number()) model.learning_rate = rate.get<double>();
    if (rate.is_object() && has(rate, "config") && has(rate["config"], "initial_learning_rate") &&
        rate["config"]["initial_learning_rate"].is_number())
        model.learning_rate = rate["config"]["initial_learning_rate"].get<double>();
    if (rate.is_object())
        model.schedule = text_of(rate, "class_name").empty() ? "schedule" : shown(text_of(rate, "class_name"));
}

// What Keras would do otherwise than training here, and does not show in a prediction.
void note_differences(KerasModel& model) {
    const std::set<std::size_t> weighted = {model.embedding, model.gate, model.hidden, model.experts, model.head};
    for (std::size_t i = 0; i < model.graph.nodes.size(); ++i) {
        const KerasNode& node = model.graph.nodes[i];
        if (!node.config.is_object()) continue;
        for (const auto& [key, value] : node.config.items()) {
            if (key == "trainable" && value == false && weighted.contains(i)) model.frozen.push_back(shown(node.name));
            if ((key.ends_with("_regularizer") || key.ends_with("_constraint")) && !value.is_null())
                model.left_out.push_back("the " + shown(key) + " of the layer '" + shown(node.name) + "'");
        }
    }
}

void note_loss(const Json& loss, KerasModel& model) {
    std::string said = loss.is_string() ? loss.get<std::string>() : text_of(loss, "class_name");
    if (said == "function") said = text_of(loss, "config");
    std::string plain;
    for (const char c : said)
        if (c != '_') plain += char(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    if (!said.empty() && plain != "sparsecategoricalcrossentropy")
        model.left_out.push_back("the loss '" + shown(said) + "'");
}

KerasModel read_model(const Json& file, const std::string& name, bool legacy) {
    const std::string class_name = text_of(file, "class_name");
    if (class_name != "Functional" && class_name != "Model")
        throw Error("'" + name + "' holds a Keras model of the class '" + shown(class_name) +
                    "', but only functional models are read here; save the model as keras.Model(inputs, outputs).");
    KerasModel model = Matcher(GraphReader(name, legacy).read(json_field(file, "config", name)), name).match();
    note_differences(model);
    return model;
}

}  // namespace

KerasModel read_keras_config(std::string_view json, const std::string& name) {
    const Json file = parse_json(json, name + ": config.json");
    KerasModel model = read_model(file, name, false);
    if (has(file, "compile_config") && has(file["compile_config"], "optimizer"))
        read_optimizer(file["compile_config"]["optimizer"], model);
    if (has(file, "compile_config") && has(file["compile_config"], "loss"))
        note_loss(file["compile_config"]["loss"], model);
    return model;
}

KerasModel read_legacy_config(std::string_view model_config, std::string_view training_config,
                              const std::string& name) {
    KerasModel model = read_model(parse_json(model_config, name + ": model_config"), name, true);
    if (training_config.empty()) return model;
    const Json training = parse_json(training_config, name + ": training_config");
    if (has(training, "optimizer_config")) read_optimizer(training["optimizer_config"], model);
    if (has(training, "loss")) note_loss(training["loss"], model);
    return model;
}

}  // namespace moe
