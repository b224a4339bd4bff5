#include "engine/backend/backend.h"
#include "engine/backend/cpu/cpu_backend.h"
#include "engine/backend/cuda/cuda_backend.h"
#include "engine/backend/cuda/module_loader.h"
#include "engine/core/error.h"

#include <algorithm>
#include <thread>

namespace moe {

// One core is left to the window; the parts of a step of the models here keep no more than eight busy.
static std::size_t default_threads() {
    return std::clamp<std::size_t>(std::thread::hardware_concurrency(), 2, 9) - 1;
}

// Why the GPU is off; empty: it is on.
static std::string why_no_gpu(const cuda::FoundDevice& found) {
    if (found.device == nullptr) return found.why_not;
    return found.device->lost() ? found.device->why() + " Start the program again to use it." : "";
}

static cuda::Precision precision_named(const std::string& name) {
    if (name == "float32") return cuda::Precision::float32;
    if (name == "tf32") return cuda::Precision::tf32;
    if (name == "bf16") return cuda::Precision::bf16;
    throw UsageError("--precision is \"" + name + "\", but it takes float32, tf32 or bf16.");
}

std::unique_ptr<Backend<float>> make_backend(const BackendOptions& options) {
    if (options.make) return options.make(options);
    constexpr int most_threads = 256;
    if (options.threads < 0 || options.threads > most_threads)
        throw UsageError("--threads is " + std::to_string(options.threads) + ", but a number of threads is 1 to " +
                         std::to_string(most_threads) + ", or 0 for all cores but one.");
    if (options.device != "auto" && options.device != "cpu" && options.device != "cuda")
        throw UsageError("--device is \"" + options.device + "\", but it takes auto, cpu or cuda.");
    const cuda::Precision precision = precision_named(options.precision);
    std::string why;
    if (options.device != "cpu") {
        const cuda::FoundDevice found = cuda::found_device();
        why = why_no_gpu(found);
        if (why.empty()) return std::make_unique<cuda::CudaBackend>(found.device, precision);
        const std::string off = "CUDA is off. " + why + " The device cpu computes as well.";
        if (options.device == "cuda" && found.device != nullptr) throw DeviceFailure(off);
        if (options.device == "cuda") throw Error(off);
    }
    if (precision != cuda::Precision::float32)
        throw Error("The precision " + options.precision + " takes a GPU's tensor cores, and the CPU was chosen" +
                    (why.empty() ? "; choose the device cuda, or leave the precision out." : ": CUDA is off. " + why));
    return make_cpu_backend(choose_isa(), options.threads == 0 ? default_threads() : std::size_t(options.threads));
}

std::vector<DeviceInfo> list_devices() {
    const cuda::FoundDevice found = cuda::found_device();
    return {{"cpu",
             std::string(kernels_for(choose_isa()).title) + ", " + std::to_string(default_threads()) +
                 (default_threads() == 1 ? " thread" : " threads"),
             ""},
            {"cuda", found.name, why_no_gpu(found)}};
}

std::string describe_devices() {
    std::string lines;
    for (const DeviceInfo& device : list_devices())
        lines +=
            (lines.empty() ? "" : "\n") + device.id + ": " +
            (device.why_off.empty() ? (device.id == "cpu" ? "" : "on, ") + device.title : "off. " + device.why_off);
    return lines;
}

}  // namespace moe
