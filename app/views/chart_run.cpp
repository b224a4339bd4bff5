#include "app/views/chart_run.h"

#include "app/models/moment_text.h"
#include "app/models/run_settings.h"
#include "app/models/text_format.h"
#include "engine/core/numbers.h"

#include <QCoreApplication>

#include <algorithm>
#include <cmath>

namespace moe::app {

namespace {

QString say(const char* text) {
    return QCoreApplication::translate("RunCurve", text);
}

QString number(double value) {
    return QString::fromStdString(to_text(value));
}

}  // namespace

RunAxis runAxis(const Snapshot& snapshot) {
    RunAxis axis;
    const std::optional<double> per_step = epochsPerStep(snapshot);
    const History* history = snapshot.history.get();
    // Steps that cannot be placed among the epochs are left out; without an epoch they are all there is.
    axis.epochs = per_step.has_value() || (history && !history->epochs.empty());
    axis.per_step = axis.epochs ? per_step.value_or(0) : 1;
    if (axis.epochs) {
        const double epochs = isPast(snapshot) && history ? double(history->epochs.finished()) : double(snapshot.epoch);
        const double trained = per_step ? double(newestStep(snapshot)) * *per_step : epochs;
        axis.end = std::max(1.0, trained);
        axis.name = say("epoch");
        axis.left = say("epoch 0");
        // Finished epochs, as everywhere; only early in a run is the part of one worth a digit.
        const bool parted = axis.end < 10 && axis.end != std::floor(axis.end);
        axis.right = parted ? QString::fromStdString(to_fixed(axis.end, 1)) : countText(std::uint64_t(axis.end + 1e-9));
    } else {
        axis.end = std::max(1.0, double(newestStep(snapshot)));
        axis.name = say("step");
        axis.left = say("step 0");
        axis.right = countText(newestStep(snapshot));
    }
    if (isPast(snapshot)) axis.moment = axis.epochs ? epochsAt(snapshot) : double(snapshot.step);
    return axis;
}

ChartContent runContent(const Snapshot& snapshot, const RunAxis& axis) {
    ChartContent content;
    content.x_max = axis.end;
    content.x_left = axis.left;
    content.x_right = axis.right;
    content.x_name = axis.name;
    content.moment = axis.moment;
    content.empty = say("Press Space: the curve starts with the first batch");
    if (snapshot.state == SessionState::failed) content.empty = shownText(snapshot.message);
    return content;
}

std::vector<ChartLine> curveOfRun(const Snapshot& snapshot, Measure measure, const RunAxis& axis, const Theme& theme) {
    const History* history = snapshot.history.get();
    std::vector<ChartLine> lines;
    if (!hasCurve(history)) return lines;
    const bool epochs = !history->epochs.empty();
    // Of a few examples a batch has only a few accuracies: behind the epochs they would be noise.
    if (axis.per_step > 0 && (measure == Measure::loss || !epochs)) {
        ChartLine batches;
        batches.name = say("batch");
        batches.series = stepSeries(*history, measure, axis.per_step);
        batches.color = epochs ? Theme::mix(theme.panel, theme.muted, 0.45) : theme.ink;
        batches.width = epochs ? 1 : 1.75;
        batches.marks_points = !epochs;
        lines.push_back(std::move(batches));
    }
    if (epochs) {
        ChartLine means;
        means.name = say("epoch");
        means.series = epochSeries(*history, measure);
        means.color = theme.ink;
        lines.push_back(std::move(means));
    }
    return lines;
}

Table runTable(const Snapshot& snapshot, const QString& title, const std::vector<Measure>& measures,
               const std::vector<QString>& columns) {
    Table table;
    table.title = title;
    for (const RunSetting& setting : runSettings(snapshot, {}))
        table.notes.push_back(setting.name + u' ' + setting.value);
    const History* history = snapshot.history.get();
    const bool epochs = history && !history->epochs.empty();
    table.columns.push_back(epochs ? say("epoch") : say("step"));
    table.columns.insert(table.columns.end(), columns.begin(), columns.end());
    if (!history) return table;
    const auto add = [&](std::uint64_t x, const auto& record) {
        std::vector<QString> row{QString::number(x)};
        for (const Measure measure : measures) row.push_back(number(valueOf(record, measure)));
        table.rows.push_back(std::move(row));
    };
    for (std::size_t i = 0; i < history->epochs.size(); ++i) add(history->epochs.epoch(i), history->epochs[i]);
    if (!epochs)
        for (const HistoryPoint& point : history->points) add(point.step, point);
    return table;
}

}  // namespace moe::app
