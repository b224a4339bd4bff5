#pragma once
#include <algorithm>
#include <cstddef>
#include <vector>

namespace moe {

/// Processor time of the calling thread in seconds: a busy machine does not lengthen it. Right where one thread works.
double thread_seconds();
/// Time on the wall in seconds.
double wall_seconds();

/// The middle one; of an even number the upper of the two.
inline double median(std::vector<double> values) {
    if (values.empty()) return 0;
    const auto middle = values.begin() + std::ptrdiff_t(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    return *middle;
}

/// What one core can do: GFLOP/s of twelve independent chains of fused multiply-adds held in registers, `bits` wide
/// (256 or 512; 128: separate multiply and add, for processors without FMA). 0 where the processor lacks them.
double fma_peak(int bits);

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
