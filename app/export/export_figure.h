#pragma once
#include "app/models/theme.h"
#include "engine/session/snapshot.h"

#include <QByteArray>
#include <QImage>
#include <QSize>
#include <QString>

#include <filesystem>

namespace moe::app {

enum class FigureKind { heatmap, load, loss, accuracy };
enum class FigureFormat { png, svg, pdf, csv };

struct FigureOptions {
    FigureFormat format = FigureFormat::png;
    int scale = 1;                 // of PNG: 1 to 4 pixels a unit
    Theme theme = Theme::light();  // dark only where asked for: paper is white
    QString corpusName;            // "four lines", for the settings below the figure
};

/// The format that the path's ending asks for (.png, .svg, .pdf, .csv). Throws Error naming the four otherwise.
FigureFormat figureFormat(const std::filesystem::path& path);

/// The figure with title, axis names, legend and the settings that made it, as a file's bytes. Pictures need a
/// QGuiApplication (fonts; the offscreen platform will do), CSV needs none. Reads `snapshot.probe` and the settings for
/// the heat map, `snapshot.history` for the others. Throws Error where there is nothing to show yet (an empty phrase,
/// no trained step), or where the picture would be too large. Any thread of a program that has its application object.
QByteArray renderFigure(FigureKind kind, const Snapshot& snapshot, const FigureOptions& options);

/// renderFigure() in the format of the path's ending (options.format is not looked at), written by write_file().
/// Throws Error: unknown ending, nothing to show, or what write_file() says.
void exportFigure(FigureKind kind, const Snapshot& snapshot, const std::filesystem::path& path, FigureOptions options);

/// The figure as large as fits into `room` pixels, for looking at. Throws as renderFigure().
QImage figureImage(FigureKind kind, const Snapshot& snapshot, const FigureOptions& options, const QSize& room);

/// Size of the picture at scale 1. Throws as renderFigure().
QSize figureSize(FigureKind kind, const Snapshot& snapshot, const FigureOptions& options);

/// "Routing heat map", "Expert load", "Loss", "Next word right".
QString figureName(FigureKind kind);

}  // namespace moe::app
