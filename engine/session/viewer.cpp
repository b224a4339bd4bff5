#include "engine/session/viewer.h"

#include "engine/core/float_mode.h"
#include "engine/core/priority.h"
#include "engine/core/settings.h"
#include "engine/session/history_builder.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <new>
#include <set>
#include <utility>

namespace moe {

namespace {

using Clock = std::chrono::steady_clock;
constexpr double long_replay = 0.1;     // seconds until its progress is told
constexpr double enough_seconds = 0.1;  // that replayed steps are measured, where they are long
constexpr std::uint64_t enough_steps = 20, most_norms = 128;

std::int64_t nanoseconds() {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now().time_since_epoch()).count();
}

}  // namespace

std::uint64_t ViewFeed::clamped(std::uint64_t step) const {
    return std::clamp(step, timeline->first_step(), std::max(newest->step, timeline->first_step()));
}

Viewer::Viewer(BackendOptions options, std::size_t memory_limit, double patience, bool gives_way)
    : options_(std::move(options)),
      patience_(patience),
      gives_way_(gives_way),
      memory_limit_(memory_limit ? memory_limit : default_memory_limit()) {}

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
    std::unique_lock lock(mutex_);
    if (feed.branch != feed_.branch) {
        const bool other_model = !feed_.newest || feed.newest->generation != feed_.newest->generation;
        if (other_model) wanted_.reset(), shown_.reset();
        stale_ = true;
        failed_.clear();
        ++looks_;
    }
    if (feed.branch != feed_.branch || feed.probe != feed_.probe) recalled_ = nullptr, ++urgent_;
    std::swap(feed_, feed);  // the one before is freed when the lock is open
    if (thread_.joinable()) wake_.notify_all();
    refresh(lock);
}

