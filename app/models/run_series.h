#pragma once
#include "engine/session/snapshot.h"

#include <QPointF>

#include <cstddef>
#include <optional>
#include <vector>

namespace moe::app {

/// Points of one curve, fit for a chart: numbers only, and never more than it can draw.
struct Series {
    std::vector<QPointF> points;
    std::optional<double> diverged_at;  // x of the first value that was no number

    bool empty() const { return points.empty(); }
    double largest() const;  // of y; 0 where empty
};

inline constexpr std::size_t max_chart_points = 1000;

enum class Measure { loss, balance, accuracy };

double valueOf(const HistoryPoint& point, Measure measure);
double valueOf(const EpochRecord& epoch, Measure measure);

/// Whether there is anything of the run to draw. A run from a file has its epochs, and points from its next batch on.
inline bool hasCurve(const History* history) {
    return history && !(history->points.empty() && history->epochs.empty());
}

/// One point a finished epoch at x = 1, 2, ...: its mean over the examples.
Series epochSeries(const History& history, Measure measure);
/// One point a step (or the mean over the steps that thinning joined) at x = step * scale.
Series stepSeries(const History& history, Measure measure, double scale = 1);

/// Load of one expert over the run, x = step.
Series loadSeries(const History& history, std::size_t expert);
/// Gate weight of one expert for one prefix of the probe text, x = step. Empty where there is no such prefix.
Series gateSeries(const History& history, std::size_t prefix, std::size_t expert);

/// Joins neighbours until at most `limit` points are left: y is their mean, x that of the last.
Series thinned(const Series& series, std::size_t limit);

/// Epochs a step, where the run's epochs all had the same number of steps (the batch was not changed on the way);
/// else nothing, and steps cannot be placed on an axis of epochs.
std::optional<double> epochsPerStep(const Snapshot& snapshot);

/// Load over the run for `columns` places of equal width from step 0 to `last_step`: (columns, E), each the mean of the
/// points that end in it, or the point that spans it. Columns after the last trained step are left out, those before
/// the first recorded one (a run from a file) are NaN.
std::vector<float> resampledLoad(const History& history, std::size_t columns, std::uint64_t last_step);

}  // namespace moe::app
