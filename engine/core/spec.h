#pragma once
#include <cstddef>
#include <cstdint>
#include <string>

namespace moe {

inline constexpr std::size_t max_sequence_length = 512;  // longer prefixes keep their end
inline constexpr std::size_t max_experts = 2048, largest_width = 65536, largest_vocabulary = 16'777'216;

/// What is built. Every size is a field; plain data, compared by value. Letters: engine/backend/backend.h.
struct ModelSpec {
    std::string family = "pooled";    // the tutorial's model: embedding, mean, mixture, softmax
    std::size_t vocabulary = 0;       // V, with row 0 for padding; 0: from the corpus
    std::size_t max_seq_len = 0;      // T; 0: the corpus's longest prefix, at most 512
    std::size_t embedding_dim = 32;   // D
    std::size_t hidden_dim = 64;      // H
    std::string activation = "relu";  // of the hidden units: a name of activations
    std::size_t num_experts = 4;      // E
    std::string router = "soft";      // an id of routers()
    std::size_t top_k = 2;            // K; a soft gate runs all experts whatever this says
    bool mask_zero = false;           // the mean leaves padding out
    double balance_loss = 0;          // weight of E * sum_i f_i P_i (Switch Transformer, eq. 4)

    bool operator==(const ModelSpec&) const = default;
};

/// How it is trained: Keras's Adam (beta 0.9, 0.999, epsilon 1e-7) on sparse categorical cross-entropy.
struct TrainSpec {
    std::size_t batch_size = 8;  // B; the last batch of an epoch may be short
    double learning_rate = 1e-3;
    std::size_t epochs = 100;  // where "finished" is
    std::uint64_t seed = 1;    // initial weights, and the order of every epoch
    bool shuffle = true;       // false: the corpus's own order, every epoch
    /// What Adam's v of the embedding counts: "whole", the square of a word's gradient; "per_occurrence", the sum of
    /// the squares of what each of the word's places in the batch adds to it, as Keras on TensorFlow does.
    std::string embedding_squares = "whole";

    bool operator==(const TrainSpec&) const = default;
};

/// All that `--set` can name. With a corpus it determines a training run to the bit.
struct Experiment {
    ModelSpec model;
    TrainSpec train;

    bool operator==(const Experiment&) const = default;
};

}  // namespace moe
