#include "engine/session/timeline.h"

#include "engine/core/settings.h"

#include <algorithm>

namespace moe {

namespace {

constexpr const char *rate_key = "learning_rate", *batch_key = "batch_size", *balance_key = "balance_loss",
                     *target_key = "epochs";

std::uint64_t whole(double value) {
    constexpr double end = 18446744073709551616.0;  // 2^64
    return value >= end ? ~std::uint64_t(0) : value > 0 ? std::uint64_t(value) : 0;
}

void apply(const TimedCommand& command, Experiment& settings) {
    if (command.key == rate_key) settings.train.learning_rate = command.value;
    if (command.key == batch_key) settings.train.batch_size = std::max<std::size_t>(whole(command.value), 1);
    if (command.key == balance_key) settings.model.balance_loss = command.value;
}

}  // namespace

const std::shared_ptr<const Checkpoint>& Timeline::before(std::uint64_t step) const {
    const auto after = std::upper_bound(checkpoints.begin(), checkpoints.end(), step,
                                        [](std::uint64_t s, const auto& c) { return s < c->step; });
    return after == checkpoints.begin() ? *after : *(after - 1);
}

Experiment Timeline::settings_at(std::uint64_t step) const {
    Experiment settings = start;
    for (const TimedCommand& command : log)
        if (command.step <= step) apply(command, settings);
    return settings;
}

std::uint64_t Timeline::target_at(std::uint64_t step) const {
    std::uint64_t target = start_target;
    for (const TimedCommand& command : log)
        if (command.step <= step && command.key == target_key) target = whole(command.value);
    return target;
}

bool Timeline::leads_to(const Experiment& settings, std::uint64_t step) const {
    if (checkpoints.empty()) return false;
    Experiment mine = start;
    mine.train = settings.train;
    mine.train.seed = start.train.seed, mine.train.shuffle = start.train.shuffle;
    mine.model.balance_loss = settings.model.balance_loss;
    if (mine != settings) return false;
    const std::size_t numbers = 3 * parameter_count(start.model);
    std::uint64_t before = 0;
    for (const auto& c : checkpoints) {
        if (!c || c->step > step || c->step < before || (c != checkpoints.front() && c->step == before)) return false;
        if (c->values.size() != numbers && !(c->values.empty() && c->step == 0)) return false;
        before = c->step;
    }
    return std::ranges::is_sorted(log, {}, &TimedCommand::step) && (log.empty() || log.back().step <= step);
}

std::size_t checkpoint_bytes(const Checkpoint& c) {
    return sizeof(Checkpoint) + c.values.size() * sizeof(float) + c.load_sums.size() * sizeof(double) +
           c.load.size() * sizeof(float);
}

std::uint64_t TimelineBuilder::closest(const ModelSpec& model) {
    constexpr std::size_t small = std::size_t(1) << 18;  // parameters: their copy is dear beside their short step
    return parameter_count(model) < small ? 1024 : 512;
}

void TimelineBuilder::start(const Experiment& settings, std::uint64_t target, std::shared_ptr<const Checkpoint> first) {
    timeline_ = {};
    timeline_.start = settings_ = settings;
    timeline_.start_target = target_ = target;
    timeline_.interval = closest(settings.model);
    bytes_ = checkpoint_bytes(*first);
    timeline_.checkpoints.push_back(std::move(first));
    shared_.reset();
    plan();
}

void TimelineBuilder::resume(const Timeline& timeline) {
    timeline_ = timeline;
    // A file may bring another spacing; twice the present one must stay one of its kind.
    std::uint64_t interval = closest(timeline_.start.model);
    while (interval < timeline_.interval && interval < (std::uint64_t(1) << 62)) interval *= 2;
    timeline_.interval = interval;
    shared_.reset();
    constexpr std::uint64_t now = ~std::uint64_t(0);
    settings_ = timeline_.settings_at(now);
    target_ = timeline_.target_at(now);
    bytes_ = 0;
    for (const auto& c : timeline_.checkpoints) bytes_ += checkpoint_bytes(*c);
    fit(0);
    plan();
}

void TimelineBuilder::note(std::uint64_t step, const Experiment& settings, std::uint64_t target) {
    const auto log = [&](const char* key, double before, double now) {
        if (before == now) return;
        shared_.reset();
        // A slider that moves between two steps leaves its last place.
        std::erase_if(timeline_.log, [&](const TimedCommand& c) { return c.step == step && c.key == key; });
        timeline_.log.push_back({step, key, now});
    };
    log(rate_key, settings_.train.learning_rate, settings.train.learning_rate);
    log(batch_key, double(settings_.train.batch_size), double(settings.train.batch_size));
    log(balance_key, settings_.model.balance_loss, settings.model.balance_loss);
    log(target_key, double(target_), double(target));
    settings_ = settings;
    target_ = target;
}

void TimelineBuilder::add(std::shared_ptr<const Checkpoint> checkpoint) {
    shared_.reset();
    const std::size_t bytes = checkpoint_bytes(*checkpoint);
    fit(bytes);
    if (checkpoint->step % timeline_.interval == 0 && bytes_ + bytes <= budget_) {
        bytes_ += bytes;
        timeline_.checkpoints.push_back(std::move(checkpoint));
    }
    plan();
}

// Every second one goes until there is room; where only the first is left, it stays.
void TimelineBuilder::fit(std::size_t room) {
    std::vector<std::shared_ptr<const Checkpoint>>& all = timeline_.checkpoints;
    while (bytes_ + room > budget_ && all.size() > 1) {
        shared_.reset();
        timeline_.interval *= 2;
        const auto dropped = std::stable_partition(
            all.begin() + 1, all.end(),
            [&](const std::shared_ptr<const Checkpoint>& c) { return c->step % timeline_.interval == 0; });
        for (auto c = dropped; c != all.end(); ++c) bytes_ -= checkpoint_bytes(**c);
        all.erase(dropped, all.end());
    }
}

void TimelineBuilder::plan() {
    next_ = (timeline_.checkpoints.back()->step / timeline_.interval + 1) * timeline_.interval;
}

void TimelineBuilder::rewind(std::uint64_t step) {
    shared_.reset();
    std::vector<std::shared_ptr<const Checkpoint>>& all = timeline_.checkpoints;
    while (all.size() > 1 && all.back()->step > step) {
        bytes_ -= checkpoint_bytes(*all.back());
        all.pop_back();
    }
    std::erase_if(timeline_.log, [&](const TimedCommand& c) { return c.step > step; });
    settings_ = timeline_.settings_at(step);
    target_ = timeline_.target_at(step);
    plan();
}

void TimelineBuilder::set_budget(std::size_t bytes) {
    budget_ = bytes;
    if (timeline_.checkpoints.empty()) return;  // not begun
    fit(0);
    plan();
}

CheckpointUse TimelineBuilder::use() const {
    return {timeline_.checkpoints.size(), bytes_, budget_, timeline_.interval, first_step()};
}

std::shared_ptr<const Timeline> TimelineBuilder::share() {
    if (!shared_) shared_ = std::make_shared<const Timeline>(timeline_);
    return shared_;
}

}  // namespace moe
