#pragma once
#include "engine/session/training_session.h"

#include <filesystem>
#include <string>

namespace moe::app {

/// What the command line asks of the window.
struct WindowRequest {
    std::filesystem::path file;     // a .keras model, a folder of the tutorial's three files, or a text; empty: none
    std::string lesson;             // id of the lesson to open; empty: the last one, else the first
    std::filesystem::path lessons;  // a further folder of lessons; empty: none
    BackendOptions backend;
    bool measure_first_frame = false;  // print the milliseconds from start to first paint, then leave
};

/// Opens the window and runs it until it is closed: the process's exit code. Makes the QApplication. Main thread.
int runWindow(int argc, char** argv, const WindowRequest& request);

}  // namespace moe::app
