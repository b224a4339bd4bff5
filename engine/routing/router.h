#pragma once
#include "engine/backend/backend.h"
#include "engine/core/spec.h"

#include <memory>
#include <span>
#include <string_view>

namespace moe {

/// What a router decided, and what its backward pass needs.
template <class T>
struct Routing {
    Tensor<T> probs;           // (N, E) softmax over all experts
    Ids expert_indices;        // (N, K)
    Tensor<T> expert_weights;  // (N, K) rows sum to 1
    Ids assignments;           // (N, K) or (N, 1): the choices that the balance loss counts
};

/// From gate logits to experts and weights. Holds its own workspace, planned for max_examples.
template <class T>
class Router {
public:
    virtual ~Router() = default;
    virtual std::size_t experts_per_token() const = 0;  // K

    virtual Routing<T> forward(Tensor<T> logits) = 0;  // (N, E)

    /// dlogits (N,E) from the gradients of the weights, (N,K), and of the probabilities, (N,E): what auxiliary losses
    /// left there; empty: nothing. Both may be overwritten.
    virtual void backward(Tensor<T> dlogits, Tensor<T> dweights, Tensor<T> dprobs, const Routing<T>& routing) = 0;
};

/// A router by its `--set router=` name. A new router is its file and a line in the registry.
struct RouterInfo {
    std::string_view id;       // "top_k"
    std::string_view title;    // "top-k"
    std::string_view formula;  // for people, with its source
    bool chooses;              // false: every expert runs, and its weight is its probability
    std::unique_ptr<Router<float>> (*make_float)(Backend<float>&, const ModelSpec&, std::size_t max_examples);
    std::unique_ptr<Router<double>> (*make_double)(Backend<double>&, const ModelSpec&, std::size_t max_examples);
};

std::span<const RouterInfo> routers();

/// Throws Error where spec.router is none of routers().
template <class T>
std::unique_ptr<Router<T>> make_router(Backend<T>& backend, const ModelSpec& spec, std::size_t max_examples);

}  // namespace moe
