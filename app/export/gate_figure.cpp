#include "app/export/curve_chart.h"
#include "app/export/figure_frame.h"
#include "app/models/axis.h"
#include "app/models/run_settings.h"
#include "app/models/text_format.h"

#include <QCoreApplication>

#include <algorithm>
#include <cmath>

namespace moe::app {

namespace {

QString say(const char* text) {
    return QCoreApplication::translate("Figure", text);
}

constexpr double figure_width = 760, lines_height = 230, bars_height = 150, least_bar = 7, axis_room = 44;

/// Each token's weights as bars, side by side; of long phrases the tokens around the focused one, of many experts the
/// heaviest at the focus.
class TokenBars {
public:
    TokenBars(const GateData& data, double width) : data_(data) {
        const auto at_focus = data.weights.begin() + std::ptrdiff_t(data.focus * data.experts);
        experts_ = shownExperts({at_focus, at_focus + std::ptrdiff_t(data.experts)}, max_coloured_experts, nullptr);
        const double least = double(experts_.size()) * least_bar + 16;
        count_ = std::min(data.tokens.size(), std::size_t(std::max(1.0, width / least)));
        first_ = std::min(data.focus - std::min(data.focus, count_ / 2), data.tokens.size() - count_);
    }

    QString remark() const {
        QStringList parts;
        if (experts_.size() < data_.experts)
            parts << say("the %1 heaviest of %2 experts").arg(experts_.size()).arg(data_.experts);
        if (count_ < data_.tokens.size())
            parts << say("tokens %1 to %2 of %3").arg(first_ + 1).arg(first_ + count_).arg(data_.tokens.size());
        return parts.isEmpty() ? QString() : QStringLiteral(" (") + parts.join(QStringLiteral(", ")) + u')';
    }

    void paint(QPainter& painter, const Theme& theme, const QRectF& area) const {
        double largest = 0;
        for (std::size_t t = first_; t < first_ + count_; ++t)
            for (const std::size_t e : experts_)
                if (const double w = weight(t, e); std::isfinite(w)) largest = std::max(largest, w);
        Axis axis = Axis::upTo(largest, 3);
        axis.max *= 1.04;
        painter.setFont(FigureFrame::font(theme, 11));
        for (const double tick : axis.ticks()) {
            const double y = area.bottom() - tick / axis.max * area.height();
            painter.fillRect(QRectF(area.left(), y - 0.5, area.width(), 1), theme.hairline);
            painter.setPen(theme.muted);
            drawAligned(painter, {area.left() - 60, y - 8, 52, 16}, Qt::AlignRight, tickText(tick, axis.step));
        }
        const double group = area.width() / double(count_), pad = std::min(14.0, group * 0.14);
        const double step = std::min(26.0, (group - 2 * pad) / double(experts_.size()));
        for (std::size_t t = first_; t < first_ + count_; ++t) {
            const double left = area.left() + double(t - first_) * group;
            double x = left + (group - step * double(experts_.size())) / 2;
            for (const std::size_t e : experts_) {
                const double w = weight(t, e), height = std::isfinite(w) ? w / axis.max * area.height() : 0;
                painter.setPen(Qt::NoPen);
                painter.setBrush(data_.experts <= max_coloured_experts ? theme.expert(e) : theme.muted);
                painter.drawRoundedRect(QRectF(x + 1, area.bottom() - height, step - 2, height), 1.5, 1.5);
                if (data_.experts > max_coloured_experts && count_ == 1) {
                    painter.setPen(theme.ink);
                    drawAligned(painter, {x, area.bottom() - height - 16, step, 16}, Qt::AlignHCenter, expertName(e));
                }
                x += step;
            }
            painter.setFont(FigureFrame::font(theme, 11, t == data_.focus ? QFont::DemiBold : QFont::Normal));
            painter.setPen(t == data_.focus ? theme.ink : theme.muted);
            drawAligned(painter, {left, area.bottom() + 5, group, 16}, Qt::AlignHCenter,
                        elided(QFontMetricsF(painter.font()), data_.tokens[t], group - 4));
        }
    }

private:
    double weight(std::size_t token, std::size_t expert) const {
        return double(data_.weights[token * data_.experts + expert]);
    }

    const GateData& data_;
    std::vector<std::size_t> experts_;
    std::size_t first_ = 0, count_ = 0;
};

/// The experts' marks with their letters: who a bar belongs to.
void paintLegend(QPainter& painter, const GateData& data, const Theme& theme, double left, double y) {
    if (data.experts > max_coloured_experts) return;
    painter.setFont(FigureFrame::font(theme, 12, QFont::DemiBold));
    double x = left;
    for (std::size_t e = 0; e < data.experts; ++e)
        x += drawExpertHead(painter, theme, e, data.experts, {x, y}, 11) + 18;
}

}  // namespace

Figure gateFigure(const GateData& data, const Theme& theme) {
    const FigureFrame frame(data.notes, theme, figure_width);
    const bool lines = !data.over_time.lines.empty();
    const double bars_top = frame.top() + (lines ? 28 + lines_height + 48 : 0) + 28;
    const double height = std::ceil(bars_top + bars_height + 56 + frame.bottom());
    return makeFigure(data.notes.title, {figure_width, height}, [=](QPainter& painter) {
        frame.paint(painter, height);
        const double left = FigureFrame::margin + axis_room, right = figure_width - FigureFrame::margin;
        if (lines)
            paintCurves(painter, data.over_time, theme,
                        {left, frame.top() + 28, right - left - curveLabelRoom(data.over_time, theme), lines_height},
                        data.experts);
        const TokenBars bars(data, right - left);
        painter.setFont(FigureFrame::font(theme, 11));
        painter.setPen(theme.muted);
        drawAligned(painter, {FigureFrame::margin, bars_top - 26, right - left, 16}, Qt::AlignLeft,
                    say("gate weight at each token, now") + bars.remark());
        bars.paint(painter, theme, {left, bars_top, right - left, bars_height});
        paintLegend(painter, data, theme, left, bars_top + bars_height + 38);
    });
}

}  // namespace moe::app
