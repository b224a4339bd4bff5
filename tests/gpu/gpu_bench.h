#pragma once
#include "engine/backend/backend.h"

#include <iosfwd>

namespace moe::gpu_check {

/// Seed steps and mixture layers on the CPU and on `options`' device, in turns, as tables in Markdown: medians of times
/// on the wall.
void print_side_by_side(std::ostream& out, const BackendOptions& options);

}  // namespace moe::gpu_check
