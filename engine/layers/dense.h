#pragma once
#include "engine/layers/parameters.h"

namespace moe {

/// y = x W + b.
template <class T>
class Dense {
public:
    struct Context {
        Tensor<T> input;   // (N, I)
        Tensor<T> output;  // (N, O)
    };

    /// Parameters `name`/kernel (I,O) and `name`/bias (O).
    Dense(Backend<T>& backend, const Parameters<T>& parameters, const std::string& name, std::size_t max_examples,
          bool trained)
        : backend_(backend),
          kernel_(parameters.find(name + "/kernel")),
          bias_(parameters.find(name + "/bias")),
          output_(backend.allocate({{max_examples, kernel_.value.dim(1), 1}})),
          dinput_(trained ? backend.allocate({{max_examples, kernel_.value.dim(0), 1}}) : Tensor<T>()) {}

    Context forward(Tensor<T> x) {
        const Context c{x, output_.first(x.dim(0))};
        backend_.dense(c.output, x, kernel_.value, bias_.value);
        return c;
    }
    /// Returns the gradient of the input, (N, I). With a rate (1) the parameters are updated on the way.
    Tensor<T> backward(Tensor<T> dy, const Context& c, Tensor<T> rate = {}) {
        const Tensor<T> dx = dinput_.first(dy.dim(0));
        if (rate)
            backend_.dense_update(dx, kernel_.trained(), bias_.trained(), dy, c.input, rate);
        else
            backend_.dense_backward(dx, kernel_.gradient, bias_.gradient, dy, c.input, kernel_.value);
        return dx;
    }

private:
    Backend<T>& backend_;
    typename Parameters<T>::Entry kernel_, bias_;
    Tensor<T> output_, dinput_;
};

}  // namespace moe
