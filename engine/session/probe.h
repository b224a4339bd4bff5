#pragma once
#include "engine/model/language_model.h"
#include "engine/session/snapshot.h"
#include "engine/text/tokenizer.h"

#include <span>
#include <string>
#include <vector>

namespace moe {

/// Asks a model what it does with a text, without touching its weights: the routing of every prefix, and for one prefix
/// the whole way to the next word. One thread at a time; allocates its workspace once, its results each time.
class Probe {
public:
    /// Over parameters that a trainer may own. `spec` as resolved.
    Probe(Backend<float>& backend, const Parameters<float>& parameters, const ModelSpec& spec,
          const Tokenizer& tokenizer);

    /// Cuts the text into words and prefixes. At most 512 prefixes: a longer text keeps its end.
    void set_text(std::string text);

    /// Everything a snapshot shows. `focus` is a prefix; the last one where it is beyond the end. A text without a
    /// known word has no prefixes.
    ProbeForward run(std::size_t focus, std::size_t top_n = 10);

    /// Gate weights alone, (P, E), of every prefix: what the history keeps.
    void gate_weights(std::vector<float>& to);

    /// The whole way of one row of ids (T), padded or not. Probabilities of the row stay in probabilities().
    FocusedForward serve(std::span<const std::int32_t> row, std::size_t top_n);

    std::size_t prefixes() const { return prefix_words_.size(); }
    std::span<const std::int32_t> row(std::size_t prefix) const;  // (T) ids as served
    const std::string& text() const { return text_; }
    const std::vector<float>& probabilities() const { return probabilities_; }  // (V) of the last focused prefix

private:
    void route(std::size_t first, std::size_t count);
    void keep_gate(std::size_t first, std::size_t count);
    void spread_gate(std::vector<float>& to) const;

    Backend<float>& backend_;
    ModelSpec spec_;
    const Tokenizer& tokenizer_;
    ModelSpec columns_;  // under which a prefix is routed for its column
    LanguageModel<float> routing_, serving_;
    Ids ids_, row_;
    Tensor<float> softmax_;
    LanguageModel<float>::Context context_;

    std::string text_;
    std::vector<ProbeWord> words_;
    std::vector<std::size_t> prefix_words_;
    std::vector<std::int32_t> rows_, column_ids_;  // (P, T) as served; as routed
    std::vector<float> probabilities_, weights_;
    std::vector<std::int32_t> indices_;
};

}  // namespace moe
