// Matrix products, included by kernels_impl.h. Roofline: a block of 6 x 4 vectors of sums (6 x 2 with AVX2) reads 4
// vectors and 6 numbers for 24 multiply-adds of a vector: from the first cache it waits for the multipliers alone.
// Weights that come from afar are read once for each slice of the sum: from fewer than about 13 rows on they are what
// it waits for. SSE2 has too few registers for such blocks to gain anything over Eigen's.

#if defined(__FMA__)

constexpr size_t block_columns = lanes == 16 ? 4 : 2;  // vectors
constexpr size_t block_sums = lanes == 16 ? 24 : 12;   // as many vectors of sums as the registers hold
constexpr size_t panel_columns = block_columns * lanes;
constexpr size_t product_depth = 128;  // a panel of b then stays in the first cache
constexpr size_t adam_depth = product_depth;  // one slice: Adam takes a gradient once
constexpr size_t packing_rows = 200;   // from here on a panel is read often enough to be copied first
constexpr size_t copying_columns = 200;  // of a^T from here on, and its rows lie far apart

/// The left matrix of a product, element (i, p): a row-major one ...
struct Rows {
    const float* p;
    size_t ld;

    MOE_INLINE float operator()(size_t i, size_t depth) const { return p[i * ld + depth]; }
    template <size_t>
    MOE_INLINE void prefetch(size_t) const {}
    MOE_INLINE Rows from_row(size_t i) const { return {p + i * ld, ld}; }
    MOE_INLINE Rows from_depth(size_t d) const { return {p + d, ld}; }
};
/// ... of which each is read once, so that those behind it are asked for; ...
struct PrefetchedRows : Rows {
    template <size_t rows>
    MOE_INLINE void prefetch(size_t depth) const {
        const size_t i = depth % lanes;
        if (i < rows) __builtin_prefetch(p + (rows + i) * ld + (depth - i));
    }
    MOE_INLINE PrefetchedRows from_row(size_t i) const { return {{p + i * ld, ld}}; }
};
/// ... or the transpose of one.
struct Columns {
    const float* p;
    size_t ld;

    MOE_INLINE float operator()(size_t i, size_t depth) const { return p[depth * ld + i]; }
    template <size_t>
    MOE_INLINE void prefetch(size_t) const {}
    MOE_INLINE Columns from_row(size_t i) const { return {p + i, ld}; }
    MOE_INLINE Columns from_depth(size_t d) const { return {p + d * ld, ld}; }
};

/// What becomes of a product's sums: they are written, added to what is there, ...
struct AddTo {
    float* c;
    size_t ld;

    static constexpr bool adds = true;
    MOE_INLINE AddTo at(size_t row, size_t column) const { return {c + row * ld + column, ld}; }
    MOE_INLINE AddTo rest() const { return *this; }
    MOE_INLINE void take(Floats sum) const { store(c, load(c) + sum); }
    MOE_INLINE void take_tail(Floats sum, size_t n) const { store_tail(c, load_tail(c, n, 0.0f) + sum, n); }
};
struct WriteTo {
    float* c;
    size_t ld;

    static constexpr bool adds = false;
    MOE_INLINE WriteTo at(size_t row, size_t column) const { return {c + row * ld + column, ld}; }
    MOE_INLINE AddTo rest() const { return {c, ld}; }
    MOE_INLINE void take(Floats sum) const { store(c, sum); }
    MOE_INLINE void take_tail(Floats sum, size_t n) const { store_tail(c, sum, n); }
};
/// The same in a panel of their own. Where the distance of rows is known, the compiler keeps all sums in registers.
struct AddToPanel {
    float* c;

    MOE_INLINE AddToPanel at(size_t row, size_t column) const { return {c + row * panel_columns + column}; }
    MOE_INLINE void take(Floats sum) const { store(c, load(c) + sum); }
    MOE_INLINE void take_tail(Floats sum, size_t n) const { store_tail(c, load_tail(c, n, 0.0f) + sum, n); }
};
struct WriteToPanel {
    float* c;

