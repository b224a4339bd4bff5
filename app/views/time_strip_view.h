#pragma once
#include "app/models/run_series.h"
#include "app/views/chart_measure.h"
#include "app/views/chart_toggle.h"

#include <QImage>
#include <QLineEdit>

#include <vector>

class QActionGroup;
class QMenu;

namespace moe::app {

/// The whole run at a glance and the way into its past: the loss of each stretch of steps, below it the load of the
/// experts, what is still to come left pale. Dragging the handle, a click, the wheel, the arrow keys, Home and End or
/// a number in the field lead to a moment; the newest step is the present. From nine experts on the load is an image.
class TimeStripView : public MeasureView {
    Q_OBJECT

public:
    TimeStripView(SessionController& session, QWidget* parent);

    QString title() const override { return tr("Time"); }
    Table table() const override;
    QSize sizeHint() const override { return {900, 56}; }
    QSize minimumSizeHint() const override { return {120, 44}; }
    QString labelFault() const override;

    /// Steps of the whole run, as far as it is planned; at least those trained.
    static std::uint64_t plannedSteps(const Snapshot& snapshot);

    /// The step that the handle stands at: the one asked for, else the newest.
    std::uint64_t handle() const;
    double xOf(double step) const;
    std::uint64_t stepAt(double x) const;
    const QRectF& strip() const { return strip_; }
    QLineEdit* field() const { return field_; }
    QAbstractButton* backToNow() const { return back_; }

protected:
    void refresh() override;
    QString summary() const override;
    void paintEvent(QPaintEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;
    bool event(QEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;
    void mouseReleaseEvent(QMouseEvent* event) override;
    void wheelEvent(QWheelEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    void focusInEvent(QFocusEvent* event) override;
    void focusOutEvent(QFocusEvent* event) override;
    bool eventFilter(QObject* watched, QEvent* event) override;

private:
    /// The run itself, whatever moment of it is shown.
    const Snapshot& run() const;
    void buildMenu();
    void arrange();
    void showMoment();
    void showStep();
    void lookAt(std::uint64_t step);
    void takeTyped();
    QString checkpointText() const;
    QString columnText(double x) const;
    void paintLoss(QPainter& painter);
    void paintColumns(QPainter& painter);
    void paintHandle(QPainter& painter);
    void paintAxis(QPainter& painter);

    QLineEdit* field_;
    TextToggle* back_;
    QAction *back_action_, *kept_;
    QMenu* budgets_;
    QActionGroup* budget_choices_;
    QRectF strip_, loss_band_, load_band_, side_;  // side_: the field's column; empty where there is no room
    std::size_t columns_ = 0;                      // of the whole strip
    std::uint64_t planned_ = 0;
    std::vector<float> load_;  // (trained columns, E)
    Series loss_;
    QImage image_;
    bool dragging_ = false;
    double wheel_ = 0;
};

}  // namespace moe::app
