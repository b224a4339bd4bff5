#pragma once
#include "engine/core/float_mode.h"
#include "engine/core/numbers.h"
#include "engine/core/priority.h"
#include "engine/core/settings.h"
#include "engine/core/thread_time.h"
#include "engine/session/live_run.h"
#include "engine/session/training_session.h"
#include "engine/session/viewer.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <deque>
#include <limits>
#include <mutex>
#include <string_view>
#include <thread>
#include <utility>

namespace moe {

/// Everything below "worker thread" runs on it alone; the mutex guards the queue, the slot and the resting flag.
class TrainingSession::Worker {
public:
    static constexpr const char* another_run =
        "Another model was opened, or the run went on from elsewhere, meanwhile; nothing was changed.";

    explicit Worker(SessionOptions options)
        : options_(std::move(options)),
          speed_(options_.speed_limit),
          viewer_(one_thread(options_.backend), options_.memory_limit, options_.patience, options_.gives_way) {
        auto first = std::make_shared<Snapshot>();
        first->loss = first->accuracy = std::numeric_limits<double>::quiet_NaN();
        first->speed_limit = speed_;
        first->history = std::make_shared<const History>();
        newest_ = std::move(first);
        thread_ = std::jthread([this](const std::stop_token& stop) { loop(stop); });
    }

    ~Worker() {
        thread_.request_stop();
        {
            const std::scoped_lock lock(mutex_);
            wake_.notify_all();
        }
        thread_.join();
    }

    // --- any thread

    void post(std::function<void()> command) {
        const std::scoped_lock lock(mutex_);
        queue_.push_back(std::move(command));
        resting_ = false;
        wake_.notify_all();
    }

    std::shared_ptr<const Snapshot> take() {
        const std::scoped_lock lock(mutex_);
        asked_ = true;
        return newest_;
    }

    Viewer& viewer() { return viewer_; }

    bool wait_for(std::optional<double> seconds) {
        std::unique_lock lock(mutex_);
        const auto rests = [this] { return resting_; };
        if (!seconds) {
            rested_.wait(lock, rests);
            return true;
        }
        return rested_.wait_for(lock, std::chrono::duration<double>(*seconds), rests);
    }

    // --- worker thread

    void open(SessionSetup setup) {
        // Where it throws, the present one stays.
        std::unique_ptr<LiveRun> fresh;
        std::string notice;
        try {
            fresh = std::make_unique<LiveRun>(options_, setup, run_.get(), budget_);
        } catch (const DeviceFailure& e) {
            if (options_.backend.device != "auto") throw;
            stay_on_cpu();
            fresh = std::make_unique<LiveRun>(options_, std::move(setup), run_.get(), budget_);
            notice = std::string(e.what()) + " This model is trained on the CPU.";
        }
        told_epoch_ = 0;
        run_ = std::move(fresh);
        tell(std::move(notice));
        speeds_.clear();
        ++generation_;
        ++branch_;
        message_.clear();
        steps_per_second_ = 0;
        state_ = resting_state();
        guarded([this] { use_probe(run_->setup.probe); });
    }

    void set_probe(std::string text, std::size_t focus) {
        if (!run_) return;
        run_->setup.focus = focus;
        if (text != run_->setup.probe) use_probe(std::move(text));
    }

    void play() {
        endless_ = true;
        steps_left_ = epochs_left_ = 0;
        start();
    }

    // What an earlier call has still to do comes first, epochs before steps.
    void run(std::uint64_t steps, std::uint64_t epochs) {
        if (!run_ || run_->finished() || (steps == 0 && epochs == 0)) return;
        if (state_ != SessionState::running || endless_) steps_left_ = epochs_left_ = 0;
        endless_ = false;
        steps_left_ += steps;
        epochs_left_ += epochs;
        start();
    }

    void start() {
        if (!run_ || run_->finished()) return;
        message_.clear();
        state_ = SessionState::running;
        due_ = window_start_ = Clock::now();
        window_steps_ = 0;
    }

    void pause() {
        if (state_ == SessionState::running) state_ = SessionState::paused;
    }