    MOE_INLINE WriteToPanel at(size_t row, size_t column) const { return {c + row * panel_columns + column}; }
    MOE_INLINE void take(Floats sum) const { store(c, sum); }
    MOE_INLINE void take_tail(Floats sum, size_t n) const { store_tail(c, sum, n); }
};
/// ... are written past the caches, ...
struct StreamTo {
    float* c;
    size_t ld;

    MOE_INLINE StreamTo at(size_t row, size_t column) const { return {c + row * ld + column, ld}; }
    MOE_INLINE void take(Floats sum) const { stream(c, sum); }
    MOE_INLINE void take_tail(Floats sum, size_t n) const { store_tail(c, sum, n); }
};
/// ... get a bias, ...
struct WithBias {
    float* c;
    size_t ld;
    const float* bias;

    MOE_INLINE WithBias at(size_t row, size_t column) const { return {c + row * ld + column, ld, bias + column}; }
    MOE_INLINE AddTo rest() const { return {c, ld}; }
    MOE_INLINE void take(Floats sum) const { store(c, load(bias) + sum); }
    MOE_INLINE void take_tail(Floats sum, size_t n) const { store_tail(c, load_tail(bias, n, 0.0f) + sum, n); }
};
/// ... or are gradients, and go into Adam without touching memory.
struct IntoAdam {
    float *w, *m, *v;
    size_t ld;
    float rate;

    MOE_INLINE IntoAdam at(size_t row, size_t column) const {
        const size_t i = row * ld + column;
        return {w + i, m + i, v + i, ld, rate};
    }
    MOE_INLINE void take(Floats sum) const { adam_vector(w, m, v, sum, OwnSquare{sum}, rate); }
    MOE_INLINE void take_tail(Floats sum, size_t n) const { adam_tail(w, m, v, sum, OwnSquare{sum}, rate, n); }
};

constexpr size_t rows_beside(size_t columns) {
    const size_t rows = block_sums / columns;
    return rows > 12 ? 12 : rows;
}
constexpr size_t fewer(size_t rows) {
    return rows == 12 ? 8 : rows == 6 ? 4 : rows / 2;
}
/// Whether `left` rows are better done with smaller blocks from here on: two of 8 wait less than 12 and 4.
constexpr bool smaller_from_here(size_t rows, size_t left) {
    return (rows == 12 && left == 16) || (rows == 6 && left == 8);
}
constexpr size_t block_rows = rows_beside(block_columns);

/// One block of a b; `last`: how many numbers of the last vector are wanted, 0: all.
template <size_t rows, size_t columns, bool prefetches = false, class To, class A>
MOE_INLINE void product_block(To to, A a, const float* b, size_t ldb, size_t k, size_t last,
                              const float* next = nullptr) {
    Floats sums[rows][columns];
    for (size_t r = 0; r < rows; ++r)
        for (size_t j = 0; j < columns; ++j) sums[r][j] = Floats{};
    for (size_t p = 0; p < k; ++p) {
        Floats x[columns];
        for (size_t j = 0; j < columns; ++j) {
            const float* const from = b + p * ldb + j * lanes;
            x[j] = j + 1 == columns && last != 0 ? load_tail(from, last, 0.0f) : load(from);
        }
        // The processor foresees no pieces of rows that lie far apart, so they are asked for.
        if constexpr (prefetches)
            for (size_t j = 0; j < columns; ++j) __builtin_prefetch(next + p * ldb + j * lanes);
        a.template prefetch<rows>(p);
        for (size_t r = 0; r < rows; ++r) {
            const Floats factor = all(a(r, p));
            for (size_t j = 0; j < columns; ++j) sums[r][j] = multiply_add(factor, x[j], sums[r][j]);
        }
    }
    for (size_t r = 0; r < rows; ++r)
        for (size_t j = 0; j < columns; ++j)
            if (j + 1 == columns && last != 0)
                to.at(r, j * lanes).take_tail(sums[r][j], last);
            else
                to.at(r, j * lanes).take(sums[r][j]);
}

