#include "engine/backend/cpu/cpu_backend.h"

#include "engine/backend/cpu/host_ids.h"
#include "engine/backend/cpu/reference_backend.h"
#include "engine/backend/shape_checks.h"
#include "engine/core/float_mode.h"
#include "engine/core/thread_pool.h"

#include <algorithm>
#include <cstring>

namespace moe {

namespace {

using std::size_t;

// Products are cut into tiles of at most this many rows and columns: Eigen's packed copies of a tile then stay on the
// stack, and the tiles are the parts that threads share.
constexpr size_t tile_rows = 256, tile_columns = 256;
// A long inner dimension is cut too, and its partial sums are added in order.
constexpr size_t depth_part = 512, most_depth_parts = 8, partial_floats = size_t(1) << 17;
// Gradients of more numbers are written past the caches, where nobody would find them later. Only who asks for
// gradients, not for an update, has any: stepping through, and measuring the layer.
constexpr size_t far_gradients = size_t(1) << 21;
constexpr size_t columns_in_cache = 512;       // of a matrix that one product leaves for the next; whole product slices
constexpr size_t flat_part = size_t(1) << 14;  // elements of an elementwise op's part
// Below about this much work, told as floating-point operations, a thread's start costs more than it saves: what the
// other one has written lies in the other one's cache.
constexpr double worth_a_thread = 3e6;

constexpr double adam_work = 60, cross_entropy_work = 60;  // of a parameter and of a logit

double activation_work(Activation f) {
    return f == Activation::relu || f == Activation::linear ? 1 : 30;
}

size_t parts_of(size_t size, size_t part) {
    return (size + part - 1) / part;
}

class CpuBackend final : public ReferenceBackend<float> {
    using Base = ReferenceBackend<float>;

public:
    CpuBackend(Isa isa, size_t threads)
        : kernels_(kernels_for(isa)), pool_(threads), partial_(Base::allocate({{partial_floats, 1, 1}}).raw()) {}

    std::string name() const override { return std::string("CPU · ") + kernels_.title; }

    void embedding_mean(Tensor<float> y, Ids ids, Tensor<float> table, bool mask) override {
        shapes::embedding_mean(y, ids, table);
        check_ids("embedding_mean", "ids", ids, table.dim(0), "the table");
        const FlushDenormals flush;
        const size_t T = ids.dim(1), D = table.dim(1);
        by_rows(ids.dim(0), double(T * D), [&](size_t n) {
            kernels_.embedding_mean_row(y.raw() + n * D, ids.raw() + n * T, T, table.raw(), D, mask);
        });
    }
    void embedding_mean_backward(Tensor<float> dtable, Tensor<float> dy, Ids ids, bool mask) override {
        shapes::embedding_mean_backward(dtable, dy, ids);
        check_ids("embedding_mean_backward", "ids", ids, dtable.dim(0), "the table");
        const FlushDenormals flush;
        const size_t T = ids.dim(1), D = dtable.dim(1);
        // Examples share words: one thread, in order.
        for (size_t n = 0; n < ids.dim(0); ++n)
            kernels_.embedding_mean_row_backward(dtable.raw(), dy.raw() + n * D, ids.raw() + n * T, T, D, mask);
    }

    void embedding_mean_squares(Tensor<float> squares, Tensor<float> dy, Ids ids, bool mask) override {
        shapes::embedding_mean_squares(squares, dy, ids);
        check_ids("embedding_mean_squares", "ids", ids, squares.dim(0), "squares");
        const FlushDenormals flush;
        const size_t T = ids.dim(1), D = squares.dim(1);
        for (size_t n = 0; n < ids.dim(0); ++n)
            kernels_.embedding_mean_row_squares(squares.raw(), dy.raw() + n * D, ids.raw() + n * T, T, D, mask);
    }

