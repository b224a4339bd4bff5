#pragma once
// C++17: compiled by nvcc, too. Products of rows that are grouped by expert; a dense layer is one expert with all rows.
#include "engine/backend/cuda/adam_impl.h"
#include "engine/backend/cuda/kernels_impl.h"

namespace moe::cuda {

/// A block's tile of the result, rows x columns, in steps of `depth`; a thread has `own_rows` x `own_columns` of it.
template <int rows_, int columns_, int depth_, int own_rows_, int own_columns_>
struct Tile {
    static constexpr int rows = rows_, columns = columns_, depth = depth_;
    static constexpr int own_rows = own_rows_, own_columns = own_columns_;
    static constexpr int thread_columns = columns / own_columns;
    static constexpr int threads = rows / own_rows * thread_columns;
    static constexpr int a_each = rows * depth / threads, b_each = columns * depth / threads;
    static_assert(a_each * threads == rows * depth && b_each * threads == columns * depth, "no thread loads more");
};
using SmallTile = Tile<32, 32, 32, 2, 2>;
using MiddleTile = Tile<64, 64, 16, 4, 4>;
using LargeTile = Tile<128, 128, 8, 8, 8>;

template <class T>
struct TileShared {
    float a[T::depth][T::rows + 1], b[T::depth][T::columns + 1];  // one more: neighbours in a column lie in two banks
    Index group;
};

/// What a thread keeps between the steps.
template <class T>
struct TileOwn {
    float sums[T::own_rows][T::own_columns];
    float columns[T::own_columns];  // sums over the depth of b alone
    float next_a[T::a_each], next_b[T::b_each];
};

/// own.sums = sum over k in [first, last) of a(m, k) b(k, n). Loads are zero outside. `a_runs`, `b_runs`: neighbours in
/// memory are neighbours in k, so threads load along it.
template <class T, bool a_runs, bool b_runs, class Block, class Own, class A, class B>
MOE_DEVICE void multiply_tile(Block& block, TileShared<T>& shared, Own& own, Index first, Index last, A a, B b) {
    const auto a_row = [](int i) { return a_runs ? i / T::depth : i % T::rows; };
    const auto a_depth = [](int i) { return a_runs ? i % T::depth : i / T::rows; };
    const auto b_column = [](int i) { return b_runs ? i / T::depth : i % T::columns; };
    const auto b_depth = [](int i) { return b_runs ? i % T::depth : i / T::columns; };
    const auto load = [&](int thread, Index k0) {
        MOE_UNROLL for (int j = 0; j < T::a_each; ++j) {
            const int i = j * T::threads + thread;
            const Index k = k0 + Index(a_depth(i));
            own[thread].next_a[j] = k < last ? a(Index(a_row(i)), k) : 0.0f;
        }
        MOE_UNROLL for (int j = 0; j < T::b_each; ++j) {
            const int i = j * T::threads + thread;
            const Index k = k0 + Index(b_depth(i));
            own[thread].next_b[j] = k < last ? b(k, Index(b_column(i))) : 0.0f;
        }
    };
    block.each([&](int thread) {
        MOE_UNROLL for (int i = 0; i < T::own_rows; ++i) MOE_UNROLL for (int j = 0; j < T::own_columns; ++j) own[thread]
            .sums[i][j] = 0;
        MOE_UNROLL for (int j = 0; j < T::own_columns; ++j) own[thread].columns[j] = 0;
        load(thread, first);
    });
    for (Index k0 = first; k0 < last; k0 += Index(T::depth)) {
        block.each([&](int thread) {
            MOE_UNROLL for (int j = 0; j < T::a_each; ++j) {
                const int i = j * T::threads + thread;
                shared.a[a_depth(i)][a_row(i)] = own[thread].next_a[j];
            }
            MOE_UNROLL for (int j = 0; j < T::b_each; ++j) {
                const int i = j * T::threads + thread;
                shared.b[b_depth(i)][b_column(i)] = own[thread].next_b[j];
            }
        });
        block.each([&](int thread) {
            load(thread, k0 + Index(T::depth));  // on its way while this step is multiplied
            const int row = thread / T::thread_columns, column = thread % T::thread_columns;
            MOE_UNROLL for (int k = 0; k < T::depth; ++k) {
                float left[T::own_rows], right[T::own_columns];
                MOE_UNROLL for (int i = 0; i < T::own_rows; ++i) left[i] =
                    shared.a[k][row + i * (T::rows / T::own_rows)];
                MOE_UNROLL for (int j = 0; j < T::own_columns; ++j) right[j] =
                    shared.b[k][column + j * T::thread_columns];
                MOE_UNROLL for (int j = 0; j < T::own_columns; ++j) own[thread].columns[j] += right[j];
                MOE_UNROLL for (int i = 0; i < T::own_rows; ++i) MOE_UNROLL for (int j = 0; j < T::own_columns; ++j)
                    own[thread]
                        .sums[i][j] = std::fma(left[i], right[j], own[thread].sums[i][j]);
            }
        });
    }
}

/// f(row, column, value) for the numbers of the tile that a thread has.
template <class T, class F>
MOE_DEVICE void each_of_tile(int thread, const TileOwn<T>& own, F f) {
    const int row = thread / T::thread_columns, column = thread % T::thread_columns;
    MOE_UNROLL for (int i = 0; i < T::own_rows; ++i) MOE_UNROLL for (int j = 0; j < T::own_columns; ++j)
        f(Index(row + i * (T::rows / T::own_rows)), Index(column + j * T::thread_columns), own.sums[i][j]);
}

/// The rows of each group. Without offsets there is one group, of all rows.
struct Groups {
    const std::int32_t* offsets;  // (E+1) on the device, or null
    Index E, rows;

