#pragma once

namespace moe::test {

// ThreadSanitizer slows every step by 20 times, AddressSanitizer by 4; neither races nor stray accesses need long runs.
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
inline constexpr bool thorough = false;
#else
inline constexpr bool thorough = true;
#endif

// Where there is one thread there are no races to look for.
#ifdef __SANITIZE_THREAD__
inline constexpr bool one_thread = false;
#else
inline constexpr bool one_thread = true;
#endif

}  // namespace moe::test
