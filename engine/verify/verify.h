#pragma once
#include "engine/backend/backend.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace moe {

/// One line of `moelab verify`.
struct VerifyRow {
    std::string name;     // "dense", "model: top_k, 2 of 4, mask, balance"
    std::string measure;  // "relative error of the gradient", "NMSE": what `worst` and `bound` are
    double worst = 0;     // NaN where something was not a number
    double bound = 0;
    bool ok = false;
    std::string detail;  // "412 numbers, 3 skipped near a kink"; empty where there is nothing to add
};

using OnVerifyRow = std::function<void(const VerifyRow&)>;

/// The gradient of every op at awkward sizes, and of whole small models for every family and router with and
/// without mask and balance loss and every activation, in double, by the very layers that train, against differences of
/// four points. Relative error: the largest deviation in a tensor over its largest gradient. Numbers within ten steps
/// of a ReLU's kink or of another choice of experts are skipped and counted; a row with more than a fifth skipped is
/// not ok. `on_row`, where given, is called as each row is there. Takes seconds, on the calling thread.
std::vector<VerifyRow> verify_gradients(const OnVerifyRow& on_row = {});

using MakeBackend = std::function<std::unique_ptr<Backend<float>>()>;

/// Every op of a backend in float against the reference in double on the same inputs, by normalised mean squared error
/// (choices must be equal), and the losses of 100 training steps of small models. Throws as `make` does.
std::vector<VerifyRow> verify_backend(const MakeBackend& make, const OnVerifyRow& on_row = {});

}  // namespace moe
