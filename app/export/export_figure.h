#pragma once
#include "app/export/figure.h"
#include "app/models/table.h"
#include "app/models/theme.h"
#include "engine/session/snapshot.h"

#include <QByteArray>
#include <QImage>
#include <QSize>
#include <QString>

#include <filesystem>
#include <functional>
#include <span>

namespace moe::app {

/// In the order of the views.
enum class FigureKind { stage, heatmap, gate, load, loss, accuracy, next_word, time };
enum class FigureFormat { png, svg, pdf, csv };

/// The stage as the window's own scene draws it: this folder knows no view, so who exports gives the painter.
struct StagePicture {
    QSizeF size;
    std::function<void(QPainter& painter, const QSizeF& size)> paint;
    Table table;
};

struct FigureOptions {
    FigureFormat format = FigureFormat::png;
    int scale = 1;                 // of PNG: 1 to 4 pixels a unit
    Theme theme = Theme::light();  // dark only where asked for: paper is white
    bool frame = false;            // of an animation: the settings leave out what changes with the step
    QString corpusName;            // "four lines", for the settings below the figure
    std::function<StagePicture(const Snapshot& snapshot, const Theme& theme)> stage;  // any thread
};

/// Something that can be exported: a figure made from any snapshot, or a view as it stands.
struct FigureSource {
    FigureSource(FigureKind kind);  // NOLINT(google-explicit-constructor): a kind is a source
    FigureSource() = default;

    QString id;                 // the view's
    QString name;               // "Expert load"
    QString file;               // "expert-load"
    bool of_any_moment = true;  // false: shows what stood on the screen, whatever the snapshot
    std::function<Figure(const Snapshot& snapshot, const FigureOptions& options)> figure;
    std::function<QByteArray(const Snapshot& snapshot, const FigureOptions& options)> csv;
};

/// The format that the path's ending asks for (.png, .svg, .pdf, .csv). Throws Error naming the four otherwise.
FigureFormat figureFormat(const std::filesystem::path& path);

/// The figure with title, axis names, legend and the settings that made it, as a file's bytes. Pictures need a
/// QGuiApplication (fonts; the offscreen platform will do), CSV needs none. Throws Error where there is nothing to
/// show yet (an empty phrase, no trained step), or where the picture would be too large. Any thread of a program that
/// has its application object.
QByteArray renderFigure(const FigureSource& source, const Snapshot& snapshot, const FigureOptions& options);

/// renderFigure() in the format of the path's ending (options.format is not looked at), written by write_file().
/// Throws Error: unknown ending, nothing to show, or what write_file() says.
void exportFigure(const FigureSource& source, const Snapshot& snapshot, const std::filesystem::path& path,
                  FigureOptions options);

/// The figure as large as fits into `room` pixels, for looking at. Throws as renderFigure().
QImage figureImage(const FigureSource& source, const Snapshot& snapshot, const FigureOptions& options,
                   const QSize& room);

/// Size of the picture at scale 1. Throws as renderFigure().
QSize figureSize(const FigureSource& source, const Snapshot& snapshot, const FigureOptions& options);

/// A picture as a PNG file's bytes, with its title. Throws Error where there is not enough memory.
QByteArray pngBytes(const QImage& image, const QString& title);

/// "Routing heat map: expert by token", "Expert load", ...
QString figureName(FigureKind kind);

/// Every figure that a snapshot gives, in the order of the views.
std::span<const FigureKind> figureKinds();

}  // namespace moe::app
