#pragma once
#include "app/export/export_figure.h"

#include <QImage>
#include <QSize>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <vector>

namespace moe::app {

enum class AnimationFormat { webp, png_folder };

/// Whether this program was built with libwebp; numbered PNG is always there.
bool canAnimateWebp();

/// Steps of an animation's frames: evenly from `from` to `to`, both of them shown, each step once; at most `frames`.
std::vector<std::uint64_t> animationSteps(std::uint64_t from, std::uint64_t to, std::size_t frames);

/// Several figures of one snapshot beside or below each other on one sheet, as large as they fit. The first frame
/// decides where they stand; the others keep to it. One thread at a time; the same snapshots give the same pixels.
class AnimationSheet {
public:
    AnimationSheet(std::vector<FigureSource> sources, FigureOptions options, QSize size);
    /// Throws Error where a figure has nothing to show.
    QImage frame(const Snapshot& snapshot);

private:
    void arrange(const std::vector<Figure>& figures);

    std::vector<FigureSource> sources_;
    FigureOptions options_;
    QSize size_;
    std::vector<QRectF> places_;  // of the first frame's figures
    double scale_ = 0;
};

/// Writes frames one after the other. Nothing stands at the target before finish(); without it nothing is left behind.
/// One thread at a time.
class AnimationWriter {
public:
    /// `target`: a file for WebP, for PNG a folder that does not exist yet (frame-0001.png, ...). Throws Error: the
    /// folder exists, cannot be made, or the format is not there.
    AnimationWriter(std::filesystem::path target, AnimationFormat format, QSize size, std::size_t frames,
                    double seconds);
    ~AnimationWriter();
    AnimationWriter(const AnimationWriter&) = delete;
    AnimationWriter& operator=(const AnimationWriter&) = delete;

    /// The next one, of the size given. Throws Error with the cause: the disk is full, not enough memory.
    void add(const QImage& frame, const QString& title);
    void finish();

private:
    class WebpEncoder;

    std::filesystem::path target_, making_;  // making_: the folder beside the target; empty for WebP
    QSize size_;
    std::size_t frames_, written_ = 0;
    double seconds_;
    std::unique_ptr<WebpEncoder> webp_;
};

}  // namespace moe::app
