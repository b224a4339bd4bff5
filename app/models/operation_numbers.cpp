#include "app/models/operation_numbers.h"

#include "app/models/number_text.h"
#include "engine/core/numbers.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace moe::app {

QString traceText(double value, bool sign, int digits) {
    return sign ? signedValueText(value, digits) : valueText(value, digits);
}

QString briefText(double value, bool sign) {
    return sign ? signedValueText(value, 2) : valueText(value, 2);
}

QString exactText(float value) {
    return QString::fromStdString(to_text(value));
}

QString symbolOf(std::string_view value, bool soft, bool tokens) {
    // Longer names before those that they begin with.
    static constexpr std::array letters = {
        std::pair{"embedding_rows", 'r'}, std::pair{"mean", 'x'},           std::pair{"gate_logits", 'z'},
        std::pair{"gate_probs", 'p'},     std::pair{"expert_weights", 'g'}, std::pair{"hidden_sums", 'a'},
        std::pair{"hidden", 'h'},         std::pair{"answers", 'y'},        std::pair{"mixed", 'y'},
        std::pair{"logits", 's'},         std::pair{"probs", 'q'},          std::pair{"loss", 'L'},
    };
    const bool gradient = value.starts_with("d_");
    const std::string_view of = gradient ? value.substr(2) : value;
    const auto found = std::ranges::find_if(letters, [&](const auto& l) { return of.starts_with(l.first); });
    if (of.starts_with("rows_")) return QStringLiteral("∂L/∂r");
    if (found == letters.end()) return {};
    QChar letter = QLatin1Char(soft && found->second == 'p' ? 'g' : found->second);
    if (tokens && found->second == 'x') letter = u'ȳ';
    if (!gradient) return letter;
    return (value == "d_gate_probs_balance" ? QStringLiteral("∂B/∂") : QStringLiteral("∂L/∂")) + letter;
}

double lengthOf(std::span<const float> values) {
    double sum = 0;
    for (const float v : values) sum += double(v) * double(v);
    return std::sqrt(sum);
}

}  // namespace moe::app
