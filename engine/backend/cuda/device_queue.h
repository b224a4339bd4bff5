#pragma once
#include "engine/backend/cuda/kernels.h"
#include "engine/backend/cuda/module.h"

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace moe::cuda {

/// A device that several queues use. Once one of them has failed, nothing is asked of it again by anybody.
class Device {
public:
    explicit Device(const Module& module) : module_(module) {}

    const Module& module() const { return module_; }
    bool lost() const { return lost_; }
    /// Keeps the first reason.
    void lose(const std::string& why);
    std::string why() const;

private:
    const Module& module_;
    std::atomic<bool> lost_ = false;
    mutable std::mutex mutex_;
    std::string why_;
};

/// One user's stream, and all memory taken through it. Throws DeviceFailure where the device fails or has no memory
/// left; after a failure no call reaches the module, not from the destructor either. One thread at a time.
class DeviceQueue {
public:
    /// Throws Error with the reason where no device can be used.
    explicit DeviceQueue(std::shared_ptr<Device> device);
    ~DeviceQueue();
    DeviceQueue(const DeviceQueue&) = delete;
    DeviceQueue& operator=(const DeviceQueue&) = delete;

    const std::string& name() const { return name_; }
    int processors() const { return processors_; }
    bool tensor_cores() const { return tensor_cores_; }

    void* allocate(std::size_t bytes);         // zeroed; lives as long as the queue
    void* allocate_pinned(std::size_t bytes);  // the same, unless it is released
    void release_pinned(void* memory) noexcept;
    bool lost() const { return device_->lost(); }

    void put(const Task& task);
    void wait();
    void copy_out_beside(void* to_pinned, void* shadow, const void* from, std::size_t bytes);
    void wait_beside();

    void* make_graph(const std::vector<Task>& tasks);
    void run_graph(void* graph);
    void release_graph(void* graph) noexcept;

private:
    void check_usable() const;
    void check(Status status, std::size_t bytes = 0);

    std::shared_ptr<Device> device_;
    const Module& module_;
    void* queue_ = nullptr;
    std::string name_;
    int processors_ = 1;
    bool tensor_cores_ = false;
    std::vector<void*> memory_, pinned_;
};

}  // namespace moe::cuda
