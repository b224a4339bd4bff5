#pragma once
#include "engine/backend/backend.h"
#include "engine/core/trace.h"
#include "engine/text/corpus.h"

namespace moe {

/// The batch that follows `state` in the state's own order. `state` is kept by the trace. One thread at a time.
Trace trace_batch(Backend<float>& backend, std::shared_ptr<const RunState> state, const Corpus& corpus);

/// A row of ids (T) on its way to the next word: forward alone.
Trace trace_row(Backend<float>& backend, std::shared_ptr<const RunState> state, std::span<const std::int32_t> row);

}  // namespace moe
