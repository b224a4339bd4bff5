#pragma once
// C++17: compiled by nvcc, too. What is done number by number or row by row; products are in gemm_impl.h, sorting in
// sort_impl.h. Letters: engine/backend/backend.h.
#include "engine/backend/cuda/block.h"
#include "engine/core/activation.h"

#include <cmath>

namespace moe::cuda {

/// Several copies of whole words in one launch: a recorded step's way from the host and to it, whose pinned memory the
/// device reads and writes itself.
struct CopyWords {
    static constexpr int most = 8;
    const std::uint32_t* from[most];
    std::uint32_t* to[most];
    Index ends[most];  // where each ends in the row of them all
    int copies;
    MOE_DEVICE void operator()(Index i) const {
        for (int c = 0; c < copies; ++c) {
            if (i >= ends[c]) continue;
            const Index begin = c == 0 ? 0 : ends[c - 1];
            to[c][i - begin] = from[c][i - begin];
            return;
        }
    }
};

struct FillWith {
    float* x;
    float value;
    MOE_DEVICE void operator()(Index i) const { x[i] = value; }
};

struct Accumulate {
    float* y;
    const float* x;
    MOE_DEVICE void operator()(Index i) const { y[i] += x[i]; }
};

struct Activate {
    float* y;
    const float* x;
    Activation f;
    MOE_DEVICE void operator()(Index i) const { y[i] = activated(f, x[i]); }
};

/// dy * f'(x), where y = f(x).
MOE_DEVICE float through_activation(Activation f, float dy, float x, float y) {
    if (f == Activation::relu) return y <= 0.0f ? 0.0f : dy;
    if (f == Activation::tanh) return dy * (1 - y * y);
    return dy * activation_slope(f, x);
}

struct ActivateBackward {
    float* dy;
    const float *x, *y;
    Activation f;
    MOE_DEVICE void operator()(Index i) const { dy[i] = through_activation(f, dy[i], x[i], y[i]); }
};

/// How many tokens each row's masked mean counts; 0 for a row that the mask empties.
struct TokensInMean {
    float* counts;            // (N)
    const std::int32_t* ids;  // (N, T)
    Index T;
    MOE_DEVICE void operator()(Index n) const {
        Index count = T;
        for (Index t = 0; t < T; ++t) count -= ids[std::size_t(n) * T + t] == 0;
        counts[n] = float(count);
    }
};

struct EmbeddingMeanOf {
    float* y;                 // (N, D)
    const std::int32_t* ids;  // (N, T)
    const float* table;       // (V, D)
    Index T, D;
    bool mask;
    MOE_DEVICE void operator()(Index i) const {
        const Index n = i / D, d = i % D;
        const std::int32_t* row = ids + std::size_t(n) * T;
        float sum = 0;
        Index count = 0;
        for (Index t = 0; t < T; ++t)
            if (!mask || row[t] != 0) {
                sum += table[std::size_t(row[t]) * D + d];
                ++count;
            }
        y[i] = count == 0 ? 0.0f : sum / float(count);
    }
};

struct MeanOfTokens {
    float* y;                 // (N, D)
    const float* x;           // (N*T, D)
    const std::int32_t* ids;  // (N, T)
    Index T, D;
    bool mask;
    MOE_DEVICE void operator()(Index i) const {
        const Index n = i / D, d = i % D;
        float sum = 0;
        Index count = 0;
        for (Index t = 0; t < T; ++t) {
            const std::size_t token = std::size_t(n) * T + t;
            if (!mask || ids[token] != 0) {
                sum += x[token * D + d];
                ++count;
            }
        }
        y[i] = count == 0 ? 0.0f : sum / float(count);
    }
};

struct MeanOfTokensBackward {
    float* dx;                // (N*T, D)
    const float* dy;          // (N, D)
    const std::int32_t* ids;  // (N, T)
    const float* counts;      // (N), or null: T each
    Index T, D;
    bool mask;
    MOE_DEVICE void operator()(Index i) const {
        const Index token = i / D, d = i % D, n = token / T;
        const float count = counts == nullptr ? float(T) : counts[n];
        dx[i] = mask && ids[token] == 0 ? 0.0f : dy[std::size_t(n) * D + d] / count;
    }
};

/// A row up to this long is one thread's; longer ones are a block's.
inline constexpr Index short_row = 32;

struct SoftmaxOfShortRow {
    float* probs;
    const float* logits;
    Index E;
    MOE_DEVICE void operator()(Index n) const {
        const float* z = logits + std::size_t(n) * E;
        float* p = probs + std::size_t(n) * E;
        float top = z[0], sum = 0;
        for (Index e = 1; e < E; ++e) top = top < z[e] ? z[e] : top;
        for (Index e = 0; e < E; ++e) sum += p[e] = std::exp(z[e] - top);
        for (Index e = 0; e < E; ++e) p[e] /= sum;
    }
};

struct SoftmaxBackwardOfShortRow {
    float* dlogits;
    const float *dprobs, *probs;
    Index E;
    MOE_DEVICE void operator()(Index n) const {
        const float *dp = dprobs + std::size_t(n) * E, *p = probs + std::size_t(n) * E;
        float dot = 0;
        for (Index e = 0; e < E; ++e) dot += dp[e] * p[e];
        for (Index e = 0; e < E; ++e) dlogits[std::size_t(n) * E + e] = p[e] * (dp[e] - dot);
    }
};

/// Of a row's threads' finds the largest, of equals the first; NaN is never larger.
struct LargestOf {
    float value;
    Index at;
};
template <class Block>
MOE_DEVICE void find_largest(Block& block, LargestOf* finds, int n) {
    for (int half = n / 2; half > 0; half /= 2)
        block.each([&](int thread) {
            if (thread >= half) return;
            const LargestOf other = finds[thread + half];
            LargestOf& mine = finds[thread];
            if (other.value > mine.value || (other.value == mine.value && other.at < mine.at)) mine = other;
        });
}

/// The largest of each thread's stride of z (n) into finds.
template <int threads, class Block>
MOE_DEVICE void largest_of_row(Block& block, LargestOf* finds, const float* z, Index n) {
    block.each([&](int thread) {
        const Index first = Index(thread) < n ? Index(thread) : 0;
        LargestOf best{z[first], first};
        for (Index i = first + threads; i < n; i += threads)
            if (z[i] > best.value) best = {z[i], i};
        finds[thread] = best;
    });
    find_largest(block, finds, threads);
}

struct SoftmaxOfRow {
    static constexpr int threads = 256;
    struct Shared {
        LargestOf finds[threads];
        float sums[threads];
    };
    float* probs;
    const float* logits;
    Index E;

