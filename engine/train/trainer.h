#pragma once
#include "engine/core/checkpoint.h"
#include "engine/model/language_model.h"
#include "engine/text/corpus.h"
#include "engine/train/step_parts.h"

#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace moe {

/// What one batch gave, before its update.
struct StepResult {
    double loss = 0;     // mean cross-entropy of the batch
    double balance = 0;  // weighted load-balancing loss
    std::size_t correct = 0, examples = 0;
    bool epoch_ended = false;
};

/// Training stopped because its numbers left what float can hold; the trainer is back in its last good state.
class Divergence : public Error {
public:
    using Error::Error;
};

/// The one training step of the program: batch, forward, loss, backward, Adam. Single-threaded to its caller,
/// deterministic: the same bits for any number of threads. Allocates nothing in a step but a block for 256 finished
/// epochs, and room for the good state where somebody holds the one before. Every epoch's order is a pure function of
/// (seed, epoch).
class Trainer {
public:
    /// Fresh weights from the seed. `experiment` as resolve() returns it.
    Trainer(Backend<float>& backend, Experiment experiment, std::shared_ptr<const Corpus> corpus);
    /// Goes on from `state` to the same bits as a run that was never interrupted.
    Trainer(Backend<float>& backend, const RunState& state, std::shared_ptr<const Corpus> corpus);

    /// One batch. Throws Divergence, naming the cause, where the loss is no number or beyond all reason (1e6).
    StepResult step();

    /// Sum of gate weight that each expert got in the last step, (E): it adds up to the step's examples. Where tokens
    /// are routed, each counts its part of the batch; padding counts as a token, but for mask_zero.
    std::span<const float> step_load() const { return load_; }

    /// Each expert's share of the gate weight in the last finished epoch, else so far, (E); empty before the first
    /// step.
    std::vector<float> load() const;

    RunState state() const;

    /// The present moment into `to`, whose room is used again where it fits. Where it throws (no memory, a device that
    /// is gone), `to` is no moment.
    void keep(Checkpoint& to) const;
    std::size_t checkpoint_size() const;  // bytes that keep() fills
    /// The last state kept whose loss was a number; null before the first. On the host: a diverged run must find its
    /// way back even where the device is the one that failed. Made in the step that follows it: of every 64th step, or,
    /// where a backend records its steps, of one at most a second old. Whoever holds it keeps it.
    std::shared_ptr<const Checkpoint> good() const { return has_good_ ? good_ : nullptr; }
    /// What the host has should the device fail: good(), or before it, where a device may fail, where this run began or
    /// was led to. Null on the CPU before the first good state.
    std::shared_ptr<const Checkpoint> fallback() const { return has_good_ ? good_ : start_; }
    /// The next step keeps the state before it, if it can at little cost: somebody collects such moments.
    void keep_next() { wanted_ = true; }
    /// Goes to a moment of this run, with the epochs finished until then where they are wanted. Settings stay as they
    /// are. Throws Error, changing nothing, where the checkpoint is another model's or another text's.
    void restore(const Checkpoint& moment, EpochCurve epochs = {});

    const Experiment& experiment() const { return experiment_; }
    const Corpus& corpus() const { return *corpus_; }
    const Parameters<float>& parameters() const { return parameters_; }
    std::uint64_t steps() const { return step_; }
    std::uint64_t epoch() const { return epoch_; }
    std::uint64_t next_example() const { return next_example_; }
    std::uint64_t steps_per_epoch() const;
    const EpochCurve& epochs() const { return epochs_; }
    const std::optional<EpochRecord>& last_epoch() const { return last_epoch_; }
    /// Where the run began, if not with the seed's own weights.
    const std::shared_ptr<const RunState>& initial() const { return initial_; }

    void set_learning_rate(double rate);
    void set_balance_loss(double weight);

private:
    /// What the host has of one batch's step: where a recorded step finds and leaves it.
    struct Exchange {
        float rate = 0, loss = 0, balance = 0, correct = 0;
    };

    void start_epoch();
    LanguageModel<float>::Context forward(std::size_t n);
    void sum_load(const LanguageModel<float>::Context& context);
    void backward(const LanguageModel<float>::Context& context);
    StepPlan* plan_for(std::size_t n);
    void count_in_examples(std::size_t examples);
    void begin_keep(Checkpoint& to) const;
    bool may_fail() const;
    void keep_start();
    bool good_is_due(bool recorded) const;
    void keep_good();
    void keep_good_later();
    void take_good();
    void restore_good();
    void take(const Checkpoint& moment);

    Backend<float>& backend_;
    Experiment experiment_;
    std::shared_ptr<const Corpus> corpus_;
    Parameters<float> parameters_;
    LanguageModel<float> model_;

    Ids ids_, targets_;       // (B, T), (B)
    Tensor<float> rate_;      // (1)
    Tensor<float> load_sum_;  // (E)
    std::vector<float> load_;
    std::vector<std::int32_t> host_ids_, host_targets_;
    Exchange exchange_;
    bool records_steps_ = true;                                             // until the backend says that it does not
    std::vector<std::pair<std::size_t, std::unique_ptr<StepPlan>>> plans_;  // by how many examples the batch has
    std::vector<std::uint32_t> order_;                                      // empty: the corpus's own

    std::uint64_t step_ = 0, epoch_ = 0, next_example_ = 0;
    std::shared_ptr<const RunState> initial_;  // null: the seed's own weights
    EpochSums sums_;
    std::vector<double> load_sums_;  // (E), of the epoch so far
    std::vector<float> epoch_load_;  // (E) shares of the last finished epoch; empty before the first
    EpochCurve epochs_;
    std::optional<EpochRecord> last_epoch_;

    std::shared_ptr<Checkpoint> good_;  // never null
    bool has_good_ = false;
    std::shared_ptr<Checkpoint> next_good_;  // of a recorded step: on its way while the step runs
    std::chrono::steady_clock::time_point good_since_;
    std::shared_ptr<const Checkpoint> start_;  // null: there is a good one, or the device cannot fail
    bool wanted_ = false;
    bool settings_changed_ = false;  // what was learned under those before is kept, should these not do
};

/// The experiment with vocabulary and max_seq_len taken from the corpus where they are 0. Throws Error where the corpus
/// does not fit the vocabulary, or the sizes do not fit the memory.
Experiment resolve(Experiment experiment, const Corpus& corpus, std::size_t memory_limit);

}  // namespace moe
