#pragma once
#include <QFontMetricsF>
#include <QString>

#include <cstdint>
#include <string>
#include <vector>

namespace moe::app {

/// Numbers as people read them, the same in every locale. Nothing here is parsed again: data goes through numbers.h.

/// A gate weight as in the tables of the field: ".07", "1.00"; "–" where it is no number.
QString gateText(double weight, int digits = 2);
/// The same in a cell: "–" for a weight of exactly 0, which only an expert that was not chosen has.
QString gateCellText(double weight, int digits = 2);
/// 0.17 -> "17 %" with a no-break space; under one percent more digits, so that little is not nothing.
QString percentText(double share, int digits = 0);
/// 1 of `experts` in percent: "25 %", "12.5 %".
QString evenShareText(std::size_t experts);
/// A loss: three significant digits, "diverged" where it is no number.
QString lossText(double loss);
/// 12345 -> "12,345".
QString countText(std::uint64_t count);
/// An axis label for a multiple of `step`: no more digits than the step needs, powers of ten from a million on.
QString tickText(double value, double step);

/// A stranger's word as it may be drawn and written to XML: control characters and broken surrogates become U+FFFD.
QString shownText(const QString& text);
QString shownText(const std::string& utf8);

/// For tooltips, which would take a stranger's "<img ...>" for markup: shows `plain` as it is.
QString tipText(const QString& plain);

/// `text` cut at the right with an ellipsis where it is wider than `width`.
QString elided(const QFontMetricsF& metrics, const QString& text, double width);

/// Words in lines of at most `width`; a longer word stands alone.
std::vector<QString> wrapped(const QFontMetricsF& metrics, const QString& text, double width);

}  // namespace moe::app
