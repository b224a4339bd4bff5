#pragma once
// C++17: compiled by nvcc for the device, and by any compiler for the emulator of a block (tests/support/).
#include <cstddef>
#include <cstdint>

#ifdef __CUDACC__
#define MOE_DEVICE __device__ __forceinline__
#define MOE_UNROLL _Pragma("unroll")  // what a thread keeps in arrays stays in registers
#else
#define MOE_DEVICE inline
#define MOE_UNROLL
#endif

namespace moe::cuda {

// A kernel is an object of plain data whose call operator is the work of one block:
//
//     struct Kernel {
//         static constexpr int threads = 256;
//         struct Shared { float sums[256]; };
//         template <class Block> MOE_DEVICE void operator()(Block& block, Shared& shared) const;
//     };
//
// The block goes from phase to phase: block.each(f) calls f(thread) for every thread and ends in a barrier, so threads
// can only race inside a phase, and the emulator finds that by running them in both orders. What a thread keeps from
// one phase to the next is a typename Block::template Private<T>, asked by thread.

/// Sizes and places in tensors: divisions of 64 bits take a GPU a hundred cycles.
using Index = std::uint32_t;

/// A kernel that needs no memory of the block.
struct NoShared {};

/// f(i) for every i below count: one thread each.
template <class F>
struct ForEach {
    static constexpr int threads = 256;
    using Shared = NoShared;
    F f;
    Index count;

    template <class Block>
    MOE_DEVICE void operator()(Block& block, Shared&) const {
        block.each([&](int thread) {
            const Index i = block.x() * Index(threads) + Index(thread);
            if (i < count) f(i);
        });
    }
};

/// values[0] becomes the sum of `n` values in a fixed order; n a power of two, at most the block's threads.
template <class Block, class T>
MOE_DEVICE void sum_up(Block& block, T* values, int n) {
    for (int half = n / 2; half > 0; half /= 2)
        block.each([&](int thread) {
            if (thread < half) values[thread] += values[thread + half];
        });
}

}  // namespace moe::cuda
