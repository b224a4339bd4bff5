#include "engine/bench/measure.h"

#include <chrono>
#include <cstdint>
#include <cstring>
#include <ctime>
#include <vector>

namespace moe {

static double seconds_of(clockid_t clock) {
    timespec t{};
    clock_gettime(clock, &t);
    return double(t.tv_sec) + 1e-9 * double(t.tv_nsec);
}

double process_seconds() {
    return seconds_of(CLOCK_PROCESS_CPUTIME_ID);
}

double wall_seconds() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double copy_rate() {
    constexpr std::size_t bytes = std::size_t(64) << 20;
    static const std::vector<char> from(bytes, 1);
    static std::vector<char> to(bytes, 2);
    const double start = thread_seconds();
    std::memcpy(to.data(), from.data(), bytes);
    asm volatile("" : : "r"(to.data()) : "memory");
    return 2 * double(bytes) / (thread_seconds() - start) * 1e-9;
}

#if defined(__x86_64__)

// Assembly, so that no compiler shortens the chains and no build flag is needed. All registers hold zeros.
#define MOE_FMA(r, i) "vfmadd231ps %%" r "14, %%" r "15, %%" r #i "\n"
#define MOE_TWELVE_FMAS(r) \
    MOE_FMA(r, 0)          \
    MOE_FMA(r, 1)          \
    MOE_FMA(r, 2)          \
    MOE_FMA(r, 3)          \
    MOE_FMA(r, 4) MOE_FMA(r, 5) MOE_FMA(r, 6) MOE_FMA(r, 7) MOE_FMA(r, 8) MOE_FMA(r, 9) MOE_FMA(r, 10) MOE_FMA(r, 11)
#define MOE_MUL_ADD(i, j) "mulps %%xmm14, %%xmm" #i "\naddps %%xmm15, %%xmm" #j "\n"
#define MOE_LOOP(before, body, after)                                                                             \
    asm volatile(before ".p2align 6\n1:\n" body "dec %0\njnz 1b\n" after                                          \
                 : "+r"(n)                                                                                        \
                 :                                                                                                \
                 : "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", \
                   "xmm11", "xmm12", "xmm13", "xmm14", "xmm15")

static void chains_512(std::uint64_t n) {
    MOE_LOOP("vzeroall\n", MOE_TWELVE_FMAS("zmm"), "vzeroupper\n");
}
static void chains_256(std::uint64_t n) {
    MOE_LOOP("vzeroall\n", MOE_TWELVE_FMAS("ymm"), "vzeroupper\n");
}
// A multiply and an add where the others have one FMA.
static void chains_128(std::uint64_t n) {
    MOE_LOOP("xorps %%xmm14, %%xmm14\nxorps %%xmm15, %%xmm15\n",
             MOE_MUL_ADD(0, 6) MOE_MUL_ADD(1, 7) MOE_MUL_ADD(2, 8) MOE_MUL_ADD(3, 9) MOE_MUL_ADD(4, 10)
                 MOE_MUL_ADD(5, 11),
             "");
}

double fma_peak(int bits) {
    __builtin_cpu_init();
    if (bits == 512 && !__builtin_cpu_supports("x86-64-v4")) return 0;
    if (bits == 256 && !__builtin_cpu_supports("x86-64-v3")) return 0;
    constexpr std::uint64_t loops = 300'000;
    const double operations = (bits == 128 ? 1.0 : 2.0) * 12 * double(bits / 32) * double(loops);
    const double start = thread_seconds();
    (bits == 512 ? chains_512 : bits == 256 ? chains_256 : chains_128)(loops);
    return operations / (thread_seconds() - start) * 1e-9;
}

#else

double fma_peak(int) {
    return 0;
}

#endif

}  // namespace moe
