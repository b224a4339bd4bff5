#include "app/export/figure_frame.h"
#include "app/models/color_scale.h"
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

constexpr double tallest = 5200;  // of the body; at scale 4 the picture still fits into memory
constexpr double body_width = 880, head_gap = 8, band_gap = 18, legend_height = 34;

/// How the cells are laid out: numbers in cells while there is room, then narrow columns under upright words, then
/// an overview with numbered ticks.
struct CellLayout {
    enum Heads { numbers, upright, ticks } heads = numbers;
    double cell_width = 0, cell_height = 0, head_height = 0, row_head = 0;
    std::size_t per_band = 1, bands = 1;

    double height(std::size_t experts) const {
        const double band = head_height + double(experts) * cell_height;
        return double(bands) * band + double(bands - 1) * band_gap;
    }
};

double widest(const QFont& font, const std::vector<QString>& texts) {
    const QFontMetricsF metrics(font);
    double width = 0;
    for (const QString& text : texts) width = std::max(width, metrics.horizontalAdvance(text));
    return width;
}

CellLayout layoutFor(const HeatmapData& data, const Theme& theme, CellLayout::Heads heads) {
    const std::size_t tokens = data.tokens.size(), experts = data.experts;
    CellLayout cells;
    cells.heads = heads;
    const double words = widest(FigureFrame::font(theme, 12), data.tokens);
    cells.row_head = (experts <= max_coloured_experts ? 44 : experts <= 26 ? 28 : 44);
    if (heads == CellLayout::numbers) {
        cells.cell_width = std::clamp(words + 14, 46.0, 150.0);
        cells.cell_height = experts <= 32 ? 26 : 16;
        cells.head_height = 24;
    } else if (heads == CellLayout::upright) {
        cells.cell_width = 17;
        cells.cell_height = std::clamp(1200 / double(experts), 2.0, 26.0);
        cells.head_height = std::min(words, 150.0) + 10;
    } else {
        cells.cell_width = std::clamp((body_width - cells.row_head) / double(tokens), 1.0, 17.0);
        cells.cell_height = std::clamp(2400 / double(experts), 1.0, 26.0);
        cells.head_height = 24;
    }
    const auto fitting = std::size_t(std::max(1.0, (body_width - cells.row_head) / cells.cell_width + 1e-9));
    cells.bands = (tokens + fitting - 1) / fitting;
    cells.per_band = (tokens + cells.bands - 1) / cells.bands;  // bands of nearly one length
    return cells;
}

CellLayout layoutFor(const HeatmapData& data, const Theme& theme) {
    CellLayout cells;
    for (const auto heads : {CellLayout::numbers, CellLayout::upright, CellLayout::ticks}) {
        if (heads == CellLayout::numbers && data.experts > 128) continue;
        cells = layoutFor(data, theme, heads);
        if (cells.height(data.experts) <= tallest) break;
    }
    return cells;
}

void paintRowHeads(QPainter& painter, const HeatmapData& data, const CellLayout& cells, const Theme& theme, double left,
                   double top) {
    painter.setFont(FigureFrame::font(theme, 12, QFont::DemiBold));
    std::size_t every = 1;
    while (double(every) * cells.cell_height < 14) every *= 2;
    for (std::size_t e = 0; e < data.experts; e += every)
        drawExpertHead(painter, theme, e, data.experts, {left, top + (double(e) + 0.5) * cells.cell_height}, 11);
}

void paintColumnHeads(QPainter& painter, const HeatmapData& data, const CellLayout& cells, const Theme& theme,
                      double left, double top, std::size_t first, std::size_t last) {
    painter.setFont(FigureFrame::font(theme, 12));
    painter.setPen(theme.muted);
    const QFontMetricsF metrics(painter.font());
    for (std::size_t p = first; p < last; ++p) {
        const double x = left + double(p - first) * cells.cell_width;
        if (cells.heads == CellLayout::numbers) {
            drawAligned(painter, {x, top, cells.cell_width, cells.head_height}, Qt::AlignHCenter,
                        elided(metrics, data.tokens[p], cells.cell_width - 6));
        } else if (cells.heads == CellLayout::upright) {
            painter.save();
            painter.translate(x + cells.cell_width / 2, top + cells.head_height - 6);
            painter.rotate(-90);
            drawAligned(painter, {0, -8, 150, 16}, Qt::AlignLeft, elided(metrics, data.tokens[p], 150));
            painter.restore();
        } else if (const std::size_t every = 50; p == 0 || (p + 1) % every == 0) {
            const QString text = QString::number(p + 1) + u' ' + data.tokens[p];
            const double width = std::max(40.0, cells.cell_width * double(every) - 8);
            drawAligned(painter, {x, top, width, 16}, Qt::AlignLeft, elided(metrics, text, width));
            painter.fillRect(QRectF(x, top + cells.head_height - 6, 1, 5), theme.muted);
        }
    }
}

