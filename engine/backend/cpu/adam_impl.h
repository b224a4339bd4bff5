// Keras's Adam, included by kernels_impl.h. Roofline: three arrays are read and written, 24 bytes a parameter; from the
// second cache that is 4 ns for 16 parameters, from the third one 7, so what is computed on the way must not take
// longer.

constexpr float one_minus_beta1 = float(1 - adam_beta1), one_minus_beta2 = float(1 - adam_beta2);

MOE_INLINE Floats square_root(Floats x) {
#if defined(__AVX512F__)
    return Floats(_mm512_sqrt_ps(__m512(x)));
#elif defined(__AVX2__)
    return Floats(_mm256_sqrt_ps(__m256(x)));
#else
    return Floats(_mm_sqrt_ps(__m128(x)));
#endif
}

/// 1/x for x > 0 to about one unit in the last place. Where a processor fuses multiply and add this takes less than its
/// division, which has to wait for the root's; its own estimates of 1/x differ from maker to maker.
MOE_INLINE Floats inverse_of(Floats x) {
#if defined(__FMA__)
    Ints bits;
    __builtin_memcpy(&bits, &x, sizeof bits);
    bits = 0x7EF311C7 - bits;  // the exponent's sign changed: right to 12 %; each step of Newton's squares the error
    Floats y;
    __builtin_memcpy(&y, &bits, sizeof y);
    y = y * subtract_product(all(2.0f), x, y);
    y = y * subtract_product(all(2.0f), x, y);
    return y * subtract_product(all(2.0f), x, y);
#else
    return 1.0f / x;
#endif
}

struct AdamNumbers {
    Floats w, m, v;
};
MOE_INLINE AdamNumbers adam_step(AdamNumbers x, Floats gradient, Floats square_minus_v, float rate) {
    x.m = multiply_add(gradient - x.m, all(one_minus_beta1), x.m);
    x.v = multiply_add(square_minus_v, all(one_minus_beta2), x.v);
    x.w = subtract_product(x.w, rate * x.m, inverse_of(square_root(x.v) + float(adam_epsilon)));
    return x;
}

/// The gradient's own square ...
struct OwnSquare {
    Floats gradient;
    MOE_INLINE Floats minus(Floats v) const { return multiply_subtract(gradient, gradient, v); }
};
/// ... or what stands for it.
struct GivenSquare {
    Floats square;
    MOE_INLINE Floats minus(Floats v) const { return square - v; }
};

/// All is read before anything is written: the arrays lie whole pages apart, and a read just behind a write to the same
/// place of another page has to wait for it.
template <class Square>
MOE_INLINE void adam_vector(float* w, float* m, float* v, Floats gradient, Square square, float rate) {
    const Floats velocity = load(v);
    const AdamNumbers x = adam_step({load(w), load(m), velocity}, gradient, square.minus(velocity), rate);
    store(w, x.w), store(m, x.m), store(v, x.v);
}
template <class Square>
MOE_INLINE void adam_tail(float* w, float* m, float* v, Floats gradient, Square square, float rate, size_t n) {
    const Floats velocity = load_tail(v, n, 0.0f);
    const AdamNumbers x =
        adam_step({load_tail(w, n, 0.0f), load_tail(m, n, 0.0f), velocity}, gradient, square.minus(velocity), rate);
    store_tail(w, x.w, n), store_tail(m, x.m, n), store_tail(v, x.v, n);
}

void adam(float* w, float* g, float* m, float* v, float rate, size_t n) {
    size_t i = 0;
    for (; i + lanes <= n; i += lanes) {
        const Floats gradient = load(g + i);
        adam_vector(w + i, m + i, v + i, gradient, OwnSquare{gradient}, rate);
        store(g + i, Floats{});
    }
    if (i < n) {
        const Floats gradient = load_tail(g + i, n - i, 0.0f);
        adam_tail(w + i, m + i, v + i, gradient, OwnSquare{gradient}, rate, n - i);
        store_tail(g + i, Floats{}, n - i);
    }
}

void adam_at_rest(float* w, float* m, float* v, float rate, size_t n) {
    size_t i = 0;
    for (; i + lanes <= n; i += lanes) adam_vector(w + i, m + i, v + i, Floats{}, OwnSquare{Floats{}}, rate);
    if (i < n) adam_tail(w + i, m + i, v + i, Floats{}, OwnSquare{Floats{}}, rate, n - i);
}

void adam_of_squares(float* w, float* g, float* squares, float* m, float* v, float rate, size_t n) {
    size_t i = 0;
    for (; i + lanes <= n; i += lanes) {
        adam_vector(w + i, m + i, v + i, load(g + i), GivenSquare{load(squares + i)}, rate);
        store(g + i, Floats{}), store(squares + i, Floats{});
    }
    if (i < n) {
        adam_tail(w + i, m + i, v + i, load_tail(g + i, n - i, 0.0f), GivenSquare{load_tail(squares + i, n - i, 0.0f)},
                  rate, n - i);
        store_tail(g + i, Floats{}, n - i), store_tail(squares + i, Floats{}, n - i);
    }
}
