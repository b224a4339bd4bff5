#pragma once
#include "app/views/chart_panel.h"
#include "app/views/view.h"

#include <vector>

namespace moe::app {

/// The axis of a run's curve: epochs where they all had the same number of steps, else steps.
struct RunAxis {
    bool epochs = true;
    double per_step = 1;           // x of one step
    double end = 1;                // of the run, whatever moment of it is shown
    std::optional<double> moment;  // of the past, where one is shown
    QString left, right, name;
};
RunAxis runAxis(const Snapshot& snapshot);

/// A chart over that axis with its captions, the moment that is looked at, and what is said while there is no point.
ChartContent runContent(const Snapshot& snapshot, const RunAxis& axis);

/// A curve measured each epoch, and behind it each batch; of one of them alone its points.
std::vector<ChartLine> curveOfRun(const Snapshot& snapshot, Measure measure, const RunAxis& axis, const Theme& theme);

/// One row an epoch; while there is none, one a step. `columns` after the first.
Table runTable(const Snapshot& snapshot, const QString& title, const std::vector<Measure>& measures,
               const std::vector<QString>& columns);

}  // namespace moe::app
