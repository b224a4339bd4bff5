#pragma once
#include <QColor>
#include <QFont>
#include <QPainter>
#include <QPainterPath>
#include <QString>

#include <cstddef>

namespace moe::app {

/// The one palette, light or dark: what every widget, chart and export takes its colours and type from.
/// The program is ink on paper; colour belongs to the experts, vermilion to gradients.
struct Theme {
    bool dark = false;
    QColor page, panel, hairline, ink, muted, track;
    QColor negative, positive;  // signed values: brown to teal, paper between
    QColor gradient;            // backward pass only
    double scale = 1;           // of every size in pixels: larger on large windows

    static Theme light();
    static Theme darkTheme();
    bool operator==(const Theme&) const = default;

    /// A, B, C ... have their own colours up to 8 experts; more share ink by load, colour only for the selected.
    QColor expert(std::size_t index) const;
    /// 0 paper to 1 ink, for magnitudes.
    QColor magnitude(double share) const;
    /// -1 brown over paper to 1 teal.
    QColor signedValue(double share) const;
    /// Ink or paper, whichever reads better on `background`.
    QColor textOn(const QColor& background) const;
    static QColor mix(const QColor& from, const QColor& to, double share);
    /// WCAG 2 contrast ratio, 1 to 21.
    static double contrast(const QColor& a, const QColor& b);

    /// Inter where it is installed, else the system's sans; pixels before scale.
    QFont font(double pixels, int weight = QFont::Normal) const;
    double px(double pixels) const { return pixels * scale; }
};

/// "A" .. "Z", then "27", "28" ...
QString expertName(std::size_t index);

/// Circle, triangle, square, diamond, then pentagon, hexagon, star, cross; repeating. Centred, of the given height.
QPainterPath expertShape(std::size_t index, QPointF centre, double height);

}  // namespace moe::app