/// The rows of a panel of columns, in blocks of at most `rows`, the rest in smaller ones.
template <size_t rows, size_t columns, bool whole, bool prefetches = false, class To, class A>
void product_panel(To to, A a, const float* b, size_t ldb, size_t m, size_t k, size_t last,
                   const float* next = nullptr) {
    size_t i = 0;
    if constexpr (prefetches)
        if (m >= rows && !smaller_from_here(rows, m)) {
            product_block<rows, columns, true>(to, a, b, ldb, k, 0, next);
            i = rows;
        }
    for (; i + rows <= m && !smaller_from_here(rows, m - i); i += rows)
        product_block<rows, columns>(to.at(i, 0), a.from_row(i), b, ldb, k, whole ? 0 : last);
    if constexpr (rows > 1)
        if (i < m) {
            if (prefetches && i == 0)
                product_panel<fewer(rows), columns, whole, prefetches>(to, a, b, ldb, m, k, last, next);
            else
                product_panel<fewer(rows), columns, whole>(to.at(i, 0), a.from_row(i), b, ldb, m - i, k, last);
        }
}

/// Less than a panel.
template <size_t columns, class To, class A>
void product_narrow(To to, A a, const float* b, size_t ldb, size_t m, size_t n, size_t k) {
    if constexpr (columns > 1)
        if (n <= (columns - 1) * lanes) return product_narrow<columns - 1>(to, a, b, ldb, m, n, k);
    product_panel<rows_beside(columns), columns, false>(to, a, b, ldb, m, k, n % lanes);
}
/// One panel of columns, n at most panel_columns.
template <class To, class A>
void product_columns(To to, A a, const float* b, size_t ldb, size_t m, size_t n, size_t k) {
    if (n == panel_columns)
        product_panel<block_rows, block_columns, true>(to, a, b, ldb, m, k, 0);
    else
        product_narrow<block_columns>(to, a, b, ldb, m, n, k);
}

/// Panels of b copied one behind the other, a few at a time: the longer a row's piece, the better it comes from afar.
struct PackedPanels {
    static constexpr size_t group = 4;
    alignas(64) float numbers[group * product_depth * panel_columns];

    /// The panel of the columns from j on, a multiple of a panel's; asked for in order. The last vector is filled up
    /// with zeros.
    MOE_INLINE const float* at(const float* b, size_t ldb, size_t n, size_t depth, size_t j) {
        const size_t place = j / panel_columns % group;
        if (place == 0) {
            const size_t rest = n - j, width = rest < group * panel_columns ? rest : group * panel_columns;
            for (size_t p = 0; p < depth; ++p)
                for (size_t i = 0; i < width; i += lanes) {
                    const float* const from = b + p * ldb + j + i;
                    __builtin_prefetch(from + 4 * ldb);
                    float* const to = numbers + (i / panel_columns * depth + p) * panel_columns + i % panel_columns;
                    store(to, i + lanes <= width ? load(from) : load_tail(from, width - i, 0.0f));
                }
        }
        return numbers + place * depth * panel_columns;
    }
};

