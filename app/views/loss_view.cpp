#include "app/views/loss_view.h"

#include "app/models/moment_text.h"
#include "app/models/run_series.h"
#include "app/models/text_format.h"
#include "app/views/chart_run.h"

#include <algorithm>
#include <cmath>

namespace moe::app {

LossView::LossView(SessionController& session, QWidget* parent)
    : MeasureView(session, parent), chart_(new ChartPanel(this)) {}

void LossView::resizeEvent(QResizeEvent* event) {
    MeasureView::resizeEvent(event);
    chart_->setGeometry(rect());
}

QString LossView::value() const {
    if (!hasCurve(history()) || snapshot().step == 0) return {};
    return lossText(measureAt(snapshot(), Measure::loss));
}

void LossView::refresh() {
    const RunAxis axis = runAxis(snapshot());
    ChartContent content = runContent(snapshot(), axis);
    content.lines = curveOfRun(snapshot(), Measure::loss, axis, theme_);
    for (const ChartLine& line : content.lines)
        if (line.series.diverged_at) content.diverged_at = line.series.diverged_at;
    if (history() && snapshot().experiment.model.balance_loss > 0) {
        ChartLine balance;
        balance.name = tr("balance loss %1").arg(lossText(measureAt(snapshot(), Measure::balance)));
        balance.series = history()->epochs.empty() ? stepSeries(*history(), Measure::balance, axis.per_step)
                                                   : epochSeries(*history(), Measure::balance);
        balance.color = theme_.muted;
        balance.width = 1.25;
        content.lines.push_back(std::move(balance));
    }
    double largest = 0;
    for (const ChartLine& line : content.lines) largest = std::max(largest, line.series.largest());
    // What guessing all words alike would cost; left out where the run is far below it from the start.
    if (const double guess = std::log(double(snapshot().experiment.model.vocabulary)); largest > 0.4 * guess) {
        content.reference = guess;
        content.reference_name = tr("even guess: %1").arg(lossText(guess));
        largest = std::max(largest, guess);
    }
    content.y = Axis::upTo(largest, 3);
    content.y.max *= 1.05;
    chart_->setContent(std::move(content), theme_);
}

QString LossView::summary() const {
    if (value().isEmpty()) return tr("No batch has been trained yet.");
    return tr("Loss %1 after %2 epochs and %3 steps.")
        .arg(value(), countText(snapshot().epoch), countText(snapshot().step));
}

Table LossView::table() const {
    return runTable(snapshot(), title(), {Measure::loss, Measure::balance},
                    {tr("loss, nats"), tr("balance loss, weighted")});
}

}  // namespace moe::app
