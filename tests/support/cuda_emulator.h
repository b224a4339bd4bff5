#pragma once
// A module (engine/backend/cuda/module.h) that runs the kernels on the host, thread by thread and phase by phase, so
// that sanitizers see every number that they touch. Memory of the block and what threads keep begin as NaN.
#include "engine/backend/cuda/cuda_backend.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

namespace moe::cuda {

struct EmulatedQueue {
    std::set<void*> memory, pinned;
    std::vector<Task> beside;

    ~EmulatedQueue() {
        for (const auto* all : {&memory, &pinned})
            for (void* block : *all) std::free(block);
    }

    bool is_pinned(const void* p) const { return pinned.count(const_cast<void*>(p)) > 0; }
};

struct EmulatedGraph {
    std::vector<Task> tasks;
    std::vector<std::unique_ptr<std::byte[]>> kernels;
};

/// How the emulated device behaves; for all queues.
struct EmulatorSettings {
    int processors = 4;
    bool tensor_cores = true;
    bool no_pinned = false;    // there is never pinned memory
    bool aside_late = false;   // what a graph has aside runs when somebody waits for it, else at once
    bool backwards = false;    // blocks and threads in reverse: what depends on their order shows
    std::string why_not;       // open() fails with this
    std::int64_t fail_at = 0;  // the call that fails, counted from 1; 0: none
    Status failure = failed;
    std::atomic<std::int64_t> calls = 0, calls_after_failure = 0;
    std::atomic<bool> has_failed = false;
    std::vector<std::int32_t> recorded;  // kernels of the last graph, by their places in Kernels
    std::size_t recorded_aside = 0;

    // What a lost device leaves behind goes with reset().
    std::mutex mutex;
    std::set<std::unique_ptr<EmulatedQueue>> queues;
    std::set<std::unique_ptr<EmulatedGraph>> graphs;
    template <class T>
    T* keep(std::set<std::unique_ptr<T>>& all, std::unique_ptr<T> made) {
        const std::scoped_lock lock(mutex);
        return all.insert(std::move(made)).first->get();
    }
    template <class T>
    void drop(std::set<std::unique_ptr<T>>& all, void* gone) {
        const std::scoped_lock lock(mutex);
        std::erase_if(all, [&](const auto& each) { return each.get() == gone; });
    }

    /// No backend lives then.
    void reset() {
        graphs.clear(), queues.clear();
        processors = 4, tensor_cores = true, no_pinned = aside_late = false, backwards = false, why_not.clear(),
        fail_at = 0, failure = failed;
        calls = calls_after_failure = 0, has_failed = false;
    }
};
inline EmulatorSettings emulator;

template <int count>
struct EmulatedBlock {
    template <class T>
    class Private {
    public:
        Private() : values_(new std::array<T, std::size_t(count)>) {
            std::memset(static_cast<void*>(values_.get()), 0xff, sizeof(*values_));
        }
        T& operator[](int thread) { return (*values_)[std::size_t(thread)]; }

    private:
        std::unique_ptr<std::array<T, std::size_t(count)>> values_;
    };

    Grid at;
    bool backwards = false;

    Index x() const { return at.x; }
    Index y() const { return at.y; }
    Index z() const { return at.z; }
    int threads() const { return count; }

    template <class F>
    void each(F f) {
        for (int i = 0; i < count; ++i) f(backwards ? count - 1 - i : i);
    }

