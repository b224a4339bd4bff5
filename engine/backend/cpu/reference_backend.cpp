#include "engine/backend/cpu/reference_backend.h"

#include "engine/backend/cpu/host_ids.h"
#include "engine/backend/shape_checks.h"
#include "engine/core/checked.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>

namespace moe {

using std::size_t;

template <class T>
void ReferenceBackend<T>::Free::operator()(void* memory) const {
    std::free(memory);
}

template <class T>
void* ReferenceBackend<T>::take(size_t count, size_t size) {
    constexpr size_t line = 64;
    const size_t bytes = checked_product("A tensor", {count, size});
    const size_t rounded = checked_sum("A tensor", {bytes, line - 1}) / line * line;
    void* memory = std::aligned_alloc(line, std::max(rounded, line));
    if (memory == nullptr)
        throw Error("There is no memory for " + format_bytes(bytes) + " more; choose smaller sizes.");
    buffers_.emplace_back(memory);
    std::memset(memory, 0, std::max(rounded, line));
    return memory;
}

template <class T>
Tensor<T> ReferenceBackend<T>::allocate(Shape s) {
    const size_t count = checked_product("A tensor", {s.size[0], s.size[1], s.size[2]});
    return {static_cast<T*>(take(count, sizeof(T))), s};
}
template <class T>
Ids ReferenceBackend<T>::allocate_ids(Shape s) {
    const size_t count = checked_product("A tensor", {s.size[0], s.size[1], s.size[2]});
    return {static_cast<std::int32_t*>(take(count, sizeof(std::int32_t))), s};
}
template <class T>
void ReferenceBackend<T>::upload(Tensor<T> to, const T* from) {
    std::copy_n(from, to.count(), to.raw());
}
template <class T>
void ReferenceBackend<T>::upload(Ids to, const std::int32_t* from) {
    std::copy_n(from, to.count(), to.raw());
}
template <class T>
void ReferenceBackend<T>::download(Tensor<T> from, T* to) {
    std::copy_n(from.raw(), from.count(), to);
}
template <class T>
void ReferenceBackend<T>::download(Ids from, std::int32_t* to) {
    std::copy_n(from.raw(), from.count(), to);
}
template <class T>
void ReferenceBackend<T>::fill(Tensor<T> x, T value) {
    std::fill_n(x.raw(), x.count(), value);
}

// How many tokens of a row the mean is over; 0 for a row that the mask empties.
static size_t tokens_in_mean(const std::int32_t* ids, size_t T, bool mask) {
    return mask ? T - size_t(std::count(ids, ids + T, 0)) : T;
}

template <class T>
void ReferenceBackend<T>::embedding_mean(Tensor<T> y, Ids ids, Tensor<T> table, bool mask) {
    shapes::embedding_mean(y, ids, table);
    check_ids("embedding_mean", "ids", ids, table.dim(0), "the table");
    const size_t N = ids.dim(0), tokens = ids.dim(1), D = table.dim(1);
    fill(y, T(0));
    for (size_t n = 0; n < N; ++n) {
        const std::int32_t* row = ids.raw() + n * tokens;
        T* mean = y.raw() + n * D;
        const size_t count = tokens_in_mean(row, tokens, mask);
        if (count == 0) continue;
        for (size_t t = 0; t < tokens; ++t)
            if (!mask || row[t] != 0)
                for (size_t d = 0; d < D; ++d) mean[d] += table.raw()[size_t(row[t]) * D + d];
        for (size_t d = 0; d < D; ++d) mean[d] /= T(count);
    }
}

template <class T>
void ReferenceBackend<T>::embedding_mean_backward(Tensor<T> dtable, Tensor<T> dy, Ids ids, bool mask) {
    shapes::embedding_mean_backward(dtable, dy, ids);
    check_ids("embedding_mean_backward", "ids", ids, dtable.dim(0), "the table");
    const size_t N = ids.dim(0), tokens = ids.dim(1), D = dtable.dim(1);
    for (size_t n = 0; n < N; ++n) {
        const std::int32_t* row = ids.raw() + n * tokens;
        const size_t count = tokens_in_mean(row, tokens, mask);
        for (size_t t = 0; t < tokens; ++t)
            if (!mask || row[t] != 0)
                for (size_t d = 0; d < D; ++d) dtable.raw()[size_t(row[t]) * D + d] += dy.raw()[n * D + d] / T(count);
    }
}

template <class T>
void ReferenceBackend<T>::embedding_mean_squares(Tensor<T> squares, Tensor<T> dy, Ids ids, bool mask) {
    shapes::embedding_mean_squares(squares, dy, ids);
    check_ids("embedding_mean_squares", "ids", ids, squares.dim(0), "squares");
    const size_t N = ids.dim(0), tokens = ids.dim(1), D = squares.dim(1);
    for (size_t n = 0; n < N; ++n) {
        const std::int32_t* row = ids.raw() + n * tokens;
        const size_t count = tokens_in_mean(row, tokens, mask);
        for (size_t t = 0; t < tokens; ++t)
            for (size_t d = 0; d < D && (!mask || row[t] != 0); ++d) {
                const T part = dy.raw()[n * D + d] / T(count);
                squares.raw()[size_t(row[t]) * D + d] += part * part;
            }
    }
}

template <class T>
void ReferenceBackend<T>::mean_tokens(Tensor<T> y, Tensor<T> x, Ids ids, bool mask) {
    shapes::mean_tokens(y, x, ids);
    const size_t N = ids.dim(0), tokens = ids.dim(1), D = y.dim(1);
    fill(y, T(0));
    for (size_t n = 0; n < N; ++n) {
        const std::int32_t* row = ids.raw() + n * tokens;
        const size_t count = tokens_in_mean(row, tokens, mask);
        for (size_t t = 0; t < tokens; ++t)
            for (size_t d = 0; d < D && (!mask || row[t] != 0); ++d)
                y.raw()[n * D + d] += x.raw()[(n * tokens + t) * D + d];
        for (size_t d = 0; d < D && count > 0; ++d) y.raw()[n * D + d] /= T(count);
    }
}

template <class T>
void ReferenceBackend<T>::mean_tokens_backward(Tensor<T> dx, Tensor<T> dy, Ids ids, bool mask) {
    shapes::mean_tokens_backward(dx, dy, ids);
    const size_t N = ids.dim(0), tokens = ids.dim(1), D = dy.dim(1);
    for (size_t n = 0; n < N; ++n) {
        const std::int32_t* row = ids.raw() + n * tokens;
        const size_t count = tokens_in_mean(row, tokens, mask);
        for (size_t t = 0; t < tokens; ++t)
            for (size_t d = 0; d < D; ++d)
                dx.raw()[(n * tokens + t) * D + d] = mask && row[t] == 0 ? T(0) : dy.raw()[n * D + d] / T(count);
    }
}

// y (N,O) = x (N,I) w (I,O) + b (O)
template <class T>
static void dense_rows(T* y, const T* x, const T* w, const T* b, size_t N, size_t I, size_t O) {
    for (size_t n = 0; n < N; ++n) {
        std::copy_n(b, O, y + n * O);
        for (size_t i = 0; i < I; ++i)
            for (size_t o = 0; o < O; ++o) y[n * O + o] += x[n * I + i] * w[i * O + o];
    }
}

// dw = x^T dy; db = column sums of dy; dx = dy w^T where it is wanted.
template <class T>
static void dense_rows_backward(T* dx, T* dw, T* db, const T* dy, const T* x, const T* w, size_t N, size_t I,
                                size_t O) {
    std::fill_n(dw, I * O, T(0));
    std::fill_n(db, O, T(0));
    for (size_t n = 0; n < N; ++n) {
        const T* g = dy + n * O;
        for (size_t o = 0; o < O; ++o) db[o] += g[o];
        for (size_t i = 0; i < I; ++i) {
            T sum = 0;
            for (size_t o = 0; o < O; ++o) {
                dw[i * O + o] += g[o] * x[n * I + i];
                sum += g[o] * w[i * O + o];
            }
            if (dx != nullptr) dx[n * I + i] = sum;
        }
    }
}

template <class T>
void ReferenceBackend<T>::dense(Tensor<T> y, Tensor<T> x, Tensor<T> w, Tensor<T> b) {
    shapes::dense(y, x, w, b);
    dense_rows(y.raw(), x.raw(), w.raw(), b.raw(), x.dim(0), w.dim(0), w.dim(1));
}

template <class T>
void ReferenceBackend<T>::dense_backward(Tensor<T> dx, Tensor<T> dw, Tensor<T> db, Tensor<T> dy, Tensor<T> x,
                                         Tensor<T> w) {
    shapes::dense_backward(dx, dw, db, dy, x, w);
    dense_rows_backward(dx.raw(), dw.raw(), db.raw(), dy.raw(), x.raw(), w.raw(), x.dim(0), w.dim(0), w.dim(1));
}

template <class T>
void ReferenceBackend<T>::grouped_dense(Tensor<T> y, Tensor<T> x, Tensor<T> w, Tensor<T> b, Ids offsets) {
    shapes::grouped_dense(y, x, w, b, offsets);
    check_offsets("grouped_dense", offsets, x.dim(0));
    const size_t E = w.dim(0), I = w.dim(1), O = w.dim(2);
    for (size_t e = 0; e < E; ++e) {
        const auto begin = size_t(offsets.raw()[e]), end = size_t(offsets.raw()[e + 1]);
        dense_rows(y.raw() + begin * O, x.raw() + begin * I, w.raw() + e * I * O, b.raw() + e * O, end - begin, I, O);
    }
}

template <class T>
void ReferenceBackend<T>::grouped_dense_backward(Tensor<T> dx, Tensor<T> dw, Tensor<T> db, Tensor<T> dy, Tensor<T> x,
                                                 Tensor<T> w, Ids offsets) {
    shapes::grouped_dense_backward(dx, dw, db, dy, x, w, offsets);
    check_offsets("grouped_dense_backward", offsets, x.dim(0));
    const size_t E = w.dim(0), I = w.dim(1), O = w.dim(2);
    for (size_t e = 0; e < E; ++e) {
        const auto begin = size_t(offsets.raw()[e]), end = size_t(offsets.raw()[e + 1]);
        dense_rows_backward(dx ? dx.raw() + begin * I : nullptr, dw.raw() + e * I * O, db.raw() + e * O,
                            dy.raw() + begin * O, x.raw() + begin * I, w.raw() + e * I * O, end - begin, I, O);
    }
}

template <class T>
void ReferenceBackend<T>::experts(Tensor<T> sums, Tensor<T> hidden, Tensor<T> y, Tensor<T> x, Tensor<T> w1,
                                  Tensor<T> b1, Tensor<T> w2, Tensor<T> b2, Ids offsets, Activation f) {
    shapes::experts(sums, hidden, y, x, w1, b1, w2, b2, offsets);
    this->grouped_dense(sums, x, w1, b1, offsets);
    this->activate(hidden, sums, f);
    this->grouped_dense(y, hidden, w2, b2, offsets);
}

template <class T>
void ReferenceBackend<T>::experts_backward(Tensor<T> dx, Tensor<T> dhidden, Tensor<T> dw1, Tensor<T> db1, Tensor<T> dw2,
                                           Tensor<T> db2, Tensor<T> dy, Tensor<T> x, Tensor<T> sums, Tensor<T> hidden,
                                           Tensor<T> w1, Tensor<T> w2, Ids offsets, Activation f) {
    shapes::experts_backward(dx, dhidden, dw1, db1, dw2, db2, dy, x, sums, hidden, w1, w2, offsets);
    this->grouped_dense_backward(dhidden, dw2, db2, dy, hidden, w2, offsets);
    this->activate_backward(dhidden, sums, hidden, f);
    this->grouped_dense_backward(dx, dw1, db1, dhidden, x, w1, offsets);
}

template <class T>
void ReferenceBackend<T>::add(Tensor<T> y, Tensor<T> x) {
    shapes::add(y, x);
    for (size_t i = 0; i < y.count(); ++i) y.raw()[i] += x.raw()[i];
}
template <class T>
void ReferenceBackend<T>::activate(Tensor<T> y, Tensor<T> x, Activation f) {
    shapes::activate(y, x);
    for (size_t i = 0; i < x.count(); ++i) y.raw()[i] = activated(f, x.raw()[i]);
}
template <class T>
void ReferenceBackend<T>::activate_backward(Tensor<T> dy, Tensor<T> x, Tensor<T> y, Activation f) {
    shapes::activate_backward(dy, x, y);
    for (size_t i = 0; i < y.count(); ++i) {
        const T out = y.raw()[i];
        if (f == Activation::relu) {
            if (out <= T(0)) dy.raw()[i] = T(0);
        } else if (f == Activation::tanh) {
            dy.raw()[i] *= 1 - out * out;
        } else {
            dy.raw()[i] *= activation_slope(f, x.raw()[i]);
        }
    }
}

template <class T>
void ReferenceBackend<T>::softmax(Tensor<T> probs, Tensor<T> logits) {
    shapes::softmax(probs, logits);
    const size_t N = logits.dim(0), E = logits.dim(1);
    for (size_t n = 0; n < N; ++n) {
        const T* z = logits.raw() + n * E;
        T* p = probs.raw() + n * E;
        const T top = *std::max_element(z, z + E);
        T sum = 0;
        for (size_t e = 0; e < E; ++e) sum += p[e] = std::exp(z[e] - top);
        for (size_t e = 0; e < E; ++e) p[e] /= sum;
    }
}

template <class T>
void ReferenceBackend<T>::softmax_backward(Tensor<T> dlogits, Tensor<T> dprobs, Tensor<T> probs) {
    shapes::softmax_backward(dlogits, dprobs, probs);
    const size_t N = probs.dim(0), E = probs.dim(1);
    for (size_t n = 0; n < N; ++n) {
        const T *dp = dprobs.raw() + n * E, *p = probs.raw() + n * E;
        T dot = 0;
        for (size_t e = 0; e < E; ++e) dot += dp[e] * p[e];
        for (size_t e = 0; e < E; ++e) dlogits.raw()[n * E + e] = p[e] * (dp[e] - dot);
    }
}

template <class T>
void ReferenceBackend<T>::top_k(Ids indices, Tensor<T> logits) {
    shapes::top_k(indices, logits);
    const size_t N = logits.dim(0), E = logits.dim(1), K = indices.dim(1);
    for (size_t n = 0; n < N; ++n) {
        const T* z = logits.raw() + n * E;
        std::int32_t* best = indices.raw() + n * K;
        size_t held = 0;
        // Insertion behind everything that is not smaller: ties keep the lower index, and NaN still gives K different
        // experts.
        for (size_t e = 0; e < E; ++e) {
            size_t place = held;
            while (place > 0 && z[e] > z[best[place - 1]]) --place;
            if (place == K) continue;
            held = std::min(held + 1, K);
            std::copy_backward(best + place, best + held - 1, best + held);
            best[place] = std::int32_t(e);
        }
    }
}

template <class T>
void ReferenceBackend<T>::all_experts(Ids indices) {
    shapes::all_experts(indices);
    const size_t E = indices.dim(1);
    for (size_t i = 0; i < indices.count(); ++i) indices.raw()[i] = std::int32_t(i % E);
}

template <class T>
void ReferenceBackend<T>::select(Tensor<T> y, Tensor<T> x, Ids indices) {
    shapes::select(y, x, indices);
    const size_t N = indices.dim(0), K = indices.dim(1), E = x.dim(1);
    for (size_t n = 0; n < N; ++n)
        for (size_t k = 0; k < K; ++k) y.raw()[n * K + k] = x.raw()[n * E + size_t(indices.raw()[n * K + k])];
}
template <class T>
void ReferenceBackend<T>::select_backward(Tensor<T> dx, Tensor<T> dy, Ids indices) {
    shapes::select_backward(dx, dy, indices);
    const size_t N = indices.dim(0), K = indices.dim(1), E = dx.dim(1);
    for (size_t n = 0; n < N; ++n)
        for (size_t k = 0; k < K; ++k) dx.raw()[n * E + size_t(indices.raw()[n * K + k])] += dy.raw()[n * K + k];
}

template <class T>
void ReferenceBackend<T>::dispatch(Ids offsets, Ids row_tokens, Ids positions, Ids indices) {
    shapes::dispatch(offsets, row_tokens, positions, indices);
    const size_t E = offsets.dim(0) - 1, K = indices.dim(1), visits = indices.count();
    check_ids("dispatch", "indices", indices, E, "the mixture");
    std::int32_t* o = offsets.raw();
    std::fill_n(o, E + 1, 0);
    for (size_t i = 0; i < visits; ++i) ++o[indices.raw()[i] + 1];
    for (size_t e = 0; e < E; ++e) o[e + 1] += o[e];
    // While rows are given out, o[e] is expert e's next free row; afterwards it is the start of e + 1.
    for (size_t i = 0; i < visits; ++i) {
        const std::int32_t row = o[indices.raw()[i]]++;
        positions.raw()[i] = row;
        row_tokens.raw()[row] = std::int32_t(i / K);
    }
    std::copy_backward(o, o + E, o + E + 1);
    o[0] = 0;
}

template <class T>
void ReferenceBackend<T>::gather_rows(Tensor<T> rows, Tensor<T> x, Ids row_tokens) {
    shapes::gather_rows(rows, x, row_tokens);
    check_ids("gather_rows", "row_tokens", row_tokens, x.dim(0), "x");
    const size_t R = rows.dim(0), D = rows.dim(1);
    for (size_t r = 0; r < R; ++r) std::copy_n(x.raw() + size_t(row_tokens.raw()[r]) * D, D, rows.raw() + r * D);
}
template <class T>
void ReferenceBackend<T>::gather_rows_backward(Tensor<T> dx, Tensor<T> drows, Ids positions) {
    shapes::gather_rows_backward(dx, drows, positions);
    check_ids("gather_rows_backward", "positions", positions, drows.dim(0), "drows");
    const size_t N = dx.dim(0), D = dx.dim(1), K = positions.dim(1);
    fill(dx, T(0));
    for (size_t n = 0; n < N; ++n)
        for (size_t k = 0; k < K; ++k)
            for (size_t d = 0; d < D; ++d)
                dx.raw()[n * D + d] += drows.raw()[size_t(positions.raw()[n * K + k]) * D + d];
}

template <class T>
void ReferenceBackend<T>::combine(Tensor<T> y, Tensor<T> weights, Tensor<T> rows, Ids positions) {
    shapes::combine(y, weights, rows, positions);
    check_ids("combine", "positions", positions, rows.dim(0), "rows");
    const size_t N = y.dim(0), D = y.dim(1), K = positions.dim(1);
    fill(y, T(0));
    for (size_t n = 0; n < N; ++n)
        for (size_t k = 0; k < K; ++k)
            for (size_t d = 0; d < D; ++d)
                y.raw()[n * D + d] += weights.raw()[n * K + k] * rows.raw()[size_t(positions.raw()[n * K + k]) * D + d];
}
template <class T>
void ReferenceBackend<T>::combine_backward(Tensor<T> dweights, Tensor<T> drows, Tensor<T> dy, Tensor<T> weights,
                                           Tensor<T> rows, Ids positions) {
    shapes::combine_backward(dweights, drows, dy, weights, rows, positions);
    check_ids("combine_backward", "positions", positions, rows.dim(0), "rows");
    const size_t N = dy.dim(0), D = dy.dim(1), K = positions.dim(1);
    for (size_t n = 0; n < N; ++n)
        for (size_t k = 0; k < K; ++k) {
            const size_t row = size_t(positions.raw()[n * K + k]) * D;
            T dot = 0;
            for (size_t d = 0; d < D; ++d) {
                dot += dy.raw()[n * D + d] * rows.raw()[row + d];
                drows.raw()[row + d] = weights.raw()[n * K + k] * dy.raw()[n * D + d];
            }
            dweights.raw()[n * K + k] = dot;
        }
}

template <class T>
void ReferenceBackend<T>::balance_loss(Tensor<T> loss, Tensor<T> dprobs, Tensor<T> probs, Ids indices, T weight,
                                       Ids words) {
    shapes::balance_loss(loss, dprobs, probs, indices, words);
    const size_t N = probs.dim(0), E = probs.dim(1), K = indices.dim(1);
    const auto counts = [&](size_t n) { return !words || words.raw()[n] != 0; };
    size_t rows = 0;
    for (size_t n = 0; n < N; ++n) rows += counts(n);
    loss.raw()[0] = 0;
    if (rows * K == 0) return;
    // Expert by expert, so that no scratch is needed; exact counts, then one division.
    double total = 0;
    for (size_t e = 0; e < E; ++e) {
        size_t assigned = 0;
        for (size_t n = 0; n < N; ++n)
            for (size_t k = 0; k < K; ++k) assigned += counts(n) && size_t(indices.raw()[n * K + k]) == e;
        const T fraction = T(assigned) / T(rows * K);
        T mean = 0;
        for (size_t n = 0; n < N; ++n) {
            if (!counts(n)) continue;
            mean += probs.raw()[n * E + e];
            dprobs.raw()[n * E + e] += weight * T(E) * fraction / T(rows);
        }
        total += double(fraction) * double(mean / T(rows));
    }
    loss.raw()[0] = T(double(weight) * double(E) * total);
}

template <class T>
void ReferenceBackend<T>::expert_load(Tensor<T> load, Tensor<T> weights, Ids indices, Ids words) {
    shapes::expert_load(load, weights, indices, words);
    check_ids("expert_load", "indices", indices, load.dim(0), "load");
    const size_t K = indices.dim(1);
    fill(load, T(0));
    for (size_t i = 0; i < indices.count(); ++i)
        if (!words || words.raw()[i / K] != 0) load.raw()[indices.raw()[i]] += weights.raw()[i];
}

template <class T>
void ReferenceBackend<T>::softmax_cross_entropy(Tensor<T> loss, Tensor<T> correct, Tensor<T> logits, Ids targets) {
    shapes::softmax_cross_entropy(loss, correct, logits, targets);
    const size_t N = logits.dim(0), V = logits.dim(1);
    check_ids("softmax_cross_entropy", "targets", targets, V, "logits");
    double total = 0;  // N losses of up to 2e38 leave float
    size_t right = 0;
    for (size_t n = 0; n < N; ++n) {
        T* z = logits.raw() + n * V;
        const auto target = size_t(targets.raw()[n]);
        const T* top = std::max_element(z, z + V);
        right += size_t(top - z) == target;
        const T shift = *top, margin = shift - z[target];
        T sum = 0;
        for (size_t v = 0; v < V; ++v) sum += z[v] = std::exp(z[v] - shift);
        total += std::log(double(sum)) + double(margin);
        for (size_t v = 0; v < V; ++v) z[v] /= sum * T(N);
        z[target] -= T(1) / T(N);
    }
    loss.raw()[0] = N == 0 ? T(0) : T(total / double(N));
    correct.raw()[0] = T(right);
}

template <class T>
void ReferenceBackend<T>::adam(Tensor<T> w, Tensor<T> g, Tensor<T> m, Tensor<T> v, Tensor<T> rate) {
    shapes::adam(w, g, m, v, rate);
    const T a = rate.raw()[0], epsilon = T(adam_epsilon);
    for (size_t i = 0; i < w.count(); ++i) {
        const T gradient = g.raw()[i];
        T &momentum = m.raw()[i], &velocity = v.raw()[i];
        momentum += (gradient - momentum) * T(1 - adam_beta1);
        velocity += (gradient * gradient - velocity) * T(1 - adam_beta2);
        w.raw()[i] -= a * momentum / (std::sqrt(velocity) + epsilon);
        g.raw()[i] = 0;
    }
}

template <class T>
void ReferenceBackend<T>::adam_of_squares(Tensor<T> w, Tensor<T> g, Tensor<T> squares, Tensor<T> m, Tensor<T> v,
                                          Tensor<T> rate) {
    shapes::adam_of_squares(w, g, squares, m, v, rate);
    const T a = rate.raw()[0], epsilon = T(adam_epsilon);
    for (size_t i = 0; i < w.count(); ++i) {
        T &momentum = m.raw()[i], &velocity = v.raw()[i];
        momentum += (g.raw()[i] - momentum) * T(1 - adam_beta1);
        velocity += (squares.raw()[i] - velocity) * T(1 - adam_beta2);
        w.raw()[i] -= a * momentum / (std::sqrt(velocity) + epsilon);
        g.raw()[i] = squares.raw()[i] = 0;
    }
}

template <class T>
void ReferenceBackend<T>::dense_update(Tensor<T> dx, const Trained<T>& w, const Trained<T>& b, Tensor<T> dy,
                                       Tensor<T> x, Tensor<T> rate) {
    shapes::dense_update(dx, w, b, dy, x, rate);
    this->dense_backward(dx, w.gradient, b.gradient, dy, x, w.value);
    for (const Trained<T>* p : {&w, &b}) this->adam(p->value, p->gradient, p->m, p->v, rate);
}

template <class T>
void ReferenceBackend<T>::grouped_dense_update(Tensor<T> dx, const Trained<T>& w, const Trained<T>& b, Tensor<T> dy,
                                               Tensor<T> x, Ids offsets, Tensor<T> rate) {
    shapes::grouped_dense_update(dx, w, b, dy, x, offsets, rate);
    this->grouped_dense_backward(dx, w.gradient, b.gradient, dy, x, w.value, offsets);
    for (const Trained<T>* p : {&w, &b}) this->adam(p->value, p->gradient, p->m, p->v, rate);
}

template <class T>
void ReferenceBackend<T>::experts_update(Tensor<T> dx, Tensor<T> dhidden, const Trained<T>& w1, const Trained<T>& b1,
                                         const Trained<T>& w2, const Trained<T>& b2, Tensor<T> dy, Tensor<T> x,
                                         Tensor<T> sums, Tensor<T> hidden, Ids offsets, Activation f, Tensor<T> rate) {
    shapes::experts_update(dx, dhidden, w1, b1, w2, b2, dy, x, sums, hidden, offsets, rate);
    this->grouped_dense_update(dhidden, w2, b2, dy, hidden, offsets, rate);
    this->activate_backward(dhidden, sums, hidden, f);
    this->grouped_dense_update(dx, w1, b1, dhidden, x, offsets, rate);
}

template <class T>
void ReferenceBackend<T>::embedding_mean_update(const Trained<T>& table, Tensor<T> dy, Ids ids, bool mask,
                                                Tensor<T> rate) {
    shapes::embedding_mean_update(table, dy, ids, rate);
    this->embedding_mean_backward(table.gradient, dy, ids, mask);
    this->adam(table.value, table.gradient, table.m, table.v, rate);
}

template class ReferenceBackend<float>;
template class ReferenceBackend<double>;

template <class T>
std::unique_ptr<Backend<T>> make_reference_backend() {
    return std::make_unique<ReferenceBackend<T>>();
}
template std::unique_ptr<Backend<float>> make_reference_backend();
template std::unique_ptr<Backend<double>> make_reference_backend();

}  // namespace moe
