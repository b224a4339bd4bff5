#include "engine/bench/bench.h"

#include "app/cli/commands.h"
#include "app/cli/terminal.h"
#include "app/shell/window_bench.h"
#include "engine/bench/serve.h"
#include "engine/core/error.h"
#include "engine/core/numbers.h"

#include <algorithm>
#include <cmath>
#include <iostream>

namespace moe::app {

namespace {

/// About four digits, whatever the size.
std::string figure(double value) {
    const double size = std::abs(value);
    return to_fixed(value, size >= 1000 ? 0 : size >= 100 ? 1 : size >= 10 ? 2 : 3);
}

constexpr std::string_view window_case = "window";
constexpr std::string_view window_help =
    "first frame, cost of watching, event loop while training, scrubbing and stepping, idling, stage (takes half a "
    "minute)";

void benchWindow(const std::function<void(const BenchRow&)>& tell) {
    const auto row = [&](std::string name, double value, std::string unit, std::string goal, double limit) {
        tell({std::move(name), value, std::move(unit), std::move(goal), value <= limit, 0, 0});
    };
    const WindowFigures w = measureWindow();
    row("window: start to first frame", w.first_frame, "ms", "at most 400", 400);
    row("window: steps/s lost to watching", 100 * w.watching, "%", "at most 3", 3);
    row("window: training's processor time for snapshots", 100 * w.publishing, "%", "", 100 * w.publishing);
    row("window: event loop late, 99 of 100", w.loop_p99, "ms", "at most 20", 20);
    row("window: event loop late, worst", w.loop_worst, "ms", "at most 50", 50);
    row("window: event loop late while scrubbing, 99 of 100", w.scrubbing_p99, "ms", "at most 20", 20);
    row("window: event loop late while stepping, 99 of 100", w.stepping_p99, "ms", "at most 20", 20);
    row("window: a frame of the stage, 500 tokens", w.stage, "ms", "at most 4", 4);
    row("window: a frame, every picture moving", w.frame, "ms", "", w.frame);
    row("window: processor while idle", 100 * w.idle, "%", "at most 1", 1);
}

int serve(const Arguments& a, const BenchOptions& options) {
    for (const char* other : {"--case", "--json"})
        if (a.has(other)) throw UsageError("The option --serve goes with no " + std::string(other) + ".");
    serve_bench(std::cin, std::cout, options.backend);
    return 0;
}

int run(const Arguments& a) {
    BenchOptions options;
    options.cases = a.values("--case");
    options.others = {std::string(window_case)};
    const bool all = options.cases.empty();
    const bool window = all || std::erase(options.cases, window_case) > 0;
    options.backend = backendOptions(a);
    if (!a.has("--device")) options.backend.device = "cpu";  // what most of the cases are about
    options.backend.threads = int(a.whole("--threads", 1, 1024).value_or(1));
    if (a.has("--serve")) return serve(a, options);
    const bool json = a.has("--json");
    nlohmann::ordered_json rows = nlohmann::ordered_json::array();
    options.on_row = [&](const BenchRow& row) {
        nlohmann::ordered_json& entry = rows.emplace_back(nlohmann::ordered_json{
            {"name", row.name}, {"value", row.value}, {"unit", row.unit}, {"goal", row.goal}, {"met", row.met}});
        if (row.floor > 0) entry["floor"] = row.floor, entry["over_floor"] = row.over_floor;
        if (json) return;
        const std::string value = figure(row.value);
        // Figures end in one column.
        std::cout << padded(row.name, 62 - std::min<std::size_t>(value.size(), 10)) << value << ' ' << row.unit;
        if (row.floor > 0) std::cout << "   floor " << figure(row.floor) << ", " << figure(row.over_floor) << " x";
        if (!row.goal.empty()) std::cout << "   (" << row.goal << (row.met ? "" : ": missed") << ')';
        std::cout << std::endl;
    };
    options.on_device = [](const std::string& device) { say("on " + device); };
    if (all || !options.cases.empty()) run_bench(options);
    if (window) benchWindow(options.on_row);
    if (json) printJson({{"rows", rows}});
    return 0;
}

std::string notes() {
    std::string text =
        "Figures move with the machine and with what else it does: compare those of one run.\n\nCases:\n";
    std::size_t width = 0;
    for (const std::string& name : bench_cases()) width = std::max(width, name.size());
    for (const std::string& name : bench_cases()) text += padded("  " + name, width + 4) + bench_case_help(name) + "\n";
    text += padded("  " + std::string(window_case), width + 4) + std::string(window_help) + "\n";
    text +=
        "\n--serve prints 'ready' and then answers each line of standard input with seconds a step, processor\n"
        "seconds a step and the loss, or with 'error: ' and why. An empty line or the end of the input ends it.\n"
        "  seed V B dense STEPS     training steps of V words and B examples\n"
        "  moe D E N top2 REPEATS   a mixture layer of width D, its E experts of 4 D hidden units, N tokens, there and "
        "back\n"
        "\nThe environment variable MOELAB_ISA (baseline, v3, v4) forces the kernels of one instruction set, here and "
        "in\nevery other command.\n";
    return text;
}

}  // namespace

Command benchCommand() {
    static const std::string text = notes();
    return {"bench",
            "how fast this machine trains",
            "[--case NAME]... [--threads N] [--device auto|cpu|cuda]\n"
            "                    [--precision float32|tf32|bf16] [--json | --serve]",
            "",
            {{"--case", "NAME", "only this case", true},
             {"--threads", "N", "threads to compute with (1)"},
             {"--device", "auto|cpu|cuda", "what to measure (cpu)"},
             precision_option,
             json_option,
             {"--serve", "", "time the steps that lines of standard input ask for, beside other programs"}},
            text,
            run};
}

}  // namespace moe::app
