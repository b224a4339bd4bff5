#pragma once
#include "engine/formats/zip_archive.h"
#include "engine/session/timeline.h"

#include <memory>
#include <vector>

namespace moe {

/// The run's past as members of a session's archive: every command with its step, and as many checkpoints as `budget`
/// bytes hold, evenly spaced; replay fills the rest.
std::vector<ZipMember> pack_timeline(const Timeline& timeline, std::size_t budget);

/// Back; null where the archive has none. `present` is the run's experiment now. Throws Error naming the archive where
/// its members are damaged or contradict each other, or the past does not lead to `step`.
std::shared_ptr<const Timeline> unpack_timeline(const ZipReader& archive, const Experiment& present,
                                                std::uint64_t step);

}  // namespace moe
