#pragma once
// C++17: the CUDA module is compiled from this header too; what its device calls is constexpr.
#include "engine/core/error.h"

#include <array>
#include <cmath>
#include <string>
#include <string_view>

namespace moe {

/// What an expert's hidden units make of their sums.
enum class Activation { relu, linear, gelu, gelu_tanh, tanh };

struct ActivationInfo {
    Activation id;
    std::string_view name;   // of `--set activation=`
    std::string_view title;  // for people
    bool needs_sums;         // its slope shows in its input alone, not in its output
};

inline constexpr std::array<ActivationInfo, 5> activations = {{
    {Activation::relu, "relu", "ReLU", false},
    {Activation::linear, "linear", "linear", false},
    {Activation::gelu, "gelu", "GELU", true},
    {Activation::gelu_tanh, "gelu_tanh", "GELU (tanh)", true},
    {Activation::tanh, "tanh", "tanh", false},
}};

/// Null where `name` is none of them.
inline const ActivationInfo* find_activation(std::string_view name) {
    for (const ActivationInfo& info : activations)
        if (info.name == name) return &info;
    return nullptr;
}

/// Throws Error where `name` is none of them.
inline const ActivationInfo& activation_named(std::string_view name) {
    if (const ActivationInfo* info = find_activation(name)) return *info;
    throw Error("There is no activation '" + std::string(name) + "'.");
}

/// Constants of GELU: 1/sqrt(2), 1/sqrt(2 pi); of its form with tanh (Hendrycks and Gimpel 2016, section 2): sqrt(2/pi)
/// and 0.044715.
inline constexpr double gelu_root_half = 0.70710678118654752440, gelu_density = 0.39894228040143267794,
                        gelu_tanh_scale = 0.79788456080286535588, gelu_tanh_cube = 0.044715;

/// (1 + tanh u) / 2 with u = sqrt(2/pi) (x + 0.044715 x^3), as the logistic function of 2u: nothing cancels.
template <class T>
constexpr T gelu_tanh_share(T x) {
    return 1 / (1 + std::exp(-2 * T(gelu_tanh_scale) * (x + T(gelu_tanh_cube) * x * x * x)));
}

/// f(x). NaN stays NaN.
template <class T>
constexpr T activated(Activation f, T x) {
    switch (f) {
        case Activation::relu:
            return x < T(0) ? T(0) : x;
        case Activation::linear:
            return x;
        case Activation::gelu:  // x times the share of a normal distribution below x
            return x * std::erfc(-x * T(gelu_root_half)) / 2;
        case Activation::gelu_tanh:
            return x * gelu_tanh_share(x);
        case Activation::tanh:
            return std::tanh(x);
    }
    return x;
}

/// f'(x), 0 at a ReLU's kink.
template <class T>
constexpr T activation_slope(Activation f, T x) {
    switch (f) {
        case Activation::relu:
            return x <= T(0) ? T(0) : T(1);
        case Activation::linear:
            return T(1);
        case Activation::gelu:
            return std::erfc(-x * T(gelu_root_half)) / 2 + x * T(gelu_density) * std::exp(-x * x / 2);
        case Activation::gelu_tanh: {
            const T share = gelu_tanh_share(x), bend = share * gelu_tanh_share(-x);  // 0 far out, where x^2 overflows
            return share + (bend == 0 ? T(0) : x * bend * 2 * T(gelu_tanh_scale) * (1 + 3 * T(gelu_tanh_cube) * x * x));
        }
        case Activation::tanh: {
            const T t = std::tanh(x);
            return 1 - t * t;
        }
    }
    return T(1);
}

}  // namespace moe
