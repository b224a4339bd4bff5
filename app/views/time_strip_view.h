#pragma once
#include "app/views/chart_measure.h"

#include <QImage>

#include <vector>

namespace moe::app {

/// The whole run at a glance: the load of the experts in each stretch of steps, what is still to come left pale, and
/// where training stands. From nine experts on an image, shaded by load.
class TimeStripView : public MeasureView {
    Q_OBJECT

public:
    TimeStripView(SessionController& session, QWidget* parent);

    QString title() const override { return tr("Time"); }
    Table table() const override;
    QSize sizeHint() const override { return {900, 56}; }
    QSize minimumSizeHint() const override { return {120, 44}; }

    /// Steps of the whole run, as far as it is planned; at least those trained.
    static std::uint64_t plannedSteps(const Snapshot& snapshot);

protected:
    void refresh() override;
    QString summary() const override;
    void paintEvent(QPaintEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;
    bool event(QEvent* event) override;

private:
    void paintColumns(QPainter& painter);
    void paintAxis(QPainter& painter);
    double xOf(double step) const;

    QRectF strip_;
    std::size_t columns_ = 0;  // of the whole strip
    std::uint64_t planned_ = 0;
    std::vector<float> load_;  // (trained columns, E)
    QImage image_;
};

}  // namespace moe::app
