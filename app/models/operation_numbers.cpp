#include "app/models/operation_numbers.h"

#include "app/models/provenance_card.h"
#include "engine/core/numbers.h"

#include <cmath>

namespace moe::app {

QString traceText(double value, bool sign) {
    return sign ? signedValueText(value) : valueText(value);
}

QString briefText(double value, bool sign) {
    return sign ? signedValueText(value, 2) : valueText(value, 2);
}

QString exactText(float value) {
    return QString::fromStdString(to_text(value));
}

double lengthOf(std::span<const float> values) {
    double sum = 0;
    for (const float v : values) sum += double(v) * double(v);
    return std::sqrt(sum);
}

}  // namespace moe::app
