#include "engine/backend/cpu/kernels_impl.h"

namespace moe {
MOE_KERNEL_TABLE(kernels_v4, "AVX-512");
}
