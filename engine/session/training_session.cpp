#include "engine/session/training_session.h"

#include "engine/core/float_mode.h"
#include "engine/core/priority.h"
#include "engine/core/settings.h"
#include "engine/core/thread_time.h"
#include "engine/session/live_run.h"
#include "engine/session/promised.h"
#include "engine/session/viewer.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <deque>
#include <limits>
#include <mutex>
#include <thread>
#include <utility>

namespace moe {

namespace {

using Clock = std::chrono::steady_clock;
constexpr std::uint64_t no_limit = std::numeric_limits<std::uint64_t>::max();
constexpr const char *closed = "The session was closed before it came to that.",
                     *another_run =
                         "Another model was opened, or the run went on from elsewhere, meanwhile; nothing was changed.";

}  // namespace

/// Everything below "worker thread" runs on it alone; the mutex guards the queue, the slot and the resting flag.
class TrainingSession::Worker {
public:
    explicit Worker(SessionOptions options)
        : options_(std::move(options)),
          speed_(options_.speed_limit),
          viewer_({options_.backend.device, 1}, options_.memory_limit, options_.patience, options_.gives_way) {
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
        auto fresh = std::make_unique<LiveRun>(options_, std::move(setup), run_.get(), budget_);
        run_ = std::move(fresh);
        ++generation_;
        ++branch_;
        message_.clear();
        steps_per_second_ = 0;
        state_ = resting_state();
        use_probe(run_->setup.probe);
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
        SessionSetup setup = run_->setup;
        setup.state = run_->trainer->state();
        setup.state->experiment.train.batch_size = batch;
        replace_run(std::move(setup));
        forgive();
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
        run.target_epochs = timeline.target_at(moment.step);
        ++branch_;
        message_.clear();
        state_ = resting_state();
        viewer_.look_at_now();
        // A text that was entered later, or meanwhile, has its lines from here on until they are had again.
        if (!run.history.gate_begins() || run.history.gate_probe() != run.setup.probe) use_probe(run.setup.probe);
    }

    std::uint64_t branch() const { return branch_; }

    SavedRun save() const {
        if (!run_) throw Error("There is no model yet.");
        SavedRun saved;
        saved.state = run_->trainer->state();
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
            show(snapshot(true), true);
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

    // The same run in another workspace: its past and its curves come along.
    void replace_run(SessionSetup setup) {
        auto fresh = std::make_unique<LiveRun>(options_, std::move(setup), run_.get(), budget_);
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
            command();
        } catch (const std::exception& e) {
            fail(e.what());
        }
    }

    void step() {
        LiveRun& run = *run_;
        changed_ = true;
        try {
            train(run);
        } catch (const std::exception& e) {
            fail(e.what());
            run.history.rewind(run.trainer->steps(), run.trainer->epochs());
            run.timeline.rewind(run.trainer->steps());
            run.timeline.note(run.trainer->steps(), run.trainer->experiment(), run.target_epochs);
            ++branch_;
        }
    }

