#pragma once
#include "engine/core/state.h"
#include "engine/layers/parameters.h"
#include "engine/text/corpus.h"

#include <cstdint>
#include <span>
#include <vector>

namespace moe {

/// What the training step and its trace share, so that the two cannot part.

/// Order of the examples in an epoch: a Fisher-Yates shuffle seeded by (seed, epoch).
void shuffle_order(std::span<std::uint32_t> order, std::uint64_t seed, std::uint64_t epoch);

/// The order of `epoch`, a pure function of its arguments; left empty where it is the corpus's own.
void epoch_order(std::vector<std::uint32_t>& order, const TrainSpec& spec, std::uint64_t epoch, std::size_t examples);

/// The batch that begins at `first` in `order`: at most `batch_size` padded rows of T ids, and their next words.
/// Returns how many there are.
std::size_t fill_batch(const Corpus& corpus, std::span<const std::uint32_t> order, std::uint64_t first,
                       std::size_t batch_size, std::size_t T, std::span<std::int32_t> ids,
                       std::span<std::int32_t> targets);

/// lr * sqrt(1 - b2^t) / (1 - b1^t) for the update that makes step `t`: in float, as Keras has it.
float adam_rate(double learning_rate, std::uint64_t t);

/// Weights and moments into trained parameters; moments that are left empty become zeros. Throws Error where the state
/// does not fit.
void upload_state(Backend<float>& backend, Parameters<float>& parameters, const RunState& state);

/// One of the tensors of every parameter, in canonical order.
std::vector<NamedArray> download_all(Backend<float>& backend, const Parameters<float>& parameters,
                                     const ModelSpec& spec, Tensor<float> Parameters<float>::Entry::*which);

}  // namespace moe
