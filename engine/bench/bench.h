#pragma once
#include "engine/backend/backend.h"

#include <functional>
#include <string>
#include <vector>

namespace moe {

/// One line of `moelab bench`.
struct BenchRow {
    std::string name;  // "seed step 2000x32"
    double value = 0;
    std::string unit;  // "us", "x", "GFLOP/s"
    std::string goal;  // "at most 3"; empty where the figure has none
    bool met = true;   // the goal is reached, or there is none
    /// What no program can be below, in the row's unit, and how often the value is that; 0 where nobody knows.
    double floor = 0, over_floor = 0;
};

struct BenchOptions {
    std::vector<std::string> cases;   // names of bench_cases(); empty: all
    std::vector<std::string> others;  // cases of the caller's own, for the sentence about a name that nobody knows
    BackendOptions backend{"cpu", 1};
    std::function<void(const std::string&)>
        on_device;                                // called once with the device that is measured, as people name it
    std::function<void(const BenchRow&)> on_row;  // called on the calling thread as each figure is there
};

/// The cases that `moelab bench --case` takes, in the order in which they run.
std::vector<std::string> bench_cases();

/// One line that says what a case measures. Throws UsageError for a name that bench_cases() lacks.
std::string bench_case_help(const std::string& name);

/// Runs the cases and reports each figure. Those that ask about the CPU alone are left out on another device. Takes
/// seconds; runs on the calling thread. Throws UsageError for an unknown case, Error where the device is missing.
void run_bench(const BenchOptions& options);

}  // namespace moe