    void mean_tokens(Tensor<float> y, Tensor<float> x, Ids ids, bool mask) override {
        shapes::mean_tokens(y, x, ids);
        const FlushDenormals flush;
        const size_t T = ids.dim(1), D = y.dim(1);
        by_rows(ids.dim(0), double(T * D), [&](size_t n) {
            float* mean = y.raw() + n * D;
            size_t count = 0;
            std::fill_n(mean, D, 0.0f);
            for (size_t i = n * T; i < (n + 1) * T; ++i)
                if (!mask || ids.raw()[i] != 0) kernels_.add(mean, x.raw() + i * D, D), ++count;
            for (size_t d = 0; d < D && count > 0; ++d) mean[d] /= float(count);
        });
    }
    void mean_tokens_backward(Tensor<float> dx, Tensor<float> dy, Ids ids, bool mask) override {
        shapes::mean_tokens_backward(dx, dy, ids);
        const FlushDenormals flush;
        const size_t T = ids.dim(1), D = dy.dim(1);
        by_rows(ids.dim(0), double(T * D), [&](size_t n) {
            const std::int32_t* row = ids.raw() + n * T;
            const float count = float(mask ? T - size_t(std::count(row, row + T, 0)) : T);
            for (size_t t = 0; t < T; ++t) {
                float* to = dx.raw() + (n * T + t) * D;
                for (size_t d = 0; d < D; ++d) to[d] = mask && row[t] == 0 ? 0.0f : dy.raw()[n * D + d] / count;
            }
        });
    }

    void dense(Tensor<float> y, Tensor<float> x, Tensor<float> w, Tensor<float> b) override {
        shapes::dense(y, x, w, b);
        const FlushDenormals flush;
        forward(y.raw(), x.raw(), w.raw(), b.raw(), x.dim(0), w.dim(0), w.dim(1), Threads::shared);
    }
    void dense_backward(Tensor<float> dx, Tensor<float> dw, Tensor<float> db, Tensor<float> dy, Tensor<float> x,
                        Tensor<float> w) override {
        shapes::dense_backward(dx, dw, db, dy, x, w);
        const FlushDenormals flush;
        const size_t N = x.dim(0), I = w.dim(0), O = w.dim(1);
        weight_gradient(dw.raw(), db.raw(), dy.raw(), x.raw(), N, I, O, Threads::shared);
        if (dx) input_gradient(dx.raw(), dy.raw(), w.raw(), N, I, O, Threads::shared);
    }

    void grouped_dense(Tensor<float> y, Tensor<float> x, Tensor<float> w, Tensor<float> b, Ids offsets) override {
        shapes::grouped_dense(y, x, w, b, offsets);
        check_offsets("grouped_dense", offsets, x.dim(0));
        const FlushDenormals flush;
        const size_t I = w.dim(1), O = w.dim(2);
        by_expert(offsets, I * O,
                  [&](size_t e, size_t begin, size_t rows) { expert_forward(y, x, w, b, e, begin, rows); });
    }
    void grouped_dense_backward(Tensor<float> dx, Tensor<float> dw, Tensor<float> db, Tensor<float> dy, Tensor<float> x,
                                Tensor<float> w, Ids offsets) override {
        shapes::grouped_dense_backward(dx, dw, db, dy, x, w, offsets);
        check_offsets("grouped_dense_backward", offsets, x.dim(0));
        const FlushDenormals flush;
        const size_t I = w.dim(1), O = w.dim(2);
        const std::int32_t* const o = offsets.raw();
        run(w.dim(0), 4.0 * double((x.dim(0) + w.dim(0)) * I * O), [&](size_t e) {
            const size_t begin = size_t(o[e]);
            expert_backward(dx, dw, db, dy, x, w, e, begin, size_t(o[e + 1]) - begin);
        });
    }

    void experts(Tensor<float> sums, Tensor<float> hidden, Tensor<float> y, Tensor<float> x, Tensor<float> w1,
                 Tensor<float> b1, Tensor<float> w2, Tensor<float> b2, Ids offsets, Activation f) override {
        shapes::experts(sums, hidden, y, x, w1, b1, w2, b2, offsets);
        check_offsets("experts", offsets, x.dim(0));
        const FlushDenormals flush;
        const size_t D = w1.dim(1), H = w1.dim(2);
        const auto activation = kernels_.activate[static_cast<size_t>(f)];
        by_expert(offsets, 2 * D * H, [&](size_t e, size_t begin, size_t rows) {
            expert_forward(sums, x, w1, b1, e, begin, rows);
            activation(hidden.raw() + begin * H, sums.raw() + begin * H, rows * H);
            expert_forward(y, hidden, w2, b2, e, begin, rows);
        });
    }
    void experts_backward(Tensor<float> dx, Tensor<float> dhidden, Tensor<float> dw1, Tensor<float> db1,
                          Tensor<float> dw2, Tensor<float> db2, Tensor<float> dy, Tensor<float> x, Tensor<float> sums,
                          Tensor<float> hidden, Tensor<float> w1, Tensor<float> w2, Ids offsets,
                          Activation f) override {
        shapes::experts_backward(dx, dhidden, dw1, db1, dw2, db2, dy, x, sums, hidden, w1, w2, offsets);
        check_offsets("experts_backward", offsets, x.dim(0));
        const FlushDenormals flush;
        const size_t E = w1.dim(0), D = w1.dim(1), H = w1.dim(2);
        const std::int32_t* const o = offsets.raw();
        const auto slope = kernels_.activate_backward[static_cast<size_t>(f)];
        run(E, 8.0 * double((x.dim(0) + E) * D * H), [&](size_t e) {
            const size_t begin = size_t(o[e]), rows = size_t(o[e + 1]) - begin;
            expert_backward(dhidden, dw2, db2, dy, hidden, w2, e, begin, rows);
            slope(dhidden.raw() + begin * H, sums.raw() + begin * H, hidden.raw() + begin * H, rows * H);
            expert_backward(dx, dw1, db1, dhidden, x, w1, e, begin, rows);
        });
    }

