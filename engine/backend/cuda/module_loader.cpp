#include "engine/backend/cuda/module_loader.h"

#include "engine/backend/cuda/cuda_backend.h"

#include <dlfcn.h>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <optional>

namespace moe::cuda {

namespace {

constexpr const char* module_file = "libmoe_cuda.so";

/// Where the module lies; empty where it was not built.
std::string module_path() {
    if (const char* named = std::getenv("MOELAB_CUDA_MODULE")) return named;
    std::error_code gone;
    const auto program = std::filesystem::read_symlink("/proc/self/exe", gone);
    if (gone) return {};
    const auto folder = program.parent_path(), prefix = folder.parent_path();
    for (const auto& place : {folder, prefix / MOELAB_LIBDIR / "moelab"})
        if (std::filesystem::exists(place / module_file, gone)) return (place / module_file).string();
    return {};
}

}  // namespace

void check_arithmetic(Backend<float>& backend) {
    constexpr std::size_t N = 37, I = 41, O = 35;
    std::vector<float> x(N * I), w(I * O), b(O), y(N * O);
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = float(int(i * 7 % 23) - 11);  // whole numbers: no rounding
    for (std::size_t i = 0; i < w.size(); ++i) w[i] = float(int(i * 5 % 19) - 9);
    for (std::size_t i = 0; i < O; ++i) b[i] = float(i);
    const Tensor<float> tx = backend.allocate({{N, I, 1}}), tw = backend.allocate({{I, O, 1}}),
                        tb = backend.allocate({{O, 1, 1}}), ty = backend.allocate({{N, O, 1}});
    backend.upload(tx, x.data());
    backend.upload(tw, w.data());
    backend.upload(tb, b.data());
    backend.dense(ty, tx, tw, tb);
    backend.download(ty, y.data());
    for (std::size_t n = 0; n < N; ++n)
        for (std::size_t o = 0; o < O; ++o) {
            float sum = b[o];
            for (std::size_t i = 0; i < I; ++i) sum += x[n * I + i] * w[i * O + o];
            if (y[n * O + o] != sum)
                throw Error(backend.name() + " does not multiply as it should, so it is not used.");
        }
}

FoundDevice open_module(const std::string& path) {
    FoundDevice found;
    try {
        if (path.empty() || !std::filesystem::exists(path)) {
            found.why_not = path.empty() ? "This program was built without the CUDA module."
                                         : "There is no CUDA module at " + path + ".";
            return found;
        }
        const std::string whole =
            std::filesystem::absolute(path).string();                  // dlopen() searches elsewhere by a bare name
        void* library = dlopen(whole.c_str(), RTLD_NOW | RTLD_LOCAL);  // stays: its kernels are registered
        if (library == nullptr) {
            found.why_not = std::string("The CUDA module cannot be loaded: ") + dlerror() + ".";
            return found;
        }
        const auto door = reinterpret_cast<ModuleDoor>(dlsym(library, module_door));
        const Module* module = door == nullptr ? nullptr : door();
        if (module == nullptr || module->version != kernels_version()) {
            found.why_not =
                "The CUDA module " + path + " belongs to another version of this program; build both together.";
            return found;
        }
        auto device = std::make_shared<Device>(*module);
        CudaBackend backend(device);
        check_arithmetic(backend);
        found.name = backend.device_name();
        found.device = std::move(device);
    } catch (const DeviceFailure& e) {
        found.why_not = e.what();
        found.passing = true;
    } catch (const std::exception& e) {
        found.why_not = e.what();
    }
    return found;
}

FoundDevice found_device() {
    static std::mutex mutex;
    static std::optional<FoundDevice> found;
    const std::scoped_lock lock(mutex);
    if (!found || found->passing) found = open_module(module_path());
    return *found;
}

}  // namespace moe::cuda
