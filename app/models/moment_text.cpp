#include "app/models/moment_text.h"

#include "app/models/text_format.h"

#include <QCoreApplication>

#include <algorithm>
#include <cmath>

namespace moe::app {

namespace {

QString sayMoment(const char* text) {
    return QCoreApplication::translate("Moment", text);
}

}  // namespace

std::uint64_t newestStep(const Snapshot& snapshot) {
    return std::max(snapshot.step, snapshot.newest_step);
}

bool isPast(const Snapshot& snapshot) {
    return snapshot.step < newestStep(snapshot);
}

QString momentText(const Snapshot& snapshot) {
    if (!isPast(snapshot)) return sayMoment("step %1").arg(countText(snapshot.step));
    return sayMoment("step %1 of %2").arg(countText(snapshot.step), countText(newestStep(snapshot)));
}

double epochsAt(const Snapshot& snapshot) {
    const std::optional<double> per_step = epochsPerStep(snapshot);
    return per_step ? double(snapshot.step) * *per_step : double(snapshot.epoch);
}

double measureAt(const Snapshot& snapshot, Measure measure) {
    const History* history = snapshot.history.get();
    if (!hasCurve(history) || snapshot.step == 0) return NAN;
    if (snapshot.epoch > 0 && !history->epochs.empty())
        return valueOf(history->epochs[history->epochs.index(snapshot.epoch)], measure);
    const auto point = std::lower_bound(history->points.begin(), history->points.end(), snapshot.step,
                                        [](const HistoryPoint& p, std::uint64_t step) { return p.step < step; });
    // The newest steps may belong to a point in the making: the last that is closed stands for them.
    if (point == history->points.end()) return history->points.empty() ? NAN : valueOf(history->points.back(), measure);
    return valueOf(*point, measure);
}

}  // namespace moe::app
