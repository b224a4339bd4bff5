#pragma once
#include "engine/core/state.h"

#include <cstdint>
#include <optional>
#include <vector>

namespace moe {

/// A moment of a run, flat: all that training needs to go on from there but for what belongs to the run as a whole
/// (settings, the list of epochs). Immutable once shared.
struct Checkpoint {
    std::uint64_t step = 0, epoch = 0, next_example = 0;
    EpochSums sums;                   // of the epoch so far
    std::optional<EpochRecord> last;  // the last finished epoch, where one is known
    std::vector<double> load_sums;    // (E)
    std::vector<float> load;          // (E) of the last finished epoch; empty before the first
    /// Parameters, then Adam's m, then v, each in the order of canonical_parameters(). Empty: the seed's own weights
    /// with moments of zero, as at step 0.
    std::vector<float> values;

    bool operator==(const Checkpoint&) const = default;
};

}  // namespace moe
