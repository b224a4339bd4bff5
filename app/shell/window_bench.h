#pragma once
namespace moe::app {

/// What the window costs, as measured here and now.
struct WindowFigures {
    double first_frame =
        0;                  // ms from the start of a fresh process to the first picture with a model in it; median of 3
    double watching = 0;    // share of steps/s that an open, playing window takes; median over interleaved pairs
    double publishing = 0;  // share of the training threads' processor time a step that goes into snapshots for it
    double loop_p99 = 0;    // ms that the event loop is late while training runs unlimited
    double loop_worst = 0;  // ms
    double scrubbing_p99 = 0;  // the same while the time strip is dragged as well
    double stepping_p99 = 0;   // ms that it is late while operations are stepped through
    double frame = 0;          // ms of processor time that a frame of the playing window takes
    double stage = 0;          // ms a frame of the stage with 500 tokens
    double idle = 0;           // share of one core while nothing moves
};

/// Takes about 20 seconds. Makes a QApplication, on the offscreen platform where there is no display, with the
/// program's own first lesson in a window of 1280x720. Main thread. Throws Error where the program cannot be started.
WindowFigures measureWindow();

}  // namespace moe::app
