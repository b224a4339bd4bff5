#include "app/export/curve_chart.h"
#include "app/export/figure_frame.h"
#include "app/models/axis.h"
#include "app/models/color_scale.h"
#include "app/models/run_settings.h"
#include "app/models/text_format.h"

#include <QCoreApplication>

#include <algorithm>
#include <cmath>

namespace moe::app {

namespace {

constexpr double figure_width = 920, loss_height = 130, load_height = 130, axis_room = 44, gap = 50, name_room = 44;

QString say(const char* text) {
    return QCoreApplication::translate("Figure", text);
}

void paintLoad(QPainter& painter, const TimeData& data, const Theme& theme, const QRectF& area) {
    const std::size_t E = data.experts;
    const double pitch = area.width() / double(std::max<std::size_t>(data.columns, 1));
    if (E > max_coloured_experts) {
        // Shaded from 0 to twice an even share, as in the window: with so many experts one may get very much.
        std::vector<float> shares(data.load.size());
        for (std::size_t i = 0; i < shares.size(); ++i)
            shares[i] = std::isfinite(data.load[i]) ? data.load[i] * float(E) / 2 : 0;
        painter.drawImage(
            area, heatmapImage(shares, data.columns, E, MagnitudeScale{1}, theme, std::size_t(2 * load_height)));
        return;
    }
    for (std::size_t c = 0; c < data.columns; ++c) {
        double top = area.top();
        for (std::size_t e = 0; e < E; ++e) {
            const double share = double(data.load[c * E + e]);
            if (!std::isfinite(share)) continue;
            const double height = std::clamp(share, 0.0, 1.0) * area.height();
            // Columns without seams: each reaches under the next.
            const double reach = c + 1 < data.columns ? pitch + 0.6 : pitch;
            painter.fillRect(QRectF(area.left() + double(c) * pitch, top, reach, std::max(0.3, height - 0.7)),
                             theme.expert(e));
            top += height;
        }
    }
    // Who is who: at the last column's own heights.
    if (data.columns == 0) return;
    std::vector<double> wanted;
    double top = area.top();
    for (std::size_t e = 0; e < E; ++e) {
        const double share = double(data.load[(data.columns - 1) * E + e]),
                     height = std::isfinite(share) ? share * area.height() : 0;
        wanted.push_back(top + height / 2);
        top += height;
    }
    const std::vector<double> places = spreadLabels(wanted, 16, area.top() - 8, area.bottom() + 8);
    painter.setFont(FigureFrame::font(theme, 12, QFont::DemiBold));
    for (std::size_t e = 0; e < E; ++e) drawExpertHead(painter, theme, e, E, {area.right() + 10, places[e]}, 11);
}

}  // namespace

Figure timeFigure(const TimeData& data, const Theme& theme) {
    const FigureFrame frame(data.notes, theme, figure_width);
    const double height = std::ceil(frame.top() + 28 + loss_height + gap + load_height + 16 + frame.bottom());
    return makeFigure(data.notes.title, {figure_width, height}, [=](QPainter& painter) {
        frame.paint(painter, height);
        const double left = FigureFrame::margin + axis_room;
        const double width = figure_width - FigureFrame::margin - name_room - left;
        const QRectF loss(left, frame.top() + 28, width, loss_height);
        paintCurves(painter, data.loss, theme, loss, data.experts);
        const QRectF load(left, loss.bottom() + gap + 14, width, load_height);
        painter.setFont(FigureFrame::font(theme, 11));
        painter.setPen(theme.muted);
        drawAligned(painter, {FigureFrame::margin, load.top() - 22, width, 16}, Qt::AlignLeft,
                    data.experts > max_coloured_experts
                        ? say("load of %1 experts, paper to ink: none to twice an even share").arg(data.experts)
                        : say("load: share of the gate weight, together 100 %"));
        // As long as the run: what the axis above leaves at its end is left here too.
        paintLoad(painter, data, theme, load);
        if (data.loss.moment && data.loss.x_max > 0) {
            const double x = load.left() + load.width() * std::clamp(*data.loss.moment / data.loss.x_max, 0.0, 1.0);
            painter.fillRect(QRectF(x - 0.75, load.top() - 4, 1.5, load.height() + 8), theme.ink);
        }
    });
}

}  // namespace moe::app
