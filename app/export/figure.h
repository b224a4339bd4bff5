#pragma once
#include "app/models/theme.h"

#include <QPainter>
#include <QPointF>
#include <QSizeF>
#include <QString>

#include <functional>
#include <optional>
#include <vector>

namespace moe::app {

/// A picture on paper: `paint` draws it into any rectangle of any device, scaled as a whole. Pure: no widget, no
/// session, the same data give the same picture.
struct Figure {
    QString title;
    QSizeF size;  // in which its type has its nominal size
    std::function<void(QPainter& painter, const QRectF& into)> paint;
};

/// What stands around every figure.
struct FigureNotes {
    QString title, subtitle;
    std::vector<QString> settings;  // "learning rate 0.001", one each
};

struct HeatmapData {
    FigureNotes notes;
    std::vector<QString> tokens;  // (P) column heads
    std::size_t experts = 0;
    std::vector<float> weights;  // (P, E)
};

/// One line of a chart. Points that are no number interrupt it.
struct CurveLine {
    QString name;
    std::vector<QPointF> points;
    QColor color;
    double width = 1.75;
    std::optional<std::size_t> expert;  // its mark stands at the line's end
};

struct CurveData {
    FigureNotes notes;
    QString x_name, y_name;
    std::vector<CurveLine> lines;
    double reference = -1;  // a dashed line there, where >= 0
    QString reference_name;
    bool percent = false;  // values are shares: the axis is in percent
    bool from_zero_to_one = false;
};

struct LoadData {
    FigureNotes notes;
    std::size_t experts = 0;
    std::vector<float> load;  // (E) now
    CurveData over_time;      // no lines: not drawn
};

Figure heatmapFigure(const HeatmapData& data, const Theme& theme);
Figure curveFigure(const CurveData& data, const Theme& theme);
Figure loadFigure(const LoadData& data, const Theme& theme);

}  // namespace moe::app
