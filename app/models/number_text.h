#pragma once
#include <QString>

namespace moe::app {

/// A number as the lab writes it: `digits` significant ones, no zero before the point, a real minus: ".390", "−.0460".
/// What reads as less than .0001 or as a million and more stands in powers of ten, the mantissa from 1 to below 10:
/// "1.23e−7". "–" where it is no number.
QString valueText(double value, int digits = 3);
/// With its sign always: "+.390".
QString signedValueText(double value, int digits = 3);
/// "1e−3".
QString powerText(int exponent);
/// `number` as valueText() shows it: what a reader would calculate with.
double shownValue(double value, int digits = 3);

/// How many decimals show `digits` significant ones; none of whole numbers.
int decimalsFor(double value, int digits);
/// With that many decimals, else as valueText().
QString fixedText(double value, int decimals);
/// A plus before what has no sign; 0 and "–" stay.
QString signedText(const QString& text);

}  // namespace moe::app
