#pragma once
#include "app/export/csv.h"
#include "app/export/export_figure.h"
#include "app/export/figure.h"

namespace moe::app {

/// What each figure shows, taken from a snapshot. Throw Error in one sentence where there is nothing to show yet.
DrawnData stageData(const Snapshot& snapshot, const FigureOptions& options);
HeatmapData heatmapData(const Snapshot& snapshot, const FigureOptions& options);
GateData gateData(const Snapshot& snapshot, const FigureOptions& options);
LoadData loadData(const Snapshot& snapshot, const FigureOptions& options);
CurveData lossData(const Snapshot& snapshot, const FigureOptions& options);
CurveData accuracyData(const Snapshot& snapshot, const FigureOptions& options);
WordsData wordsData(const Snapshot& snapshot, const FigureOptions& options);
TimeData timeData(const Snapshot& snapshot, const FigureOptions& options);

/// The stage by the painter of the options. Throws Error where there is none, or no known word.
StagePicture stageOf(const Snapshot& snapshot, const FigureOptions& options);
/// The run's curves. Throws Error where nothing was trained.
const History& trainedHistory(const Snapshot& snapshot);
QString unknownWords(const ProbeForward& probe);

/// Title, a sentence, and the settings that made the snapshot.
FigureNotes figureNotes(const QString& title, const QString& subtitle, const Snapshot& snapshot,
                        const FigureOptions& options);

/// The numbers behind the figure, every one of them, as CSV.
QByteArray figureCsv(FigureKind kind, const Snapshot& snapshot, const FigureOptions& options);
/// What stands above every table: program, corpus, settings, the moment.
void csvTitle(CsvWriter& csv, const QString& what);
void csvHead(CsvWriter& csv, const QString& what, const Snapshot& snapshot, const FigureOptions& options);
void tableRows(CsvWriter& csv, const Table& table);

}  // namespace moe::app
