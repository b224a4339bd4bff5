#pragma once
#include "engine/core/error.h"

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

namespace moe {

/// Product of sizes that never wraps around: throws Error naming `what` where the result leaves 64 bits.
/// Sizes are checked before anything is allocated, since a lazy `new` of 20 GiB succeeds.
inline std::size_t checked_product(std::string_view what, std::initializer_list<std::size_t> sizes) {
    std::size_t product = 1;
    for (const std::size_t size : sizes)
        if (__builtin_mul_overflow(product, size, &product))
            throw Error(std::string(what) + " is larger than any computer's memory; choose smaller sizes.");
    return product;
}

inline std::size_t checked_sum(std::string_view what, std::initializer_list<std::size_t> sizes) {
    std::size_t sum = 0;
    for (const std::size_t size : sizes)
        if (__builtin_add_overflow(sum, size, &sum))
            throw Error(std::string(what) + " is larger than any computer's memory; choose smaller sizes.");
    return sum;
}

/// "1.5 GiB", for sentences.
std::string format_bytes(std::size_t bytes);

}  // namespace moe
