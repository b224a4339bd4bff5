#include "engine/bench/bench.h"

#include "app/cli/commands.h"
#include "app/cli/terminal.h"
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

int run(const Arguments& a) {
    BenchOptions options;
    options.cases = a.values("--case");
    options.threads = int(a.whole("--threads", 1, 1024).value_or(1));
    options.device = backendOptions(a).device;
    const bool json = a.has("--json");
    nlohmann::ordered_json rows = nlohmann::ordered_json::array();
    options.on_row = [&](const BenchRow& row) {
        rows.push_back(
            {{"name", row.name}, {"value", row.value}, {"unit", row.unit}, {"goal", row.goal}, {"met", row.met}});
        if (json) return;
        const std::string value = figure(row.value);
        // Figures end in one column.
        std::cout << padded(row.name, 62 - std::min<std::size_t>(value.size(), 10)) << value << ' ' << row.unit;
        if (!row.goal.empty()) std::cout << "   (" << row.goal << (row.met ? "" : ": missed") << ')';
        std::cout << std::endl;
    };
    run_bench(options);
    if (json) printJson({{"rows", rows}});
    return 0;
}

std::string notes() {
    std::string text =
        "Figures move with the machine and with what else it does: compare those of one run.\n\nCases:\n";
    std::size_t width = 0;
    for (const std::string& name : bench_cases()) width = std::max(width, name.size());
    for (const std::string& name : bench_cases()) text += padded("  " + name, width + 4) + bench_case_help(name) + "\n";
    return text;
}

}  // namespace

Command benchCommand() {
    static const std::string text = notes();
    return {"bench",
            "how fast this machine trains",
            "[--case NAME]... [--threads N] [--device auto|cpu|cuda] [--json]",
            "",
            {{"--case", "NAME", "only this case", true},
             {"--threads", "N", "threads to compute with (1)"},
             device_option,
             json_option},
            text,
            run};
}

}  // namespace moe::app