/// The depths [p, p + depth) of a b, b being (k,n).
template <class To, class A>
MOE_INLINE void product_slice(To to, A a, const float* b, size_t ldb, size_t m, size_t n, size_t depth) {
    if (m < packing_rows || ldb <= panel_columns) {
        size_t j = 0;
        for (; j + panel_columns <= n; j += panel_columns) {
            const bool last = j + panel_columns == n;
            product_panel<block_rows, block_columns, true, true>(to.at(0, j), a, b + j, ldb, m, depth, 0,
                                                                 last ? b + depth * ldb : b + j + panel_columns);
        }
        if (j < n) product_columns(to.at(0, j), a, b + j, ldb, m, n - j, depth);
        return;
    }
    PackedPanels panels;
    for (size_t j = 0; j < n; j += panel_columns)
        product_columns(to.at(0, j), a, panels.at(b, ldb, n, depth, j), panel_columns, m,
                        n - j < panel_columns ? n - j : panel_columns, depth);
}
/// a b with b (k,n), as slices that `to` takes one after the other.
template <class To, class A>
void product(To to, A a, const float* b, size_t ldb, size_t m, size_t n, size_t k) {
    product_slice(to, a, b, ldb, m, n, k < product_depth ? k : product_depth);
    for (size_t p = product_depth; p < k; p += product_depth)
        product_slice(to.rest(), a.from_depth(p), b + p * ldb, ldb, m, n,
                      k - p < product_depth ? k - p : product_depth);
}

/// Some columns of a matrix whose rows lie so far apart that they share a few places of the first cache, and each would
/// be read anew for every panel of b: here a row is an odd number of lines, so that no two are in each other's way.
constexpr size_t copied_columns = 264, copied_ld = 272;
static_assert(copied_ld >= copied_columns && copied_ld / 16 % 2 == 1 && copied_ld % 16 == 0 &&
              copied_columns % block_rows == 0);
struct ColumnCopy {
    alignas(64) float numbers[product_depth * copied_ld];

    Columns of(Columns a, size_t columns, size_t depth) {
        for (size_t p = 0; p < depth; ++p) {
            const float* const from = a.p + p * a.ld;
            float* const to = numbers + p * copied_ld;
            for (size_t i = 0; i < columns; i += lanes)
                store(to + i, i + lanes <= columns ? load(from + i) : load_tail(from + i, columns - i, 0.0f));
        }
        return {numbers, copied_ld};
    }
};

/// a^T b with long rows of a. What has been summed of a few rows stays in the second cache.
template <class To>
MOE_INLINE void product_of_blocks(To to, Columns a, const float* b, size_t ldb, size_t m, size_t n, size_t depth) {
    ColumnCopy copy;
    PackedPanels panels;
    const Columns copied = copy.of(a, m, depth);
    for (size_t j = 0; j < n; j += panel_columns) {
        const size_t columns = n - j < panel_columns ? n - j : panel_columns;
        const float* const panel = panels.at(b, ldb, n, depth, j);
        for (size_t r = 0; r < m; r += block_rows)
            product_columns(to.at(r, j), copied.from_row(r), panel, panel_columns,
                            m - r < block_rows ? m - r : block_rows, columns, depth);
    }
}

/// A square of lanes x lanes numbers becomes its transpose: the bits of row and column change places one by one.
template <size_t bit>
MOE_INLINE void transpose_bit(Floats* x) {
    Ints low, high;
    for (size_t l = 0; l < lanes; ++l) {
        low[l] = std::int32_t(l & bit ? lanes + (l ^ bit) : l);
        high[l] = std::int32_t(l & bit ? lanes + l : l | bit);
    }
    for (size_t i = 0; i < lanes; ++i)
        if (!(i & bit)) {
            const Floats a = x[i], b = x[i | bit];
            x[i] = __builtin_shuffle(a, b, low);
            x[i | bit] = __builtin_shuffle(a, b, high);
        }
}
MOE_INLINE void transpose_square(Floats* x) {
    transpose_bit<1>(x);
    transpose_bit<2>(x);
    if constexpr (lanes >= 8) transpose_bit<4>(x);
    if constexpr (lanes >= 16) transpose_bit<8>(x);
}

