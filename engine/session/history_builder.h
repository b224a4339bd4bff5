#pragma once
#include "engine/session/snapshot.h"
#include "engine/train/trainer.h"

#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace moe {

/// Bytes that a history's arrays take. Any thread.
std::size_t history_bytes(const History& history);

/// Keeps the run's curves within a fixed number of points: when they are full, neighbours are joined by pairs (means
/// weighted by their steps), and each new point takes twice the steps. Worker thread.
class HistoryBuilder {
public:
    void start(std::size_t num_experts);
    /// Goes on from a history that publish() gave.
    void resume(const History& history);

    /// One trained step; `load` is the sum of gate weight that each expert got, (E).
    void add(std::uint64_t step, const StepResult& result, std::span<const float> load);
    void add_epoch(const EpochRecord& epoch);
    void set_epochs(EpochCurve epochs);

    /// Forgets what came after `step`; `epochs` are those finished until then. The steps of a point that spans it are
    /// lost, but where `step` is marked or the newest.
    void rewind(std::uint64_t step, EpochCurve epochs);
    /// The newest step is `step`, and rewind() may lead back here: in the place of an earlier mark.
    void mark(std::uint64_t step);

    /// As resume(), but up to `step` of a run that can be had again from `first` on: every step after covers() is to be
    /// added again.
    void reopen(const History& history, std::uint64_t first, std::uint64_t step);

    /// The last step of the last whole point; nothing where there is none.
    std::optional<std::uint64_t> covers() const {
        return history_.points.empty() ? std::nullopt : std::optional(history_.points.back().step);
    }

    /// The gate's history begins anew, unless it is this text's already. Samples lie a whole number of intervals after
    /// `base`, the first one apart; where no base is given, after the first one.
    void start_gate(const std::string& probe, std::size_t prefixes, std::optional<std::uint64_t> base = std::nullopt);
    /// Whether the gate's weights are wanted after this step.
    bool wants_gate(std::uint64_t step) const;
    void add_gate(std::uint64_t step, std::span<const float> weights);  // (P, E)

    /// What of the run a text's lines need that was entered late: `steps` (ascending, up to where they were had again)
    /// with their weights (steps, P, E), `interval` apart after `base`. Those that were added here later stay.
    void fill_gate(std::span<const std::uint64_t> steps, std::span<const float> weights, std::uint64_t base,
                   std::uint64_t interval);
    /// Steps between two samples of a run of so many steps, recorded from its start.
    static std::uint64_t gate_interval(std::uint64_t steps, std::size_t numbers_a_sample);
    const std::string& gate_probe() const { return history_.gate_probe; }
    std::optional<std::uint64_t> gate_begins() const {
        return history_.gate_steps.empty() ? std::nullopt : std::optional(history_.gate_steps.front());
    }

    /// A copy with the points in the making as its last one.
    History publish() const;

    /// For snapshots: what publish() gave last, as long as no point and no sample was added and `whole` does not ask
    /// for the point in the making.
    std::shared_ptr<const History> share(bool whole);

private:
    void close_point();
    void join_pairs();
    void thin_gate(std::uint64_t interval);

    History history_;
    std::shared_ptr<const History> shared_;  // null: there is something new
    std::size_t max_points_ = 0, max_gate_ = 0;
    std::uint64_t gate_interval_ = 1, gate_base_ = 0;

    // The point in the making: sums over its steps.
    struct Sums {
        std::uint64_t step = 0, steps = 0, examples = 0, correct = 0;
        double loss = 0, balance = 0;
        std::vector<double> load;
    } sums_;

    // Where mark() was: the sums, and the last whole point before them, which may have been joined with a later one.
    struct Mark {
        std::optional<std::uint64_t> step;
        Sums sums;
        HistoryPoint last;
        std::vector<float> last_load;
    } mark_;
};

}  // namespace moe
