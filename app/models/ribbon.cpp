#include "app/models/ribbon.h"

#include <QPen>

#include <algorithm>
#include <cmath>

namespace moe::app {

namespace {

// A straight edge across one column of pixels, from height e0 to e1 (y grows downwards).
struct Slant {
    float low, high, half_inverse;

    Slant(float e0, float e1)
        : low(std::min(e0, e1)), high(std::max(e0, e1)), half_inverse(high > low ? 0.5f / (high - low) : 0) {}

    /// Area of the column between the edge and the line y: what lies below the edge and above the line.
    float areaTo(float y) const {
        if (y <= low) return 0;
        if (y >= high) return y - 0.5f * (low + high);
        return (y - low) * (y - low) * half_inverse;
    }
};

// Without SSE 4.1 std::floor is a call.
int down(float v) {
    const int i = int(v);
    return i - (float(i) > v);
}

int up(float v) {
    const int i = int(v);
    return i + (float(i) < v);
}

struct Edges {
    float top, bottom;
};

}  // namespace

QPointF ribbonPoint(const Ribbon& r, double share) {
    const double t = std::clamp(share, 0.0, 1.0);
    return {r.from.x() + (r.to.x() - r.from.x()) * t, r.from.y() + (r.to.y() - r.from.y()) * t * t * (3 - 2 * t)};
}

QPainterPath ribbonPath(const Ribbon& r) {
    QPainterPath path(r.from);
    const double third = (r.to.x() - r.from.x()) / 3;
    path.cubicTo(r.from + QPointF(third, 0), r.to - QPointF(third, 0), r.to);
    return path;
}

void drawRibbon(QPainter& painter, const Ribbon& r) {
    painter.strokePath(ribbonPath(r), QPen(r.color, r.width, Qt::SolidLine, Qt::FlatCap));
}

RibbonCanvas::RibbonCanvas(QImage& image)
    : bits_(image.bits()),
      stride_(image.bytesPerLine()),
      width_(image.width()),
      height_(image.height()),
      ratio_(image.devicePixelRatio()) {
    Q_ASSERT(image.format() == QImage::Format_RGB32);
}

void RibbonCanvas::draw(const Ribbon& r) {
    QPointF a = r.from * ratio_, b = r.to * ratio_;
    if (b.x() < a.x()) std::swap(a, b);
    const auto ax = float(a.x()), ay = float(a.y()), bx = float(b.x()), rise = float(b.y() - a.y());
    const float span = bx - ax, half = float(0.5 * r.width * ratio_);
    const auto alpha = float(r.color.alpha());
    if (span <= 0 || half <= 0 || alpha <= 0) return;
    const float inverse = 1 / span, steepness = 6 * rise * inverse;
    const quint32 color = r.color.rgb();

    // Walks columns; within one, both edges are taken as straight, and each pixel gets exactly the area between them.
    const auto edges = [&](float x) {
        const float t = std::clamp((x - ax) * inverse, 0.0f, 1.0f), slope = steepness * t * (1 - t);
        const float centre = ay + rise * t * t * (3 - 2 * t), reach = half * std::sqrt(1 + slope * slope);
        return Edges{centre - reach, centre + reach};
    };
    const int first = std::max(0, down(ax)), last = std::min(width_ - 1, up(bx) - 1);
    if (first > last) return;
    const qsizetype line = stride_ / qsizetype(sizeof(quint32));
    Edges left = edges(std::max(float(first), ax));
    for (int x = first; x <= last; ++x) {
        const float begin = std::max(float(x), ax), end = std::min(float(x) + 1, bx);
        const Edges right = edges(end);
        const Slant top(left.top, right.top), bottom(left.bottom, right.bottom);
        left = right;
        const float column = (end - begin) * alpha;
        const int y0 = std::max(0, down(top.low)), y1 = std::min(height_, up(bottom.high));
        const int solid0 = std::clamp(up(top.high), y0, std::max(y0, y1));
        const int solid1 = std::clamp(down(bottom.low), solid0, std::max(solid0, y1));
        const auto covered = [&](int from, int to) {
            if (from >= to) return;
            float above = top.areaTo(float(from)) - bottom.areaTo(float(from));
            quint32* target = pixel(x, from);
            for (int y = from; y < to; ++y, target += line) {
                const float below = top.areaTo(float(y + 1)) - bottom.areaTo(float(y + 1));
                blend(target, color, quint32((below - above) * column + 0.5f));
                above = below;
            }
        };
        covered(y0, solid0);
        const auto full = quint32(column + 0.5f);
        quint32* target = pixel(x, solid0);
        for (int y = solid0; y < solid1; ++y, target += line) blend(target, color, full);
        covered(solid1, y1);
    }
}

void RibbonCanvas::dot(QPointF centre, double radius, const QColor& shade) {
    const QPointF c = centre * ratio_;
    const double r = radius * ratio_;
    const int x0 = std::max(0, int(std::floor(c.x() - r - 0.5))), x1 = std::min(width_ - 1, int(c.x() + r + 0.5));
    const int y0 = std::max(0, int(std::floor(c.y() - r - 0.5))), y1 = std::min(height_ - 1, int(c.y() + r + 0.5));
    const quint32 color = shade.rgb();
    for (int y = y0; y <= y1; ++y) {
        for (int x = x0; x <= x1; ++x) {
            const double cover = r + 0.5 - std::hypot(x + 0.5 - c.x(), y + 0.5 - c.y());
            if (cover > 0) blend(pixel(x, y), color, quint32(std::min(1.0, cover) * shade.alpha() + 0.5));
        }
    }
}

void RibbonCanvas::fill(const QRectF& rect, QRgb color) {
    const auto edge = [&](double v, int limit) { return std::clamp(int(std::lround(v * ratio_)), 0, limit); };
    const int x0 = edge(rect.left(), width_), x1 = edge(rect.right(), width_);
    const int y0 = edge(rect.top(), height_), y1 = edge(rect.bottom(), height_);
    for (int y = y0; y < y1; ++y) {
        auto* line = reinterpret_cast<quint32*>(bits_ + y * stride_);
        std::fill(line + x0, line + std::max(x0, x1), color | 0xFF000000u);
    }
}

}  // namespace moe::app
