#pragma once
#include "engine/backend/backend.h"
#include "engine/core/trace.h"

#include <initializer_list>

namespace moe {

/// What is said of sizes that no memory holds.
inline constexpr const char* trace_name = "A trace of this batch";

/// Fills a trace while the ops of a step go by. The plan names every value with its shape, in the order of the trace;
/// what no op writes stays 0. One thread at a time.
class TraceRecorder {
public:
    TraceRecorder(Backend<float>& backend, Trace& trace, std::vector<TraceValue> plan);

    using Names = std::initializer_list<std::string_view>;
    void op(TracePhase phase, std::string_view id, Names inputs, Names outputs);
    /// Adds to the last op.
    void with(Names inputs, Names outputs = {});

    /// Copies the tensor, as large as its value, from the device; returns the numbers.
    std::vector<float>& keep(std::string_view name, Tensor<float> tensor);
    std::vector<std::int32_t> keep(Ids tensor);
    /// A value of visits, (N, K, ...), whose rows on the device are sorted by expert: brought back into the order of
    /// the visits.
    void keep_visits(std::string_view name, Tensor<float> rows);
    void set_positions(Ids positions) { positions_ = keep(positions); }  // (N, K): the row of each visit

    /// The zeroed numbers of a value, to be written by hand.
    std::vector<float>& value(std::string_view name);

private:
    Backend<float>& backend_;
    Trace& trace_;
    std::vector<std::int32_t> positions_;
    std::vector<float> rows_;
};

/// How many numbers the values of a plan hold. Throws Error where that leaves 64 bits.
std::size_t planned_count(const std::vector<TraceValue>& plan);

}  // namespace moe
