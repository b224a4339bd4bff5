#include "app/shell/lesson_guide.h"

#include "app/shell/workbench.h"

#include <algorithm>

namespace moe::app {

LessonGuide::LessonGuide(Workbench& bench, QObject* parent) : QObject(parent), bench_(bench) {}

void LessonGuide::enter(const LessonStep& step) {
    SessionController& session = bench_.session();
    if (!step.phrase.isEmpty() && step.phrase != session.probeText())
        bench_.setProbeQuietly(step.phrase, std::size_t(std::max(0, step.focus)));
    else if (step.focus >= 0)
        session.setFocusedPrefix(std::size_t(step.focus));
    Q_EMIT lookAsked(step.look);
}

void LessonGuide::carryOut(const LessonAction& action) {
    SessionController& session = bench_.session();
    switch (action.kind) {
        case LessonAction::Kind::play:
            Q_EMIT playAsked();  // while it plays the button says "Pause"
            break;
        case LessonAction::Kind::pause:
            session.pause();
            break;
        case LessonAction::Kind::batch:
            bench_.train([&session] { session.runSteps(1); });
            break;
        case LessonAction::Kind::epochs:
            bench_.train([&session, n = std::uint64_t(action.number)] {
                const Snapshot& s = session.live();
                if (s.epoch + n > s.target_epochs)
                    session.trainOn(n);  // beyond what was planned
                else
                    session.runEpochs(n);
            });
            break;
        case LessonAction::Kind::reset:
            bench_.reset();
            break;
        case LessonAction::Kind::set:
            bench_.applySettings(action.settings);
            break;
        case LessonAction::Kind::probe:
            session.setProbe(action.text, max_sequence_length - 1);  // the whole phrase
            break;
        case LessonAction::Kind::measure:
            Q_EMIT measureAsked();
            break;
        case LessonAction::Kind::speed:
            Q_EMIT speedAsked(action.number);
            session.setSpeed(action.number);
            break;
    }
}

}  // namespace moe::app
