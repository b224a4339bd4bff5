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
    QString moment;                 // "step 120 of 4,310", right of the title
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
    double x_min = 0, x_max = 0;   // where the data go further than that, the axis does
    std::optional<double> moment;  // a line there: the moment that is looked at
    QString moment_name;
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

/// The gate: one prefix over the run, and each token as it is at the moment.
struct GateData {
    FigureNotes notes;
    CurveData over_time;  // no lines: not drawn
    std::vector<QString> tokens;
    std::size_t focus = 0;  // of the tokens
    std::size_t experts = 0;
    std::vector<float> weights;  // (tokens, E)
};

/// The next word and how it comes about.
struct WordsData {
    FigureNotes notes;
    std::vector<std::pair<QString, double>> words;     // with their probabilities, most probable first
    std::vector<std::pair<std::size_t, double>> gate;  // expert, weight
    std::size_t experts = 0;
    QString others;                                 // of the experts that are not listed
    std::vector<std::pair<QString, QString>> path;  // stages of serving with their values
};

/// The whole run: load in each stretch of steps, and the loss above it.
struct TimeData {
    FigureNotes notes;
    CurveData loss;  // its x axis is the picture's
    std::size_t experts = 0, columns = 0;
    std::vector<float> load;  // (columns, E); NaN where nothing was recorded
};

/// A picture that is drawn by somebody else: the stage's scene, a view as it stands.
struct DrawnData {
    FigureNotes notes;
    QSizeF size;
    std::function<void(QPainter& painter, const QSizeF& size)> paint;  // into (0, 0, size)
};

Figure heatmapFigure(const HeatmapData& data, const Theme& theme);
Figure curveFigure(const CurveData& data, const Theme& theme);
Figure loadFigure(const LoadData& data, const Theme& theme);
Figure gateFigure(const GateData& data, const Theme& theme);
Figure wordsFigure(const WordsData& data, const Theme& theme);
Figure timeFigure(const TimeData& data, const Theme& theme);
Figure drawnFigure(const DrawnData& data, const Theme& theme);

}  // namespace moe::app
