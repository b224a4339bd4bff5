// C++17, compiled by nvcc alone: the device behind module.h.
#include "engine/backend/cuda/kernels.h"
#include "engine/backend/cuda/module.h"

#include <cuda_runtime.h>

#include <cstdio>
#include <cstring>
#include <new>

namespace moe::cuda {
namespace {

/// A block as its device has it: one thread's view.
class DeviceBlock {
public:
    template <class T>
    class Private {
    public:
        MOE_DEVICE T& operator[](int) { return value_; }

    private:
        T value_;
    };

    MOE_DEVICE Index x() const { return blockIdx.x; }
    MOE_DEVICE Index y() const { return blockIdx.y; }
    MOE_DEVICE Index z() const { return blockIdx.z; }
    MOE_DEVICE int threads() const { return int(blockDim.x); }

    template <class F>
    MOE_DEVICE void each(F f) {
        f(int(threadIdx.x));
        __syncthreads();
    }

    /// One step of the depth by tensor cores. Fragments: PTX ISA, mma.m16n8k8 (tf32) and mma.m16n8k16 (bf16).
    template <class T, bool a_runs, bool b_runs>
    MOE_DEVICE void multiply(int thread, const TileShared<T>& shared, TileOwn<T>& own) {
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
        const int t = thread % 4, g = thread % 32 / 4;
        const auto a = [&](int k, int row) { return shared.a[Place<T, a_runs>::at(k, row, T::rows)]; };
        const auto b = [&](int k, int column) { return shared.b[Place<T, b_runs>::at(k, column, T::columns)]; };
        constexpr bool tf32 = T::precision == Precision::tf32;
        constexpr int step = tf32 ? 8 : 16;
        _Pragma("unroll 1")  // more at once would not fit the registers
            for (int k0 = 0; k0 < T::depth; k0 += step) {
            std::uint32_t left[T::down][4], right[T::across][2];
            MOE_UNROLL for (int i = 0; i < T::down; ++i) MOE_UNROLL for (int r = 0; r < 4; ++r) left[i][r] =
                pack<T::precision>(a, k0 + (tf32 ? t + r / 2 * 4 : 2 * t + r / 2 * 8), T::row(thread, i) + r % 2 * 8);
            MOE_UNROLL for (int j = 0; j < T::across; ++j) MOE_UNROLL for (int r = 0; r < 2; ++r) right[j][r] =
                pack<T::precision>(b, k0 + (tf32 ? t + r * 4 : 2 * t + r * 8), T::column(thread, j) + g);
            MOE_UNROLL for (int i = 0; i < T::down; ++i) MOE_UNROLL for (int j = 0; j < T::across; ++j)
                multiply_fragments<T::precision>(own.sums.of[i][j], left[i], right[j]);
        }
#else
        __trap();  // tensor_cores() says that this GPU has none that take these
#endif
    }

private:
    /// One tf32 number, or the bf16 ones of k and k + 1, the first in the lower half.
    template <Precision precision, class At>
    MOE_DEVICE static std::uint32_t pack(At at, int k, int across) {
        std::uint32_t packed = 0;
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
        if constexpr (precision == Precision::tf32)
            asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(packed) : "f"(at(k, across)));
        else
            asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(packed) : "f"(at(k + 1, across)), "f"(at(k, across)));
#endif
        return packed;
    }

    template <Precision precision>
    MOE_DEVICE static void multiply_fragments(float (&sums)[4], const std::uint32_t (&a)[4],
                                              const std::uint32_t (&b)[2]) {
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
        if constexpr (precision == Precision::tf32)
            asm("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
                "{%0,%1,%2,%3};"
                : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])
                : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
        else
            asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
                "{%0,%1,%2,%3};"
                : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])
                : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#endif
    }
};

template <class K>
__global__ void __launch_bounds__(K::threads) run_kernel(const K kernel) {
    __shared__ typename K::Shared shared;
    DeviceBlock block;
    kernel(block, shared);
}

