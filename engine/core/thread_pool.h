#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <thread>
#include <type_traits>
#include <vector>

namespace moe {

/// Threads that stay: they spin for at most 200 us after their last work, longer than a step computes on one thread
/// between two pieces of shared work, then park. All of them flush denormals. The work's cut into parts is the caller's
/// and knows no threads. Each thread has its share of neighbouring parts, the same from run to run, so that what it has
/// in its caches is of use again; whoever is done takes from the others' shares, so a thread that sleeps or that the
/// system has put aside delays nobody. Results have the same bits on any number of threads where parts write to places
/// of their own. One run() at a time.
class ThreadPool {
public:
    /// `threads` counts the caller, so 1 starts none. Throws Error where the system starts no more.
    explicit ThreadPool(std::size_t threads);
    ~ThreadPool();
    ThreadPool(const ThreadPool&) = delete;
    ThreadPool& operator=(const ThreadPool&) = delete;

    std::size_t threads() const { return shares_.size(); }

    /// Calls part(i) for each i in [0, parts), the caller having the first share; returns when all are done. `part`
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

    void end();
    void dispatch();
    void work(std::size_t thread);
    void take_parts(std::size_t thread);
    bool take_part(std::size_t share);
    /// Rounded up: the caller, who is awake, has the largest share.
    std::size_t share_begin(std::size_t share) const { return (job_.parts * share + threads() - 1) / threads(); }

    Job job_;
    std::atomic<bool> stop_{false};
    alignas(64) std::atomic<std::uint32_t> generation_{0};  // a new value: a new job
    alignas(64) std::atomic<std::uint32_t> unfinished_{0};  // parts not yet done
    struct alignas(64) Share {
        std::atomic<std::uint64_t> ticket{0};  // generation in the upper half, parts not yet taken below
    };
    std::vector<Share> shares_;  // one a thread
    std::vector<std::thread> workers_;
};

}  // namespace moe
