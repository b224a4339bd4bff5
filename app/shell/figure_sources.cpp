#include "app/shell/figure_sources.h"

#include "app/export/figure_data.h"
#include "app/views/stage_view_scene.h"

#include <QPicture>

namespace moe::app {

namespace {

constexpr QSizeF stage_size{912, 470};

}  // namespace

StagePicture stagePicture(const Snapshot& snapshot, const Theme& theme, std::optional<std::size_t> expert) {
    auto scene = std::make_shared<StageScene>();
    scene->setTheme(theme);
    scene->setReducedMotion(true);
    scene->display(std::make_shared<const Snapshot>(snapshot));
    scene->setFocusedPrefix(snapshot.probe.focus);
    scene->setFocusedExpert(expert);
    scene->resize(stage_size, 1);
    // The line where the probe text is typed is left out: the figure says the text above.
    const QSizeF shown(stage_size.width(), scene->layout().probeRow().top());
    const auto paint = [scene](QPainter& painter, const QSizeF&) { scene->paint(painter, stage_size); };
    return {shown, paint, scene->table()};
}

FigureSource viewSource(const QString& id, View& view) {
    return widgetSource({id, view.name(), view.title(), view.scope(), view.table(), view.theme(), view.pictureNotes()},
                        view.picture());
}

FigureSource widgetSource(const DrawnWidget& drawn, QWidget& widget) {
    QPicture picture;
    {
        QPainter painter(&picture);
        widget.render(&painter, {}, {}, QWidget::DrawChildren);
    }
    FigureSource source;
    source.id = drawn.id;
    source.name = drawn.name;
    source.file = drawn.id;
    source.of_any_moment = false;
    const Table table = drawn.table;
    // The widget's own colours and size: what it looks like on the screen, larger windows have larger type.
    const QSizeF size(widget.size());
    const Theme theme = drawn.theme;
    const QString title = drawn.title, scope = drawn.scope;
    const std::optional<PictureNotes> own_notes = drawn.notes;
    source.figure = [=](const Snapshot& snapshot, const FigureOptions& options) {
        DrawnData data;
        data.notes = own_notes ? FigureNotes{title, own_notes->subtitle, own_notes->settings, {}}
                               : figureNotes(title, scope, snapshot, options);
        data.size = size;
        data.paint = [picture](QPainter& painter, const QSizeF&) {
            // A picture scales itself by the device's dots; the figure has done that already.
            QPicture own = picture;
            const double dots = double(painter.device()->logicalDpiX()) / own.logicalDpiX();
            painter.scale(1 / dots, 1 / dots);
            painter.drawPicture(0, 0, own);
        };
        Theme paper = theme;
        paper.scale = 1;
        return drawnFigure(data, paper);
    };
    source.csv = [=](const Snapshot& snapshot, const FigureOptions& options) {
        CsvWriter csv;
        if (own_notes) {
            csvTitle(csv, table.title);
            for (const QString& setting : own_notes->settings) csv.note(setting);
        } else {
            csvHead(csv, table.title, snapshot, options);
        }
        for (const QString& note : table.notes) csv.note(note);
        tableRows(csv, table);
        return csv.bytes();
    };
    return source;
}

}  // namespace moe::app
