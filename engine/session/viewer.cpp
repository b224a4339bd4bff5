#include "engine/session/viewer.h"

#include "engine/core/float_mode.h"
#include "engine/session/history_builder.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <utility>

namespace moe {

namespace {

using Clock = std::chrono::steady_clock;
constexpr double long_replay = 0.1;  // seconds until its progress is told
constexpr double patience = 5;       // seconds that a curve over the whole run may take
constexpr std::uint64_t enough_steps = 20, most_norms = 128;

std::int64_t nanoseconds() {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now().time_since_epoch()).count();
}

}  // namespace

std::uint64_t ViewFeed::clamped(std::uint64_t step) const {
    return std::clamp(step, timeline->first_step(), std::max(newest->step, timeline->first_step()));
}

Viewer::Viewer(BackendOptions options) : options_(std::move(options)) {}

Viewer::~Viewer() {
    {
        const std::scoped_lock lock(mutex_);
        stopping_ = true;
        wake_.notify_all();
    }
    if (thread_.joinable()) thread_.join();
}

void Viewer::start_thread() {
    in_use_ = true;
    ++urgent_;
    if (!thread_.joinable()) thread_ = std::thread([this] { loop(); });
    wake_.notify_all();
}

void Viewer::feed(ViewFeed feed) {
    const std::scoped_lock lock(mutex_);
    if (feed.branch != feed_.branch) {
        const bool other_model = !feed_.newest || feed.newest->generation != feed_.newest->generation;
        if (other_model) wanted_.reset(), shown_.reset();
        stale_ = true;
        failed_.clear();
        ++looks_;
    }
    if (feed.branch != feed_.branch || feed.probe != feed_.probe) recalled_ = nullptr, ++urgent_;
    feed_ = std::move(feed);
    if (thread_.joinable()) wake_.notify_all();
}

void Viewer::look_at(std::uint64_t step) {
    const std::scoped_lock lock(mutex_);
    if (wanted_ == step) return;
    wanted_ = step;
    failed_.clear();
    ++looks_;
    start_thread();
}

void Viewer::look_at_now() {
    const std::scoped_lock lock(mutex_);
    wanted_.reset();
    shown_.reset();
    failed_.clear();
    ++looks_;
}

std::shared_ptr<const Snapshot> Viewer::looked_at() {
    const std::scoped_lock lock(mutex_);
    if (!shown_ || !feed_.newest) return nullptr;
    const Snapshot& newest = *feed_.newest;
    if (shown_->history != newest.history || shown_->newest_step != newest.step) {
        // The run has gone on meanwhile: its curves are shown whole.
        auto fresh = std::make_shared<Snapshot>(*shown_);
        fresh->history = newest.history;
        fresh->newest_step = newest.step;
        fresh->checkpoints = newest.checkpoints;
        shown_ = std::move(fresh);
    }
    return shown_;
}

std::optional<double> Viewer::progress() const {
    const std::int64_t since = since_;
    if (since == 0 || double(nanoseconds() - since) * 1e-9 < long_replay) return {};
    const double from = double(from_), to = double(to_), now = double(now_);
    return to > from ? std::clamp((now - from) / (to - from), 0.0, 1.0) : 1.0;
}

bool Viewer::look_is_due() const {
    if (!wanted_ || !feed_.timeline || !failed_.empty()) return false;
    return !shown_ || stale_ || shown_for_ != *wanted_ || shown_->probe.text != feed_.probe ||
           (!shown_->probe.prefix_words.empty() &&
            shown_->probe.focus != std::min(feed_.focus, shown_->probe.prefix_words.size() - 1));
}

std::string Viewer::failure() const {
    const std::scoped_lock lock(mutex_);
    return failed_;
}

bool Viewer::busy() const {
    const std::scoped_lock lock(mutex_);
    return working_ || !tasks_.empty() || look_is_due() || gate_is_due();
}

void Viewer::post(Task task) {
    const std::scoped_lock lock(mutex_);
    tasks_.push_back(std::move(task));
    start_thread();
}

void Viewer::loop() {
    const FlushDenormals flush;
    std::unique_lock lock(mutex_);
    while (!stopping_) {
        if (!look_is_due() && tasks_.empty() && !gate_is_due()) {
            wake_.wait(lock);
            continue;
        }
        working_ = true;
        work(lock);
        working_ = false;
    }
}

