#pragma once
// C++17, and C types alone: what the program and its CUDA module say to each other. No exception crosses it.
#include <cstddef>
#include <cstdint>

namespace moe::cuda {

/// Blocks of a launch; how many threads each has is the kernel's own.
struct Grid {
    std::uint32_t x = 1, y = 1, z = 1;
};

/// One thing that a stream does: a launch, or a copy between the host's and the device's memory.
struct Task {
    enum Kind : std::int32_t { launch, copy_in, copy_out };
    Kind kind = launch;
    std::int32_t kernel = 0;     // launch: its place in Kernels (kernels.h)
    Grid grid;                   // launch
    const void* args = nullptr;  // launch: the kernel object, copied by whoever takes the task
    void* to = nullptr;          // copies
    const void* from = nullptr;
    std::size_t bytes = 0;
    /// In a graph `aside` runs beside what follows: it waits for what stands before it, and nothing waits for it but
    /// the next one aside, a task that `joins`, and the end.
    std::int32_t aside = 0, joins = 0;
};

enum Status : std::int32_t { ok = 0, out_of_memory = 1, failed = 2 };

/// A device's functions. A `queue` is one user's ordered stream on device 0, used by one thread at a time. What fails
/// leaves a sentence in error(); after `failed` nothing may be called again, close() and the free functions included.
struct Module {
    std::uint32_t version;  // of this table and of every kernel: kernels_version() on both sides

    /// Null where no device can be used, with the reason, a sentence, in `why`.
    void* (*open)(char* why, std::size_t why_size);
    void (*close)(void* queue);
    const char* (*device)(void* queue);  // "NVIDIA H100 80GB HBM3"
    std::int32_t (*processors)(void* queue);
    std::int32_t (*tensor_cores)(void* queue);  // 1: they take tf32 and bf16
    const char* (*error)(void* queue);

    Status (*allocate)(void* queue, std::size_t bytes, void** memory);  // zeroed
    Status (*allocate_pinned)(void* queue, std::size_t bytes,
                              void** memory);  // host memory that copies can take at once
    void (*release)(void* queue, void* memory);
    void (*release_pinned)(void* queue, void* memory);

    /// In order, after what was put there before. A copy_in has read its `from` when this returns; copy_out has written
    /// its `to` only after wait().
    Status (*put)(void* queue, const Task& task);
    Status (*wait)(void* queue);

    /// All tasks as one graph, for run(); its copies are from and to pinned memory.
    Status (*make_graph)(void* queue, const Task* tasks, std::size_t count, void** graph);
    Status (*run_graph)(void* queue, void* graph);
    void (*release_graph)(void* queue, void* graph);

    /// Copies to pinned memory that later tasks of the queue do not wait for: they go beside them, from what the memory
    /// held at this place in the queue. `shadow`: device memory of the same size, nobody else's until wait_beside().
    Status (*copy_out_beside)(void* queue, void* to_pinned, void* shadow, const void* from, std::size_t bytes);
    Status (*wait_beside)(void* queue);
};

/// The module's one door: `extern "C" const Module* moe_cuda_module()`.
inline constexpr const char* module_door = "moe_cuda_module";
using ModuleDoor = const Module* (*)();

}  // namespace moe::cuda
