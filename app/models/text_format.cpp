#include "app/models/text_format.h"

#include "app/models/tabular_text.h"
#include "app/models/theme.h"
#include "engine/core/numbers.h"

#include <QCoreApplication>
#include <QStringList>

#include <algorithm>
#include <cmath>

namespace moe::app {

namespace {

QString fixed(double value, int digits) {
    return QString::fromStdString(to_fixed(value, digits));
}

}  // namespace

QString gateText(double weight, int digits) {
    if (!std::isfinite(weight)) return QStringLiteral("–");
    const QString text = fixed(weight, digits);
    return text.startsWith(u"0.") ? text.mid(1) : text;
}

QString gateCellText(double weight, int digits) {
    return weight == 0 ? QStringLiteral("–") : gateText(weight, digits);
}

QString percentText(double share, int digits) {
    if (!std::isfinite(share)) return QStringLiteral("–");
    const double percent = 100 * share;
    if (percent > 0 && percent < 0.95) digits = std::max(digits, percent < 0.095 ? 2 : 1);
    // Nearly certain is not certain.
    if (percent < 100 && percent >= 99.95) return QStringLiteral("> 99.9") + QChar(0x00A0) + u'%';
    if (percent < 100 && percent >= 99.5) digits = std::max(digits, 1);
    return fixed(percent, digits) + QChar(0x00A0) + u'%';
}

QString evenShareText(std::size_t experts) {
    return percentText(1 / double(experts), 100 % experts == 0 ? 0 : 1);
}

QString lossText(double loss) {
    if (!std::isfinite(loss)) return QCoreApplication::translate("Numbers", "diverged");
    const double size = std::abs(loss);
    if (size >= 1e6) {
        const int exponent = int(std::floor(std::log10(size)));
        return fixed(loss / std::pow(10, exponent), 1) + u'e' + QString::number(exponent);
    }
    return fixed(loss, size >= 100 ? 0 : size >= 10 ? 1 : size >= 0.0995 || size == 0 ? 2 : size >= 0.00995 ? 3 : 4);
}

QString countText(std::uint64_t count) {
    return QString::fromStdString(with_commas(count));
}

QString tickText(double value, double step) {
    if (std::abs(value) >= 1e6 || (step > 0 && step < 1e-5 && value != 0)) {
        const int exponent = int(std::floor(std::log10(std::abs(value)) + 1e-9));
        const double mantissa = value / std::pow(10, exponent);
        const bool whole = std::abs(mantissa - std::round(mantissa)) < 0.05;
        return fixed(mantissa, whole ? 0 : 1) + u'e' + QString::number(exponent);
    }
    const int digits = step >= 1 || value == 0 ? 0 : std::clamp(int(std::ceil(-std::log10(step) - 1e-9)), 0, 6);
    if (digits == 0 && value >= 0) return countText(std::uint64_t(std::llround(value)));
    return fixed(value, digits);
}

QString shownText(const QString& text) {
    QString shown = text;
    for (qsizetype i = 0; i < shown.size(); ++i) {
        const QChar c = shown[i];
        const bool pair = c.isHighSurrogate() && i + 1 < shown.size() && shown[i + 1].isLowSurrogate();
        if (pair)
            ++i;
        else if (c.unicode() < 0x20 || c.unicode() == 0x7F || c.isSurrogate() || c.unicode() >= 0xFFFE)
            shown[i] = QChar(0xFFFD);
    }
    return shown;
}

QString shownText(const std::string& utf8) {
    return shownText(QString::fromStdString(utf8));
}

QString tipText(const QString& plain) {
    return QStringLiteral("<span style=\"white-space:pre-line\">") +
           shownText(QString(plain).replace(u'\n', QChar(0x2028)))
               .toHtmlEscaped()
               .replace(QChar(0x2028), QStringLiteral("<br>")) +
           QStringLiteral("</span>");
}

QString elided(const QFontMetricsF& metrics, const QString& text, double width) {
    const double wide = tabularWidth(metrics, text), plain = metrics.horizontalAdvance(text);
    if (wide <= width) return text;
    return metrics.elidedText(text, Qt::ElideRight, width - std::max(0.0, wide - plain));
}

std::vector<QString> wrapped(const QFontMetricsF& metrics, const QString& text, double width) {
    std::vector<QString> lines;
    for (const QString& word : text.split(u' ', Qt::SkipEmptyParts)) {
        if (lines.empty() || tabularWidth(metrics, lines.back() + u' ' + word) > width)
            lines.push_back(word);
        else
            lines.back() += u' ' + word;
    }
    return lines;
}

}  // namespace moe::app
