#pragma once
#include "engine/session/snapshot.h"
#include "engine/train/trainer.h"

#include <memory>
#include <span>
#include <vector>

namespace moe {

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

    /// Forgets what came after `step`: a diverged run is back in an earlier state.
    void rewind(std::uint64_t step, std::size_t epochs);

    /// The gate's history begins anew, unless it is this text's already.
    void start_gate(const std::string& probe, std::size_t prefixes);
    /// Whether the gate's weights are wanted after this step.
    bool wants_gate(std::uint64_t step) const;
    void add_gate(std::uint64_t step, std::span<const float> weights);  // (P, E)

    /// A copy with the points in the making as its last one.
    History publish() const;

    /// For snapshots: what publish() gave last, as long as no point and no sample was added and `whole` does not ask
    /// for the point in the making.
    std::shared_ptr<const History> share(bool whole);

private:
    void close_point();
    void join_pairs();

    History history_;
    std::shared_ptr<const History> shared_;  // null: there is something new
    std::size_t max_points_ = 0, max_gate_ = 0;
    std::uint64_t gate_interval_ = 1;

    // The point in the making: sums over its steps.
    struct Sums {
        std::uint64_t step = 0, steps = 0, examples = 0, correct = 0;
        double loss = 0, balance = 0;
        std::vector<double> load;
    } sums_;
};

}  // namespace moe
