#pragma once
#include "engine/backend/backend.h"

#include <functional>

namespace moe::gpu_check {

/// What one shape's products gave in one precision.
struct ProductRow {
    std::string shape, precision;
    double worst = 0, bound = 0;  // NMSE of the result that is furthest from sums in double
    std::string failure;          // empty: as it should be
    std::string refusal;          // a sentence, with `precision` alone: the device does not compute in it
};

/// `all` reach each tile and sums in parts on any GPU of 20 to 200 processors, in dense layers, experts and their ways
/// back, computed twice; of the `few` that tools may watch there is one for each tile, computed once.
enum class ProductShapes { all, few };

/// In float32, tf32 and bf16, a row each.
void check_products(ProductShapes which, const BackendOptions& options,
                    const std::function<void(const ProductRow&)>& report);

}  // namespace moe::gpu_check
