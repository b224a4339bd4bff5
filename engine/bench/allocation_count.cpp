// A program that refers to AllocationCount gets these instead of glibc's own functions, which they call: the C library
// is made for being replaced so, and Eigen's and Qt's allocations are seen as well as those of operator new.
#include "engine/bench/measure.h"

#include <atomic>
#include <cerrno>
#include <cstdlib>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(__GLIBC__)
#define MOE_COUNTS_MALLOC 0
#else
#define MOE_COUNTS_MALLOC 1
#endif

namespace moe {

static std::atomic<int> counting{0};
static std::atomic<std::size_t> calls{0};

AllocationCount::AllocationCount() {
    calls = 0;
    ++counting;
}
AllocationCount::~AllocationCount() {
    --counting;
}

std::size_t AllocationCount::value() const {
    return calls;
}
bool AllocationCount::supported() {
    return MOE_COUNTS_MALLOC;
}

#if MOE_COUNTS_MALLOC
static void count() {
    if (counting.load(std::memory_order_relaxed) != 0) [[unlikely]]
        calls.fetch_add(1, std::memory_order_relaxed);
}
#endif

}  // namespace moe

#if MOE_COUNTS_MALLOC
extern "C" {
void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t count, std::size_t size);
void* __libc_realloc(void* memory, std::size_t size);
void* __libc_memalign(std::size_t alignment, std::size_t size);
void __libc_free(void* memory);

void* malloc(std::size_t size) noexcept {
    moe::count();
    return __libc_malloc(size);
}
void* calloc(std::size_t count, std::size_t size) noexcept {
    moe::count();
    return __libc_calloc(count, size);
}
void* realloc(void* memory, std::size_t size) noexcept {
    moe::count();
    return __libc_realloc(memory, size);
}
void* memalign(std::size_t alignment, std::size_t size) noexcept {
    moe::count();
    return __libc_memalign(alignment, size);
}
void* aligned_alloc(std::size_t alignment, std::size_t size) noexcept {
    moe::count();
    return __libc_memalign(alignment, size);
}
int posix_memalign(void** memory, std::size_t alignment, std::size_t size) noexcept {
    moe::count();
    if (alignment < sizeof(void*) || (alignment & (alignment - 1)) != 0) return EINVAL;
    void* const taken = __libc_memalign(alignment, size);
    if (taken == nullptr) return ENOMEM;
    *memory = taken;
    return 0;
}
void free(void* memory) noexcept {
    __libc_free(memory);
}
}
#endif
