#pragma once
#include "engine/core/spec.h"

#include <span>
#include <string>
#include <string_view>

namespace moe {

/// One key of `--set`, of lesson files and of `moe-lab/experiment.json`: the same names everywhere.
struct Setting {
    std::string_view key;
    std::string_view help;   // one line, for help texts and tooltips
    std::string_view range;  // "1 to 2048", "soft, top_k", "true or false"
    bool needs_new_model;    // changing it starts again from fresh weights
    std::string (*get)(const Experiment&);
    void (*set)(Experiment&, std::string_view value);  // throws UsageError naming key, value and range
};

/// Every setting there is, in the order in which help texts list them.
std::span<const Setting> settings();

/// Throws UsageError that lists the keys where `key` is none of them.
const Setting& find_setting(std::string_view key);

/// `key=value`, as the command line gives it. Throws UsageError.
void apply_setting(Experiment& experiment, std::string_view key, std::string_view value);

/// What single values cannot show: K > E, sizes whose model would not fit into `memory_limit` bytes (the sentence
/// names the bytes). Needs a resolved vocabulary and max_seq_len. Throws Error, before anything is allocated.
void validate(const Experiment& experiment, std::size_t memory_limit);

/// Bytes that training takes: parameters with gradients and two moments, the last good state, the planned workspace.
/// Throws Error where that leaves 64 bits.
std::size_t required_bytes(const Experiment& experiment);

/// Weights and biases of the model. V, D, H, E as in the spec.
std::size_t parameter_count(const ModelSpec& spec);

/// Experts that an example reaches: K, or E for a soft gate.
std::size_t experts_per_token(const ModelSpec& spec);

/// Three quarters of the machine's memory.
std::size_t default_memory_limit();

}  // namespace moe
