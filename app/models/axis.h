#pragma once
#include <vector>

namespace moe::app {

/// A value axis from 0: few ticks, round numbers.
struct Axis {
    double max = 1;                     // end of the axis, at or above the largest value
    double step = 1;                    // between ticks: 1, 2 or 5 times a power of ten
    std::vector<double> ticks() const;  // 0, step, ... up to max

    /// At most `intervals` steps (at least 1); `largest` <= 0 or no number gives 0 to 1.
    static Axis upTo(double largest, int intervals);
};

/// Where labels of `height` may stand so that none overlaps: as near as possible to `wanted`, in their order, within
/// [top, bottom] while they fit there. Positions are centres; the answer is in the order of `wanted`.
std::vector<double> spreadLabels(const std::vector<double>& wanted, double height, double top, double bottom);

}  // namespace moe::app
