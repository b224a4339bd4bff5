#include "engine/backend/cuda/id_ledger.h"

#include "engine/backend/cpu/host_ids.h"

#include <algorithm>
#include <iterator>

namespace moe::cuda {

void IdLedger::add(Ids buffer) {
    buffers_[buffer.raw()] = {buffer.count(), std::vector<std::int32_t>(buffer.count(), 0), 1, 0};
}

IdLedger::Buffers::const_iterator IdLedger::find(const std::int32_t* at) const {
    const auto next = buffers_.upper_bound(at);
    if (next == buffers_.begin()) throw Error("These ids are another backend's: allocate them on this one.");
    return std::prev(next);
}

void IdLedger::uploaded(Ids to, const std::int32_t* from) {
    const auto found = find(to.raw());
    Buffer& buffer = buffers_[found->first];
    buffer.numbers.resize(buffer.count);
    std::copy_n(from, to.count(), buffer.numbers.begin() + (to.raw() - found->first));
}

void IdLedger::written(Ids to, std::size_t limit, std::size_t total) {
    Buffer& buffer = buffers_[find(to.raw())->first];
    buffer.numbers.clear();
    buffer.limit = limit;
    buffer.total = total;
}

void IdLedger::check_below(const char* op, const char* name, Ids ids, std::size_t limit, const char* owner) const {
    if (ids.count() == 0) return;
    const auto& [first, buffer] = *find(ids.raw());
    if (!buffer.numbers.empty()) {
        // The view's shape tells the row of what is wrong; nothing is written through it.
        auto* numbers = const_cast<std::int32_t*>(buffer.numbers.data()) + (ids.raw() - first);
        return moe::check_ids(op, name, Ids(numbers, ids.shape()), limit, owner);
    }
    if (buffer.limit > limit)
        throw Error("[" + std::string(op) + "] " + name + " may hold " + std::to_string(buffer.limit - 1) + ", but " +
                    owner + " has " + std::to_string(limit) + " rows.");
}

void IdLedger::check_partition(const char* op, Ids offsets, std::size_t rows) const {
    const auto& [first, buffer] = *find(offsets.raw());
    if (!buffer.numbers.empty()) {
        auto* numbers = const_cast<std::int32_t*>(buffer.numbers.data()) + (offsets.raw() - first);
        return moe::check_offsets(op, Ids(numbers, offsets.shape()), rows);
    }
    if (buffer.total == rows) return;
    throw Error("[" + std::string(op) + "] offsets must rise from 0 to the " + std::to_string(rows) +
                " rows of x: take them from dispatch().");
}

}  // namespace moe::cuda
