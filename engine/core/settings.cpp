#include "engine/core/settings.h"

#include "engine/core/activation.h"
#include "engine/core/checked.h"
#include "engine/core/family.h"
#include "engine/core/numbers.h"
#include "engine/core/state.h"

#include <unistd.h>

#include <array>
#include <cmath>

namespace moe {

namespace {

constexpr std::size_t largest_batch = 65536;
constexpr std::string_view family_ids = "pooled or token";  // a test holds it against families

[[noreturn]] void refuse(std::string_view key, std::string_view value, std::string_view range) {
    throw UsageError("The setting " + std::string(key) + " cannot be '" + std::string(value) + "': it takes " +
                     std::string(range) + ".");
}

std::size_t whole(std::string_view key, std::string_view value, std::string_view range, std::size_t low,
                  std::size_t high) {
    unsigned long long number = 0;
    if (!parse_number(value, number) || number < low || number > high) refuse(key, value, range);
    return std::size_t(number);
}

double real(std::string_view key, std::string_view value, std::string_view range, double low, double high) {
    double number = 0;
    if (!parse_number(value, number) || !std::isfinite(number) || number < low || number > high)
        refuse(key, value, range);
    return number;
}

bool truth(std::string_view key, std::string_view value, std::string_view range) {
    if (value == "true" || value == "1") return true;
    if (value == "false" || value == "0") return false;
    refuse(key, value, range);
}

std::string text_of(bool value) {
    return value ? "true" : "false";
}
std::string text_of(std::size_t value) {
    return std::to_string(value);
}

// Each row reads and writes one field; the ranges stand in one place, as text and as code side by side.
#define WHOLE(key, help, range, fresh, field, low, high)                                            \
    Setting {                                                                                       \
        key, help, range, fresh, [](const Experiment& x) { return text_of(std::size_t(x.field)); }, \
            [](Experiment& x, std::string_view v) { x.field = whole(key, v, range, low, high); }    \
    }
#define REAL(key, help, range, fresh, field, low, high)                                         \
    Setting {                                                                                   \
        key, help, range, fresh, [](const Experiment& x) { return to_text(x.field); },          \
            [](Experiment& x, std::string_view v) { x.field = real(key, v, range, low, high); } \
    }
#define TRUTH(key, help, fresh, field)                                                           \
    Setting {                                                                                    \
        key, help, "true or false", fresh, [](const Experiment& x) { return text_of(x.field); }, \
            [](Experiment& x, std::string_view v) { x.field = truth(key, v, "true or false"); }  \
    }

const std::array all_settings = {
    Setting{"family", "pooled routes the mean of a phrase's words, token routes each word and takes the mean after",
            family_ids, true, [](const Experiment& x) { return x.model.family; },
            [](Experiment& x, std::string_view v) {
                if (!find_family(v)) refuse("family", v, family_ids);
                x.model.family = v;
            }},
    WHOLE("num_experts", "experts in the mixture", "1 to 2048", true, model.num_experts, 1, max_experts),
    Setting{"router", "soft runs every expert, top_k the best K of each example (family=token: of each word)",
            "soft or top_k", true, [](const Experiment& x) { return x.model.router; },
            [](Experiment& x, std::string_view v) {
                if (v != "soft" && v != "top_k") refuse("router", v, "soft or top_k");
                x.model.router = v;
            }},
    WHOLE("top_k", "experts that an example reaches with router=top_k", "1 to num_experts", true, model.top_k, 1,
          max_experts),
    WHOLE("embedding_dim", "width of embeddings and expert outputs", "1 to 65536", true, model.embedding_dim, 1,
          largest_width),
    WHOLE("hidden_dim", "hidden units of each expert", "1 to 65536", true, model.hidden_dim, 1, largest_width),
    Setting{"activation", "what the experts' hidden units make of their sums", "relu, linear, gelu, gelu_tanh or tanh",
            true, [](const Experiment& x) { return x.model.activation; },
            [](Experiment& x, std::string_view v) {
                if (!find_activation(v)) refuse("activation", v, "relu, linear, gelu, gelu_tanh or tanh");
                x.model.activation = v;
            }},
    TRUTH("mask_zero", "padding counts for nothing: not in a phrase's mean, the load, the balance loss", true,
          model.mask_zero),
    WHOLE("max_seq_len", "longest prefix that the model reads; longer ones keep their end; 0: from the corpus",
          "0 to 512", true, model.max_seq_len, 0, max_sequence_length),
    REAL("balance_loss", "weight of the load-balancing loss, 0 for none", "0 to 1000", false, model.balance_loss, 0,
         1000),
    WHOLE("batch_size", "examples in a step", "1 to 65536", false, train.batch_size, 1, largest_batch),
    REAL("learning_rate", "Adam's learning rate", "a number from 0 to 1e12", false, train.learning_rate, 0, 1e12),
    WHOLE("epochs", "passes over the corpus", "1 to 1000000000", false, train.epochs, 1, 1'000'000'000),
    WHOLE("seed", "of initial weights and of the order of examples", "0 to 18446744073709551615", true, train.seed, 0,
          ~0ull),
    Setting{"embedding_squares",
            "gradients that Adam squares for a word's row: whole, or each place's as TensorFlow does",
            "whole or per_occurrence", true, [](const Experiment& x) { return x.train.embedding_squares; },
            [](Experiment& x, std::string_view v) {
                if (v != "whole" && v != "per_occurrence") refuse("embedding_squares", v, "whole or per_occurrence");
                x.train.embedding_squares = v;
            }},
    TRUTH("shuffle", "a new order of examples every epoch", false, train.shuffle),
};

#undef WHOLE
#undef REAL
#undef TRUTH

std::size_t product(std::initializer_list<std::size_t> sizes) {
    return checked_product("The model", sizes);
}
std::size_t sum(std::initializer_list<std::size_t> sizes) {
    return checked_sum("The model", sizes);
}

}  // namespace

std::span<const Setting> settings() {
    return all_settings;
}

const Setting& find_setting(std::string_view key) {
    std::string known;
    for (const Setting& s : all_settings) {
        if (s.key == key) return s;
        known += (known.empty() ? "" : ", ") + std::string(s.key);
    }
    throw UsageError("There is no setting '" + std::string(key) + "'; the settings are " + known + ".");
}

void apply_setting(Experiment& experiment, std::string_view key, std::string_view value) {
    find_setting(key).set(experiment, value);
}

std::size_t experts_per_token(const ModelSpec& spec) {
    return spec.router == "top_k" ? spec.top_k : spec.num_experts;
}

std::size_t parameter_count(const ModelSpec& spec) {
    std::size_t count = 0;
    for (const NamedArray& p : canonical_parameters(spec))
        count = sum({count, product({p.shape[0], p.shape[1], p.shape[2]})});
    return count;
}

std::size_t required_bytes(const Experiment& experiment) {
    const ModelSpec& s = experiment.model;
    const std::size_t B = experiment.train.batch_size, K = experts_per_token(s);
    // What meets the gate: the examples or, where tokens are routed, each of their tokens.
    const bool tokens = routes_tokens(s);
    const std::size_t routed = tokens ? product({B, s.max_seq_len}) : B, rows = product({routed, K});
    // Value, gradient, m and v of each parameter, the last good value, m and v on the host and a copy on its way there;
    // activations and their gradients; the logits.
    const std::size_t sums = activation_named(s.activation).needs_sums ? s.hidden_dim : 0;
    const std::size_t values =
        sum({product({rows, 2, sum({s.hidden_dim, s.embedding_dim, s.embedding_dim, std::size_t(4)})}),
             product({rows, sums}), product({routed, tokens ? 7u : 6u, s.embedding_dim}),
             product({routed, 4, s.num_experts}), product({B, s.vocabulary}), product({B, s.max_seq_len})});
    const std::size_t squares =
        experiment.train.embedding_squares == "per_occurrence" ? product({s.vocabulary, s.embedding_dim}) : 0;
    return product({4, sum({product({8, parameter_count(s)}), squares, values})});
}

void validate(const Experiment& experiment, std::size_t memory_limit) {
    const ModelSpec& s = experiment.model;
    if (s.router == "top_k" && s.top_k > s.num_experts)
        throw Error("top_k is " + text_of(s.top_k) + " but there are only " + text_of(s.num_experts) +
                    " experts; choose a top_k of at most num_experts.");
    if (s.vocabulary < 2 || s.vocabulary > largest_vocabulary)
        throw Error("A vocabulary of " + text_of(s.vocabulary) + " cannot be trained on: it takes 2 to " +
                    with_commas(largest_vocabulary) + " words with the padding.");
    if (s.max_seq_len < 1 || s.max_seq_len > max_sequence_length)
        throw Error("max_seq_len is " + text_of(s.max_seq_len) + "; it takes 1 to 512.");
    const std::size_t bytes = required_bytes(experiment);
    if (bytes > memory_limit)
        throw Error("This model would take " + format_bytes(bytes) + " (" + with_commas(bytes) + " bytes), and " +
                    format_bytes(memory_limit) +
                    " is the limit on this machine; choose smaller sizes or a shorter text.");
}

std::size_t default_memory_limit() {
    const long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGE_SIZE);
    if (pages <= 0 || size <= 0) return std::size_t(4) << 30;
    return std::size_t(pages) * std::size_t(size) / 4 * 3;
}

}  // namespace moe