    void add(Tensor<float> y, Tensor<float> x) override {
        shapes::add(y, x);
        const FlushDenormals flush;
        flat(y.count(), 1, [&](size_t i, size_t n) { kernels_.add(y.raw() + i, x.raw() + i, n); });
    }
    void activate(Tensor<float> y, Tensor<float> x, Activation f) override {
        shapes::activate(y, x);
        const FlushDenormals flush;
        const auto kernel = kernels_.activate[static_cast<size_t>(f)];
        flat(y.count(), activation_work(f), [&](size_t i, size_t n) { kernel(y.raw() + i, x.raw() + i, n); });
    }
    void activate_backward(Tensor<float> dy, Tensor<float> x, Tensor<float> y, Activation f) override {
        shapes::activate_backward(dy, x, y);
        const FlushDenormals flush;
        const auto kernel = kernels_.activate_backward[static_cast<size_t>(f)];
        flat(y.count(), activation_work(f),
             [&](size_t i, size_t n) { kernel(dy.raw() + i, x.raw() + i, y.raw() + i, n); });
    }

    void softmax(Tensor<float> probs, Tensor<float> logits) override {
        shapes::softmax(probs, logits);
        const FlushDenormals flush;
        const size_t E = logits.dim(1);
        by_rows(logits.dim(0), 20.0 * double(E),
                [&](size_t n) { kernels_.softmax(probs.raw() + n * E, logits.raw() + n * E, 1, E); });
    }
    void softmax_backward(Tensor<float> dlogits, Tensor<float> dprobs, Tensor<float> probs) override {
        shapes::softmax_backward(dlogits, dprobs, probs);
        const FlushDenormals flush;
        kernels_.softmax_backward(dlogits.raw(), dprobs.raw(), probs.raw(), probs.dim(0), probs.dim(1));
    }

    void top_k(Ids indices, Tensor<float> logits) override {
        shapes::top_k(indices, logits);
        const FlushDenormals flush;
        const size_t E = logits.dim(1), K = indices.dim(1);
        by_rows(logits.dim(0), double(E),
                [&](size_t n) { kernels_.top_k_row(indices.raw() + n * K, logits.raw() + n * E, E, K); });
    }
    void select_backward(Tensor<float> dx, Tensor<float> dy, Ids indices) override {
        const FlushDenormals flush;
        Base::select_backward(dx, dy, indices);
    }
    void gather_rows_backward(Tensor<float> dx, Tensor<float> drows, Ids positions) override {
        shapes::gather_rows_backward(dx, drows, positions);
        check_ids("gather_rows_backward", "positions", positions, drows.dim(0), "drows");
        const FlushDenormals flush;
        const size_t D = dx.dim(1), K = positions.dim(1);
        by_rows(dx.dim(0), double(K * D), [&](size_t n) {
            kernels_.combine_row(dx.raw() + n * D, nullptr, drows.raw(), positions.raw() + n * K, K, D);
        });
    }
    void combine(Tensor<float> y, Tensor<float> weights, Tensor<float> rows, Ids positions) override {
        shapes::combine(y, weights, rows, positions);
        check_ids("combine", "positions", positions, rows.dim(0), "rows");
        const FlushDenormals flush;
        const size_t D = y.dim(1), K = positions.dim(1);
        by_rows(y.dim(0), double(2 * K * D), [&](size_t n) {
            kernels_.combine_row(y.raw() + n * D, weights.raw() + n * K, rows.raw(), positions.raw() + n * K, K, D);
        });
    }
    void combine_backward(Tensor<float> dweights, Tensor<float> drows, Tensor<float> dy, Tensor<float> weights,
                          Tensor<float> rows, Ids positions) override {
        shapes::combine_backward(dweights, drows, dy, weights, rows, positions);
        check_ids("combine_backward", "positions", positions, rows.dim(0), "rows");
        const FlushDenormals flush;
        const size_t D = dy.dim(1), K = positions.dim(1);
        by_rows(dy.dim(0), double(3 * K * D), [&](size_t n) {
            kernels_.combine_row_backward(dweights.raw() + n * K, drows.raw(), dy.raw() + n * D, weights.raw() + n * K,
                                          rows.raw(), positions.raw() + n * K, K, D);
        });
    }

