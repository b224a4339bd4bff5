#include "app/export/figure_data.h"

#include "app/models/moment_text.h"
#include "app/models/run_series.h"
#include "app/models/run_settings.h"
#include "app/models/serving_path.h"
#include "app/models/text_format.h"
#include "engine/core/error.h"
#include "engine/core/family.h"

#include <QCoreApplication>

#include <algorithm>
#include <cmath>
#include <limits>

namespace moe::app {

namespace {

constexpr std::size_t most_columns = 200;  // of the time strip

QString say(const char* text) {
    return QCoreApplication::translate("Figure", text);
}

FigureNotes notesFor(FigureKind kind, const QString& subtitle, const Snapshot& snapshot, const FigureOptions& options) {
    return figureNotes(figureName(kind), subtitle, snapshot, options);
}

void needsWords(const ProbeForward& probe, std::size_t experts) {
    if (probe.prefix_words.empty() || experts == 0)
        throw Error("There is no routing to show: the phrase has no word that the model knows; enter another one.");
    if (probe.gate_weights.size() != probe.prefix_words.size() * experts)
        throw Error("The routing of the phrase does not fit the model's number of experts; enter the phrase again.");
}

/// A hairline at the moment where the past is shown; the axis reaches to the newest step all the same.
void markMoment(CurveData& data, const Snapshot& snapshot, bool epochs) {
    if (!isPast(snapshot)) return;
    data.moment = epochs ? epochsAt(snapshot) : double(snapshot.step);
    data.moment_name = momentText(snapshot);
}

/// "At step 120 of 4,310: 0.47." where the past is shown.
QString valueAtMoment(const Snapshot& snapshot, const QString& value) {
    return isPast(snapshot) ? u' ' + say("At %1: %2.").arg(momentText(snapshot), value) : QString();
}

QString prefixText(const ProbeForward& probe) {
    QStringList words;
    for (std::size_t p = 0; p <= probe.focus && p < probe.prefix_words.size(); ++p)
        words << shownText(probe.words[probe.prefix_words[p]].text);
    return u'“' + words.join(u' ') + u'”';
}

/// What stands at the gate for the focused prefix: all of it, or its last word alone.
QString routedText(const Snapshot& snapshot) {
    const ProbeForward& probe = snapshot.probe;
    if (!routes_tokens(snapshot.experiment.model) || probe.focus >= probe.prefix_words.size()) return prefixText(probe);
    return u'“' + shownText(probe.words[probe.prefix_words[probe.focus]].text) + u'”';
}

std::vector<QString> tokensOf(const ProbeForward& probe) {
    std::vector<QString> tokens;
    for (const std::size_t word : probe.prefix_words) tokens.push_back(shownText(probe.words.at(word).text));
    return tokens;
}

/// A curve over the finished epochs; over the steps until there is one.
Series series(const History& history, Measure measure) {
    return history.epochs.empty() ? stepSeries(history, measure) : epochSeries(history, measure);
}

QString xName(const History& history) {
    return history.epochs.empty() ? say("step") : say("epoch");
}

}  // namespace

FigureNotes figureNotes(const QString& title, const QString& subtitle, const Snapshot& snapshot,
                        const FigureOptions& options) {
    FigureNotes notes{title, subtitle, {}, momentText(snapshot)};
    for (const RunSetting& setting : runSettings(snapshot, options.corpusName))
        notes.settings.push_back(setting.name + u' ' + setting.value);
    // A frame of an animation keeps its lines where they are: what changes with the step stands above, right.
    if (options.frame) notes.settings.resize(notes.settings.size() - std::min<std::size_t>(2, notes.settings.size()));
    return notes;
}

const History& trainedHistory(const Snapshot& snapshot) {
    if (!hasCurve(snapshot.history.get()))
        throw Error("There is no curve yet: train at least one batch, then export it.");
    return *snapshot.history;
}

StagePicture stageOf(const Snapshot& snapshot, const FigureOptions& options) {
    if (!options.stage) throw Error("The stage is a picture of the window alone.");
    if (snapshot.probe.prefix_words.empty())
        throw Error("There is nothing on the stage: the phrase has no word that the model knows; enter another one.");
    return options.stage(snapshot, options.theme);
}

QString unknownWords(const ProbeForward& probe) {
    QStringList unknown;
    for (const ProbeWord& word : probe.words)
        if (word.id == 0) unknown << shownText(word.text);
    return unknown.join(QStringLiteral(", "));
}

DrawnData stageData(const Snapshot& snapshot, const FigureOptions& options) {
    StagePicture stage = stageOf(snapshot, options);
    QString subtitle = say("%1 on its way through the model; ribbons are as wide as the gate's weight.")
                           .arg(prefixText(snapshot.probe));
    if (const QString unknown = unknownWords(snapshot.probe); !unknown.isEmpty())
        subtitle += u' ' + say("Unknown and left out: %1.").arg(unknown);
    return {notesFor(FigureKind::stage, subtitle, snapshot, options), stage.size, std::move(stage.paint)};
}

HeatmapData heatmapData(const Snapshot& snapshot, const FigureOptions& options) {
    const ProbeForward& probe = snapshot.probe;
    const std::size_t experts = snapshot.experiment.model.num_experts;
    needsWords(probe, experts);
    HeatmapData data;
    QString subtitle = say("Gate weight of each expert for the phrase up to each word.");
    if (const QString unknown = unknownWords(probe); !unknown.isEmpty())
        subtitle += u' ' + say("Unknown and left out: %1.").arg(unknown);
    data.notes = notesFor(FigureKind::heatmap, subtitle, snapshot, options);
    data.tokens = tokensOf(probe);
    data.experts = experts;
    data.weights = probe.gate_weights;
    return data;
}

LoadData loadData(const Snapshot& snapshot, const FigureOptions& options) {
    const std::vector<float> load = presentLoad(snapshot);
    if (load.empty()) throw Error("There is no load yet: train at least one batch, then export it.");
    LoadData data;
    data.notes = notesFor(FigureKind::load,
                          snapshot.epoch > 0 ? say("Share of the gate weight that each expert got in the last epoch.")
                                             : say("Share of the gate weight that each expert got so far."),
                          snapshot, options);
    data.experts = load.size();
    data.load = load;
    const History* history = snapshot.history.get();
    if (!history || history->points.size() < 2 || history->num_experts != load.size()) return data;
    const double even = 1 / double(load.size());
    CurveData& chart = data.over_time;
    chart.x_name = say("step");
    chart.y_name = say("share of gate weight over the run, %");
    chart.percent = true;
    chart.reference = even;
    chart.reference_name = say("even: %1").arg(evenShareText(load.size()));
    chart.x_max = double(newestStep(snapshot));
    markMoment(chart, snapshot, false);
    for (const std::size_t expert : shownExperts(load, max_coloured_experts, nullptr)) {
        const Theme& theme = options.theme;
        CurveLine line;
        line.name = expertName(expert);
        line.points = loadSeries(*history, expert).points;
        line.color = load.size() <= max_coloured_experts ? theme.expert(expert) : theme.muted;
        line.width = 1.5;
        line.expert = expert;
        chart.lines.push_back(std::move(line));
    }
    return data;
}

CurveData lossData(const Snapshot& snapshot, const FigureOptions& options) {
    const History& history = trainedHistory(snapshot);
    CurveData data;
    const Series loss = series(history, Measure::loss), balance = series(history, Measure::balance);
    QString subtitle = history.epochs.empty() ? say("Cross-entropy of each batch, mean per example.")
                                              : say("Cross-entropy of each epoch, mean per example.");
    if (loss.diverged_at)
        subtitle +=
            u' ' + say("Diverged at %1 %2.").arg(xName(history)).arg(countText(std::uint64_t(*loss.diverged_at)));
    subtitle += valueAtMoment(snapshot, lossText(measureAt(snapshot, Measure::loss)));
    data.notes = notesFor(FigureKind::loss, subtitle, snapshot, options);
    data.x_name = xName(history);
    data.y_name = say("loss, nats");
    markMoment(data, snapshot, !history.epochs.empty());
    data.lines.push_back({say("loss"), loss.points, options.theme.ink, 1.75, {}});
    if (snapshot.experiment.model.balance_loss > 0 && balance.largest() > 0)
        data.lines.push_back({say("balance loss"), balance.points, options.theme.muted, 1.25, {}});
    return data;
}

CurveData accuracyData(const Snapshot& snapshot, const FigureOptions& options) {
    const History& history = trainedHistory(snapshot);
    CurveData data;
    data.notes = notesFor(FigureKind::accuracy,
                          say("Share of the examples whose next word was the most probable one.") +
                              valueAtMoment(snapshot, percentText(measureAt(snapshot, Measure::accuracy))),
                          snapshot, options);
    markMoment(data, snapshot, !history.epochs.empty());
    data.x_name = xName(history);
    data.y_name = say("next word right, %");
    data.percent = data.from_zero_to_one = true;
    data.lines.push_back(
        {figureName(FigureKind::accuracy), series(history, Measure::accuracy).points, options.theme.ink, 1.75, {}});
    if (snapshot.examples > 0) {
        data.reference = double(snapshot.best_correct) / double(snapshot.examples);
        data.reference_name =
            say("best possible: %1 of %2").arg(countText(snapshot.best_correct), countText(snapshot.examples));
    }
    return data;
}

GateData gateData(const Snapshot& snapshot, const FigureOptions& options) {
    const ProbeForward& probe = snapshot.probe;
    const std::size_t E = snapshot.experiment.model.num_experts, P = probe.prefix_words.size();
    needsWords(probe, E);
    GateData data;
    data.tokens = tokensOf(probe);
    data.focus = std::min(probe.focus, P - 1);
    data.experts = E;
    data.weights = probe.gate_weights;
    QString subtitle = say("How much the answer of each expert counts.");
    const History* history = snapshot.history.get();
    const bool over_time = history && history->num_experts == E && history->prefixes == P &&
                           history->gate_steps.size() > 1 && history->gate_probe == probe.text;
    if (over_time)
        subtitle = say("How much the answer of each expert counts, for %1 while learning.").arg(routedText(snapshot));
    data.notes = notesFor(FigureKind::gate, subtitle, snapshot, options);
    if (!over_time) return data;
    CurveData& chart = data.over_time;
    chart.x_name = say("step");
    chart.y_name = say("gate weight of %1").arg(routedText(snapshot));
    chart.x_min = double(history->gate_steps.front());
    chart.x_max = double(newestStep(snapshot));
    markMoment(chart, snapshot, false);
    const auto first = probe.gate_weights.begin() + std::ptrdiff_t(data.focus * E);
    for (const std::size_t e : shownExperts({first, first + std::ptrdiff_t(E)}, max_coloured_experts, nullptr)) {
        CurveLine line;
        line.name = expertName(e);
        line.points = gateSeries(*history, data.focus, e).points;
        line.color = E <= max_coloured_experts ? options.theme.expert(e) : options.theme.muted;
        line.expert = e;
        chart.lines.push_back(std::move(line));
    }
    return data;
}

WordsData wordsData(const Snapshot& snapshot, const FigureOptions& options) {
    const ProbeForward& probe = snapshot.probe;
    const std::size_t E = snapshot.experiment.model.num_experts;
    needsWords(probe, E);
    if (probe.focused.top.empty()) throw Error("There is no prediction for this phrase yet; enter it again.");
    WordsData data;
    const std::size_t focus = std::min(probe.focus, probe.prefix_words.size() - 1);
    data.notes = notesFor(FigureKind::next_word,
                          say("What the model takes for the most probable word after %1.").arg(prefixText(probe)),
                          snapshot, options);
    for (const WordProbability& word : probe.focused.top)
        data.words.emplace_back(shownText(word.word), double(word.probability));
    data.experts = E;
    const auto first = probe.gate_weights.begin() + std::ptrdiff_t(focus * E);
    const std::vector<float> weights(first, first + std::ptrdiff_t(E));
    const bool chooses = snapshot.experiment.model.router != "soft";
    for (const std::size_t e : shownExperts(weights, 2 * max_coloured_experts, nullptr))
        if (!chooses || weights[e] > 0) data.gate.emplace_back(e, double(weights[e]));
    if (data.gate.size() < E)
        data.others = (chooses ? say("%1 not chosen") : say("and %1 more")).arg(E - data.gate.size());
    for (const ServingStage& stage : servingPath(snapshot, focus)) data.path.emplace_back(stage.name, stage.value);
    return data;
}

TimeData timeData(const Snapshot& snapshot, const FigureOptions& options) {
    const History& history = trainedHistory(snapshot);
    if (history.points.empty()) throw Error("No step has been recorded yet: train at least one batch, then export it.");
    TimeData data;
    const std::uint64_t last = std::max<std::uint64_t>(newestStep(snapshot), 1);
    data.notes =
        notesFor(FigureKind::time,
                 say("The whole run: loss of each batch, and the load of the experts in each stretch of steps."),
                 snapshot, options);
    data.loss.x_name = say("step");
    data.loss.y_name = say("loss, nats");
    data.loss.x_max = double(last);
    data.loss.lines.push_back({say("loss"), stepSeries(history, Measure::loss).points, options.theme.ink, 1.5, {}});
    markMoment(data.loss, snapshot, false);
    data.experts = history.num_experts;
    data.columns = std::min<std::size_t>(most_columns, std::size_t(last));
    data.load = resampledLoad(history, data.columns, last);
    data.load.resize(data.columns * data.experts, std::numeric_limits<float>::quiet_NaN());
    return data;
}

}  // namespace moe::app
