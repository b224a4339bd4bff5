#pragma once
#include <QPainter>

class QFontMetricsF;

namespace moe::app {

/// Inter's default digits are proportional and Qt 6.4 cannot ask for others: digits are set in cells of one width, so
/// that numbers stand under each other and do not tremble. On the window's thread, what a text looks like is
/// remembered: most texts are drawn again in the next frame.

/// Pixels. Of a font the width is remembered, of its metrics it is measured.
double tabularWidth(const QFont& font, const QString& text);
double tabularWidth(const QFontMetricsF& metrics, const QString& text);

/// Draws `text` with tabular digits; `alignment` is horizontal (left, right or centre) and vertical as for drawText.
void drawTabular(QPainter& painter, const QRectF& rect, Qt::Alignment alignment, const QString& text);

}  // namespace moe::app
