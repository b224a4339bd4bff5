#include "engine/h5/confinement.h"

#include "engine/formats/h5_records.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include <cmath>
#include <cstddef>
#include <vector>

namespace moe {

namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool sanitized = true;
#elif defined(__has_feature)
constexpr bool sanitized = __has_feature(address_sanitizer) || __has_feature(thread_sanitizer);
#else
constexpr bool sanitized = false;
#endif

#if defined(__x86_64__)
constexpr unsigned machine = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr unsigned machine = AUDIT_ARCH_AARCH64;
#else
constexpr unsigned machine = 0;
#endif

bool limit(decltype(RLIMIT_CPU) what, rlim_t most, rlim_t hard) {
    const struct rlimit both = {most, hard};
    return setrlimit(what, &both) == 0;
}
bool limit(decltype(RLIMIT_CPU) what, rlim_t most) {
    return limit(what, most, most);
}

// All else fails as if it were forbidden, which libhdf5 takes for an ordinary error.
bool allow_few_calls() {
    if (machine == 0) return true;
    const auto load = [](std::size_t offset) { return sock_filter{BPF_LD | BPF_W | BPF_ABS, 0, 0, unsigned(offset)}; };
    const auto unless = [](unsigned value) { return sock_filter{BPF_JMP | BPF_JEQ | BPF_K, 0, 1, value}; };
    const auto answer = [](unsigned what) { return sock_filter{BPF_RET | BPF_K, 0, 0, what}; };
    std::vector<sock_filter> filter = {load(offsetof(seccomp_data, arch)),
                                       sock_filter{BPF_JMP | BPF_JEQ | BPF_K, 1, 0, machine},
                                       answer(SECCOMP_RET_KILL_PROCESS), load(offsetof(seccomp_data, nr))};
    for (const int call : {SYS_read, SYS_write, SYS_brk, SYS_mmap, SYS_munmap, SYS_mremap, SYS_madvise, SYS_futex,
                           SYS_exit, SYS_exit_group, SYS_rt_sigreturn, SYS_rt_sigprocmask, SYS_getpid, SYS_gettid,
                           SYS_tgkill, SYS_clock_gettime, SYS_getrandom}) {
        filter.push_back(unless(unsigned(call)));
        filter.push_back(answer(SECCOMP_RET_ALLOW));
    }
    filter.push_back(answer(SECCOMP_RET_ERRNO | 1));  // EPERM
    const sock_fprog program = {static_cast<unsigned short>(filter.size()), filter.data()};
    // A kernel without it leaves the limits below, which hold alone.
    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
    return true;
}

}  // namespace

}  // namespace moe

#if defined(__SANITIZE_ADDRESS__)
// Looking for leaks at the end takes a further process, which there is none of.
extern "C" const char* __asan_default_options() {
    return "detect_leaks=0";
}
#endif

namespace moe {

bool confine(std::size_t file_bytes) {
    // The file, what is unpacked of it, and the program itself.
    const rlim_t memory = rlim_t(file_bytes) + h5_most_bytes(file_bytes) + (rlim_t(64) << 20);
    const auto seconds = rlim_t(std::ceil(h5_seconds(file_bytes)));
    return prctl(PR_SET_DUMPABLE, 0) == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && limit(RLIMIT_CORE, 0) &&
           limit(RLIMIT_FSIZE, 0) && limit(RLIMIT_NOFILE, 3) && limit(RLIMIT_NPROC, 0) &&
           limit(RLIMIT_CPU, seconds, seconds + 1) && (sanitized || (limit(RLIMIT_AS, memory) && allow_few_calls()));
}

}  // namespace moe