    void train_on(std::uint64_t epochs) {
        if (!run_) return;
        set_target_epochs(run_->trainer->epoch() + epochs);
        play();
    }

    void set_target_epochs(std::uint64_t epochs) {
        if (!run_) return;
        run_->target_epochs = epochs;
        if (state_ == SessionState::finished && !run_->finished()) state_ = SessionState::paused;
        if (state_ != SessionState::failed && run_->finished()) state_ = SessionState::finished;
    }

    void reset() {
        if (!run_) return;
        SessionSetup setup = run_->setup;
        setup.experiment = run_->trainer->experiment();
        const std::uint64_t target = run_->target_epochs;
        if (const std::shared_ptr<const RunState> initial = run_->trainer->initial()) {
            setup.state = *initial;
            setup.state->initial = initial;  // the next reset leads there too
            setup.state->experiment = setup.experiment;
        }
        open(std::move(setup));
        set_target_epochs(target);
    }

    void set_speed(double steps_per_second) {
        constexpr double slowest = 1e-6;  // a clock's count holds its step's time
        speed_ = std::isfinite(steps_per_second) && steps_per_second > 0 ? std::max(steps_per_second, slowest) : 0;
        due_ = Clock::now();
    }

    /// What made training stop may be gone with it.
    void forgive() {
        if (state_ != SessionState::failed || !run_) return;
        state_ = resting_state();
        message_.clear();
    }

    void set_learning_rate(double rate) {
        if (!run_) return;
        run_->trainer->set_learning_rate(rate);
        forgive();
    }

    void set_balance_loss(double weight) {
        if (!run_) return;
        run_->trainer->set_balance_loss(weight);
        forgive();
    }

    // A workspace is planned for one batch size: another one is the same state in a new workspace.
    void set_batch_size(std::size_t batch) {
        if (!run_ || batch == 0) return;
        if (batch == run_->trainer->experiment().train.batch_size) return forgive();
        speeds_.clear();
        SessionSetup setup = run_->setup;
        setup.state = run_->trainer->state();
        setup.state->experiment.train.batch_size = batch;
        replace_run(std::move(setup));
        forgive();
    }

    void set_device(const std::string& device) {
        const BackendOptions before = options_.backend;
        const std::uint64_t told = notices_;
        options_.backend.device = device;
        if (device == "cpu") options_.backend.precision = "float32";
        try {
            if (!run_) {
                make_backend(options_.backend);
                return;
            }
            SessionSetup setup = run_->setup;
            setup.state = guarded([this] { return run_->trainer->state(); });
            replace_run(std::move(setup), false);
        } catch (...) {
            if (notices_ == told) options_.backend = before;  // else it was left for the CPU meanwhile
            throw;
        }
        ++branch_;  // what was replayed elsewhere has other bits
        if (notices_ == told) tell({});
        window_start_ = Clock::now(), window_steps_ = 0;
    }

    void set_checkpoint_budget(std::size_t bytes) {
        budget_ = bytes;
        if (run_) run_->timeline.set_budget(bytes);
    }

    /// Makes a moment of the run's past its present. `branch`: the past that it was found in.
    void go_back(std::uint64_t branch, const Timeline& timeline, PastMoment& past) {
        const Checkpoint& moment = past.checkpoint;
        if (!run_ || branch != branch_) throw Error(another_run);
        pause();
        const Experiment settings = timeline.settings_at(moment.step);
        if (settings.train.batch_size != run_->trainer->experiment().train.batch_size) {
            SessionSetup setup = run_->setup;
            setup.state = run_->trainer->state();
            setup.state->experiment = settings;
            replace_run(std::move(setup));
        }
        LiveRun& run = *run_;
        EpochCurve epochs = run.trainer->epochs();
        epochs.truncate(epochs.finished() - (run.trainer->epoch() - moment.epoch), moment.last);
        run.trainer->restore(moment, epochs);
        run.trainer->set_learning_rate(settings.train.learning_rate);
        run.trainer->set_balance_loss(settings.model.balance_loss);
        run.history = std::move(past.curves);
        run.history.set_epochs(std::move(epochs));
        run.timeline.rewind(moment.step);
        told_epoch_ = 0;
        run.target_epochs = timeline.target_at(moment.step);
        ++branch_;
        message_.clear();
        state_ = resting_state();
        viewer_.look_at_now();
        // A text that was entered later, or meanwhile, has its lines from here on until they are had again.
        if (!run.history.gate_begins() || run.history.gate_probe() != run.setup.probe) use_probe(run.setup.probe);
    }

