#pragma once
// C++17: compiled by nvcc, too. Every kernel there is, in the order in which the program and its module number them.
#include "engine/backend/cuda/gemm_impl.h"
#include "engine/backend/cuda/kernels_impl.h"
#include "engine/backend/cuda/module.h"
#include "engine/backend/cuda/sort_impl.h"

#include <type_traits>

namespace moe::cuda {

template <class... K>
struct KernelList {
    static constexpr std::int32_t count = sizeof...(K);

    template <class Wanted>
    static constexpr std::int32_t place() {
        std::int32_t at = 0, found = -1;
        ((std::is_same_v<K, Wanted> ? found = at++ : at++), ...);
        return found;
    }
    /// f(kernel type's tag) for each.
    template <class F>
    static void each(F f) {
        (f(static_cast<K*>(nullptr)), ...);
    }
    /// Changes where a kernel comes, goes or takes other arguments.
    static constexpr std::uint32_t version() {
        std::uint32_t hash = 2166136261u;
        ((hash = (hash ^ std::uint32_t(sizeof(K) * 1024 + K::threads)) * 16777619u), ...);
        return hash;
    }
};

/// A new kernel is its type and a line here.
using PlainKernels =
    KernelList<ForEach<CopyWords>, ForEach<FillWith>, ForEach<Accumulate>, ForEach<Activate>, ForEach<ActivateBackward>,
               ForEach<AdamOf>, ForEach<AdamOfSquares>, ForEach<TokensInMean>, ForEach<EmbeddingMeanOf>,
               ForEach<MeanOfTokens>, ForEach<MeanOfTokensBackward>, ForEach<SoftmaxOfShortRow>,
               ForEach<SoftmaxBackwardOfShortRow>, ForEach<TopK>, ForEach<EveryExpert>, ForEach<SelectFrom>,
               ForEach<SelectBackward>, ForEach<GatherRows>, ForEach<GatherRowsBackward>, ForEach<Combine>,
               ForEach<DispatchSorted>, ForEach<SumForward>, ForEach<SumInputs>, ForEach<SumWeights>, SoftmaxOfRow,
               SoftmaxBackwardOfRow, CombineBackward, BalanceOfExpert, SumOfParts, LoadOfExpert, CrossEntropyOfRow,
               SortByRank, DispatchByRank, CountDigits, PlaceDigits, MoveDigits, AddByWord>;

/// The three products by one tile.
template <class T>
using ProductKernels =
    KernelList<GroupedForward<T>, GroupedInputs<T>, GroupedWeights<T, false>, GroupedWeights<T, true>>;

template <class... Lists>
struct Joined;
template <class... K>
struct Joined<KernelList<K...>> {
    using List = KernelList<K...>;
};
template <class... A, class... B, class... Lists>
struct Joined<KernelList<A...>, KernelList<B...>, Lists...> {
    using List = typename Joined<KernelList<A..., B...>, Lists...>::List;
};

using Kernels =
    Joined<PlainKernels, ProductKernels<SmallTile>, ProductKernels<MiddleTile>, ProductKernels<LargeTile>,
           ProductKernels<MiddleTensorTile<Precision::tf32>>, ProductKernels<LargeTensorTile<Precision::tf32>>,
           ProductKernels<MiddleTensorTile<Precision::bf16>>, ProductKernels<LargeTensorTile<Precision::bf16>>>::List;

constexpr std::uint32_t kernels_version() {
    // The number rises with each change of what a kernel of the same size, or a function of the table, means.
    return (Kernels::version() ^ std::uint32_t(sizeof(Task) * 4096 + sizeof(Module))) + 2;
}

}  // namespace moe::cuda