/// How one kernel is launched, by its place in Kernels.
struct Launcher {
    const void* function = nullptr;
    int threads = 0;
};

struct Launchers {
    Launcher of[Kernels::count];
    Launchers() {
        int at = 0;
        Kernels::each([&](auto* tag) {
            using K = std::remove_pointer_t<decltype(tag)>;
            of[at++] = {reinterpret_cast<const void*>(&run_kernel<K>), K::threads};
        });
    }
};

const Launchers& launchers() {
    static const Launchers all;
    return all;
}

struct Queue {
    cudaStream_t stream = nullptr, beside = nullptr, aside = nullptr;  // aside: of a graph while it is recorded
    cudaEvent_t shadowed = nullptr, forked = nullptr, joined = nullptr;
    int processors = 0, capability = 0;
    char device[256] = "";
    char error[512] = "";

    Status check(cudaError_t result, const char* doing) {
        if (result == cudaSuccess) return ok;
        std::snprintf(error, sizeof error, "The GPU (%s) failed while %s: %s.", device, doing,
                      cudaGetErrorString(result));
        if (result == cudaErrorMemoryAllocation) {
            cudaGetLastError();  // it does not stick
            return out_of_memory;
        }
        return failed;
    }
};

Queue& queue_of(void* queue) {
    return *static_cast<Queue*>(queue);
}

bool refuse(char* why, std::size_t why_size, const char* text, const char* detail = "") {
    std::snprintf(why, why_size, text, detail);
    return false;
}

bool find_device(Queue& q, char* why, std::size_t why_size) {
    int count = 0, driver = 0, properties[3] = {};
    const cudaError_t found = cudaGetDeviceCount(&count);
    cudaDriverGetVersion(&driver);
    if (driver == 0) return refuse(why, why_size, "No NVIDIA driver is installed.");
    if (found == cudaErrorInsufficientDriver) {
        char versions[96];
        std::snprintf(versions, sizeof versions, "CUDA %d.%d, this program wants %d.%d", driver / 1000,
                      driver % 1000 / 10, CUDART_VERSION / 1000, CUDART_VERSION % 1000 / 10);
        return refuse(why, why_size, "The NVIDIA driver is too old: it knows %s. Update the driver.", versions);
    }
    if (found == cudaErrorNoDevice || (found == cudaSuccess && count == 0))
        return refuse(why, why_size, "The NVIDIA driver sees no GPU.");
    if (found != cudaSuccess)
        return refuse(why, why_size, "The NVIDIA driver gives no GPU: %s.", cudaGetErrorString(found));
    cudaDeviceProp about;
    if (cudaGetDeviceProperties(&about, 0) != cudaSuccess)
        return refuse(why, why_size, "The GPU does not answer: %s.", cudaGetErrorString(cudaGetLastError()));
    std::snprintf(q.device, sizeof q.device, "%s", about.name);
    cudaDeviceGetAttribute(&properties[0], cudaDevAttrComputeCapabilityMajor, 0);
    cudaDeviceGetAttribute(&properties[1], cudaDevAttrComputeCapabilityMinor, 0);
    cudaDeviceGetAttribute(&properties[2], cudaDevAttrMultiProcessorCount, 0);
    q.processors = properties[2];
    q.capability = properties[0] * 10 + properties[1];
    if (q.capability < 75) {
        char which[320];
        std::snprintf(which, sizeof which, "%s has compute capability %d.%d", about.name, properties[0], properties[1]);
        return refuse(why, why_size, "The GPU is too old: %s, and 7.5 (Turing, 2018) is needed.", which);
    }
    return true;
}

