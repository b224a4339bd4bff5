#include "app/models/label_book.h"

#include "app/models/tabular_text.h"
#include "app/models/text_format.h"
#include "app/models/theme.h"

namespace moe::app {

QRectF LabelBook::draw(QPainter& painter, const QRectF& rect, Qt::Alignment alignment, const QString& text) {
    if (text.isEmpty()) return {rect.topLeft(), QSizeF(0, 0)};
    const QFontMetricsF metrics(painter.font());
    const double width = tabularWidth(painter.font(), text), height = metrics.height();
    double x = rect.left(), y = rect.top();
    if (alignment & Qt::AlignRight) x = rect.right() - width;
    if (alignment & Qt::AlignHCenter) x = rect.center().x() - width / 2;
    if (alignment & Qt::AlignVCenter) y = rect.center().y() - height / 2;
    if (alignment & Qt::AlignBottom) y = rect.bottom() - height;
    const QRectF place(x, y, width, height);
    drawTabular(painter, place, Qt::AlignLeft | Qt::AlignTop, text);
    labels_.push_back({place, text});
    return place;
}

void LabelBook::drawWrapped(QPainter& painter, const QRectF& rect, const QString& text) {
    const QFontMetricsF metrics(painter.font());
    const std::vector<QString> lines = wrapped(metrics, text, rect.width());
    double y = rect.center().y() - metrics.height() * double(lines.size()) / 2;
    for (const QString& line : lines) {
        draw(painter, {rect.left(), y, rect.width(), metrics.height()}, Qt::AlignHCenter | Qt::AlignTop, line);
        y += metrics.height();
    }
}

QString LabelBook::fault(const QRectF& bounds) const {
    // A line's rectangle is a little higher than its letters.
    const QRectF room = bounds.adjusted(-0.5, -2, 0.5, 2);
    for (std::size_t i = 0; i < labels_.size(); ++i) {
        if (!room.contains(labels_[i].rect))
            return labels_[i].text + QStringLiteral(" leaves the picture at %1, %2")
                                         .arg(labels_[i].rect.right())
                                         .arg(labels_[i].rect.bottom());
        for (std::size_t k = 0; k < i; ++k)
            if (labels_[i].rect.adjusted(0, 2, 0, -2).intersects(labels_[k].rect.adjusted(0, 2, 0, -2)))
                return labels_[i].text + QStringLiteral(" on ") + labels_[k].text;
    }
    return {};
}

}  // namespace moe::app
