#include "app/views/trace_stage.h"

#include "app/models/operation_motion.h"
#include "app/models/text_format.h"
#include "app/views/strip_paint.h"

#include <QHelpEvent>
#include <QMouseEvent>
#include <QPainter>
#include <QTimerEvent>
#include <QToolTip>

#include <algorithm>

namespace moe::app {

namespace {

constexpr int frame_milliseconds = 16;

}  // namespace

TraceStage::TraceStage(QWidget* parent) : QWidget(parent) {
    setMouseTracking(true);
    setAccessibleName(tr("Stage of one operation"));
}

QSize TraceStage::sizeHint() const {
    return {int(theme_.px(1004)), int(theme_.px(290))};
}

QSize TraceStage::minimumSizeHint() const {
    return {int(theme_.px(880)), int(theme_.px(230))};
}

void TraceStage::setTheme(const Theme& theme) {
    theme_ = theme;
    scene_.setTheme(theme);
    updateGeometry();
    update();
}

void TraceStage::setWords(std::shared_ptr<const std::vector<QString>> words) {
    scene_.setWords(std::move(words));
    update();
}

void TraceStage::show(std::shared_ptr<const Trace> trace, std::size_t op, std::size_t example, bool play) {
    scene_.setMoment(std::move(trace), op, example);
    setAccessibleDescription(scene_.summary());
    if (play)
        replay();
    else if (!playing())
        rest();
    update();
}

void TraceStage::setPicked(std::optional<NumberRef> ref) {
    scene_.setPicked(std::move(ref));
    update();
}

void TraceStage::replay() {
    if (scene_.empty() || reduced_motion_) return rest();
    scene_.setTime(0);
    beat_.start();
    clock_.start(frame_milliseconds, Qt::PreciseTimer, this);
    update();
}

void TraceStage::rest() {
    clock_.stop();
    scene_.setTime(1);
    update();
}

void TraceStage::setReducedMotion(bool reduced) {
    reduced_motion_ = reduced;
    if (reduced) rest();
}

void TraceStage::timerEvent(QTimerEvent* event) {
    if (event->timerId() != clock_.timerId()) return QWidget::timerEvent(event);
    if (scene_.empty()) return rest();
    const double t = double(beat_.elapsed()) / operationBeat(scene_.trace()->ops[scene_.op()].id);
    if (t >= 1) return rest();
    scene_.setTime(t);
    update();
}

void TraceStage::hideEvent(QHideEvent* event) {
    QWidget::hideEvent(event);
    rest();
}

void TraceStage::paintEvent(QPaintEvent*) {
    QPainter painter(this);
    painter.setRenderHint(QPainter::Antialiasing);
    painter.setPen(QPen(theme_.hairline, 1));
    painter.setBrush(theme_.panel);
    painter.drawRoundedRect(QRectF(rect()).adjusted(0.5, 0.5, -0.5, -0.5), theme_.px(10), theme_.px(10));
    scene_.paint(painter, size());
}

bool TraceStage::event(QEvent* event) {
    if (event->type() == QEvent::ToolTip) {
        auto* help = static_cast<QHelpEvent*>(event);
        const TraceStageScene::Spot* spot = scene_.spotAt(help->pos());
        QString tip = spot ? spot->tip : QString();
        if (spot && spot->strip) tip = stripTip(*spot->strip, spot->place, help->pos(), {});
        if (tip.isEmpty())
            QToolTip::hideText();
        else
            QToolTip::showText(help->globalPos(), tipText(tip), this);
        return true;
    }
    return QWidget::event(event);
}

void TraceStage::mousePressEvent(QMouseEvent* event) {
    const TraceStageScene::Spot* spot = scene_.spotAt(event->position());
    if (event->button() != Qt::LeftButton || !spot) return QWidget::mousePressEvent(event);
    if (!spot->strip && !spot->ref) return;
    const NumberRef ref = spot->strip ? stripNumber(*spot->strip, spot->place, event->position()) : *spot->ref;
    Q_EMIT numberPicked(ref);
}

void TraceStage::mouseMoveEvent(QMouseEvent* event) {
    const TraceStageScene::Spot* spot = scene_.spotAt(event->position());
    setCursor(spot && (spot->ref || spot->strip) ? Qt::PointingHandCursor : Qt::ArrowCursor);
}

}  // namespace moe::app
