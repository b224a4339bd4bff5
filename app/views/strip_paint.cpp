#include "app/views/strip_paint.h"

#include "app/models/operation_catalogue.h"
#include "app/models/operation_formula.h"
#include "app/models/operation_numbers.h"
#include "app/models/text_format.h"

#include <algorithm>
#include <cmath>

namespace moe::app {

namespace {

/// The same stripes for painting and pointing: never narrower than a logical pixel.
struct Stripes {
    std::size_t count, numbers;
    double width;

    Stripes(const ValueStrip& strip, const QRectF& rect)
        : count(std::clamp<std::size_t>(std::size_t(std::max(1.0, rect.width())), 1,
                                        std::max<std::size_t>(1, strip.values.size()))),
          numbers(strip.values.size()),
          width(rect.width() / double(count)) {}

    std::size_t first(std::size_t stripe) const { return stripe * numbers / count; }
    std::size_t strongest(const ValueStrip& strip, std::size_t stripe) const {
        std::size_t best = first(stripe);
        for (std::size_t i = best; i < first(stripe + 1); ++i)
            if (std::abs(strip.values[i]) > std::abs(strip.values[best])) best = i;
        return best;
    }
    std::size_t under(const QRectF& rect, QPointF point) const {
        const double share = (point.x() - rect.left()) / std::max(1e-9, width);
        return std::size_t(std::clamp(share, 0.0, double(count) - 1));
    }
};

}  // namespace

void paintStrip(QPainter& p, const Theme& theme, const QRectF& rect, const ValueStrip& strip, double light,
                double shown, std::optional<std::size_t> picked) {
    if (strip.values.empty() || shown <= 0) return;
    const Stripes stripes(strip, rect);
    float most = 0;
    for (const float v : strip.values) most = std::max(most, std::abs(v));
    const double strength = light < 1 ? 0.45 : 1;
    p.save();
    p.setRenderHint(QPainter::Antialiasing, false);
    if (strip.gradient) p.fillRect(QRectF(rect.left(), rect.center().y(), rect.width(), 1), theme.hairline);
    for (std::size_t i = 0; i < stripes.count && double(i) < shown * double(stripes.count); ++i) {
        const float v = strip.values[stripes.strongest(strip, i)];
        const double share = most > 0 && std::isfinite(v) ? double(v / most) : 0;
        const double left = std::round(rect.left() + stripes.width * double(i)),
                     right = std::round(rect.left() + stripes.width * double(i + 1));
        QRectF stripe(left, rect.top(), right - left, rect.height());
        if (strip.gradient) {
            const double half = rect.height() / 2 * std::abs(share), middle = rect.center().y();
            stripe = QRectF(left, share > 0 ? middle - half : middle, std::max(1.0, right - left - (right - left > 3)),
                            half);
        }
        p.fillRect(stripe,
                   Theme::mix(theme.panel, strip.gradient ? theme.gradient : theme.signedValue(share), strength));
    }
    p.restore();
    if (picked && *picked < strip.values.size()) {
        const std::size_t i = std::min(stripes.count - 1, *picked * stripes.count / stripes.numbers);
        const double width = std::max(stripes.width, 3.0);
        p.setBrush(Qt::NoBrush);
        p.setPen(QPen(theme.ink, 1.5));
        p.drawRect(QRectF(rect.left() + stripes.width * (double(i) + 0.5) - width / 2, rect.top() - 2, width,
                          rect.height() + 4));
    }
}

NumberRef stripNumber(const ValueStrip& strip, const QRectF& rect, QPointF point) {
    NumberRef ref = strip.first;
    if (strip.values.empty()) return ref;
    const Stripes stripes(strip, rect);
    ref.index += stripes.strongest(strip, stripes.under(rect, point));
    return ref;
}

QString stripTip(const ValueStrip& strip, const QRectF& rect, QPointF point, const std::vector<QString>& words) {
    if (strip.values.empty()) return {};
    const std::size_t i = stripNumber(strip, rect, point).index - strip.first.index;
    return QStringLiteral("%1 [%2] = %3")
        .arg(FormulaText(strip.title).plain(), shownText(stripLabel(strip, i, words)), exactText(strip.values[i]));
}

}  // namespace moe::app
