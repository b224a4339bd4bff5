#pragma once
#include "engine/backend/tensor.h"

#include <cstdint>
#include <map>
#include <vector>

namespace moe::cuda {

/// What the host knows of the ids in a device's buffers, so that one outside its table is refused before any kernel
/// reads by it, with the sentence that the CPU has. Of what was uploaded it keeps the numbers; of what an op wrote, the
/// bound.
class IdLedger {
public:
    /// A buffer of zeros.
    void add(Ids buffer);
    void uploaded(Ids to, const std::int32_t* from);
    /// An op wrote numbers below `limit`. As offsets they rise from 0 to `total`.
    void written(Ids to, std::size_t limit, std::size_t total = 0);

    bool was_uploaded(Ids ids) const { return !find(ids.raw())->second.numbers.empty(); }

    /// As host_ids.h has them. Throws Error.
    void check_below(const char* op, const char* name, Ids ids, std::size_t limit, const char* owner) const;
    void check_partition(const char* op, Ids offsets, std::size_t rows) const;

private:
    struct Buffer {
        std::size_t count = 0;
        std::vector<std::int32_t> numbers;  // empty: an op wrote them
        std::size_t limit = 1, total = 0;
    };
    using Buffers = std::map<const std::int32_t*, Buffer>;
    Buffers::const_iterator find(const std::int32_t* at) const;

    Buffers buffers_;  // by their first number
};

}  // namespace moe::cuda
