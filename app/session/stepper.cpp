#include "app/session/stepper.h"

#include <algorithm>

namespace moe::app {

Stepper::Stepper(SessionController& session, QObject* parent) : QObject(parent), session_(session) {
    for (const auto signal : {&SessionController::liveChanged, &SessionController::momentChanged,
                              &SessionController::structureChanged, &SessionController::valuesChanged})
        connect(&session_, signal, this, &Stepper::follow);
}

std::uint64_t Stepper::present() const {
    return session_.lookedAt().value_or(session_.live().step);
}

bool Stepper::finished() const {
    return !session_.lookedAt() && session_.live().state == SessionState::finished;
}

bool Stepper::sameRun() const {
    if (!trace_ || branch_ != session_.live().branch || trace_->step != present()) return false;
    // In the past the moment's own settings count; at the present a slider may have been moved.
    return session_.lookedAt() || trace_->experiment == session_.live().experiment;
}

bool Stepper::atEnd() const {
    return active_ && trace_ && finished() && operation_ + 1 == trace_->ops.size();
}

bool Stepper::atStart() const {
    return active_ && trace_ && trace_->step <= session_.firstStep() && operation_ == 0;
}

void Stepper::takeWords() {
    const std::shared_ptr<const Corpus> corpus = session_.corpus();
    if (corpus == corpus_ && !words_->empty()) return;
    corpus_ = corpus;
    auto words = std::make_shared<std::vector<QString>>();
    words->push_back(tr("(padding)"));
    if (corpus)
        for (std::size_t id = 1; id < corpus->tokenizer().vocabulary(); ++id)
            words->push_back(QString::fromStdString(std::string(corpus->tokenizer().word(std::int32_t(id)))));
    words_ = std::move(words);
}

void Stepper::enter() {
    if (active_ || session_.live().state == SessionState::empty) return;
    active_ = true;
    problem_.clear();
    const bool same = sameRun();
    want();
    if (session_.live().state == SessionState::running) {
        session_.pause();
        pausing_ = true;  // the trace is asked for when training rests
    }
    land_ = Land::first;
    Q_EMIT activeChanged(true);
    if (same)
        Q_EMIT changed();
    else if (!pausing_)
        ask(Land::first);
    if (same) Q_EMIT beatAsked();
}

void Stepper::leave() {
    if (!active_) return;
    active_ = pausing_ = training_ = asked_ = false;
    ++question_;
    Q_EMIT activeChanged(false);
}

void Stepper::want() {
    wanted_ = present();
    wanted_experiment_ = session_.live().experiment;
    wanted_branch_ = session_.live().branch;
}

void Stepper::ask(Land land) {
    want();
    land_ = land;
    asked_ = true;
    const std::uint64_t question = ++question_, generation = session_.live().generation, branch = wanted_branch_;
    session_.trace(wanted_, [this, question, generation, branch](Answer<Trace> answer) {
        if (question != question_) return;
        asked_ = false;
        if (!answer.value) {
            problem_ = QString::fromStdString(answer.error);
            Q_EMIT changed();
            return;
        }
        problem_.clear();
        takeWords();
        const std::string before =
            trace_ && operation_ < trace_->ops.size() ? trace_->ops[operation_].id : std::string();
        const bool another = generation != generation_;
        generation_ = generation, branch_ = branch;
        trace_ = answer.value;
        const std::size_t last = trace_->ops.empty() ? 0 : trace_->ops.size() - 1;
        const auto same = std::ranges::find(trace_->ops, before, &TraceOp::id);
        operation_ = land_ == Land::last                                ? last
                     : land_ == Land::same && same != trace_->ops.end() ? std::size_t(same - trace_->ops.begin())
                                                                        : 0;
        if (another || example_ >= trace_->examples) example_ = 0;
        Q_EMIT changed();
        Q_EMIT beatAsked();
    });
    Q_EMIT changed();
}

void Stepper::go(std::uint64_t step, Land land) {
    const std::uint64_t newest = session_.live().step;
    wanted_ = std::min(step, newest);
    if (active_) land_ = land, asked_ = true;  // follow() must not ask for the moment by itself
    if (step >= newest)
        session_.lookAtNow();
    else
        session_.lookAt(step);
    if (active_) ask(land);
}

void Stepper::train(bool epoch, Land land) {
    training_ = true;
    epoch_ = epoch;
    trained_from_ = session_.live().step, trained_branch_ = session_.live().branch;
    land_ = land;
    if (epoch)
        session_.runEpochs(1);
    else
        session_.runSteps(1);
    Q_EMIT changed();
}

// What happens to the run while stepping: what was asked for is done, somebody dragged the time strip, another model.
void Stepper::follow() {
    if (!active_) return;
    const Snapshot& live = session_.live();
    if (pausing_) {
        if (live.state == SessionState::running) return;
        pausing_ = false;
        ask(Land::first);
        return;
    }
    if (training_) {
        if (live.state == SessionState::failed) {
            training_ = false;
            problem_ = QString::fromStdString(live.message);
            want();  // the state before is not asked for: the sentence stays
            Q_EMIT changed();
        } else if (live.branch != trained_branch_) {  // reset, undone or another model: what was trained is gone
            training_ = false;
            ask(Land::first);
        } else if (live.state != SessionState::running && live.step > trained_from_) {
            training_ = false;
            ask(land_);
        }
        return;
    }
    if (live.state == SessionState::empty) return leave();
    if (live.state == SessionState::running && !session_.lookedAt()) return leave();  // somebody else trains
    // After a refusal: not again until something has changed.
    const bool other = wanted_ != present() || (!session_.lookedAt() && wanted_experiment_ != live.experiment) ||
                       wanted_branch_ != live.branch;
    if (other || (!asked_ && problem_.isEmpty() && !sameRun())) ask(Land::same);
}

void Stepper::nextOperation() {
    if (!active_) return enter();
    if (waiting() || !trace_) return;
    if (operation_ + 1 < trace_->ops.size()) return setOperation(operation_ + 1);
    if (session_.lookedAt())
        go(trace_->step + 1, Land::first);
    else if (!finished())
        train(false, Land::first);
}

void Stepper::previousOperation() {
    if (!active_) {
        const bool back = sameRun();
        enter();
        // Nothing was left here: back is the end of the batch before.
        if (active_ && !back && !pausing_ && present() > 0) go(present() - 1, Land::last);
        return;
    }
    if (waiting() || !trace_) return;
    if (operation_ > 0) return setOperation(operation_ - 1);
    if (trace_->step > session_.firstStep()) go(trace_->step - 1, Land::last);
}

void Stepper::nextBatch() {
    if (!active_ || waiting()) return;
    if (session_.lookedAt())
        go(present() + 1, Land::same);
    else if (!finished())
        train(false, Land::same);
}

void Stepper::previousBatch() {
    if ((active_ && waiting()) || present() <= session_.firstStep()) return;
    go(present() - 1, Land::same);
}

void Stepper::nextEpoch() {
    if (!active_ || waiting()) return;
    const std::uint64_t steps = std::max<std::uint64_t>(1, session_.snapshot().steps_per_epoch);
    if (session_.lookedAt())
        go(present() + steps, Land::same);
    else if (!finished())
        train(true, Land::same);
}

void Stepper::previousEpoch() {
    if ((active_ && waiting()) || present() <= session_.firstStep()) return;
    const std::uint64_t steps = std::max<std::uint64_t>(1, session_.snapshot().steps_per_epoch);
    go(present() - std::min(present() - session_.firstStep(), steps), Land::same);
}

void Stepper::setOperation(std::size_t operation) {
    if (!trace_ || operation >= trace_->ops.size()) return;
    operation_ = operation;
    if (!problem_.isEmpty()) {  // back from the sentence to the batch; a refusal is said again
        problem_.clear();
        if (active_ && !waiting() && !sameRun()) return ask(Land::same);
    }
    Q_EMIT changed();
    Q_EMIT beatAsked();
}

void Stepper::setExample(std::size_t example) {
    if (!trace_ || example >= trace_->examples || example == example_) return;
    example_ = example;
    Q_EMIT changed();
}

}  // namespace moe::app