void close_queue(void* queue) {
    Queue* q = static_cast<Queue*>(queue);
    if (q->stream != nullptr) cudaStreamSynchronize(q->stream), cudaStreamDestroy(q->stream);
    if (q->beside != nullptr) cudaStreamSynchronize(q->beside), cudaStreamDestroy(q->beside);
    if (q->aside != nullptr) cudaStreamDestroy(q->aside);
    for (cudaEvent_t event : {q->shadowed, q->forked, q->joined})
        if (event != nullptr) cudaEventDestroy(event);
    delete q;
}

void* open_queue(char* why, std::size_t why_size) {
    Queue* q = new (std::nothrow) Queue;
    if (q == nullptr) {
        refuse(why, why_size, "There is no memory to open the GPU.");
        return nullptr;
    }
    if (!find_device(*q, why, why_size)) {
        delete q;
        return nullptr;
    }
    cudaError_t result = cudaSetDevice(0);
    if (result == cudaSuccess) result = cudaStreamCreateWithFlags(&q->stream, cudaStreamNonBlocking);
    if (result == cudaSuccess) result = cudaStreamCreateWithFlags(&q->beside, cudaStreamNonBlocking);
    if (result == cudaSuccess) result = cudaStreamCreateWithFlags(&q->aside, cudaStreamNonBlocking);
    for (cudaEvent_t* event : {&q->shadowed, &q->forked, &q->joined})
        if (result == cudaSuccess) result = cudaEventCreateWithFlags(event, cudaEventDisableTiming);
    // Every kernel is loaded now, so that none is while a graph is captured, and what this GPU cannot run shows here.
    for (int i = 0; i < Kernels::count && result == cudaSuccess; ++i) {
        cudaFuncAttributes about;
        result = cudaFuncGetAttributes(&about, launchers().of[i].function);
    }
    if (result == cudaSuccess) return q;
    char text[512];
    std::snprintf(text, sizeof text, "%s cannot be used: %s", q->device, cudaGetErrorString(result));
    refuse(why, why_size, "%s.", text);
    close_queue(q);
    return nullptr;
}

const char* device_name(void* queue) {
    return queue_of(queue).device;
}
std::int32_t processors(void* queue) {
    return queue_of(queue).processors;
}
std::int32_t tensor_cores(void* queue) {
    return queue_of(queue).capability >= 80 ? 1 : 0;
}
const char* last_error(void* queue) {
    return queue_of(queue).error;
}

Status allocate(void* queue, std::size_t bytes, void** memory) {
    Queue& q = queue_of(queue);
    if (const Status s = q.check(cudaMalloc(memory, bytes), "taking memory")) return s;
    return q.check(cudaMemsetAsync(*memory, 0, bytes, q.stream), "clearing memory");
}
Status allocate_pinned(void* queue, std::size_t bytes, void** memory) {
    return queue_of(queue).check(cudaHostAlloc(memory, bytes, cudaHostAllocDefault), "pinning memory");
}
void release(void*, void* memory) {
    cudaFree(memory);
}
void release_pinned(void*, void* memory) {
    cudaFreeHost(memory);
}

Status put_on(Queue& q, cudaStream_t stream, const Task& task) {
    switch (task.kind) {
        case Task::copy_in:
            return q.check(cudaMemcpyAsync(task.to, task.from, task.bytes, cudaMemcpyHostToDevice, stream),
                           "copying to it");
        case Task::copy_out:
            return q.check(cudaMemcpyAsync(task.to, task.from, task.bytes, cudaMemcpyDeviceToHost, stream),
                           "copying from it");
        case Task::launch:
            break;
    }
    const Launcher& l = launchers().of[task.kernel];
    void* args[] = {const_cast<void*>(task.args)};
    return q.check(cudaLaunchKernel(l.function, dim3(task.grid.x, task.grid.y, task.grid.z), dim3(unsigned(l.threads)),
                                    args, 0, stream),
                   "starting work");
}

Status wait(void* queue) {
    Queue& q = queue_of(queue);
    return q.check(cudaStreamSynchronize(q.stream), "computing");
}

