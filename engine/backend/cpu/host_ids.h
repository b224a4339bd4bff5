#pragma once
#include "engine/backend/tensor.h"
#include "engine/core/error.h"

#include <cstddef>
#include <cstdint>
#include <string>

namespace moe {

/// Ids come from files and texts: one outside [0, limit) is an Error that names op, place and rule, never a wild read.
/// The scan has no branch a value, so it costs nothing beside the op.
inline void check_ids(const char* op, const char* name, const Ids& ids, std::size_t limit, const char* owner) {
    const std::int32_t* values = ids.raw();
    const std::size_t count = ids.count();
    std::uint32_t largest = 0;  // a negative id is a huge one here
    for (std::size_t i = 0; i < count; ++i) {
        const auto value = static_cast<std::uint32_t>(values[i]);
        largest = value > largest ? value : largest;
    }
    if (count == 0 || largest < limit) return;
    std::size_t i = 0;
    while (static_cast<std::uint32_t>(values[i]) < limit) ++i;
    throw Error("[" + std::string(op) + "] " + name + " holds " + std::to_string(values[i]) + " at row " +
                std::to_string(i / ids.dim(1)) + ", but " + owner + " has " + std::to_string(limit) +
                " rows: the text and the model must share one vocabulary.");
}

/// Offsets that do not partition the rows would write outside them.
inline void check_offsets(const char* op, const Ids& offsets, std::size_t rows) {
    const std::int32_t* o = offsets.raw();
    const std::size_t last = offsets.count() - 1;
    bool good = o[0] == 0 && static_cast<std::size_t>(o[last]) == rows;
    for (std::size_t e = 0; e < last; ++e) good &= o[e] <= o[e + 1];
    if (!good)
        throw Error("[" + std::string(op) + "] offsets must rise from 0 to the " + std::to_string(rows) +
                    " rows of x: take them from dispatch().");
}

}  // namespace moe
