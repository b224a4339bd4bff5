#pragma once
#include "engine/core/epoch_curve.h"
#include "engine/core/spec.h"

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace moe {

/// A parameter by its canonical name, row-major, as plain numbers on the host.
struct NamedArray {
    std::string name;                           // "embedding", "gate/kernel", "experts/hidden/kernel", ...
    std::array<std::size_t, 3> shape{1, 1, 1};  // trailing ones where it has fewer dimensions
    std::vector<float> values;

    bool operator==(const NamedArray&) const = default;
};

/// Sums over the examples of the current epoch so far: an epoch's loss is their mean, as in Keras's history.
struct EpochSums {
    double loss = 0;     // sum over examples of the cross-entropy at the moment their batch was trained
    double balance = 0;  // sum over examples of the weighted load-balancing loss of their batch
    std::uint64_t correct = 0, examples = 0;

    bool operator==(const EpochSums&) const = default;
};

/// Everything from which training goes on to the same bits. Parameters in the order of canonical_parameters().
struct RunState {
    Experiment experiment;                    // vocabulary and max_seq_len resolved
    std::uint64_t target_epochs = 0;          // where "finished" is; 0: after the experiment's epochs
    std::shared_ptr<const RunState> initial;  // where the run began and a reset leads; null: the seed's own weights
    std::uint64_t step = 0;                   // the optimizer's iterations
    std::uint64_t epoch = 0;                  // epochs finished
    std::uint64_t next_example = 0;           // position in the current epoch's order
    EpochSums sums;
    std::vector<double> load_sums;  // (E) gate weight that each expert got in the epoch so far; empty: none
    std::vector<float> load;        // (E) shares of it in the last finished epoch; empty before the first
    EpochCurve epochs;              // the finished ones; thinned in a very long run
    std::vector<NamedArray> parameters;
    std::vector<NamedArray> momentum, velocity;  // Adam's m and v; empty: all zero

    bool operator==(const RunState& other) const;
};

/// Names and shapes of the model's parameters, in Keras's order of `trainable_variables` for the built-in form:
///   embedding (V,D); gate/kernel (D,E); gate/bias (E); experts/hidden/kernel (E,D,H); experts/hidden/bias (E,H);
///   experts/output/kernel (E,H,D); experts/output/bias (E,D); head/kernel (D,V); head/bias (V).
/// `values` are left empty.
std::vector<NamedArray> canonical_parameters(const ModelSpec& spec);

}  // namespace moe