    void balance_loss(Tensor<float> loss, Tensor<float> dprobs, Tensor<float> probs, Ids indices, float weight,
                      Ids words) override {
        shapes::balance_loss(loss, dprobs, probs, indices, words);
        const size_t rows = probs.dim(0), E = probs.dim(1), K = indices.dim(1);
        check_ids("balance_loss", "indices", indices, E, "the mixture");
        const FlushDenormals flush;
        const auto counts = [&](size_t n) { return !words || words.raw()[n] != 0; };
        const size_t N = words ? rows - size_t(std::count(words.raw(), words.raw() + rows, 0)) : rows, visits = N * K;
        if (visits == 0 || 2 * E > partial_floats)
            return Base::balance_loss(loss, dprobs, probs, indices, weight, words);
        float *fractions = partial_, *sums = partial_ + E;
        std::memset(partial_, 0, 8 * E);
        for (size_t n = 0; n < rows; ++n)
            for (size_t i = n * K; i < (n + 1) * K && counts(n); ++i)
                fractions[indices.raw()[i]] += 1.0f;  // exact below 2^24 visits
        if (!words) kernels_.add_column_sums(sums, probs.raw(), E, N, E);
        for (size_t n = 0; n < rows && words; ++n)
            if (counts(n)) kernels_.add(sums, probs.raw() + n * E, E);
        double total = 0;
        for (size_t e = 0; e < E; ++e) {
            total += double(fractions[e]) * double(sums[e]);
            fractions[e] *= weight * float(E) / (float(visits) * float(N));
        }
        for (size_t n = 0; n < rows; ++n)
            if (counts(n)) kernels_.add(dprobs.raw() + n * E, fractions, E);
        loss.raw()[0] = float(double(weight) * double(E) * total / (double(visits) * double(N)));
    }
    void expert_load(Tensor<float> load, Tensor<float> weights, Ids indices, Ids words) override {
        const FlushDenormals flush;
        Base::expert_load(load, weights, indices, words);
    }

    void softmax_cross_entropy(Tensor<float> loss, Tensor<float> correct, Tensor<float> logits, Ids targets) override {
        shapes::softmax_cross_entropy(loss, correct, logits, targets);
        const size_t N = logits.dim(0), V = logits.dim(1);
        check_ids("softmax_cross_entropy", "targets", targets, V, "logits");
        const FlushDenormals flush;
        // A part is a few rows; their losses are added in the parts' order.
        constexpr size_t most_parts = 16;
        double total[most_parts] = {};
        size_t right[most_parts] = {};
        const size_t part_rows = std::max<size_t>(1, parts_of(N, most_parts)), parts = parts_of(N, part_rows);
        run(parts, cross_entropy_work * double(N * V), [&](size_t part) {
            for (size_t n = part * part_rows; n < std::min(N, (part + 1) * part_rows); ++n)
                total[part] += kernels_.cross_entropy_row(logits.raw() + n * V, V, size_t(targets.raw()[n]),
                                                          1.0f / float(N), &right[part]);
        });
        double sum = 0;
        size_t all_right = 0;
        for (size_t part = 0; part < parts; ++part) sum += total[part], all_right += right[part];
        loss.raw()[0] = N == 0 ? 0.0f : float(sum / double(N));
        correct.raw()[0] = float(all_right);
    }

