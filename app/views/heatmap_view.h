#pragma once
#include "app/models/color_scale.h"
#include "app/views/chart_measure.h"
#include "app/views/chart_toggle.h"

#include <QImage>
#include <QScrollBar>

namespace moe::app {

/// Gate weights as cells from paper to ink: rows are experts, a column is the prefix that ends at its token. Numbers
/// stand in the cells while they fit; what is larger than the panel scrolls under fixed heads, or is shown whole.
class HeatmapView : public MeasureView {
    Q_OBJECT

public:
    HeatmapView(SessionController& session, QWidget* parent);

    QString title() const override { return tr("Routing, expert by token"); }
    QString name() const override { return tr("Routing"); }
    QString scope() const override;
    Table table() const override;
    QSize sizeHint() const override { return {320, 105}; }

    /// The cell under a point of the view; nothing outside the cells.
    struct Cell {
        std::size_t prefix = 0, expert = 0;
        bool operator==(const Cell&) const = default;
    };
    std::optional<Cell> cellAt(QPointF position) const;
    QRectF cellRect(std::size_t prefix, std::size_t expert) const;
    const MagnitudeScale& scale() const { return scale_; }

protected:
    void refresh() override;
    QString summary() const override;
    void paintEvent(QPaintEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;
    bool event(QEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;
    void leaveEvent(QEvent* event) override;
    void wheelEvent(QWheelEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    void focusInEvent(QFocusEvent* event) override;
    void focusOutEvent(QFocusEvent* event) override;

private:
    void arrange();
    void showFocus();
    void paintCells(QPainter& painter);
    void paintHeads(QPainter& painter);
    void paintFocus(QPainter& painter);
    void paintLegend(QPainter& painter);
    void outline(QPainter& painter, QRectF rect, const QColor& color, double width) const;
    QString word(std::size_t prefix) const;
    double weight(std::size_t prefix, std::size_t expert) const;
    bool drawnAsImage() const;

    QScrollBar *across_, *down_;
    TextToggle* toggle_;   // shows everything at once, or cells that can be read
    bool chosen_ = false;  // by a click
    std::size_t prefixes_ = 0, experts_ = 0;
    MagnitudeScale scale_;
    QImage image_;  // a pixel a cell; only where cells are too small or too many for rectangles
    QRectF grid_;   // where the cells are seen
    QRectF legend_;
    QSizeF cell_;  // pitch
    std::optional<Cell> hovered_;
    bool by_keyboard_ = false;  // has the keyboard, and by Tab: then it is shown
    std::size_t shown_prefix_ = 0;
    std::uint64_t shown_generation_ = 0;
};

}  // namespace moe::app
