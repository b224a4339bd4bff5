#pragma once

namespace moe {

/// From now on this thread, and those that it starts, let others of the process run first where cores are short (Linux:
/// nice 5, about a third of the others' share). There is no way back without privileges.
void lower_thread_priority();

}  // namespace moe
