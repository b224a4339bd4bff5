#include "engine/session/history_file.h"

#include "engine/core/error.h"
#include "engine/formats/safetensors.h"

#include <algorithm>

namespace moe {

namespace {

constexpr std::size_t most_points_in_file = 4096, values_a_point = 3;

}  // namespace

std::string pack_history(const History& history) {
    std::vector<std::uint64_t> steps, examples;
    std::vector<std::uint32_t> joined;
    std::vector<float> values;
    for (const HistoryPoint& p : history.points) {
        steps.push_back(p.step);
        joined.push_back(p.steps);
        examples.push_back(p.examples);
        values.insert(values.end(), {p.loss, p.balance, p.accuracy});
    }
    const std::size_t n = steps.size(), E = history.num_experts;
    SafetensorsWriter writer;
    const std::uint64_t every[] = {history.steps_per_point};
    writer.add("steps_per_point", {1}, std::span<const std::uint64_t>(every));
    writer.add("step", {n}, std::span<const std::uint64_t>(steps));
    writer.add("steps", {n}, std::span<const std::uint32_t>(joined));
    writer.add("examples", {n}, std::span<const std::uint64_t>(examples));
    writer.add("loss_balance_accuracy", {n, values_a_point}, std::span<const float>(values));
    writer.add("load", {n, E}, std::span<const float>(history.load));
    writer.add("gate_step", {history.gate_steps.size()}, std::span<const std::uint64_t>(history.gate_steps));
    writer.add("gate", {history.gate_steps.size(), history.prefixes, E}, std::span<const float>(history.gate));
    return writer.bytes();
}

std::shared_ptr<const History> unpack_history(std::string_view bytes, const std::string& name, const RunState& state,
                                              std::string gate_probe) {
    const SafetensorsReader reader(bytes, name);
    const auto check = [&](bool fine, const char* what) {
        if (!fine) throw Error("'" + name + "' contradicts itself: " + what + ".");
    };
    auto history = std::make_shared<History>();
    history->num_experts = state.experiment.model.num_experts;
    const std::size_t E = history->num_experts;
    const auto steps = reader.u64("step"), examples = reader.u64("examples"), every = reader.u64("steps_per_point");
    const auto joined = reader.u32("steps");
    const auto values = reader.floats("loss_balance_accuracy");
    history->load = reader.floats("load");
    history->gate_steps = reader.u64("gate_step");
    history->gate = reader.floats("gate");
    const std::size_t n = steps.size();
    check(n <= most_points_in_file && every.size() == 1 && every[0] > 0,
          "its curves have more points than a curve has");
    check(joined.size() == n && examples.size() == n && values.size() == n * values_a_point &&
              history->load.size() == n * E && reader.shape("load") == std::vector<std::size_t>({n, E}),
          "its curves are of different lengths");
    const auto in_run = [&](const std::vector<std::uint64_t>& of) {
        return std::is_sorted(of.begin(), of.end()) && (of.empty() || of.back() <= state.step);
    };
    check(in_run(steps) && in_run(history->gate_steps), "its curves go on after the run's last step");
    const std::vector<std::size_t>& gate = reader.shape("gate");
    check(gate.size() == 3 && gate[0] == history->gate_steps.size() && gate[2] == E && gate[0] <= most_points_in_file &&
              gate[1] <= max_sequence_length,
          "its gate curves are of different lengths");
    history->prefixes = gate[1];
    history->gate_probe = std::move(gate_probe);
    history->steps_per_point = every[0];
    for (std::size_t i = 0; i < n; ++i) {
        const float* v = values.data() + i * values_a_point;
        check(joined[i] > 0 && examples[i] > 0, "a point of its curves is empty");
        history->points.push_back({steps[i], joined[i], examples[i], v[0], v[1], v[2]});
    }
    history->epochs = state.epochs;
    return history;
}

}  // namespace moe
