#include "engine/bench/mixture_step.h"

#include "engine/core/rng.h"
#include "engine/core/settings.h"
#include "engine/model/language_model.h"

#include <algorithm>

namespace moe {

namespace {

Experiment sized_layer(std::size_t D, std::size_t E, std::size_t N) {
    Experiment e;
    e.model.vocabulary = 2, e.model.max_seq_len = 1;  // the layer knows neither
    e.model.embedding_dim = D;
    e.model.hidden_dim = 4 * D;
    e.model.num_experts = E;
    e.model.router = "top_k";
    e.train.batch_size = N;
    validate(e, default_memory_limit());
    return e;
}

/// The layer's own parameters, the initial ones of a whole model.
void add_layer_parameters(Backend<float>& backend, Parameters<float>& parameters, const Experiment& e) {
    const std::vector<NamedArray> initial = initial_parameters(e.model, e.train.seed);
    for (const NamedArray& p : initial)
        if (p.name.starts_with("gate/") || p.name.starts_with("experts/")) parameters.add(p.name, Shape{p.shape});
    upload_parameters(backend, parameters, initial);
}

}  // namespace

MixtureStep::MixtureStep(Backend<float>& backend, std::size_t D, std::size_t E, std::size_t N)
    : backend_(backend),
      experiment_(sized_layer(D, E, N)),
      parameters_(backend),
      mixture_((add_layer_parameters(backend, parameters_, experiment_), backend), parameters_, experiment_.model, N,
               ModelUse::train),
      host_gradient_(N * D),
      input_(backend.allocate({{N, D, 1}})),
      gradient_(backend.allocate({{N, D, 1}})) {
    Rng rng(7);
    std::vector<float> input(N * D);
    for (float& x : input) x = float(2 * rng.uniform() - 1) * 1.7f;  // of variance 1
    for (float& x : host_gradient_) x = float(2 * rng.uniform() - 1);
    backend.upload(input_, input.data());
    backend.upload(gradient_, host_gradient_.data());
}

void MixtureStep::run(std::size_t steps) {
    for (std::size_t i = 0; i < steps; ++i) {
        last_ = mixture_.forward(input_);
        mixture_.backward(gradient_, last_);
    }
    float balance = 0;
    backend_.download(last_.balance_loss, &balance);  // waits for all that was asked before
}

double MixtureStep::loss() {
    std::vector<float> output(host_gradient_.size());
    backend_.download(last_.output, output.data());
    double sum = 0;
    for (std::size_t i = 0; i < output.size(); ++i) sum += double(output[i]) * double(host_gradient_[i]);
    return sum / double(experiment_.train.batch_size);
}

double MixtureStep::flop() const {
    const ModelSpec& m = experiment_.model;
    const double N = double(experiment_.train.batch_size), D = double(m.embedding_dim), H = double(m.hidden_dim);
    return 3 * 2 * N * (double(m.top_k) * 2 * D * H + D * double(m.num_experts));
}

double MixtureStep::weight_bytes() const {
    const ModelSpec& m = experiment_.model;
    const std::size_t visited = std::min(m.num_experts, experiment_.train.batch_size * m.top_k);
    return 3.0 * sizeof(float) * double(visited * 2 * m.embedding_dim * m.hidden_dim);
}

}  // namespace moe