    std::uint64_t branch() const { return branch_; }

    SavedRun save() {
        if (!run_) throw Error("There is no model yet.");
        SavedRun saved;
        saved.state = guarded([this] { return run_->trainer->state(); });
        if (run_->target_epochs != saved.state.experiment.train.epochs && run_->target_epochs != no_limit)
            saved.state.target_epochs = run_->target_epochs;
        saved.corpus = run_->setup.corpus;
        saved.history = std::make_shared<const History>(run_->history.publish());
        saved.timeline = run_->timeline.share();
        saved.probe = run_->setup.probe;
        saved.focus = run_->setup.focus;
        return saved;
    }

    void fail(const std::string& message) {
        state_ = SessionState::failed;
        message_ = message;
    }

    /// The viewer goes by what it was shown: shows it the newest where that is something else.
    void tell_viewer() {
        const bool known = run_ && shown_branch_ == branch_ && shown_step_ == run_->trainer->steps() &&
                           shown_timeline_ == run_->timeline.share();
        const bool used = viewer_.use();  // from now on the present moment is shown to it, too
        if (!known || !used) publish();
    }

    void publish() {
        const double start = thread_seconds();
        try {
            guarded([this] {
                if (run_ && state_ != SessionState::running && std::string_view(run_->backend->device()) != "cpu")
                    tip();
                show(snapshot(true), true);
            });
        } catch (const std::exception& e) {  // no memory, or a device that is gone: said without what it could not give
            fail(e.what());
            try {
                show(snapshot(false), false);
            } catch (const std::exception&) {  // nor for that: the next one says it
            }
        }
        // However large what it shows is: at most 2 % of the time goes into showing it.
        next_publish_ = Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                           std::chrono::duration<double>(50 * (thread_seconds() - start)));
    }

    std::function<void(std::uint64_t, const EpochRecord&)> on_epoch_;

private:
    using Clock = std::chrono::steady_clock;
    static BackendOptions one_thread(BackendOptions options) {
        options.threads = 1;
        return options;
    }
    static constexpr std::uint64_t no_limit = std::numeric_limits<std::uint64_t>::max();

    /// `whole`: with the probe's way through the model and the curves, else the run's state alone.
    std::shared_ptr<const Snapshot> snapshot(bool whole) {
        auto s = std::make_shared<Snapshot>();
        s->state = state_;
        s->message = message_;
        s->generation = generation_;
        s->branch = branch_;
        s->speed_limit = speed_;
        s->loss = s->accuracy = std::numeric_limits<double>::quiet_NaN();
        if (run_) {
            const Trainer& trainer = *run_->trainer;
            s->experiment = trainer.experiment();
            s->step = s->newest_step = trainer.steps();
            s->epoch = trainer.epoch();
            s->steps_per_epoch = trainer.steps_per_epoch();
            s->next_example = trainer.next_example();
            s->examples = trainer.corpus().examples();
            s->target_epochs = run_->target_epochs;
            if (const auto& last = trainer.last_epoch())
                s->loss = last->loss, s->accuracy = last->accuracy, s->balance = last->balance;
            s->best_correct = run_->best_correct;
            s->load = trainer.load();
            s->parameters = parameter_count(s->experiment.model);
            s->device = run_->backend->name();
            s->device_id = run_->backend->device();
            s->speeds = speeds_;
            s->notice = notice_;
            s->notices = notices_;
            s->checkpoints = run_->timeline.use();
            if (whole) {
                s->probe = run_->probe->run(run_->setup.focus);
                s->history = run_->history.share(state_ != SessionState::running);
            }
        }
        if (!s->history) s->history = std::make_shared<const History>();
        if (state_ == SessionState::running) s->steps_per_second = steps_per_second_;
        return s;
    }

