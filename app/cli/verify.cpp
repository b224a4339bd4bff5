#include "engine/verify/verify.h"

#include "app/cli/commands.h"
#include "app/cli/terminal.h"
#include "engine/core/error.h"

#include <charconv>
#include <cmath>
#include <iostream>

namespace moe::app {

namespace {

/// "3.2e-11": two digits are enough to see how far from the bound a figure is.
std::string scientific(double value) {
    if (std::isnan(value)) return "no number";
    char text[32];
    const auto end = std::to_chars(text, text + sizeof text, value, std::chars_format::scientific, 1);
    return {text, end.ptr};
}

int run(const Arguments& a) {
    const BackendOptions options = backendOptions(a);
    const bool json = a.has("--json");
    const std::string device = make_backend(options)->name();

    nlohmann::ordered_json rows = nlohmann::ordered_json::array();
    std::size_t total = 0, failed = 0;
    const auto section = [&](const std::string& title) {
        if (!json) std::cout << (total > 0 ? "\n" : "") << title << std::endl;
    };
    const auto report = [&](const std::string& group) {
        return [&, group](const VerifyRow& row) {
            ++total, failed += !row.ok;
            rows.push_back({{"group", group},
                            {"name", row.name},
                            {"measure", row.measure},
                            {"worst", row.worst},
                            {"bound", row.bound},
                            {"ok", row.ok},
                            {"detail", row.detail}});
            if (!json)
                std::cout << (row.ok ? "  ok      " : "  FAILED  ") << padded(row.name, 50)
                          << padded(scientific(row.worst), 9) << "at most " << scientific(row.bound)
                          << (row.detail.empty() ? "" : "   ") << row.detail << std::endl;
        };
    };
    section("Gradients against differences in double (relative error)");
    verify_gradients(report("gradients"));
    section(device + " against the reference in double (normalised mean squared error; relative error of the loss)");
    verify_backend([&options] { return make_backend(options); }, report(device));

    if (json)
        printJson({{"device", device}, {"ok", failed == 0}, {"rows", rows}});
    else
        std::cout << '\n' << total - failed << " of " << total << " ok" << std::endl;
    if (failed > 0)
        throw Error(counted(failed, "check") + " of " + std::to_string(total) +
                    " failed on this machine; its numbers cannot be trusted.");
    return 0;
}

}  // namespace

Command verifyCommand() {
    return {"verify",
            "gradients against differences, the device against the reference",
            "[--device auto|cpu|cuda] [--threads N] [--json]",
            "",
            {device_option, threads_option, json_option},
            "Every op and whole small models, for every router: takes a few seconds. Exit 1 where a check fails.\n",
            run};
}

}  // namespace moe::app
