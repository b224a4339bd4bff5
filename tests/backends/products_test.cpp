// The matrix products, and the choice of the largest, of each instruction set against plain loops, at the sizes where
// they choose another way.
#include "engine/backend/cpu/kernels.h"
#include "engine/core/rng.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <limits>
#include <utility>
#include <vector>

namespace moe {
namespace {

using std::size_t;

constexpr float untouched = 12345.0f;

/// A matrix inside a larger one whose other numbers nobody may write.
struct Matrix {
    size_t rows, columns, ld;
    std::vector<float> room;
    size_t first = 0;

    Matrix(size_t rows_, size_t columns_, size_t gap) : rows(rows_), columns(columns_), ld(columns_ + gap) {
        room.assign(rows * ld + 64, untouched);
        while (reinterpret_cast<std::uintptr_t>(&room[first]) % 64 != 0) ++first;
    }
    Matrix(const Matrix& other) : Matrix(other.rows, other.columns, other.ld - other.columns) {
        for (size_t i = 0; i < rows; ++i)
            for (size_t j = 0; j < columns; ++j) at(i, j) = other.at(i, j);
    }
    Matrix& operator=(const Matrix&) = delete;

    float* data() { return &room[first]; }
    const float* data() const { return &room[first]; }
    float& at(size_t i, size_t j) { return room[first + i * ld + j]; }
    float at(size_t i, size_t j) const { return room[first + i * ld + j]; }
    Matrix& draw(Rng& rng, double low, double high) {
        for (size_t i = 0; i < rows; ++i)
            for (size_t j = 0; j < columns; ++j) at(i, j) = float(low + (high - low) * rng.uniform());
        return *this;
    }
    bool kept_to_its_place() const {
        for (size_t i = 0; i < room.size(); ++i) {
            const bool inside = i >= first && i < first + rows * ld && (i - first) % ld < columns;
            if (!inside && room[i] != untouched) return false;
        }
        return true;
    }
    bool same_bits(const Matrix& other) const {
        for (size_t i = 0; i < rows; ++i)
            if (std::memcmp(data() + i * ld, other.data() + i * other.ld, 4 * columns) != 0) return false;
        return true;
    }
};

void check_sums(const Matrix& found, size_t k, const std::function<double(size_t, size_t)>& wanted) {
    CHECK(found.kept_to_its_place());
    double worst = 0;
    for (size_t i = 0; i < found.rows; ++i)
        for (size_t j = 0; j < found.columns; ++j)
            if (const double d = std::abs(double(found.at(i, j)) - wanted(i, j)); !(d <= worst)) worst = d;  // or NaN
    CHECK(worst <= 1e-6 * std::sqrt(double(k)) + 2e-7 * double(k));  // of numbers up to 1, rounding errors add up
}

struct Size {
    size_t m, n, k;
};
// One of each, tails of every kind, and both sides of every number at which another way is taken.
constexpr Size sizes[] = {
    {1, 1, 1},       {2, 64, 3},     {5, 15, 16},    {8, 64, 64},     {11, 64, 64},   {12, 64, 64},   {13, 65, 70},
    {16, 64, 256},   {16, 256, 64},  {33, 100, 129}, {64, 64, 512},   {64, 130, 300}, {65, 130, 300}, {60, 300, 128},
    {70, 10, 100},   {130, 5, 33},   {199, 64, 20},  {200, 128, 128}, {201, 127, 31}, {250, 128, 16}, {250, 260, 64},
    {257, 200, 129}, {500, 130, 40}, {3, 700, 1030}, {14, 64, 600},   {16, 100, 700}, {13, 20, 4096}, {13, 20, 4097},
    {230, 3, 30},    {230, 16, 20},  {230, 24, 130}, {230, 96, 64},   {264, 140, 30}, {265, 140, 30}};

void for_each_size(const std::function<void(const Kernels&, Size, size_t gap, Rng&)>& test) {
    for (const Isa isa : {Isa::baseline, Isa::v3, Isa::v4}) {
        if (!isa_supported(isa)) continue;
        const Kernels& kernels = kernels_for(isa);
        CAPTURE(isa_name(isa));
        Rng rng(11);
        for (const Size& size : sizes)
            for (const size_t gap : {0, 5}) {
                CAPTURE(size.m);
                CAPTURE(size.n);
                CAPTURE(size.k);
                CAPTURE(gap);
                test(kernels, size, gap, rng);
            }
    }
}

TEST_CASE("a product of rows") {
    for_each_size([](const Kernels& kernels, Size s, size_t gap, Rng& rng) {
        Matrix a(s.m, s.k, gap), b(s.k, s.n, gap), bias(1, s.n, 0), c(s.m, s.n, gap);
        a.draw(rng, -1, 1), b.draw(rng, -1, 1), bias.draw(rng, -1, 1), c.draw(rng, 5, 6);
        kernels.gemm_nn(c.data(), c.ld, a.data(), a.ld, b.data(), b.ld, bias.data(), s.m, s.n, s.k);
        check_sums(c, s.k, [&](size_t i, size_t j) {
            double sum = bias.at(0, j);
            for (size_t p = 0; p < s.k; ++p) sum += double(a.at(i, p)) * b.at(p, j);
            return sum;
        });
    });
}

TEST_CASE("a product with the transpose on the left") {
    for_each_size([](const Kernels& kernels, Size s, size_t gap, Rng& rng) {
        Matrix a(s.k, s.m, gap), b(s.k, s.n, gap), c(s.m, s.n, gap);
        a.draw(rng, -1, 1), b.draw(rng, -1, 1), c.draw(rng, 5, 6);
        Matrix past_the_caches(c);
        kernels.gemm_tn(c.data(), c.ld, a.data(), a.ld, b.data(), b.ld, s.m, s.n, s.k, false);
        check_sums(c, s.k, [&](size_t i, size_t j) {
            double sum = 0;
            for (size_t p = 0; p < s.k; ++p) sum += double(a.at(p, i)) * b.at(p, j);
            return sum;
        });
        kernels.gemm_tn(past_the_caches.data(), c.ld, a.data(), a.ld, b.data(), b.ld, s.m, s.n, s.k, true);
        CHECK(past_the_caches.same_bits(c));
        CHECK(past_the_caches.kept_to_its_place());
    });
}

TEST_CASE("a product over nothing is zero") {
    for_each_size([](const Kernels& kernels, Size s, size_t gap, Rng& rng) {
        for (const bool streams : {false, true}) {
            Matrix a(1, s.m, gap), b(1, s.n, gap), c(s.m, s.n, gap);
            c.draw(rng, 5, 6);
            kernels.gemm_tn(c.data(), c.ld, a.data(), a.ld, b.data(), b.ld, s.m, s.n, 0, streams);
            check_sums(c, 1, [](size_t, size_t) { return 0.0; });
        }
    });
}

TEST_CASE("a product with the transpose on the right, and cut into slices") {
    for_each_size([](const Kernels& kernels, Size s, size_t gap, Rng& rng) {
        Matrix a(s.m, s.k, gap), b(s.n, s.k, gap), c(s.m, s.n, gap);
        a.draw(rng, -1, 1), b.draw(rng, -1, 1), c.draw(rng, 5, 6);
        Matrix cut(c);
        const auto wanted = [&](size_t i, size_t j) {
            double sum = 0;
            for (size_t p = 0; p < s.k; ++p) sum += double(a.at(i, p)) * b.at(j, p);
            return sum;
        };
        kernels.gemm_nt(c.data(), c.ld, a.data(), a.ld, b.data(), b.ld, s.m, s.n, s.k, false);
        check_sums(c, s.k, wanted);
        // Parts of a long sum are multiples of 256 deep.
        for (size_t p = 0; p < s.k; p += 256)
            kernels.gemm_nt(cut.data(), c.ld, a.data() + p, a.ld, b.data() + p, b.ld, s.m, s.n,
                            std::min<size_t>(256, s.k - p), p > 0);
        if (kernels.adam_depth > 0)
            CHECK(cut.same_bits(c));
        else
            check_sums(cut, s.k, wanted);
    });
}

TEST_CASE("Adam by a product takes the product's bits") {
    for_each_size([](const Kernels& kernels, Size s, size_t gap, Rng& rng) {
        if (s.k > kernels.adam_depth) return;
        Matrix a(s.k, s.m, gap), b(s.k, s.n, gap), gradient(s.m, s.n, gap), w(s.m, s.n, gap), m(s.m, s.n, gap),
            v(s.m, s.n, gap);
        a.draw(rng, -1, 1), b.draw(rng, -1, 1), w.draw(rng, -1, 1), m.draw(rng, -1, 1), v.draw(rng, 0, 1);
        Matrix w_apart(w), m_apart(m), v_apart(v);
        kernels.gemm_tn(gradient.data(), gradient.ld, a.data(), a.ld, b.data(), b.ld, s.m, s.n, s.k, false);
        for (size_t i = 0; i < s.m; ++i)
            kernels.adam(&w_apart.at(i, 0), &gradient.at(i, 0), &m_apart.at(i, 0), &v_apart.at(i, 0), 1e-2f, s.n);
        kernels.gemm_tn_adam(w.data(), m.data(), v.data(), w.ld, a.data(), a.ld, b.data(), b.ld, s.m, s.n, s.k, 1e-2f);
        for (const auto& [together, apart] : {std::pair{&w, &w_apart}, {&m, &m_apart}, {&v, &v_apart}}) {
            CHECK(together->same_bits(*apart));
            CHECK(together->kept_to_its_place());
        }
    });
}

TEST_CASE("the k largest, ties and what is no number among them") {
    constexpr float nan = std::numeric_limits<float>::quiet_NaN(), infinity = std::numeric_limits<float>::infinity();
    for (const Isa isa : {Isa::baseline, Isa::v3, Isa::v4}) {
        if (!isa_supported(isa)) continue;
        CAPTURE(isa_name(isa));
        Rng rng(3);
        for (const size_t n : {1, 5, 16, 31, 63, 64, 65, 100, 256, 300})
            for (const size_t k : {1, 2, 5, 8, 17})
                for (const int kind : {0, 1, 2, 3, 4}) {
                    if (k > n) continue;
                    CAPTURE(n);
                    CAPTURE(k);
                    CAPTURE(kind);
                    std::vector<float> x(n);
                    for (float& z : x) {  // all kinds of numbers, few different ones, all equal, infinities, NaN
                        z = kind == 0 ? float(rng.uniform()) : kind == 2 ? 1.0f : float(rng.below(4));
                        if (kind == 3 && rng.below(3) != 0) z = -infinity;
                        if (kind == 4 && rng.below(9) == 0) z = nan;
                    }
                    std::vector<std::int32_t> wanted, found(k + 1, -7);
                    for (size_t i = 0; i < n; ++i) {
                        auto place = wanted.end();
                        while (place != wanted.begin() && x[i] > x[size_t(*(place - 1))]) --place;
                        wanted.insert(place, std::int32_t(i));
                        if (wanted.size() > k) wanted.pop_back();
                    }
                    kernels_for(isa).top_k_row(found.data(), x.data(), n, k);
                    CHECK(found.back() == -7);
                    found.pop_back();
                    CHECK(found == wanted);
                }
    }
}

}  // namespace
}  // namespace moe
