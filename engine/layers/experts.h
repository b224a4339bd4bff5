#pragma once
#include "engine/layers/parameters.h"

namespace moe {

/// The bank of experts, each Dense(H, activation) -> Dense(D), on rows that are grouped by expert: rows [offsets[e],
/// offsets[e+1]) belong to expert e. Experts without rows get a gradient of zeros.
template <class T>
class Experts {
public:
    struct Context {
        Ids offsets;        // (E+1)
        Tensor<T> input;    // (R, D)
        Tensor<T> sums;     // (R, H) before the activation; hidden itself where that is enough for the way back
        Tensor<T> hidden;   // (R, H) after it
        Tensor<T> outputs;  // (R, D)
    };

    Experts(Backend<T>& backend, const Parameters<T>& parameters, const ActivationInfo& activation,
            std::size_t max_rows, bool trained)
        : backend_(backend),
          activation_(activation.id),
          hidden_kernel_(parameters.find("experts/hidden/kernel")),
          hidden_bias_(parameters.find("experts/hidden/bias")),
          output_kernel_(parameters.find("experts/output/kernel")),
          output_bias_(parameters.find("experts/output/bias")) {
        const std::size_t D = hidden_kernel_.value.dim(1), H = hidden_kernel_.value.dim(2);
        hidden_ = backend.allocate({{max_rows, H, 1}});
        sums_ = trained && activation.needs_sums ? backend.allocate({{max_rows, H, 1}}) : hidden_;
        outputs_ = backend.allocate({{max_rows, D, 1}});
        if (!trained) return;
        dhidden_ = backend.allocate({{max_rows, H, 1}});
        dinput_ = backend.allocate({{max_rows, D, 1}});
    }

    Context forward(Tensor<T> rows, Ids offsets) {
        const std::size_t R = rows.dim(0);
        const Context c{offsets, rows, sums_.first(R), hidden_.first(R), outputs_.first(R)};
        backend_.experts(c.sums, c.hidden, c.outputs, rows, hidden_kernel_.value, hidden_bias_.value,
                         output_kernel_.value, output_bias_.value, offsets, activation_);
        return c;
    }

    /// Returns the gradient of the rows, (R, D). With a rate (1) the parameters are updated on the way.
    Tensor<T> backward(Tensor<T> doutputs, const Context& c, Tensor<T> rate = {}) {
        const Tensor<T> dhidden = dhidden_.first(doutputs.dim(0)), dinput = dinput_.first(doutputs.dim(0));
        if (rate)
            backend_.experts_update(dinput, dhidden, hidden_kernel_.trained(), hidden_bias_.trained(),
                                    output_kernel_.trained(), output_bias_.trained(), doutputs, c.input, c.sums,
                                    c.hidden, c.offsets, activation_, rate);
        else
            backend_.experts_backward(dinput, dhidden, hidden_kernel_.gradient, hidden_bias_.gradient,
                                      output_kernel_.gradient, output_bias_.gradient, doutputs, c.input, c.sums,
                                      c.hidden, hidden_kernel_.value, output_kernel_.value, c.offsets, activation_);
        return dinput;
    }

private:
    using Entry = typename Parameters<T>::Entry;

    Backend<T>& backend_;
    Activation activation_;
    Entry hidden_kernel_, hidden_bias_;  // (E, D, H), (E, H)
    Entry output_kernel_, output_bias_;  // (E, H, D), (E, D)
    Tensor<T> sums_, hidden_, outputs_, dhidden_, dinput_;
};

}  // namespace moe
