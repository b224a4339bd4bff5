#pragma once
#include "engine/core/spec.h"
#include "engine/layers/mixture.h"

#include <vector>

namespace moe {

/// One mixture layer by itself, on which large expert banks are measured: N tokens of width D through the K = 2 best of
/// E experts of width 4 D (ReLU), forward, and backward to all gradients.
class MixtureStep {
public:
    /// Allocates on the backend. Throws Error where the sizes are beyond what a model may have.
    MixtureStep(Backend<float>& backend, std::size_t D, std::size_t E, std::size_t N);

    void run(std::size_t steps);  // returns when they are done
    /// sum(output * the gradient that went in) / N of the last step: a number that tells one computation from another.
    double loss();

    /// Multiplications and additions of a step's matrix products.
    double flop() const;
    /// Bytes that no cache can keep where there are many experts: each one's weights read on both ways, their gradient
    /// written.
    double weight_bytes() const;

private:
    Backend<float>& backend_;
    Experiment experiment_;
    Parameters<float> parameters_;
    Mixture<float> mixture_;
    std::vector<float> host_gradient_;
    Tensor<float> input_, gradient_;  // (N, D)
    Mixture<float>::Context last_;
};

}  // namespace moe
