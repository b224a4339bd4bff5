#include "engine/backend/backend.h"
#include "engine/backend/cpu/cpu_backend.h"
#include "engine/core/error.h"

#include <algorithm>
#include <thread>

namespace moe {

static const char* const cuda_is_missing = "This program was built without the CUDA module.";

// One core is left to the window; the parts of a step of the models here keep no more than eight busy.
static std::size_t default_threads() {
    return std::clamp<std::size_t>(std::thread::hardware_concurrency(), 2, 9) - 1;
}

std::unique_ptr<Backend<float>> make_backend(const BackendOptions& options) {
    constexpr int most_threads = 256;
    if (options.threads < 0 || options.threads > most_threads)
        throw UsageError("--threads is " + std::to_string(options.threads) + ", but a number of threads is 1 to " +
                         std::to_string(most_threads) + ", or 0 for all cores but one.");
    if (options.device == "cuda") throw Error(cuda_is_missing);
    if (options.device != "auto" && options.device != "cpu")
        throw UsageError("--device is \"" + options.device + "\", but it takes auto, cpu or cuda.");
    return make_cpu_backend(choose_isa(), options.threads == 0 ? default_threads() : std::size_t(options.threads));
}

std::string describe_devices() {
    return std::string("cpu: ") + kernels_for(choose_isa()).title + ", " + std::to_string(default_threads()) +
           (default_threads() == 1 ? " thread" : " threads") + "\ncuda: off. " + cuda_is_missing;
}

}  // namespace moe
