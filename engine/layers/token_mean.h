#pragma once
#include "engine/layers/parameters.h"

namespace moe {

/// GlobalAveragePooling1D: y[n] = mean over t of x[n][t]; with a mask over the t whose id is not 0.
template <class T>
class TokenMean {
public:
    struct Context {
        Ids ids;         // (N, T)
        Tensor<T> mean;  // (N, D)
    };

    TokenMean(Backend<T>& backend, std::size_t max_examples, std::size_t tokens, std::size_t width, bool mask,
              bool trained)
        : backend_(backend),
          mask_(mask),
          mean_(backend.allocate({{max_examples, width, 1}})),
          dinput_(trained ? backend.allocate({{max_examples * tokens, width, 1}}) : Tensor<T>()) {}

    /// x (N*T, D), the tokens of an example one after the other.
    Context forward(Tensor<T> x, Ids ids) {
        const Context c{ids, mean_.first(ids.dim(0))};
        backend_.mean_tokens(c.mean, x, ids, mask_);
        return c;
    }
    /// Returns the gradient of x, (N*T, D).
    Tensor<T> backward(Tensor<T> dmean, const Context& c) {
        const Tensor<T> dx = dinput_.first(c.ids.dim(0) * c.ids.dim(1));
        backend_.mean_tokens_backward(dx, dmean, c.ids, mask_);
        return dx;
    }

private:
    Backend<T>& backend_;
    bool mask_;
    Tensor<T> mean_, dinput_;
};

}  // namespace moe