    void adam(Tensor<float> w, Tensor<float> g, Tensor<float> m, Tensor<float> v, Tensor<float> rate) override {
        shapes::adam(w, g, m, v, rate);
        const FlushDenormals flush;
        flat(w.count(), adam_work, [&](size_t i, size_t n) {
            kernels_.adam(w.raw() + i, g.raw() + i, m.raw() + i, v.raw() + i, rate.raw()[0], n);
        });
    }

    void dense_update(Tensor<float> dx, const Trained<float>& w, const Trained<float>& b, Tensor<float> dy,
                      Tensor<float> x, Tensor<float> rate) override {
        shapes::dense_update(dx, w, b, dy, x, rate);
        const size_t N = x.dim(0), I = w.value.dim(0), O = w.value.dim(1);
        const auto [parts, part] = depth_parts(O, dx ? N * I : 0);
        const bool wants_threads = parts == 1 && pool_.threads() > 1 && double(N * I * O) > worth_a_thread;
        if (!straight_into_adam(N) || parts == 0 || wants_threads) return Base::dense_update(dx, w, b, dy, x, rate);
        const FlushDenormals flush;
        run(parts, (dx ? 4.0 : 2.0) * double(N * I * O) + adam_work * double(I * O),
            [&, parts = parts, part = part](size_t p) {
                const size_t begin = p * part, end = std::min(O, begin + part);
                float* const sum = dx ? parts == 1 ? dx.raw() : partial_ + p * N * I : nullptr;
                // Columns whose weights stay in the cache from the one product to the other.
                for (size_t c = begin; c < end; c += columns_in_cache) {
                    const size_t columns = std::min(columns_in_cache, end - c);
                    const float* const g = dy.raw() + c;
                    if (sum) kernels_.gemm_nt(sum, I, g, O, w.value.raw() + c, O, N, I, columns, c != begin);
                    update_weights(at(w, c), at(b, c), O, g, O, x.raw(), N, I, columns, rate.raw()[0]);
                }
            });
        if (dx && parts > 1) add_parts(dx.raw(), N * I, parts);
    }
    void grouped_dense_update(Tensor<float> dx, const Trained<float>& w, const Trained<float>& b, Tensor<float> dy,
                              Tensor<float> x, Ids offsets, Tensor<float> rate) override {
        shapes::grouped_dense_update(dx, w, b, dy, x, offsets, rate);
        check_offsets("grouped_dense_update", offsets, x.dim(0));
        const FlushDenormals flush;
        const size_t E = w.value.dim(0), I = w.value.dim(1), O = w.value.dim(2);
        const std::int32_t* const o = offsets.raw();
        run(E, 4.0 * double(x.dim(0) * I * O) + adam_work * double(E * I * O), [&](size_t e) {
            const size_t begin = size_t(o[e]), rows = size_t(o[e + 1]) - begin;
            const Slice we = at(w, e * I * O), be = at(b, e * O);
            if (rows == 0) {
                kernels_.adam_at_rest(we.value, we.m, we.v, rate.raw()[0], I * O);
                kernels_.adam_at_rest(be.value, be.m, be.v, rate.raw()[0], O);
                return;
            }
            const float *g = dy.raw() + begin * O, *from = x.raw() + begin * I;
            if (dx) input_gradient(dx.raw() + begin * I, g, we.value, rows, I, O, Threads::caller);
            if (straight_into_adam(rows)) return update_weights(we, be, O, g, O, from, rows, I, O, rate.raw()[0]);
            weight_gradient(we.gradient, be.gradient, g, from, rows, I, O, Threads::caller);
            kernels_.adam(we.value, we.gradient, we.m, we.v, rate.raw()[0], I * O);
            kernels_.adam(be.value, be.gradient, be.m, be.v, rate.raw()[0], O);
        });
    }
    void embedding_mean_update(const Trained<float>& table, Tensor<float> dy, Ids ids, bool mask,
                               Tensor<float> rate) override {
        shapes::embedding_mean_update(table, dy, ids, rate);
        embedding_mean_backward(table.gradient, dy, ids, mask);
        const FlushDenormals flush;
        const size_t V = table.value.dim(0), D = table.value.dim(1);
        touched_.assign(V, 0);
        for (size_t i = 0; i < ids.count(); ++i) touched_[size_t(ids.raw()[i])] = 1;
        constexpr size_t part = 64;
        run(parts_of(V, part), adam_work * double(V * D), [&](size_t p) {
            const size_t end = std::min(V, (p + 1) * part);
            for (size_t row = p * part, next; row < end; row = next) {
                for (next = row + 1; next < end && touched_[next] == touched_[row];) ++next;
                const Slice t = at(table, row * D);
                if (touched_[row])
                    kernels_.adam(t.value, t.gradient, t.m, t.v, rate.raw()[0], (next - row) * D);
                else
                    kernels_.adam_at_rest(t.value, t.m, t.v, rate.raw()[0], (next - row) * D);
            }
        });
    }

