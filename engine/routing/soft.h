#pragma once
#include "engine/routing/router.h"

namespace moe {

/// Every expert runs, the gate weighs them: weights = softmax(logits). Jacobs, Jordan, Nowlan and Hinton 1991, eq. 1.
/// The balance loss counts each example for its most probable expert.
template <class T>
class SoftRouter final : public Router<T> {
public:
    SoftRouter(Backend<T>& backend, const ModelSpec& spec, std::size_t max_examples)
        : backend_(backend),
          probs_(backend.allocate({{max_examples, spec.num_experts, 1}})),
          indices_(backend.allocate_ids({{max_examples, spec.num_experts, 1}})),
          first_(backend.allocate_ids({{max_examples, 1, 1}})) {
        backend.all_experts(indices_);
    }

    std::size_t experts_per_token() const override { return indices_.dim(1); }

    Routing<T> forward(Tensor<T> logits) override {
        const std::size_t n = logits.dim(0);
        backend_.softmax(probs_.first(n), logits);
        backend_.top_k(first_.first(n), logits);
        return {probs_.first(n), indices_.first(n), probs_.first(n), first_.first(n)};
    }

    void backward(Tensor<T> dlogits, Tensor<T> dweights, Tensor<T> dprobs, const Routing<T>& routing) override {
        if (dprobs) backend_.add(dweights, dprobs);  // the weights are the probabilities
        backend_.softmax_backward(dlogits, dweights, routing.probs);
    }

private:
    Backend<T>& backend_;
    Tensor<T> probs_;
    Ids indices_, first_;
};

}  // namespace moe
