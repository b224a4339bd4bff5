#pragma once
#include <QString>

#include <span>

namespace moe::app {

/// Numbers of a trace as people read them: ".443", "−.682", "12.4", "2.14e−5"; the same as where a number comes from.
/// `sign`: with a plus sign too. "–" where it is no number.
QString traceText(double value, bool sign = false);

/// Two significant digits, for the little room on the stage.
QString briefText(double value, bool sign = false);

/// Every digit that the float has: for tooltips and copies. Minus is "-", so that it can be read back.
QString exactText(float value);

/// Euclidean length of an array.
double lengthOf(std::span<const float> values);

}  // namespace moe::app
