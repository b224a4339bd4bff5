#pragma once
#include <QColor>
#include <QImage>
#include <QPainter>
#include <QPainterPath>
#include <QPointF>

namespace moe::app {

/// A band of one width whose centre line runs level out of `from` and level into `to`: y follows 3 u^2 - 2 u^3 over x.
struct Ribbon {
    QPointF from, to;
    double width = 0;  // across the band, logical pixels
    QColor color;      // with its alpha
};

/// The centre line at `share` of the way along x, 0 to 1.
QPointF ribbonPoint(const Ribbon& ribbon, double share);

/// The centre line as the cubic that it is: for exports and anything that needs a path.
QPainterPath ribbonPath(const Ribbon& ribbon);
void drawRibbon(QPainter& painter, const Ribbon& ribbon);

/// Blends ribbons and dots straight into an image, about twenty times faster than QPainter strokes them. The image must
/// be Format_RGB32, outlive the canvas and not be shared; its device pixel ratio is respected. A QPainter may be open
/// on it.
class RibbonCanvas {
public:
    explicit RibbonCanvas(QImage& image);

    void draw(const Ribbon& ribbon);
    void dot(QPointF centre, double radius, const QColor& color);
    /// An opaque rectangle with its edges on whole device pixels.
    void fill(const QRectF& rect, QRgb color);

private:
    quint32* pixel(int x, int y) { return reinterpret_cast<quint32*>(bits_ + y * stride_) + x; }
    static void blend(quint32* pixel, quint32 color, quint32 alpha) {
        const quint32 d = *pixel, rest = 255 - alpha;
        quint32 rb = (d & 0xFF00FFu) * rest + (color & 0xFF00FFu) * alpha;
        rb = ((rb + ((rb >> 8) & 0xFF00FFu) + 0x800080u) >> 8) & 0xFF00FFu;
        quint32 g = ((d >> 8) & 0xFFu) * rest + ((color >> 8) & 0xFFu) * alpha;
        g = ((g + (g >> 8) + 0x80u) >> 8) & 0xFFu;
        *pixel = 0xFF000000u | rb | g << 8;
    }

    uchar* bits_;
    qsizetype stride_;
    int width_, height_;
    double ratio_;
};

}  // namespace moe::app
