#pragma once
#include "engine/formats/zip_archive.h"
#include "engine/session/timeline.h"

#include <memory>
#include <vector>

namespace moe {

/// How much of the past goes into a file at most, in bytes: checkpoints are thinned to it, replay fills the rest.
inline constexpr std::size_t file_checkpoint_budget = std::size_t(16) << 20;

/// The run's past as members of a session's archive: every command with its step, and as many checkpoints as `budget`
/// bytes hold (at most file_checkpoint_budget), evenly spaced. None where a file cannot hold the commands: the present
/// can be saved all the same.
std::vector<ZipMember> pack_timeline(const Timeline& timeline, std::size_t budget);

/// Back; null where the archive has none. `present` is the run now, on a text of so many `examples`. Throws Error
/// naming the archive where its members are damaged or contradict each other, a command is out of its setting's range,
/// or the past does not lead to the present. Sizes are checked before anything is allocated.
std::shared_ptr<const Timeline> unpack_timeline(const ZipReader& archive, const RunState& present,
                                                std::size_t examples);

}  // namespace moe