void Viewer::work(std::unique_lock<std::mutex>& lock) {
    const ViewFeed feed = feed_;
    look_ = looks_;
    urgency_ = urgent_;
    if (feed.branch != branch_) {
        replayer_.reset();
        norms_.clear();
        past_ = {};
        branch_ = feed.branch;
    }
    if (look_is_due()) {
        const std::uint64_t step = *wanted_;
        std::shared_ptr<const Snapshot> found;
        std::string error;
        lock.unlock();
        try {
            found = moment(feed, step);
        } catch (const Interrupted&) {
        } catch (const std::exception& e) {
            error = e.what();
        }
        lock.lock();
        if (feed_.branch != feed.branch || !wanted_) return;
        if (found)
            shown_ = std::move(found), shown_for_ = step,
            stale_ = false;  // also where another one is wanted by now: it moves
        if (wanted_ == step) failed_ = std::move(error);
        return;
    }
    if (tasks_.empty()) {
        lock.unlock();
        background_ = true;
        try {
            recall(feed);
        } catch (const Interrupted&) {
        } catch (const std::exception&) {
            past_ = {};  // the lines begin where the text was entered
            const std::scoped_lock again(mutex_);
            recalled_ = nullptr;
        }
        background_ = false;
        lock.lock();
        return;
    }
    Task task = std::move(tasks_.front());
    tasks_.pop_front();
    lock.unlock();
    bool again = false;
    try {
        task(feed);
    } catch (const Interrupted&) {
        again = true;
    }
    if (!again) task = nullptr;  // its answer may call back
    lock.lock();
    if (again) tasks_.push_front(std::move(task));
}

Replayer& Viewer::at(const ViewFeed& feed, std::uint64_t step) {
    return go(feed, step, {});
}

Replayer& Viewer::at(const ViewFeed& feed, std::uint64_t from, std::uint64_t step, const OnBatch& tell) {
    if (from < step) go(feed, from, {});
    return go(feed, step, tell);
}

Replayer& Viewer::go(const ViewFeed& feed, std::uint64_t step, const OnBatch& tell) {
    if (!feed.timeline) throw Error("There is no model yet.");
    if (!replayer_) replayer_ = std::make_unique<Replayer>(options_, feed.corpus);
    replayer_->know(feed.tip);
    from_ = to_ = now_ = 0;
    const std::int64_t start = nanoseconds();
    since_ = background_ ? 0 : start;
    std::uint64_t steps = 0;
    const bool arrived = replayer_->go(*feed.timeline, step, [&](const StepResult& batch) {
        const std::uint64_t at = replayer_->trainer().steps();
        if (tell) tell(replayer_->trainer(), batch);
        if (to_ == 0) from_ = at, to_ = step;
        now_ = at;
        ++steps;
        return !stopping_ && looks_ == look_ && !(background_ && urgent_ != urgency_);
    });
    since_ = 0;
    if (steps >= enough_steps) step_seconds_ = double(nanoseconds() - start) * 1e-9 / double(steps);
    if (!arrived) throw Interrupted{};
    return *replayer_;
}

void Viewer::recall_gate(std::function<void(GatePast)> done) {
    const std::scoped_lock lock(mutex_);
    recalled_ = std::move(done);
    start_thread();
}

bool Viewer::gate_is_due() const {
    return recalled_ && feed_.timeline;
}

// Comes back after an interruption, and goes on where it was.
void Viewer::recall(const ViewFeed& feed) {
    const Timeline& timeline = *feed.timeline;
    const std::uint64_t first = timeline.first_step(), last = feed.clamped(feed.newest->step);
    Replayer& start = at(feed, std::max(first, past_.steps.empty() ? first : past_.steps.back()));
    const std::size_t width = start.probe(feed.probe).prefixes() * timeline.start.model.num_experts;
    if (past_.branch != feed.branch || past_.probe != feed.probe || past_.steps.empty()) {
        past_ = {};
        past_.branch = feed.branch, past_.probe = feed.probe;
        past_.base = first;
        past_.interval = HistoryBuilder::gate_interval(last - first, width);
        if (past_.interval < timeline.interval && step_seconds_ * double(last - first) > patience) {
            past_.base = 0;  // the checkpoints have to do
            past_.interval = timeline.interval;
        }
    }
    std::vector<float> weights;
    while (past_.steps.empty() || past_.steps.back() < last) {
        std::uint64_t step = first;
        if (!past_.steps.empty())
            step = past_.base + ((past_.steps.back() - past_.base) / past_.interval + 1) * past_.interval;
        if (step > last) break;
        at(feed, step).probe(feed.probe).gate_weights(weights);
        if (urgent_ != urgency_) throw Interrupted{};
        past_.steps.push_back(step);
        past_.weights.insert(past_.weights.end(), weights.begin(), weights.end());
    }
    std::function<void(GatePast)> done;
    {
        const std::scoped_lock lock(mutex_);
        if (feed_.branch == feed.branch && feed_.probe == feed.probe) done = std::exchange(recalled_, nullptr);
    }
    if (done) done(std::exchange(past_, {}));
}

