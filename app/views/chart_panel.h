#pragma once
#include "app/models/axis.h"
#include "app/models/label_book.h"
#include "app/models/run_series.h"
#include "app/models/theme.h"

#include <QChart>
#include <QChartView>
#include <QLineSeries>
#include <QValueAxis>

#include <optional>
#include <vector>

namespace moe::app {

/// The one look of all charts: the panel's own paper, hairlines, no frame, no animation, no room lost.
void styleChart(QChart& chart, const Theme& theme);

/// One line of a chart.
struct ChartLine {
    QString name;  // in the legend and on hover
    Series series;
    QColor color;
    double width = 1.75;
    std::optional<std::size_t> expert;  // its mark and letter stand at the line's end
    bool labelled = true;               // false: no mark there
    bool marks_points = true;           // while they are few
};

/// All that a chart shows.
struct ChartContent {
    std::vector<ChartLine> lines;
    double x_min = 0, x_max = 1;
    QString x_left, x_right;  // under the ends of the axis: "epoch 0", "87"
    QString x_name;           // on hover: "epoch"
    Axis y;
    bool percent = false;
    bool weights = false;             // ".4", as gate weights are written
    std::optional<double> reference;  // a dashed line
    QString reference_name;
    std::optional<double> diverged_at;
    std::optional<double> moment;  // that is looked at: a line there, and each curve's point
    QString empty;                 // said in the middle while there is no point
    std::size_t experts = 0;       // of the model: marks have colour up to eight
    double foot_room = 0;          // and at the right of the captions' line, for a button
};

/// Lines over the run, drawn by Qt Charts, with labels in the window's type: ends of the axis, few round ticks, a named
/// reference, names at the lines' ends that never overlap, and the nearest values on hover.
class ChartPanel : public QChartView {
    Q_OBJECT

public:
    explicit ChartPanel(QWidget* parent);

    void setContent(ChartContent content, const Theme& theme);
    QString labelFault() const { return labels_.fault(QRectF(rect())); }
    const LabelBook& labels() const { return labels_; }
    std::size_t pointsDrawn() const;

protected:
    void drawBackground(QPainter* painter, const QRectF& rect) override;
    void paintEvent(QPaintEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;
    void leaveEvent(QEvent* event) override;
    QSize sizeHint() const override { return {240, 120}; }
    QSize minimumSizeHint() const override { return {120, 60}; }

private:
    struct LegendEntry {
        std::size_t line;
        QRectF place;
    };

    QString tickLabel(double tick) const;
    void arrange();
    void fillSeries();
    QPointF at(const QPointF& value) const;
    bool hasPoints() const;
    void paintLabels(QPainter& painter);
    void paintEndLabels(QPainter& painter);
    void paintMarkers(QPainter& painter);
    void paintReference(QPainter& painter);
    void paintMoment(QPainter& painter);
    QRectF referencePlace(double width, double height);
    void paintHover(QPainter& painter);
    std::optional<double> nearest(double pixel) const;  // x of the point that the pointer is nearest to
    const QPointF* pointAt(const ChartLine& line, double x) const;
    double captionWidth(const QString& text) const;

    QChart* chart_;
    QValueAxis *x_axis_, *y_axis_;
    std::vector<QLineSeries*> series_;
    ChartContent content_;
    Theme theme_ = Theme::light();
    QRectF plot_;
    std::vector<LegendEntry> legend_;
    double caption_top_ = 0;
    std::size_t label_columns_ = 1;   // end labels stand in two columns where one is too low for them
    double label_width_ = 0;          // of a column
    std::optional<double> hover_x_;   // of the pointer, in pixels
    std::size_t reference_spot_ = 0;  // of the places where the reference's name may stand
    LabelBook labels_;
};

}  // namespace moe::app
