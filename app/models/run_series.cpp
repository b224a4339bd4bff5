#include "app/models/run_series.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace moe::app {

namespace {

void add(Series& series, double x, double y) {
    if (std::isfinite(y))
        series.points.emplace_back(x, y);
    else if (!series.diverged_at)
        series.diverged_at = x;
}

template <class Record>
double pick(const Record& record, Measure measure) {
    switch (measure) {
        case Measure::loss:
            return double(record.loss);
        case Measure::balance:
            return double(record.balance);
        case Measure::accuracy:
            break;
    }
    return double(record.accuracy);
}

}  // namespace

double valueOf(const HistoryPoint& point, Measure measure) {
    return pick(point, measure);
}

double valueOf(const EpochRecord& epoch, Measure measure) {
    return pick(epoch, measure);
}

double Series::largest() const {
    double value = 0;
    for (const QPointF& p : points) value = std::max(value, p.y());
    return value;
}

Series thinned(const Series& series, std::size_t limit) {
    const std::size_t n = series.points.size();
    if (n <= limit || limit == 0) return series;
    const std::size_t group = (n + limit - 1) / limit;
    Series thin;
    thin.diverged_at = series.diverged_at;
    thin.points.reserve(n / group + 1);
    for (std::size_t first = 0; first < n; first += group) {
        const std::size_t last = std::min(first + group, n);
        double sum = 0;
        for (std::size_t i = first; i < last; ++i) sum += series.points[i].y();
        thin.points.emplace_back(series.points[last - 1].x(), sum / double(last - first));
    }
    return thin;
}

Series epochSeries(const History& history, Measure measure) {
    Series series;
    series.points.reserve(history.epochs.size());
    for (std::size_t i = 0; i < history.epochs.size(); ++i)
        add(series, double(history.epochs.epoch(i)), pick(history.epochs[i], measure));
    return thinned(series, max_chart_points);
}

Series stepSeries(const History& history, Measure measure, double scale) {
    Series series;
    series.points.reserve(history.points.size());
    for (const HistoryPoint& point : history.points) add(series, double(point.step) * scale, pick(point, measure));
    return thinned(series, max_chart_points);
}

Series loadSeries(const History& history, std::size_t expert) {
    Series series;
    if (expert >= history.num_experts) return series;
    const std::size_t n = std::min(history.points.size(), history.load.size() / history.num_experts);
    series.points.reserve(n);
    for (std::size_t i = 0; i < n; ++i)
        add(series, double(history.points[i].step), history.load[i * history.num_experts + expert]);
    return thinned(series, max_chart_points);
}

Series gateSeries(const History& history, std::size_t prefix, std::size_t expert) {
    Series series;
    if (prefix >= history.prefixes || expert >= history.num_experts) return series;
    const std::size_t stride = history.prefixes * history.num_experts;
    const std::size_t n = std::min(history.gate_steps.size(), history.gate.size() / stride);
    series.points.reserve(n);
    for (std::size_t i = 0; i < n; ++i)
        add(series, double(history.gate_steps[i]), history.gate[i * stride + prefix * history.num_experts + expert]);
    return thinned(series, max_chart_points);
}

std::optional<double> epochsPerStep(const Snapshot& snapshot) {
    const std::uint64_t steps = snapshot.steps_per_epoch;
    if (steps == 0) return {};
    // Of a moment of the past the whole run counts, and its epochs are in the history.
    const bool past = snapshot.newest_step > snapshot.step && snapshot.history;
    const std::uint64_t done = (past ? snapshot.history->epochs.finished() : snapshot.epoch) * steps;
    const std::uint64_t step = past ? snapshot.newest_step : snapshot.step;
    if (step < done || step > done + steps) return {};
    return 1.0 / double(steps);
}

std::vector<float> resampledLoad(const History& history, std::size_t columns, std::uint64_t last_step) {
    std::vector<float> result;
    const std::size_t experts = history.num_experts;
    if (experts == 0 || columns == 0 || last_step == 0) return result;
    const std::size_t n = std::min(history.points.size(), history.load.size() / experts);
    std::size_t next = 0;
    // A run that came from a file was not recorded before its first point.
    const double recorded = n > 0 ? double(history.points[0].step) - double(history.points[0].steps) : 0;
    for (std::size_t column = 0; column < columns && n > 0; ++column) {
        // Steps (from, to] belong to this column.
        const double from = double(column) * double(last_step) / double(columns);
        const double to = double(column + 1) * double(last_step) / double(columns);
        if (from >= double(history.points[n - 1].step)) break;
        if (to <= recorded + 1e-9) {
            result.insert(result.end(), experts, std::numeric_limits<float>::quiet_NaN());
            continue;
        }
        std::vector<double> sum(experts, 0.0);
        std::size_t count = 0;
        while (next < n && double(history.points[next].step) <= to + 1e-9) {
            for (std::size_t e = 0; e < experts; ++e) sum[e] += double(history.load[next * experts + e]);
            ++count, ++next;
        }
        if (count == 0) {
            // No point ends here: the one that spans it (thinned) is the next one.
            const std::size_t spanning = std::min(next, n - 1);
            for (std::size_t e = 0; e < experts; ++e) sum[e] = double(history.load[spanning * experts + e]);
            count = 1;
        }
        for (std::size_t e = 0; e < experts; ++e) result.push_back(float(sum[e] / double(count)));
    }
    return result;
}

}  // namespace moe::app
