#include "engine/session/replayer.h"

#include "engine/core/error.h"

#include <algorithm>

namespace moe {

namespace {

constexpr std::size_t most_passed = 64, passed_bytes = std::size_t(32) << 20;
constexpr std::uint64_t passed_spacing = 16;  // steps

}  // namespace

Replayer::Replayer(BackendOptions options, std::shared_ptr<const Corpus> corpus)
    : options_(std::move(options)), corpus_(std::move(corpus)) {}

Trainer& Replayer::trainer() {
    if (!trainer_) throw Error("There is no moment to look at yet.");
    return *trainer_;
}

void Replayer::build(const Experiment& settings) {
    probe_.reset();
    trainer_.reset();
    backend_ = make_backend(options_);
    trainer_ = std::make_unique<Trainer>(*backend_, settings, corpus_);
}

// A workspace is planned for one batch size: another one is the same moment in a new workspace.
void Replayer::use(const Experiment& settings) {
    const Experiment& mine = trainer_->experiment();
    if (mine.train.batch_size != settings.train.batch_size) {
        Checkpoint here;
        trainer_->keep(here);
        build(settings);
        trainer_->restore(here);
    }
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
    const std::size_t room = std::clamp<std::size_t>(passed_bytes / trainer_->checkpoint_size(), 1, most_passed);
    if (passed_.size() < room) {
        trainer_->keep(passed_.emplace_back());
        return;
    }
    trainer_->keep(passed_[next_passed_]);
    next_passed_ = (next_passed_ + 1) % room;
}

bool Replayer::go(const Timeline& timeline, std::uint64_t step, const std::function<bool(const StepResult&)>& each) {
    const Checkpoint& from = nearest(timeline, step);
    if (!trainer_ || trainer_->steps() > step || trainer_->steps() < from.step) {
        const Experiment settings = timeline.settings_at(from.step);
        if (!trainer_ || trainer_->experiment().train.batch_size != settings.train.batch_size) build(settings);
        trainer_->restore(from);
    }
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
