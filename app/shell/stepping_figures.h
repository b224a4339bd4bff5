#pragma once
#include "app/export/export_figure.h"

#include <vector>

namespace moe::app {

class SteppingControl;

/// What stepping shows, for exports: the stage, the operation and where the picked number comes from, as they stand.
/// Empty while nothing is stepped through. GUI thread.
std::vector<FigureSource> steppingFigures(SteppingControl& stepping, const Theme& theme);

}  // namespace moe::app
