#include "engine/backend/backend.h"
#include "engine/backend/cpu/reference_backend.h"
#include "engine/core/error.h"

namespace moe {

static const char* const cuda_is_missing = "This program was built without the CUDA module.";

std::unique_ptr<Backend<float>> make_backend(const BackendOptions& options) {
    if (options.threads < 0)
        throw UsageError("--threads is " + std::to_string(options.threads) +
                         ", but a number of threads is 1 or more, or 0 for all cores but one.");
    if (options.device == "cuda") throw Error(cuda_is_missing);
    if (options.device != "auto" && options.device != "cpu")
        throw UsageError("--device is \"" + options.device + "\", but it takes auto, cpu or cuda.");
    return std::make_unique<ReferenceBackend<float>>();
}

std::string describe_devices() {
    return std::string("auto: cpu\ncpu: on\ncuda: off. ") + cuda_is_missing;
}

}  // namespace moe
