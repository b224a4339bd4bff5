#include "engine/session/history_builder.h"

#include <algorithm>
#include <utility>

namespace moe {

namespace {

constexpr std::size_t most_points = 1024, fewest_points = 64, enough_numbers = std::size_t(1) << 17,
                      most_numbers = std::size_t(1) << 20;
constexpr std::uint64_t no_base = ~std::uint64_t(0);

// Few experts get all points; very many get fewer, so that a snapshot stays small: 2 where a point is a million
// numbers.
std::size_t points_for(std::size_t numbers_a_point) {
    const std::size_t numbers = std::max<std::size_t>(numbers_a_point, 1);
    const std::size_t wanted = std::clamp(enough_numbers / numbers, fewest_points, most_points);
    return std::max<std::size_t>(std::min(wanted, most_numbers / numbers) / 2, 1) * 2;
}

}  // namespace

std::size_t history_bytes(const History& history) {
    const auto bytes = [](const auto&... arrays) { return (... + (arrays.size() * sizeof(arrays[0]))); };
    return bytes(history.points, history.load, history.gate_steps, history.gate, history.gate_probe) +
           history.epochs.size() * sizeof(EpochRecord);
}

void HistoryBuilder::start(std::size_t num_experts) {
    history_ = {};
    shared_.reset();
    history_.num_experts = num_experts;
    max_points_ = points_for(num_experts);
    sums_ = {};
    sums_.load.assign(num_experts, 0.0);
    mark_ = {};
}

void HistoryBuilder::resume(const History& history) {
    start(history.num_experts);
    history_ = history;
    max_points_ = points_for(history.num_experts);
    max_gate_ = points_for(history.prefixes * history.num_experts);
    const std::vector<std::uint64_t>& steps = history.gate_steps;
    const std::size_t n = steps.size();  // the first may lie apart from the others
    gate_interval_ = n > 1 ? std::max<std::uint64_t>(1, steps[n - 1] - steps[n - 2]) : 1;
    if (n > 0) gate_base_ = (steps[n - 1] - steps[0]) % gate_interval_ == 0 ? steps[0] : steps[n - 1] % gate_interval_;
    while (history_.points.size() >= max_points_) join_pairs();
}

void HistoryBuilder::reopen(const History& history, std::uint64_t first, std::uint64_t step) {
    History closed = history;
    // A last point that was still in the making is made anew.
    if (!closed.points.empty()) {
        const HistoryPoint& last = closed.points.back();
        if (last.steps < closed.steps_per_point && last.step >= first + last.steps) closed.points.pop_back();
    }
    closed.load.resize(closed.points.size() * closed.num_experts);
    resume(closed);
    rewind(step, closed.epochs);
}

void HistoryBuilder::add(std::uint64_t step, const StepResult& result, std::span<const float> load) {
    const double n = double(result.examples);
    sums_.step = step;
    ++sums_.steps;
    sums_.examples += result.examples;
    sums_.correct += result.correct;
    sums_.loss += result.loss * n;
    sums_.balance += result.balance * n;
    for (std::size_t e = 0; e < load.size(); ++e) sums_.load[e] += double(load[e]);
    if (sums_.steps >= history_.steps_per_point) close_point();
}

void HistoryBuilder::close_point() {
    if (sums_.steps == 0) return;
    shared_.reset();
    const double n = double(sums_.examples);
    history_.points.push_back({sums_.step, std::uint32_t(sums_.steps), sums_.examples, float(sums_.loss / n),
                               float(sums_.balance / n), float(double(sums_.correct) / n)});
    for (const double weight : sums_.load) history_.load.push_back(float(weight / n));
    const std::size_t experts = history_.num_experts;
    sums_ = {};
    sums_.load.assign(experts, 0.0);
    if (history_.points.size() >= max_points_) join_pairs();
}

void HistoryBuilder::join_pairs() {
    const std::size_t E = history_.num_experts, half = history_.points.size() / 2;
    for (std::size_t i = 0; i < half; ++i) {
        const HistoryPoint a = history_.points[2 * i], b = history_.points[2 * i + 1];
        const float share = float(double(b.examples) / double(a.examples + b.examples));
        const auto mean = [share](float x, float y) { return x + (y - x) * share; };
        history_.points[i] = {b.step,
                              a.steps + b.steps,
                              a.examples + b.examples,
                              mean(a.loss, b.loss),
                              mean(a.balance, b.balance),
                              mean(a.accuracy, b.accuracy)};
        for (std::size_t e = 0; e < E; ++e)
            history_.load[i * E + e] = mean(history_.load[2 * i * E + e], history_.load[(2 * i + 1) * E + e]);
    }
    const bool odd = history_.points.size() % 2 != 0;
    if (odd) {
        history_.points[half] = history_.points.back();
        std::copy_n(history_.load.end() - std::ptrdiff_t(E), E, history_.load.begin() + std::ptrdiff_t(half * E));
    }
    history_.points.resize(half + odd);
    history_.load.resize((half + odd) * E);
    history_.steps_per_point *= 2;
}

void HistoryBuilder::add_epoch(const EpochRecord& epoch) {
    shared_.reset();
    history_.epochs.push_back(epoch);
}

void HistoryBuilder::set_epochs(EpochCurve epochs) {
    shared_.reset();
    history_.epochs = std::move(epochs);
}

void HistoryBuilder::rewind(std::uint64_t step, EpochCurve epochs) {
    shared_.reset();
    while (!history_.points.empty() && history_.points.back().step > step) history_.points.pop_back();
    history_.load.resize(history_.points.size() * history_.num_experts);
    while (!history_.gate_steps.empty() && history_.gate_steps.back() > step) history_.gate_steps.pop_back();
    history_.gate.resize(history_.gate_steps.size() * history_.prefixes * history_.num_experts);
    history_.epochs = std::move(epochs);
    if (mark_.step == step) {
        if (covers().value_or(0) < mark_.last.step) {
            history_.points.push_back(mark_.last);
            history_.load.insert(history_.load.end(), mark_.last_load.begin(), mark_.last_load.end());
        }
        sums_ = mark_.sums;
    } else if (sums_.step > step) {
        sums_ = {};
        sums_.load.assign(history_.num_experts, 0.0);
    }
    if (mark_.step > step) mark_ = {};
}

void HistoryBuilder::mark(std::uint64_t step) {
    mark_.step = step;
    mark_.sums = sums_;
    mark_.last = history_.points.empty() ? HistoryPoint{} : history_.points.back();
    const auto last = history_.load.end() - std::ptrdiff_t(history_.points.empty() ? 0 : history_.num_experts);
    mark_.last_load.assign(last, history_.load.end());
}

void HistoryBuilder::start_gate(const std::string& probe, std::size_t prefixes, std::optional<std::uint64_t> base) {
    if (!history_.gate_steps.empty() && history_.gate_probe == probe && history_.prefixes == prefixes) return;
    shared_.reset();
    history_.gate_probe = probe;
    history_.prefixes = prefixes;
    history_.gate_steps.clear();
    history_.gate.clear();
    max_gate_ = points_for(prefixes * history_.num_experts);
    gate_interval_ = 1;
    gate_base_ = base.value_or(no_base);
}

bool HistoryBuilder::wants_gate(std::uint64_t step) const {
    return history_.prefixes > 0 && (history_.gate_steps.empty() || (step - gate_base_) % gate_interval_ == 0);
}

void HistoryBuilder::add_gate(std::uint64_t step, std::span<const float> weights) {
    if (weights.empty() || (!history_.gate_steps.empty() && history_.gate_steps.back() >= step)) return;
    shared_.reset();
    if (gate_base_ == no_base) gate_base_ = step;
    history_.gate_steps.push_back(step);
    history_.gate.insert(history_.gate.end(), weights.begin(), weights.end());
    while (history_.gate_steps.size() >= max_gate_ && history_.gate_steps.size() > 1) thin_gate(2 * gate_interval_);
}

// The first sample of all always stays.
void HistoryBuilder::thin_gate(std::uint64_t interval) {
    const std::size_t width = history_.prefixes * history_.num_experts;
    std::size_t kept = 1;
    for (std::size_t i = 1; i < history_.gate_steps.size(); ++i) {
        if ((history_.gate_steps[i] - gate_base_) % interval != 0) continue;
        history_.gate_steps[kept] = history_.gate_steps[i];
        std::copy_n(history_.gate.begin() + std::ptrdiff_t(i * width), width,
                    history_.gate.begin() + std::ptrdiff_t(kept * width));
        ++kept;
    }
    history_.gate_steps.resize(kept);
    history_.gate.resize(kept * width);
    gate_interval_ = interval;
}

void HistoryBuilder::fill_gate(std::span<const std::uint64_t> steps, std::span<const float> weights, std::uint64_t base,
                               std::uint64_t interval) {
    const std::size_t width = history_.prefixes * history_.num_experts;
    if (steps.empty() || width == 0 || weights.size() != steps.size() * width) return;
    shared_.reset();
    std::vector<std::uint64_t> later = std::exchange(history_.gate_steps, {steps.begin(), steps.end()});
    const std::vector<float> later_weights = std::exchange(history_.gate, {weights.begin(), weights.end()});
    for (std::size_t i = 0; i < later.size(); ++i) {
        if (later[i] <= steps.back()) continue;
        history_.gate_steps.push_back(later[i]);
        const auto first = later_weights.begin() + std::ptrdiff_t(i * width);
        history_.gate.insert(history_.gate.end(), first, first + std::ptrdiff_t(width));
    }
    gate_base_ = base;
    thin_gate(std::max(interval, gate_interval_));
    while (history_.gate_steps.size() >= max_gate_ && history_.gate_steps.size() > 1) thin_gate(2 * gate_interval_);
}

std::uint64_t HistoryBuilder::gate_interval(std::uint64_t steps, std::size_t numbers_a_sample) {
    const std::size_t most = points_for(numbers_a_sample);
    std::uint64_t interval = 1;
    while (steps / interval + 1 >= most && interval <= steps) interval *= 2;
    return interval;
}

History HistoryBuilder::publish() const {
    HistoryBuilder copy = *this;
    copy.close_point();
    return std::move(copy.history_);
}

std::shared_ptr<const History> HistoryBuilder::share(bool whole) {
    if (!shared_ || (whole && sums_.steps > 0)) shared_ = std::make_shared<const History>(publish());
    return shared_;
}

}  // namespace moe
