#include "engine/session/training_session.h"

#include "engine/session/promised.h"
#include "engine/session/session_worker.h"

#include <utility>

namespace moe {

namespace {

constexpr const char* closed = "The session was closed before it came to that.";

}  // namespace

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
            } catch (const DeviceFailure& e) {
                if (viewer->leave_device()) throw Viewer::Interrupted{};  // asked again
                answer.set({nullptr, e.what()});
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
                if (feed.branch != branch) throw Error(Worker::another_run);
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
            } catch (const DeviceFailure& e) {
                if (worker->viewer().leave_device()) throw Viewer::Interrupted{};
                return done.set(e.what());
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
std::future<std::string> TrainingSession::set_device(std::string device) {
    Promised<std::string> done(closed);
    std::future<std::string> future = done.future();
    worker_->post([w = worker_.get(), device = std::move(device), done] {
        try {
            w->set_device(device);
            w->publish();
            done.set({});
        } catch (const std::exception& e) {
            done.set(e.what());
        }
    });
    return future;
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
