#include "engine/core/thread_pool.h"

#include "engine/core/error.h"
#include "engine/core/float_mode.h"

#include <algorithm>
#include <chrono>
#include <string>
#include <system_error>

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
    const Clock::time_point end = Clock::now() + std::chrono::microseconds(200);
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

ThreadPool::ThreadPool(std::size_t threads) : shares_(std::max<std::size_t>(threads, 1)) {
    workers_.reserve(shares_.size() - 1);
    try {
        for (std::size_t i = 1; i < threads; ++i) workers_.emplace_back([this, i] { work(i); });
    } catch (const std::system_error&) {
        end();
        throw Error("The system starts no more than " + std::to_string(workers_.size() + 1) + " of " +
                    std::to_string(threads) + " threads to compute with; ask for fewer.");
    }
}

ThreadPool::~ThreadPool() {
    end();
}

void ThreadPool::end() {
    stop_ = true;
    generation_.fetch_add(1, std::memory_order_release);
    generation_.notify_all();
    for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::dispatch() {
    if (job_.parts == 0) return;
    unfinished_.store(static_cast<std::uint32_t>(job_.parts), std::memory_order_relaxed);
    const std::uint32_t generation = generation_.load(std::memory_order_relaxed) + 1;
    for (std::size_t share = 0; share < shares_.size(); ++share)
        shares_[share].ticket.store(std::uint64_t(generation) << 32 | (share_begin(share + 1) - share_begin(share)),
                                    std::memory_order_release);
    generation_.store(generation, std::memory_order_release);
    if (!workers_.empty() && job_.parts > 1) generation_.notify_all();
    take_parts(0);
    for (std::uint32_t left; (left = unfinished_.load(std::memory_order_acquire)) != 0;)
        wait_for_change(unfinished_, left);
}

void ThreadPool::work(std::size_t thread) {
    const FlushDenormals flush;
    for (std::uint32_t seen = 0;;) {
        seen = wait_for_change(generation_, seen);
        if (stop_) return;
        take_parts(thread);
    }
}

void ThreadPool::take_parts(std::size_t thread) {
    for (std::size_t i = 0; i < shares_.size(); ++i)
        while (take_part((thread + i) % shares_.size())) {
        }
}

// The job may be read only by who holds one of its parts: until that part is done the job stays.
bool ThreadPool::take_part(std::size_t share) {
    std::atomic<std::uint64_t>& left = shares_[share].ticket;
    std::uint64_t ticket = left.load(std::memory_order_acquire);
    do {
        if (static_cast<std::uint32_t>(ticket) == 0) return false;
    } while (!left.compare_exchange_weak(ticket, ticket - 1, std::memory_order_acq_rel, std::memory_order_acquire));
    job_.function(job_.argument, share_begin(share + 1) - static_cast<std::uint32_t>(ticket));
    if (unfinished_.fetch_sub(1, std::memory_order_acq_rel) == 1) unfinished_.notify_one();
    return true;
}

}  // namespace moe