    template <class Block>
    MOE_DEVICE void operator()(Block& block, Shared& shared) const {
        const float* z = logits + std::size_t(block.x()) * E;
        float* p = probs + std::size_t(block.x()) * E;
        largest_of_row<threads>(block, shared.finds, z, E);
        block.each([&](int thread) {
            float sum = 0;
            for (Index e = Index(thread); e < E; e += threads) sum += p[e] = std::exp(z[e] - shared.finds[0].value);
            shared.sums[thread] = sum;
        });
        sum_up(block, shared.sums, threads);
        block.each([&](int thread) {
            for (Index e = Index(thread); e < E; e += threads) p[e] /= shared.sums[0];
        });
    }
};

struct SoftmaxBackwardOfRow {
    static constexpr int threads = 256;
    struct Shared {
        float dots[threads];
    };
    float* dlogits;
    const float *dprobs, *probs;
    Index E;

    template <class Block>
    MOE_DEVICE void operator()(Block& block, Shared& shared) const {
        const std::size_t row = std::size_t(block.x()) * E;
        block.each([&](int thread) {
            float dot = 0;
            for (Index e = Index(thread); e < E; e += threads) dot += dprobs[row + e] * probs[row + e];
            shared.dots[thread] = dot;
        });
        sum_up(block, shared.dots, threads);
        block.each([&](int thread) {
            for (Index e = Index(thread); e < E; e += threads)
                dlogits[row + e] = probs[row + e] * (dprobs[row + e] - shared.dots[0]);
        });
    }
};

/// An expert is chosen where fewer than K of its row come before it: the larger, of equals the lower index, and NaN
/// last. So K different ones are chosen whatever the numbers are.
struct TopK {
    std::int32_t* indices;  // (N, K)
    const float* logits;    // (N, E)
    Index E, K;
    MOE_DEVICE void operator()(Index i) const {
        const Index n = i / E, e = i % E;
        const float* z = logits + std::size_t(n) * E;
        const float mine = z[e];
        const bool nan = mine != mine;
        Index before = 0;
        for (Index j = 0; j < E && before < K; ++j) {
            const float other = z[j];
            const bool equal = other == mine || (nan && other != other);
            before += j != e && (equal ? j < e : nan || other > mine);
        }
        if (before < K) indices[std::size_t(n) * K + before] = std::int32_t(e);
    }
};

struct EveryExpert {
    std::int32_t* indices;  // (N, E)
    Index E;
    MOE_DEVICE void operator()(Index i) const { indices[i] = std::int32_t(i % E); }
};

struct SelectFrom {
    float* y;                     // (N, K)
    const float* x;               // (N, E)
    const std::int32_t* indices;  // (N, K)
    Index E, K;
    MOE_DEVICE void operator()(Index i) const { y[i] = x[std::size_t(i / K) * E + std::size_t(indices[i])]; }
};

struct SelectBackward {
    float* dx;                    // (N, E)
    const float* dy;              // (N, K)
    const std::int32_t* indices;  // (N, K)
    Index E, K;
    MOE_DEVICE void operator()(Index n) const {
        for (Index k = 0; k < K; ++k) {
            const std::size_t i = std::size_t(n) * K + k;
            dx[std::size_t(n) * E + std::size_t(indices[i])] += dy[i];
        }
    }
};

struct GatherRows {
    float* rows;                     // (R, D)
    const float* x;                  // (N, D)
    const std::int32_t* row_tokens;  // (R)
    Index D;
    MOE_DEVICE void operator()(Index i) const { rows[i] = x[std::size_t(row_tokens[i / D]) * D + i % D]; }
};

struct GatherRowsBackward {
    float* dx;                      // (N, D)
    const float* drows;             // (R, D)
    const std::int32_t* positions;  // (N, K)
    Index K, D;
    MOE_DEVICE void operator()(Index i) const {
        const Index n = i / D, d = i % D;
        float sum = 0;
        for (Index k = 0; k < K; ++k) sum += drows[std::size_t(positions[std::size_t(n) * K + k]) * D + d];
        dx[i] = sum;
    }
};

struct Combine {
    float* y;                       // (N, D)
    const float *weights, *rows;    // (N, K), (R, D)
    const std::int32_t* positions;  // (N, K)
    Index K, D;
    MOE_DEVICE void operator()(Index i) const {
        const Index n = i / D, d = i % D;
        float sum = 0;
        for (Index k = 0; k < K; ++k) {
            const std::size_t visit = std::size_t(n) * K + k;
            sum += weights[visit] * rows[std::size_t(positions[visit]) * D + d];
        }
        y[i] = sum;
    }
};

/// A block a visit.
struct CombineBackward {
    static constexpr int threads = 64;
    struct Shared {
        float dots[threads];
    };
    float *dweights, *drows;        // (N, K), (R, D)
    const float *dy, *weights;      // (N, D), (N, K)
    const float* rows;              // (R, D)
    const std::int32_t* positions;  // (N, K)
    Index K, D;