    MOE_DEVICE Index begin(Index e) const { return offsets == nullptr ? 0 : Index(offsets[e]); }
    MOE_DEVICE Index end(Index e) const { return offsets == nullptr ? rows : Index(offsets[e + 1]); }
};

/// Tiles of rows, for any sizes of the groups: group e has those from begin(e) / height + e on, one more than it may
/// need, so that the host knows how many there are, rows / height + E, and a block finds its group alone.
template <class Block>
MOE_DEVICE void find_group(Block& block, const Groups& groups, Index height, Index tile, Index& found) {
    block.each([&](int thread) {
        for (Index e = Index(thread); e < groups.E; e += Index(block.threads())) {
            const Index first = groups.begin(e) / height + e, next = groups.end(e) / height + e + 1;
            if (first <= tile && tile < next) found = e;
        }
    });
}

/// A range of the depth: part `part` of `parts`, in whole steps.
struct DepthRange {
    Index first, last;
};
MOE_DEVICE DepthRange depth_range(Index begin, Index end, Index step, Index part, Index parts) {
    const Index steps = (end - begin + step - 1) / step, each = (steps + parts - 1) / parts;
    const Index first = begin + part * each * step, last = first + each * step;
    return {first < end ? first : end, last < end ? last : end};
}

/// y = x w + b for each group's rows, y = f(that) beside it. Blocks: tiles of rows x columns, parts of the depth.
template <class T>
struct GroupedForward {
    static constexpr int threads = T::threads;
    using Shared = TileShared<T>;
    float* y;       // (R, O); of several parts (parts, R, O), without the bias
    float* with_f;  // (R, O) or null
    const float *x, *w, *b;
    Groups groups;
    Index I, O, column_tiles, parts;
    Activation f;

