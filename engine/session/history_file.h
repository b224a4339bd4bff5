#pragma once
#include "engine/session/snapshot.h"

#include <memory>
#include <string>
#include <string_view>

namespace moe {

/// The run's curves as a safetensors file; its epochs and probe text are not in it. Equal histories give equal bytes.
std::string pack_history(const History& history);

/// Back, with the epochs of `state`; `gate_probe` is the text whose gate weights are in it. Throws Error naming `name`
/// where an array is missing, of another size than the others, or beyond the run's last step.
std::shared_ptr<const History> unpack_history(std::string_view bytes, const std::string& name, const RunState& state,
                                              std::string gate_probe);

}  // namespace moe
