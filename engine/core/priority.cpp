#include "engine/core/priority.h"

#if defined(__linux__)
#include <sys/resource.h>
#include <unistd.h>
#endif

namespace moe {

void lower_thread_priority() {
#if defined(__linux__)
    constexpr int step = 5;
    // Of a thread, not of the process, on Linux alone. Where it is refused all go on as they were.
    const auto thread = static_cast<id_t>(gettid());
    setpriority(PRIO_PROCESS, thread, getpriority(PRIO_PROCESS, thread) + step);
#endif
}

}  // namespace moe
