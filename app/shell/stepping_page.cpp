#include "app/shell/stepping_page.h"

#include "app/session/stepper.h"
#include "app/shell/style.h"
#include "app/views/operation_view.h"
#include "app/views/provenance_view.h"
#include "app/views/trace_stage.h"
#include "app/views/view.h"

#include <QAbstractButton>
#include <QHBoxLayout>
#include <QKeyEvent>
#include <QPainter>
#include <QVBoxLayout>

#include <algorithm>

namespace moe::app {

namespace {

constexpr double page_margin = 16, gap = 12, origin_width = 368, time_panel_height = 76;
constexpr double enough_for_time = 720;  // design pixels of the page's height

}  // namespace

void SteppingPanel::setTheme(const Theme& theme) {
    theme_ = theme;
    update();
}

void SteppingPanel::paintEvent(QPaintEvent*) {
    QPainter painter(this);
    painter.setRenderHint(QPainter::Antialiasing);
    painter.setPen(QPen(theme_.hairline, 1));
    painter.setBrush(theme_.panel);
    painter.drawRoundedRect(QRectF(rect()).adjusted(0.5, 0.5, -0.5, -0.5), theme_.px(10), theme_.px(10));
}

SteppingPage::SteppingPage(SessionController& session, Stepper& stepper, QWidget* parent)
    : QWidget(parent), stepper_(stepper) {
    setFocusPolicy(Qt::StrongFocus);
    setAccessibleName(tr("Stepping through a batch"));
    stage_ = new TraceStage(this);
    operation_ = new OperationView(this);
    origin_ = new SteppingPanel(this);
    provenance_ = new ProvenanceView(origin_);
    provenance_->setInvitation(tr("Click a number: where it comes from stands here."));
    // A click there leaves the keys here: Up and Down go on choosing the example.
    provenance_->body()->setFocusPolicy(Qt::TabFocus);
    for (QAbstractButton* b : provenance_->findChildren<QAbstractButton*>()) b->setFocusPolicy(Qt::TabFocus);
    auto* inner = new QVBoxLayout(origin_);
    inner->setContentsMargins(16, 12, 16, 10);
    inner->addWidget(provenance_);
    time_panel_ = new SteppingPanel(this);
    auto* strip = new QHBoxLayout(time_panel_);
    strip->setContentsMargins(16, 8, 16, 8);
    for (const ViewInfo& info : views())
        if (info.area == ViewArea::time && !time_) strip->addWidget(time_ = info.create(session, time_panel_));
    connect(stage_, &TraceStage::numberPicked, this, &SteppingPage::pick);
    connect(operation_, &OperationView::numberPicked, this, &SteppingPage::pick);
    connect(provenance_, &ProvenanceView::numberChanged, this, [this] {
        if (following_) return;
        stage_->setPicked(provenance_->number());
        operation_->setPicked(provenance_->number());
    });
    connect(&stepper_, &Stepper::changed, this, &SteppingPage::refresh);
    connect(&stepper_, &Stepper::beatAsked, stage_, &TraceStage::replay);
}

void SteppingPage::setTheme(const Theme& theme) {
    theme_ = theme;
    stage_->setTheme(theme);
    operation_->setTheme(theme);
    origin_->setTheme(theme);
    provenance_->setTheme(theme);
    time_panel_->setTheme(theme);
    if (time_) time_->setTheme(theme);
    arrange();
}

void SteppingPage::setReducedMotion(bool reduced) {
    stage_->setReducedMotion(reduced);
}

void SteppingPage::refresh() {
    const std::shared_ptr<const Trace>& trace = stepper_.trace();
    if (!trace || !stepper_.problem().isEmpty()) {
        stage_->show(nullptr, 0, 0, false);
        operation_->showSentence(stepper_.problem().isEmpty() ? tr("Reading the batch …") : stepper_.problem());
        provenance_->clear();
        shown_.reset();
        return;
    }
    const bool other =
        trace != shown_ || stepper_.operation() != shown_operation_ || stepper_.example() != shown_example_;
    following_ = true;
    if (trace != shown_) {
        stage_->setWords(stepper_.words());
        const auto words = stepper_.words();
        provenance_->setTrace(trace, [words](std::int32_t id) {
            return id >= 0 && std::size_t(id) < words->size() ? (*words)[std::size_t(id)] : QString::number(id);
        });
    }
    shown_ = trace;
    shown_operation_ = stepper_.operation(), shown_example_ = stepper_.example();
    if (other) stage_->setPicked(std::nullopt);
    stage_->show(trace, stepper_.operation(), stepper_.example(), false);
    operation_->showOperation(trace, stepper_.operation(), stepper_.example(), stepper_.words());
    if (other && operation_->page().subject) provenance_->showNumber(*operation_->page().subject);
    following_ = false;
}

void SteppingPage::pick(const NumberRef& ref) {
    stage_->setPicked(ref);
    operation_->setPicked(ref);
    following_ = true;
    provenance_->showNumber(ref);
    following_ = false;
    Q_EMIT numberPicked(ref);
}

void SteppingPage::resizeEvent(QResizeEvent* event) {
    QWidget::resizeEvent(event);
    arrange();
}

void SteppingPage::arrange() {
    const auto px = [this](double v) { return int(theme_.px(v)); };
    const int m = px(page_margin), g = px(gap), width = this->width() - 2 * m;
    const bool with_time = time_ && height() >= theme_.px(enough_for_time);
    int bottom = height() - px(14);
    time_panel_->setVisible(with_time);
    if (with_time) {
        time_panel_->setGeometry(m, bottom - px(time_panel_height), width, px(time_panel_height));
        bottom -= px(time_panel_height) + g;
    }
    const int room = bottom - m - g;
    const int stage = std::clamp(room * 43 / 100, px(250), px(420));
    stage_->setGeometry(m, m, width, stage);
    const int top = m + stage + g, lower = bottom - top, right = std::min(px(origin_width), width * 2 / 5);
    operation_->setGeometry(m, top, width - right - g, lower);
    origin_->setGeometry(m + width - right, top, right, lower);
}

void SteppingPage::keyPressEvent(QKeyEvent* event) {
    const std::size_t now = stepper_.example();
    if (event->key() == Qt::Key_Down)
        stepper_.setExample(now + 1);
    else if (event->key() == Qt::Key_Up && now > 0)
        stepper_.setExample(now - 1);
    else if (event->key() == Qt::Key_Home)
        stepper_.setOperation(0);
    else if (event->key() == Qt::Key_End && stepper_.trace())
        stepper_.setOperation(stepper_.trace()->ops.size() - 1);
    else
        QWidget::keyPressEvent(event);
}

}  // namespace moe::app