/// to (depth,width) becomes b^T, b being (n,depth); columns beyond n are zeros.
void transpose(float* to, size_t ldt, size_t width, const float* b, size_t ldb, size_t n, size_t depth) {
    for (size_t p = 0; p < depth; p += lanes) {
        const size_t deep = depth - p < lanes ? depth - p : lanes;
        for (size_t j = 0; j < width; j += lanes) {
            Floats square[lanes];
            for (size_t i = 0; i < lanes; ++i) {
                const float* const row = b + (j + i) * ldb + p;
                __builtin_prefetch(row + 2 * lanes);
                square[i] = j + i >= n ? Floats{} : deep == lanes ? load(row) : load_tail(row, deep, 0.0f);
            }
            transpose_square(square);
            for (size_t i = 0; i < deep; ++i) {
                float* const row = to + (p + i) * ldt + j;
                if (width - j >= lanes)
                    store(row, square[i]);
                else
                    store_tail(row, square[i], width - j);
            }
        }
    }
}

template <class To, class A>
MOE_INLINE void transposed_slice(To to, A a, const float* b, size_t ldb, size_t m, size_t n, size_t depth) {
    alignas(64) float panel[product_depth * panel_columns];
    for (size_t j = 0; j < n; j += panel_columns) {
        const size_t columns = n - j < panel_columns ? n - j : panel_columns;
        const size_t width = (columns + lanes - 1) / lanes * lanes;
        transpose(panel, width, width, b + j * ldb, ldb, columns, depth);
        product_columns(to.at(0, j), a, panel, width, m, columns, depth);
    }
}
/// a b^T with b (n,k): panels of b are transposed into a buffer that stays in the first cache.
template <class To, class A>
void product_transposed(To to, A a, const float* b, size_t ldb, size_t m, size_t n, size_t k) {
    transposed_slice(to, a, b, ldb, m, n, k < product_depth ? k : product_depth);
    for (size_t p = product_depth; p < k; p += product_depth)
        transposed_slice(to.rest(), a.from_depth(p), b + p, ldb, m, n, k - p < product_depth ? k - p : product_depth);
}

/// The same to the same bits as (b a^T)^T: a (m,k) and the result are transposed, since they are smaller than b.
constexpr size_t thin_height = 48;  // whole blocks of every width
constexpr size_t thin_rows = panel_columns, thin_numbers = size_t(1) << 16;
template <class To>
void thin_product_transposed(To to, Rows a, const float* b, size_t ldb, size_t m, size_t n, size_t k) {
    alignas(64) float panels[thin_numbers], sums[thin_height * panel_columns];
    const size_t width = (m + lanes - 1) / lanes * lanes, rows = rows_beside(width / lanes);
    transpose(panels, width, width, a.p, a.ld, m, k);
    for (size_t i = 0; i < n; i += thin_height) {
        const size_t high = n - i < thin_height ? n - i : thin_height;
        if constexpr (To::adds) transpose(sums, panel_columns, width, to.c + i, to.ld, m, high);
        for (size_t r = 0; r < high; r += rows)
            for (size_t p = 0; p < k; p += product_depth) {
                const PrefetchedRows left{{b + (i + r) * ldb + p, ldb}};
                const size_t h = high - r < rows ? high - r : rows,
                             depth = k - p < product_depth ? k - p : product_depth;
                const float* const right = panels + p * width;
                if (p == 0 && !To::adds)
                    product_columns(WriteToPanel{sums + r * panel_columns}, left, right, width, h, width, depth);
                else
                    product_columns(AddToPanel{sums + r * panel_columns}, left, right, width, h, width, depth);
            }
        transpose(to.c + i, to.ld, high, sums, panel_columns, high, m);
    }
}

