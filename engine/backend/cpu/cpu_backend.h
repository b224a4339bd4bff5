#pragma once
#include "engine/backend/backend.h"
#include "engine/backend/cpu/kernels.h"

#include <memory>

namespace moe {

/// The fast CPU backend: float, own loops and matrix products (Eigen's with SSE2 alone), compiled per instruction set,
/// on a pool of `threads` threads (the caller among them). Work is cut into parts by its shape alone, so the bits do
/// not depend on the number of threads. Each op treats denormals as zero while it runs and leaves the caller's mode as
/// it was. Throws Error where this processor lacks `isa`.
std::unique_ptr<Backend<float>> make_cpu_backend(Isa isa, std::size_t threads);

}  // namespace moe