    void adam_of_squares(Tensor<float> w, Tensor<float> g, Tensor<float> squares, Tensor<float> m, Tensor<float> v,
                         Tensor<float> rate) override {
        shapes::adam_of_squares(w, g, squares, m, v, rate);
        const FlushDenormals flush;
        flat(w.count(), adam_work, [&](size_t i, size_t n) {
            kernels_.adam_of_squares(w.raw() + i, g.raw() + i, squares.raw() + i, m.raw() + i, v.raw() + i,
                                     rate.raw()[0], n);
        });
    }

private:
    /// From some number of a parameter on.
    struct Slice {
        float *value, *gradient, *m, *v;
    };
    static Slice at(const Trained<float>& p, size_t i) {
        return {p.value.raw() + i, p.gradient.raw() + i, p.m.raw() + i, p.v.raw() + i};
    }
    bool straight_into_adam(size_t rows) const { return kernels_.adam_depth > 0 && rows <= kernels_.adam_depth; }

    enum class Threads { caller, shared };  // caller: this already runs inside a part

    template <class F>
    void run(size_t parts, double work, F&& part, Threads threads = Threads::shared) {
        if (threads == Threads::shared && parts > 1 && pool_.threads() > 1 && work >= worth_a_thread)
            pool_.run(parts, part);
        else
            for (size_t i = 0; i < parts; ++i) part(i);
    }
    template <class F>
    void by_rows(size_t rows, double work_a_row, F&& row) {
        constexpr size_t part = 16;
        run(parts_of(rows, part), work_a_row * double(rows), [&](size_t p) {
            for (size_t n = p * part; n < std::min(rows, (p + 1) * part); ++n) row(n);
        });
    }
    template <class F>
    void by_expert(Ids offsets, size_t work_a_row, F&& expert) {
        const size_t E = offsets.dim(0) - 1;
        const std::int32_t* o = offsets.raw();
        run(E, 2.0 * double(o[E]) * double(work_a_row), [&](size_t e) {
            if (o[e + 1] > o[e]) expert(e, size_t(o[e]), size_t(o[e + 1] - o[e]));
        });
    }
    template <class F>
    void flat(size_t count, double work, F&& range) {
        run(parts_of(count, flat_part), work * double(count),
            [&](size_t p) { range(p * flat_part, std::min(flat_part, count - p * flat_part)); });
    }

    // The tiles of an (M,N) matrix: part(row, column, rows, columns).
    template <class F>
    void tiles(size_t M, size_t N, double work, Threads threads, F&& part) {
        if (threads == Threads::caller && kernels_.adam_depth > 0) return part(0, 0, M, N);  // copies what it must itself
        const size_t down = parts_of(M, tile_rows), across = parts_of(N, tile_columns);
        run(
            down * across, work,
            [&](size_t i) {
                const size_t r = i / across * tile_rows, c = i % across * tile_columns;
                part(r, c, std::min(tile_rows, M - r), std::min(tile_columns, N - c));
            },
            threads);
    }

    // y (N,O) = x (N,I) w (I,O) + b
    void forward(float* y, const float* x, const float* w, const float* b, size_t N, size_t I, size_t O,
                 Threads threads) {
        tiles(N, O, 2.0 * double(N * I * O), threads, [&](size_t r, size_t c, size_t rows, size_t columns) {
            kernels_.gemm_nn(y + r * O + c, O, x + r * I, I, w + c, O, b + c, rows, columns, I);
        });
    }

    // dw (I,O) = x^T dy, db = column sums
    void weight_gradient(float* dw, float* db, const float* dy, const float* x, size_t N, size_t I, size_t O,
                         Threads threads, bool streams = false) {
        tiles(I, O, 2.0 * double(N * I * O), threads, [&](size_t r, size_t c, size_t rows, size_t columns) {
            if (r == 0) column_sums(db + c, dy + c, O, N, columns);
            kernels_.gemm_tn(dw + r * O + c, O, x + r, I, dy + c, O, rows, columns, N, streams);
        });
    }

