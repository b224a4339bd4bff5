#pragma once
#include "engine/session/replayer.h"
#include "engine/session/snapshot.h"
#include "engine/session/timeline.h"
#include "engine/train/tracer.h"

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

namespace moe {

/// What the training thread tells the viewer each time it shows itself: shared, immutable parts.
struct ViewFeed {
    std::uint64_t branch = 0;  // counts models opened and pasts gone back to: what was replayed before is void
    std::shared_ptr<const Corpus> corpus;
    std::shared_ptr<const Timeline> timeline;  // null: nothing to look at
    std::shared_ptr<const Snapshot> newest;
    std::shared_ptr<const RunState> initial;  // where the run began, if not with the seed's own weights
    std::string device, precision;  // that the run is trained on
    std::string probe;
    std::size_t focus = 0;
    std::shared_ptr<const Checkpoint> tip;  // the newest moment, where it is known

    /// The nearest step that can be gone to.
    std::uint64_t clamped(std::uint64_t step) const;
};

/// Gate weights of a probe text that was entered late, had again from the start of the run.
struct GatePast {
    std::uint64_t branch = 0;
    std::string probe;
    std::uint64_t base = 0, interval = 1;  // steps lie whole intervals after the base, the first one apart
    std::vector<std::uint64_t> steps;
    std::vector<float> weights;  // (steps, P, E)
};

/// The time machine: a second thread with a model of its own that goes to any moment of the run, shows it, and answers
/// what is asked of it. Members may be called from any thread and return at once, unless they say "viewer thread".
class Viewer {
public:
    /// `memory_limit`: bytes that the run's model and the viewer's may take together; 0: default_memory_limit().
    /// `patience`: seconds that a curve over the whole run may take; then the checkpoints have to do. `gives_way`: as
    /// SessionOptions has it.
    Viewer(BackendOptions options, std::size_t memory_limit, double patience, bool gives_way);
    ~Viewer();  // stops after the present step and waits
    Viewer(const Viewer&) = delete;
    Viewer& operator=(const Viewer&) = delete;

    void feed(ViewFeed feed);

    void look_at(std::uint64_t step);
    void look_at_now();
    /// The moment that was looked for last and has been replayed; null at the present and before the first.
    std::shared_ptr<const Snapshot> looked_at();
    std::optional<double> progress() const;  // 0..1 of a replay that takes long
    std::string failure() const;             // why the moment looked for cannot be shown; empty: it can
    bool busy() const;                       // whether something that was asked for is still to come

    /// Called on the viewer thread with the run as it was fed last. Where a look comes while it replays, it is left by
    /// an Interrupted, which it must let through, and called again later.
    using Task = std::function<void(const ViewFeed& feed)>;
    /// `patient`: when nothing else is asked; other questions interrupt it, too.
    void post(Task task, bool patient = false);

    /// Has the lines of the probe text again from the start of the run to the newest step, when nothing else is asked;
    /// a newer text takes the place of an older one. `done` is called on the viewer thread.
    void recall_gate(std::function<void(GatePast)> done);

    /// Whether anything was ever asked of it: what is only for it costs nothing before.
    bool in_use() const { return in_use_; }
    bool use() { return in_use_.exchange(true); }  // whether it was in use

    struct Interrupted {};
    /// Viewer thread, where the device failed: goes on on the CPU, for the rest of this branch. False: it is there.
    bool leave_device();
    /// Viewer thread: the model at `step` of the run. Throws Interrupted where a look comes first.
    Replayer& at(const ViewFeed& feed, std::uint64_t step);
    /// As at(), but goes there by `from`, and tells of every batch in between.
    using OnBatch = std::function<void(const Trainer& trainer, const StepResult& batch)>;
    Replayer& at(const ViewFeed& feed, std::uint64_t from, std::uint64_t step, const OnBatch& tell);
    /// All of the moment `replayer` is at, as saving the run would have given it then.
    static RunState state(const ViewFeed& feed, Replayer& replayer);
    /// That moment as it is shown, with this text on its way through the model.
    static Snapshot picture(const ViewFeed& feed, Replayer& replayer, const std::string& text, std::size_t focus);
    /// Viewer thread: makes its traces.
    Tracer& tracer();
    /// Viewer thread: about 100 steps of the run, evenly spaced; those of the checkpoints where replaying them all
    /// takes too long.
    NormCurves norms(const ViewFeed& feed);

private:
    struct Queued {
        Task task;
        bool patient = false;
    };
    struct OutOfTime {};

    void start_thread();
    void loop();
    void refresh(std::unique_lock<std::mutex>& lock);
    Replayer& go(const ViewFeed& feed, std::uint64_t step, const OnBatch& tell);
    void work(std::unique_lock<std::mutex>& lock);
    void recall(const ViewFeed& feed);
    bool gate_is_due() const;  // with the mutex held
    std::shared_ptr<const Snapshot> moment(const ViewFeed& feed, std::uint64_t step);
    bool look_is_due() const;  // with the mutex held

    BackendOptions options_;  // viewer thread
    const double patience_;
    const bool gives_way_;
    const std::size_t memory_limit_;
    mutable std::mutex mutex_;
    std::condition_variable wake_;
    ViewFeed feed_;
    std::optional<std::uint64_t> wanted_;    // nothing: the present
    std::shared_ptr<const Snapshot> shown_;  // the moment, with the newest history
    std::uint64_t shown_for_ = 0;            // the step that was asked for
    std::deque<Queued> tasks_;
    std::function<void(GatePast)> recalled_;  // null: nothing to recall
    bool working_ = false, stale_ = false;    // shown_ is of a past that is gone
    std::string failed_;                      // why the moment asked for cannot be shown; it is not tried again

    std::atomic<bool> stopping_{false};
    std::atomic<bool> in_use_{false};
    std::atomic<std::uint64_t> looks_{0};   // counts requests: another one ends the present replay
    std::atomic<std::uint64_t> urgent_{0};  // counts looks and tasks: another one ends what is done in the background
    std::atomic<std::uint64_t> from_{0}, to_{0}, now_{0};
    std::atomic<std::int64_t> since_{0};  // when the present replay began, nanoseconds; 0: there is none

    // Viewer thread only.
    std::unique_ptr<Replayer> replayer_;
    std::unique_ptr<Tracer> tracer_;
    std::map<std::uint64_t, std::vector<float>> norms_;  // by step, of this past
    double step_seconds_ = 0;                            // what a replayed step takes; 0: not known
    std::int64_t deadline_ = 0;                          // nanoseconds; a replay that goes on beyond throws OutOfTime
    std::uint64_t branch_ = 0, generation_ = 0, look_ = 0, urgency_ = 0;
    bool background_ = false;
    GatePast past_;  // in the making

    std::thread thread_;  // started by the first request
};

}  // namespace moe
