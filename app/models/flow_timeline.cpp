#include "app/models/flow_timeline.h"

#include <array>
#include <cmath>

namespace moe::app {

namespace {

struct Leg {
    FlowLeg leg;
    double seconds;
};

// Beats of 300 to 600 ms; what is left of the cycle is rest.
constexpr std::array<Leg, 6> legs = {{{FlowLeg::to_mean, 0.3},
                                      {FlowLeg::to_gate, 0.4},
                                      {FlowLeg::to_experts, 0.6},
                                      {FlowLeg::in_experts, 0.4},
                                      {FlowLeg::to_sum, 0.6},
                                      {FlowLeg::to_word, 0.3}}};

}  // namespace

FlowPosition FlowTimeline::position(std::size_t token, double seconds) {
    // The golden ratio's multiples leave no two starts close together.
    const double start = std::fmod(double(token) * 0.6180339887498949, 1.0);
    double cycle = seconds / cycle_seconds - start;
    double t = (cycle - std::floor(cycle)) * cycle_seconds;
    for (const Leg& leg : legs) {
        if (t < leg.seconds) return {leg.leg, t / leg.seconds};
        t -= leg.seconds;
    }
    return {};
}

}  // namespace moe::app
