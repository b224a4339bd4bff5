#pragma once
// C++17: compiled by nvcc, too.
#include "engine/backend/backend.h"
#include "engine/backend/cuda/block.h"

#include <cmath>

namespace moe::cuda {

/// Adam's pointers to one parameter; all of one shape.
struct AdamState {
    float *w, *g, *m, *v;
    const float* rate;  // (1)
};

/// backend.h's adam() for one number, where Adam's v moves by `bend` (the gradient's square less v). Every product is
/// fused by name, so that it gives the same bits wherever it is inlined.
MOE_DEVICE void adam_move(const AdamState& p, std::size_t i, float gradient, float bend) {
    constexpr float momentum_rest = float(1 - adam_beta1), velocity_rest = float(1 - adam_beta2);
    const float m = std::fma(gradient - p.m[i], momentum_rest, p.m[i]);
    const float v = std::fma(bend, velocity_rest, p.v[i]);
    p.m[i] = m;
    p.v[i] = v;
    p.w[i] -= *p.rate * m / (std::sqrt(v) + float(adam_epsilon));
}
MOE_DEVICE void adam_step(const AdamState& p, std::size_t i, float gradient) {
    adam_move(p, i, gradient, std::fma(gradient, gradient, -p.v[i]));
}

struct AdamOf {
    AdamState p;
    MOE_DEVICE void operator()(Index i) const {
        adam_step(p, i, p.g[i]);
        p.g[i] = 0;
    }
};

struct AdamOfSquares {
    AdamState p;
    float* squares;
    MOE_DEVICE void operator()(Index i) const {
        adam_move(p, i, p.g[i], squares[i] - p.v[i]);
        p.g[i] = squares[i] = 0;
    }
};

}  // namespace moe::cuda
