#include "tests/gpu/gpu_bench.h"

#include "engine/bench/measure.h"
#include "engine/bench/mixture_step.h"
#include "engine/bench/seed_step.h"
#include "engine/core/median.h"
#include "engine/core/numbers.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <ostream>

namespace moe::gpu_check {

namespace {

constexpr double round_seconds = 0.04, longest_step = 0.3;  // slower steps are taken in fewer rounds
constexpr int most_rounds = 9, fewest_rounds = 3;

/// Something that takes steps on one device.
struct Runner {
    std::unique_ptr<Backend<float>> backend;
    double flop = 0;                         // of a step
    std::function<void(std::size_t)> run{};  // so many steps; returns when they are done
    std::size_t steps = 1;                   // a round
    std::vector<double> seconds{};           // a step, a round each

    double time(std::size_t count) const {
        const double began = wall_seconds();
        run(count);
        return (wall_seconds() - began) / double(count);
    }
    double prepare() {
        run(2);  // plans and captures
        const double step = time(2);
        steps = std::max<std::size_t>(1, std::size_t(round_seconds / step));
        if (steps > 2) run(steps);
        return step;
    }
};

using MakeRunner = std::function<Runner(const BackendOptions&)>;

Runner seed_runner(const SeedStep& seed, const BackendOptions& options) {
    Runner made{make_backend(options), seed.flop()};
    const std::shared_ptr<Trainer> trainer = seed.trainer(*made.backend);
    made.run = [trainer](std::size_t count) {
        for (std::size_t i = 0; i < count; ++i) trainer->step();
    };
    return made;
}

Runner layer_runner(std::size_t D, std::size_t E, std::size_t N, const BackendOptions& options) {
    Runner made{make_backend(options)};
    const auto layer = std::make_shared<MixtureStep>(*made.backend, D, E, N);
    made.flop = layer->flop();
    made.run = [layer](std::size_t count) { layer->run(count); };
    return made;
}

/// About three digits.
std::string digits(double value) {
    return to_fixed(value, value >= 100 ? 0 : value >= 10 ? 1 : 2);
}
std::string microseconds(double seconds) {
    return digits(seconds * 1e6) + " us";
}

void print_row(std::ostream& out, const std::string& name, const MakeRunner& make, const BackendOptions& options) {
    std::array<Runner, 2> both = {make({"cpu", 0}), make(options)};
    double slowest = 0;
    for (Runner& runner : both) slowest = std::max(slowest, runner.prepare());
    const int rounds = slowest > longest_step ? fewest_rounds : most_rounds;
    std::vector<double> ratios;
    for (int i = 0; i < rounds; ++i) {
        for (Runner& runner : both) runner.seconds.push_back(runner.time(runner.steps));
        ratios.push_back(both[0].seconds.back() / both[1].seconds.back());
    }
    const double cpu = median(both[0].seconds), device = median(both[1].seconds);
    out << "| " << name << " | " << microseconds(cpu) << " | " << microseconds(device) << " | "
        << digits(median(ratios)) << " | " << digits(both[1].flop / device * 1e-9) << " |" << std::endl;
}

void print_head(std::ostream& out, const char* what, const std::string& cpu, const std::string& device) {
    out << "| " << what << " | " << cpu << " | " << device << " | times faster | GFLOP/s |\n|---|---|---|---|---|\n";
}

}  // namespace

void print_side_by_side(std::ostream& out, const BackendOptions& options) {
    const std::string cpu = make_backend({"cpu", 0})->name(), device = make_backend(options)->name();
    print_head(out, "seed step", cpu, device);
    for (const SeedStep& seed : {SeedStep{11, 8}, SeedStep{500, 32}, SeedStep{2000, 32}, SeedStep{2000, 128},
                                 SeedStep{8000, 32}, SeedStep{8000, 128}})
        print_row(
            out, std::to_string(seed.V) + "x" + std::to_string(seed.B),
            [&](const BackendOptions& o) { return seed_runner(seed, o); }, options);
    out << '\n';

    constexpr std::size_t tokens = 2048;
    struct Layer {
        std::size_t D, E;
    };
    print_head(out, "mixture layer, top-2, 2,048 tokens", cpu, device);
    for (const Layer& l :
         {Layer{64, 8}, Layer{64, 64}, Layer{64, 256}, Layer{128, 64}, Layer{256, 8}, Layer{256, 64}, Layer{1024, 8}})
        print_row(
            out, "d" + std::to_string(l.D) + " E" + std::to_string(l.E),
            [&](const BackendOptions& o) { return layer_runner(l.D, l.E, tokens, o); }, options);
}

}  // namespace moe::gpu_check
