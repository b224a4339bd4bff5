#include "app/export/csv.h"
#include "app/export/figure_data.h"
#include "app/models/moment_text.h"
#include "app/models/run_series.h"
#include "app/models/run_settings.h"
#include "app/models/serving_path.h"
#include "app/models/text_format.h"
#include "engine/core/error.h"
#include "engine/core/family.h"
#include "engine/core/numbers.h"
#include "engine/core/settings.h"

namespace moe::app {

namespace {

template <class T>
QString number(T value) {
    return QString::fromStdString(to_text(value));
}

const char* whatOf(FigureKind kind, bool tokens) {
    switch (kind) {
        case FigureKind::stage:
            return tokens ? "what each token of the phrase meets on its way"
                          : "what each prefix of the phrase meets on its way";
        case FigureKind::heatmap:
            return tokens ? "gate weight of each expert (rows) for each token by itself (columns)"
                          : "gate weight of each expert (rows) for the phrase up to each token (columns)";
        case FigureKind::gate:
            return tokens ? "gate weight of each expert (columns) for one token of the phrase, by step"
                          : "gate weight of each expert (columns) for one prefix of the phrase, by step";
        case FigureKind::load:
            return "share of the gate weight that each expert got (columns), by step";
        case FigureKind::loss:
            return "cross-entropy, mean per example, and weighted load-balancing loss";
        case FigureKind::accuracy:
            return "share of the examples whose next word was right";
        case FigureKind::next_word:
            return "the most probable next words of the phrase";
        case FigureKind::time:
            break;
    }
    return "loss, accuracy and the share of the gate weight that each expert got (columns), by step";
}

void heatmapRows(CsvWriter& csv, const Snapshot& snapshot, const FigureOptions& options) {
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
}

void gateRows(CsvWriter& csv, const Snapshot& snapshot, const FigureOptions& options) {
    const GateData data = gateData(snapshot, options);
    csv.note(QStringLiteral("prefix: the phrase up to \"%1\"").arg(data.tokens[data.focus]));
    std::vector<QString> cells{QStringLiteral("step")};
    for (std::size_t e = 0; e < data.experts; ++e) cells.push_back(expertName(e));
    csv.row(cells);
    const auto row = [&](std::uint64_t step, const float* weights) {
        cells.assign(1, QString::number(step));
        for (std::size_t e = 0; e < data.experts; ++e) cells.push_back(number(weights[e]));
        csv.row(cells);
    };
    // The history keeps every n-th step: the moment itself stands among them where they left it out.
    const std::size_t stride = data.tokens.size() * data.experts;
    const float* now = data.weights.data() + data.focus * data.experts;
    bool said = false;
    for (std::size_t i = 0; !data.over_time.lines.empty() && i < snapshot.history->gate_steps.size(); ++i) {
        const std::uint64_t step = snapshot.history->gate_steps[i];
        if (!said && step > snapshot.step) row(snapshot.step, now);
        said |= step >= snapshot.step;
        row(step, snapshot.history->gate.data() + i * stride + data.focus * data.experts);
    }
    if (!said) row(snapshot.step, now);
}

void recordedPoints(CsvWriter& csv, const History& history, bool curves) {
    std::vector<QString> cells{QStringLiteral("step")};
    if (curves) cells.insert(cells.end(), {QStringLiteral("loss"), QStringLiteral("accuracy")});
    for (std::size_t e = 0; e < history.num_experts; ++e) cells.push_back(expertName(e));
    csv.row(cells);
    for (std::size_t i = 0; i < history.points.size(); ++i) {
        const HistoryPoint& point = history.points[i];
        cells.assign(1, QString::number(point.step));
        if (curves) cells.insert(cells.end(), {number(point.loss), number(point.accuracy)});
        for (std::size_t e = 0; e < history.num_experts; ++e)
            cells.push_back(number(history.load.at(i * history.num_experts + e)));
        csv.row(cells);
    }
}

/// One row an epoch; while there is none, one a step.
void curveRows(CsvWriter& csv, const Snapshot& snapshot, const History& history, bool loss) {
    if (!loss) csv.note(QStringLiteral("best possible: %1 of %2").arg(snapshot.best_correct).arg(snapshot.examples));
    const QString x = QLatin1String(history.epochs.empty() ? "step" : "epoch");
    csv.row(loss ? std::vector<QString>{x, QStringLiteral("loss"), QStringLiteral("balance_loss")}
                 : std::vector<QString>{x, QStringLiteral("accuracy")});
    const auto row = [&](std::uint64_t at, const auto& record) {
        csv.row(loss ? std::vector<QString>{QString::number(at), number(record.loss), number(record.balance)}
                     : std::vector<QString>{QString::number(at), number(record.accuracy)});
    };
    for (std::size_t i = 0; i < history.epochs.size(); ++i) row(history.epochs.epoch(i), history.epochs[i]);
    if (history.epochs.empty())
        for (const HistoryPoint& point : history.points) row(point.step, point);
}

void wordRows(CsvWriter& csv, const Snapshot& snapshot, const FigureOptions& options) {
    const WordsData data = wordsData(snapshot, options);
    for (const auto& [name, value] : data.path) csv.note(name + QStringLiteral(": ") + value);
    csv.row({QStringLiteral("rank"), QStringLiteral("word"), QStringLiteral("id"), QStringLiteral("probability")});
    const std::vector<WordProbability>& top = snapshot.probe.focused.top;
    for (std::size_t i = 0; i < top.size(); ++i)
        csv.row({QString::number(i + 1), QString::fromStdString(top[i].word), QString::number(top[i].id),
                 number(top[i].probability)});
}

}  // namespace

void csvTitle(CsvWriter& csv, const QString& what) {
    csv.note(QStringLiteral("MoE Lab %1: %2").arg(QLatin1String(MOELAB_VERSION), what));
}

void csvHead(CsvWriter& csv, const QString& what, const Snapshot& snapshot, const FigureOptions& options) {
    csvTitle(csv, what);
    if (!options.corpusName.isEmpty()) csv.note(QStringLiteral("corpus: ") + options.corpusName);
    if (!snapshot.probe.text.empty()) csv.note(QStringLiteral("text: ") + QString::fromStdString(snapshot.probe.text));
    const Experiment experiment = presentExperiment(snapshot);
    for (const Setting& setting : settings())
        csv.note(QLatin1String(setting.key.data(), qsizetype(setting.key.size())) + u'=' +
                 QString::fromStdString(setting.get(experiment)));
    csv.note(QStringLiteral("epoch: %1").arg(snapshot.epoch));
    csv.note(QStringLiteral("step: %1").arg(snapshot.step));
    if (isPast(snapshot)) csv.note(QStringLiteral("newest step of the run: %1").arg(newestStep(snapshot)));
}

void tableRows(CsvWriter& csv, const Table& table) {
    csv.row(table.columns);
    for (const std::vector<QString>& row : table.rows) csv.row(row);
}

QByteArray figureCsv(FigureKind kind, const Snapshot& snapshot, const FigureOptions& options) {
    CsvWriter csv;
    csvHead(csv, QLatin1String(whatOf(kind, routes_tokens(snapshot.experiment.model))), snapshot, options);
    switch (kind) {
        case FigureKind::stage:
            tableRows(csv, stageOf(snapshot, options).table);
            break;
        case FigureKind::heatmap:
            heatmapRows(csv, snapshot, options);
            break;
        case FigureKind::gate:
            gateRows(csv, snapshot, options);
            break;
        case FigureKind::load:
            recordedPoints(csv, trainedHistory(snapshot), false);
            break;
        case FigureKind::loss:
        case FigureKind::accuracy:
            curveRows(csv, snapshot, trainedHistory(snapshot), kind == FigureKind::loss);
            break;
        case FigureKind::next_word:
            wordRows(csv, snapshot, options);
            break;
        case FigureKind::time:
            recordedPoints(csv, trainedHistory(snapshot), true);
            break;
    }
    return csv.bytes();
}

}  // namespace moe::app
