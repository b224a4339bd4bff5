#pragma once
#include "engine/core/activation.h"

#include <cstddef>
#include <cstdint>
#include <string>

namespace moe {

/// Instruction sets for which the kernels exist: x86-64 as it began (SSE2), x86-64-v3 (AVX2, FMA), x86-64-v4 (AVX-512).
enum class Isa { baseline, v3, v4 };

/// The inner loops of the fast CPU backend on plain memory, all row-major float. Everything in here is compiled once
/// per instruction set; nothing in here allocates, throws or checks. A product takes up to 300 KB of stack.
struct Kernels {
    const char* title;  // "AVX-512"

    /// Once before anything else; kernels_for() sees to it.
    void (*prepare)();

    /// c (m,n) = a (m,k) b (k,n) + bias (n) in every row; `ld`s are the distances of rows. k is at least 1.
    void (*gemm_nn)(float* c, std::size_t ldc, const float* a, std::size_t lda, const float* b, std::size_t ldb,
                    const float* bias, std::size_t m, std::size_t n, std::size_t k);
    /// c (m,n) = a^T b, a being (k,m). `streams`: c is written past the caches, since it is
    /// part of something larger than they are.
    void (*gemm_tn)(float* c, std::size_t ldc, const float* a, std::size_t lda, const float* b, std::size_t ldb,
                    std::size_t m, std::size_t n, std::size_t k, bool streams);
    /// c (m,n) = a b^T, or with `add` += it; b being (n,k).
    void (*gemm_nt)(float* c, std::size_t ldc, const float* a, std::size_t lda, const float* b, std::size_t ldb,
                    std::size_t m, std::size_t n, std::size_t k, bool add);
    /// adam() of w (rows,n), all three of the same ld, by the gradient a^T b, a being (k,rows); the same bits as
    /// gemm_tn() and adam(), for k up to adam_depth, which is 0 where there is no such kernel.
    void (*gemm_tn_adam)(float* w, float* m, float* v, std::size_t ld, const float* a, std::size_t lda, const float* b,
                         std::size_t ldb, std::size_t rows, std::size_t n, std::size_t k, float rate);
    std::size_t adam_depth;

    /// sums (n) += the sum of the rows of x (rows,n), from the first to the last.
    void (*add_column_sums)(float* sums, const float* x, std::size_t ld, std::size_t rows, std::size_t n);

    void (*add)(float* y, const float* x, std::size_t n);
    /// [Activation]: y = f(x), may be in place; dy *= f'(x), y being f(x).
    void (*activate[activations.size()])(float* y, const float* x, std::size_t n);
    void (*activate_backward[activations.size()])(float* dy, const float* x, const float* y, std::size_t n);

    void (*softmax)(float* probs, const float* logits, std::size_t rows, std::size_t n);
    void (*softmax_backward)(float* dlogits, const float* dprobs, const float* probs, std::size_t rows, std::size_t n);
    /// One row of logits (n) becomes (softmax - onehot) * scale. Returns the row's loss; counts it in `correct`.
    double (*cross_entropy_row)(float* logits, std::size_t n, std::size_t target, float scale, std::size_t* correct);

    /// The k largest of x (n), largest first; of equals the lower index first. k <= n.
    void (*top_k_row)(std::int32_t* indices, const float* x, std::size_t n, std::size_t k);

    /// y (d) = mean of the table rows that `ids` (t) name; with `mask` of those that are not 0.
    void (*embedding_mean_row)(float* y, const std::int32_t* ids, std::size_t t, const float* table, std::size_t d,
                               bool mask);
    void (*embedding_mean_row_backward)(float* dtable, const float* dy, const std::int32_t* ids, std::size_t t,
                                        std::size_t d, bool mask);
    /// squares (V,d): the square of what embedding_mean_row_backward() adds at each place, added up.
    void (*embedding_mean_row_squares)(float* squares, const float* dy, const std::int32_t* ids, std::size_t t,
                                       std::size_t d, bool mask);

    /// y (d) = sum over k of weights[k] * rows[positions[k]]; a null `weights` is all ones.
    void (*combine_row)(float* y, const float* weights, const float* rows, const std::int32_t* positions, std::size_t k,
                        std::size_t d);
    /// dweights[k] = dy . rows[positions[k]]; drows[positions[k]] = weights[k] * dy.
    void (*combine_row_backward)(float* dweights, float* drows, const float* dy, const float* weights,
                                 const float* rows, const std::int32_t* positions, std::size_t k, std::size_t d);

    void (*adam)(float* w, float* g, float* m, float* v, float rate, std::size_t n);
    /// The same where the gradient is zero.
    void (*adam_at_rest)(float* w, float* m, float* v, float rate, std::size_t n);
    void (*adam_of_squares)(float* w, float* g, float* squares, float* m, float* v, float rate, std::size_t n);
};

/// Constant tables, initialised before the program starts: no code of a wide instruction set runs to make them.
extern const Kernels kernels_baseline, kernels_v3, kernels_v4;

/// Whether this processor, and its operating system, run `isa`.
bool isa_supported(Isa isa);
/// The kernels, ready to use. The processor must have them. Any thread.
const Kernels& kernels_for(Isa isa);
const char* isa_name(Isa isa);  // "v3", as MOELAB_ISA takes it

/// The widest that this processor runs, or what the environment variable MOELAB_ISA says. Throws Error where that is
/// no instruction set's name or this processor lacks it.
Isa choose_isa();

}  // namespace moe