    template <class Block>
    MOE_DEVICE void operator()(Block& block, Shared& shared) const {
        const Index visit = block.x();
        const std::size_t row = std::size_t(positions[visit]) * D, from = std::size_t(visit / K) * D;
        block.each([&](int thread) {
            float dot = 0;
            for (Index d = Index(thread); d < D; d += threads) {
                const float slope = dy[from + d];
                dot += slope * rows[row + d];
                drows[row + d] = weights[visit] * slope;
            }
            shared.dots[thread] = dot;
        });
        sum_up(block, shared.dots, threads);
        block.each([&](int thread) {
            if (thread == 0) dweights[visit] = shared.dots[0];
        });
    }
};

/// A block an expert: f_e P_e of the balance loss into parts (E), and the gradient.
struct BalanceOfExpert {
    static constexpr int threads = 256;
    struct Shared {
        Index rows[threads], assigned[threads];
        float sums[threads];
    };
    double* parts;                // (E)
    float* dprobs;                // (N, E)
    const float* probs;           // (N, E)
    const std::int32_t* indices;  // (N, K)
    const std::int32_t* words;    // (N) or null
    float weight;
    Index N, E, K;

    template <class Block>
    MOE_DEVICE void operator()(Block& block, Shared& shared) const {
        const Index e = block.x();
        block.each([&](int thread) {
            Index rows = 0, assigned = 0;
            float sum = 0;
            for (Index n = Index(thread); n < N; n += threads) {
                if (words != nullptr && words[n] == 0) continue;
                ++rows;
                for (Index k = 0; k < K; ++k) assigned += Index(indices[std::size_t(n) * K + k]) == e;
                sum += probs[std::size_t(n) * E + e];
            }
            shared.rows[thread] = rows, shared.assigned[thread] = assigned, shared.sums[thread] = sum;
        });
        sum_up(block, shared.rows, threads);
        sum_up(block, shared.assigned, threads);
        sum_up(block, shared.sums, threads);
        block.each([&](int thread) {
            const Index rows = shared.rows[0];
            const float fraction = rows == 0 ? 0.0f : float(shared.assigned[0]) / (float(rows) * float(K));
            if (thread == 0) parts[e] = rows == 0 ? 0.0 : double(fraction) * double(shared.sums[0] / float(rows));
            for (Index n = Index(thread); n < N; n += threads)
                if (words == nullptr || words[n] != 0)
                    dprobs[std::size_t(n) * E + e] += weight * float(E) * fraction / float(rows);
        });
    }
};

/// Of parts (n) in one block: out = scale * sum; with `counts` (n) out2 = their sum.
struct SumOfParts {
    static constexpr int threads = 256;
    struct Shared {
        double sums[threads];
        Index counts[threads];
    };
    float *out, *out2;
    const double* parts;
    const Index* counts;
    double scale;
    Index n;

