#pragma once
#include "app/models/theme.h"

#include <QImage>

#include <cstddef>
#include <span>

namespace moe::app {

/// From 0 to a round maximum, paper to ink: one scale for every cell of a heat map, stated in its legend.
struct MagnitudeScale {
    double max = 1;

    /// The next of 1, 2, 5 times a power of ten at or above the largest finite value and `least`.
    static MagnitudeScale of(std::span<const float> values, double least = 0);
    /// For gate weights of `experts`: at least twice an even share, so that an untrained gate is grey and not black.
    static MagnitudeScale ofGate(std::span<const float> weights, std::size_t experts);

    double share(double value) const;  // 0 to 1, NaN as 0
    QColor color(const Theme& theme, double value) const { return theme.magnitude(share(value)); }
    int digits() const;  // after the point, so that the legend's maximum is told from 0
};

/// One pixel a cell: `columns` x `rows` from weights (columns, rows), as a heat map stands: rows experts, columns
/// tokens.
/// Of more rows than `most_rows` neighbours share a line and show their largest: one busy expert among thousands stays
/// in sight.
QImage heatmapImage(std::span<const float> weights, std::size_t columns, std::size_t rows, const MagnitudeScale& scale,
                    const Theme& theme, std::size_t most_rows = std::size_t(-1));

}  // namespace moe::app
