#pragma once
#include "app/export/export_figure.h"
#include "app/export/figure.h"

namespace moe::app {

/// What each figure shows, taken from a snapshot. Throw Error in one sentence where there is nothing to show yet.
HeatmapData heatmapData(const Snapshot& snapshot, const FigureOptions& options);
LoadData loadData(const Snapshot& snapshot, const FigureOptions& options);
CurveData lossData(const Snapshot& snapshot, const FigureOptions& options);
CurveData accuracyData(const Snapshot& snapshot, const FigureOptions& options);

/// The numbers behind the figure, every one of them, as CSV.
QByteArray figureCsv(FigureKind kind, const Snapshot& snapshot, const FigureOptions& options);

}  // namespace moe::app
