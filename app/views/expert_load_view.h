#pragma once
#include "app/views/chart_measure.h"
#include "app/views/chart_panel.h"
#include "app/views/chart_toggle.h"

#include <vector>

namespace moe::app {

/// What share of the gate weight each expert gets: bars against an even share, or lines over the run. From nine experts
/// on the heaviest, and the rest as one sum.
class ExpertLoadView : public MeasureView {
    Q_OBJECT

public:
    ExpertLoadView(SessionController& session, QWidget* parent);

    QString title() const override { return tr("Expert load"); }
    QString scope() const override;
    Table table() const override;
    QString labelFault() const override;
    QSize sizeHint() const override { return {240, 135}; }
    void setOverTime(bool on) { toggle_->setChecked(on); }

protected:
    void refresh() override;
    QString summary() const override;
    void paintEvent(QPaintEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;
    bool event(QEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;

private:
    struct Row {
        std::optional<std::size_t> expert;  // none: the others
        std::size_t others = 0;
        double load = 0;
        QRectF place;
    };

    void arrange();
    void showLines();
    double captionHeight() const;
    const Row* rowAt(QPointF position) const;

    ChartPanel* chart_;
    TextToggle* toggle_;
    std::vector<float> load_;  // (E); empty before the first step
    std::vector<Row> rows_;
    double full_ = 1;  // share that fills a bar
};

}  // namespace moe::app
