#pragma once
#include "app/models/label_book.h"
#include "app/models/theme.h"

#include <QAbstractScrollArea>
#include <QImage>

#include <cstddef>
#include <functional>
#include <optional>
#include <vector>

namespace moe::app {

/// An array as a heat map: numbers in the cells where they are large enough, else colour alone; what is larger than the
/// panel is drawn reduced, or scrolled where it is zoomed. Up, Down, Left and Right walk through the cells while it has
/// the keyboard; +, - and 0 zoom. GUI thread.
class ArrayMap : public QAbstractScrollArea {
    Q_OBJECT

public:
    explicit ArrayMap(QWidget* parent);

    struct Content {
        std::vector<float> values;
        std::size_t rows = 0, columns = 0;  // as they are drawn; the last row may be short
        double limit = 1;                   // end of the colour scale
        bool gradient = false, on_off = false;
        QString missing;  // instead of the map
    };
    void setContent(Content content, const Theme& theme);
    void setMeaning(std::function<QString(std::size_t)> meaning) { meaning_ = std::move(meaning); }
    const Content& content() const { return content_; }

    std::optional<std::size_t> current() const { return current_; }
    void setCurrent(std::optional<std::size_t> cell);
    std::optional<std::size_t> hovered() const { return hovered_; }
    std::optional<std::size_t> cellAt(QPointF position) const;  // of the viewport
    QRectF cellRect(std::size_t cell) const;

    void zoomBy(int steps);
    void zoomToFit();
    bool canZoomIn() const;
    /// What it can use of a place that is `width` wide, all cells in sight.
    int preferredHeight(int width) const;
    bool canZoomOut() const { return zoom_ > 0; }
    bool numbersShown() const { return numbers_; }
    /// Array numbers that a screen pixel stands for; 1: every number is drawn.
    std::size_t reduction() const { return reduction_; }
    const LabelBook& labels() const { return labels_; }

Q_SIGNALS:
    void pointed();                 // hovered() or current() is another
    void picked(std::size_t cell);  // clicked, or Enter
    void viewChanged();             // zoom, reduction

protected:
    void paintEvent(QPaintEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;
    void scrollContentsBy(int dx, int dy) override;
    bool viewportEvent(QEvent* event) override;
    bool event(QEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;
    void wheelEvent(QWheelEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;

private:
    void arrange();
    QSizeF largestCell() const;
    void paintNumbers(QPainter& painter);
    void outline(QPainter& painter, std::size_t cell, double width);
    QString cellText(double value) const;

    Content content_;
    Theme theme_ = Theme::light();
    std::function<QString(std::size_t)> meaning_;
    QSizeF cell_;  // pitch
    int zoom_ = 0;
    bool numbers_ = false;
    std::size_t reduction_ = 1;
    QImage image_;
    std::optional<std::size_t> current_, hovered_;
    LabelBook labels_;
};

}  // namespace moe::app
