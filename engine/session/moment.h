#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace moe {

/// What a future brings: a value or the sentence that says why there is none. No exception crosses threads.
template <class T>
struct Answer {
    std::shared_ptr<const T> value;
    std::string error;  // empty where there is a value
};

/// The time machine's checkpoints: evenly spaced; every second one is dropped when the budget is full.
struct CheckpointUse {
    std::size_t count = 0, bytes = 0, budget = 0;
    std::uint64_t interval = 0;    // steps between two
    std::uint64_t first_step = 0;  // where the past that is known begins: later than 0 for a model that came from a file
};

/// Root mean square of every parameter over the run: how the weights grew.
struct NormCurves {
    std::vector<std::uint64_t> steps;
    std::vector<std::string> names;  // canonical order
    std::vector<float> norms;        // (names, steps)
};

}  // namespace moe
