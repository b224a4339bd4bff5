#pragma once
#include "engine/core/error.h"

#include <algorithm>
#include <cstddef>
#include <vector>

namespace moe {

/// The middle of the sorted values, the mean of the two middle ones where their count is even. Throws Error on none.
inline double median(std::vector<double> values) {
    if (values.empty()) throw Error("There is no median of no values.");
    std::sort(values.begin(), values.end());
    const std::size_t n = values.size();
    return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

}  // namespace moe
