#pragma once
#include "tests/app/window_fixture.h"
#include "tests/support/cuda_emulator.h"

namespace moe::app {

inline const char* const no_driver = "No NVIDIA driver is installed.";

/// Windows with an emulated GPU beside the processor.
class TwoDevicesFixture : public WindowFixture {
public:
    TwoDevicesFixture() {
        cuda::emulator.reset();
        session.backend.threads = 1;
        session.backend.make = [this](const BackendOptions& o) -> std::unique_ptr<Backend<float>> {
            if (o.device == "cpu" || (o.device == "auto" && (off || device->lost()))) return make_backend({"cpu", 1});
            if (off) throw Error(std::string("CUDA is off. ") + no_driver);
            if (device->lost()) throw Error(device->why());
            return std::make_unique<cuda::CudaBackend>(device);
        };
        devices = [this] {
            return std::vector<DeviceInfo>{{"cpu", "AVX-512, 1 thread", ""},
                                           {"cuda", off ? "" : "emulator",
                                            off              ? no_driver
                                            : device->lost() ? device->why()
                                                             : ""}};
        };
    }
    ~TwoDevicesFixture() { cuda::emulator.reset(); }

    std::shared_ptr<cuda::Device> device = std::make_shared<cuda::Device>(cuda::emulator_module());
    std::atomic<bool> off = false;  // as on a machine without one
};

}  // namespace moe::app
