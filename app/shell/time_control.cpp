#include "app/shell/time_control.h"

#include "app/models/tabular_text.h"
#include "app/models/text_format.h"
#include "app/shell/dock_area.h"
#include "app/shell/notice.h"
#include "app/shell/window_actions.h"
#include "app/shell/workbench.h"

#include <QCheckBox>
#include <QEvent>
#include <QInputDialog>
#include <QLineEdit>
#include <QPainter>
#include <QPushButton>

#include <algorithm>
#include <cmath>

namespace moe::app {

namespace {

constexpr double text_size = 11.5, side_room = 12, mark_height = 24;

}  // namespace

PastMark::PastMark(QWidget* parent) : QAbstractButton(parent) {
    setObjectName(QStringLiteral("past_mark"));
    setCursor(Qt::PointingHandCursor);
    setFocusPolicy(Qt::TabFocus);
    setToolTip(tr("The past is shown. Click here or press N to see the newest step again."));
    hide();
}

void PastMark::setTheme(const Theme& theme) {
    theme_ = theme;
    update();
}

void PastMark::showMoment(const QString& text, std::optional<double> progress) {
    progress_ = progress;
    setText(text);
    setAccessibleName(text);
    update();
}

QSize PastMark::sizeHint() const {
    const double words = tabularWidth(theme_.font(text_size, QFont::DemiBold), text());
    return {int(std::ceil(words + 2 * theme_.px(side_room))), int(std::ceil(theme_.px(mark_height)))};
}

void PastMark::paintEvent(QPaintEvent*) {
    QPainter painter(this);
    painter.setRenderHints(QPainter::Antialiasing | QPainter::TextAntialiasing);
    const QRectF whole = QRectF(rect()).adjusted(0.5, 0.5, -0.5, -0.5);
    const double radius = whole.height() / 2;
    const QColor back = underMouse() || hasFocus() ? Theme::mix(theme_.ink, theme_.muted, 0.35) : theme_.ink;
    painter.setPen(QPen(theme_.page, theme_.px(2)));
    painter.setBrush(back);
    painter.drawRoundedRect(whole, radius, radius);
    painter.setPen(theme_.textOn(back));
    painter.setFont(theme_.font(text_size, QFont::DemiBold));
    drawTabular(painter, whole, Qt::AlignHCenter | Qt::AlignVCenter, text());
    if (!progress_) return;
    const QRectF track(whole.left() + radius, whole.bottom() - theme_.px(4), whole.width() - 2 * radius, theme_.px(2));
    painter.fillRect(track, Theme::mix(back, theme_.panel, 0.3));
    painter.fillRect(QRectF(track.topLeft(), QSizeF(track.width() * std::clamp(*progress_, 0.0, 1.0), track.height())),
                     theme_.panel);
}

TimeControl::TimeControl(Workbench& bench, DockArea& docks, Notice& notice, const WindowActions& actions,
                         QWidget* window)
    : QObject(window),
      bench_(bench),
      docks_(docks),
      notice_(notice),
      actions_(actions),
      window_(window),
      mark_(new PastMark(&docks)) {
    SessionController& session = bench_.session();
    connect(mark_, &QAbstractButton::clicked, &session, &SessionController::lookAtNow);
    connect(&session, &SessionController::momentChanged, this, &TimeControl::showMoment);
    connect(&session, &SessionController::liveChanged, this, &TimeControl::showMoment);
    connect(actions_.backToNow, &QAction::triggered, &session, &SessionController::lookAtNow);
    connect(actions_.goToStep, &QAction::triggered, this, &TimeControl::typeStep);
    connect(&bench_, &Workbench::pastTrainingAsked, this, &TimeControl::ask);
    if (docks_.stage()) docks_.stage()->installEventFilter(this);
    showMoment();
}

void TimeControl::setTheme(const Theme& theme) {
    mark_->setTheme(theme);
    place();
}

void TimeControl::showMoment() {
    const SessionController& session = bench_.session();
    const std::optional<std::uint64_t> step = session.lookedAt();
    actions_.backToNow->setEnabled(step.has_value());
    if (!step) return mark_->hide();
    const QString moment = tr("step %1 of %2").arg(countText(*step), countText(session.live().step));
    const auto progress = session.replayProgress();
    mark_->showMoment(
        progress ? tr("Replaying %1 · back to now").arg(moment) : tr("The past: %1 · back to now").arg(moment),
        progress);
    place();
    mark_->show();
    mark_->raise();
}

void TimeControl::place() {
    const DockFrame* stage = docks_.stage();
    if (!stage) return;
    const QSize size = mark_->sizeHint();
    const int top = stage->y() - size.height() / 2 - 1;
    mark_->setGeometry(stage->x() + (stage->width() - size.width()) / 2, std::max(0, top), size.width(), size.height());
}

bool TimeControl::eventFilter(QObject* watched, QEvent* event) {
    if (event->type() == QEvent::Move || event->type() == QEvent::Resize) place();
    return QObject::eventFilter(watched, event);
}

void TimeControl::typeStep() {
    if (auto* field = docks_.findChild<QLineEdit*>(QStringLiteral("step_edit")); field && field->isVisible()) {
        field->setFocus();
        field->selectAll();
        return;
    }
    // Where the strip has no room, or stands behind another page.
    const auto fields = window_->findChildren<QLineEdit*>(QStringLiteral("step_edit"));
    if (std::any_of(fields.begin(), fields.end(), [](const QLineEdit* f) { return f->isVisible(); })) return;
    SessionController& session = bench_.session();
    const std::uint64_t newest = session.live().step;
    auto* box = new QInputDialog(window_);
    box->setObjectName(QStringLiteral("step"));
    box->setAttribute(Qt::WA_DeleteOnClose);
    box->setWindowTitle(tr("Look at a step"));
    box->setLabelText(tr("Step, from %1 to %2:").arg(countText(session.firstStep()), countText(newest)));
    box->setTextValue(QString::number(session.lookedAt().value_or(newest)));
    connect(box, &QInputDialog::textValueSelected, this, [this, newest](const QString& text) {
        bool number = false;
        const std::uint64_t step = QString(text).remove(u',').trimmed().toULongLong(&number);
        if (!number)
            notice_.tell(Notice::Kind::refused,
                         tr("“%1” is no step; type a whole number from %2 to %3.")
                             .arg(text, countText(bench_.session().firstStep()), countText(newest)));
        else if (step >= newest)
            bench_.session().lookAtNow();
        else
            bench_.session().lookAt(step);
    });
    box->open();
}

void TimeControl::ask(std::uint64_t step, const std::function<void()>& command) {
    if (!asks_) return trainOn(step, command);
    if (question_) question_->close();
    const std::uint64_t newest = bench_.session().live().step, later = newest - std::min(newest, step);
    auto* box = new QMessageBox(window_);
    box->setObjectName(QStringLiteral("train_on"));
    box->setAttribute(Qt::WA_DeleteOnClose);
    box->setWindowTitle(tr("Train on from the past"));
    box->setTextFormat(Qt::PlainText);
    box->setText(tr("Train on from step %1?").arg(countText(step)));
    box->setInformativeText(
        later == 1 ? tr("What came after, 1 step, is replaced; undo brings it back.")
                   : tr("What came after, %1 steps, is replaced; undo brings it back.").arg(countText(later)));
    auto* silent = new QCheckBox(tr("Do not ask again until the window is closed"), box);
    box->setCheckBox(silent);
    QPushButton* from_here = box->addButton(tr("Train on from step %1").arg(countText(step)), QMessageBox::AcceptRole);
    // A run that has ended has no next batch: there it goes on from the past or not at all.
    const SessionState state = bench_.session().live().state;
    QPushButton* from_now = state == SessionState::finished || state == SessionState::failed
                                ? nullptr
                                : box->addButton(tr("Train on from now"), QMessageBox::ActionRole);
    box->addButton(QMessageBox::Cancel);
    box->setDefaultButton(from_here);
    connect(box, &QMessageBox::buttonClicked, this,
            [this, box, from_here, from_now, silent, step, command](QAbstractButton* pressed) {
                box->hide();
                if (pressed == from_here) {
                    asks_ = !silent->isChecked();
                    trainOn(step, command);
                } else if (from_now && pressed == from_now) {
                    bench_.session().lookAtNow();
                    command();
                }
            });
    question_ = box;
    box->open();
}

void TimeControl::trainOn(std::uint64_t step, const std::function<void()>& command) {
    bench_.continueFrom(step, [this, step, command, silent = !asks_] {
        if (silent)
            notice_.tell(Notice::Kind::told,
                         tr("Training on from step %1. Undo brings back what came after.").arg(countText(step)));
        command();
    });
}

}  // namespace moe::app
