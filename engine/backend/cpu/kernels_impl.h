// The kernels' one source, included by a file per instruction set, each compiled with its own flags. Everything but the
// table has internal linkage, and Eigen lives in a namespace of that file's own (the build defines Eigen=Eigen_v4): the
// linker merges equal weak symbols, and a program that starts on an old machine must not get the AVX-512 copy of one.
// No functions of the standard library's templates for the same reason.
#include "engine/backend/backend.h"
#include "engine/backend/cpu/kernels.h"

#include <Eigen/Core>

#include <cmath>
#include <cstring>

namespace moe {
namespace {

using std::size_t;

#if defined(__AVX512F__)
constexpr size_t lanes = 16;
#elif defined(__AVX2__)
constexpr size_t lanes = 8;
#else
constexpr size_t lanes = 4;
#endif

// GCC's vectors: arithmetic, comparison and ?: work lane by lane.
typedef float Floats __attribute__((vector_size(4 * lanes)));
typedef std::int32_t Ints __attribute__((vector_size(4 * lanes)));

#define MOE_INLINE [[gnu::always_inline]] inline

MOE_INLINE Floats load(const float* p) {
    Floats v;
    __builtin_memcpy(&v, p, sizeof v);
    return v;
}
MOE_INLINE void store(float* p, Floats v) {
    __builtin_memcpy(p, &v, sizeof v);
}
MOE_INLINE Floats all(float x) {
    return Floats{} + x;
}
MOE_INLINE Floats larger(Floats a, Floats b) {
    return a > b ? a : b;
}

// The last n < lanes numbers of a row, the other lanes holding `filler`.
MOE_INLINE Floats load_tail(const float* p, size_t n, float filler) {
    Floats v = all(filler);
    __builtin_memcpy(&v, p, 4 * n);
    return v;
}
MOE_INLINE void store_tail(float* p, Floats v, size_t n) {
    __builtin_memcpy(p, &v, 4 * n);
}

MOE_INLINE float sum_of(Floats v) {
    float halves[lanes];
    store(halves, v);
    for (size_t width = lanes / 2; width > 0; width /= 2)
        for (size_t i = 0; i < width; ++i) halves[i] += halves[i + width];
    return halves[0];
}
MOE_INLINE float max_of(Floats v) {
    float best = v[0];
    for (size_t i = 1; i < lanes; ++i) best = v[i] > best ? v[i] : best;
    return best;
}

// exp(x) for x <= 0 to about one unit in the last place: Cody and Waite's reduction by ln 2 in two parts, then Cephes's
// polynomial of degree 5 on +-ln(2)/2. Zero where the true value is below 2^-126; NaN stays NaN.
MOE_INLINE Floats exp_of_negative(Floats x) {
    const Floats magic = all(12582912.0f);  // 1.5 * 2^23: adding it rounds to an integer in the low bits
    const Floats clamped = x < -87.33654f ? all(-87.33654f) : x;
    const Floats shifted = clamped * 1.44269504f + magic;
    const Floats n = shifted - magic;
    Floats r = clamped - n * 0.693359375f;
    r = r - n * -2.12194440e-4f;
    Floats p = all(1.9875691500e-4f);
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * (r * r) + (r + 1.0f);
    Ints bits;
    __builtin_memcpy(&bits, &shifted, sizeof bits);
    const Ints power = (bits + 127) << 23;
    Floats scale;
    __builtin_memcpy(&scale, &power, sizeof scale);
    return x < -87.33654f ? all(0.0f) : p * scale;
}

using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Stride = Eigen::OuterStride<>;
using Map = Eigen::Map<Matrix, Eigen::Unaligned, Stride>;
using ConstMap = Eigen::Map<const Matrix, Eigen::Unaligned, Stride>;
using Index = Eigen::Index;

MOE_INLINE Map matrix(float* p, size_t rows, size_t columns, size_t ld) {
    return Map(p, Index(rows), Index(columns), Stride(Index(ld)));
}
MOE_INLINE ConstMap matrix(const float* p, size_t rows, size_t columns, size_t ld) {
    return ConstMap(p, Index(rows), Index(columns), Stride(Index(ld)));
}

void gemm_nn(float* c, size_t ldc, const float* a, size_t lda, const float* b, size_t ldb, size_t m, size_t n,
             size_t k) {
    matrix(c, m, n, ldc).noalias() += matrix(a, m, k, lda) * matrix(b, k, n, ldb);
}
void gemm_tn(float* c, size_t ldc, const float* a, size_t lda, const float* b, size_t ldb, size_t m, size_t n,
             size_t k) {
    matrix(c, m, n, ldc).noalias() += matrix(a, k, m, lda).transpose() * matrix(b, k, n, ldb);
}
void gemm_nt(float* c, size_t ldc, const float* a, size_t lda, const float* b, size_t ldb, size_t m, size_t n,
             size_t k) {
    matrix(c, m, n, ldc).noalias() += matrix(a, m, k, lda) * matrix(b, n, k, ldb).transpose();
}

// Eigen cuts its products by the sizes of the caches it finds; with sizes of our own the same sums come out in the same
// order on every machine.
void prepare() {
    Eigen::setCpuCacheSizes(32 << 10, 512 << 10, 4 << 20);
}

void set_rows(float* y, size_t ld, const float* b, size_t rows, size_t n) {
    for (size_t r = 0; r < rows; ++r) __builtin_memcpy(y + r * ld, b, 4 * n);
}
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
void relu(float* x, size_t n) {
    for (size_t i = 0; i < n; ++i) x[i] = x[i] < 0.0f ? 0.0f : x[i];
}
void relu_backward(float* __restrict dy, const float* __restrict y, size_t n) {
    for (size_t i = 0; i < n; ++i) dy[i] = y[i] <= 0.0f ? 0.0f : dy[i];
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

void adam(float* __restrict w, float* __restrict g, float* __restrict m, float* __restrict v, float rate, size_t n) {
    constexpr float one_minus_beta1 = float(1 - adam_beta1), one_minus_beta2 = float(1 - adam_beta2),
                    epsilon = float(adam_epsilon);
    for (size_t i = 0; i < n; ++i) {
        const float gradient = g[i];
        const float momentum = m[i] + (gradient - m[i]) * one_minus_beta1;
        const float velocity = v[i] + (gradient * gradient - v[i]) * one_minus_beta2;
        m[i] = momentum;
        v[i] = velocity;
        w[i] -= rate * momentum / (__builtin_sqrtf(velocity) + epsilon);
        g[i] = 0;
    }
}

}  // namespace

#define MOE_KERNEL_TABLE(table_name, isa_title)              \
    const Kernels table_name = {isa_title,                   \
                                prepare,                     \
                                gemm_nn,                     \
                                gemm_tn,                     \
                                gemm_nt,                     \
                                set_rows,                    \
                                add_column_sums,             \
                                add,                         \
                                relu,                        \
                                relu_backward,               \
                                softmax,                     \
                                softmax_backward,            \
                                cross_entropy_row,           \
                                embedding_mean_row,          \
                                embedding_mean_row_backward, \
                                combine_row,                 \
                                combine_row_backward,        \
                                adam}

}  // namespace moe
