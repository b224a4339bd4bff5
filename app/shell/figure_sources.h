#pragma once
#include "app/export/export_figure.h"
#include "app/views/view.h"

#include <optional>
#include <vector>

namespace moe::app {

/// The stage of any snapshot as exports draw it. Any thread; `expert` is the one picked out.
StagePicture stagePicture(const Snapshot& snapshot, const Theme& theme, std::optional<std::size_t> expert);

/// A widget as it stands now: what it is called and the numbers behind it.
struct DrawnWidget {
    QString id, name, title, scope;
    Table table;
    Theme theme;
    std::optional<PictureNotes> notes = {};
};
/// Drawn with text and paths. GUI thread; what it returns is for any.
FigureSource widgetSource(const DrawnWidget& drawn, QWidget& widget);

/// The view as it stands now, drawn with text and paths, and its table. GUI thread; what it returns is for any.
FigureSource viewSource(const QString& id, View& view);

}  // namespace moe::app
