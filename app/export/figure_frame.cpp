#include "app/export/figure_frame.h"

#include "app/models/run_settings.h"
#include "app/models/tabular_text.h"
#include "app/models/text_format.h"

#include <algorithm>
#include <cmath>

namespace moe::app {

namespace {

constexpr double title_height = 24, line_height = 16, gap = 16;

}  // namespace

QFont FigureFrame::font(const Theme& theme, double pixels, int weight) {
    QFont f = theme.font(pixels, weight);
    f.setHintingPreference(QFont::PreferNoHinting);
    return f;
}

FigureFrame::FigureFrame(const FigureNotes& notes, const Theme& theme, double width) : theme_(theme), width_(width) {
    const double inside = width - 2 * margin;
    moment_ = notes.moment;
    const double moment_room = moment_.isEmpty() ? 0 : tabularWidth(font(theme, 13, QFont::DemiBold), moment_) + 24;
    title_ = elided(QFontMetricsF(font(theme, 18, QFont::DemiBold)), notes.title, inside - moment_room);
    const QFontMetricsF small(font(theme, 11));
    subtitle_ = wrapped(QFontMetricsF(font(theme, 12)), notes.subtitle, inside);
    for (const QString& setting : notes.settings) {
        const QString separated = settings_.empty() ? setting : settings_.back() + QStringLiteral("  ·  ") + setting;
        if (settings_.empty() || small.horizontalAdvance(separated) > inside)
            settings_.push_back(elided(small, setting, inside));
        else
            settings_.back() = separated;
    }
    top_ = margin + title_height + double(subtitle_.size()) * line_height + gap;
    bottom_ = (settings_.empty() ? 0 : gap + 12 + double(settings_.size()) * line_height) + margin - 4;
}

void FigureFrame::paint(QPainter& painter, double height) const {
    painter.fillRect(QRectF(-1, -1, width_ + 2, height + 2), theme_.panel);
    painter.setPen(theme_.ink);
    painter.setFont(font(theme_, 18, QFont::DemiBold));
    drawAligned(painter, {margin, margin, width_ - 2 * margin, title_height}, Qt::AlignLeft, title_);
    painter.setFont(font(theme_, 13, QFont::DemiBold));
    drawTabular(painter, {margin, margin, width_ - 2 * margin, title_height}, Qt::AlignRight | Qt::AlignVCenter,
                moment_);
    painter.setPen(theme_.muted);
    painter.setFont(font(theme_, 12));
    double y = margin + title_height;
    for (const QString& line : subtitle_) {
        drawAligned(painter, {margin, y, width_ - 2 * margin, line_height}, Qt::AlignLeft, line);
        y += line_height;
    }
    if (settings_.empty()) return;
    y = height - bottom_ + gap;
    painter.fillRect(QRectF(margin, y, width_ - 2 * margin, 1), theme_.hairline);
    y += 12;
    painter.setFont(font(theme_, 11));
    for (const QString& line : settings_) {
        drawAligned(painter, {margin, y, width_ - 2 * margin, line_height}, Qt::AlignLeft, line);
        y += line_height;
    }
}

Figure drawnFigure(const DrawnData& data, const Theme& theme) {
    const double width = data.size.width() + 2 * FigureFrame::margin;
    const FigureFrame frame(data.notes, theme, width);
    const double height = std::ceil(frame.top() + data.size.height() + frame.bottom());
    return makeFigure(data.notes.title, {width, height}, [=](QPainter& painter) {
        frame.paint(painter, height);
        painter.translate(FigureFrame::margin, frame.top());
        data.paint(painter, data.size);
    });
}

Figure makeFigure(QString title, QSizeF size, std::function<void(QPainter&)> body) {
    return {std::move(title), size, [size, body = std::move(body)](QPainter& painter, const QRectF& into) {
                painter.save();
                painter.setRenderHints(QPainter::Antialiasing | QPainter::TextAntialiasing);
                painter.translate(into.topLeft());
                painter.scale(into.width() / size.width(), into.height() / size.height());
                body(painter);
                painter.restore();
            }};
}

void drawAligned(QPainter& painter, const QRectF& rect, Qt::Alignment horizontal, const QString& text) {
    const QFontMetricsF metrics(painter.font());
    double x = rect.left();
    if (horizontal & Qt::AlignRight) x = rect.right() - metrics.horizontalAdvance(text);
    if (horizontal & Qt::AlignHCenter) x = rect.center().x() - metrics.horizontalAdvance(text) / 2;
    // Optical centre: between baseline and the height of capitals.
    painter.drawText(QPointF(x, rect.center().y() + metrics.capHeight() / 2), text);
}

double drawExpertHead(QPainter& painter, const Theme& theme, std::size_t expert, std::size_t experts, QPointF left,
                      double size) {
    double x = left.x();
    if (experts <= max_coloured_experts) {
        painter.fillPath(expertShape(expert, left + QPointF(size / 2, 0), size), theme.expert(expert));
        x += size * 1.7;
    }
    painter.setPen(theme.ink);
    const QString name = expertName(expert);
    const double width = QFontMetricsF(painter.font()).horizontalAdvance(name);
    drawAligned(painter, {x, left.y() - 10, width, 20}, Qt::AlignLeft, name);
    return x + width - left.x();
}

}  // namespace moe::app
