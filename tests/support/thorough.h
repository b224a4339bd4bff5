#pragma once

namespace moe::test {

// ThreadSanitizer slows every step by 20 times, AddressSanitizer by 4; neither races nor stray accesses need long runs.
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
inline constexpr bool thorough = false;
#else
inline constexpr bool thorough = true;
#endif

// What has no second thread, or takes minutes under ThreadSanitizer, is left out there.
#ifdef __SANITIZE_THREAD__
inline constexpr bool without_tsan = false;
#else
inline constexpr bool without_tsan = true;
#endif

}  // namespace moe::test
