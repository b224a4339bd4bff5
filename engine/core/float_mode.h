#pragma once
#if defined(__SSE__)
#include <xmmintrin.h>
#endif

namespace moe {

/// While it lives, this thread treats denormal floats as zero, results and operands (flush-to-zero and
/// denormals-are-zero); the previous mode comes back with its end. Why: Adam's moments of rare words decay below 1e-38,
/// and each denormal then costs a hundred cycles. Scopes nest; an inner one costs a few cycles.
class FlushDenormals {
public:
    FlushDenormals(const FlushDenormals&) = delete;
    FlushDenormals& operator=(const FlushDenormals&) = delete;
#if defined(__SSE__)
    FlushDenormals() : before_(_mm_getcsr()) {
        if ((before_ & flags) != flags) _mm_setcsr(before_ | flags);
    }
    ~FlushDenormals() {
        if ((before_ & flags) != flags) _mm_setcsr((_mm_getcsr() & ~flags) | (before_ & flags));
    }

private:
    static constexpr unsigned flags = 0x8040;  // FTZ, DAZ
    unsigned before_;
#else
    FlushDenormals() = default;
#endif
};

}  // namespace moe