Status put(void* queue, const Task& task) {
    Queue& q = queue_of(queue);
    const Status status = put_on(q, q.stream, task);
    // CUDA does not promise that it has read pageable memory when an asynchronous copy returns.
    return status == ok && task.kind == Task::copy_in ? wait(queue) : status;
}

/// What is put on `second` from here on waits for what is on `first` by now.
Status follow(Queue& q, cudaStream_t first, cudaStream_t second, cudaEvent_t event) {
    if (const Status s = q.check(cudaEventRecord(event, first), "recording a step")) return s;
    return q.check(cudaStreamWaitEvent(second, event, 0), "recording a step");
}

/// While the queue's stream is captured.
Status record(Queue& q, const Task* tasks, std::size_t count) {
    bool apart = false;  // something is aside that nobody waits for yet
    Status status = ok;
    for (std::size_t i = 0; i < count && status == ok; ++i) {
        if (tasks[i].joins != 0 && apart) {
            status = follow(q, q.aside, q.stream, q.joined);
            apart = false;
        }
        if (status == ok && tasks[i].aside != 0) {
            status = follow(q, q.stream, q.aside, q.forked);
            apart = true;
        }
        if (status == ok) status = put_on(q, tasks[i].aside != 0 ? q.aside : q.stream, tasks[i]);
    }
    return status == ok && apart ? follow(q, q.aside, q.stream, q.joined) : status;
}

Status make_graph(void* queue, const Task* tasks, std::size_t count, void** graph) {
    Queue& q = queue_of(queue);
    if (const Status s =
            q.check(cudaStreamBeginCapture(q.stream, cudaStreamCaptureModeThreadLocal), "recording a step"))
        return s;
    Status status = record(q, tasks, count);
    cudaGraph_t recorded = nullptr;
    const Status ended = q.check(cudaStreamEndCapture(q.stream, &recorded), "recording a step");
    if (status == ok) status = ended;
    cudaGraphExec_t ready = nullptr;
    if (status == ok) status = q.check(cudaGraphInstantiateWithFlags(&ready, recorded, 0), "preparing a step");
    if (recorded != nullptr) cudaGraphDestroy(recorded);
    if (status == ok) status = q.check(cudaGraphUpload(ready, q.stream), "preparing a step");
    *graph = ready;
    return status;
}
Status run_graph(void* queue, void* graph) {
    Queue& q = queue_of(queue);
    return q.check(cudaGraphLaunch(static_cast<cudaGraphExec_t>(graph), q.stream), "starting a step");
}
void release_graph(void*, void* graph) {
    cudaGraphExecDestroy(static_cast<cudaGraphExec_t>(graph));
}

Status copy_out_beside(void* queue, void* to_pinned, void* shadow, const void* from, std::size_t bytes) {
    Queue& q = queue_of(queue);
    cudaError_t result = cudaMemcpyAsync(shadow, from, bytes, cudaMemcpyDeviceToDevice, q.stream);
    if (result == cudaSuccess) result = cudaEventRecord(q.shadowed, q.stream);
    if (result == cudaSuccess) result = cudaStreamWaitEvent(q.beside, q.shadowed, 0);
    if (result == cudaSuccess) result = cudaMemcpyAsync(to_pinned, shadow, bytes, cudaMemcpyDeviceToHost, q.beside);
    return q.check(result, "copying from it");
}
Status wait_beside(void* queue) {
    Queue& q = queue_of(queue);
    return q.check(cudaStreamSynchronize(q.beside), "copying from it");
}

constexpr Module functions = {
    kernels_version(), open_queue,      close_queue,     device_name,    processors, tensor_cores, last_error,
    allocate,          allocate_pinned, release,         release_pinned, put,        wait,         make_graph,
    run_graph,         release_graph,   copy_out_beside, wait_beside};

}  // namespace
}  // namespace moe::cuda

extern "C" __attribute__((visibility("default"))) const moe::cuda::Module* moe_cuda_module() {
    return &moe::cuda::functions;
}
