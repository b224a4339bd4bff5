#pragma once
#include "app/models/number_ref.h"
#include "engine/core/activation.h"
#include "engine/core/trace.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace moe::app {

/// What a number of a trace is. The first are TraceValues, in the order in which they are computed; `batch_loss` and
/// `balance` are the trace's own two sums; the last seven are arrays of the model's parameters.
enum class Quantity : std::uint8_t {
    embedding_rows,
    mean,
    gate_logits,
    gate_probs,
    expert_weights,
    hidden_sums,
    hidden,
    answers,
    mixed,
    logits,
    probs,
    loss,
    d_logits,
    d_mixed,
    d_answers,
    d_expert_weights,
    d_gate_probs_balance,
    d_gate_logits_task,
    d_gate_logits_balance,
    d_gate_logits,
    d_hidden,
    d_hidden_sums,
    d_mean_experts,
    d_mean_gate,
    d_mean,
    d_rows_experts,
    d_rows_gate,
    d_embedding_rows,
    batch_loss,
    balance,
    target,
    parameter,
    gradient,
    momentum,
    velocity,
    new_parameter,
    new_momentum,
    new_velocity,
    none,
};

/// The model's parameters, in canonical order.
enum class ParameterId : std::uint8_t {
    embedding,
    gate_kernel,
    gate_bias,
    hidden_kernel,
    hidden_bias,
    output_kernel,
    output_bias,
    head_kernel,
    head_bias,
};

/// A number by its place: `at` is flat in the whole array, over all examples.
struct TraceNumber {
    Quantity what = Quantity::none;
    ParameterId parameter = ParameterId::embedding;  // only of parameters' arrays
    std::size_t at = 0;

    bool operator==(const TraceNumber&) const = default;
    bool isParameter() const { return what >= Quantity::parameter && what < Quantity::none; }
};

/// Where a number is: what its index means. Missing: it has no such coordinate.
struct NumberPlace {
    std::optional<std::size_t> example, token, expert, visit, dimension, unit, word;
};

/// How a number was computed from others of the same trace: one of a few forms, and the numbers in it.
struct Derivation {
    enum class Form {
        given,               // a weight, a moment, a target: nothing before it in this batch
        zero,                // by rule, see `why`
        sum,                 // scale * sum of factor * a * b
        softmax,             // exp(a of own) / sum of exp(a)
        softmax_gradient,    // a of own * (b of own - sum of a * b)
        relu,                // max(0, a)
        relu_gradient,       // a where b > 0, else 0
        activation,          // f(a)
        activation_slope,    // a * f'(b)
        negative_log,        // -ln a
        log_of_sum,          // ln(sum of exp(a)) - a of own: the same where the probability is too small for a float
        softmax_minus_one,   // scale * (a - target), target 1 or 0
        balance_share,       // scale * choices / all choices
        momentum,            // m + (g - m) * 0.1; terms: m, g
        velocity,            // v + (g^2 - v) * 0.001; terms: v, g
        velocity_of_places,  // the same with the sum of several squares; terms: v, each place's gradient
        update,              // w - rate * m / (sqrt(v) + 1e-7); terms: w, m, v after the step
    };
    /// Why a gradient is zero.
    enum class Why { none, not_chosen, padding, no_words, balance_off };
    /// `a` is what the chain goes on with; `b` what it is multiplied by.
    struct Term {
        TraceNumber a, b;
        double factor = 1;
    };

    Form form = Form::given;
    Why why = Why::none;
    std::vector<Term> terms;
    std::size_t own = 0;                  // index in terms
    double scale = 1;                     // of a sum; the divisor is 1 / scale
    std::size_t divisor = 1;              // where scale is 1 / whole number
    bool is_target = false;               // softmax_minus_one
    std::size_t choices = 0, visits = 0;  // balance_share
    double weight = 0;                    // of the balance loss
    double rate = 0;                      // update
    Activation activation = Activation::relu;
};

