// The kernels' one source, included by a file per instruction set, each compiled with its own flags. Everything but the
// table has internal linkage, and Eigen lives in a namespace of that file's own (the build defines Eigen=Eigen_v4): the
// linker merges equal weak symbols, and a program that starts on an old machine must not get the AVX-512 copy of one.
// No functions of the standard library's templates for the same reason.
#include "engine/backend/backend.h"
#include "engine/backend/cpu/kernels.h"

#if defined(__FMA__)
#include <immintrin.h>
#else
#include <xmmintrin.h>
#include <Eigen/Core>
#endif

#include <cmath>
#include <cstring>

namespace moe {
namespace {

#include "engine/backend/cpu/vectors_impl.h"

#include "engine/backend/cpu/adam_impl.h"

#include "engine/backend/cpu/gemm_impl.h"

void add_column_sums(float* __restrict sums, const float* __restrict x, size_t ld, size_t rows, size_t n) {
    size_t i = 0;
    for (; i + 4 * lanes <= n; i += 4 * lanes) {
        Floats s0 = load(sums + i), s1 = load(sums + i + lanes), s2 = load(sums + i + 2 * lanes),
               s3 = load(sums + i + 3 * lanes);
        for (size_t r = 0; r < rows; ++r) {
            const float* row = x + r * ld + i;
            s0 += load(row), s1 += load(row + lanes), s2 += load(row + 2 * lanes), s3 += load(row + 3 * lanes);
        }
        store(sums + i, s0), store(sums + i + lanes, s1), store(sums + i + 2 * lanes, s2),
            store(sums + i + 3 * lanes, s3);
    }
    for (size_t r = 0; r < rows; ++r)
        for (size_t j = i; j < n; ++j) sums[j] += x[r * ld + j];
}

void add(float* __restrict y, const float* __restrict x, size_t n) {
    for (size_t i = 0; i < n; ++i) y[i] += x[i];
}
void linear(float* y, const float* x, size_t n) {
    if (y != x) __builtin_memcpy(y, x, 4 * n);
}
void linear_backward(float*, const float*, const float*, size_t) {}

void relu_in_place(float* x, size_t n) {
    for (size_t i = 0; i < n; ++i) x[i] = x[i] < 0.0f ? 0.0f : x[i];
}
void relu(float* y, const float* x, size_t n) {
    linear(y, x, n);
    relu_in_place(y, n);
}
void relu_backward(float* __restrict dy, const float*, const float* __restrict y, size_t n) {
    for (size_t i = 0; i < n; ++i) dy[i] = y[i] <= 0.0f ? 0.0f : dy[i];
}

// y = f(x) by vectors; the last ones padded with zeros.
template <Floats (*f)(Floats)>
void by_vectors(float* y, const float* x, size_t n) {
    size_t i = 0;
    for (; i + lanes <= n; i += lanes) store(y + i, f(load(x + i)));
    if (i < n) store_tail(y + i, f(load_tail(x + i, n - i, 0.0f)), n - i);
}
// dy *= slope(x)
template <Floats (*slope)(Floats)>
void scale_by_vectors(float* dy, const float* x, size_t n) {
    size_t i = 0;
    for (; i + lanes <= n; i += lanes) store(dy + i, load(dy + i) * slope(load(x + i)));
    if (i < n) store_tail(dy + i, load_tail(dy + i, n - i, 0.0f) * slope(load_tail(x + i, n - i, 0.0f)), n - i);
}

MOE_INLINE Floats magnitude(Floats x) {
    return x < 0.0f ? -x : x;
}
MOE_INLINE Floats at_most(Floats x, float most) {
    return x > most ? all(most) : x;
}

// Near 0 the odd polynomial x + x^3 P(x^2) of Cephes, elsewhere by exp; 1 from about 9 on.
MOE_INLINE Floats tanh_of(Floats x) {
    const Floats a = magnitude(x), z = x * x;
    Floats p = all(-5.70498872745e-3f);
    p = p * z + 2.06390887954e-2f;
    p = p * z - 5.37397155531e-2f;
    p = p * z + 1.33314422036e-1f;
    p = p * z - 3.33332819422e-1f;
    const Floats near = p * z * x + x, e = exp_of_negative(-2.0f * a), far = (1.0f - e) / (1.0f + e);
    return a < 0.625f ? near : x < 0.0f ? -far : far;
}
MOE_INLINE Floats tanh_slope(Floats y) {
    return 1.0f - y * y;
}
void tanh_backward(float* dy, const float*, const float* y, size_t n) {
    scale_by_vectors<tanh_slope>(dy, y, n);
}

// The share of a normal distribution below x, and exp(-x^2/2). With a = |x| and t = 1 / (1 + 0.3 a) the tail is
// exp(-a^2/2) times a polynomial in t, fitted for the least relative error from 0 to 14 (1.5e-7); beyond it is 0.
struct Normal {
    Floats below, bell;
};
MOE_INLINE Normal normal(Floats x) {
    const Floats a = at_most(magnitude(x), 20.0f), t = 1.0f / (1.0f + 0.3f * a);
    Floats p = all(0.03567383835f);
    p = p * t - 0.1571995585f;
    p = p * t + 0.2063480684f;
    p = p * t - 0.05367920005f;
    p = p * t + 0.1285595542f;
    p = p * t + 0.09991404257f;
    p = p * t + 0.120753879f;
    p = p * t + 0.1196293032f;
    const Floats bell = exp_of_negative(-0.5f * a * a), tail = bell * (p * t);
    return {x < 0.0f ? tail : 1.0f - tail, bell};
}
MOE_INLINE Floats gelu_of(Floats x) {
    return x * normal(x).below;
}
MOE_INLINE Floats gelu_slope(Floats x) {
    const Normal of = normal(x);
    return of.below + x * of.bell * float(gelu_density);
}
void gelu_backward(float* dy, const float* x, const float*, size_t n) {
    scale_by_vectors<gelu_slope>(dy, x, n);
}

// (1 + tanh u) / 2 is the logistic function of 2u, which loses nothing to cancellation. From |x| = 12 on it is 0 or 1.
struct Logistic {
    Floats value, slope;  // by x
};
MOE_INLINE Logistic logistic_of_gelu(Floats x) {
    const Floats a = at_most(magnitude(x), 12.0f), square = a * a;
    const Floats twice = 2.0f * float(gelu_tanh_scale) * a * (1.0f + float(gelu_tanh_cube) * square);
    const Floats e = exp_of_negative(-twice), above = 1.0f / (1.0f + e), below = e * above;
    const Floats slope =
        above * below * (2.0f * float(gelu_tanh_scale)) * (1.0f + 3.0f * float(gelu_tanh_cube) * square);
    return {x < 0.0f ? below : above, slope};
}
MOE_INLINE Floats gelu_tanh_of(Floats x) {
    return x * logistic_of_gelu(x).value;
}
MOE_INLINE Floats gelu_tanh_slope(Floats x) {
    const Logistic of = logistic_of_gelu(x);
    return of.value + x * of.slope;
}
void gelu_tanh_backward(float* dy, const float* x, const float*, size_t n) {
    scale_by_vectors<gelu_tanh_slope>(dy, x, n);
}

MOE_INLINE float row_maximum(const float* z, size_t n) {
    Floats best = all(-__builtin_inff());
    size_t i = 0;
    for (; i + lanes <= n; i += lanes) best = larger(load(z + i), best);
    if (i < n) best = larger(load_tail(z + i, n - i, -__builtin_inff()), best);
    return max_of(best);
}

// out = exp(z - maximum); returns the sum.
MOE_INLINE float exp_row(float* out, const float* z, size_t n, float maximum) {
    Floats sum = all(0.0f);
    size_t i = 0;
    for (; i + lanes <= n; i += lanes) {
        const Floats e = exp_of_negative(load(z + i) - maximum);
        store(out + i, e);
        sum += e;
    }
    if (i < n) {
        const Floats e = exp_of_negative(load_tail(z + i, n - i, -__builtin_inff()) - maximum);
        store_tail(out + i, e, n - i);
        sum += e;  // the filler's lanes are zero
    }
    return sum_of(sum);
}

void softmax(float* probs, const float* logits, size_t rows, size_t n) {
    for (size_t r = 0; r < rows; ++r) {
        const float* z = logits + r * n;
        float* p = probs + r * n;
        const float sum = exp_row(p, z, n, row_maximum(z, n));
        for (size_t i = 0; i < n; ++i) p[i] /= sum;
    }
}

void softmax_backward(float* dlogits, const float* dprobs, const float* probs, size_t rows, size_t n) {
    for (size_t r = 0; r < rows; ++r) {
        const float *dp = dprobs + r * n, *p = probs + r * n;
        float* dz = dlogits + r * n;
        Floats products = all(0.0f);
        size_t i = 0;
        for (; i + lanes <= n; i += lanes) products += load(dp + i) * load(p + i);
        if (i < n) products += load_tail(dp + i, n - i, 0.0f) * load_tail(p + i, n - i, 0.0f);
        const float dot = sum_of(products);
        for (i = 0; i < n; ++i) dz[i] = p[i] * (dp[i] - dot);
    }
}

double cross_entropy_row(float* z, size_t n, size_t target, float scale, size_t* correct) {
    const float maximum = row_maximum(z, n), aimed = z[target];
    if (aimed == maximum) {
        size_t earlier = 0;
        for (size_t i = 0; i < target; ++i) earlier += z[i] == maximum;
        *correct += earlier == 0;
    }
    const float sum = exp_row(z, z, n, maximum), factor = scale / sum;
    for (size_t i = 0; i < n; ++i) z[i] *= factor;
    z[target] -= scale;
    return std::log(double(sum)) + double(maximum - aimed);
}

MOE_INLINE void accumulate(float* __restrict y, const float* __restrict x, float factor, size_t n) {
    for (size_t i = 0; i < n; ++i) y[i] += factor * x[i];
}

MOE_INLINE size_t counted(const std::int32_t* ids, size_t t, bool mask) {
    size_t count = 0;
    for (size_t i = 0; i < t; ++i) count += !mask || ids[i] != 0;
    return count;
}

void embedding_mean_row(float* __restrict y, const std::int32_t* ids, size_t t, const float* __restrict table, size_t d,
                        bool mask) {
    const size_t count = counted(ids, t, mask);
    const float inverse = count == 0 ? 0.0f : 1.0f / float(count);
    size_t j = 0;
    for (; j + 2 * lanes <= d; j += 2 * lanes) {
        Floats a = all(0.0f), b = all(0.0f);
        for (size_t i = 0; i < t; ++i)
            if (!mask || ids[i] != 0) {
                const float* row = table + size_t(ids[i]) * d + j;
                a += load(row), b += load(row + lanes);
            }
        store(y + j, a * inverse), store(y + j + lanes, b * inverse);
    }
    for (; j < d; ++j) {
        float sum = 0;
        for (size_t i = 0; i < t; ++i)
            if (!mask || ids[i] != 0) sum += table[size_t(ids[i]) * d + j];
        y[j] = sum * inverse;
    }
}

void embedding_mean_row_backward(float* dtable, const float* dy, const std::int32_t* ids, size_t t, size_t d,
                                 bool mask) {
    const size_t count = counted(ids, t, mask);
    const float inverse = count == 0 ? 0.0f : 1.0f / float(count);
    for (size_t i = 0; i < t; ++i)
        if (!mask || ids[i] != 0) accumulate(dtable + size_t(ids[i]) * d, dy, inverse, d);
}

void embedding_mean_row_squares(float* __restrict squares, const float* __restrict dy, const std::int32_t* ids,
                                size_t t, size_t d, bool mask) {
    const size_t count = counted(ids, t, mask);
    const float inverse = count == 0 ? 0.0f : 1.0f / float(count);
    for (size_t i = 0; i < t; ++i) {
        if (mask && ids[i] == 0) continue;
        float* const row = squares + size_t(ids[i]) * d;
        for (size_t j = 0; j < d; ++j) {
            const float part = inverse * dy[j];
            row[j] += part * part;
        }
    }
}

void combine_row(float* __restrict y, const float* weights, const float* __restrict rows, const std::int32_t* positions,
                 size_t k, size_t d) {
    __builtin_memset(y, 0, 4 * d);
    for (size_t i = 0; i < k; ++i)
        accumulate(y, rows + size_t(positions[i]) * d, weights == nullptr ? 1.0f : weights[i], d);
}

void combine_row_backward(float* dweights, float* __restrict drows, const float* __restrict dy, const float* weights,
                          const float* __restrict rows, const std::int32_t* positions, size_t k, size_t d) {
    for (size_t i = 0; i < k; ++i) {
        const float* row = rows + size_t(positions[i]) * d;
        float* drow = drows + size_t(positions[i]) * d;
        const float weight = weights[i];
        Floats products = all(0.0f);
        size_t j = 0;
        for (; j + lanes <= d; j += lanes) {
            const Floats g = load(dy + j);
            products += g * load(row + j);
            store(drow + j, g * weight);
        }
        if (j < d) {
            const Floats g = load_tail(dy + j, d - j, 0.0f);
            products += g * load_tail(row + j, d - j, 0.0f);
            store_tail(drow + j, g * weight, d - j);
        }
        dweights[i] = sum_of(products);
    }
}

void top_k_row(std::int32_t* best, const float* x, size_t n, size_t k) {
    if (k == 0) return;
    size_t held = 0;
    // Insertion behind everything that is not smaller: ties keep the lower index, and NaN still gives k different ones.
    const auto insert = [&](const float* from, size_t i) {
        size_t place = held;
        while (place > 0 && from[i] > from[best[place - 1]]) --place;
        if (place == k) return;
        held = held + 1 < k ? held + 1 : k;
        for (size_t p = held - 1; p > place; --p) best[p] = best[p - 1];
        best[place] = std::int32_t(i);
    };
    size_t whole = n / lanes * lanes;
    Floats top = whole > 0 ? load(x) : Floats{};
    bool ordered = whole >= 4 * lanes && k <= lanes;
    for (size_t i = 0; ordered && i < whole; i += lanes) {
        const Floats v = load(x + i);
        ordered = all_at_least(v, v);  // or a NaN is among them
        top = larger(v, top);
    }
    if (!ordered) {
        for (size_t i = 0; i < n; ++i) insert(x, i);
        return;
    }
    // At least k numbers are not below the k-th largest of the lanes' maxima: few others need a look.
    float maxima[lanes];
    store(maxima, top);
    for (size_t l = 0; l < lanes; ++l) insert(maxima, l);
    const Floats bound = all(maxima[best[k - 1]]);
    held = 0;
    for (size_t i = 0; i < whole; i += lanes)
        if (!all_larger(bound, load(x + i)))
            for (size_t l = 0; l < lanes; ++l)
                if (x[i + l] >= bound[0]) insert(x, i + l);
    for (size_t i = whole; i < n; ++i) insert(x, i);
}

}  // namespace

#define MOE_KERNEL_TABLE(table_name, isa_title)                                                                     \
    const Kernels table_name = {isa_title,                                                                          \
                                prepare,                                                                            \
                                gemm_nn,                                                                            \
                                gemm_tn,                                                                            \
                                gemm_nt,                                                                            \
                                gemm_tn_adam,                                                                       \
                                adam_depth,                                                                         \
                                add_column_sums,                                                                    \
                                add,                                                                                \
                                {relu, linear, by_vectors<gelu_of>, by_vectors<gelu_tanh_of>, by_vectors<tanh_of>}, \
                                {relu_backward, linear_backward, gelu_backward, gelu_tanh_backward, tanh_backward}, \
                                softmax,                                                                            \
                                softmax_backward,                                                                   \
                                cross_entropy_row,                                                                  \
                                top_k_row,                                                                          \
                                embedding_mean_row,                                                                 \
                                embedding_mean_row_backward,                                                        \
                                embedding_mean_row_squares,                                                         \
                                combine_row,                                                                        \
                                combine_row_backward,                                                               \
                                adam,                                                                               \
                                adam_at_rest,                                                                       \
                                adam_of_squares}

}  // namespace moe
