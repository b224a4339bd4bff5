#include "app/session/session_controller.h"

#include "engine/core/error.h"
#include "engine/core/thread_time.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <iterator>
#include <utility>

namespace moe::app {

namespace {

constexpr int frame_milliseconds = 16, slowest_frame = 66;
constexpr double drawing_share =
    0.5;  // of the GUI thread: the rest answers the user and leaves the machine to training
constexpr int quiet_frames_before_rest = 6, frames_for_first_snapshot = 10;

template <class T>
bool isReady(const std::future<T>& future) {
    return future.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
}

bool sameStructure(const Snapshot& a, const Snapshot& b) {
    if (a.generation != b.generation || a.probe.words.size() != b.probe.words.size() ||
        a.probe.prefix_words != b.probe.prefix_words)
        return false;
    for (std::size_t w = 0; w < a.probe.words.size(); ++w)
        if (a.probe.words[w].id != b.probe.words[w].id || a.probe.words[w].text != b.probe.words[w].text) return false;
    return true;
}

/// The window's thread comes first.
SessionOptions givingWay(SessionOptions options) {
    options.gives_way = true;
    return options;
}

}  // namespace

SessionController::SessionController(SessionOptions options, QObject* parent, DeviceList devices)
    : QObject(parent),
      backend_(options.backend),
      list_devices_(std::move(devices)),
      session_(givingWay(std::move(options))),
      live_(std::make_shared<const Snapshot>()),
      snapshot_(live_) {
    clock_.setTimerType(Qt::PreciseTimer);
    clock_.setInterval(frame_milliseconds);
    connect(&clock_, &QTimer::timeout, this, &SessionController::pull);
}

SessionController::~SessionController() = default;

void SessionController::open(SessionSetup setup, std::function<void(const QString&)> done) {
    Opening opening;
    opening.corpus = setup.corpus;
    opening.probe = QString::fromStdString(setup.probe);
    opening.focus = setup.focus;
    opening.done = std::move(done);
    opening.future = session_.try_open(std::move(setup));
    openings_.push_back(std::move(opening));
    wake();
}

void SessionController::save(std::function<void(SavedRun)> done, std::function<void(const QString&)> failed) {
    savings_.push_back({session_.save(), std::move(done), std::move(failed)});
    wake();
}

void SessionController::play() {
    session_.play();
    wake();
}

void SessionController::pause() {
    session_.pause();
    wake();
}

void SessionController::runSteps(std::uint64_t n) {
    session_.run_steps(n);
    wake();
}

void SessionController::runEpochs(std::uint64_t n) {
    session_.run_epochs(n);
    wake();
}

void SessionController::trainOn(std::uint64_t epochs) {
    session_.train_on(epochs);
    wake();
}

void SessionController::reset() {
    session_.reset();
    wake();
}

void SessionController::setSpeed(double stepsPerSecond) {
    session_.set_speed(stepsPerSecond);
    wake();
}

void SessionController::setLearningRate(double rate) {
    session_.set_learning_rate(rate);
    wake();
}

void SessionController::setBatchSize(std::size_t batch) {
    session_.set_batch_size(batch);
    wake();
}

void SessionController::setBalanceLoss(double weight) {
    session_.set_balance_loss(weight);
    wake();
}

void SessionController::setTargetEpochs(std::uint64_t epochs) {
    session_.set_target_epochs(epochs);
    wake();
}

void SessionController::setProbe(const QString& text, std::size_t focus) {
    const QString before = probe_text_;
    const std::size_t focus_before = focus_;
    probe_text_ = text;
    focus_ = focus;
    session_.set_probe(text.toStdString(), focus);
    wake();
    if (before != text) Q_EMIT probeEdited(before, text);
    if (focus_before != focus) Q_EMIT focusChanged();
}

std::size_t SessionController::focusedPrefix() const {
    const std::size_t prefixes = snapshot_->probe.prefix_words.size();
    return prefixes ? std::min(focus_, prefixes - 1) : 0;
}

void SessionController::setFocusedPrefix(std::size_t prefix) {
    if (prefix == focus_) return;
    focus_ = prefix;
    session_.set_probe(probe_text_.toStdString(), prefix);
    wake();
    Q_EMIT focusChanged();
}

void SessionController::setFocusedExpert(std::optional<std::size_t> expert) {
    if (expert == focused_expert_) return;
    focused_expert_ = expert;
    Q_EMIT focusChanged();
}

void SessionController::wake() {
    quiet_frames_ = 0;
    if (clock_.isActive()) return;
    cpu_at_last_pull_ = -1;
    clock_.start();
}

// The interval follows what the last frames' drawing took, on whatever machine.
void SessionController::pace() {
    const double now = 1e3 * thread_seconds();
    if (cpu_at_last_pull_ >= 0) frame_cost_ += (now - cpu_at_last_pull_ - frame_cost_) * 0.2;
    cpu_at_last_pull_ = now;
    const int interval = std::clamp(int(frame_cost_ / drawing_share), frame_milliseconds, slowest_frame);
    if (std::abs(interval - clock_.interval()) > 2) clock_.setInterval(interval);
}

void SessionController::pull() {
    ++frames_;
    pace();
    std::shared_ptr<const Snapshot> newest = session_.take();
    answerSavings();  // before the openings: a save that was asked for before an opening is answered before it
    answerOpenings(newest);
    // A new model's first snapshot waits until its corpus is known to be the present one.
    const bool early = newest->generation != live_->generation && !openings_.empty();
    const std::shared_ptr<const Snapshot> before = snapshot_, live_before = live_;
    if (!early) adopt(std::move(newest), false);
    answerQuestions();
    followMoment();
    const bool busy = snapshot_ != before || live_ != live_before || early || !openings_.empty() || !savings_.empty() ||
                      !questions_.empty() || live_->state == SessionState::running || session_.replaying() ||
                      !session_.wait_for(0);
    quiet_frames_ = busy ? 0 : quiet_frames_ + 1;
    if (quiet_frames_ >= quiet_frames_before_rest) clock_.stop();
}

// What is shown is the moment that is looked at, where it is of the present model.
void SessionController::adopt(std::shared_ptr<const Snapshot> live, bool opened) {
    const bool moved = live != live_, other_model = live->generation != live_->generation;
    live_ = std::move(live);
    const bool left = (opened || other_model) && looked_at_;  // the session has left the past
    if (left) looked_at_.reset();
    std::shared_ptr<const Snapshot> shown = looked_at_ ? session_.looked_at() : nullptr;
    if (!shown || shown->generation != live_->generation) shown = live_;
    if (!opened && shown == snapshot_) {
        if (moved) Q_EMIT liveChanged();
        return;
    }
    const bool same = !opened && sameStructure(*shown, *snapshot_);
    snapshot_ = std::move(shown);
    if (other_model && focused_expert_ && *focused_expert_ >= snapshot_->experiment.model.num_experts)
        focused_expert_.reset();
    if (!same) Q_EMIT structureChanged();
    Q_EMIT valuesChanged();
    if (moved || opened) Q_EMIT liveChanged();
    if (left) Q_EMIT momentChanged();
}

void SessionController::lookAt(std::uint64_t step) {
    if (const std::uint64_t first = firstStep(); step < first) {
        Q_EMIT momentRefused(
            first == live_->step
                ? tr("What this model was before step %1 is not known: its file holds no earlier moment.").arg(first)
                : tr("The past of this run is known from step %1 on.").arg(first));
        if (first >= live_->step) return lookAtNow();
        step = first;
    }
    if (looked_at_ == step) return;
    looked_at_ = step;
    session_.look_at(step);
    wake();
    Q_EMIT momentChanged();
}

void SessionController::lookAtNow() {
    if (!looked_at_) return;
    looked_at_.reset();
    session_.look_at_now();
    adopt(live_, false);
    wake();
    Q_EMIT momentChanged();
}

void SessionController::followMoment() {
    if (const std::string failure = looked_at_ ? session_.look_failure() : std::string(); !failure.empty()) {
        lookAtNow();
        Q_EMIT momentRefused(QString::fromStdString(failure));
    }
    const std::optional<double> progress = session_.replay_progress();
    if (progress == replay_progress_) return;
    replay_progress_ = progress;
    Q_EMIT momentChanged();
}

template <class T>
void SessionController::await(std::future<T> answer, std::function<void(T)> done) {
    auto waiting = std::make_shared<std::future<T>>(std::move(answer));
    questions_.push_back([waiting, done = std::move(done)] {
        if (!isReady(*waiting)) return false;
        T given = waiting->get();
        if (done) done(std::move(given));
        return true;
    });
    wake();
}

void SessionController::answerQuestions() {
    // An answer may ask the next question, and sees the model as it is now.
    std::vector<std::function<bool()>> asked = std::exchange(questions_, {});
    std::erase_if(asked, [](const std::function<bool()>& answered) { return answered(); });
    questions_.insert(questions_.begin(), std::make_move_iterator(asked.begin()), std::make_move_iterator(asked.end()));
}

void SessionController::trace(std::uint64_t step, std::function<void(Answer<Trace>)> done) {
    await(session_.trace(step), std::move(done));
}

void SessionController::tracePhrase(std::uint64_t step, const QString& text, std::size_t prefix,
                                    std::function<void(Answer<Trace>)> done) {
    await(session_.trace_phrase(step, text.toStdString(), prefix), std::move(done));
}

void SessionController::stateAt(std::uint64_t step, std::function<void(Answer<RunState>)> done) {
    await(session_.state_at(step), std::move(done));
}

void SessionController::pictureAt(std::uint64_t step, const QString& text, std::size_t focus,
                                  std::function<void(Answer<Snapshot>)> done) {
    await(session_.picture_at(step, text.toStdString(), focus), std::move(done));
}

void SessionController::norms(std::function<void(Answer<NormCurves>)> done) {
    await(session_.norms(), std::move(done));
}

void SessionController::continueFrom(std::uint64_t step, std::function<void(const QString&)> done) {
    await<std::string>(session_.continue_from(step), [this, done = std::move(done)](const std::string& error) {
        if (error.empty()) {  // the session has left the past, and its newest snapshot is that moment
            looked_at_.reset();
            adopt(session_.take(), false);
            Q_EMIT momentChanged();
        }
        if (done) done(QString::fromStdString(error));
    });
}

void SessionController::setCheckpointBudget(std::size_t bytes) {
    session_.set_checkpoint_budget(bytes);
    wake();
}

void SessionController::setDevice(const QString& device, std::function<void(const QString&)> done) {
    await<std::string>(session_.set_device(device.toStdString()), [done = std::move(done)](const std::string& error) {
        if (done) done(QString::fromStdString(error));
    });
}

void SessionController::findDevices() {
    if (std::exchange(finding_devices_, true)) return;
    await<std::vector<DeviceInfo>>(std::async(std::launch::async, list_devices_),
                                   [this](std::vector<DeviceInfo> found) {
                                       finding_devices_ = false;
                                       const auto same = [](const DeviceInfo& a, const DeviceInfo& b) {
                                           return a.id == b.id && a.title == b.title && a.why_off == b.why_off;
                                       };
                                       if (std::ranges::equal(found, devices_, same)) return;
                                       devices_ = std::move(found);
                                       Q_EMIT devicesChanged();
                                   });
}

bool SessionController::hasGpu() const {
    return std::ranges::any_of(devices_, [](const DeviceInfo& d) { return d.id != "cpu" && d.why_off.empty(); });
}

// The worker answers an opening just before it publishes the model's first snapshot: that one is waited for.
void SessionController::answerOpenings(const std::shared_ptr<const Snapshot>& newest) {
    while (!openings_.empty()) {
        Opening& front = openings_.front();
        if (!front.answer && isReady(front.future)) front.answer = QString::fromStdString(front.future.get());
        if (!front.answer) return;
        const bool opened = front.answer->isEmpty();
        if (opened && newest->generation == live_->generation && ++front.frames < frames_for_first_snapshot) return;
        const Opening answered = std::move(front);
        openings_.erase(openings_.begin());
        if (opened) {
            corpus_ = answered.corpus;
            probe_text_ = answered.probe;
            focus_ = answered.focus;
            adopt(newest, true);
        }
        if (answered.done) answered.done(*answered.answer);
    }
}

void SessionController::answerSavings() {
    while (!savings_.empty() && isReady(savings_.front().future)) {
        Saving saving = std::move(savings_.front());
        savings_.erase(savings_.begin());
        std::optional<SavedRun> run;
        QString error;
        try {
            run = saving.future.get();
        } catch (const std::bad_alloc&) {
            error = tr("There is too little memory for a copy of the model; close other programs and try again.");
        } catch (const std::exception& e) {
            error = QString::fromUtf8(e.what());
        }
        if (run)
            saving.done(std::move(*run));
        else if (saving.failed)
            saving.failed(error);
    }
}

}  // namespace moe::app
