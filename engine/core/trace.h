#pragma once
#include "engine/core/state.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace moe {

enum class TracePhase { forward, backward, update };

/// An array that the batch computes on its way, row-major. The first dimension is always the example. Letters:
/// engine/backend/backend.h; K experts were chosen for each example (a soft gate: K = E, in order), and visit (n, k) is
/// example n at expert expert_indices[n][k]. Where tokens are routed, visit (n, t*K + k) is token t of example n at the
/// k-th expert chosen for it.
struct TraceValue {
    std::string name;                // "gate_logits"; a gradient of the loss by it: "d_gate_logits"
    std::vector<std::size_t> shape;  // (N, ...), as long as it has dimensions
    std::vector<float> values;

    /// Numbers of one example; of one visit where the shape is (N, K, ...). Empty where there is no such example.
    std::span<const float> of(std::size_t example) const;
    std::span<const float> of(std::size_t example, std::size_t visit) const;
};

/// One operation of the step in the order in which it is carried out. Inputs and outputs are names of values, of
/// parameters before the step ("gate/kernel"), of a parameter's gradient ("d:gate/kernel"), its moments ("m:...",
/// "v:...") and what the update makes of the three ("new:...", "new_m:...", "new_v:..."), and of the trace's own fields
/// ("ids", "targets", "expert_indices", "assignments", "balance"). Trace::numbers() finds each.
struct TraceOp {
    std::string id;  // "gate_softmax", "gate_softmax_backward", "adam"
    TracePhase phase = TracePhase::forward;
    std::vector<std::string> inputs, outputs;
};

/// What a name of TraceOp stands for: floats, or whole numbers; a view into the trace.
struct TraceNumbers {
    std::vector<std::size_t> shape;
    std::span<const float> values;
    std::span<const std::int32_t> integers;
};

/// Every operation of one training step on one batch: forward, loss, backward, and what the update will do. A separate
/// evaluation from the same state by the same ops, which changes no weights. Immutable: any
/// thread.
///
/// Values, forward: embedding_rows (N,T,D), mean (N,D), gate_logits (N,E), gate_probs (N,E), expert_weights (N,K),
///   hidden_sums (N,K,H) before the activation, hidden (N,K,H), answers (N,K,D), mixed (N,D), logits (N,V), probs
///   (N,V), loss (N) cross-entropy of each example.
/// Backward, gradients of the mean loss of the batch plus the balance loss: d_logits (N,V), d_mixed (N,D),
///   d_answers (N,K,D), d_expert_weights (N,K), d_gate_probs_balance (N,E) (what the balance loss alone leaves),
///   d_gate_logits_task, d_gate_logits_balance, d_gate_logits (N,E) (the third is the sum of the two),
///   d_hidden (N,K,H), d_hidden_sums (N,K,H), d_mean_experts, d_mean_gate, d_mean (N,D) (the third is the sum),
///   d_embedding_rows (N,T,D). Without a balance loss what comes from it is 0, and no op writes it.
/// Where tokens are routed (family=token) each stands at the gate: embedding_rows (with mask_zero padding's are 0),
/// gate_*
///   (N,T,E), expert_weights (N,T*K), hidden_* (N,T*K,H), answers (N,T*K,D), mixed (N,T,D), and then mean (N,D), which
///   the head reads. Backward d_mean (N,D) and d_mixed (N,T,D) come first, and d_rows_experts, d_rows_gate (N,T,D) are
///   what d_embedding_rows is the sum of.
/// A phrase that is only served has the forward values alone.
struct Trace {
    Experiment experiment;
    std::uint64_t step = 0;           // trained before this batch; the update makes step + 1
    std::uint64_t epoch = 0;          // finished before it
    std::uint64_t first_example = 0;  // position of the batch in its epoch's order

    std::size_t examples = 0;                  // N
    std::vector<std::int32_t> ids;             // (N, T) padded on the left
    std::vector<std::int32_t> targets;         // (N); empty for a phrase
    std::vector<std::int32_t> expert_indices;  // (N, K) or (N, T*K)
    std::vector<std::int32_t> assignments;     // (N, K or 1), each T times: the choices that the balance loss counts
    float loss = 0, balance = 0;               // of the batch: mean cross-entropy; weighted load-balancing loss
    std::size_t correct = 0;

    std::vector<TraceOp> ops;
    std::vector<TraceValue> values;

    /// Weights, Adam's m and v before the step: the state that the batch meets. Moments that it left empty are zeros
    /// here.
    std::shared_ptr<const RunState> state;
    std::vector<NamedArray> gradients;  // of every parameter, in canonical order; empty for a phrase
    float rate = 0;                     // lr * sqrt(1 - b2^t) / (1 - b1^t): Adam's step size, as Keras has it
    /// What the update makes of weights, m and v: by the op that training uses. Empty for a phrase.
    std::vector<NamedArray> new_parameters, new_momentum, new_velocity;

    /// How often an example stands at the gate: once or, where tokens are routed, T times.
    std::size_t routed_places() const;
    /// K.
    std::size_t experts_per_token() const;
    /// Null where this run has no such value.
    const TraceValue* find(std::string_view name) const;
    const NamedArray* parameter(std::string_view name) const;  // as it was before the step
    const NamedArray* gradient(std::string_view name) const;
    /// What the update's v counts for number `index` of a parameter: its gradient's square; of the embedding, with
    /// embedding_squares=per_occurrence, the squares of what each place of its word adds, summed.
    double squared_gradient(std::string_view name, std::size_t index) const;
    bool squares_places() const { return experiment.train.embedding_squares == "per_occurrence"; }
    /// Nothing where `name` is none of those that TraceOp explains.
    std::optional<TraceNumbers> numbers(std::string_view name) const;
    bool backward() const { return !gradients.empty(); }
};

}  // namespace moe