Tracer& Viewer::tracer() {
    if (!tracer_) tracer_ = std::make_unique<Tracer>(options_);
    return *tracer_;
}

namespace {

std::vector<float> root_mean_squares(const ModelSpec& spec, const std::vector<float>& values) {
    std::vector<float> norms;
    auto at = values.begin();
    for (const NamedArray& p : canonical_parameters(spec)) {
        const std::size_t count = p.shape[0] * p.shape[1] * p.shape[2];
        double sum = 0;
        for (const auto end = at + std::ptrdiff_t(count); at != end; ++at) sum += double(*at) * double(*at);
        norms.push_back(float(std::sqrt(sum / double(count))));
    }
    return norms;
}

}  // namespace

NormCurves Viewer::norms(const ViewFeed& feed) {
    if (!feed.timeline) throw Error("There is no model yet.");
    const Timeline& timeline = *feed.timeline;
    const std::uint64_t first = timeline.first_step(), newest = feed.clamped(feed.newest->step);
    std::uint64_t spacing = 1;
    while ((newest - first) / spacing > most_norms) spacing *= 2;
    std::map<std::uint64_t, const Checkpoint*> steps{{newest, nullptr}};
    for (const auto& c : timeline.checkpoints) steps[c->step] = c->values.empty() ? nullptr : c.get();
    if (spacing < timeline.interval && step_seconds_ * double(newest - first) < patience)
        for (std::uint64_t step = first; step < newest; step = (step / spacing + 1) * spacing)
            steps.emplace(step, nullptr);
    const ModelSpec& spec = timeline.start.model;
    NormCurves curves;
    for (const NamedArray& p : canonical_parameters(spec)) curves.names.push_back(p.name);
    Checkpoint here;
    for (const auto& [step, checkpoint] : steps) {
        std::vector<float>& norms = norms_[step];
        if (norms.empty()) {
            if (!checkpoint) at(feed, step).trainer().keep(here);
            norms = root_mean_squares(spec, checkpoint ? checkpoint->values : here.values);
        }
        curves.steps.push_back(step);
    }
    for (std::size_t i = 0; i < curves.names.size(); ++i)
        for (const std::uint64_t step : curves.steps) curves.norms.push_back(norms_[step][i]);
    return curves;
}

std::shared_ptr<const Snapshot> Viewer::moment(const ViewFeed& feed, std::uint64_t step) {
    return std::make_shared<const Snapshot>(picture(feed, at(feed, feed.clamped(step)), feed.probe, feed.focus));
}

Snapshot Viewer::picture(const ViewFeed& feed, Replayer& replayer, const std::string& text, std::size_t focus) {
    const Trainer& trainer = replayer.trainer();
    Snapshot s;
    s.state = trainer.steps() > 0 ? SessionState::paused : SessionState::ready;
    const Snapshot& newest = *feed.newest;
    s.generation = newest.generation;
    s.experiment = trainer.experiment();
    s.step = trainer.steps(), s.epoch = trainer.epoch();
    s.newest_step = newest.step;
    s.steps_per_epoch = trainer.steps_per_epoch();
    s.next_example = trainer.next_example();
    s.examples = newest.examples;
    s.target_epochs = feed.timeline->target_at(trainer.steps());
    s.speed_limit = newest.speed_limit;
    s.loss = s.accuracy = std::numeric_limits<double>::quiet_NaN();
    if (const auto& last = trainer.last_epoch())
        s.loss = last->loss, s.accuracy = last->accuracy, s.balance = last->balance;
    s.best_correct = newest.best_correct;
    s.load = trainer.load();
    s.parameters = newest.parameters;
    s.device = newest.device;
    s.probe = replayer.probe(text).run(focus);
    s.history = newest.history;
    s.checkpoints = newest.checkpoints;
    return s;
}

RunState Viewer::state(const ViewFeed& feed, Replayer& replayer) {
    const Trainer& trainer = replayer.trainer();
    RunState s = trainer.state();
    s.initial = feed.initial;
    const std::uint64_t target = feed.timeline->target_at(s.step);
    if (target != s.experiment.train.epochs) s.target_epochs = target;
    s.epochs = feed.newest->history->epochs;
    s.epochs.truncate(s.epochs.finished() - (feed.newest->epoch - s.epoch), trainer.last_epoch());
    return s;
}

}  // namespace moe
