#pragma once
#include "engine/routing/router.h"

namespace moe {

/// The K largest logits of each example, weighed by a softmax over these alone: the softmax over all experts cut to its
/// top K and divided by their sum. Mixtral 2024 (2401.04088), section 2.1; Shazeer 2017 (1701.06538), eq. 3, without
/// noise. With K = 1 the weight is always 1, so that the task gives the router no gradient.
template <class T>
class TopKRouter final : public Router<T> {
public:
    TopKRouter(Backend<T>& backend, const ModelSpec& spec, std::size_t max_examples)
        : backend_(backend),
          probs_(backend.allocate({{max_examples, spec.num_experts, 1}})),
          chosen_(backend.allocate({{max_examples, spec.top_k, 1}})),
          weights_(backend.allocate({{max_examples, spec.top_k, 1}})),
          dchosen_(backend.allocate({{max_examples, spec.top_k, 1}})),
          indices_(backend.allocate_ids({{max_examples, spec.top_k, 1}})) {}

    std::size_t experts_per_token() const override { return indices_.dim(1); }

    Routing<T> forward(Tensor<T> logits) override {
        const std::size_t n = logits.dim(0);
        const Ids indices = indices_.first(n);
        backend_.softmax(probs_.first(n), logits);
        backend_.top_k(indices, logits);
        backend_.select(chosen_.first(n), logits, indices);
        backend_.softmax(weights_.first(n), chosen_.first(n));
        return {probs_.first(n), indices, weights_.first(n), indices};
    }

    void backward(Tensor<T> dlogits, Tensor<T> dweights, Tensor<T> dprobs, const Routing<T>& routing) override {
        if (dprobs)  // the balance loss reaches every logit
            backend_.softmax_backward(dlogits, dprobs, routing.probs);
        else
            backend_.fill(dlogits, T(0));
        const Tensor<T> dchosen = dchosen_.first(dlogits.dim(0));
        backend_.softmax_backward(dchosen, dweights, routing.expert_weights);
        backend_.select_backward(dlogits, dchosen, routing.expert_indices);
    }

private:
    Backend<T>& backend_;
    Tensor<T> probs_, chosen_, weights_, dchosen_;
    Ids indices_;
};

}  // namespace moe
