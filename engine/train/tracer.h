#pragma once
#include "engine/backend/backend.h"
#include "engine/core/trace.h"
#include "engine/text/corpus.h"

#include <memory>

namespace moe {

/// A trace that would take more is refused in one sentence, before anything is allocated.
inline constexpr std::size_t trace_memory_limit = std::size_t(512) << 20;

/// Bytes that the trace of `examples` examples takes, with the workspace in which it is made.
/// Throws Error where that leaves 64 bits.
std::size_t trace_bytes(const ModelSpec& spec, std::size_t examples, bool backward);

/// Makes traces one after the other in one workspace, which is made anew when the model's sizes change, with a backend
/// of its own: training beside it is not touched. One thread at a time.
class Tracer {
public:
    explicit Tracer(BackendOptions options = {});
    ~Tracer();

    /// The batch that follows `state` in the state's own order. `state` is kept by the trace. Throws Error where the
    /// trace would be larger than trace_memory_limit, or the state does not fit its experiment or the corpus.
    Trace batch(std::shared_ptr<const RunState> state, const Corpus& corpus);
    /// A row of ids (T) on its way to the next word: forward alone.
    Trace row(std::shared_ptr<const RunState> state, std::span<const std::int32_t> row);

private:
    struct Workspace;
    Workspace& workspace(const Experiment& experiment, std::size_t examples, bool backward);
    std::span<const std::uint32_t> order(const TrainSpec& spec, std::uint64_t epoch, std::size_t examples);

    BackendOptions options_;
    std::unique_ptr<Backend<float>> backend_;
    std::unique_ptr<Workspace> workspace_;
    TrainSpec order_spec_;  // of order_, and the two below
    std::uint64_t order_epoch_ = 0;
    std::size_t order_examples_ = 0;
    std::vector<std::uint32_t> order_;
};

/// Once, on a given backend. Its memory stays with the backend: whoever traces again and again takes a Tracer.
Trace trace_batch(Backend<float>& backend, std::shared_ptr<const RunState> state, const Corpus& corpus);
Trace trace_row(Backend<float>& backend, std::shared_ptr<const RunState> state, std::span<const std::int32_t> row);

}  // namespace moe
