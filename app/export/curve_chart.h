#pragma once
#include "app/export/figure.h"

namespace moe::app {

/// Lines with their axes, reference, moment and names into `area`; ticks stand up to 60 left of it, names right of it
/// in curveLabelRoom(), axis names 24 above and 40 below.
void paintCurves(QPainter& painter, const CurveData& data, const Theme& theme, const QRectF& area, std::size_t experts);

/// Width of the names at the lines' ends.
double curveLabelRoom(const CurveData& data, const Theme& theme);

}  // namespace moe::app
