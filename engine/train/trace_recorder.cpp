#include "engine/train/trace_recorder.h"

#include "engine/core/checked.h"

#include <algorithm>

namespace moe {

namespace {

std::size_t count_of(const TraceValue& value) {
    std::size_t count = 1;
    for (const std::size_t size : value.shape) count = checked_product(trace_name, {count, size});
    return count;
}

void append(std::vector<std::string>& to, TraceRecorder::Names names) {
    to.insert(to.end(), names.begin(), names.end());
}

}  // namespace

std::size_t planned_count(const std::vector<TraceValue>& plan) {
    std::size_t sum = 0;
    for (const TraceValue& value : plan) sum = checked_sum(trace_name, {sum, count_of(value)});
    return sum;
}

TraceRecorder::TraceRecorder(Backend<float>& backend, Trace& trace, std::vector<TraceValue> plan)
    : backend_(backend), trace_(trace) {
    trace.values = std::move(plan);
    for (TraceValue& value : trace.values) value.values.resize(count_of(value));
}

void TraceRecorder::op(TracePhase phase, std::string_view id, Names inputs, Names outputs) {
    TraceOp& op = trace_.ops.emplace_back();
    op.id = id;
    op.phase = phase;
    with(inputs, outputs);
}

void TraceRecorder::with(Names inputs, Names outputs) {
    append(trace_.ops.back().inputs, inputs);
    append(trace_.ops.back().outputs, outputs);
}

std::vector<float>& TraceRecorder::value(std::string_view name) {
    const auto found = std::ranges::find(trace_.values, name, &TraceValue::name);
    if (found == trace_.values.end()) throw Error("A trace of this model has no value '" + std::string(name) + "'.");
    return found->values;
}

std::vector<float>& TraceRecorder::keep(std::string_view name, Tensor<float> tensor) {
    std::vector<float>& to = value(name);
    if (to.size() != tensor.count())
        throw Error("The value '" + std::string(name) + "' was planned for " + std::to_string(to.size()) +
                    " numbers, but has " + std::to_string(tensor.count()) + ".");
    backend_.download(tensor, to.data());
    return to;
}

std::vector<std::int32_t> TraceRecorder::keep(Ids tensor) {
    std::vector<std::int32_t> to(tensor.count());
    backend_.download(tensor, to.data());
    return to;
}

void TraceRecorder::keep_visits(std::string_view name, Tensor<float> rows) {
    std::vector<float>& to = keep(name, rows);
    rows_.swap(to);  // its own order next, from the rows
    to.resize(rows_.size());
    const std::size_t width = rows.dim(1);
    for (std::size_t i = 0; i < positions_.size(); ++i)
        std::copy_n(rows_.begin() + std::ptrdiff_t(std::size_t(positions_[i]) * width), width,
                    to.begin() + std::ptrdiff_t(i * width));
}

}  // namespace moe
