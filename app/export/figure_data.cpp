#include "app/export/figure_data.h"

#include "app/export/csv.h"
#include "app/models/run_series.h"
#include "app/models/run_settings.h"
#include "app/models/text_format.h"
#include "engine/core/error.h"
#include "engine/core/numbers.h"
#include "engine/core/settings.h"

#include <QCoreApplication>

#include <cmath>

namespace moe::app {

namespace {

QString say(const char* text) {
    return QCoreApplication::translate("Figure", text);
}

template <class T>
QString number(T value) {
    return QString::fromStdString(to_text(value));
}

FigureNotes notesFor(FigureKind kind, const QString& subtitle, const Snapshot& snapshot, const FigureOptions& options) {
    FigureNotes notes{figureName(kind), subtitle, {}};
    for (const RunSetting& setting : runSettings(snapshot, options.corpusName))
        notes.settings.push_back(setting.name + u' ' + setting.value);
    return notes;
}

const History& trained(const Snapshot& snapshot) {
    if (!hasCurve(snapshot.history.get()))
        throw Error("There is no curve yet: train at least one batch, then export it.");
    return *snapshot.history;
}

std::vector<QString> tokensOf(const ProbeForward& probe) {
    std::vector<QString> tokens;
    for (const std::size_t word : probe.prefix_words) tokens.push_back(shownText(probe.words.at(word).text));
    return tokens;
}

QString unknownWords(const ProbeForward& probe) {
    QStringList unknown;
    for (const ProbeWord& word : probe.words)
        if (word.id == 0) unknown << shownText(word.text);
    return unknown.join(QStringLiteral(", "));
}

/// A curve over the finished epochs; over the steps until there is one.
Series series(const History& history, Measure measure) {
    return history.epochs.empty() ? stepSeries(history, measure) : epochSeries(history, measure);
}

QString xName(const History& history) {
    return history.epochs.empty() ? say("step") : say("epoch");
}

}  // namespace

HeatmapData heatmapData(const Snapshot& snapshot, const FigureOptions& options) {
    const ProbeForward& probe = snapshot.probe;
    const std::size_t experts = snapshot.experiment.model.num_experts, tokens = probe.prefix_words.size();
    if (tokens == 0 || experts == 0)
        throw Error("There is no routing to show: the phrase has no word that the model knows; enter another one.");
    if (probe.gate_weights.size() != tokens * experts)
        throw Error("The routing of the phrase does not fit the model's number of experts; enter the phrase again.");
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
    const History& history = trained(snapshot);
    CurveData data;
    const Series loss = series(history, Measure::loss), balance = series(history, Measure::balance);
    QString subtitle = history.epochs.empty() ? say("Cross-entropy of each batch, mean per example.")
                                              : say("Cross-entropy of each epoch, mean per example.");
    if (loss.diverged_at)
        subtitle +=
            u' ' + say("Diverged at %1 %2.").arg(xName(history)).arg(countText(std::uint64_t(*loss.diverged_at)));
    data.notes = notesFor(FigureKind::loss, subtitle, snapshot, options);
    data.x_name = xName(history);
    data.y_name = say("loss, nats");
    data.lines.push_back({say("loss"), loss.points, options.theme.ink, 1.75, {}});
    if (snapshot.experiment.model.balance_loss > 0 && balance.largest() > 0)
        data.lines.push_back({say("balance loss"), balance.points, options.theme.muted, 1.25, {}});
    return data;
}

CurveData accuracyData(const Snapshot& snapshot, const FigureOptions& options) {
    const History& history = trained(snapshot);
    CurveData data;
    data.notes = notesFor(FigureKind::accuracy, say("Share of the examples whose next word was the most probable one."),
                          snapshot, options);
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

QByteArray figureCsv(FigureKind kind, const Snapshot& snapshot, const FigureOptions& options) {
    CsvWriter csv;
    static constexpr const char* what[] = {
        "gate weight of each expert (rows) for the phrase up to each token (columns)",
        "share of the gate weight that each expert got (columns), by step",
        "cross-entropy, mean per example, and weighted load-balancing loss",
        "share of the examples whose next word was right",
    };
    csv.note(QStringLiteral("MoE Lab %1: %2").arg(QLatin1String(MOELAB_VERSION), QLatin1String(what[int(kind)])));
    if (!options.corpusName.isEmpty()) csv.note(QStringLiteral("corpus: ") + options.corpusName);
    if (kind == FigureKind::heatmap) csv.note(QStringLiteral("text: ") + QString::fromStdString(snapshot.probe.text));
    for (const Setting& setting : settings())
        csv.note(QLatin1String(setting.key.data(), qsizetype(setting.key.size())) + u'=' +
                 QString::fromStdString(setting.get(snapshot.experiment)));
    csv.note(QStringLiteral("epoch: %1").arg(snapshot.epoch));
    csv.note(QStringLiteral("step: %1").arg(snapshot.step));

    if (kind == FigureKind::heatmap) {
        const HeatmapData data = heatmapData(snapshot, options);
        if (const QString unknown = unknownWords(snapshot.probe); !unknown.isEmpty())
            csv.note(QStringLiteral("unknown and left out: ") + unknown);
        std::vector<QString> cells{QStringLiteral("expert")};
        for (const std::size_t word : snapshot.probe.prefix_words)
            cells.push_back(QString::fromStdString(snapshot.probe.words[word].text));
        csv.row(cells);
        for (std::size_t e = 0; e < data.experts; ++e) {
            cells.assign(1, expertName(e));
            for (std::size_t p = 0; p < data.tokens.size(); ++p)
                cells.push_back(number(data.weights[p * data.experts + e]));
            csv.row(cells);
        }
        return csv.bytes();
    }

    const History& history = trained(snapshot);
    if (kind == FigureKind::load) {
        std::vector<QString> cells{QStringLiteral("step")};
        for (std::size_t e = 0; e < history.num_experts; ++e) cells.push_back(expertName(e));
        csv.row(cells);
        for (std::size_t i = 0; i < history.points.size(); ++i) {
            cells.assign(1, QString::number(history.points[i].step));
            for (std::size_t e = 0; e < history.num_experts; ++e)
                cells.push_back(number(history.load.at(i * history.num_experts + e)));
            csv.row(cells);
        }
        return csv.bytes();
    }

    // One row an epoch; while there is none, one a step.
    const bool loss = kind == FigureKind::loss;
    if (!loss) csv.note(QStringLiteral("best possible: %1 of %2").arg(snapshot.best_correct).arg(snapshot.examples));
    const QString x = QLatin1String(history.epochs.empty() ? "step" : "epoch");
    csv.row(loss ? std::vector<QString>{x, QStringLiteral("loss"), QStringLiteral("balance_loss")}
                 : std::vector<QString>{x, QStringLiteral("accuracy")});
    for (std::size_t i = 0; i < history.epochs.size(); ++i) {
        const EpochRecord& epoch = history.epochs[i];
        csv.row(loss ? std::vector<QString>{QString::number(i + 1), number(epoch.loss), number(epoch.balance)}
                     : std::vector<QString>{QString::number(i + 1), number(epoch.accuracy)});
    }
    if (history.epochs.empty())
        for (const HistoryPoint& p : history.points)
            csv.row(loss ? std::vector<QString>{QString::number(p.step), number(p.loss), number(p.balance)}
                         : std::vector<QString>{QString::number(p.step), number(p.accuracy)});
    return csv.bytes();
}

}  // namespace moe::app
