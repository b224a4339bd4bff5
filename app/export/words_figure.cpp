#include "app/export/figure_frame.h"
#include "app/models/run_settings.h"
#include "app/models/tabular_text.h"
#include "app/models/text_format.h"

#include <QCoreApplication>

#include <algorithm>
#include <cmath>

namespace moe::app {

namespace {

constexpr double figure_width = 620, row = 24, gate_row = 22, path_row = 20, longest_word = 180, number_room = 60;

double wordColumn(const WordsData& data, const Theme& theme) {
    const QFontMetricsF metrics(FigureFrame::font(theme, 13, QFont::DemiBold));
    double width = 40;
    for (const auto& [word, probability] : data.words) width = std::max(width, metrics.horizontalAdvance(word));
    return std::min(width, longest_word) + 16;
}

void paintWords(QPainter& painter, const WordsData& data, const Theme& theme, double left, double top, double width) {
    const double column = wordColumn(data, theme), bar = width - column - number_room;
    double y = top;
    for (std::size_t i = 0; i < data.words.size(); ++i, y += row) {
        const auto& [word, probability] = data.words[i];
        painter.setFont(FigureFrame::font(theme, 13, i == 0 ? QFont::DemiBold : QFont::Normal));
        painter.setPen(theme.ink);
        drawAligned(painter, {left, y, column, row}, Qt::AlignLeft,
                    elided(QFontMetricsF(painter.font()), word, column - 12));
        painter.setPen(Qt::NoPen);
        painter.setBrush(theme.track);
        painter.drawRoundedRect(QRectF(left + column, y + 6, bar, row - 12), 3, 3);
        const double filled = std::isfinite(probability) ? bar * std::clamp(probability, 0.0, 1.0) : 0;
        painter.setBrush(i == 0 ? theme.ink : theme.muted);
        if (filled > 0.5)
            painter.drawRoundedRect(QRectF(left + column, y + 6, filled, row - 12), std::min(3.0, filled / 2), 3);
        painter.setPen(theme.ink);
        drawTabular(painter, {left + width - number_room, y, number_room, row}, Qt::AlignRight | Qt::AlignVCenter,
                    percentText(probability, 1));
    }
}

/// Experts with their weights in lines of `width`; returns the height they take. Without a painter it only measures.
double layoutGate(QPainter* painter, const WordsData& data, const Theme& theme, double left, double top, double width) {
    const QFont strong = FigureFrame::font(theme, 12, QFont::DemiBold), plain = FigureFrame::font(theme, 12);
    const QFontMetricsF bold(strong), metrics(plain);
    double x = 0, y = 0;
    const auto place = [&](double needed) {
        if (x > 0 && x + needed > width) x = 0, y += gate_row;
    };
    for (const auto& [expert, weight] : data.gate) {
        const QString number = gateText(weight, 3);
        const double head =
            (data.experts <= max_coloured_experts ? 11 * 1.7 : 0) + bold.horizontalAdvance(expertName(expert)) + 6;
        const double needed = head + tabularWidth(metrics, number);
        place(needed);
        if (painter) {
            painter->setFont(strong);
            drawExpertHead(*painter, theme, expert, data.experts, {left + x, top + y + gate_row / 2}, 11);
            painter->setFont(plain);
            painter->setPen(theme.ink);
            drawTabular(*painter, {left + x + head, top + y, 80, gate_row}, Qt::AlignLeft | Qt::AlignVCenter, number);
        }
        x += needed + 20;
    }
    if (!data.others.isEmpty()) {
        place(metrics.horizontalAdvance(data.others));
        if (painter) {
            painter->setFont(plain);
            painter->setPen(theme.muted);
            drawAligned(*painter, {left + x, top + y, 200, gate_row}, Qt::AlignLeft, data.others);
        }
    }
    return y + gate_row;
}

/// Stages of serving, name and value; returns the height they take.
double layoutPath(QPainter* painter, const WordsData& data, const Theme& theme, double left, double top, double width) {
    const QFont plain = FigureFrame::font(theme, 12);
    const QFontMetricsF metrics(plain);
    double column = 0, y = 0;
    for (const auto& [name, value] : data.path) column = std::max(column, metrics.horizontalAdvance(name));
    column += 24;
    for (const auto& [name, value] : data.path) {
        if (painter) {
            painter->setFont(plain);
            painter->setPen(theme.muted);
            drawAligned(*painter, {left, top + y, column, path_row}, Qt::AlignLeft, name);
            painter->setPen(theme.ink);
        }
        for (const QString& line : wrapped(metrics, value, width - column)) {
            if (painter)
                drawAligned(*painter, {left + column, top + y, width - column, path_row}, Qt::AlignLeft,
                            elided(metrics, line, width - column));
            y += path_row;
        }
    }
    return y;
}

}  // namespace

Figure wordsFigure(const WordsData& data, const Theme& theme) {
    const FigureFrame frame(data.notes, theme, figure_width);
    const double left = FigureFrame::margin, width = figure_width - 2 * left;
    const double words = double(data.words.size()) * row, head = 26;
    const double gate = layoutGate(nullptr, data, theme, 0, 0, width) + head;
    const double path = layoutPath(nullptr, data, theme, 0, 0, width) + head;
    const double height = std::ceil(frame.top() + head + words + 14 + gate + 14 + path + frame.bottom());
    return makeFigure(data.notes.title, {figure_width, height}, [=](QPainter& painter) {
        frame.paint(painter, height);
        const auto heading = [&](double y, const char* text) {
            painter.setFont(FigureFrame::font(theme, 11));
            painter.setPen(theme.muted);
            drawAligned(painter, {left, y, width, 16}, Qt::AlignLeft, QCoreApplication::translate("Figure", text));
        };
        double y = frame.top();
        heading(y, "most probable words, probability");
        paintWords(painter, data, theme, left, y + head, width);
        y += head + words + 14;
        heading(y, "gate weights of the phrase");
        layoutGate(&painter, data, theme, left, y + head - 4, width);
        y += gate + 14;
        heading(y, "from the text to the word");
        layoutPath(&painter, data, theme, left, y + head - 4, width);
    });
}

}  // namespace moe::app
