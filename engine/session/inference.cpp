#include "engine/session/inference.h"

#include "engine/session/probe.h"

#include <algorithm>

namespace moe {

class Predictor::Impl {
public:
    Impl(const RunState& state, Tokenizer given)
        : tokenizer(std::move(given)),
          backend(make_backend({"cpu", 1})),
          parameters(*backend, false),
          mask(state.experiment.model.mask_zero) {
        add_parameters(parameters, state.experiment.model);
        upload_parameters(*backend, parameters, state.parameters);
        probe = std::make_unique<Probe>(*backend, parameters, state.experiment.model, tokenizer);
    }

    Tokenizer tokenizer;
    std::unique_ptr<Backend<float>> backend;
    Parameters<float> parameters;
    bool mask;
    std::unique_ptr<Probe> probe;
};

Predictor::Predictor(const RunState& state, Tokenizer tokenizer)
    : impl_(std::make_unique<Impl>(state, std::move(tokenizer))) {}
Predictor::~Predictor() = default;

ProbeForward Predictor::run(std::string_view text, std::size_t top_n) {
    Probe& probe = *impl_->probe;
    probe.set_text(std::string(text));
    ProbeForward f = probe.run(probe.prefixes(), top_n);  // the last prefix: the whole text
    if (!f.prefix_words.empty()) return f;
    if (impl_->mask)
        throw Error("The model knows no word of \"" + std::string(text) +
                    "\", and with mask_zero it has nothing to average; use words of its vocabulary.");
    const std::int32_t padding = 0;
    f.focused = probe.serve({&padding, 1}, top_n);  // as Keras serves it: a row of padding
    return f;
}

const std::vector<float>& Predictor::probabilities() const {
    return impl_->probe->probabilities();
}

}  // namespace moe
