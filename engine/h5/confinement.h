#pragma once
#include <cstddef>

namespace moe {

/// Takes from this process what reading one file in memory does not need: further memory, time, files, processes,
/// written files, core dumps and, on x86-64 and ARM64, every system call but a few. False where a limit cannot be set.
/// `file_bytes` sizes the limits. A sanitizer needs its shadow memory and its calls: built with one, those two stay.
bool confine(std::size_t file_bytes);

}  // namespace moe
