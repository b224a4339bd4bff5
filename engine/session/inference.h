#pragma once
#include "engine/core/state.h"
#include "engine/session/snapshot.h"
#include "engine/text/tokenizer.h"

#include <memory>
#include <string_view>

namespace moe {

/// A trained model that answers: the serving path of the tutorial, text -> tokens -> ids -> padded row ->
/// probabilities. One thread at a time.
class Predictor {
public:
    Predictor(const RunState& state, Tokenizer tokenizer);
    ~Predictor();

    /// The text's routing for every prefix and, for the whole text, the prediction (`top` at most `top_n` words, and
    /// the full distribution in probabilities()). A text without a known word is served as Keras serves it, a row of
    /// padding; with mask_zero, where that would be NaN, throws Error.
    ProbeForward run(std::string_view text, std::size_t top_n = 10);

    /// (V) of the last run().
    const std::vector<float>& probabilities() const;

private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace moe