void paintCells(QPainter& painter, const HeatmapData& data, const CellLayout& cells, const Theme& theme,
                const MagnitudeScale& scale, double left, double top, std::size_t first, std::size_t last) {
    if (cells.heads != CellLayout::numbers) {
        const std::span<const float> part(data.weights.data() + first * data.experts, (last - first) * data.experts);
        const QImage image = heatmapImage(part, last - first, data.experts, scale, theme);
        painter.setRenderHint(QPainter::SmoothPixmapTransform, false);
        painter.drawImage(
            QRectF(left, top, double(last - first) * cells.cell_width, double(data.experts) * cells.cell_height),
            image);
        return;
    }
    painter.setFont(FigureFrame::font(theme, 11));
    for (std::size_t p = first; p < last; ++p)
        for (std::size_t e = 0; e < data.experts; ++e) {
            const float weight = data.weights[p * data.experts + e];
            const QColor color = scale.color(theme, weight);
            const QRectF cell(left + double(p - first) * cells.cell_width + 1, top + double(e) * cells.cell_height + 1,
                              cells.cell_width - 2, cells.cell_height - 2);
            painter.setPen(Qt::NoPen);
            painter.setBrush(color);
            painter.drawRoundedRect(cell, 3, 3);
            painter.setPen(theme.textOn(color));
            drawAligned(painter, cell, Qt::AlignHCenter, gateCellText(double(weight), scale.digits()));
        }
}

void paintLegend(QPainter& painter, const Theme& theme, const MagnitudeScale& scale, double left, double top) {
    painter.setFont(FigureFrame::font(theme, 11));
    const QFontMetricsF metrics(painter.font());
    const auto word = [&](double x, const QString& text) {
        painter.setPen(theme.muted);
        drawAligned(painter, {x, top, 1, 12}, Qt::AlignLeft, text);
        return x + metrics.horizontalAdvance(text) + 6;
    };
    double x = word(left, say("gate weight")) + 4;
    x = word(x, QStringLiteral("0"));
    QLinearGradient gradient(x, 0, x + 140, 0);
    for (int i = 0; i <= 8; ++i) gradient.setColorAt(i / 8.0, theme.magnitude(i / 8.0));
    painter.setPen(Qt::NoPen);
    painter.setBrush(gradient);
    painter.drawRoundedRect(QRectF(x, top, 140, 12), 2, 2);
    word(x + 146, gateText(scale.max, std::max(1, scale.digits() - 1)));
}

}  // namespace

Figure heatmapFigure(const HeatmapData& data, const Theme& theme) {
    const CellLayout cells = layoutFor(data, theme);
    const double columns = double(cells.per_band) * cells.cell_width;
    const double width = std::max(600.0, cells.row_head + columns + 2 * FigureFrame::margin);
    const FigureFrame frame(data.notes, theme, width);
    const double body = cells.height(data.experts);
    const double height = std::ceil(frame.top() + 20 + body + legend_height + frame.bottom());

    return makeFigure(data.notes.title, {width, height}, [=](QPainter& painter) {
        frame.paint(painter, height);
        const MagnitudeScale scale = MagnitudeScale::ofGate(data.weights, data.experts);
        const double left = FigureFrame::margin, grid = left + cells.row_head;
        painter.setFont(FigureFrame::font(theme, 11));
        painter.setPen(theme.muted);
        drawAligned(painter, {left, frame.top(), cells.row_head, 16}, Qt::AlignLeft, say("expert"));
        drawAligned(painter, {grid + 1, frame.top(), columns, 16}, Qt::AlignLeft,
                    say("token, in the order of the phrase"));
        double top = frame.top() + 20;
        for (std::size_t band = 0; band < cells.bands; ++band) {
            const std::size_t first = band * cells.per_band;
            const std::size_t last = std::min(first + cells.per_band, data.tokens.size());
            if (first >= last) break;
            paintColumnHeads(painter, data, cells, theme, grid, top, first, last);
            top += cells.head_height;
            paintRowHeads(painter, data, cells, theme, left, top);
            paintCells(painter, data, cells, theme, scale, grid, top, first, last);
            top += double(data.experts) * cells.cell_height + band_gap;
        }
        paintLegend(painter, theme, scale, grid, height - frame.bottom() - 14);
    });
}

}  // namespace moe::app