void gemm_nn(float* c, size_t ldc, const float* a, size_t lda, const float* b, size_t ldb, const float* bias, size_t m,
             size_t n, size_t k) {
    product(WithBias{c, ldc, bias}, Rows{a, lda}, b, ldb, m, n, k);
}
void gemm_tn(float* c, size_t ldc, const float* a, size_t lda, const float* b, size_t ldb, size_t m, size_t n, size_t k,
             bool streams) {
    const Columns transposed{a, lda};
    const bool stream = streams && k <= product_depth && ldc % lanes == 0 && std::uintptr_t(c) % sizeof(Floats) == 0;
    if (m >= copying_columns && n >= 2 * panel_columns) {
        for (size_t i = 0; i < m; i += copied_columns) {
            const size_t rows = m - i < copied_columns ? m - i : copied_columns;
            const WriteTo to = WriteTo{c, ldc}.at(i, 0);
            const Columns left = transposed.from_row(i);
            if (stream)
                product_of_blocks(StreamTo{to.c, ldc}, left, b, ldb, rows, n, k);
            else
                product_of_blocks(to, left, b, ldb, rows, n, k < product_depth ? k : product_depth);
            for (size_t p = product_depth; p < k; p += product_depth)
                product_of_blocks(to.rest(), left.from_depth(p), b + p * ldb, ldb, rows, n,
                                  k - p < product_depth ? k - p : product_depth);
        }
    } else if (stream) {
        product_slice(StreamTo{c, ldc}, transposed, b, ldb, m, n, k);
    } else {
        product(WriteTo{c, ldc}, transposed, b, ldb, m, n, k);
    }
    if (stream) _mm_sfence();  // whoever is told that this part is done must see it
}
void gemm_nt(float* c, size_t ldc, const float* a, size_t lda, const float* b, size_t ldb, size_t m, size_t n, size_t k,
             bool add) {
    const size_t width = (m + lanes - 1) / lanes * lanes;
    const bool thin = m >= 12 && width <= thin_rows && width * k <= thin_numbers && 4 * m * (n + k) <= 3 * n * k;
    if (thin && add)
        thin_product_transposed(AddTo{c, ldc}, Rows{a, lda}, b, ldb, m, n, k);
    else if (thin)
        thin_product_transposed(WriteTo{c, ldc}, Rows{a, lda}, b, ldb, m, n, k);
    else if (add)
        product_transposed(AddTo{c, ldc}, Rows{a, lda}, b, ldb, m, n, k);
    else
        product_transposed(WriteTo{c, ldc}, Rows{a, lda}, b, ldb, m, n, k);
}

/// Weights and moments of a block are asked for while the one before is multiplied.
template <size_t rows, bool prefetches>
MOE_INLINE void prefetch_block(IntoAdam to) {
    if constexpr (!prefetches) return;
    for (size_t r = 0; r < rows; ++r)
        for (size_t j = 0; j < block_columns; ++j) {
            const IntoAdam x = to.at(r, j * lanes);
            __builtin_prefetch(x.w), __builtin_prefetch(x.m), __builtin_prefetch(x.v);
        }
}

/// Down a panel of columns; Adam's constants leave registers for 4 rows.
template <size_t rows, bool prefetches, class A>
void adam_panel(IntoAdam to, A a, const float* b, size_t ldb, size_t m, size_t n, size_t k) {
    size_t i = 0;
    for (; i + rows <= m; i += rows) {
        const bool last = i + 2 * rows > m;
        prefetch_block<rows, prefetches>(last ? to.at(0, panel_columns) : to.at(i + rows, 0));
        if (n == panel_columns)
            product_block<rows, block_columns>(to.at(i, 0), a.from_row(i), b, ldb, k, 0);
        else
            product_columns(to.at(i, 0), a.from_row(i), b, ldb, rows, n, k);
    }
    if constexpr (rows > 1)
        if (i < m) adam_panel<rows / 2, prefetches>(to.at(i, 0), a.from_row(i), b, ldb, m - i, n, k);
}

template <bool prefetches>
void adam_of_panels(IntoAdam to, Columns a, const float* b, size_t ldb, size_t m, size_t n, size_t k) {
    for (size_t j = 0; j < n; j += panel_columns)
        adam_panel<4, prefetches>(to.at(0, j), a, b + j, ldb, m, n - j < panel_columns ? n - j : panel_columns, k);
}

