#pragma once
#include <QString>

#include <span>
#include <string_view>

namespace moe::app {

/// Numbers of a trace as people read them: ".443", "−.682", "12.4", "2.14e−5"; the same as where a number comes from.
/// `sign`: with a plus sign too; `digits`: significant ones. "–" where it is no number.
QString traceText(double value, bool sign = false, int digits = 3);

/// Two significant digits, for the little room on the stage.
QString briefText(double value, bool sign = false);

/// Every digit that the float has: for tooltips and copies. Minus is "-", so that it can be read back.
QString exactText(float value);

/// The letter of a trace's value, the same wherever it is written: r row, x mean, z gate score, p gate probability (g
/// where the router is soft: there it is the weight), g gate weight, a hidden sum, h hidden, y answer and mix, s score
/// of a word, q its probability, L loss; "∂L/∂z" for "d_gate_logits". Where tokens are routed the mean is ȳ. Markup.
QString symbolOf(std::string_view value, bool soft, bool tokens = false);

/// Euclidean length of an array.
double lengthOf(std::span<const float> values);

}  // namespace moe::app
