#pragma once
#include "engine/core/thread_time.h"

#include <cstddef>

namespace moe {

/// Processor time of all threads of the program in seconds.
double process_seconds();
/// Time on the wall in seconds.
double wall_seconds();

/// What one core can do: GFLOP/s of twelve independent chains of fused multiply-adds held in registers, `bits` wide
/// (256 or 512; 128: separate multiply and add, for processors without FMA). 0 where the processor lacks them.
double fma_peak(int bits);

/// What one core moves: GB/s of copying blocks too large for its own caches, bytes read and bytes written counted.
double copy_rate();

/// Calls of malloc and its relatives in this process, counted only while one of these lives. Always 0 where
/// supported() is false: with sanitizers, which bring their own malloc, and outside glibc.
class AllocationCount {
public:
    AllocationCount();
    ~AllocationCount();
    AllocationCount(const AllocationCount&) = delete;
    AllocationCount& operator=(const AllocationCount&) = delete;

    std::size_t value() const;
    static bool supported();
};

}  // namespace moe
