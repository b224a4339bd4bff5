#include "app/export/curve_chart.h"
#include "app/export/figure_frame.h"
#include "app/models/run_settings.h"
#include "app/models/tabular_text.h"
#include "app/models/text_format.h"

#include <QCoreApplication>

#include <algorithm>
#include <cmath>

namespace moe::app {

namespace {

QString say(const char* text) {
    return QCoreApplication::translate("Figure", text);
}

constexpr double chart_width = 760, plot_height = 300;

/// Experts as bars, the heaviest first where there are many, the rest as one sum.
class LoadBars {
public:
    static constexpr std::size_t room = 32;
    static constexpr double row = 26;

    explicit LoadBars(const LoadData& data) : data_(data), shown_(shownExperts(data.load, room, nullptr)) {}
    double height() const { return row * double(shown_.size() + (rest() > 0 ? 1 : 0)) + 24; }
    std::size_t rest() const { return data_.load.size() - shown_.size(); }

    void paint(QPainter& painter, const Theme& theme, double left, double top, double width) const {
        const double even = 1 / double(data_.experts), bar_left = left + 70, bar_width = width - 70 - 64;
        double largest = 0, others = 1;
        for (const std::size_t e : shown_) {
            largest = std::max(largest, double(data_.load[e]));
            others -= double(data_.load[e]);
        }
        const double full = std::max(std::max(2 * even, largest), rest() > 0 ? others : 0.0);
        const auto bar = [&](double y, double load, const QColor& color) {
            painter.setPen(Qt::NoPen);
            painter.setBrush(theme.track);
            painter.drawRoundedRect(QRectF(bar_left, y + 5, bar_width, row - 10), 3, 3);
            painter.setBrush(color);
            painter.drawRoundedRect(QRectF(bar_left, y + 5, bar_width * std::clamp(load / full, 0.0, 1.0), row - 10), 3,
                                    3);
            painter.setPen(theme.ink);
            painter.setFont(FigureFrame::font(theme, 12));
            drawTabular(painter, {bar_left + bar_width, y, 64, row}, Qt::AlignRight | Qt::AlignVCenter,
                        percentText(load));
        };
        double y = top;
        for (const std::size_t e : shown_) {
            painter.setFont(FigureFrame::font(theme, 12, QFont::DemiBold));
            drawExpertHead(painter, theme, e, data_.experts, {left, y + row / 2}, 11);
            bar(y, data_.load[e], data_.experts <= max_coloured_experts ? theme.expert(e) : theme.muted);
            y += row;
        }
        if (rest() > 0) {
            painter.setPen(theme.muted);
            painter.setFont(FigureFrame::font(theme, 12));
            drawAligned(painter, {left, y, 70, row}, Qt::AlignLeft, say("%1 others").arg(rest()));
            bar(y, std::max(0.0, others), theme.mix(theme.track, theme.muted, 0.5));
            y += row;
        }
        QPen dashed(theme.muted, 1);
        dashed.setDashPattern({4, 3});
        painter.setPen(dashed);
        const double x = bar_left + bar_width * even / full;
        painter.drawLine(QPointF(x, top - 2), QPointF(x, y + 2));
        painter.setPen(theme.muted);
        painter.setFont(FigureFrame::font(theme, 11));
        drawAligned(painter, {x - 80, y + 4, 160, 16}, Qt::AlignHCenter,
                    say("even: %1").arg(evenShareText(data_.experts)));
    }

private:
    const LoadData& data_;
    std::vector<std::size_t> shown_;
};

}  // namespace

Figure curveFigure(const CurveData& data, const Theme& theme) {
    const FigureFrame frame(data.notes, theme, chart_width);
    const double height = std::ceil(frame.top() + 28 + plot_height + 40 + frame.bottom());
    return makeFigure(data.notes.title, {chart_width, height}, [=](QPainter& painter) {
        frame.paint(painter, height);
        const double left = FigureFrame::margin + 44;
        const QRectF area(left, frame.top() + 28,
                          chart_width - FigureFrame::margin - left - std::max(4.0, curveLabelRoom(data, theme)),
                          plot_height);
        paintCurves(painter, data, theme, area, 0);
    });
}

Figure loadFigure(const LoadData& data, const Theme& theme) {
    const FigureFrame frame(data.notes, theme, chart_width);
    const bool over_time = !data.over_time.lines.empty();
    const double bars = LoadBars(data).height();
    const double height =
        std::ceil(frame.top() + bars + (over_time ? 52 + plot_height * 0.7 + 40 : 0) + frame.bottom());
    return makeFigure(data.notes.title, {chart_width, height}, [=](QPainter& painter) {
        frame.paint(painter, height);
        const double left = FigureFrame::margin, inside = chart_width - 2 * left;
        LoadBars(data).paint(painter, theme, left, frame.top(), inside);
        if (!over_time) return;
        const QRectF area(left + 44, frame.top() + bars + 52, inside - 44 - 52, plot_height * 0.7);
        paintCurves(painter, data.over_time, theme, area, data.experts);
    });
}

}  // namespace moe::app
