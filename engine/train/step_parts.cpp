#include "engine/train/step_parts.h"

#include "engine/core/rng.h"
#include "engine/model/language_model.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace moe {

namespace {

constexpr std::uint64_t epoch_streams = std::uint64_t(1) << 32;  // below it: the parameters' streams

}  // namespace

void shuffle_order(std::span<std::uint32_t> order, std::uint64_t seed, std::uint64_t epoch) {
    std::iota(order.begin(), order.end(), 0u);
    Rng rng(seed, epoch_streams + epoch);
    for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[rng.below(i)]);
}

void epoch_order(std::vector<std::uint32_t>& order, const TrainSpec& spec, std::uint64_t epoch, std::size_t examples) {
    if (!spec.shuffle) return order.clear();
    order.resize(examples);
    shuffle_order(order, spec.seed, epoch);
}

std::size_t fill_batch(const Corpus& corpus, std::span<const std::uint32_t> order, std::uint64_t first,
                       std::size_t batch_size, std::size_t T, std::span<std::int32_t> ids,
                       std::span<std::int32_t> targets) {
    const std::size_t n = std::min(batch_size, corpus.examples() - std::size_t(first));
    for (std::size_t i = 0; i < n; ++i) {
        const std::size_t at = std::size_t(first) + i, example = order.empty() ? at : order[at];
        pad_pre(corpus.prefix(example, T), ids.subspan(i * T, T));
        targets[i] = corpus.target(example);
    }
    return n;
}

float adam_rate(double learning_rate, std::uint64_t step) {
    const double t = double(step);
    // The correction of Kingma and Ba 2015, section 2, folded into the rate as Keras does: epsilon stays outside of it.
    // Betas, powers and differences in float, as Keras has them: 1 - 0.999f^t is off by 1e-5 in the first steps, and
    // curves that are to agree for hundreds of steps share that.
    const auto power = [t](double beta) { return float(std::pow(double(float(beta)), t)); };
    return float(learning_rate) * std::sqrt(1.0f - power(adam_beta2)) / (1.0f - power(adam_beta1));
}

void upload_state(Backend<float>& backend, Parameters<float>& parameters, const RunState& state) {
    upload_parameters(backend, parameters, state.parameters);
    const auto load = [&](const std::vector<NamedArray>& from, Tensor<float> Parameters<float>::Entry::*moment) {
        for (const auto& p : parameters.entries()) {
            if (from.empty()) {
                backend.fill(p.*moment, 0.0f);
                continue;
            }
            const auto found = std::ranges::find(from, p.name, &NamedArray::name);
            if (found == from.end() || found->values.size() != p.value.count())
                throw Error("The optimizer's state does not fit the parameter '" + p.name + "'.");
            backend.upload(p.*moment, found->values.data());
        }
    };
    load(state.momentum, &Parameters<float>::Entry::m);
    load(state.velocity, &Parameters<float>::Entry::v);
}

std::vector<NamedArray> download_all(Backend<float>& backend, const Parameters<float>& parameters,
                                     const ModelSpec& spec, Tensor<float> Parameters<float>::Entry::*which) {
    std::vector<NamedArray> all = canonical_parameters(spec);
    for (NamedArray& a : all) {
        const Tensor<float> tensor = parameters.find(a.name).*which;
        a.values.resize(tensor.count());
        backend.download(tensor, a.values.data());
    }
    return all;
}

}  // namespace moe
