#pragma once
#include "engine/backend/cuda/cuda_backend.h"

#include <type_traits>
#include <utility>

namespace moe::cuda {

template <class K>
void CudaBackend::launch(const K& kernel, Index x, Index y, Index z) {
    static_assert(std::is_trivially_copyable_v<K>, "a kernel is plain data");
    static_assert(Kernels::place<K>() >= 0, "a kernel has its line in Kernels");
    if (x == 0) return;
    Task task;
    task.kernel = Kernels::place<K>();
    task.grid = {x, y, z};
    task.aside = aside_;
    task.joins = std::exchange(joins_, 0);
    launch_task(task, &kernel, sizeof kernel);
}

template <class F>
void CudaBackend::for_each(const F& f, std::size_t count) {
    constexpr std::size_t threads = ForEach<F>::threads;
    launch(ForEach<F>{f, Index(count)}, Index((count + threads - 1) / threads));
}

}  // namespace moe::cuda
