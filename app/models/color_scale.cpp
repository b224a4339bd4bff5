#include "app/models/color_scale.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace moe::app {

MagnitudeScale MagnitudeScale::ofGate(std::span<const float> weights, std::size_t experts) {
    return of(weights, experts > 0 ? std::min(1.0, 2.0 / double(experts)) : 0);
}

MagnitudeScale MagnitudeScale::of(std::span<const float> values, double least) {
    double largest = least;
    for (const float v : values)
        if (std::isfinite(v)) largest = std::max(largest, double(v));
    if (largest <= 0) return {1};
    const double power = std::pow(10, std::floor(std::log10(largest)));
    for (const double step : {1.0, 2.0, 5.0, 10.0})
        // Weights are sums of floats: 0.50000006 is still a half.
        if (largest <= step * power * (1 + 1e-5)) return {step * power};
    return {10 * power};
}

double MagnitudeScale::share(double value) const {
    return std::isfinite(value) ? std::clamp(value / max, 0.0, 1.0) : 0.0;
}

int MagnitudeScale::digits() const {
    return std::clamp(int(std::ceil(-std::log10(max) - 1e-9)) + 1, 2, 6);
}

QImage heatmapImage(std::span<const float> weights, std::size_t columns, std::size_t rows, const MagnitudeScale& scale,
                    const Theme& theme, std::size_t most_rows) {
    const std::size_t lines = std::min(rows, std::max<std::size_t>(most_rows, 1));
    QImage image(int(columns), int(lines), QImage::Format_RGB32);
    if (image.isNull()) return image;
    std::array<QRgb, 256> shades;
    for (std::size_t i = 0; i < shades.size(); ++i) shades[i] = theme.magnitude(double(i) / 255).rgb();
    for (std::size_t line = 0; line < lines; ++line) {
        const std::size_t first = line * rows / lines, last = (line + 1) * rows / lines;
        QRgb* pixels = reinterpret_cast<QRgb*>(image.scanLine(int(line)));
        for (std::size_t column = 0; column < columns; ++column) {
            double share = 0;
            for (std::size_t row = first; row < last; ++row)
                share = std::max(share, scale.share(double(weights[column * rows + row])));
            pixels[column] = shades[std::size_t(std::lround(share * 255))];
        }
    }
    return image;
}

}  // namespace moe::app
