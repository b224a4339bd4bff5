#pragma once
#include "app/models/device_contest.h"
#include "app/models/label_book.h"
#include "app/models/theme.h"

#include <QWidget>

namespace moe::app {

/// Steps a second over the width of the model, both in powers: a line a device, a point as it is measured, the width
/// that was guessed, and the ground where the GPU is the faster one. Left and Right read the widths.
class RaceChart : public QWidget {
    Q_OBJECT

public:
    explicit RaceChart(QWidget* parent);

    /// `guess`: a width, 0: none. `before`: an earlier measurement, dashed behind this one.
    void show(const DeviceContest& contest, const DeviceContest& before, double guess, const Theme& theme);
    /// The width that is read: under the pointer, else by the keys.
    std::optional<std::size_t> reading() const;
    QString labelFault() const { return labels_.fault(QRectF(rect())); }
    const LabelBook& labels() const { return labels_; }
    std::size_t pointsDrawn() const { return points_drawn_; }

Q_SIGNALS:
    void readingChanged();

protected:
    void paintEvent(QPaintEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;
    void leaveEvent(QEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    bool event(QEvent* event) override;
    void focusOutEvent(QFocusEvent* event) override;

private:
    const std::vector<std::size_t>& widths() const;
    QPointF at(double width, double rate) const;
    void arrange();
    void paintAxes(QPainter& painter);
    void paintGround(QPainter& painter);
    void paintBefore(QPainter& painter);
    void paintLines(QPainter& painter);
    void paintGuess(QPainter& painter);

    DeviceContest contest_, before_;
    double guess_ = 0;
    Theme theme_ = Theme::light();
    QRectF plot_;
    int low_ = 1, high_ = 5;                     // powers of ten
    std::optional<std::size_t> pointed_, read_;  // of the widths
    std::size_t points_drawn_ = 0;
    LabelBook labels_;
};

}  // namespace moe::app
