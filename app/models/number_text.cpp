#include "app/models/number_text.h"

#include "engine/core/numbers.h"

#include <algorithm>
#include <cmath>

namespace moe::app {

namespace {

constexpr int least_plain = -4, most_plain = 5;  // powers of ten that are written out

/// Of what is shown: .9996 is 1.00.
int exponentOf(double value, int digits) {
    const int exponent = int(std::floor(std::log10(std::abs(value))));
    const bool next_power = std::abs(value) / std::pow(10, exponent + 1) >= 1 - 0.5 * std::pow(10, -digits);
    return exponent + (next_power ? 1 : 0);
}

QString withMinus(const std::string& text) {
    QString shown = QString::fromStdString(text);
    const bool negative = shown.startsWith(u'-');
    if (negative) shown.remove(0, 1);
    if (shown.startsWith(u"0.")) shown.remove(0, 1);
    return negative ? QChar(0x2212) + shown : shown;
}

QString exponentText(int exponent) {
    return u'e' + (exponent < 0 ? QString(QChar(0x2212)) : QString()) + QString::number(std::abs(exponent));
}

}  // namespace

int decimalsFor(double value, int digits) {
    if (value == 0 || !std::isfinite(value)) return 0;
    return std::max(0, digits - 1 - exponentOf(value, digits));
}

QString fixedText(double value, int decimals) {
    if (!std::isfinite(value)) return QStringLiteral("–");
    std::string text = to_fixed(value, decimals);
    if (text.find_first_not_of("-0.") == std::string::npos) text = to_fixed(0, decimals);  // no "-0.00"
    return withMinus(text);
}

QString signedText(const QString& text) {
    return text.startsWith(QChar(0x2212)) || text == u"–" || text == u"0" ? text : u'+' + text;
}

QString valueText(double value, int digits) {
    if (!std::isfinite(value)) return QStringLiteral("–");
    if (value == 0) return QStringLiteral("0");
    int exponent = exponentOf(value, digits);
    if (exponent >= least_plain && exponent <= most_plain) return fixedText(value, decimalsFor(value, digits));
    std::string mantissa = to_fixed(value / std::pow(10, exponent), digits - 1);
    if (mantissa.starts_with("10") || mantissa.starts_with("-10"))  // exactly between two roundings
        mantissa = to_fixed(value / std::pow(10, ++exponent), digits - 1);
    return withMinus(mantissa) + exponentText(exponent);
}

QString signedValueText(double value, int digits) {
    return signedText(valueText(value, digits));
}

QString powerText(int exponent) {
    return u'1' + exponentText(exponent);
}

double shownValue(double value, int digits) {
    QString text = valueText(value, digits);
    text.replace(QChar(0x2212), u'-');
    if (text.startsWith(u'.')) text.prepend(u'0');
    if (text.startsWith(u"-.")) text.insert(1, u'0');
    double number = value;
    parse_number(text.toStdString(), number);
    return number;
}

}  // namespace moe::app
