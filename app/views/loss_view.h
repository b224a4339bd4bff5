#pragma once
#include "app/views/chart_measure.h"
#include "app/views/chart_panel.h"

namespace moe::app {

/// Loss over the run: the mean of each epoch, behind it each batch; the balance loss by its own name.
class LossView : public MeasureView {
    Q_OBJECT

public:
    LossView(SessionController& session, QWidget* parent);

    QString title() const override { return tr("Loss"); }
    QString scope() const override { return atMoment(tr("mean per example")); }
    QString value() const override;
    Table table() const override;
    QString labelFault() const override { return chart_->labelFault(); }
    QSize sizeHint() const override { return {240, 155}; }

protected:
    void refresh() override;
    QString summary() const override;
    void resizeEvent(QResizeEvent* event) override;

private:
    ChartPanel* chart_;
};

}  // namespace moe::app
