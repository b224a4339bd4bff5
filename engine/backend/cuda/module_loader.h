#pragma once
#include "engine/backend/backend.h"
#include "engine/backend/cuda/device_queue.h"

#include <memory>
#include <string>

namespace moe::cuda {

/// What became of the search for a GPU: its device, or why there is none, a sentence.
struct FoundDevice {
    std::shared_ptr<Device> device;
    std::string name;  // "NVIDIA H100 80GB HBM3"
    std::string why_not;
    bool passing = false;  // it may be another time: its memory was used up
};

/// Opens the module at `path`, looks for a GPU and has it multiply something whose result is known. Never throws.
FoundDevice open_module(const std::string& path);

/// The GPU of this process, looked for once (again while its memory is used up): the module that MOELAB_CUDA_MODULE
/// names, else the one beside the program or where it is installed. Any thread.
FoundDevice found_device();

/// Throws Error where the backend does not multiply as the host does.
void check_arithmetic(Backend<float>& backend);

}  // namespace moe::cuda
