#pragma once
#include "app/views/chart_measure.h"
#include "app/views/chart_panel.h"

namespace moe::app {

/// Share of the examples whose next word was the most probable one, against the best that the corpus allows.
class AccuracyView : public MeasureView {
    Q_OBJECT

public:
    AccuracyView(SessionController& session, QWidget* parent);

    QString title() const override { return tr("Next word right"); }
    QString scope() const override { return atMoment({}); }
    QString value() const override;
    Table table() const override;
    QString labelFault() const override { return chart_->labelFault(); }
    QSize sizeHint() const override { return {240, 105}; }

protected:
    void refresh() override;
    QString summary() const override;
    void resizeEvent(QResizeEvent* event) override;

private:
    QString bestText() const;

    ChartPanel* chart_;
};

}  // namespace moe::app
