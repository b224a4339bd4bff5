#pragma once
// C++17: compiled by nvcc, too. A stable counting sort of keys with their places, eight bits a pass: a thread owns a
// digit and walks its chunk in order, so that nothing depends on who comes first.
#include "engine/backend/cuda/block.h"

namespace moe::cuda {

inline constexpr int digit_bits = 8, digits = 1 << digit_bits;
inline constexpr Index sort_chunk = 1024;

/// counts[thread] becomes the sum of all before it.
template <class Block, class Scratch>
MOE_DEVICE void exclusive_sums(Block& block, Index* counts, Scratch* before) {
    for (int reach = 1; reach < digits; reach *= 2) {
        block.each([&](int thread) { before[thread] = thread >= reach ? counts[thread - reach] : 0; });
        block.each([&](int thread) { counts[thread] += before[thread]; });
    }
    block.each([&](int thread) { before[thread] = thread > 0 ? counts[thread - 1] : 0; });
    block.each([&](int thread) { counts[thread] = before[thread]; });
}

MOE_DEVICE Index digit_of(std::int32_t key, int shift) {
    return (Index(key) >> shift) & Index(digits - 1);
}

struct ChunkShared {
    std::int32_t keys[2][sort_chunk], places[2][sort_chunk];
    Index counts[digits], before[digits];
};

/// All passes of at most sort_chunk keys in one block; they and their places, 0 to n - 1, end in keys[passes % 2].
template <class Block>
MOE_DEVICE void sort_one_chunk(Block& block, ChunkShared& shared, const std::int32_t* keys, Index n, int passes) {
    block.each([&](int thread) {
        for (Index i = Index(thread); i < n; i += digits)
            shared.keys[0][i] = keys[i], shared.places[0][i] = std::int32_t(i);
    });
    for (int pass = 0; pass < passes; ++pass) {
        const int from = pass % 2, to = 1 - from, shift = pass * digit_bits;
        block.each([&](int thread) {
            Index count = 0;
            for (Index i = 0; i < n; ++i) count += digit_of(shared.keys[from][i], shift) == Index(thread);
            shared.counts[thread] = count;
        });
        exclusive_sums(block, shared.counts, shared.before);
        block.each([&](int thread) {
            Index at = shared.counts[thread];
            for (Index i = 0; i < n; ++i) {
                if (digit_of(shared.keys[from][i], shift) != Index(thread)) continue;
                shared.keys[to][at] = shared.keys[from][i];
                shared.places[to][at++] = shared.places[from][i];
            }
        });
    }
}

struct SortOneChunk {
    static constexpr int threads = digits;
    using Shared = ChunkShared;
    std::int32_t *sorted_keys, *sorted_places;
    const std::int32_t* keys;
    Index n;
    int passes;

    template <class Block>
    MOE_DEVICE void operator()(Block& block, Shared& shared) const {
        sort_one_chunk(block, shared, keys, n, passes);
        block.each([&](int thread) {
            for (Index i = Index(thread); i < n; i += threads) {
                sorted_keys[i] = shared.keys[passes % 2][i];
                sorted_places[i] = shared.places[passes % 2][i];
            }
        });
    }
};

/// counts[digit][chunk] of one pass; a block a chunk.
struct CountDigits {
    static constexpr int threads = digits;
    struct Shared {
        Index found[sort_chunk];
    };
    Index* counts;  // (digits, chunks)
    const std::int32_t* keys;
    Index n, chunks;
    int shift;

    template <class Block>
    MOE_DEVICE void operator()(Block& block, Shared& shared) const {
        const Index first = block.x() * sort_chunk, here = n - first < sort_chunk ? n - first : sort_chunk;
        block.each([&](int thread) {
            for (Index i = Index(thread); i < here; i += threads) shared.found[i] = digit_of(keys[first + i], shift);
        });
        block.each([&](int thread) {
            Index count = 0;
            for (Index i = 0; i < here; ++i) count += shared.found[i] == Index(thread);
            counts[std::size_t(thread) * chunks + block.x()] = count;
        });
    }
};

/// Counts to first places: the sum of all smaller digits, and of the same digit in the chunks before. One block.
struct PlaceDigits {
    static constexpr int threads = digits;
    struct Shared {
        Index totals[digits], before[digits];
    };
    Index* counts;  // (digits, chunks)
    Index chunks;

