#include "app/models/inspection_feed.h"

#include <algorithm>

namespace moe::app {

namespace {

// While training runs: weights three times a second, traces (each replays what was trained meanwhile) every other
// second, and both rarer where they take longer.
constexpr qint64 state_pause = 330, trace_pause = 2000, state_share = 20, trace_share = 40;

}  // namespace

InspectionFeed::InspectionFeed(SessionController& session, QObject* parent) : QObject(parent), session_(session) {
    later_.setSingleShot(true);
    connect(&later_, &QTimer::timeout, this, &InspectionFeed::look);
    for (auto signal : {&SessionController::valuesChanged, &SessionController::structureChanged,
                        &SessionController::focusChanged, &SessionController::momentChanged})
        connect(&session_, signal, this, &InspectionFeed::look);
}

void InspectionFeed::want(const Wanted& wanted) {
    if (wanted == wanted_) return;
    wanted_ = wanted;
    look();
}

InspectionFeed::Moment InspectionFeed::present() const {
    const Snapshot& s = session_.snapshot();
    return {s.generation, s.branch, s.step, QString::fromStdString(s.probe.text), s.probe.focus, s.experiment};
}

InspectionFeed::Moment InspectionFeed::traced() const {
    Moment moment = present();
    moment.step = wanted_.step.value_or(moment.step);
    return moment;
}

bool InspectionFeed::running() const {
    return !session_.lookedAt() && session_.live().state == SessionState::running;
}

bool InspectionFeed::stale() const {
    const Moment now = present(), then = traced();
    const auto same_step = [&](const Moment& m) { return m.branch == now.branch && m.step == now.step; };
    const auto same_trace = [&](const Moment& m) { return m.branch == then.branch && m.step == then.step; };
    return (wanted_.weights && !(state_asked_ && same_step(state_of_))) ||
           (wanted_.phrase && !(phrase_.asked && phrase_.of == then)) ||
           (wanted_.batch && !(batch_.asked && same_trace(batch_.of) && batch_.of.settings == then.settings)) ||
           (wanted_.before && !(before_.asked && same_trace(before_.of))) ||
           (wanted_.norms && !(norms_.asked && same_step(norms_.of)));
}

void InspectionFeed::look() {
    const Snapshot& s = session_.snapshot();
    if (s.generation != generation_) {
        generation_ = s.generation;
        state_.reset();
        state_asked_ = false;
        phrase_ = batch_ = before_ = {};
        norms_ = {};
        state_error_.clear();
        Q_EMIT arrived();
    }
    if (!active() || asking_ || s.state == SessionState::empty || !stale()) return;
    askNext();
}

template <class T>
std::function<void(Answer<T>)> InspectionFeed::keeper(Kept<T> InspectionFeed::*kept, Moment moment) {
    return [this, kept, moment](Answer<T> answer) {
        if (moment.generation == generation_) {
            Kept<T>& k = this->*kept;
            k.error = answer.error;
            k.of = moment, k.value = answer.value, k.asked = true;
            k.took = question_.elapsed();
            k.since.start();
        }
        finished();
    };
}

void InspectionFeed::askNext() {
    const Moment now = present(), then = traced();
    const bool runs = running();
    const auto same_step = [&](const Moment& m) { return m.branch == now.branch && m.step == now.step; };
    const auto same_trace = [&](const Moment& m) { return m.branch == then.branch && m.step == then.step; };
    const auto wait = [&](const QElapsedTimer& since, qint64 pause) {
        return runs && since.isValid() ? std::max<qint64>(0, pause - since.elapsed()) : 0;
    };
    const qint64 state_wait = wait(since_state_, std::max(state_pause, state_share * state_took_));
    // Each kind of question has its own turn, so that none is starved by another.
    const auto trace_wait = [&](const auto& kept) {
        return wait(kept.since, std::max(trace_pause, trace_share * kept.took));
    };
    qint64 sleep = -1;
    const auto due = [&](bool wanted, qint64 pause) {
        if (wanted && pause > 0) sleep = sleep < 0 ? pause : std::min(sleep, pause);
        return wanted && pause == 0;
    };
    const auto start = [&] {
        asking_ = true;
        ++asked_;
        question_.start();
    };
    if (due(wanted_.weights && !(state_asked_ && same_step(state_of_)), state_wait)) {
        start();
        const auto keep = [this, now](std::shared_ptr<const RunState> state, const std::string& error) {
            state_took_ = question_.elapsed();
            since_state_.start();
            if (now.generation == generation_) {
                state_ = std::move(state);
                state_error_ = error;
                state_of_ = now;
                if (state_) state_of_.step = state_->step;
                state_asked_ = true;
            }
            finished();
        };
        // The present is copied between two steps; the past is replayed.
        if (session_.lookedAt())
            session_.stateAt(now.step, [keep](Answer<RunState> answer) { keep(answer.value, answer.error); });
        else
            session_.save([keep](SavedRun run) { keep(std::make_shared<const RunState>(std::move(run.state)), {}); },
                          [keep](const QString& error) { keep(nullptr, error.toStdString()); });
    } else if (due(wanted_.phrase && !(phrase_.asked && phrase_.of == then), trace_wait(phrase_))) {
        if (session_.snapshot().probe.prefix_words.empty()) {
            phrase_.of = then, phrase_.value.reset(), phrase_.error.clear(), phrase_.asked = true;
            Q_EMIT arrived();
            return look();
        }
        start();
        session_.tracePhrase(then.step, then.text, then.prefix, keeper(&InspectionFeed::phrase_, then));
    } else if (due(wanted_.batch && !(batch_.asked && same_trace(batch_.of) && batch_.of.settings == then.settings),
                   trace_wait(batch_))) {
        start();
        session_.trace(then.step, keeper(&InspectionFeed::batch_, then));
    } else if (due(wanted_.before && !(before_.asked && same_trace(before_.of)), trace_wait(before_))) {
        if (then.step == 0) {
            before_.of = then, before_.value.reset(), before_.error.clear(), before_.asked = true;
            Q_EMIT arrived();
            return look();
        }
        start();
        session_.trace(then.step - 1, keeper(&InspectionFeed::before_, then));
    } else if (due(wanted_.norms && !(norms_.asked && same_step(norms_.of)), trace_wait(norms_))) {
        start();
        session_.norms(keeper(&InspectionFeed::norms_, now));
    } else if (sleep >= 0 && !later_.isActive()) {
        later_.start(int(sleep) + 1);
    }
}

void InspectionFeed::finished() {
    asking_ = false;
    Q_EMIT arrived();
    look();
}

}  // namespace moe::app
