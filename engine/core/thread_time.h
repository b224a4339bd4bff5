#pragma once
#include <ctime>

namespace moe {

/// Processor time of the calling thread in seconds: a busy machine does not lengthen it. Right where one thread works.
inline double thread_seconds() {
    timespec t{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return double(t.tv_sec) + 1e-9 * double(t.tv_nsec);
}

}  // namespace moe