    void show(std::shared_ptr<const Snapshot> s, bool whole) {
        changed_ = false;
        ViewFeed feed;
        feed.branch = branch_;
        feed.newest = s;
        if (run_) {
            feed.corpus = run_->setup.corpus;
            feed.timeline = run_->timeline.share();
            feed.initial = run_->trainer->initial();
            feed.device = run_->backend->device();
            feed.precision = feed.device == "cpu" ? "float32" : options_.backend.precision;
            feed.probe = run_->setup.probe;
            feed.focus = run_->setup.focus;
            if (whole && viewer_.in_use() && state_ != SessionState::running) feed.tip = tip();
        }
        shown_branch_ = branch_, shown_step_ = s->step, shown_timeline_ = feed.timeline;
        viewer_.feed(std::move(feed));
        recall_gate();
        const std::scoped_lock lock(mutex_);
        newest_ = std::move(s);
    }

    SessionState resting_state() const {
        return run_->finished()             ? SessionState::finished
               : run_->trainer->steps() > 0 ? SessionState::paused
                                            : SessionState::ready;
    }

    /// The present moment, kept once a step.
    std::shared_ptr<const Checkpoint> tip() {
        if (!tip_ || tip_branch_ != branch_ || tip_->step != run_->trainer->steps()) {
            auto moment = std::make_shared<Checkpoint>();
            run_->trainer->keep(*moment);
            tip_ = std::move(moment);
            tip_branch_ = branch_;
        }
        return tip_;
    }

    /// What fails or has no memory is not tried again before somebody asks for it.
    void stay_on_cpu() {
        options_.backend.device = "cpu";
        options_.backend.precision = "float32";
    }

    void tell(std::string notice) {
        notices_ += !notice.empty();
        notice_ = std::move(notice);
    }

    /// f(), again on the CPU where the device fails in it.
    template <class F>
    auto guarded(F f) -> decltype(f()) {
        try {
            return f();
        } catch (const DeviceFailure& e) {
            if (!fail_over(e.what())) throw;
        }
        return f();
    }

    /// The run goes on on the CPU, from the last state that the host has. False where it is there already.
    bool fail_over(const std::string& reason) {
        if (!run_ || std::string_view(run_->backend->device()) == "cpu") return false;
        const LiveRun& lost = *run_;
        const Trainer& trainer = *lost.trainer;
        std::shared_ptr<const Checkpoint> good = trainer.fallback();
        if (tip_ && tip_branch_ == branch_ && tip_->step >= good->step) good = tip_;
        SessionSetup setup = lost.setup;
        setup.experiment = trainer.experiment();
        if (const std::shared_ptr<const RunState> initial = trainer.initial()) {
            setup.state = *initial;
            setup.state->initial = initial;
            setup.state->experiment = setup.experiment;
        }
        stay_on_cpu();
        auto fresh = std::make_unique<LiveRun>(options_, std::move(setup), &lost, budget_);
        EpochCurve epochs = trainer.epochs();
        const std::uint64_t steps = trainer.steps() - good->step, finished = trainer.epoch() - good->epoch;
        told_epoch_ = std::max(told_epoch_, trainer.epoch());
        epochs.truncate(epochs.finished() - finished, good->last);
        fresh->trainer->restore(*good, epochs);
        fresh->history = lost.history;
        fresh->history.rewind(good->step, std::move(epochs));
        fresh->timeline = lost.timeline;
        fresh->timeline.rewind(good->step);
        fresh->target_epochs = lost.target_epochs;
        fresh->timeline.note(good->step, fresh->trainer->experiment(), fresh->target_epochs);
        fresh->probe->set_text(lost.setup.probe);
        run_ = std::move(fresh);
        if (state_ != SessionState::running) {  // what rested there is trained again
            endless_ = false, epochs_left_ = 0, steps_left_ = steps;
            if (steps > 0) state_ = SessionState::running;
        } else if (epochs_left_ > 0) {
            epochs_left_ += finished;
        } else if (steps_left_ > 0 || !endless_) {
            steps_left_ += steps;
        }
        ++branch_;
        tip_.reset();
        tell(reason + " Training goes on on the CPU, from step " + with_commas(good->step) + ".");
        window_start_ = Clock::now(), window_steps_ = 0;
        return true;
    }

