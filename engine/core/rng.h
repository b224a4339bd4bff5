#pragma once
#include <cstdint>
#include <utility>

namespace moe {

/// xoshiro256** seeded through splitmix64 (Blackman and Vigna 2018): the same numbers on every machine. `stream`
/// separates uses of one seed (each parameter, each epoch).
class Rng {
public:
    explicit Rng(std::uint64_t seed, std::uint64_t stream = 0) {
        std::uint64_t x = seed ^ (stream * 0xD1342543DE82EF95u + 0x2545F4914F6CDD1Du);
        for (std::uint64_t& s : s_) {
            x += 0x9E3779B97F4A7C15u;
            std::uint64_t z = x;
            z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
            z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
            s = z ^ (z >> 31);
        }
    }

    std::uint64_t next() {
        const std::uint64_t result = rotate(s_[1] * 5, 7) * 9, t = s_[1] << 17;
        s_[2] ^= s_[0];
        s_[3] ^= s_[1];
        s_[1] ^= s_[2];
        s_[0] ^= s_[3];
        s_[2] ^= t;
        s_[3] = rotate(s_[3], 45);
        return result;
    }

    /// [0, 1), 53 bits.
    double uniform() { return double(next() >> 11) * 0x1p-53; }

    /// [0, bound), without bias (Lemire 2019).
    std::uint64_t below(std::uint64_t bound) {
        __extension__ using Wide = unsigned __int128;
        Wide product = Wide(next()) * bound;
        if (std::uint64_t(product) < bound) {
            const std::uint64_t threshold = (0 - bound) % bound;
            while (std::uint64_t(product) < threshold) product = Wide(next()) * bound;
        }
        return std::uint64_t(product >> 64);
    }

private:
    static std::uint64_t rotate(std::uint64_t x, int k) { return (x << k) | (x >> (64 - k)); }
    std::uint64_t s_[4];
};

}  // namespace moe
