#include "app/models/theme.h"

#include <QFontDatabase>

#include <array>
#include <cmath>
#include <numbers>

namespace moe::app {

namespace {

constexpr std::size_t num_colours = 8;
// Okabe and Ito's set first (safe for colour-blind eyes), darkened or lightened to 3:1 on the panel.
constexpr std::array<QRgb, num_colours> light_experts = {0xFF0072B2, 0xFFC27C00, 0xFF008F68, 0xFFB95C93,
                                                         0xFF6B5BB8, 0xFF2D8AA8, 0xFF8A7A00, 0xFF7A5A48};
constexpr std::array<QRgb, num_colours> dark_experts = {0xFF4BA3DC, 0xFFE69F00, 0xFF2FC296, 0xFFDB8FBC,
                                                        0xFFA79BE8, 0xFF62C4DE, 0xFFCBBF3E, 0xFFC7A28C};

double luminance(const QColor& c) {
    const auto linear = [](double v) { return v <= 0.04045 ? v / 12.92 : std::pow((v + 0.055) / 1.055, 2.4); };
    return 0.2126 * linear(c.redF()) + 0.7152 * linear(c.greenF()) + 0.0722 * linear(c.blueF());
}

QPainterPath polygon(int corners, QPointF centre, double radius, double inner = 1) {
    QPainterPath path;
    const int points = inner < 1 ? 2 * corners : corners;
    for (int i = 0; i < points; ++i) {
        const double angle = 2 * std::numbers::pi * i / points - std::numbers::pi / 2;
        const double r = inner < 1 && i % 2 ? radius * inner : radius;
        const QPointF p = centre + QPointF(r * std::cos(angle), r * std::sin(angle));
        i ? path.lineTo(p) : path.moveTo(p);
    }
    path.closeSubpath();
    return path;
}

}  // namespace

Theme Theme::light() {
    Theme t;
    t.page = 0xF4F5F7, t.panel = 0xFFFFFF, t.hairline = 0xE1E4E9, t.ink = 0x16191D, t.muted = 0x5A6472;
    t.track = 0xECEEF2, t.negative = 0x8C5A1E, t.positive = 0x2B7F78, t.gradient = 0xC44F00;
    return t;
}

Theme Theme::darkTheme() {
    Theme t;
    t.dark = true;
    t.page = 0x121417, t.panel = 0x1A1D22, t.hairline = 0x2C3138, t.ink = 0xE9ECF0, t.muted = 0xA3ACB8;
    t.track = 0x262A31, t.negative = 0xC98E4A, t.positive = 0x4DB6AC, t.gradient = 0xFF7A33;
    return t;
}

QColor Theme::expert(std::size_t index) const {
    return QColor::fromRgb((dark ? dark_experts : light_experts)[index % num_colours]);
}

QColor Theme::mix(const QColor& from, const QColor& to, double share) {
    const double s = std::clamp(share, 0.0, 1.0);
    return QColor::fromRgbF(float(from.redF() + (to.redF() - from.redF()) * s),
                            float(from.greenF() + (to.greenF() - from.greenF()) * s),
                            float(from.blueF() + (to.blueF() - from.blueF()) * s));
}

QColor Theme::magnitude(double share) const {
    return mix(track, ink, share);
}

QColor Theme::signedValue(double share) const {
    return mix(track, share < 0 ? negative : positive, std::abs(share));
}

double Theme::contrast(const QColor& a, const QColor& b) {
    const double x = luminance(a), y = luminance(b);
    return (std::max(x, y) + 0.05) / (std::min(x, y) + 0.05);
}

QColor Theme::textOn(const QColor& background) const {
    const QColor paper = dark ? page : panel;
    const QColor better = contrast(background, ink) >= contrast(background, paper) ? ink : paper;
    if (contrast(background, better) >= 4.5) return better;
    // On middle greys only pure black or white reaches 4.5:1, and one of them always does.
    const QColor black(Qt::black), white(Qt::white);
    return contrast(background, black) >= contrast(background, white) ? black : white;
}

QFont Theme::font(double pixels, int weight) const {
    static const QString family = QFontDatabase::families().contains(QStringLiteral("Inter"))
                                      ? QStringLiteral("Inter")
                                      : QFontDatabase::systemFont(QFontDatabase::GeneralFont).family();
    QFont f(family);
    f.setPixelSize(std::max(1, int(std::lround(pixels * scale))));
    f.setWeight(QFont::Weight(weight));
    return f;
}

QString expertName(std::size_t index) {
    return index < 26 ? QString(QChar(ushort(u'A' + index))) : QString::number(index + 1);
}

QPainterPath expertShape(std::size_t index, QPointF centre, double height) {
    const double r = height / 2;
    QPainterPath path;
    switch (index % num_colours) {
        case 0:
            path.addEllipse(centre, r, r);
            return path;
        case 1:
            path.moveTo(centre + QPointF(0, -r));
            path.lineTo(centre + QPointF(r * 1.1, r * 0.85));
            path.lineTo(centre + QPointF(-r * 1.1, r * 0.85));
            path.closeSubpath();
            return path;
        case 2:
            path.addRoundedRect(QRectF(centre.x() - r * 0.92, centre.y() - r * 0.92, r * 1.84, r * 1.84), 1, 1);
            return path;
        case 3:
            return polygon(4, centre, r * 1.15);
        case 4:
            return polygon(5, centre, r * 1.1);
        case 5:
            return polygon(6, centre, r * 1.05);
        case 6:
            return polygon(5, centre, r * 1.2, 0.45);
        default:
            path.addRect(QRectF(centre.x() - r, centre.y() - r * 0.35, 2 * r, r * 0.7));
            QPainterPath upright;
            upright.addRect(QRectF(centre.x() - r * 0.35, centre.y() - r, r * 0.7, 2 * r));
            return path.united(upright);
    }
}

}  // namespace moe::app
