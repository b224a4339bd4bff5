#pragma once
#include "engine/core/spec.h"
#include "engine/formats/json_text.h"

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace moe {

/// A layer (or operation) of a Keras functional model, used once.
struct KerasNode {
    std::string class_name, name;
    Json config = Json::object();
    std::vector<std::size_t> inputs;  // nodes in the order of the call's arguments, the mask last
    bool masked = false;              // the last input is the call's mask
    std::vector<std::size_t> shape;   // of its output, without the batch
};

/// The layers of a model as Keras sees them.
struct KerasGraph {
    std::vector<KerasNode> nodes;
    std::size_t output = 0;

    /// Keras's own order of `model.layers`: depth (longest path to the output) descending, ties by first visit of a
    /// depth-first walk from the output. Nodes that the output does not need are left out.
    std::vector<std::size_t> order() const;

    /// [node]: the group in model.weights.h5 ("layers/dense_1"), whose counters run in order(). Empty for operations,
    /// which have none, and for nodes that order() leaves out.
    std::vector<std::string> groups() const;
};

/// The tutorial's own layer, a gate and a list of experts, whatever package it was registered under. Its code is not in
/// the file: it is known here, and taken to be the tutorial's.
inline constexpr std::string_view tutorial_class = "MoELayer";

/// A variable of Keras: where it stands, and which canonical parameter it is, or which expert's part of one.
struct KerasVariable {
    std::string path;  // "layers/embedding/vars/0"
    std::size_t parameter = 0;
    std::optional<std::size_t> expert = {};
};

/// The layers that carry the model's parameters, in the order of canonical_parameters(): embedding, gate, hidden and
/// output bank of the experts, head. The embedding has one array (vars/0), the others kernel and bias (vars/0, vars/1).
struct KerasModel {
    KerasGraph graph;
    ModelSpec spec;  // max_seq_len 0 where the file does not say
    std::size_t embedding = 0, gate = 0, hidden = 0, experts = 0, head = 0;
    std::optional<double> learning_rate;
    bool adam = false;  // compiled with Adam as this program has it: beta 0.9 and 0.999, epsilon 1e-7, nothing more
    std::string other_optimizer;  // "SGD", "Adam with weight_decay"; empty where `adam`, or not compiled
    std::string schedule;         // of the learning rate, "ExponentialDecay"; empty: it is a number
    std::vector<std::string> frozen;    // layers that Keras does not train
    std::vector<std::string> left_out;  // of Keras's training here: "the kernel_regularizer of the layer 'gate'"

    /// The tutorial's class: gate, hidden and experts are that one layer. num_experts and hidden_dim of `spec` are then
    /// 0, to be read from the weights' shapes, and must agree with the layer's whole-numbered settings.
    bool of_classes = false;
    std::vector<std::pair<std::string, std::size_t>> class_settings;
    std::optional<bool> gate_first;  // of the class's variables, where that is known: its gate's, or its experts'

    /// "layers/embedding/vars/0" and so on: [parameter] in the order of canonical_parameters(). Built-in form only.
    std::vector<std::string> weight_paths() const;

    /// [k]: which parameter is the k-th of Keras's `model.trainable_variables`. Built-in form only.
    std::vector<std::size_t> trainable_order() const;

    /// Keras's `model.trainable_variables` in their order, of the forms that are written here.
    std::vector<KerasVariable> variables() const;
    /// Every group of model.weights.h5 below the root, sorted; variables() stand in some of them.
    std::vector<std::string> weight_groups() const;
};

/// The constants of a sparse gate in built-in layers (build_keras_model). Others predict right and train wrong.
inline constexpr double steep = 1e20, far_below = -1e9;

/// One of the two layers of the expert bank as an EinsumDense, on a phrase's mean or on each token.
struct KerasBank {
    const char *of_phrases, *of_tokens, *bias_axes;
};
inline constexpr KerasBank hidden_bank = {"bd,edh->beh", "btd,edh->bteh", "eh"},
                           output_bank = {"beh,ehd->bed", "bteh,ehd->bted", "ed"};
/// How the answers to each token are mixed.
inline constexpr const char* token_mix = "bte,bted->btd";
/// The axis over which a largest score is one of the experts': data_format of GlobalMaxPooling1D.
inline constexpr const char* experts_pool(bool tokens) {
    return tokens ? "channels_first" : "channels_last";
}

/// "MoELayer" -> "mo_e_layer", as keras.src.utils.naming.to_snake_case does.
std::string keras_snake_case(std::string_view class_name);

/// The model in Keras's built-in layers; what routes tokens mixes their answers by an Einsum. A sparse gate is a chain
/// of maxima, differences and steps (the constants matter: others predict right and train wrong); Keras computes every
/// expert all the same.
KerasModel build_keras_model(const ModelSpec& spec);

/// The model in the tutorial's classes, which `moe_layers.py` declares (keras_code.h). Throws Error where they cannot
/// say what it does: they mix all experts, of a phrase's mean.
KerasModel build_class_model(const ModelSpec& spec);

/// `config.json` of a .keras archive, with minimal layer configurations, which Keras 3.3.3 and later read.
std::string write_keras_config(const KerasModel& model, double learning_rate);

/// Recognises the built-in form, and the tutorial's, by the shape of its graph, whatever the layers' names. Throws
/// Error naming `name` and the layer that does not fit: a class of somebody's own, a Lambda, an activation that the
/// engine does not compute, another architecture, sizes that contradict.
KerasModel read_keras_config(std::string_view json, const std::string& name);

/// The same of a legacy `.h5`: its attributes `model_config` and `training_config` (empty where it was not compiled).
KerasModel read_legacy_config(std::string_view model_config, std::string_view training_config, const std::string& name);

}  // namespace moe
