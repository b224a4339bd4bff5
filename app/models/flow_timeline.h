#pragma once
#include <cstddef>

namespace moe::app {

/// The stretches of a token's way across the stage, left to right.
enum class FlowLeg { rest, to_mean, to_gate, to_experts, in_experts, to_sum, to_word };

struct FlowPosition {
    FlowLeg leg = FlowLeg::rest;
    double share = 0;  // of the leg, 0 to 1

    bool operator==(const FlowPosition&) const = default;
};

/// Where a token is at an animation time, in seconds: a pure function, and training time has no part in it. Tokens
/// set out one after the other, evenly spread over the cycle however many there are.
class FlowTimeline {
public:
    static constexpr double cycle_seconds = 3.2;

    static FlowPosition position(std::size_t token, double seconds);
};

}  // namespace moe::app