    template <class T, bool a_runs, bool b_runs>
    void multiply(int thread, const TileShared<T>& shared, TileOwn<T>& own) {
        multiply_apart<T, a_runs, b_runs>(thread, shared, own);
    }
};

template <class K>
void emulate(const Grid& grid, const void* args) {
    static_assert(sizeof(typename K::Shared) <= 48 * 1024, "what a GPU of any kind has for a block");
    K kernel;
    std::memcpy(static_cast<void*>(&kernel), args, sizeof kernel);
    const auto shared = std::make_unique<typename K::Shared>();
    const std::uint64_t blocks = std::uint64_t(grid.x) * grid.y * grid.z;
    for (std::uint64_t i = 0; i < blocks; ++i) {
        const std::uint64_t b = emulator.backwards ? blocks - 1 - i : i;
        std::memset(static_cast<void*>(shared.get()), 0xff, sizeof(*shared));
        EmulatedBlock<K::threads> block{{Index(b % grid.x), Index(b / grid.x % grid.y), Index(b / grid.x / grid.y)},
                                        emulator.backwards};
        kernel(block, *shared);
    }
}

inline Status emulated_call() {
    if (emulator.has_failed) ++emulator.calls_after_failure;
    const std::int64_t call = ++emulator.calls;
    if (emulator.fail_at == 0 || call != emulator.fail_at) return ok;
    emulator.has_failed = emulator.failure == failed;
    return emulator.failure;
}

/// One that cannot say that it failed.
inline void emulated_end() {
    if (emulator.has_failed) ++emulator.calls_after_failure;
}

inline EmulatedQueue& emulated(void* queue) {
    return *static_cast<EmulatedQueue*>(queue);
}

using Emulate = void (*)(const Grid&, const void*);
inline const std::vector<Emulate>& emulations() {
    static const std::vector<Emulate> all = [] {
        std::vector<Emulate> made;
        Kernels::each([&](auto* tag) { made.push_back(&emulate<std::remove_pointer_t<decltype(tag)>>); });
        return made;
    }();
    return all;
}

inline std::vector<std::size_t>& kernel_sizes() {
    static std::vector<std::size_t> all = [] {
        std::vector<std::size_t> made;
        Kernels::each([&](auto* tag) { made.push_back(sizeof(*tag)); });
        return made;
    }();
    return all;
}

inline void do_task(const Task& task) {
    if (task.kind == Task::launch)
        emulations()[std::size_t(task.kernel)](task.grid, task.args);
    else
        std::memcpy(task.to, task.from, task.bytes);
}

/// The emulated device, behind the table that the real module fills.
inline const Module& emulator_module() {
    static const Module functions = {
        kernels_version(),
        [](char* why, std::size_t size) -> void* {
            if (emulator.has_failed) ++emulator.calls_after_failure;
            if (!emulator.why_not.empty()) {
                std::snprintf(why, size, "%s", emulator.why_not.c_str());
                return nullptr;
            }
            return emulator.keep(emulator.queues, std::make_unique<EmulatedQueue>());
        },
        [](void* queue) {
            emulated_end();
            emulator.drop(emulator.queues, queue);
        },
        [](void*) { return "emulator"; },
        [](void*) { return std::int32_t(emulator.processors); },
        [](void*) { return std::int32_t(emulator.tensor_cores); },
        [](void*) { return "The GPU (emulator) failed while computing: a test wants it so."; },
        [](void* queue, std::size_t bytes, void** memory) {
            if (const Status s = emulated_call()) return s;
            *memory = std::calloc(bytes, 1);
            emulated(queue).memory.insert(*memory);
            return *memory == nullptr ? out_of_memory : ok;
        },
        [](void* queue, std::size_t bytes, void** memory) {
            if (const Status s = emulated_call()) return s;
            if (emulator.no_pinned) return out_of_memory;
            *memory = std::calloc(bytes, 1);
            emulated(queue).pinned.insert(*memory);
            return *memory == nullptr ? out_of_memory : ok;
        },
        [](void* queue, void* memory) {
            emulated_end();
            if (emulated(queue).memory.erase(memory) == 1) std::free(memory);
        },
        [](void* queue, void* memory) {
            emulated_end();
            if (emulated(queue).pinned.erase(memory) == 1) std::free(memory);
        },
        [](void*, const Task& task) {
            const Status s = emulated_call();
            if (s == ok) do_task(task);
            return s;
        },
        [](void*) { return emulated_call(); },
        [](void* queue, const Task* tasks, std::size_t count, void** graph) {
            if (const Status s = emulated_call()) return s;
            auto made = std::make_unique<EmulatedGraph>();
            emulator.recorded.clear();
            emulator.recorded_aside = 0;
            for (std::size_t i = 0; i < count; ++i) {
                Task task = tasks[i];
                emulator.recorded.push_back(task.kernel);
                emulator.recorded_aside += task.aside != 0;
                if (task.kind == Task::launch) {
                    const std::size_t size = kernel_sizes()[std::size_t(task.kernel)];
                    made->kernels.push_back(std::make_unique<std::byte[]>(size));
                    std::memcpy(made->kernels.back().get(), task.args, size);
                    task.args = made->kernels.back().get();
                } else if (!emulated(queue).is_pinned(task.kind == Task::copy_in ? task.from : task.to)) {
                    return failed;  // a graph's copy from elsewhere would wait, or read what is gone
                }
                made->tasks.push_back(task);
            }
            *graph = emulator.keep(emulator.graphs, std::move(made));
            return ok;
        },
        [](void*, void* graph) {
            if (const Status s = emulated_call()) return s;
            std::vector<Task> late;
            const auto join = [&] {
                for (const Task& task : late) do_task(task);
                late.clear();
            };
            for (const Task& task : static_cast<EmulatedGraph*>(graph)->tasks) {
                if (task.joins != 0) join();
                if (task.aside != 0 && emulator.aside_late)
                    late.push_back(task);
                else
                    do_task(task);
            }
            join();
            return ok;
        },
        [](void*, void* graph) {
            emulated_end();
            emulator.drop(emulator.graphs, graph);
        },
        [](void* queue, void* to_pinned, void* shadow, const void* from, std::size_t bytes) {
            if (const Status s = emulated_call()) return s;
            if (!emulated(queue).is_pinned(to_pinned)) return failed;
            std::memcpy(shadow, from, bytes);
            emulated(queue).beside.push_back({Task::copy_out, 0, {}, nullptr, to_pinned, shadow, bytes, 0, 0});
            return ok;
        },
        [](void* queue) {
            if (const Status s = emulated_call()) return s;
            for (const Task& task : emulated(queue).beside) do_task(task);
            emulated(queue).beside.clear();
            return ok;
        },
    };
    return functions;
}

inline std::unique_ptr<Backend<float>> make_emulated_backend() {
    return std::make_unique<CudaBackend>(std::make_shared<Device>(emulator_module()));
}

}  // namespace moe::cuda
