#pragma once
#include <string_view>

namespace moe::app {

/// How long the picture of an operation takes, in milliseconds: 300 to 600.
int operationBeat(std::string_view op);

/// How far along (0 to 1) the part of a beat that starts and ends at these shares is, eased; a pure function of the
/// beat's own share `t`.
double beatPart(double t, double from, double to);

/// What moves in the beat of an operation.
struct OperationBeat {
    double travel = 0;  // of what flows towards the operation
    double appear = 0;  // of what it makes
};

/// The picture of `op` at `t`, 0 (about to start) to 1 (done and at rest). Pure.
OperationBeat operationPose(std::string_view op, double t);

}  // namespace moe::app
