#include "app/shell/stepping_figures.h"

#include "app/models/text_format.h"
#include "app/session/stepper.h"
#include "app/shell/figure_sources.h"
#include "app/shell/stepping_control.h"
#include "app/shell/stepping_page.h"
#include "app/views/operation_view.h"
#include "app/views/provenance_view.h"
#include "app/views/trace_stage.h"

#include <QCoreApplication>

#include <algorithm>

namespace moe::app {

namespace {

QString sayFigure(const char* text) {
    return QCoreApplication::translate("moe::app::steppingFigures", text);
}

/// Lines of cells with tabs between them, as the panels copy them.
Table tableOf(const QString& title, const QString& text) {
    Table table;
    table.title = title;
    const QStringList lines = text.split(u'\n');
    qsizetype widest = 1;
    for (const QString& line : lines) widest = std::max(widest, line.count(u'\t') + 1);
    table.columns.resize(std::size_t(widest));
    for (const QString& line : lines) {
        if (line.isEmpty()) continue;
        const QStringList cells = line.split(u'\t');
        std::vector<QString> row(cells.begin(), cells.end());
        row.resize(std::size_t(widest));
        table.rows.push_back(std::move(row));
    }
    return table;
}

}  // namespace

std::vector<FigureSource> steppingFigures(SteppingControl& stepping, const Theme& theme) {
    const Stepper& stepper = stepping.stepper();
    if (!stepper.active() || !stepper.trace() || !stepper.problem().isEmpty()) return {};
    const SteppingPage& page = *stepping.page();
    OperationView& operation = *page.operation();
    ProvenanceView& provenance = *page.provenance();
    const QString title = operation.page().title;
    const QString scope = sayFigure("batch %1, example %2 of %3")
                              .arg(countText(stepper.trace()->step + 1), QString::number(stepper.example() + 1),
                                   QString::number(stepper.trace()->examples));
    const Table numbers = tableOf(title, operation.copyText());
    std::vector<FigureSource> figures{
        widgetSource({QStringLiteral("operation"), sayFigure("Operation"), title, scope, numbers, theme}, operation),
        widgetSource({QStringLiteral("batch-stage"), sayFigure("Stage of the batch"), title, scope, numbers, theme},
                     *page.stage())};
    if (provenance.number())
        figures.push_back(
            widgetSource({QStringLiteral("where-from"), sayFigure("Where a number comes from"), provenance.title(),
                          scope, tableOf(provenance.title(), provenance.text()), theme},
                         provenance));
    return figures;
}

}  // namespace moe::app
