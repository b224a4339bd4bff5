// Vectors of the widest kind that an instruction set has, included by kernels_impl.h.

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
#if defined(__AVX2__)
/// The same past the caches; p is aligned.
MOE_INLINE void stream(float* p, Floats v) {
#if defined(__AVX512F__)
    _mm512_stream_ps(p, __m512(v));
#else
    _mm256_stream_ps(p, __m256(v));
#endif
}
#endif
MOE_INLINE Floats all(float x) {
    return x - Floats{};  // the one sum with zero that leaves every number as it is, and so costs nothing
}
MOE_INLINE Floats larger(Floats a, Floats b) {
    return a > b ? a : b;
}

/// Whether each lane of a is larger than b's, or at least as large; no NaN is.
#if defined(__AVX512F__)
MOE_INLINE bool all_larger(Floats a, Floats b) {
    return _mm512_cmp_ps_mask(__m512(a), __m512(b), _CMP_GT_OQ) == 0xFFFF;
}
MOE_INLINE bool all_at_least(Floats a, Floats b) {
    return _mm512_cmp_ps_mask(__m512(a), __m512(b), _CMP_GE_OQ) == 0xFFFF;
}
#elif defined(__AVX2__)
MOE_INLINE bool all_larger(Floats a, Floats b) {
    return _mm256_movemask_ps(_mm256_cmp_ps(__m256(a), __m256(b), _CMP_GT_OQ)) == 0xFF;
}
MOE_INLINE bool all_at_least(Floats a, Floats b) {
    return _mm256_movemask_ps(_mm256_cmp_ps(__m256(a), __m256(b), _CMP_GE_OQ)) == 0xFF;
}
#else
MOE_INLINE bool all_larger(Floats a, Floats b) {
    return _mm_movemask_ps(_mm_cmpgt_ps(__m128(a), __m128(b))) == 0xF;
}
MOE_INLINE bool all_at_least(Floats a, Floats b) {
    return _mm_movemask_ps(_mm_cmpge_ps(__m128(a), __m128(b))) == 0xF;
}
#endif

// The last n < lanes numbers of a row, the other lanes holding `filler`. Nothing behind them is touched.
#if defined(__AVX512F__)
MOE_INLINE Floats load_tail(const float* p, size_t n, float filler) {
    return Floats(_mm512_mask_loadu_ps(_mm512_set1_ps(filler), __mmask16((1u << n) - 1), p));
}
MOE_INLINE void store_tail(float* p, Floats v, size_t n) {
    _mm512_mask_storeu_ps(p, __mmask16((1u << n) - 1), __m512(v));
}
#elif defined(__AVX2__)
MOE_INLINE __m256i tail_mask(size_t n) {
    return __m256i(Ints{0, 1, 2, 3, 4, 5, 6, 7} < std::int32_t(n));
}
MOE_INLINE Floats load_tail(const float* p, size_t n, float filler) {
    const __m256i mask = tail_mask(n);
    return Floats(_mm256_blendv_ps(_mm256_set1_ps(filler), _mm256_maskload_ps(p, mask), _mm256_castsi256_ps(mask)));
}
MOE_INLINE void store_tail(float* p, Floats v, size_t n) {
    _mm256_maskstore_ps(p, tail_mask(n), __m256(v));
}
#else
MOE_INLINE Floats load_tail(const float* p, size_t n, float filler) {
    Floats v = all(filler);
    __builtin_memcpy(&v, p, 4 * n);
    return v;
}
MOE_INLINE void store_tail(float* p, Floats v, size_t n) {
    __builtin_memcpy(p, &v, 4 * n);
}
#endif

/// a b + c, a b - c and c - a b, rounded once where the processor can: spelled out where two pieces of code must agree
/// to the bit, since the compiler is free to choose elsewhere.
#if defined(__AVX512F__)
MOE_INLINE Floats multiply_add(Floats a, Floats b, Floats c) {
    return Floats(_mm512_fmadd_ps(__m512(a), __m512(b), __m512(c)));
}
MOE_INLINE Floats multiply_subtract(Floats a, Floats b, Floats c) {
    return Floats(_mm512_fmsub_ps(__m512(a), __m512(b), __m512(c)));
}
MOE_INLINE Floats subtract_product(Floats c, Floats a, Floats b) {
    return Floats(_mm512_fnmadd_ps(__m512(a), __m512(b), __m512(c)));
}
#elif defined(__FMA__)
MOE_INLINE Floats multiply_add(Floats a, Floats b, Floats c) {
    return Floats(_mm256_fmadd_ps(__m256(a), __m256(b), __m256(c)));
}
MOE_INLINE Floats multiply_subtract(Floats a, Floats b, Floats c) {
    return Floats(_mm256_fmsub_ps(__m256(a), __m256(b), __m256(c)));
}
MOE_INLINE Floats subtract_product(Floats c, Floats a, Floats b) {
    return Floats(_mm256_fnmadd_ps(__m256(a), __m256(b), __m256(c)));
}
#else
MOE_INLINE Floats multiply_add(Floats a, Floats b, Floats c) {
    return a * b + c;
}
MOE_INLINE Floats multiply_subtract(Floats a, Floats b, Floats c) {
    return a * b - c;
}
MOE_INLINE Floats subtract_product(Floats c, Floats a, Floats b) {
    return c - a * b;
}
#endif

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
