#pragma once
#include "app/views/chart_measure.h"
#include "app/views/chart_panel.h"
#include "app/views/chart_toggle.h"

#include <vector>

namespace moe::app {

/// Gate weights of the phrase: of the focused prefix as lines over the run, or of every token as bars now.
class GateLinesView : public MeasureView {
    Q_OBJECT

public:
    GateLinesView(SessionController& session, QWidget* parent);

    QString title() const override;
    QString name() const override { return tr("Gate weights"); }
    QString scope() const override;
    Table table() const override;
    QString labelFault() const override;
    QSize sizeHint() const override { return {324, 105}; }
    void setNow(bool on) { toggle_->setChecked(on); }

protected:
    void refresh() override;
    QString summary() const override;
    void paintEvent(QPaintEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;
    bool event(QEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;

private:
    QString valuesAtMoment() const;
    struct Bar {
        std::size_t prefix = 0, expert = 0;
        double weight = 0;
        QRectF place;  // its whole height
    };

    void showLines();
    void arrangeBars();
    void paintBars(QPainter& painter);
    const Bar* barAt(QPointF position) const;
    /// Experts that are shown: all up to eight, else the heaviest of the focused prefix, over the run or now.
    std::vector<std::size_t> experts(std::size_t room, bool over_run) const;
    /// Of many experts the chosen ones have colour, as on the stage.
    QColor lineColor(std::size_t expert) const;

    ChartPanel* chart_;
    TextToggle* toggle_;
    std::vector<Bar> bars_;
    std::size_t first_prefix_ = 0, shown_prefixes_ = 0;
    QRectF plot_;
    Axis axis_;
};

}  // namespace moe::app
