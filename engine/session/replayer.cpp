#include "engine/session/replayer.h"

#include "engine/core/checked.h"
#include "engine/core/settings.h"

#include <algorithm>

namespace moe {

namespace {

constexpr std::size_t most_passed = 64, passed_bytes = std::size_t(32) << 20;
constexpr std::uint64_t passed_spacing = 16;  // steps

/// How many moments of so many bytes are kept.
std::size_t room_for(std::size_t moment) {
    return std::clamp<std::size_t>(passed_bytes / moment, 1, most_passed);
}

/// This model beside the run's own, the moments kept here, the present one and the one that is answered with.
void check_memory(const Experiment& settings, std::size_t limit) {
    validate(settings, limit);
    const std::size_t moment = 3 * sizeof(float) * parameter_count(settings.model);
    constexpr const char* what = "A second model";
    const std::size_t bytes = checked_sum(what, {checked_product(what, {2, required_bytes(settings)}),
                                                 checked_product(what, {moment, room_for(moment) + 2})});
    if (bytes > limit)
        throw Error("The past takes a second model: with the one in training " + format_bytes(bytes) + ", and " +
                    format_bytes(limit) + " is the limit on this machine; only smaller models can be looked back on.");
}

}  // namespace

Replayer::Replayer(BackendOptions options, std::shared_ptr<const Corpus> corpus, std::size_t memory_limit)
    : options_(std::move(options)), corpus_(std::move(corpus)), memory_limit_(memory_limit) {}

Trainer& Replayer::trainer() {
    if (!trainer_) throw Error("There is no moment to look at yet.");
    return *trainer_;
}

void Replayer::build(const Experiment& settings) {
    check_memory(settings, memory_limit_);
    probe_.reset();
    trainer_.reset();
    backend_ = make_backend(options_);
    trainer_ = std::make_unique<Trainer>(*backend_, settings, corpus_);
}

// A workspace is planned for one batch size: another one is the same moment in a new workspace.
void Replayer::use(const Experiment& settings) {
    if (trainer_->experiment().train.batch_size != settings.train.batch_size) {
        Checkpoint here;
        trainer_->keep(here);
        build(settings);
        trainer_->restore(here);
    }
    const Experiment& mine = trainer_->experiment();
    if (mine.train.learning_rate != settings.train.learning_rate)
        trainer_->set_learning_rate(settings.train.learning_rate);
    if (mine.model.balance_loss != settings.model.balance_loss) trainer_->set_balance_loss(settings.model.balance_loss);
}

const Checkpoint& Replayer::nearest(const Timeline& timeline, std::uint64_t step) const {
    const Checkpoint* best = timeline.before(step).get();
    for (const Checkpoint& c : passed_)
        if (c.step <= step && c.step > best->step) best = &c;
    if (known_ && known_->step <= step && known_->step > best->step) best = known_.get();
    return *best;
}

void Replayer::remember(std::uint64_t step) {
    if (step % passed_spacing != 0) return;
    for (const Checkpoint& c : passed_)
        if (c.step == step) return;
    Checkpoint moment;
    if (passed_.size() >= room_for(trainer_->checkpoint_size())) {
        moment = std::move(passed_.front());  // its room is used again
        passed_.pop_front();
    }
    trainer_->keep(moment);  // where it throws, nothing half made is kept
    passed_.push_back(std::move(moment));
}

bool Replayer::go(const Timeline& timeline, std::uint64_t step, const OnReplayed& each) {
    const Checkpoint& from = nearest(timeline, step);
    if (!trainer_ || trainer_->steps() > step || trainer_->steps() < from.step) {
        const Experiment settings = timeline.settings_at(from.step);
        if (!trainer_ || trainer_->experiment().train.batch_size != settings.train.batch_size) build(settings);
        trainer_->restore(from);
    }
    return walk(timeline, step, each);
}

bool Replayer::walk(const Timeline& timeline, std::uint64_t step, const OnReplayed& each) {
    // Commands of a step are in force before its batch; one that came since this model got here, too.
    use(timeline.settings_at(trainer_->steps()));
    auto next = std::upper_bound(timeline.log.begin(), timeline.log.end(), trainer_->steps(),
                                 [](std::uint64_t s, const TimedCommand& c) { return s < c.step; });
    while (trainer_->steps() < step) {
        const StepResult batch = trainer_->step();
        if (next != timeline.log.end() && next->step <= trainer_->steps()) {
            use(timeline.settings_at(trainer_->steps()));
            while (next != timeline.log.end() && next->step <= trainer_->steps()) ++next;
        }
        remember(trainer_->steps());
        if (!each(batch)) return false;
    }
    return true;
}

Probe& Replayer::probe(const std::string& text) {
    Trainer& trainer = this->trainer();
    if (!probe_)
        probe_ =
            std::make_unique<Probe>(*backend_, trainer.parameters(), trainer.experiment().model, corpus_->tokenizer());
    if (probe_->text() != text) probe_->set_text(text);
    return *probe_;
}

}  // namespace moe
