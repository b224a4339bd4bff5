#include "app/export/export_figure.h"

#include "app/export/figure_data.h"
#include "engine/core/atomic_file.h"
#include "engine/core/error.h"
#include "engine/core/numbers.h"

#include <QBuffer>
#include <QCoreApplication>
#include <QImage>
#include <QPageLayout>
#include <QPdfWriter>
#include <QSvgGenerator>

#include <algorithm>
#include <cctype>
#include <cmath>

namespace moe::app {

namespace {

constexpr double most_pixels = 120e6;  // of a PNG: half a GB while it is drawn

Figure figureOf(FigureKind kind, const Snapshot& snapshot, const FigureOptions& given) {
    FigureOptions options = given;
    options.theme.scale = 1;  // a figure has its own size, whatever the window's
    const Theme& theme = options.theme;
    switch (kind) {
        case FigureKind::stage:
            return drawnFigure(stageData(snapshot, options), theme);
        case FigureKind::heatmap:
            return heatmapFigure(heatmapData(snapshot, options), theme);
        case FigureKind::gate:
            return gateFigure(gateData(snapshot, options), theme);
        case FigureKind::load:
            return loadFigure(loadData(snapshot, options), theme);
        case FigureKind::loss:
            return curveFigure(lossData(snapshot, options), theme);
        case FigureKind::accuracy:
            return curveFigure(accuracyData(snapshot, options), theme);
        case FigureKind::next_word:
            return wordsFigure(wordsData(snapshot, options), theme);
        case FigureKind::time:
            break;
    }
    return timeFigure(timeData(snapshot, options), theme);
}

/// A kind, its view's id, and the name of its file.
struct KindNames {
    FigureKind kind;
    const char *id, *file, *name;
};
constexpr KindNames kind_names[] = {
    {FigureKind::stage, "stage", "stage", QT_TRANSLATE_NOOP("Figure", "Token stage")},
    {FigureKind::heatmap, "heatmap", "routing", QT_TRANSLATE_NOOP("Figure", "Routing heat map: expert by token")},
    {FigureKind::gate, "gate", "gate-weights", QT_TRANSLATE_NOOP("Figure", "Gate weights")},
    {FigureKind::load, "load", "expert-load", QT_TRANSLATE_NOOP("Figure", "Expert load")},
    {FigureKind::loss, "loss", "loss", QT_TRANSLATE_NOOP("Figure", "Loss")},
    {FigureKind::accuracy, "accuracy", "next-word-right", QT_TRANSLATE_NOOP("Figure", "Next word right")},
    {FigureKind::next_word, "next_word", "next-word", QT_TRANSLATE_NOOP("Figure", "Next word")},
    {FigureKind::time, "time", "run", QT_TRANSLATE_NOOP("Figure", "The run over time")},
};

const KindNames& namesOf(FigureKind kind) {
    return *std::find_if(std::begin(kind_names), std::end(kind_names),
                         [&](const KindNames& n) { return n.kind == kind; });
}

QString creator() {
    return QStringLiteral("MoE Lab " MOELAB_VERSION);
}

QByteArray png(const Figure& figure, int scale) {
    const QSize size = (figure.size * scale).toSize();
    if (double(size.width()) * size.height() > most_pixels)
        throw Error("The picture would have " + with_commas(std::uint64_t(size.width())) + " x " +
                    with_commas(std::uint64_t(size.height())) + " pixels; choose a smaller scale, SVG or PDF.");
    QImage image(size, QImage::Format_RGB32);
    if (image.isNull()) throw Error("There is not enough memory for a picture of this size; choose a smaller scale.");
    image.fill(Qt::white);
    image.setDotsPerMeterX(int(std::lround(96 * scale / 0.0254)));
    image.setDotsPerMeterY(image.dotsPerMeterX());
    {
        QPainter painter(&image);
        figure.paint(painter, QRectF(image.rect()));
    }
    return pngBytes(image, figure.title);
}

QByteArray svg(const Figure& figure) {
    QBuffer buffer;
    buffer.open(QIODevice::WriteOnly);
    QSvgGenerator generator;
    generator.setOutputDevice(&buffer);
    generator.setResolution(96);
    generator.setSize(figure.size.toSize());
    generator.setViewBox(QRectF(QPointF(0, 0), figure.size));
    generator.setTitle(figure.title);
    generator.setDescription(creator());
    {
        QPainter painter(&generator);
        figure.paint(painter, QRectF(QPointF(0, 0), figure.size));
    }
    return buffer.data();
}

QByteArray pdf(const Figure& figure) {
    QBuffer buffer;
    buffer.open(QIODevice::WriteOnly);
    {
        QPdfWriter writer(&buffer);
        // A unit of the figure is 1/96 inch, as on a screen; points are 1/72.
        writer.setPageSize(QPageSize(figure.size * 0.75, QPageSize::Point, figure.title, QPageSize::ExactMatch));
        writer.setPageMargins(QMarginsF(0, 0, 0, 0));
        writer.setResolution(960);
        writer.setTitle(figure.title);
        writer.setCreator(creator());
        QPainter painter(&writer);
        figure.paint(painter, QRectF(QPointF(0, 0), figure.size * 10));
    }
    return buffer.data();
}

}  // namespace

FigureFormat figureFormat(const std::filesystem::path& path) {
    std::string ending = path.extension().string();
    for (char& c : ending) c = char(std::tolower(static_cast<unsigned char>(c)));
    if (ending == ".png") return FigureFormat::png;
    if (ending == ".svg") return FigureFormat::svg;
    if (ending == ".pdf") return FigureFormat::pdf;
    if (ending == ".csv") return FigureFormat::csv;
    throw Error("\"" + path.filename().string() +
                "\" does not say its format: let the name end in .png, .svg, .pdf or .csv.");
}

FigureSource::FigureSource(FigureKind kind)
    : id(QString::fromLatin1(namesOf(kind).id)),
      name(figureName(kind)),
      file(QString::fromLatin1(namesOf(kind).file)),
      figure([kind](const Snapshot& s, const FigureOptions& options) { return figureOf(kind, s, options); }),
      csv([kind](const Snapshot& s, const FigureOptions& options) { return figureCsv(kind, s, options); }) {}

QByteArray pngBytes(const QImage& image, const QString& title) {
    QImage titled = image;
    titled.setText(QStringLiteral("Title"), title);
    titled.setText(QStringLiteral("Software"), creator());
    QBuffer buffer;
    buffer.open(QIODevice::WriteOnly);
    if (!titled.save(&buffer, "PNG")) throw Error("The picture could not be written as PNG; try SVG or PDF.");
    return buffer.data();
}

QByteArray renderFigure(const FigureSource& source, const Snapshot& snapshot, const FigureOptions& options) {
    switch (options.format) {
        case FigureFormat::csv:
            return source.csv(snapshot, options);
        case FigureFormat::svg:
            return svg(source.figure(snapshot, options));
        case FigureFormat::pdf:
            return pdf(source.figure(snapshot, options));
        case FigureFormat::png:
            break;
    }
    return png(source.figure(snapshot, options), std::clamp(options.scale, 1, 4));
}

void exportFigure(const FigureSource& source, const Snapshot& snapshot, const std::filesystem::path& path,
                  FigureOptions options) {
    options.format = figureFormat(path);
    const QByteArray bytes = renderFigure(source, snapshot, options);
    write_file(path, {bytes.constData(), std::size_t(bytes.size())});
}

QImage figureImage(const FigureSource& source, const Snapshot& snapshot, const FigureOptions& options,
                   const QSize& room) {
    const Figure figure = source.figure(snapshot, options);
    const QSize size = figure.size.scaled(room, Qt::KeepAspectRatio).toSize().expandedTo({1, 1});
    QImage image(size, QImage::Format_RGB32);
    image.fill(options.theme.panel);
    QPainter painter(&image);
    figure.paint(painter, QRectF(image.rect()));
    return image;
}

QSize figureSize(const FigureSource& source, const Snapshot& snapshot, const FigureOptions& options) {
    return source.figure(snapshot, options).size.toSize();
}

QString figureName(FigureKind kind) {
    return QCoreApplication::translate("Figure", namesOf(kind).name);
}

std::span<const FigureKind> figureKinds() {
    static constexpr FigureKind kinds[] = {FigureKind::stage,     FigureKind::heatmap, FigureKind::gate,
                                           FigureKind::load,      FigureKind::loss,    FigureKind::accuracy,
                                           FigureKind::next_word, FigureKind::time};
    return kinds;
}

}  // namespace moe::app
