#include "app/cli/command_line.h"

#include "app/cli/commands.h"
#include "app/cli/find_lesson.h"
#include "app/cli/terminal.h"
#include "app/shell/run_window.h"
#include "engine/core/error.h"
#include "engine/formats/strangers_text.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <new>

namespace moe::app {

namespace {

Command windowCommand() {
    return {"moelab",
            "the window",
            "[FILE] [--lesson ID] [--lessons DIR] [--device auto|cpu|cuda] [--threads N]",
            "FILE",
            {{"--lesson", "ID", "open this lesson (moelab lessons lists them)"},
             lessons_option,
             device_option,
             threads_option,
             {"--first-frame", "", "print the milliseconds from start to first frame, and leave"}},
            "FILE is a .keras or .h5 file, a folder that train wrote, or a text to learn from.\n",
            nullptr};
}

void printOptions(const Command& command) {
    std::size_t width = 0;
    const auto left = [](const Option& o) {
        std::string text(o.name);
        if (!o.value.empty()) text.append(" ").append(o.value);
        return text;
    };
    for (const Option& o : command.options) width = std::max(width, left(o).size());
    for (const Option& o : command.options)
        std::cout << "  " << padded(left(o), width + 2) << o.help << (o.repeated ? "; may be repeated" : "") << '\n';
}

void printHelp(const Command& command) {
    std::cout << "moelab " << command.name << ": " << command.summary << "\n\nUsage: moelab " << command.name << ' '
              << command.usage << "\n\n";
    printOptions(command);
    std::cout << "  --help" << '\n';
    if (!command.notes.empty()) std::cout << '\n' << command.notes;
}

void printHelp() {
    const Command window = windowCommand();
    std::cout << "MoE Lab: watch a mixture of experts learn.\n\n"
                 "Usage: moelab "
              << window.usage << "\n       moelab COMMAND ...\n\nWithout a command the window opens. " << window.notes
              << '\n';
    printOptions(window);
    std::cout << "  --help, --version\n\nCommands (moelab COMMAND --help says more):\n";
    for (const Command& c : commands()) std::cout << "  " << padded(std::string(c.name), 10) << c.summary << '\n';
    std::cout << "\nResults go to standard output, progress and messages to standard error.\n"
                 "Exit codes: 0 done, 1 failed, 2 the command line is wrong, 130 stopped by Ctrl-C.\n";
}

bool asksForHelp(std::span<const std::string_view> given) {
    const auto end = std::find(given.begin(), given.end(), "--");
    return std::any_of(given.begin(), end, [](std::string_view word) { return word == "--help" || word == "-h"; });
}

bool hasDisplay() {
    const auto set = [](const char* name) {
        const char* value = std::getenv(name);
        return value != nullptr && *value != '\0';
    };
    return set("DISPLAY") || set("WAYLAND_DISPLAY") || set("QT_QPA_PLATFORM");
}

/// Before its options are: they may be right for the command that was meant.
void requireFile(const std::filesystem::path& file) {
    std::error_code ignored;
    if (std::filesystem::exists(file, ignored)) return;
    const std::string word = file.string();
    // Where it looks like a path a file is missing; else a command is misspelt.
    if (word.find_first_of("./") != std::string::npos) throw Error("There is no file " + word + ".");
    throw UsageError("'" + word + "' is neither a command nor a file.");
}

int openWindow(int argc, char** argv, std::span<const std::string_view> given) {
    if (!given.empty() && !given[0].empty() && given[0][0] != '-') requireFile(given[0]);
    const Arguments a(windowCommand(), given);
    if (a.words().size() > 1)
        throw UsageError("The window opens one file, and here are " + std::to_string(a.words().size()) + ".");
    WindowRequest request;
    if (!a.words().empty()) {
        request.file = a.words().front();
        requireFile(request.file);
    }
    request.lesson = a.value("--lesson").value_or("");
    request.lessons = a.value("--lessons").value_or("");
    request.backend = backendOptions(a);
    if (a.has("--lesson")) findLesson(lessonsOf(a), request.lesson);      // a misspelt id opens nothing
    if (request.backend.device != "auto") make_backend(request.backend);  // a missing device is said here and now
    request.measure_first_frame = a.has("--first-frame");
    if (!hasDisplay())
        throw Error(
            "There is no display for the window (neither DISPLAY nor WAYLAND_DISPLAY is set); moelab --help "
            "shows what works without one.");
    // Qt sees the program's name alone: every word of the command line has been read here.
    int count = 1;
    return runWindow(std::min(argc, count), argv, request);
}

int dispatch(int argc, char** argv) {
    const std::vector<std::string_view> words(argv + std::min(argc, 1), argv + argc);
    const std::span<const std::string_view> given(words);
    if (!given.empty()) {
        for (const Command& command : commands()) {
            if (given[0] != command.name) continue;
            if (asksForHelp(given.subspan(1))) {
                printHelp(command);
                return 0;
            }
            return command.run(Arguments(command, given.subspan(1)));
        }
    }
    if (asksForHelp(given)) {
        printHelp();
        return 0;
    }
    if (std::find(given.begin(), given.end(), "--version") != given.end()) {
        std::cout << "moelab " << MOELAB_VERSION << '\n' << describe_devices() << '\n';
        return 0;
    }
    return openWindow(argc, argv, given);
}

/// Which help a person wants who got the command line wrong.
std::string helpFor(int argc, char** argv) {
    const std::string_view first = argc > 1 ? argv[1] : "";
    for (const Command& command : commands())
        if (first == command.name) return "moelab " + std::string(first) + " --help";
    return "moelab --help";
}

/// On one line, whatever names were given.
std::string sentence(const std::exception& error) {
    return strangers_text(error.what(), 16384);
}

}  // namespace

std::vector<Command> commands() {
    return {lessonsCommand(), trainCommand(),  predictCommand(), heatmapCommand(),
            verifyCommand(),  exportCommand(), benchCommand()};
}

int runCommandLine(int argc, char** argv) {
    int code = 1;
    try {
        code = dispatch(argc, argv);
    } catch (const UsageError& e) {
        std::cerr << "moelab: " << sentence(e) << "\nTry: " << helpFor(argc, argv) << '\n';
        code = 2;
    } catch (const Error& e) {
        std::cerr << "moelab: " << sentence(e) << '\n';
    } catch (const std::bad_alloc&) {
        std::cerr << "moelab: The memory is used up; choose smaller sizes or close other programs.\n";
    } catch (const std::exception& e) {
        std::cerr << "moelab: " << sentence(e) << '\n';
    }
    if (!std::cout.flush()) {
        std::cerr << "moelab: The results could not be written to standard output.\n";
        if (code == 0) code = 1;
    }
    return code;
}

}  // namespace moe::app
