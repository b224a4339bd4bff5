#include "engine/backend/cuda/device_queue.h"

#include "engine/core/checked.h"
#include "engine/core/error.h"

namespace moe::cuda {

void Device::lose(const std::string& why) {
    const std::scoped_lock lock(mutex_);
    if (!lost_) why_ = why;
    lost_ = true;
}

std::string Device::why() const {
    const std::scoped_lock lock(mutex_);
    return why_;
}

DeviceQueue::DeviceQueue(std::shared_ptr<Device> device) : device_(std::move(device)), module_(device_->module()) {
    check_usable();
    char why[1024] = "";
    queue_ = module_.open(why, sizeof why);
    if (queue_ == nullptr) throw Error(why);
    name_ = module_.device(queue_);
    processors_ = module_.processors(queue_);
    tensor_cores_ = module_.tensor_cores(queue_) != 0;
}

DeviceQueue::~DeviceQueue() {
    if (device_->lost()) return;  // its memory is gone with it
    for (const auto wait : {module_.wait, module_.wait_beside})
        if (wait(queue_) != ok) {
            device_->lose(module_.error(queue_));
            return;
        }
    for (void* memory : memory_) module_.release(queue_, memory);
    for (void* memory : pinned_) module_.release_pinned(queue_, memory);
    module_.close(queue_);
}

void DeviceQueue::check_usable() const {
    if (device_->lost()) throw DeviceFailure(device_->why());
}

void DeviceQueue::check(Status status, std::size_t bytes) {
    if (status == ok) return;
    if (status == out_of_memory)
        throw DeviceFailure("The GPU (" + name_ + ") has no memory for " +
                            (bytes > 0 ? format_bytes(bytes) + " more" : "this step") +
                            "; choose smaller sizes, or train on the CPU.");
    device_->lose(module_.error(queue_));
    throw DeviceFailure(device_->why());
}

void* DeviceQueue::allocate(std::size_t bytes) {
    check_usable();
    void* memory = nullptr;
    memory_.reserve(memory_.size() + 1);
    check(module_.allocate(queue_, bytes, &memory), bytes);
    memory_.push_back(memory);
    return memory;
}

void* DeviceQueue::allocate_pinned(std::size_t bytes) {
    check_usable();
    void* memory = nullptr;
    pinned_.reserve(pinned_.size() + 1);
    check(module_.allocate_pinned(queue_, bytes, &memory), bytes);
    pinned_.push_back(memory);
    return memory;
}

void DeviceQueue::release_pinned(void* memory) noexcept {
    if (device_->lost() || std::erase(pinned_, memory) == 0) return;
    module_.release_pinned(queue_, memory);
}

void DeviceQueue::put(const Task& task) {
    check_usable();
    check(module_.put(queue_, task));
}

void DeviceQueue::wait() {
    check_usable();
    check(module_.wait(queue_));
}

void DeviceQueue::copy_out_beside(void* to_pinned, void* shadow, const void* from, std::size_t bytes) {
    check_usable();
    check(module_.copy_out_beside(queue_, to_pinned, shadow, from, bytes));
}

void DeviceQueue::wait_beside() {
    check_usable();
    check(module_.wait_beside(queue_));
}

void* DeviceQueue::make_graph(const std::vector<Task>& tasks) {
    check_usable();
    void* graph = nullptr;
    check(module_.make_graph(queue_, tasks.data(), tasks.size(), &graph));
    return graph;
}

void DeviceQueue::run_graph(void* graph) {
    check_usable();
    check(module_.run_graph(queue_, graph));
}

void DeviceQueue::release_graph(void* graph) noexcept {
    if (!device_->lost()) module_.release_graph(queue_, graph);
}

}  // namespace moe::cuda
