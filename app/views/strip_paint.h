#pragma once
#include "app/models/operation_page.h"
#include "app/models/theme.h"

namespace moe::app {

/// Draws a strip: values as stripes, brown to teal; gradients as vermilion bars from the middle. Of more numbers than
/// pixels each stripe is the strongest of its own. `light`: 1 full, below it stands back; `shown`: how much of it, from
/// the left; `picked`: an index of its own that is marked.
void paintStrip(QPainter& painter, const Theme& theme, const QRectF& rect, const ValueStrip& strip, double light = 1,
                double shown = 1, std::optional<std::size_t> picked = std::nullopt);

/// The strongest number of the stripe under `point`.
NumberRef stripNumber(const ValueStrip& strip, const QRectF& rect, QPointF point);
/// "x [5] = −.0312", with every digit; words and experts by name.
QString stripTip(const ValueStrip& strip, const QRectF& rect, QPointF point, const std::vector<QString>& words);

}  // namespace moe::app