constexpr size_t near_weights = 4096;  // these come from the second cache soon enough by themselves
void adam_of_copied(IntoAdam to, Columns a, const float* b, size_t ldb, size_t m, size_t n, size_t k) {
    ColumnCopy copy;
    PackedPanels panels;
    const Columns copied = copy.of(a, m, k);
    for (size_t j = 0; j < n; j += panel_columns)
        adam_panel<4, true>(to.at(0, j), copied, panels.at(b, ldb, n, k, j), panel_columns, m,
                            n - j < panel_columns ? n - j : panel_columns, k);
}

/// Rows of less than a vector, one behind the other: each is written whole, and the next one covers what is too much.
struct RowByRow {
    float* c;
    size_t ld;

    MOE_INLINE RowByRow at(size_t row, size_t column) const { return {c + row * ld + column, ld}; }
    MOE_INLINE void take(Floats sum) const { store(c, sum); }
    MOE_INLINE void take_tail(Floats sum, size_t) const { store(c, sum); }
};
/// Weights of such rows: read and written row by row, each row would have to wait for the one before.
void narrow_adam(IntoAdam to, Columns a, const float* b, size_t ldb, size_t m, size_t n, size_t k) {
    constexpr size_t most = 64;
    alignas(64) float gradient[(most + 1) * lanes];
    for (size_t i = 0; i < m; i += most) {
        const size_t rows = m - i < most ? m - i : most;
        product_columns(RowByRow{gradient, n}, a.from_row(i), b, ldb, rows, n, k);
        adam(to.w + i * n, gradient, to.m + i * n, to.v + i * n, to.rate, rows * n);
    }
}
void gemm_tn_adam(float* w, float* m, float* v, size_t ld, const float* a, size_t lda, const float* b, size_t ldb,
                  size_t rows, size_t n, size_t k, float rate) {
    const IntoAdam to{w, m, v, ld, rate};
    if (n < lanes && ld == n)
        narrow_adam(to, Columns{a, lda}, b, ldb, rows, n, k);
    else if (rows >= copying_columns && n >= 2 * panel_columns)
        for (size_t i = 0; i < rows; i += copied_columns)
            adam_of_copied(to.at(i, 0), Columns{a + i, lda}, b, ldb,
                           rows - i < copied_columns ? rows - i : copied_columns, n, k);
    else if (rows * n > near_weights)
        adam_of_panels<true>(to, Columns{a, lda}, b, ldb, rows, n, k);
    else
        adam_of_panels<false>(to, Columns{a, lda}, b, ldb, rows, n, k);
}

void prepare() {}

#else

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

void gemm_nn(float* c, size_t ldc, const float* a, size_t lda, const float* b, size_t ldb, const float* bias, size_t m,
             size_t n, size_t k) {
    for (size_t i = 0; i < m; ++i) __builtin_memcpy(c + i * ldc, bias, 4 * n);
    matrix(c, m, n, ldc).noalias() += matrix(a, m, k, lda) * matrix(b, k, n, ldb);
}
void gemm_tn(float* c, size_t ldc, const float* a, size_t lda, const float* b, size_t ldb, size_t m, size_t n, size_t k,
             bool) {
    matrix(c, m, n, ldc).setZero();
    matrix(c, m, n, ldc).noalias() += matrix(a, k, m, lda).transpose() * matrix(b, k, n, ldb);
}
void gemm_nt(float* c, size_t ldc, const float* a, size_t lda, const float* b, size_t ldb, size_t m, size_t n, size_t k,
             bool add) {
    if (!add) matrix(c, m, n, ldc).setZero();
    matrix(c, m, n, ldc).noalias() += matrix(a, m, k, lda) * matrix(b, n, k, ldb).transpose();
}
// Never called: no sum is short enough for it.
void gemm_tn_adam(float*, float*, float*, size_t, const float*, size_t, const float*, size_t, size_t, size_t, size_t,
                  float) {}
constexpr size_t adam_depth = 0;

// Eigen cuts its products by the sizes of the caches it finds; with sizes of our own the same sums come out in the same
// order on every machine.
void prepare() {
    Eigen::setCpuCacheSizes(32 << 10, 512 << 10, 4 << 20);
}

#endif
