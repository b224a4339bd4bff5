#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <thread>
#include <type_traits>
#include <vector>

namespace moe {

/// Threads that stay: they spin for at most 50 us after their last work, then park. Parts are given out by a fixed rule
/// and never by arrival, and all threads flush denormals. One run() at a time.
class ThreadPool {
public:
    /// `threads` counts the caller, so 1 starts none.
    explicit ThreadPool(std::size_t threads);
    ~ThreadPool();
    ThreadPool(const ThreadPool&) = delete;
    ThreadPool& operator=(const ThreadPool&) = delete;

    std::size_t threads() const { return workers_.size() + 1; }

    /// Calls part(i) for each i in [0, parts), the caller taking the first share; returns when all are done. `part`
    /// must not throw. Allocates nothing.
    template <class F>
    void run(std::size_t parts, F&& part) {
        job_.function = [](void* f, std::size_t i) { (*static_cast<std::remove_reference_t<F>*>(f))(i); };
        job_.argument = const_cast<void*>(static_cast<const void*>(&part));
        job_.parts = parts;
        dispatch();
    }

private:
    struct Job {
        void (*function)(void*, std::size_t) = nullptr;
        void* argument = nullptr;
        std::size_t parts = 0;
    };

    void dispatch();
    void work(std::size_t index);
    void run_share(std::size_t index) const;

    Job job_;
    bool stop_ = false;
    alignas(64) std::atomic<std::uint32_t> generation_{0};  // a new value: a new job
    alignas(64) std::atomic<std::uint32_t> running_{0};     // workers that are not done with it
    std::vector<std::thread> workers_;
};

}  // namespace moe