    template <class Block>
    MOE_DEVICE void operator()(Block& block, Shared& shared) const {
        block.each([&](int thread) {
            double sum = 0;
            Index count = 0;
            for (Index i = Index(thread); i < n; i += threads) {
                sum += parts[i];
                if (counts != nullptr) count += counts[i];
            }
            shared.sums[thread] = sum, shared.counts[thread] = count;
        });
        sum_up(block, shared.sums, threads);
        sum_up(block, shared.counts, threads);
        block.each([&](int thread) {
            if (thread != 0) return;
            *out = float(scale * shared.sums[0]);
            if (out2 != nullptr) *out2 = float(shared.counts[0]);
        });
    }
};

/// A block an expert: its weights of all visits.
struct LoadOfExpert {
    static constexpr int threads = 256;
    struct Shared {
        float sums[threads];
    };
    float* load;                  // (E)
    const float* weights;         // (N, K)
    const std::int32_t* indices;  // (N, K)
    const std::int32_t* words;    // (N) or null
    Index visits, K;

    template <class Block>
    MOE_DEVICE void operator()(Block& block, Shared& shared) const {
        block.each([&](int thread) {
            float sum = 0;
            for (Index i = Index(thread); i < visits; i += threads)
                if (Index(indices[i]) == block.x() && (words == nullptr || words[i / K] != 0)) sum += weights[i];
            shared.sums[thread] = sum;
        });
        sum_up(block, shared.sums, threads);
        block.each([&](int thread) {
            if (thread == 0) load[block.x()] = shared.sums[0];
        });
    }
};

/// A block a row: its loss and whether it is right; the gradient in place of its logits.
struct CrossEntropyOfRow {
    static constexpr int threads = 256;
    struct Shared {
        LargestOf finds[threads];
        float sums[threads];
        float at_target;
    };
    double* losses;               // (N)
    Index* right;                 // (N)
    float* logits;                // (N, V)
    const std::int32_t* targets;  // (N)
    Index N, V;

    template <class Block>
    MOE_DEVICE void operator()(Block& block, Shared& shared) const {
        float* z = logits + std::size_t(block.x()) * V;
        const Index target = Index(targets[block.x()]);
        largest_of_row<threads>(block, shared.finds, z, V);
        block.each([&](int thread) {
            if (thread == 0) shared.at_target = z[target];
        });
        block.each([&](int thread) {
            float sum = 0;
            for (Index v = Index(thread); v < V; v += threads) sum += z[v] = std::exp(z[v] - shared.finds[0].value);
            shared.sums[thread] = sum;
        });
        sum_up(block, shared.sums, threads);
        block.each([&](int thread) {
            const float scale = shared.sums[0] * float(N);
            for (Index v = Index(thread); v < V; v += threads)
                z[v] = z[v] / scale - (v == target ? 1.0f / float(N) : 0.0f);
            if (thread != 0) return;
            losses[block.x()] = std::log(double(shared.sums[0])) + double(shared.finds[0].value - shared.at_target);
            right[block.x()] = shared.finds[0].at == target;
        });
    }
};

}  // namespace moe::cuda
