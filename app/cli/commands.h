#pragma once
#include "app/cli/command.h"

#include <string>
#include <vector>

namespace moe::app {

// One file each, of the same name.
Command lessonsCommand();
Command trainCommand();
Command predictCommand();
Command heatmapCommand();
Command verifyCommand();
Command exportCommand();
Command benchCommand();

/// Every command, in the order of the help.
std::vector<Command> commands();

}  // namespace moe::app