    void train(LiveRun& run) {
        const StepResult result = run.trainer->step();
        const std::uint64_t steps = run.trainer->steps();
        // A divergence leads back to the state that this step kept.
        if (const auto good = run.trainer->good(); good && good->step + 1 == steps) run.history.mark(good->step);
        run.history.add(steps, result, run.trainer->step_load());
        if (run.history.wants_gate(steps)) {
            run.probe->gate_weights(run.gate);
            run.history.add_gate(steps, run.gate);
        }
        if (epochs_left_ > 0)
            epochs_left_ -= result.epoch_ended;
        else if (steps_left_ > 0)
            --steps_left_;
        if (!endless_ && epochs_left_ == 0 && steps_left_ == 0) state_ = SessionState::paused;
        if (result.epoch_ended) {
            const EpochRecord record = *run.trainer->last_epoch();
            run.history.add_epoch(record);
            if (on_epoch_) on_epoch_(run.trainer->epoch(), record);
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
        window_start_ = now;
        window_steps_ = 0;
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

    const SessionOptions options_;

    std::mutex mutex_;
    std::condition_variable wake_, rested_;
    std::deque<std::function<void()>> queue_;
    std::shared_ptr<const Snapshot> newest_;
    bool asked_ = false, resting_ = false;

    // Worker thread only.
    std::unique_ptr<LiveRun> run_;
    SessionState state_ = SessionState::empty;
    std::string message_;
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

TrainingSession::TrainingSession(SessionOptions options) : worker_(std::make_unique<Worker>(std::move(options))) {}
TrainingSession::~TrainingSession() = default;

std::future<std::string> TrainingSession::try_open(SessionSetup setup) {
    Promised<std::string> opened(closed);
    std::future<std::string> future = opened.future();
    auto shared = std::make_shared<SessionSetup>(std::move(setup));
    worker_->post([worker = worker_.get(), opened, shared] {
        try {
            worker->open(std::move(*shared));
            worker->publish();  // whoever waits finds the new model in the slot
            opened.set({});
        } catch (const std::exception& e) {
            opened.set(e.what());
        }
    });
    return future;
}

void TrainingSession::open(SessionSetup setup) {
    if (const std::string error = try_open(std::move(setup)).get(); !error.empty()) throw Error(error);
}

std::future<SavedRun> TrainingSession::save() {
    Promised<SavedRun> saved(std::make_exception_ptr(Error(closed)));
    std::future<SavedRun> future = saved.future();
    worker_->post([worker = worker_.get(), saved] {
        try {
            saved.set(worker->save());
        } catch (...) {
            saved.fail(std::current_exception());
        }
    });
    return future;
}

void TrainingSession::look_at(std::uint64_t step) {
    worker_->viewer().look_at(step);
}
void TrainingSession::look_at_now() {
    worker_->viewer().look_at_now();
}
std::shared_ptr<const Snapshot> TrainingSession::looked_at() {
    return worker_->viewer().looked_at();
}
std::optional<double> TrainingSession::replay_progress() {
    return worker_->viewer().progress();
}
std::string TrainingSession::look_failure() {
    return worker_->viewer().failure();
}
bool TrainingSession::replaying() {
    return worker_->viewer().busy();
}

// By way of the worker: what was commanded before is done, and the viewer knows the present moment.
template <class T>
std::future<Answer<T>> TrainingSession::ask(std::function<T(Viewer&, const ViewFeed&)> question, bool patient) {
    Promised<Answer<T>> answer(Answer<T>{nullptr, closed});
    std::future<Answer<T>> future = answer.future();
    worker_->post([worker = worker_.get(), question = std::move(question), patient, answer] {
        worker->tell_viewer();
        const auto task = [viewer = &worker->viewer(), question, answer](const ViewFeed& feed) {
            try {
                if (!feed.timeline) throw Error("There is no model yet.");
                answer.set({std::make_shared<const T>(question(*viewer, feed)), {}});
            } catch (const std::exception& e) {
                answer.set({nullptr, e.what()});
            }
        };
        worker->viewer().post(task, patient);
    });
    return future;
}

template <class T>
std::future<Answer<T>> TrainingSession::ask(std::uint64_t step, std::function<T(const ViewFeed&, Replayer&)> question) {
    return ask<T>([step, question = std::move(question)](Viewer& viewer, const ViewFeed& feed) {
        return question(feed, viewer.at(feed, feed.clamped(step)));
    });
}

std::future<Answer<RunState>> TrainingSession::state_at(std::uint64_t step) {
    return ask<RunState>(step, Viewer::state);
}

std::future<Answer<Snapshot>> TrainingSession::picture_at(std::uint64_t step, std::string text, std::size_t focus) {
    return ask<Snapshot>(step, [text = std::move(text), focus](const ViewFeed& feed, Replayer& replayer) {
        return Viewer::picture(feed, replayer, text, focus);
    });
}

std::future<Answer<Trace>> TrainingSession::trace(std::uint64_t step) {
    return ask<Trace>(step, [viewer = &worker_->viewer()](const ViewFeed& feed, Replayer& replayer) {
        auto state = std::make_shared<const RunState>(Viewer::state(feed, replayer));
        return viewer->tracer().batch(std::move(state), *feed.corpus);
    });
}

std::future<Answer<Trace>> TrainingSession::trace_phrase(std::uint64_t step, std::string text, std::size_t prefix) {
    return ask<Trace>(
        step, [viewer = &worker_->viewer(), text = std::move(text), prefix](const ViewFeed& feed, Replayer& replayer) {
            const Probe& probe = replayer.probe(text);
            if (probe.prefixes() == 0)
                throw Error("The model knows no word of \"" + text +
                            "\", so there is nothing to trace; use its own words.");
            auto state = std::make_shared<const RunState>(Viewer::state(feed, replayer));
            return viewer->tracer().row(std::move(state), probe.row(std::min(prefix, probe.prefixes() - 1)));
        });
}

std::future<Answer<NormCurves>> TrainingSession::norms() {
    constexpr bool patient = true;
    return ask<NormCurves>([](Viewer& viewer, const ViewFeed& feed) { return viewer.norms(feed); }, patient);
}

std::future<std::string> TrainingSession::continue_from(std::uint64_t step) {
    Promised<std::string> done(closed);
    std::future<std::string> future = done.future();
    worker_->post([worker = worker_.get(), step, done] {
        worker->pause();
        worker->tell_viewer();
        worker->viewer().post([worker, branch = worker->branch(), step, done](const ViewFeed& feed) {
            auto moment = std::make_shared<PastMoment>();
            try {
                if (!feed.timeline) throw Error("There is no model yet.");
                if (feed.branch != branch) throw Error(another_run);
                // The curve's point that spans the moment is had again for its part before it.
                const std::uint64_t to = feed.clamped(step), first = feed.timeline->first_step();
                HistoryBuilder& curves = moment->curves;
                curves.reopen(*feed.newest->history, first, to);
                worker->viewer()
                    .at(feed, std::max(first, curves.covers().value_or(first)), to,
                        [&](const Trainer& trainer, const StepResult& batch) {
                            curves.add(trainer.steps(), batch, trainer.step_load());
                        })
                    .trainer()
                    .keep(moment->checkpoint);
            } catch (const std::exception& e) {
                return done.set(e.what());
            }
            worker->post([worker, branch, timeline = feed.timeline, moment, done] {
                try {
                    worker->go_back(branch, *timeline, *moment);
                    worker->publish();
                    done.set({});
                } catch (const std::exception& e) {
                    done.set(e.what());
                }
            });
        });
    });
    return future;
}

void TrainingSession::set_checkpoint_budget(std::size_t bytes) {
    worker_->post([w = worker_.get(), bytes] { w->set_checkpoint_budget(bytes); });
}

void TrainingSession::play() {
    worker_->post([w = worker_.get()] { w->play(); });
}
void TrainingSession::pause() {
    worker_->post([w = worker_.get()] { w->pause(); });
}
void TrainingSession::run_steps(std::uint64_t n) {
    worker_->post([w = worker_.get(), n] { w->run(n, 0); });
}
void TrainingSession::run_epochs(std::uint64_t n) {
    worker_->post([w = worker_.get(), n] { w->run(0, n); });
}
void TrainingSession::train_on(std::uint64_t epochs) {
    worker_->post([w = worker_.get(), epochs] { w->train_on(epochs); });
}
void TrainingSession::reset() {
    worker_->post([w = worker_.get()] { w->reset(); });
}
void TrainingSession::set_speed(double steps_per_second) {
    worker_->post([w = worker_.get(), steps_per_second] { w->set_speed(steps_per_second); });
}
void TrainingSession::set_learning_rate(double rate) {
    worker_->post([w = worker_.get(), rate] { w->set_learning_rate(rate); });
}
void TrainingSession::set_batch_size(std::size_t batch) {
    worker_->post([w = worker_.get(), batch] { w->set_batch_size(batch); });
}
void TrainingSession::set_balance_loss(double weight) {
    worker_->post([w = worker_.get(), weight] { w->set_balance_loss(weight); });
}
void TrainingSession::set_target_epochs(std::uint64_t epochs) {
    worker_->post([w = worker_.get(), epochs] { w->set_target_epochs(epochs); });
}
void TrainingSession::set_probe(std::string text, std::size_t focus) {
    worker_->post([w = worker_.get(), text = std::move(text), focus] { w->set_probe(text, focus); });
}
std::shared_ptr<const Snapshot> TrainingSession::take() {
    return worker_->take();
}
void TrainingSession::wait() {
    worker_->wait_for(std::nullopt);
}
bool TrainingSession::wait_for(double seconds) {
    return worker_->wait_for(seconds);
}
void TrainingSession::on_epoch(std::function<void(std::uint64_t, const EpochRecord&)> callback) {
    worker_->post([w = worker_.get(), callback = std::move(callback)] { w->on_epoch_ = callback; });
}

}  // namespace moe
