#include "app/shell/stepping_control.h"

#include "app/models/text_format.h"
#include "app/shell/dock_area.h"
#include "app/shell/left_column.h"
#include "app/shell/stepping_list.h"
#include "app/shell/stepping_page.h"
#include "app/shell/window_actions.h"
#include "app/shell/workbench.h"

#include <QLayout>
#include <QLineEdit>
#include <QSignalBlocker>
#include <QStackedWidget>

namespace moe::app {

SteppingControl::SteppingControl(Workbench& bench, WindowActions& actions, QWidget* parent)
    : QObject(parent), bench_(bench), session_(bench.session()), actions_(actions), stepper_(session_) {
    SessionController& session = session_;
    page_ = new SteppingPage(session, stepper_, parent);
    list_ = new SteppingList(stepper_, parent);
    list_->hide();
    connect(actions.operation, &QAction::triggered, &stepper_, &Stepper::nextOperation);
    connect(actions.operationBack, &QAction::triggered, &stepper_, &Stepper::previousOperation);
    connect(actions.batch, &QAction::triggered, this, &SteppingControl::trainBatch);
    connect(actions.batchBack, &QAction::triggered, &stepper_, &Stepper::previousBatch);
    connect(actions.epoch, &QAction::triggered, this, &SteppingControl::trainEpoch);
    connect(actions.epochBack, &QAction::triggered, &stepper_, &Stepper::previousEpoch);
    connect(actions.replay, &QAction::triggered, &stepper_, &Stepper::replay);
    connect(actions.stepThrough, &QAction::toggled, &stepper_, [this](bool on) {
        if (on)
            stepper_.enter();
        else
            stepper_.leave();
        // Nothing is open yet: the button stays as it was.
        if (actions_.stepThrough->isChecked() != stepper_.active()) actions_.stepThrough->setChecked(stepper_.active());
    });
    connect(actions.reducedMotion, &QAction::toggled, page_, &SteppingPage::setReducedMotion);
    page_->setReducedMotion(actions.reducedMotion->isChecked());
    connect(&stepper_, &Stepper::activeChanged, this, &SteppingControl::swap);
    connect(&stepper_, &Stepper::changed, this, &SteppingControl::refresh);
    // Another lesson or file is opened to be seen.
    connect(&bench, &Workbench::identityChanged, this, [this] {
        if (stepper_.active() && (bench_.identity().lesson != lesson_ || bench_.identity().name != name_)) leave();
    });
    connect(actions.goToStep, &QAction::triggered, this, [this] {
        auto* field = page_->findChild<QLineEdit*>(QStringLiteral("step_edit"));
        if (!stepper_.active() || !field || !field->isVisible()) return;
        field->setFocus();
        field->selectAll();
    });
    for (const auto signal :
         {&SessionController::liveChanged, &SessionController::momentChanged, &SessionController::valuesChanged})
        connect(&session, signal, this, &SteppingControl::refresh);
    refresh();
}

QWidget* SteppingControl::place(LeftColumn* column, DockArea* docks) {
    column_ = column;
    docks_ = docks;
    stack_ = new QStackedWidget(docks->parentWidget());
    stack_->addWidget(docks);
    stack_->addWidget(page_);
    return stack_;
}

void SteppingControl::leave() {
    single_batches_ = false;
    stepper_.leave();
}

void SteppingControl::takeKeys() {
    page_->setFocus();
}

void SteppingControl::trainBatch() {
    if (stepper_.active()) return stepper_.nextBatch();
    // Single batches add up; an epoch or a run under way is not broken off by one.
    if (session_.live().state == SessionState::running && !single_batches_) return;
    single_batches_ = true;
    bench_.train([this] { session_.runSteps(1); });
}

void SteppingControl::trainEpoch() {
    if (stepper_.active()) return stepper_.nextEpoch();
    single_batches_ = false;
    bench_.train([this] { session_.runEpochs(1); });
}

void SteppingControl::setTheme(const Theme& theme) {
    list_->setTheme(theme);
    page_->setTheme(theme);
}

void SteppingControl::swap(bool stepping) {
    {
        const QSignalBlocker quiet(actions_.stepThrough);
        actions_.stepThrough->setChecked(stepping);
    }
    Q_EMIT actions_.stepThrough->changed();
    // Space belongs to what is looked at: the beat here, the run there.
    actions_.play->setShortcut(stepping ? QKeySequence() : QKeySequence(Qt::Key_Space));
    actions_.replay->setEnabled(stepping);
    lesson_ = bench_.identity().lesson, name_ = bench_.identity().name;
    const QString leaves = tr("Leave stepping and train");
    if (stepping) {
        play_text_ = actions_.play->text();
        actions_.play->setText(leaves);
    } else if (actions_.play->text() == leaves) {
        actions_.play->setText(play_text_);
    }
    // Hidden first, then shown: never both, or the docks would be squeezed for a moment and stay so.
    if (stepping) arrangement_ = docks_->saveState();
    (stepping ? static_cast<QWidget*>(column_) : list_)->hide();
    (stepping ? static_cast<QWidget*>(list_) : column_)->show();
    for (QWidget* w = stack_->parentWidget(); w && w != w->window(); w = w->parentWidget())
        if (w->layout()) w->layout()->activate();
    stack_->setCurrentWidget(stepping ? static_cast<QWidget*>(page_) : docks_);
    if (!stepping && docks_->isRearranged()) docks_->restoreState(arrangement_);
    if (stepping) {
        page_->setFocus();
        page_->refresh();
    } else if (DockFrame* stage = docks_->stage()) {
        stage->view()->setFocus();
    }
    refresh();
}

QString SteppingControl::state() const {
    if (const auto progress = session_.replayProgress())
        return tr("Going to step %1: %2").arg(countText(session_.lookedAt().value_or(0)), percentText(*progress));
    if (!stepper_.problem().isEmpty()) return {};
    if (stepper_.trainsEpoch()) return tr("Training the epoch: step %1").arg(countText(session_.live().step));
    // There is no batch after this one: the last operation leads nowhere, nor do the keys for a batch and an epoch.
    if (stepper_.atEnd() || (session_.live().state == SessionState::finished && !session_.lookedAt()))
        return tr("The run is finished: train more epochs to go on.");
    if (session_.lookedAt()) return tr("In the past: the run is at step %1.").arg(countText(session_.live().step));
    return {};
}

void SteppingControl::refresh() {
    const Snapshot& live = session_.live();
    const bool any = live.state != SessionState::empty;
    const bool forward = any && (session_.lookedAt() || live.state != SessionState::finished);
    const bool back = any && session_.lookedAt().value_or(live.step) > 0;
    actions_.stepThrough->setEnabled(any);
    actions_.operation->setEnabled(any && !stepper_.atEnd());
    actions_.operationBack->setEnabled(any && (stepper_.active() ? !stepper_.atStart() : true));
    for (QAction* a : {actions_.batch, actions_.epoch}) a->setEnabled(forward);
    for (QAction* a : {actions_.batchBack, actions_.epochBack}) a->setEnabled(back);
    if (stepper_.active()) list_->refresh(state());
}

}  // namespace moe::app