    // The same run in another workspace: its past and its curves come along.
    void replace_run(SessionSetup setup, bool may_move = true) {
        std::unique_ptr<LiveRun> fresh;
        try {
            fresh = std::make_unique<LiveRun>(options_, setup, run_.get(), budget_);
        } catch (const DeviceFailure& e) {
            if (!may_move || options_.backend.device == "cpu") throw;
            stay_on_cpu();
            fresh = std::make_unique<LiveRun>(options_, std::move(setup), run_.get(), budget_);
            ++branch_;  // what was replayed there has other bits
            tell(std::string(e.what()) + " Training goes on on the CPU.");
        }
        fresh->history = run_->history;
        fresh->timeline = run_->timeline;
        fresh->target_epochs = run_->target_epochs;
        fresh->probe->set_text(run_->setup.probe);
        run_ = std::move(fresh);
    }

    void loop(const std::stop_token& stop) {
        const FlushDenormals flush;
        if (options_.gives_way) lower_thread_priority();
        std::unique_lock lock(mutex_);
        while (!stop.stop_requested()) {
            if (!queue_.empty()) {
                std::deque<std::function<void()>> commands = std::exchange(queue_, {});
                lock.unlock();
                for (auto& command : commands) {
                    attempt(command);
                    if (run_)
                        run_->timeline.note(run_->trainer->steps(), run_->trainer->experiment(), run_->target_epochs);
                }
                commands.clear();
                publish();
                lock.lock();
                continue;
            }
            if (state_ != SessionState::running) {
                resting_ = true;
                rested_.notify_all();
                // A frame that asks while nothing moves gets what lies in the slot: it is the newest.
                wake_.wait(lock, [&] { return stop.stop_requested() || !queue_.empty(); });
                continue;
            }
            if (speed_ > 0 && Clock::now() < due_) {
                if (changed_ && std::exchange(asked_, false)) {
                    lock.unlock();
                    publish();
                    lock.lock();
                    continue;
                }
                wake_.wait_until(lock, due_);
                continue;
            }
            lock.unlock();
            step();
            lock.lock();
            if (state_ != SessionState::running || (asked_ && Clock::now() >= next_publish_)) {
                asked_ = false;
                lock.unlock();
                publish();
                lock.lock();
            }
        }
        resting_ = true;
        rested_.notify_all();
    }

    void attempt(const std::function<void()>& command) {
        try {
            guarded(command);
        } catch (const std::exception& e) {
            fail(e.what());
        }
    }

    void step() {
        LiveRun& run = *run_;
        changed_ = true;
        try {
            train(run);
        } catch (const DeviceFailure& e) {
            attempt([&, why = std::string(e.what())] {
                if (!fail_over(why)) throw Error(why);
            });
        } catch (const std::exception& e) {
            fail(e.what());
            run.history.rewind(run.trainer->steps(), run.trainer->epochs());
            run.timeline.rewind(run.trainer->steps());
            run.timeline.note(run.trainer->steps(), run.trainer->experiment(), run.target_epochs);
            ++branch_;
        }
    }

