#pragma once

namespace moe::app {

/// The whole program: a command, or the window where none is named. Results go to standard output, progress and
/// messages to standard error. Returns the exit code: 0 done, 1 failed, 2 the command line itself is wrong. Main
/// thread.
int runCommandLine(int argc, char** argv);

}  // namespace moe::app
