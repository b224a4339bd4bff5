#include "app/export/animation.h"

#include "engine/core/atomic_file.h"
#include "engine/core/error.h"

#include <QPainter>

#ifdef MOE_HAVE_WEBP
#include <webp/encode.h>
#include <webp/mux.h>
#endif

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <system_error>

namespace moe::app {

bool canAnimateWebp() {
#ifdef MOE_HAVE_WEBP
    return true;
#else
    return false;
#endif
}

std::vector<std::uint64_t> animationSteps(std::uint64_t from, std::uint64_t to, std::size_t frames) {
    if (from > to) std::swap(from, to);
    const std::uint64_t span = to - from;
    const auto count = std::size_t(std::min<std::uint64_t>(std::max<std::size_t>(frames, 1), span + 1));
    std::vector<std::uint64_t> steps;
    for (std::size_t i = 0; i < count; ++i)
        steps.push_back(count == 1 ? to
                                   : from + std::uint64_t(std::llround(double(span) * double(i) / double(count - 1))));
    return steps;
}

AnimationSheet::AnimationSheet(std::vector<FigureSource> sources, FigureOptions options, QSize size)
    : sources_(std::move(sources)), options_(std::move(options)), size_(size) {
    options_.frame = true;
}

void AnimationSheet::arrange(const std::vector<Figure>& figures) {
    // In as many columns as let them be largest.
    const std::size_t n = figures.size();
    std::size_t columns = 1;
    for (std::size_t c = 1; c <= n; ++c) {
        const double width = double(size_.width()) / double(c),
                     height = double(size_.height()) / double((n + c - 1) / c);
        double scale = 1e9;
        for (const Figure& f : figures) scale = std::min({scale, width / f.size.width(), height / f.size.height()});
        if (scale > scale_) scale_ = scale, columns = c;
    }
    const std::size_t rows = (n + columns - 1) / columns;
    const double width = double(size_.width()) / double(columns), height = double(size_.height()) / double(rows);
    for (std::size_t i = 0; i < n; ++i) {
        const QSizeF size = figures[i].size * scale_;
        const QPointF cell(double(i % columns) * width, double(i / columns) * height);
        places_.emplace_back(cell + QPointF((width - size.width()) / 2, (height - size.height()) / 2), size);
    }
}

QImage AnimationSheet::frame(const Snapshot& snapshot) {
    std::vector<Figure> figures;
    for (const FigureSource& source : sources_) figures.push_back(source.figure(snapshot, options_));
    if (places_.empty()) arrange(figures);
    QImage image(size_, QImage::Format_RGB32);
    if (image.isNull()) throw Error("There is not enough memory for frames of this size; choose a smaller one.");
    image.fill(options_.theme.panel);
    QPainter painter(&image);
    for (std::size_t i = 0; i < figures.size(); ++i)
        figures[i].paint(painter, QRectF(places_[i].topLeft(), figures[i].size * scale_));
    return image;
}

#ifdef MOE_HAVE_WEBP

class AnimationWriter::WebpEncoder {
public:
    explicit WebpEncoder(QSize size) : size_(size) {
        WebPAnimEncoderOptions options;
        if (!WebPAnimEncoderOptionsInit(&options) || !WebPConfigInit(&config_) ||
            !WebPConfigLosslessPreset(&config_, effort))
            throw Error("The installed libwebp is another version than the one this program was built with.");
        options.anim_params.loop_count = 0;  // for ever
        encoder_ = WebPAnimEncoderNew(size.width(), size.height(), &options);
        if (!encoder_) throw Error("There is not enough memory for an animation of this size; choose a smaller one.");
    }
    ~WebpEncoder() { WebPAnimEncoderDelete(encoder_); }
    WebpEncoder(const WebpEncoder&) = delete;
    WebpEncoder& operator=(const WebpEncoder&) = delete;