    void train(LiveRun& run) {
        run.ask_checkpoint();
        const StepResult result = run.trainer->step();
        const std::uint64_t steps = run.trainer->steps();
        if (epochs_left_ > 0)  // counted at once: should the device fail below, fail_over() counts it back
            epochs_left_ -= result.epoch_ended;
        else if (steps_left_ > 0)
            --steps_left_;
        // A divergence leads back to the state that this step kept.
        if (const auto good = run.trainer->good(); good && good->step + 1 == steps) run.history.mark(good->step);
        run.history.add(steps, result, run.trainer->step_load());
        if (run.history.wants_gate(steps)) {
            run.probe->gate_weights(run.gate);
            run.history.add_gate(steps, run.gate);
        }
        if (!endless_ && epochs_left_ == 0 && steps_left_ == 0) state_ = SessionState::paused;
        if (result.epoch_ended) {
            const EpochRecord record = *run.trainer->last_epoch();
            run.history.add_epoch(record);
            if (on_epoch_ && run.trainer->epoch() > told_epoch_) on_epoch_(run.trainer->epoch(), record);
            if (run.finished()) state_ = SessionState::finished;
        }
        run.keep_checkpoint();
        measure_speed();
    }

    void measure_speed() {
        const Clock::time_point now = Clock::now();
        if (speed_ > 0) {
            const auto period = std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(1 / speed_));
            due_ =
                std::max(due_ + period, now - std::chrono::milliseconds(100));  // late steps are caught up, not hoarded
        }
        ++window_steps_;
        const double elapsed = std::chrono::duration<double>(now - window_start_).count();
        if (elapsed < 0.5) return;
        steps_per_second_ = double(window_steps_) / elapsed;
        if (speed_ == 0) note_speed();
        window_start_ = now;
        window_steps_ = 0;
    }

    void note_speed() {
        const Backend<float>& backend = *run_->backend;
        std::erase_if(speeds_, [&](const DeviceSpeed& s) { return s.device == backend.device(); });
        speeds_.push_back({backend.device(), backend.name(), steps_per_second_});
    }

    void use_probe(std::string text) {
        LiveRun& run = *run_;
        run.setup.probe = std::move(text);
        run.probe->set_text(run.setup.probe);
        run.history.start_gate(run.setup.probe, run.probe->prefixes(), run.timeline.first_step());
        run.probe->gate_weights(run.gate);
        run.history.add_gate(run.trainer->steps(), run.gate);
        recalled_branch_.reset();
    }

    // A text that was entered late gets its lines from the start of the run: the viewer has them again. Once in a
    // branch: what was asked for in an earlier one never comes.
    void recall_gate() {
        if (!run_ || recalled_branch_ == branch_ || !(run_->history.gate_begins() > run_->timeline.first_step()))
            return;
        recalled_branch_ = branch_;
        viewer_.recall_gate([this](GatePast past) {
            post([this, past = std::move(past)] {
                if (run_ && past.branch == branch_ && past.probe == run_->history.gate_probe())
                    run_->history.fill_gate(past.steps, past.weights, past.base, past.interval);
            });
        });
    }

    SessionOptions options_;  // worker thread

    std::mutex mutex_;
    std::condition_variable wake_, rested_;
    std::deque<std::function<void()>> queue_;
    std::shared_ptr<const Snapshot> newest_;
    bool asked_ = false, resting_ = false;

    // Worker thread only.
    std::unique_ptr<LiveRun> run_;
    SessionState state_ = SessionState::empty;
    std::string message_, notice_;
    std::uint64_t notices_ = 0, told_epoch_ = 0;  // epochs up to it were told of, and are trained again
    std::vector<DeviceSpeed> speeds_;
    std::uint64_t generation_ = 0, branch_ = 0;
    std::size_t budget_ = TimelineBuilder::default_budget;
    std::optional<std::uint64_t> recalled_branch_;  // in which the lines of the present text were asked for
    std::shared_ptr<const Checkpoint> tip_;
    std::uint64_t tip_branch_ = 0, shown_branch_ = 0, shown_step_ = 0;
    std::shared_ptr<const Timeline> shown_timeline_;
    bool endless_ = true;  // else until none of these is left
    std::uint64_t steps_left_ = 0, epochs_left_ = 0;
    bool changed_ = false;  // trained since the last snapshot
    double speed_ = 0, steps_per_second_ = 0;
    Clock::time_point due_, window_start_, next_publish_;
    std::uint64_t window_steps_ = 0;

    Viewer viewer_;
    std::jthread thread_;  // last: it uses all of the above
};

}  // namespace moe