    // One expert's rows [begin, begin + rows) through one of its layers, and back; inside a part.
    void expert_forward(Tensor<float> y, Tensor<float> x, Tensor<float> w, Tensor<float> b, size_t e, size_t begin,
                        size_t rows) {
        const size_t I = w.dim(1), O = w.dim(2);
        forward(y.raw() + begin * O, x.raw() + begin * I, w.raw() + e * I * O, b.raw() + e * O, rows, I, O,
                Threads::caller);
    }
    void expert_backward(Tensor<float> dx, Tensor<float> dw, Tensor<float> db, Tensor<float> dy, Tensor<float> x,
                         Tensor<float> w, size_t e, size_t begin, size_t rows) {
        const size_t I = w.dim(1), O = w.dim(2);
        const float* const g = dy.raw() + begin * O;
        weight_gradient(dw.raw() + e * I * O, db.raw() + e * O, g, x.raw() + begin * I, rows, I, O, Threads::caller,
                        dw.count() > far_gradients);
        if (dx && rows > 0) input_gradient(dx.raw() + begin * I, g, w.raw() + e * I * O, rows, I, O, Threads::caller);
    }

    // Adam's step of w (I,columns), rows `ld` apart, and b (columns) by x (N,I) and dy (N,columns); N up to adam_depth.
    void update_weights(Slice w, Slice b, size_t ld, const float* dy, size_t ldy, const float* x, size_t N, size_t I,
                        size_t columns, float rate) {
        kernels_.gemm_tn_adam(w.value, w.m, w.v, ld, x, I, dy, ldy, I, columns, N, rate);
        kernels_.add_column_sums(b.gradient, dy, ldy, N, columns);
        kernels_.adam(b.value, b.gradient, b.m, b.v, rate, columns);
    }

    // How a long sum over O columns is cut. Parts are whole slices of a product, so that it has the same bits however
    // many columns a call takes, and none is empty: each leaves partial sums, `numbers` of them. No parts: no room.
    struct DepthParts {
        size_t count, size;
    };
    static DepthParts depth_parts(size_t O, size_t numbers) {
        constexpr size_t slices = 256;
        const size_t most = std::min(most_depth_parts, parts_of(O, depth_part));
        if (most <= 1) return {1, O};
        const size_t size = parts_of(parts_of(O, most), slices) * slices, count = parts_of(O, size);
        return {numbers * count <= partial_floats ? count : 0, size};
    }
    void add_parts(float* dx, size_t numbers, size_t parts) {
        std::copy_n(partial_, numbers, dx);
        for (size_t p = 1; p < parts; ++p) kernels_.add(dx, partial_ + p * numbers, numbers);
    }

    void column_sums(float* sums, const float* x, size_t ld, size_t rows, size_t columns) {
        std::fill_n(sums, columns, 0.0f);
        kernels_.add_column_sums(sums, x, ld, rows, columns);
    }

    // dx (N,I) = dy (N,O) w^T
    void input_gradient(float* dx, const float* dy, const float* w, size_t N, size_t I, size_t O, Threads threads) {
        const double work = 2.0 * double(N * I * O);
        const auto [parts, part] = threads == Threads::shared ? depth_parts(O, N * I) : DepthParts{1, O};
        if (parts > 1) {
            run(parts, work, [&, part = part](size_t p) {
                const size_t begin = p * part, end = std::min(O, begin + part);
                kernels_.gemm_nt(partial_ + p * N * I, I, dy + begin, O, w + begin, O, N, I, end - begin, false);
            });
            return add_parts(dx, N * I, parts);
        }
        tiles(N, I, work, threads, [&](size_t r, size_t c, size_t rows, size_t columns) {
            kernels_.gemm_nt(dx + r * I + c, I, dy + r * O, O, w + c * O, O, rows, columns, O, false);
        });
    }

    const Kernels& kernels_;
    ThreadPool pool_;
    float* partial_;                     // partial sums of one product
    std::vector<std::uint8_t> touched_;  // (V) words of the batch, where a table is updated
};

}  // namespace

std::unique_ptr<Backend<float>> make_cpu_backend(Isa isa, std::size_t threads) {
    if (!isa_supported(isa))
        throw Error(std::string("This processor lacks the instruction set ") + isa_name(isa) + "; choose another.");
    return std::make_unique<CpuBackend>(isa, threads);
}

}  // namespace moe
