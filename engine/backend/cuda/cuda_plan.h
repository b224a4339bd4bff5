#pragma once
#include "engine/backend/cuda/cuda_backend.h"

#include <cstddef>
#include <memory>
#include <vector>

namespace moe::cuda {

/// A step's tasks as one graph. Its copies go through pinned memory, all there in one launch before the step and back
/// in one after it: each node of its own would cost more than the copy.
class CudaBackend::Plan final : public StepPlan {
public:
    explicit Plan(CudaBackend& backend) : backend_(backend) {}
    ~Plan() override;

    // --- while it is recorded
    void launch(Task task, const void* kernel, std::size_t size);
    void copy_in(void* to, const void* from, std::size_t bytes);
    void copy_in(Ids to, const std::int32_t* from);
    void copy_out(void* to, const void* from, std::size_t bytes);
    /// Of ids that are uploaded anew with each run.
    void check_below(const char* op, const char* name, Ids ids, std::size_t limit, const char* owner);
    void finish();

    void run() override;

private:
    struct Copy {
        void* to;
        const void* from;
        std::size_t bytes;
    };
    std::vector<Task> copies(const std::vector<Copy>& all);

    struct Upload {
        const void* from;
        void* pinned;
        std::size_t bytes;
        Ids ids;  // empty: numbers
    };
    struct Download {
        void *to, *pinned;
        std::size_t bytes;
    };
    struct IdCheck {
        const char *op, *name, *owner;
        Ids ids;
        std::size_t limit;
    };

    CudaBackend& backend_;
    std::vector<Task> tasks_;
    std::vector<std::unique_ptr<std::byte[]>> kernels_;
    std::vector<Upload> uploads_;
    std::vector<Download> downloads_;
    std::vector<Copy> in_, out_;
    std::vector<IdCheck> checks_;
    void* graph_ = nullptr;
};

}  // namespace moe::cuda
