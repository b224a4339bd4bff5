#pragma once

namespace moe::test {

// ThreadSanitizer slows every step by 20 times; races do not need long runs.
#ifdef __SANITIZE_THREAD__
inline constexpr bool thorough = false;
#else
inline constexpr bool thorough = true;
#endif

}  // namespace moe::test
