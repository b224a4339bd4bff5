#include "app/views/accuracy_view.h"

#include "app/models/moment_text.h"
#include "app/models/run_series.h"
#include "app/models/text_format.h"
#include "app/views/chart_run.h"

#include <algorithm>

namespace moe::app {

AccuracyView::AccuracyView(SessionController& session, QWidget* parent)
    : MeasureView(session, parent), chart_(new ChartPanel(this)) {}

void AccuracyView::resizeEvent(QResizeEvent* event) {
    MeasureView::resizeEvent(event);
    chart_->setGeometry(rect());
}

QString AccuracyView::value() const {
    if (!hasCurve(history()) || snapshot().step == 0) return {};
    return percentText(measureAt(snapshot(), Measure::accuracy));
}

QString AccuracyView::bestText() const {
    return tr("best possible: %1 of %2").arg(countText(snapshot().best_correct), countText(snapshot().examples));
}

void AccuracyView::refresh() {
    const RunAxis axis = runAxis(snapshot());
    ChartContent content = runContent(snapshot(), axis);
    content.percent = true;
    content.lines = curveOfRun(snapshot(), Measure::accuracy, axis, theme_);
    double largest = 0.01;
    for (const ChartLine& line : content.lines) largest = std::max(largest, line.series.largest());
    if (snapshot().examples > 0) {
        const double best = double(snapshot().best_correct) / double(snapshot().examples);
        content.reference = best;
        content.reference_name = bestText() + QStringLiteral(" (") + percentText(best) + u')';
        largest = std::max(largest, best);
    }
    content.y = Axis::upTo(largest, 2);
    content.y.max *= 1.02;
    chart_->setContent(std::move(content), theme_);
}

QString AccuracyView::summary() const {
    if (value().isEmpty()) return tr("No batch has been trained yet.");
    return tr("Next word right: %1 of the examples; %2.").arg(value(), bestText());
}

Table AccuracyView::table() const {
    Table table = runTable(snapshot(), title(), {Measure::accuracy}, {tr("next word right, share of examples")});
    table.notes.push_back(bestText());
    return table;
}

}  // namespace moe::app