    template <class Block>
    MOE_DEVICE void operator()(Block& block, Shared& shared) const {
        const Index tile = block.x() / column_tiles, column0 = block.x() % column_tiles * Index(T::columns);
        find_group(block, groups, Index(T::rows), tile, shared.group);
        const Index e = shared.group, begin = groups.begin(e), end = groups.end(e);
        const Index row0 = begin + (tile - begin / Index(T::rows) - e) * Index(T::rows);
        if (row0 >= end) return;
        typename Block::template Private<TileOwn<T>> own;
        const DepthRange k = depth_range(0, I, Index(T::depth), block.y(), parts);
        const float* weights = w + std::size_t(e) * I * O;
        multiply_tile<T, true, false>(
            block, shared, own, k.first, k.last,
            [&](Index m, Index i) { return row0 + m < end ? x[std::size_t(row0 + m) * I + i] : 0.0f; },
            [&](Index i, Index n) { return column0 + n < O ? weights[std::size_t(i) * O + column0 + n] : 0.0f; });
        block.each([&](int thread) {
            each_of_tile<T>(thread, own[thread], [&](Index m, Index n, float sum) {
                const Index row = row0 + m, o = column0 + n;
                if (row >= end || o >= O) return;
                const std::size_t at = std::size_t(row) * O + o;
                if (parts > 1) {
                    y[std::size_t(block.y()) * groups.rows * O + at] = sum;
                    return;
                }
                const float value = sum + b[std::size_t(e) * O + o];
                y[at] = value;
                if (with_f != nullptr) with_f[at] = activated(f, value);
            });
        });
    }
};

/// dx = dy w^T for each group's rows, through an activation where there is one. Blocks as there.
template <class T>
struct GroupedInputs {
    static constexpr int threads = T::threads;
    using Shared = TileShared<T>;
    float* dx;  // (R, I); of several parts (parts, R, I)
    const float *dy, *w;
    const float *sums, *hidden;  // (R, I) what the activation had and gave; null: there is none
    Groups groups;
    Index I, O, column_tiles, parts;
    Activation f;

    template <class Block>
    MOE_DEVICE void operator()(Block& block, Shared& shared) const {
        const Index tile = block.x() / column_tiles, column0 = block.x() % column_tiles * Index(T::columns);
        find_group(block, groups, Index(T::rows), tile, shared.group);
        const Index e = shared.group, begin = groups.begin(e), end = groups.end(e);
        const Index row0 = begin + (tile - begin / Index(T::rows) - e) * Index(T::rows);
        if (row0 >= end) return;
        typename Block::template Private<TileOwn<T>> own;
        const DepthRange k = depth_range(0, O, Index(T::depth), block.y(), parts);
        const float* weights = w + std::size_t(e) * I * O;
        multiply_tile<T, true, true>(
            block, shared, own, k.first, k.last,
            [&](Index m, Index o) { return row0 + m < end ? dy[std::size_t(row0 + m) * O + o] : 0.0f; },
            [&](Index o, Index n) { return column0 + n < I ? weights[std::size_t(column0 + n) * O + o] : 0.0f; });
        block.each([&](int thread) {
            each_of_tile<T>(thread, own[thread], [&](Index m, Index n, float sum) {
                const Index row = row0 + m, i = column0 + n;
                if (row >= end || i >= I) return;
                const std::size_t at = std::size_t(row) * I + i;
                if (parts > 1)
                    dx[std::size_t(block.y()) * groups.rows * I + at] = sum;
                else
                    dx[at] = hidden == nullptr ? sum : through_activation(f, sum, sums[at], hidden[at]);
            });
        });
    }
};

/// dw = x^T dy and db = sums of dy's columns over each group's rows; with `update` straight into Adam. Blocks: tiles of
/// w, parts of the depth, groups.
template <class T, bool update>
struct GroupedWeights {
    static constexpr int threads = T::threads;
    using Shared = TileShared<T>;
    float *dw, *db;  // of several parts (parts, E, I, O), (parts, E, O); unused with `update`
    const float *x, *dy;
    AdamState w, b;  // with `update` alone
    Groups groups;
    Index I, O, column_tiles, parts;

