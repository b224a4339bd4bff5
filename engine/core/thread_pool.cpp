#include "engine/core/thread_pool.h"

#include "engine/core/float_mode.h"

#include <chrono>

namespace moe {

namespace {

void pause() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

/// Returns once `value` differs from `old`: spinning first, since work comes every few microseconds while a model
/// trains, and parked afterwards, since an idle program must not warm the room.
std::uint32_t wait_for_change(const std::atomic<std::uint32_t>& value, std::uint32_t old) {
    using Clock = std::chrono::steady_clock;
    const Clock::time_point end = Clock::now() + std::chrono::microseconds(50);
    do {
        for (int i = 0; i < 32; ++i) {
            const std::uint32_t now = value.load(std::memory_order_acquire);
            if (now != old) return now;
            pause();
        }
    } while (Clock::now() < end);
    value.wait(old, std::memory_order_acquire);
    return value.load(std::memory_order_acquire);
}

}  // namespace

ThreadPool::ThreadPool(std::size_t threads) {
    for (std::size_t i = 1; i < threads; ++i) workers_.emplace_back([this, i] { work(i); });
}

ThreadPool::~ThreadPool() {
    stop_ = true;
    generation_.fetch_add(1, std::memory_order_release);
    generation_.notify_all();
    for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::dispatch() {
    if (!workers_.empty()) {
        running_.store(static_cast<std::uint32_t>(workers_.size()), std::memory_order_relaxed);
        generation_.fetch_add(1, std::memory_order_release);
        generation_.notify_all();
    }
    run_share(0);
    for (std::uint32_t left; (left = running_.load(std::memory_order_acquire)) != 0;) wait_for_change(running_, left);
}

void ThreadPool::work(std::size_t index) {
    const FlushDenormals flush;
    for (std::uint32_t seen = 0;;) {
        seen = wait_for_change(generation_, seen);
        if (stop_) return;
        run_share(index);
        if (running_.fetch_sub(1, std::memory_order_acq_rel) == 1) running_.notify_one();
    }
}

void ThreadPool::run_share(std::size_t index) const {
    const std::size_t n = threads();
    const std::size_t begin = job_.parts * index / n, end = job_.parts * (index + 1) / n;
    for (std::size_t i = begin; i < end; ++i) job_.function(job_.argument, i);
}

}  // namespace moe
