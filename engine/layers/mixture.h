#pragma once
#include "engine/layers/dense.h"
#include "engine/layers/experts.h"
#include "engine/routing/router.h"

#include <memory>

namespace moe {

/// What a workspace is planned for: training, predictions, or routing alone (which costs little, however many experts
/// there are and however large the vocabulary is).
enum class ModelUse { train, predict, route };

/// The mixture-of-experts layer: gate, router, dispatch, experts, combine.
///   y[n] = sum over the chosen experts e of weight[n][e] * expert_e(x[n])        (Shazeer 2017, eq. 1)
/// Examples visit experts as rows sorted by expert; a soft gate is the case in which everybody visits everybody.
template <class T>
class Mixture {
public:
    /// What the forward pass leaves behind for the backward pass, and for anybody who wants to look.
    struct Context {
        typename Dense<T>::Context gate;  // output: the gate's logits (N, E)
        Routing<T> routing;
        Ids row_tokens;  // (R) the example of each row
        Ids positions;   // (N, K) the row of each visit
        typename Experts<T>::Context experts;
        Tensor<T> output;        // (N, D)
        Tensor<T> balance_loss;  // (1) weighted; 0 where its weight is 0
    };

    Mixture(Backend<T>& backend, const Parameters<T>& parameters, const ModelSpec& spec, std::size_t max_examples,
            ModelUse use)
        : backend_(backend),
          balance_weight_(T(spec.balance_loss)),
          gate_(backend, parameters, "gate", max_examples, use == ModelUse::train),
          router_(make_router<T>(backend, spec, max_examples)),
          experts_(backend, parameters, activation_named(spec.activation),
                   use == ModelUse::route ? 0 : max_examples * router_->experts_per_token(), use == ModelUse::train) {
        if (use == ModelUse::route) return;
        const std::size_t K = router_->experts_per_token(), R = max_examples * K, D = spec.embedding_dim;
        offsets_ = backend.allocate_ids({{spec.num_experts + 1, 1, 1}});
        row_tokens_ = backend.allocate_ids({{R, 1, 1}});
        positions_ = backend.allocate_ids({{max_examples, K, 1}});
        rows_ = backend.allocate({{R, D, 1}});
        output_ = backend.allocate({{max_examples, D, 1}});
        balance_ = backend.allocate({});
        dprobs_ = backend.allocate({{max_examples, spec.num_experts, 1}});
        if (use != ModelUse::train) return;
        dlogits_ = backend.allocate({{max_examples, spec.num_experts, 1}});
        dweights_ = backend.allocate({{max_examples, K, 1}});
        doutputs_ = backend.allocate({{R, D, 1}});
        dinput_ = backend.allocate({{max_examples, D, 1}});
    }

    void set_balance_weight(double weight) {
        balance_weight_ = T(weight);
        if (weight == 0) backend_.fill(balance_, T(0));  // nobody writes it from now on
    }

    /// Gate and router alone: the experts stay untouched.
    Context route(Tensor<T> x) {
        Context c;
        c.gate = gate_.forward(x);
        c.routing = router_->forward(c.gate.output);
        return c;
    }

    /// `words` (N): rows whose id is 0 do not count in the balance loss, though they are routed; empty: all count.
    Context forward(Tensor<T> x, Ids words = {}) {
        const std::size_t n = x.dim(0), rows = n * router_->experts_per_token();
        Context c = route(x);
        c.row_tokens = row_tokens_.first(rows);
        c.positions = positions_.first(n);
        backend_.dispatch(offsets_, c.row_tokens, c.positions, c.routing.expert_indices);
        backend_.gather_rows(rows_.first(rows), x, c.row_tokens);
        c.experts = experts_.forward(rows_.first(rows), offsets_);

        c.output = output_.first(n);
        backend_.combine(c.output, c.routing.expert_weights, c.experts.outputs, c.positions);

        c.balance_loss = balance_;
        if (balance_weight_ == T(0)) return c;
        backend_.fill(dprobs_.first(n), T(0));
        backend_.balance_loss(balance_, dprobs_.first(n), c.routing.probs, c.routing.assignments, balance_weight_,
                              words);
        return c;
    }

    /// Returns the gradient of x, (N, D). With a rate (1) the parameters are updated on the way.
    Tensor<T> backward(Tensor<T> dy, const Context& c, Tensor<T> rate = {}) {
        const std::size_t n = dy.dim(0);
        const Tensor<T> dweights = dweights_.first(n), doutputs = doutputs_.first(c.experts.outputs.dim(0));
        // The task reaches the gate through each expert's answer: dweight = dy . answer.
        backend_.combine_backward(dweights, doutputs, dy, c.routing.expert_weights, c.experts.outputs, c.positions);

        const Tensor<T> drows = experts_.backward(doutputs, c.experts, rate);
        const Tensor<T> dx = dinput_.first(n);
        backend_.gather_rows_backward(dx, drows, c.positions);

        const Tensor<T> dlogits = dlogits_.first(n);
        router_->backward(dlogits, dweights, balance_weight_ > T(0) ? dprobs_.first(n) : Tensor<T>(), c.routing);
        backend_.add(dx, gate_.backward(dlogits, c.gate, rate));
        return dx;
    }

private:
    Backend<T>& backend_;
    T balance_weight_;
    Dense<T> gate_;
    std::unique_ptr<Router<T>> router_;
    Experts<T> experts_;
    Ids offsets_, row_tokens_, positions_;
    Tensor<T> rows_, output_, balance_, dprobs_;
    Tensor<T> dlogits_, dweights_, doutputs_, dinput_;
};

}  // namespace moe
