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

/// Few keys are ranked by counting who comes before each, all at once: no pass waits for another.
inline constexpr Index most_ranked = 4096;

/// A block's share of that: 32 keys, by 8 threads each.
struct RankShared {
    static constexpr int keys = 32, parts = 8;
    Index before[parts][keys];
};

/// shared.before[0][k] = how many of keys (n) come before key block * 32 + k, of equals those before it; for the places
/// behind the keys how many are below place - n.
template <class Block>
MOE_DEVICE void rank_keys(Block& block, RankShared& shared, const std::int32_t* keys, Index n) {
    constexpr int width = RankShared::keys, parts = RankShared::parts;
    block.each([&](int thread) {
        const Index i = block.x() * Index(width) + Index(thread % width);
        const std::int32_t mine = i < n ? keys[i] : std::int32_t(i - n);
        const Index step = (n + parts - 1) / parts, first = Index(thread / width) * step;
        const Index last = first + step < n ? first + step : n;
        Index count = 0;
        for (Index j = first; j < last; ++j) count += keys[j] < mine || (keys[j] == mine && j < i && i < n);
        shared.before[thread / width][thread % width] = count;
    });
    block.each([&](int thread) {
        if (thread >= width) return;
        for (int p = 1; p < parts; ++p) shared.before[0][thread] += shared.before[p][thread];
    });
}

struct SortByRank {
    using Shared = RankShared;
    static constexpr int threads = Shared::keys * Shared::parts;
    std::int32_t *sorted_keys, *sorted_places;
    const std::int32_t* keys;
    Index n;

    template <class Block>
    MOE_DEVICE void operator()(Block& block, Shared& shared) const {
        rank_keys(block, shared, keys, n);
        block.each([&](int thread) {
            const Index i = block.x() * Index(Shared::keys) + Index(thread);
            if (thread >= Shared::keys || i >= n) return;
            sorted_keys[shared.before[0][thread]] = keys[i];
            sorted_places[shared.before[0][thread]] = std::int32_t(i);
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
            for (Index i = Index(thread); i < here; i += threads) {
                const Index digit = digit_of(shared.keys[i], shift);
                Index at = counts[std::size_t(digit) * chunks + block.x()];
                for (Index j = 0; j < i; ++j) at += digit_of(shared.keys[j], shift) == digit;
                sorted_keys[at] = shared.keys[i];
                sorted_places[at] = shared.places[i];
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

/// All of dispatch() for at most most_ranked visits; behind them come the experts' offsets.
struct DispatchByRank {
    using Shared = RankShared;
    static constexpr int threads = Shared::keys * Shared::parts;
    DispatchTo to;
    const std::int32_t* indices;  // (N, K)

    template <class Block>
    MOE_DEVICE void operator()(Block& block, Shared& shared) const {
        rank_keys(block, shared, indices, to.R);
        block.each([&](int thread) {
            const Index i = block.x() * Index(Shared::keys) + Index(thread);
            if (thread >= Shared::keys || i > to.R + to.E) return;
            const Index rank = shared.before[0][thread];
            if (i < to.R) {
                to.positions[i] = std::int32_t(rank);
                to.row_tokens[rank] = std::int32_t(i / to.K);
            } else {
                to.offsets[i - to.R] = std::int32_t(rank);
            }
        });
    }
};

/// sums[id] += dy / count over the places of each id, in a fixed order; with `square` the squares of these. Places are
/// sorted by id; a block a place, of which those work that begin an id.
struct AddByWord {
    static constexpr int lanes = 32, groups = 8, threads = lanes * groups;
    static constexpr int columns = 4;  // of a lane at a time: their loads do not wait for each other
    struct Shared {
        float parts[groups][columns][lanes];
        Index ends[threads];
    };
    float* sums;                         // (V, D)
    const float *dy, *counts;            // (N, D), (N) or null: T each
    const std::int32_t *words, *places;  // (N*T) sorted
    Index n, T, D;
    bool mask, square;

    template <class Block>
    MOE_DEVICE void operator()(Block& block, Shared& shared) const {
        const Index first = block.x();
        const std::int32_t word = words[first];
        if ((first > 0 && words[first - 1] == word) || (mask && word == 0)) return;
        // Where the id's places end: each thread looks at its share of all that follow.
        block.each([&](int thread) {
            Index count = 0;
            for (Index i = first + Index(thread); i < n && words[i] == word; i += threads) ++count;
            shared.ends[thread] = count;
        });
        sum_up(block, shared.ends, threads);
        for (Index d0 = 0; d0 < D; d0 += lanes * columns) {
            block.each([&](int thread) {
                const Index end = first + shared.ends[0], lane = d0 + Index(thread % lanes);
                float sum[columns] = {};
                for (Index i = first + Index(thread / lanes); i < end; i += groups) {
                    const Index row = Index(places[i]) / T;
                    const float count = counts == nullptr ? float(T) : counts[row];
                    MOE_UNROLL for (int c = 0; c < columns; ++c) {
                        const Index d = lane + Index(c * lanes);
                        const float part = d < D ? dy[std::size_t(row) * D + d] / count : 0.0f;
                        sum[c] += square ? part * part : part;
                    }
                }
                MOE_UNROLL for (int c = 0; c < columns; ++c) shared.parts[thread / lanes][c][thread % lanes] = sum[c];
            });
            block.each([&](int thread) {
                const int c = thread / lanes, lane = thread % lanes;
                const Index d = d0 + Index(c * lanes + lane);
                if (c >= columns || d >= D) return;
                float sum = 0;
                for (int g = 0; g < groups; ++g) sum += shared.parts[g][c][lane];
                sums[std::size_t(word) * D + d] += sum;
            });
        }
    }
};

}  // namespace moe::cuda
