// The products of CudaBackend: which tile, in how many parts.
#include "engine/backend/cuda/cuda_backend.h"
#include "engine/backend/cuda/launch.h"
#include "engine/backend/shape_checks.h"

#include <algorithm>
#include <optional>

namespace moe::cuda {

using std::size_t;

namespace {

constexpr size_t up(size_t value, size_t step) {
    return (value + step - 1) / step;
}

struct TileChoice {
    enum { small, middle, large } tile = small;
    Precision precision = Precision::float32;
    Index parts = 1;  // of the depth, where there would be too few blocks for the processors
};

/// For `groups` results of rows x columns each. The larger tile multiplies more for what it loads, if there are enough.
TileChoice choose_tile(size_t groups, size_t rows, size_t columns, size_t depth, int processors, Precision precision) {
    const auto blocks = [&](auto tile) {
        using Of = decltype(tile);
        return groups * up(rows, size_t(Of::rows)) * up(columns, size_t(Of::columns));
    };
    const auto filled = [&](auto tile) { return 4 * std::min(rows, columns) >= 3 * size_t(decltype(tile)::rows); };
    const auto fits = [&](auto tile) { return filled(tile) && blocks(tile) >= size_t(processors); };
    if (precision != Precision::float32 && filled(MiddleTensorTile<Precision::tf32>{}) && depth >= 32)
        return {fits(LargeTensorTile<Precision::tf32>{}) ? TileChoice::large : TileChoice::middle, precision, 1};
    if (fits(LargeTile{})) return {TileChoice::large, Precision::float32, 1};
    if (fits(MiddleTile{})) return {TileChoice::middle, Precision::float32, 1};
    constexpr size_t least_depth = 128, most_parts = 32;
    const size_t wanted = size_t(processors) / std::max<size_t>(blocks(SmallTile{}), 1);
    return {TileChoice::small, Precision::float32,
            Index(std::max<size_t>(std::min({wanted, depth / least_depth, most_parts}), 1))};
}

template <Precision precision, class F>
void with_tensor_tile(const TileChoice& choice, F f) {
    return choice.tile == TileChoice::large ? f(LargeTensorTile<precision>{}) : f(MiddleTensorTile<precision>{});
}

template <class F>
void with_tile(const TileChoice& choice, F f) {
    if (choice.precision == Precision::tf32) return with_tensor_tile<Precision::tf32>(choice, f);
    if (choice.precision == Precision::bf16) return with_tensor_tile<Precision::bf16>(choice, f);
    switch (choice.tile) {
        case TileChoice::small:
            return f(SmallTile{});
        case TileChoice::middle:
            return f(MiddleTile{});
        case TileChoice::large:
            return f(LargeTile{});
    }
}

/// As many tiles of rows as find_group() may find.
template <class Of>
Index row_tiles(const Groups& groups) {
    return groups.rows / Index(Of::rows) + groups.E;
}

AdamState state_of(const Trained<float>& p, Tensor<float> rate) {
    return {p.value.raw(), p.gradient.raw(), p.m.raw(), p.v.raw(), rate.raw()};
}
AdamState gradient_of(Tensor<float> gradient) {
    return {nullptr, gradient.raw(), nullptr, nullptr, nullptr};
}

}  // namespace

Groups CudaBackend::groups_of(const char* op, Ids offsets, size_t rows) {
    ids_.check_partition(op, offsets, rows);
    return {offsets.raw(), Index(offsets.dim(0) - 1), Index(rows)};
}

void CudaBackend::forward(Tensor<T> y, T* with_f, Tensor<T> x, const T* w, const T* b, Groups groups, Activation f) {
    const size_t R = x.dim(0), I = x.dim(1), O = y.dim(1);
    if (R == 0) return;
    join_updates(w);
    const TileChoice choice = choose_tile(groups.E, up(R, groups.E), O, I, queue_.processors(), precision_);
    T* const to = choice.parts == 1 ? y.raw() : static_cast<T*>(scratch_bytes(choice.parts * y.count() * sizeof(T)));
    with_tile(choice, [&](auto tile) {
        using Of = decltype(tile);
        const Index columns = Index(up(O, size_t(Of::columns)));
        launch(GroupedForward<Of>{to, with_f, x.raw(), w, b, groups, Index(I), Index(O), columns, choice.parts, f},
               row_tiles<Of>(groups) * columns, choice.parts);
    });
    if (choice.parts > 1)
        for_each(SumForward{y.raw(), with_f, to, b, groups, Index(O), choice.parts, Index(y.count()), f}, y.count());
}

void CudaBackend::inputs(Tensor<T> dx, Tensor<T> dy, const T* w, Groups groups, Tensor<T> sums, Tensor<T> hidden,
                         Activation f) {
    const size_t R = dy.dim(0), O = dy.dim(1), I = dx.dim(1);
    if (R == 0) return;
    join_updates(w);
    const TileChoice choice = choose_tile(groups.E, up(R, groups.E), I, O, queue_.processors(), precision_);
    T* const to = choice.parts == 1 ? dx.raw() : static_cast<T*>(scratch_bytes(choice.parts * dx.count() * sizeof(T)));
    with_tile(choice, [&](auto tile) {
        using Of = decltype(tile);
        const Index columns = Index(up(I, size_t(Of::columns)));
        launch(GroupedInputs<Of>{to, dy.raw(), w, sums.raw(), hidden.raw(), groups, Index(I), Index(O), columns,
                                 choice.parts, f},
               row_tiles<Of>(groups) * columns, choice.parts);
    });
    if (choice.parts > 1)
        for_each(SumInputs{dx.raw(), to, sums.raw(), hidden.raw(), choice.parts, Index(dx.count()), f}, dx.count());
}

void CudaBackend::weights(const AdamState& w, const AdamState& b, Tensor<T> x, Tensor<T> dy, Groups groups,
                          bool update) {
    const size_t E = groups.E, R = x.dim(0), I = x.dim(1), O = dy.dim(1);
    const TileChoice choice = choose_tile(E, I, O, up(R, E), queue_.processors(), precision_);
    const size_t of_w = E * I * O, of_b = E * O;
    std::optional<Aside> aside;
    if (update && recording_ != nullptr) {  // nothing else in a step needs weights that are updated
        aside.emplace(*this);
        updated_aside_.insert(w.w);
    }
    T *dw = w.g, *db = b.g;
    if (choice.parts > 1) {
        dw = static_cast<T*>(scratch_bytes(choice.parts * (of_w + of_b) * sizeof(T), aside ? of_aside : of_op));
        db = dw + choice.parts * of_w;
    }
    with_tile(choice, [&](auto tile) {
        using Of = decltype(tile);
        const Index columns = Index(up(O, size_t(Of::columns)));
        const Index blocks = Index(up(I, size_t(Of::rows))) * columns;
        if (update && choice.parts == 1)
            launch(GroupedWeights<Of, true>{dw, db, x.raw(), dy.raw(), w, b, groups, Index(I), Index(O), columns, 1},
                   blocks, 1, Index(E));
        else
            launch(GroupedWeights<Of, false>{dw, db, x.raw(), dy.raw(), w, b, groups, Index(I), Index(O), columns,
                                             choice.parts},
                   blocks, choice.parts, Index(E));
    });
    if (choice.parts > 1)
        for_each(SumWeights{w, b, dw, db, choice.parts, Index(of_w), Index(of_b), update}, of_w + of_b);
}

// --- dense: one group

void CudaBackend::dense(Tensor<T> y, Tensor<T> x, Tensor<T> w, Tensor<T> b) {
    shapes::dense(y, x, w, b);
    forward(y, nullptr, x, w.raw(), b.raw(), {nullptr, 1, Index(x.dim(0))}, Activation::linear);
}
void CudaBackend::dense_backward(Tensor<T> dx, Tensor<T> dw, Tensor<T> db, Tensor<T> dy, Tensor<T> x, Tensor<T> w) {
    shapes::dense_backward(dx, dw, db, dy, x, w);
    const Groups one{nullptr, 1, Index(x.dim(0))};
    if (dx) inputs(dx, dy, w.raw(), one);
    weights(gradient_of(dw), gradient_of(db), x, dy, one, false);
}
void CudaBackend::dense_update(Tensor<T> dx, const Trained<T>& w, const Trained<T>& b, Tensor<T> dy, Tensor<T> x,
                               Tensor<T> rate) {
    shapes::dense_update(dx, w, b, dy, x, rate);
    const Groups one{nullptr, 1, Index(x.dim(0))};
    if (dx) inputs(dx, dy, w.value.raw(), one);  // by the weights as they were
    weights(state_of(w, rate), state_of(b, rate), x, dy, one, true);
}

// --- experts

void CudaBackend::grouped_dense(Tensor<T> y, Tensor<T> x, Tensor<T> w, Tensor<T> b, Ids offsets) {
    shapes::grouped_dense(y, x, w, b, offsets);
    forward(y, nullptr, x, w.raw(), b.raw(), groups_of("grouped_dense", offsets, x.dim(0)), Activation::linear);
}
void CudaBackend::grouped_dense_backward(Tensor<T> dx, Tensor<T> dw, Tensor<T> db, Tensor<T> dy, Tensor<T> x,
                                         Tensor<T> w, Ids offsets) {
    shapes::grouped_dense_backward(dx, dw, db, dy, x, w, offsets);
    const Groups groups = groups_of("grouped_dense_backward", offsets, x.dim(0));
    if (dx) inputs(dx, dy, w.raw(), groups);
    weights(gradient_of(dw), gradient_of(db), x, dy, groups, false);
}
void CudaBackend::grouped_dense_update(Tensor<T> dx, const Trained<T>& w, const Trained<T>& b, Tensor<T> dy,
                                       Tensor<T> x, Ids offsets, Tensor<T> rate) {
    shapes::grouped_dense_update(dx, w, b, dy, x, offsets, rate);
    const Groups groups = groups_of("grouped_dense_update", offsets, x.dim(0));
    if (dx) inputs(dx, dy, w.value.raw(), groups);
    weights(state_of(w, rate), state_of(b, rate), x, dy, groups, true);
}

void CudaBackend::experts(Tensor<T> sums, Tensor<T> hidden, Tensor<T> y, Tensor<T> x, Tensor<T> w1, Tensor<T> b1,
                          Tensor<T> w2, Tensor<T> b2, Ids offsets, Activation f) {
    shapes::experts(sums, hidden, y, x, w1, b1, w2, b2, offsets);
    const Groups groups = groups_of("experts", offsets, x.dim(0));
    forward(sums, hidden.raw(), x, w1.raw(), b1.raw(), groups, f);
    forward(y, nullptr, hidden, w2.raw(), b2.raw(), groups, Activation::linear);
}
void CudaBackend::experts_backward(Tensor<T> dx, Tensor<T> dhidden, Tensor<T> dw1, Tensor<T> db1, Tensor<T> dw2,
                                   Tensor<T> db2, Tensor<T> dy, Tensor<T> x, Tensor<T> sums, Tensor<T> hidden,
                                   Tensor<T> w1, Tensor<T> w2, Ids offsets, Activation f) {
    shapes::experts_backward(dx, dhidden, dw1, db1, dw2, db2, dy, x, sums, hidden, w1, w2, offsets);
    const Groups groups = groups_of("experts_backward", offsets, x.dim(0));
    inputs(dhidden, dy, w2.raw(), groups, sums, hidden, f);
    weights(gradient_of(dw2), gradient_of(db2), hidden, dy, groups, false);
    inputs(dx, dhidden, w1.raw(), groups);
    weights(gradient_of(dw1), gradient_of(db1), x, dhidden, groups, false);
}
void CudaBackend::experts_update(Tensor<T> dx, Tensor<T> dhidden, const Trained<T>& w1, const Trained<T>& b1,
                                 const Trained<T>& w2, const Trained<T>& b2, Tensor<T> dy, Tensor<T> x, Tensor<T> sums,
                                 Tensor<T> hidden, Ids offsets, Activation f, Tensor<T> rate) {
    shapes::experts_update(dx, dhidden, w1, b1, w2, b2, dy, x, sums, hidden, offsets, rate);
    const Groups groups = groups_of("experts_update", offsets, x.dim(0));
    inputs(dhidden, dy, w2.value.raw(), groups, sums, hidden, f);
    weights(state_of(w2, rate), state_of(b2, rate), hidden, dy, groups, true);
    inputs(dx, dhidden, w1.value.raw(), groups);
    weights(state_of(w1, rate), state_of(b1, rate), x, dhidden, groups, true);
}

}  // namespace moe::cuda
