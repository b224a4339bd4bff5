#pragma once
// C++17: compiled by nvcc, too. Products of rows that are grouped by expert; a dense layer is one expert with all rows.
#include "engine/backend/cuda/adam_impl.h"
#include "engine/backend/cuda/kernels_impl.h"

namespace moe::cuda {

/// What the numbers of a product are rounded to before they are multiplied; sums are float always.
enum class Precision : std::int32_t { float32, tf32, bf16 };

/// A block's tile of the result, rows x columns, in steps of `depth`; a thread has `own_rows` x `own_columns` of it.
template <int rows_, int columns_, int depth_, int own_rows_, int own_columns_>
struct Tile {
    static constexpr Precision precision = Precision::float32;
    static constexpr int rows = rows_, columns = columns_, depth = depth_;
    static constexpr int own_rows = own_rows_, own_columns = own_columns_;
    static constexpr int thread_columns = columns / own_columns;
    static constexpr int threads = rows / own_rows * thread_columns;
    static constexpr int pad = 1;  // neighbours in a column lie in two banks
    struct Sums {
        float of[own_rows][own_columns];
    };
};
using SmallTile = Tile<32, 32, 32, 2, 2>;
using MiddleTile = Tile<64, 64, 16, 4, 4>;
using LargeTile = Tile<128, 128, 8, 8, 8>;

/// The same for tensor cores: `warps_down` x `warps_across` warps, each with 16 x 8 numbers at a time, of which a
/// thread has four: rows g and g + 8, columns 2 t and 2 t + 1 for g = lane / 4, t = lane % 4 (PTX ISA, mma.m16n8k8).
template <int rows_, int columns_, int warps_down_, int warps_across_, Precision precision_>
struct TensorTile {
    static constexpr Precision precision = precision_;
    static constexpr int rows = rows_, columns = columns_, depth = 32;
    static constexpr int warps_down = warps_down_, warps_across = warps_across_;
    static constexpr int threads = 32 * warps_down * warps_across;
    static constexpr int pad = 8;  // where neighbours run along the tile; 4 where they run along the depth
    static constexpr int down = rows / warps_down / 16, across = columns / warps_across / 8;
    struct Sums {
        float of[down][across][4];
    };
    /// Row and column of the tile where a thread's part (i, j) begins.
    MOE_DEVICE static int row(int thread, int i) {
        return thread / 32 / warps_across * (rows / warps_down) + 16 * i + thread % 32 / 4;
    }
    MOE_DEVICE static int column(int thread, int j) {
        return thread / 32 % warps_across * (columns / warps_across) + 8 * j;
    }
};
template <Precision precision>
using MiddleTensorTile = TensorTile<64, 64, 2, 2, precision>;
template <Precision precision>
using LargeTensorTile = TensorTile<128, 128, 2, 4, precision>;

/// Where a number of a tile's operand lies: beside its neighbour in memory, so that threads that load it write side by
/// side, and padded so that those who multiply read from different banks.
template <class T, bool runs>
struct Place {
    MOE_DEVICE static int at(int k, int across, int width) {
        if constexpr (T::precision != Precision::float32 && runs)
            return across * (T::depth + 4) + k;
        else
            return k * (width + T::pad) + across;
    }
};

template <class T>
struct TileShared {
    static constexpr int room(int width) {
        const int along_tile = T::depth * (width + T::pad);
        const int along_depth = T::precision == Precision::float32 ? 0 : width * (T::depth + 4);
        return along_tile > along_depth ? along_tile : along_depth;
    }
    float a[room(T::rows)], b[room(T::columns)];
    Index group;
};

/// What a thread keeps between the steps.
template <class T>
struct TileOwn {
    static constexpr int a_each = T::rows * T::depth / T::threads, b_each = T::columns * T::depth / T::threads;
    static_assert(a_each * T::threads == T::rows * T::depth && b_each * T::threads == T::columns * T::depth,
                  "no thread loads more");
    static_assert(T::threads % T::columns == 0, "a thread loads one column of b");
    typename T::Sums sums;
    float column;  // sum of what it loaded of b
    float next_a[a_each], next_b[b_each];
};

/// As a tensor core rounds what it is given: tf32 to 10 bits of mantissa, halves away from zero; bf16 to 7, halves to
/// even.
MOE_DEVICE float rounded(Precision precision, float x) {
    union {
        float number;
        std::uint32_t bits;
    } as{x};
    if (precision == Precision::float32 || x != x) return x;
    if (precision == Precision::tf32)
        as.bits = (as.bits + 0x1000u) & 0xffffe000u;
    else
        as.bits = (as.bits + 0x7fffu + (as.bits >> 16 & 1)) & 0xffff0000u;
    return as.number;
}

/// One step of the depth on a thread's part of a tensor tile, number by number: what the device's tensor cores do.
template <class T, bool a_runs, bool b_runs>
MOE_DEVICE void multiply_apart(int thread, const TileShared<T>& shared, TileOwn<T>& own) {
    for (int i = 0; i < T::down; ++i)
        for (int j = 0; j < T::across; ++j)
            for (int c = 0; c < 4; ++c) {
                const int row = T::row(thread, i) + c / 2 * 8, column = T::column(thread, j) + thread % 4 * 2 + c % 2;
                float& sum = own.sums.of[i][j][c];
                for (int k = 0; k < T::depth; ++k)
                    sum = std::fma(rounded(T::precision, shared.a[Place<T, a_runs>::at(k, row, T::rows)]),
                                   rounded(T::precision, shared.b[Place<T, b_runs>::at(k, column, T::columns)]), sum);
            }
}

/// own.sums = sum over k in [first, last) of a(m, k) b(k, n). Loads are zero outside. `a_runs`, `b_runs`: neighbours in
/// memory are neighbours in k, so threads load along it.
template <class T, bool a_runs, bool b_runs, class Block, class Own, class A, class B>
MOE_DEVICE void multiply_tile(Block& block, TileShared<T>& shared, Own& own, Index first, Index last, A a, B b) {
    using Kept = TileOwn<T>;
    const auto a_row = [](int i) { return a_runs ? i / T::depth : i % T::rows; };
    const auto a_depth = [](int i) { return a_runs ? i % T::depth : i / T::rows; };
    const auto b_column = [](int i) { return b_runs ? i / T::depth : i % T::columns; };
    const auto b_depth = [](int i) { return b_runs ? i % T::depth : i / T::columns; };
    const auto load = [&](int thread, Index k0) {
        MOE_UNROLL for (int j = 0; j < Kept::a_each; ++j) {
            const int i = j * T::threads + thread;
            const Index k = k0 + Index(a_depth(i));
            own[thread].next_a[j] = k < last ? a(Index(a_row(i)), k) : 0.0f;
        }
        MOE_UNROLL for (int j = 0; j < Kept::b_each; ++j) {
            const int i = j * T::threads + thread;
            const Index k = k0 + Index(b_depth(i));
            own[thread].next_b[j] = k < last ? b(k, Index(b_column(i))) : 0.0f;
        }
    };
    block.each([&](int thread) {
        own[thread].sums = {};
        own[thread].column = 0;
        load(thread, first);
    });
    for (Index k0 = first; k0 < last; k0 += Index(T::depth)) {
        block.each([&](int thread) {
            MOE_UNROLL for (int j = 0; j < Kept::a_each; ++j) {
                const int i = j * T::threads + thread;
                shared.a[Place<T, a_runs>::at(a_depth(i), a_row(i), T::rows)] = own[thread].next_a[j];
            }
            MOE_UNROLL for (int j = 0; j < Kept::b_each; ++j) {
                const int i = j * T::threads + thread;
                shared.b[Place<T, b_runs>::at(b_depth(i), b_column(i), T::columns)] = own[thread].next_b[j];
                own[thread].column += own[thread].next_b[j];
            }
        });
        block.each([&](int thread) {
            load(thread, k0 + Index(T::depth));  // on its way while this step is multiplied
            if constexpr (T::precision != Precision::float32) {
                block.template multiply<T, a_runs, b_runs>(thread, shared, own[thread]);
            } else {
                const int row = thread / T::thread_columns, column = thread % T::thread_columns;
                MOE_UNROLL for (int k = 0; k < T::depth; ++k) {
                    float left[T::own_rows], right[T::own_columns];
                    MOE_UNROLL for (int i = 0; i < T::own_rows; ++i) left[i] =
                        shared.a[Place<T, a_runs>::at(k, row + i * (T::rows / T::own_rows), T::rows)];
                    MOE_UNROLL for (int j = 0; j < T::own_columns; ++j) right[j] =
                        shared.b[Place<T, b_runs>::at(k, column + j * T::thread_columns, T::columns)];
                    MOE_UNROLL for (int i = 0; i < T::own_rows; ++i) MOE_UNROLL for (int j = 0; j < T::own_columns; ++j)
                        own[thread]
                            .sums.of[i][j] = std::fma(left[i], right[j], own[thread].sums.of[i][j]);
                }
            }
        });
    }
}

/// f(row, column, value) for the numbers of the tile that a thread has.
template <class T, class F>
MOE_DEVICE void each_of_tile(int thread, const TileOwn<T>& own, F f) {
    if constexpr (T::precision != Precision::float32) {
        MOE_UNROLL for (int i = 0; i < T::down; ++i) MOE_UNROLL for (int j = 0; j < T::across; ++j)
            MOE_UNROLL for (int c = 0; c < 4; ++c)
                f(Index(T::row(thread, i) + c / 2 * 8), Index(T::column(thread, j) + thread % 4 * 2 + c % 2),
                  own.sums.of[i][j][c]);
    } else {
        const int row = thread / T::thread_columns, column = thread % T::thread_columns;
        MOE_UNROLL for (int i = 0; i < T::own_rows; ++i) MOE_UNROLL for (int j = 0; j < T::own_columns; ++j)
            f(Index(row + i * (T::rows / T::own_rows)), Index(column + j * T::thread_columns), own.sums.of[i][j]);
    }
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

/// Where a block's tile of a product of grouped rows lies: rows from row0 to at most `end`, columns from column0, of
/// group e. Blocks: tiles of rows x columns.
struct TilePlace {
    Index e, row0, end, column0;
};
template <class T, class Block>
MOE_DEVICE TilePlace find_tile(Block& block, const Groups& groups, Index column_tiles, Index& found) {
    const Index tile = block.x() / column_tiles;
    find_group(block, groups, Index(T::rows), tile, found);
    const Index e = found, begin = groups.begin(e);
    return {e, begin + (tile - begin / Index(T::rows) - e) * Index(T::rows), groups.end(e),
            block.x() % column_tiles * Index(T::columns)};
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
        const TilePlace at_tile = find_tile<T>(block, groups, column_tiles, shared.group);
        const Index e = at_tile.e, row0 = at_tile.row0, end = at_tile.end, column0 = at_tile.column0;
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
        const TilePlace at_tile = find_tile<T>(block, groups, column_tiles, shared.group);
        const Index e = at_tile.e, row0 = at_tile.row0, end = at_tile.end, column0 = at_tile.column0;
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
        });
        if (row0 > 0) return;
        block.each([&](int thread) { shared.a[thread] = own[thread].column; });
        block.each([&](int thread) {
            const Index o = column0 + Index(thread);
            if (thread >= T::columns || o >= O) return;
            float sum = 0;
            for (int i = thread; i < T::threads; i += T::columns) sum += shared.a[i];
            if constexpr (update)
                adam_step(b, std::size_t(e) * O + o, sum);
            else
                db[(std::size_t(part) * groups.E + e) * O + o] = sum;
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
