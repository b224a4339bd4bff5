#include "engine/backend/cuda/cuda_plan.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace moe::cuda {

CudaBackend::Plan::~Plan() {
    if (graph_ != nullptr) backend_.queue_.release_graph(graph_);
    for (const Upload& u : uploads_) backend_.queue_.release_pinned(u.pinned);
    for (const Download& d : downloads_) backend_.queue_.release_pinned(d.pinned);
}

void CudaBackend::Plan::launch(Task task, const void* kernel, std::size_t size) {
    kernels_.push_back(std::make_unique<std::byte[]>(size));
    std::memcpy(kernels_.back().get(), kernel, size);
    task.args = kernels_.back().get();
    tasks_.push_back(task);
}

void CudaBackend::Plan::copy_in(void* to, const void* from, std::size_t bytes) {
    void* pinned = backend_.queue_.allocate_pinned(bytes);
    uploads_.push_back({from, pinned, bytes, {}});
    in_.push_back({to, pinned, bytes});
}

void CudaBackend::Plan::copy_in(Ids to, const std::int32_t* from) {
    copy_in(to.raw(), from, to.count() * sizeof(std::int32_t));
    uploads_.back().ids = to;
}

void CudaBackend::Plan::copy_out(void* to, const void* from, std::size_t bytes) {
    void* pinned = backend_.queue_.allocate_pinned(bytes);
    downloads_.push_back({to, pinned, bytes});
    out_.push_back({pinned, from, bytes});
}

void CudaBackend::Plan::check_below(const char* op, const char* name, Ids ids, std::size_t limit, const char* owner) {
    checks_.push_back({op, name, owner, ids, limit});
}

std::vector<Task> CudaBackend::Plan::copies(const std::vector<Copy>& all) {
    const std::vector<Task> others = std::exchange(tasks_, {});
    for (std::size_t i = 0; i < all.size(); i += CopyWords::most) {
        ForEach<CopyWords> kernel{};
        CopyWords& words = kernel.f;
        for (std::size_t c = i; c < std::min(all.size(), i + CopyWords::most); ++c) {
            words.from[words.copies] = static_cast<const std::uint32_t*>(all[c].from);
            words.to[words.copies] = static_cast<std::uint32_t*>(all[c].to);
            kernel.count += Index(all[c].bytes / sizeof(std::uint32_t));
            words.ends[words.copies++] = kernel.count;
        }
        const Index threads = Index(ForEach<CopyWords>::threads);
        Task task;
        task.kernel = Kernels::place<ForEach<CopyWords>>();
        task.grid.x = (kernel.count + threads - 1) / threads;
        launch(task, &kernel, sizeof kernel);
    }
    return std::exchange(tasks_, others);
}

void CudaBackend::Plan::finish() {
    std::vector<Task> step = copies(in_);
    std::vector<Task> out = copies(out_);
    step.insert(step.end(), tasks_.begin(), tasks_.end());
    if (!out.empty()) out.front().joins = 1;
    step.insert(step.end(), out.begin(), out.end());
    graph_ = backend_.queue_.make_graph(step);
    tasks_.clear();
    kernels_.clear();
}

void CudaBackend::Plan::run() {
    for (const Upload& u : uploads_) {
        std::memcpy(u.pinned, u.from, u.bytes);
        if (u.ids) backend_.ids_.uploaded(u.ids, static_cast<const std::int32_t*>(u.from));
    }
    for (const IdCheck& c : checks_) backend_.ids_.check_below(c.op, c.name, c.ids, c.limit, c.owner);
    backend_.queue_.run_graph(graph_);
    backend_.queue_.wait();
    for (const Download& d : downloads_) std::memcpy(d.to, d.pinned, d.bytes);
}

}  // namespace moe::cuda
