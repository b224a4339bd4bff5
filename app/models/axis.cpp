#include "app/models/axis.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>

namespace moe::app {

std::vector<double> Axis::ticks() const {
    std::vector<double> values;
    for (int i = 0; i * step <= max * (1 + 1e-9) && i < 100; ++i) values.push_back(i * step);
    return values;
}

Axis Axis::upTo(double largest, int intervals) {
    if (!std::isfinite(largest) || largest <= 0) return {1, 1};
    const double rough = largest / std::max(1, intervals);
    const double power = std::pow(10, std::floor(std::log10(rough)));
    double step = 10 * power;
    for (const double candidate : {1.0, 2.0, 5.0})
        if (rough <= candidate * power * (1 + 1e-9)) {
            step = candidate * power;
            break;
        }
    return {largest, step};
}

std::vector<double> spreadLabels(const std::vector<double>& wanted, double height, double top, double bottom) {
    const std::size_t n = wanted.size();
    std::vector<std::size_t> order(n);
    std::iota(order.begin(), order.end(), std::size_t(0));
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return wanted[a] < wanted[b]; });

    // Pool adjacent violators: labels that would touch form a block around their mean.
    struct Block {
        double sum;  // of wanted[i] - (place in the block) * height
        std::size_t first, count;
        double start() const { return sum / double(count); }
    };
    const double highest = top + height / 2, lowest = bottom - height / 2;
    const auto clamped = [&](const Block& b) {
        const double last = lowest - double(b.count - 1) * height;
        return std::clamp(b.start(), highest, std::max(highest, last));
    };
    std::vector<Block> blocks;
    for (std::size_t i = 0; i < n; ++i) {
        blocks.push_back({wanted[order[i]], i, 1});
        while (blocks.size() > 1) {
            const Block &last = blocks.back(), &before = blocks[blocks.size() - 2];
            if (clamped(before) + double(before.count) * height <= clamped(last) + 1e-9) break;
            const Block joined{before.sum + last.sum - double(last.count) * double(before.count) * height, before.first,
                               before.count + last.count};
            blocks.pop_back();
            blocks.back() = joined;
        }
    }
    std::vector<double> places(n);
    for (const Block& block : blocks)
        for (std::size_t k = 0; k < block.count; ++k)
            places[order[block.first + k]] = clamped(block) + double(k) * height;
    return places;
}

}  // namespace moe::app
