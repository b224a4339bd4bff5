#pragma once
#include "engine/core/checkpoint.h"
#include "engine/core/spec.h"
#include "engine/session/moment.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace moe {

/// A command that changed the run: a setting by its key ("learning_rate", "batch_size", "balance_loss"; "epochs" is
/// where "finished" is), in force from `step` trained steps on.
struct TimedCommand {
    std::uint64_t step = 0;
    std::string key;
    double value = 0;

    bool operator==(const TimedCommand&) const = default;
};

/// What the time machine goes by: moments of the run, and what was commanded when. From the nearest moment before it
/// every step can be had again to the same bits. Immutable: any thread.
struct Timeline {
    Experiment start;                // settings at the first checkpoint
    std::uint64_t start_target = 0;  // epochs, where "finished" was then
    std::uint64_t interval = 0;      // steps between two checkpoints
    /// Ascending; the first is where the run begins. Never empty.
    std::vector<std::shared_ptr<const Checkpoint>> checkpoints;
    std::vector<TimedCommand> log;  // ascending by step, at most one a setting and step

    std::uint64_t first_step() const { return checkpoints.front()->step; }
    /// The last checkpoint at or before `step`, which is not before the first.
    const std::shared_ptr<const Checkpoint>& before(std::uint64_t step) const;
    /// The settings with which the batch after `step` was trained.
    Experiment settings_at(std::uint64_t step) const;
    std::uint64_t target_at(std::uint64_t step) const;
    /// Whether a run with these settings can have this past: same model and seed, and nothing later than `step`.
    bool leads_to(const Experiment& settings, std::uint64_t step) const;
};

/// Bytes that a checkpoint holds.
std::size_t checkpoint_bytes(const Checkpoint& checkpoint);

/// Records a run within a budget of memory: checkpoints evenly spaced in steps, every second one dropped when the
/// budget is full, the first always kept. Worker thread.
class TimelineBuilder {
public:
    static constexpr std::size_t default_budget = std::size_t(256) << 20;
    /// Steps between two checkpoints of such a model at first: taking them costs 1 % of the training. Whole times the
    /// spacing of Trainer::good().
    static std::uint64_t closest(const ModelSpec& model);

    /// Begins anew at `first`.
    void start(const Experiment& settings, std::uint64_t target, std::shared_ptr<const Checkpoint> first);
    /// Goes on from what share() gave.
    void resume(const Timeline& timeline);

    /// The settings in force from `step` on: what differs from those before is logged.
    void note(std::uint64_t step, const Experiment& settings, std::uint64_t target);
    /// Whether a checkpoint of this step is due.
    bool wants(std::uint64_t step) const { return step >= next_ && step % timeline_.interval == 0; }
    std::uint64_t next() const { return next_; }  // no checkpoint is due before this step
    void add(std::shared_ptr<const Checkpoint> checkpoint);
    /// Forgets what came after `step`.
    void rewind(std::uint64_t step);

    std::uint64_t first_step() const { return timeline_.first_step(); }
    void set_budget(std::size_t bytes);
    std::size_t budget() const { return budget_; }
    CheckpointUse use() const;

    /// What is recorded so far; the same object as long as nothing was added.
    std::shared_ptr<const Timeline> share();

private:
    void fit(std::size_t room);
    void plan();

    Timeline timeline_;
    std::shared_ptr<const Timeline> shared_;  // null: there is something new
    Experiment settings_;                     // those noted last
    std::uint64_t target_ = 0, next_ = 0;
    std::size_t bytes_ = 0, budget_ = default_budget;
};

}  // namespace moe
