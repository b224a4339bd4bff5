#include "app/models/operation_motion.h"

#include <algorithm>

namespace moe::app {

int operationBeat(std::string_view op) {
    // What crosses the whole picture takes longest; what only turns numbers into others is short.
    for (const std::string_view longest : {"adam", "embedding_rows", "expert_hidden_backward", "embedding_backward"})
        if (op == longest) return 600;
    for (const std::string_view shortest : {"gate_softmax", "top_k", "softmax_loss", "balance_loss"})
        if (op == shortest) return 360;
    return 480;
}

double beatPart(double t, double from, double to) {
    const double u = std::clamp((t - from) / (to - from), 0.0, 1.0);
    return u * u * (3 - 2 * u);
}

OperationBeat operationPose(std::string_view op, double t) {
    const bool in_place = operationBeat(op) <= 360;
    return {beatPart(t, 0, in_place ? 0.35 : 0.7), beatPart(t, in_place ? 0.1 : 0.5, 1)};
}

}  // namespace moe::app