    template <class Block>
    MOE_DEVICE void operator()(Block& block, Shared& shared) const {
        block.each([&](int thread) {
            Index total = 0;
            for (Index c = 0; c < chunks; ++c) total += counts[std::size_t(thread) * chunks + c];
            shared.totals[thread] = total;
        });
        exclusive_sums(block, shared.totals, shared.before);
        block.each([&](int thread) {
            Index at = shared.totals[thread];
            for (Index c = 0; c < chunks; ++c) {
                Index& count = counts[std::size_t(thread) * chunks + c];
                const Index next = at + count;
                count = at;
                at = next;
            }
        });
    }
};

/// Keys and places to where PlaceDigits has them; a block a chunk. Without places they are 0 to n - 1.
struct MoveDigits {
    static constexpr int threads = digits;
    struct Shared {
        std::int32_t keys[sort_chunk], places[sort_chunk];
    };
    std::int32_t *sorted_keys, *sorted_places;
    const std::int32_t *keys, *places;  // places may be null
    const Index* counts;                // (digits, chunks)
    Index n, chunks;
    int shift;

    template <class Block>
    MOE_DEVICE void operator()(Block& block, Shared& shared) const {
        const Index first = block.x() * sort_chunk, here = n - first < sort_chunk ? n - first : sort_chunk;
        block.each([&](int thread) {
            for (Index i = Index(thread); i < here; i += threads) {
                shared.keys[i] = keys[first + i];
                shared.places[i] = places == nullptr ? std::int32_t(first + i) : places[first + i];
            }
        });
        block.each([&](int thread) {
            Index at = counts[std::size_t(thread) * chunks + block.x()];
            for (Index i = 0; i < here; ++i) {
                if (digit_of(shared.keys[i], shift) != Index(thread)) continue;
                sorted_keys[at] = shared.keys[i];
                sorted_places[at++] = shared.places[i];
            }
        });
    }
};

/// Where dispatch() writes.
struct DispatchTo {
    std::int32_t *offsets, *row_tokens, *positions;  // (E+1), (R), (N, K)
    Index E, K, R;

    /// Row and expert i, below max(R, E + 1), from the visits sorted by expert.
    MOE_DEVICE void write(Index i, const std::int32_t* experts, const std::int32_t* visits) const {
        if (i < R) {
            positions[visits[i]] = std::int32_t(i);
            row_tokens[i] = std::int32_t(Index(visits[i]) / K);
        }
        if (i > E) return;
        Index low = 0, high = R;  // the first row of an expert from i on
        while (low < high) {
            const Index middle = (low + high) / 2;
            if (Index(experts[middle]) < i)
                low = middle + 1;
            else
                high = middle;
        }
        offsets[i] = std::int32_t(low);
    }
};

struct DispatchSorted {
    DispatchTo to;
    const std::int32_t *experts, *visits;  // (R) sorted
    MOE_DEVICE void operator()(Index i) const { to.write(i, experts, visits); }
};

/// All of dispatch() for at most sort_chunk visits, in one block.
struct DispatchOneChunk {
    static constexpr int threads = digits;
    using Shared = ChunkShared;
    DispatchTo to;
    const std::int32_t* indices;  // (N, K)
    int passes;

    template <class Block>
    MOE_DEVICE void operator()(Block& block, Shared& shared) const {
        sort_one_chunk(block, shared, indices, to.R, passes);
        block.each([&](int thread) {
            for (Index i = Index(thread); i < to.R || i <= to.E; i += threads)
                to.write(i, shared.keys[passes % 2], shared.places[passes % 2]);
        });
    }
};

/// sums[id] += dy / count over the places of each id, in their order; with `square` the squares of these. Places are
/// sorted by id; a block a place, of which those work that begin an id.
struct AddByWord {
    static constexpr int lanes = 32, groups = 8, threads = lanes * groups;
    struct Shared {
        float parts[groups][lanes];
    };
    float* sums;                         // (V, D)
    const float *dy, *counts;            // (N, D), (N)
    const std::int32_t *words, *places;  // (N*T) sorted
    Index n, T, D;
    bool mask, square;

    template <class Block>
    MOE_DEVICE void operator()(Block& block, Shared& shared) const {
        const Index first = block.x();
        const std::int32_t word = words[first];
        if ((first > 0 && words[first - 1] == word) || (mask && word == 0)) return;
        for (Index d0 = 0; d0 < D; d0 += lanes) {
            block.each([&](int thread) {
                const Index d = d0 + Index(thread % lanes);
                float sum = 0;
                for (Index i = first + Index(thread / lanes); d < D && i < n && words[i] == word; i += groups) {
                    const Index row = Index(places[i]) / T;
                    const float part = dy[std::size_t(row) * D + d] / (counts == nullptr ? float(T) : counts[row]);
                    sum += square ? part * part : part;
                }
                shared.parts[thread / lanes][thread % lanes] = sum;
            });
            block.each([&](int thread) {
                const Index d = d0 + Index(thread);
                if (thread >= lanes || d >= D) return;
                float sum = 0;
                for (int g = 0; g < groups; ++g) sum += shared.parts[g][thread];
                sums[std::size_t(word) * D + d] += sum;
            });
        }
    }
};

}  // namespace moe::cuda
