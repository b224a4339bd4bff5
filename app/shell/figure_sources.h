#pragma once
#include "app/export/export_figure.h"
#include "app/views/view.h"

#include <optional>
#include <vector>

namespace moe::app {

/// The stage of any snapshot as exports draw it. Any thread; `expert` is the one picked out.
StagePicture stagePicture(const Snapshot& snapshot, const Theme& theme, std::optional<std::size_t> expert);

/// The view as it stands now, drawn with text and paths, and its table. GUI thread; what it returns is for any.
FigureSource viewSource(const QString& id, View& view);

}  // namespace moe::app
