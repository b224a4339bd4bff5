#include "app/export/curve_chart.h"

#include "app/export/figure_frame.h"
#include "app/models/axis.h"
#include "app/models/run_settings.h"
#include "app/models/text_format.h"

#include <algorithm>
#include <cmath>

namespace moe::app {

namespace {

/// The plot's rectangle and what its axes go to.
struct Plot {
    QRectF area;
    double x_min = 0, x_max = 1;
    Axis y;

    QPointF at(const QPointF& value) const {
        const double across = x_max > x_min ? (value.x() - x_min) / (x_max - x_min) : 0;
        return {area.left() + across * area.width(), area.bottom() - value.y() / y.max * area.height()};
    }
};

Plot plotFor(const CurveData& data, const QRectF& area) {
    Plot plot;
    plot.area = area;
    double largest = std::max(0.0, data.reference), first = 0, last = 0;
    bool any = false;
    for (const CurveLine& line : data.lines)
        for (const QPointF& p : line.points) {
            if (!std::isfinite(p.y())) continue;
            largest = std::max(largest, p.y());
            first = any ? std::min(first, p.x()) : p.x();
            last = any ? std::max(last, p.x()) : p.x();
            any = true;
        }
    plot.x_min = std::min(data.x_min, first);
    plot.x_max = std::max({last, data.x_max, plot.x_min + 1});
    plot.y = data.from_zero_to_one ? Axis{1, 0.25} : Axis::upTo(largest, 5);
    plot.y.max *= data.from_zero_to_one ? 1 : 1.04;
    return plot;
}

void paintAxes(QPainter& painter, const CurveData& data, const Plot& plot, const Theme& theme) {
    painter.setFont(FigureFrame::font(theme, 11));
    const QRectF& area = plot.area;
    for (const double tick : plot.y.ticks()) {
        const double y = plot.at({0, tick}).y();
        painter.fillRect(QRectF(area.left(), y - 0.5, area.width(), 1), theme.hairline);
        painter.setPen(theme.muted);
        const QString text = data.percent ? tickText(100 * tick, 1) : tickText(tick, plot.y.step);
        drawAligned(painter, {area.left() - 60, y - 8, 52, 16}, Qt::AlignRight, text);
    }
    const Axis x = Axis::upTo(plot.x_max - plot.x_min, 6);
    const double step = std::max(1.0, x.step);
    for (double tick = std::ceil(plot.x_min / step) * step; tick <= plot.x_max * (1 + 1e-9); tick += step) {
        const double at = plot.at({tick, 0}).x();
        painter.fillRect(QRectF(at - 0.5, area.bottom(), 1, 4), theme.muted);
        drawAligned(painter, {at - 50, area.bottom() + 5, 100, 16}, Qt::AlignHCenter, tickText(tick, step));
    }
    painter.setPen(theme.muted);
    drawAligned(painter, {area.left(), area.bottom() + 22, area.width(), 16}, Qt::AlignRight, data.x_name);
    drawAligned(painter, {area.left() - 44, area.top() - 24, 200, 16}, Qt::AlignLeft, data.y_name);
}

void paintLine(QPainter& painter, const CurveLine& line, const Plot& plot) {
    QPainterPath path;
    bool pen_down = false;
    for (const QPointF& p : line.points) {
        if (!std::isfinite(p.y())) {
            pen_down = false;
            continue;
        }
        pen_down ? path.lineTo(plot.at(p)) : path.moveTo(plot.at(p));
        pen_down = true;
    }
    painter.strokePath(path, QPen(line.color, line.width, Qt::SolidLine, Qt::RoundCap, Qt::RoundJoin));
    // The first epochs of a run are points before they are a line.
    if (line.points.size() > 24) return;
    for (const QPointF& p : line.points)
        if (std::isfinite(p.y())) {
            QPainterPath dot;
            dot.addEllipse(plot.at(p), 1.4 * line.width, 1.4 * line.width);
            painter.fillPath(dot, line.color);
        }
}

void paintEndLabels(QPainter& painter, const CurveData& data, const Plot& plot, const Theme& theme,
                    std::size_t experts) {
    std::vector<double> wanted;
    std::vector<const CurveLine*> labelled;
    for (const CurveLine& line : data.lines) {
        if (line.points.empty() || (!line.expert && data.lines.size() < 2)) continue;
        wanted.push_back(plot.at(line.points.back()).y());
        labelled.push_back(&line);
    }
    const std::vector<double> places = spreadLabels(wanted, 16, plot.area.top() - 8, plot.area.bottom() + 8);
    for (std::size_t i = 0; i < labelled.size(); ++i) {
        const QPointF left(plot.area.right() + 10, places[i]);
        painter.setFont(FigureFrame::font(theme, 12, QFont::DemiBold));
        if (labelled[i]->expert) {
            drawExpertHead(painter, theme, *labelled[i]->expert, experts, left, 11);
        } else {
            painter.setPen(labelled[i]->color);
            painter.setFont(FigureFrame::font(theme, 11));
            drawAligned(painter, {left.x(), left.y() - 8, 100, 16}, Qt::AlignLeft, labelled[i]->name);
        }
    }
}

void paintReference(QPainter& painter, const CurveData& data, const Plot& plot, const Theme& theme) {
    if (data.reference < 0) return;
    const double y = plot.at({0, data.reference}).y();
    QPen dashed(theme.muted, 1);
    dashed.setDashPattern({4, 3});
    painter.setPen(dashed);
    painter.drawLine(QPointF(plot.area.left(), y), QPointF(plot.area.right(), y));
    painter.setPen(theme.muted);
    painter.setFont(FigureFrame::font(theme, 11));
    drawAligned(painter, {plot.area.left(), y - 18, plot.area.width() - 2, 16}, Qt::AlignRight, data.reference_name);
}

/// The moment that is looked at, and what is known of it by name; above the plot, where no curve is.
void paintMoment(QPainter& painter, const CurveData& data, const Plot& plot, const Theme& theme) {
    if (!data.moment) return;
    const double x = plot.at({std::clamp(*data.moment, plot.x_min, plot.x_max), 0}).x();
    painter.fillRect(QRectF(x - 0.75, plot.area.top() - 6, 1.5, plot.area.height() + 6), theme.ink);
    painter.setPen(theme.ink);
    painter.setFont(FigureFrame::font(theme, 11, QFont::DemiBold));
    const double width = QFontMetricsF(painter.font()).horizontalAdvance(data.moment_name);
    const double left =
        std::clamp(x - width / 2, plot.area.left() + 200, std::max(plot.area.left() + 200, plot.area.right() - width));
    drawAligned(painter, {left, plot.area.top() - 24, width, 16}, Qt::AlignLeft, data.moment_name);
}

}  // namespace

double curveLabelRoom(const CurveData& data, const Theme& theme) {
    double room = 0;
    const QFontMetricsF metrics(FigureFrame::font(theme, 11));
    for (const CurveLine& line : data.lines)
        if (line.expert)
            room = std::max(room, 52.0);
        else if (data.lines.size() > 1)
            room = std::max(room, metrics.horizontalAdvance(line.name) + 18);
    return room;
}

void paintCurves(QPainter& painter, const CurveData& data, const Theme& theme, const QRectF& area,
                 std::size_t experts) {
    const Plot plot = plotFor(data, area);
    paintAxes(painter, data, plot, theme);
    for (const CurveLine& line : data.lines) paintLine(painter, line, plot);
    paintReference(painter, data, plot, theme);
    paintMoment(painter, data, plot, theme);
    paintEndLabels(painter, data, plot, theme, experts);
}

}  // namespace moe::app