    void add(const QImage& frame, int milliseconds) {
        WebPPicture picture;
        if (!WebPPictureInit(&picture)) throw Error("The frame could not be encoded as WebP.");
        picture.use_argb = 1;
        picture.width = size_.width(), picture.height = size_.height();
        if (!WebPPictureAlloc(&picture))
            throw Error("There is not enough memory for this frame; choose a smaller size.");
        for (int y = 0; y < picture.height; ++y)
            std::memcpy(picture.argb + std::ptrdiff_t(y) * picture.argb_stride, frame.constScanLine(y),
                        std::size_t(picture.width) * sizeof(std::uint32_t));
        const bool added = WebPAnimEncoderAdd(encoder_, &picture, milliseconds, &config_) != 0;
        WebPPictureFree(&picture);
        if (!added) fail();
    }

    std::string bytes(int milliseconds) {
        WebPData data;
        WebPDataInit(&data);
        if (!WebPAnimEncoderAdd(encoder_, nullptr, milliseconds, nullptr) || !WebPAnimEncoderAssemble(encoder_, &data))
            fail();
        std::string file(reinterpret_cast<const char*>(data.bytes), data.size);
        WebPDataClear(&data);
        return file;
    }

private:
    static constexpr int effort = 4;  // 0 to 9: smaller files, not better pictures

    [[noreturn]] void fail() const {
        throw Error(std::string("The animation could not be encoded as WebP: ") + WebPAnimEncoderGetError(encoder_) +
                    ".");
    }

    QSize size_;
    WebPConfig config_;
    WebPAnimEncoder* encoder_ = nullptr;
};

#else

class AnimationWriter::WebpEncoder {
public:
    explicit WebpEncoder(QSize) { throw Error("This program was built without libwebp; choose numbered PNG."); }
    void add(const QImage&, int) {}
    std::string bytes(int) { return {}; }
};

#endif

AnimationWriter::AnimationWriter(std::filesystem::path target, AnimationFormat format, QSize size, std::size_t frames,
                                 double seconds)
    : target_(std::move(target)), size_(size), frames_(std::max<std::size_t>(frames, 1)), seconds_(seconds) {
    if (format == AnimationFormat::webp) {
        webp_ = std::make_unique<WebpEncoder>(size);
        return;
    }
    std::error_code none;
    if (std::filesystem::exists(target_, none))
        throw Error("\"" + target_.filename().string() +
                    "\" exists already; choose another name for the frames' folder.");
    making_ = target_.parent_path() / ("." + target_.filename().string() + ".making-" + std::to_string(getpid()));
    std::filesystem::remove_all(making_, none);
    std::error_code error;
    if (!std::filesystem::create_directory(making_, error)) {
        const std::string where = making_.parent_path().string();
        making_.clear();
        throw Error("A folder for the frames could not be made in " + (where.empty() ? "." : where) + ": " +
                    (error ? error.message() : "it is there already") + ".");
    }
}

AnimationWriter::~AnimationWriter() {
    std::error_code none;
    if (!making_.empty()) std::filesystem::remove_all(making_, none);
}

void AnimationWriter::add(const QImage& frame, const QString& title) {
    if (frame.size() != size_) throw Error("A frame has another size than the animation.");
    if (webp_) {
        webp_->add(frame, int(std::lround(double(written_) * 1000 * seconds_ / double(frames_))));
    } else {
        const QByteArray bytes = pngBytes(frame, title);
        const std::string number = std::to_string(written_ + 1), all = std::to_string(frames_);
        const std::size_t digits = std::max<std::size_t>(4, all.size());
        write_file(making_ / ("frame-" + std::string(digits - std::min(digits, number.size()), '0') + number + ".png"),
                   {bytes.constData(), std::size_t(bytes.size())});
    }
    ++written_;
}

void AnimationWriter::finish() {
    if (webp_) {
        write_file(target_, webp_->bytes(int(std::lround(1000 * seconds_))));
        return;
    }
    std::error_code error;
    if (std::filesystem::exists(target_, error))
        throw Error("\"" + target_.filename().string() +
                    "\" exists by now; choose another name for the frames' folder.");
    std::filesystem::rename(making_, target_, error);
    if (error)
        throw Error("The folder of frames could not get its name \"" + target_.filename().string() +
                    "\": " + error.message() + ".");
    making_.clear();
}

}  // namespace moe::app