/// For every number of a trace: where it comes from. Qt-free arithmetic over the trace; immutable, any thread.
class Provenance {
public:
    explicit Provenance(std::shared_ptr<const Trace> trace);

    const Trace& trace() const { return *trace_; }
    std::size_t examples() const { return N_; }
    std::size_t experts() const { return E_; }
    bool chooses() const { return K_ < E_ || trace_->experiment.model.router != "soft"; }

    /// Nothing where the trace has no such number.
    std::optional<TraceNumber> find(const NumberRef& ref) const;
    NumberRef ref(TraceNumber number) const;
    NumberPlace place(TraceNumber number) const;
    std::int32_t wordId(std::size_t example, std::size_t token) const { return trace_->ids[example * T_ + token]; }
    std::size_t tokens() const { return T_; }
    /// `routed`: what stood at the gate, an example or, where tokens are routed, example * tokens() + token.
    std::size_t expertOf(std::size_t routed, std::size_t visit) const {
        return std::size_t(trace_->expert_indices[routed * K_ + visit]);
    }
    /// The visit with which it went to this expert; nothing where it was not chosen.
    std::optional<std::size_t> visitOf(std::size_t routed, std::size_t expert) const;
    bool routesTokens() const { return tokens_; }
    std::size_t balancedRows() const { return balanced_; }  // that the balance loss counts

    double value(TraceNumber number) const;
    Derivation derive(TraceNumber number) const;
    /// The derivation carried out in double from its terms' values, or from what `value_of` says of them.
    double recompute(const Derivation& derivation) const;
    static double recompute(const Derivation& derivation, const std::function<double(TraceNumber)>& value_of);
    /// The number that the chain goes on with: of a sum the largest term's. Nothing at its end.
    std::optional<TraceNumber> next(const Derivation& derivation) const;

    /// How many numbers an array has; 0 where this trace has none of it.
    std::size_t count(Quantity what, ParameterId parameter = ParameterId::embedding) const;
    static std::string_view name(Quantity what);  // of a TraceValue or one of the trace's sums
    static std::string_view name(ParameterId parameter);

private:
    std::span<const float> array(TraceNumber number) const;
    std::size_t stride(Quantity what) const;  // numbers of an example
    std::size_t tokensInMean(std::size_t example) const;
    Derivation deriveGradient(TraceNumber number) const;
    bool outOfBalance(std::size_t routed) const;
    std::size_t routedRows() const { return tokens_ ? N_ * T_ : N_; }
    Quantity atGate() const { return tokens_ ? Quantity::embedding_rows : Quantity::mean; }
    Quantity atHead() const { return tokens_ ? Quantity::mean : Quantity::mixed; }
    void addVisits(Derivation& d, std::size_t expert, const std::function<Derivation::Term(std::size_t)>& term) const;

    std::shared_ptr<const Trace> trace_;
    Activation activation_ = Activation::relu;
    std::size_t N_ = 0, T_ = 0, D_ = 0, H_ = 0, E_ = 0, K_ = 0, V_ = 0;
    std::size_t balanced_ = 0;
    bool tokens_ = false;
    std::vector<std::span<const float>> values_;  // by Quantity, the first ones
    std::vector<std::span<const float>> arrays_;  // (7, 9) of the parameters
    std::vector<float> targets_;                  // (N) as numbers
    // (E) examples (or tokens) counted for each expert by the balance loss: a soft gate's most probable one, of equals
    // the first.
    std::vector<std::size_t> choices_;
    float sums_[2] = {0, 0};  // batch_loss, balance
};

/// A probability below this has lost digits or is zero; the loss is then taken from the scores.
inline constexpr double least_probability = 1e-30;

/// Adam's constants, Keras's defaults: 1 - beta 1, 1 - beta 2, epsilon.
inline constexpr double momentum_share = 0.1, velocity_share = 0.001, adam_shown_epsilon = 1e-7;

}  // namespace moe::app