    template <class Block>
    MOE_DEVICE void operator()(Block& block, Shared& shared) const {
        const Index e = block.z(), part = block.y();
        const Index row0 = block.x() / column_tiles * Index(T::rows);
        const Index column0 = block.x() % column_tiles * Index(T::columns);
        typename Block::template Private<TileOwn<T>> own;
        const DepthRange k = depth_range(groups.begin(e), groups.end(e), Index(T::depth), part, parts);
        multiply_tile<T, false, false>(
            block, shared, own, k.first, k.last,
            [&](Index m, Index r) { return row0 + m < I ? x[std::size_t(r) * I + row0 + m] : 0.0f; },
            [&](Index r, Index n) { return column0 + n < O ? dy[std::size_t(r) * O + column0 + n] : 0.0f; });
        block.each([&](int thread) {
            const std::size_t of_part = (std::size_t(part) * groups.E + e) * I * O, of_group = std::size_t(e) * I * O;
            each_of_tile<T>(thread, own[thread], [&](Index m, Index n, float sum) {
                const Index i = row0 + m, o = column0 + n;
                if (i >= I || o >= O) return;
                const std::size_t at = std::size_t(i) * O + o;
                if constexpr (update)
                    adam_step(w, of_group + at, sum);
                else
                    dw[of_part + at] = sum;
            });
            if (row0 > 0 || thread >= T::thread_columns) return;
            MOE_UNROLL for (int j = 0; j < T::own_columns; ++j) {
                const Index o = column0 + Index(thread + j * T::thread_columns);
                if (o >= O) continue;
                if constexpr (update)
                    adam_step(b, std::size_t(e) * O + o, own[thread].columns[j]);
                else
                    db[(std::size_t(part) * groups.E + e) * O + o] = own[thread].columns[j];
            }
        });
    }
};

/// Parts of a forward pass together: bias and activation as GroupedForward has them.
struct SumForward {
    float *y, *with_f;
    const float *of_parts, *b;
    Groups groups;
    Index O, parts, count;
    Activation f;
    MOE_DEVICE void operator()(Index i) const {
        const Index row = i / O;
        Index e = 0;
        for (Index low = 0, high = groups.E; groups.offsets != nullptr && high - low > 1;) {
            const Index middle = (low + high) / 2;  // the last group that begins at or before the row
            if (Index(groups.offsets[middle]) <= row)
                e = low = middle;
            else
                high = middle;
        }
        float sum = 0;
        for (Index p = 0; p < parts; ++p) sum += of_parts[std::size_t(p) * count + i];
        sum += b[std::size_t(e) * O + i % O];
        y[i] = sum;
        if (with_f != nullptr) with_f[i] = activated(f, sum);
    }
};

struct SumInputs {
    float* dx;
    const float *of_parts, *sums, *hidden;
    Index parts, count;
    Activation f;
    MOE_DEVICE void operator()(Index i) const {
        float sum = 0;
        for (Index p = 0; p < parts; ++p) sum += of_parts[std::size_t(p) * count + i];
        dx[i] = hidden == nullptr ? sum : through_activation(f, sum, sums[i], hidden[i]);
    }
};

/// Parts of the weights' gradient, then of the biases', into their gradients or straight into Adam.
struct SumWeights {
    AdamState w, b;
    const float *of_w, *of_b;  // (parts, count_w), (parts, count_b)
    Index parts, count_w, count_b;
    bool update;
    MOE_DEVICE void operator()(Index i) const {
        const bool bias = i >= count_w;
        const AdamState& p = bias ? b : w;
        const Index at = bias ? i - count_w : i, count = bias ? count_b : count_w;
        const float* from = bias ? of_b : of_w;
        float sum = 0;
        for (Index part = 0; part < parts; ++part) sum += from[std::size_t(part) * count + at];
        if (update)
            adam_step(p, at, sum);
        else
            p.g[at] = sum;
    }
};

}  // namespace moe::cuda