// The moment shown gets the curves of the whole run, which has gone on. Copied while the lock is open: the window takes
// it each frame.
void Viewer::refresh(std::unique_lock<std::mutex>& lock) {
    while (shown_ && feed_.newest) {
        const std::shared_ptr<const Snapshot> shown = shown_, newest = feed_.newest;
        if (shown->history == newest->history && shown->newest_step == newest->step) return;
        lock.unlock();
        std::shared_ptr<Snapshot> fresh;
        try {
            fresh = std::make_shared<Snapshot>(*shown);
        } catch (const std::bad_alloc&) {  // it keeps those it has
            lock.lock();
            return;
        }
        fresh->history = newest->history;
        fresh->newest_step = newest->step;
        fresh->checkpoints = newest->checkpoints;
        lock.lock();
        if (shown_ == shown) shown_ = std::move(fresh);
    }
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

void Viewer::post(Task task, bool patient) {
    const std::scoped_lock lock(mutex_);
    tasks_.push_back({std::move(task), patient});
    start_thread();
}

void Viewer::loop() {
    const FlushDenormals flush;
    if (gives_way_) lower_thread_priority();
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
    ViewFeed feed = feed_;
    const std::uint64_t branch = feed.branch, step = wanted_.value_or(0);
    const bool look = look_is_due();
    look_ = looks_;
    urgency_ = urgent_;
    Queued next;
    if (!look && !tasks_.empty()) {
        auto first = std::ranges::find(tasks_, false, &Queued::patient);
        if (first == tasks_.end()) first = tasks_.begin();
        next = std::move(*first);
        tasks_.erase(first);
    }
    const bool recalls = !look && !next.task;
    lock.unlock();
    if (branch != branch_) {
        replayer_.reset();
        if (options_.device != feed.device)
            tracer_.reset(), options_.device = feed.device, options_.precision = feed.precision;
        norms_.clear();
        past_ = {};
        branch_ = branch;
        if (feed.newest->generation != generation_) step_seconds_ = 0;
        generation_ = feed.newest->generation;
    }
    background_ = recalls || next.patient;
    deadline_ = since_ = 0;
    std::shared_ptr<const Snapshot> found;
    std::string error;
    bool interrupted = false;
    try {
        if (look)
            found = moment(feed, step);
        else if (next.task)
            next.task(feed);
        else
            recall(feed);
    } catch (const Interrupted&) {
        interrupted = true;
    } catch (const DeviceFailure& e) {
        interrupted = leave_device();
        if (!interrupted) error = e.what();
    } catch (const std::exception& e) {
        error = e.what();
    }
    since_ = 0;
    if (!interrupted) next.task = nullptr;  // its answer may call back
    feed = {};                              // what only it held may be large
    lock.lock();
    if (next.task) tasks_.push_front(std::move(next));
    if (recalls && !error.empty() && urgent_ == urgency_) {
        past_ = {};  // the lines begin where the text was entered
        recalled_ = nullptr;
    }
    if (!look || feed_.branch != branch || !wanted_) return;
    if (wanted_ == step) failed_ = std::move(error);
    if (!found) return;
    shown_ = std::move(found), shown_for_ = step, stale_ = false;  // also where another one is wanted by now: it moves
    refresh(lock);
}

bool Viewer::leave_device() {
    if (options_.device == "cpu") return false;
    options_.device = "cpu";
    options_.precision = "float32";
    replayer_.reset();
    tracer_.reset();
    return true;
}

Replayer& Viewer::at(const ViewFeed& feed, std::uint64_t step) {
    return go(feed, step, {});
}

Replayer& Viewer::at(const ViewFeed& feed, std::uint64_t from, std::uint64_t step, const OnBatch& tell) {
    go(feed, from, {});
    return go(feed, step, tell);
}

Replayer& Viewer::go(const ViewFeed& feed, std::uint64_t step, const OnBatch& tell) {
    if (!feed.timeline) throw Error("There is no model yet.");
    if (!replayer_) replayer_ = std::make_unique<Replayer>(options_, feed.corpus, memory_limit_);
    replayer_->know(feed.tip);
    from_ = to_ = now_ = 0;
    since_ = background_ ? 0 : nanoseconds();
    std::uint64_t steps = 0;
    std::int64_t first = 0;  // the time after the first batch
    bool late = false;
    const auto each = [&](const StepResult& batch) {
        const std::uint64_t at = replayer_->trainer().steps();
        if (tell) tell(replayer_->trainer(), batch);
        if (to_ == 0) from_ = at, to_ = step;
        now_ = at;
        const std::int64_t now = nanoseconds();
        if (steps == 0) first = now;
        const double seconds = double(now - first) * 1e-9;
        if (steps >= enough_steps || seconds > enough_seconds) step_seconds_ = seconds / double(steps);
        ++steps;
        late = deadline_ != 0 && now > deadline_;
        return !late && !stopping_ && looks_ == look_ && !(background_ && urgent_ != urgency_);
    };
    // Where batches are told of, none is jumped over.
    const bool arrived = tell ? replayer_->walk(*feed.timeline, step, each) : replayer_->go(*feed.timeline, step, each);
    since_ = 0;
    if (!arrived && late) throw OutOfTime{};
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
    }
    std::vector<float> weights;
    while (past_.steps.empty() || past_.steps.back() < last) {
        std::uint64_t step = first;
        if (!past_.steps.empty() && past_.interval < timeline.interval &&
            step_seconds_ * double(last - past_.steps.back()) > patience_) {
            past_.steps.erase(past_.steps.begin() + 1, past_.steps.end()), past_.weights.resize(width);
            past_.base = 0, past_.interval = timeline.interval;  // the checkpoints have to do
        }
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
    const Timeline& timeline = *feed.timeline;
    const ModelSpec& spec = timeline.start.model;
    const std::uint64_t first = timeline.first_step(), newest = feed.clamped(feed.newest->step);
    std::uint64_t spacing = 1;
    while ((newest - first) / spacing > most_norms) spacing *= 2;
    Checkpoint here;
    const auto measure = [&](std::uint64_t step) {
        if (norms_.contains(step)) return;
        const Checkpoint* c = timeline.before(step).get();
        if (c->step != step || c->values.empty()) at(feed, step).trainer().keep(here), c = &here;
        norms_[step] = root_mean_squares(spec, c->values);
    };
    std::set<std::uint64_t> steps;
    for (const auto& c : timeline.checkpoints) measure(c->step), steps.insert(c->step);
    // What takes too long is left out: the checkpoints have to do.
    const auto add = [&](const std::vector<std::uint64_t>& more) {
        try {
            for (const std::uint64_t step : more) {
                if (norms_.contains(step)) continue;
                if (step_seconds_ * double(more.back() - step) > patience_) return;
                measure(step);
            }
            steps.insert(more.begin(), more.end());
        } catch (const OutOfTime&) {
        }
    };
    std::vector<std::uint64_t> between;
    if (spacing < timeline.interval)
        for (std::uint64_t step = first; step < newest; step = (step / spacing + 1) * spacing) between.push_back(step);
    deadline_ = nanoseconds() + std::int64_t(patience_ * 1e9);
    add(between);
    add({newest});
    deadline_ = 0;
    NormCurves curves;
    curves.steps.assign(steps.begin(), steps.end());
    for (const NamedArray& p : canonical_parameters(spec)) curves.names.push_back(p.name);
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
    s.branch = newest.branch;
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
    s.device_id = newest.device_id;
    s.speeds = newest.speeds;
    s.notice = newest.notice;
    s.notices = newest.notices;
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
