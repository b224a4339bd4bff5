#pragma once
#include "engine/backend/backend.h"

#include <iosfwd>

namespace moe {

/// Times steps on request, a line each, so that one process can take turns with other programs that do the same work
/// (tests/bench/against.py). Writes "ready", then answers until an empty line or the end of `in`:
///   seed V B dense STEPS          training steps of SeedStep{V, B}
///   moe D E N top2 REPEATS        forward and backward of a Mixture of width D on N tokens, each visiting 2 of E
///                                 experts with 4 D hidden units and ReLU; every gradient as if fresh
/// with "wall_seconds_a_step processor_seconds_a_step loss": of all threads; of the last step. The layer's loss is the
/// sum of its output times a fixed gradient, over N. A line like the one before but for its count goes on with the same
/// trainer or layer; another begins anew, with a few steps that are not timed. What cannot be done is answered with
/// "error: " and a sentence. Throws Error where the device is missing.
void serve_bench(std::istream& in, std::ostream& out, const BackendOptions& options);

}  // namespace moe
