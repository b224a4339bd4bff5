#include "app/views/stage_view.h"

#include "app/models/text_format.h"
#include "engine/session/training_session.h"

#include <QAction>
#include <QContextMenuEvent>
#include <QHelpEvent>
#include <QKeyEvent>
#include <QMouseEvent>
#include <QPainter>
#include <QTextDocument>
#include <QToolTip>
#include <QWheelEvent>

#include <algorithm>
#include <cmath>
#include <limits>

namespace moe::app {

namespace {

constexpr int typing_milliseconds = 80, frame_milliseconds = 16;
// What is typed is looked at as a whole; the session takes the last prefix there is.
constexpr std::size_t last_prefix = std::numeric_limits<std::size_t>::max();

// The first words of the corpus: something that the model knows.
QString examplePhrase(const Corpus& corpus) {
    const QString text = QString::fromStdString(corpus.text().substr(0, 200));
    QStringList words = text.section(QLatin1Char('\n'), 0, 0).split(QLatin1Char(' '), Qt::SkipEmptyParts);
    return QStringList(words.mid(0, 3)).join(QLatin1Char(' '));
}

}  // namespace

StageView::StageView(SessionController& session, QWidget* parent) : View(session, parent), probe_(new QLineEdit(this)) {
    setFocusPolicy(Qt::StrongFocus);
    setMouseTracking(true);
    setAccessibleName(tr("Token stage"));
    inspect_ = new QAction(tr("Inspect"), this);
    addAction(inspect_);
    connect(inspect_, &QAction::triggered, this, [this] {
        if (under_menu_) Q_EMIT inspectAsked(*under_menu_);
    });
    probe_->setObjectName(QStringLiteral("probe_edit"));
    probe_->setAccessibleName(tr("Probe text"));
    probe_->setPlaceholderText(tr("Type a phrase"));
    probe_->setToolTip(tr("The phrase that the stage shows. Enter: predict. Escape: back to the stage."));
    probe_->setMaxLength(100000);
    probe_->installEventFilter(this);
    typing_.setSingleShot(true);
    typing_.setInterval(typing_milliseconds);

    connect(probe_, &QLineEdit::textEdited, &typing_, qOverload<>(&QTimer::start));
    connect(&typing_, &QTimer::timeout, this, &StageView::sendProbe);
    connect(probe_, &QLineEdit::returnPressed, this, &StageView::sendProbe);
    connect(&session_, &SessionController::valuesChanged, this, [this] { display(session_.sharedSnapshot()); });
    connect(&session_, &SessionController::structureChanged, this, &StageView::takeStructure);
    connect(&session_, &SessionController::focusChanged, this, &StageView::takeFocus);
    takeStructure();
    display(session_.sharedSnapshot());
}

void StageView::display(std::shared_ptr<const Snapshot> snapshot) {
    const bool rested = scene_.snapshot().state != SessionState::running;
    scene_.display(std::move(snapshot));
    scene_.setFocusedPrefix(session_.focusedPrefix());
    if (rested || scene_.snapshot().state != SessionState::running) describe();
    keepTime();
    if (!clock_.isActive()) update();  // else the next beat shows it: one picture a frame
}

void StageView::takeStructure() {
    if (session_.corpus()) scene_.setExample(examplePhrase(*session_.corpus()));
    // Somebody else's text: a lesson's, or that of an undone step. What is being typed is never overwritten.
    const QString text = session_.probeText();
    if (!typing_.isActive() && probe_->text() != text) probe_->setText(text);
}

void StageView::takeFocus() {
    takeStructure();
    scene_.setFocusedPrefix(session_.focusedPrefix());
    scene_.setFocusedExpert(session_.focusedExpert());
    describe();
    keepTime();
    update();
}

void StageView::sendProbe() {
    typing_.stop();
    session_.setProbe(probe_->text(), last_prefix);
}

void StageView::moveFocus(qsizetype by) {
    if (scene_.prefixes() == 0) return;
    const auto now = qsizetype(scene_.focusedPrefix()), last = qsizetype(scene_.prefixes()) - 1;
    session_.setFocusedPrefix(std::size_t(std::clamp(now + by, qsizetype(0), last)));
    scene_.followFocus();
    keepTime();
    update();
}

void StageView::setReducedMotion(bool reduced) {
    reduced_motion_ = reduced;
    scene_.setReducedMotion(reduced);
    keepTime();
    update();
}

void StageView::themeChanged() {
    scene_.setTheme(theme_);
    placeProbe();
    update();
}

void StageView::describe() {
    const QString sentence = scene_.summary();
    if (sentence != accessibleDescription()) setAccessibleDescription(sentence);
}

void StageView::keepTime() {
    const bool wanted = isVisible() && (scene_.moving() || scene_.flowing());
    if (wanted == clock_.isActive()) return;
    if (!wanted) return clock_.stop();
    beat_.start();
    clock_.start(frame_milliseconds, Qt::PreciseTimer, this);
}

void StageView::timerEvent(QTimerEvent* event) {
    if (event->timerId() != clock_.timerId()) return View::timerEvent(event);
    // A late beat does not make things jump.
    scene_.advance(std::min(0.1, double(beat_.restart()) / 1000));
    update();
    keepTime();
}

void StageView::showEvent(QShowEvent* event) {
    View::showEvent(event);
    keepTime();
}

void StageView::hideEvent(QHideEvent* event) {
    View::hideEvent(event);
    scene_.settle();
    clock_.stop();
}

void StageView::resizeEvent(QResizeEvent* event) {
    View::resizeEvent(event);
    scene_.resize(size(), devicePixelRatioF());
    placeProbe();
    keepTime();
}

void StageView::placeProbe() {
    scene_.resize(size(), devicePixelRatioF());
    const FlowLayout& layout = scene_.layout();
    Theme type = theme_;
    type.scale = layout.scale();
    const double left = layout.px(16), row = layout.probeRow().height(), top = layout.probeRow().top();
    const double label = QFontMetricsF(type.font(11)).horizontalAdvance(tr("Probe")) + layout.px(10);
    const double hint = QFontMetricsF(type.font(11)).horizontalAdvance(tr("Unknown words are marked"));
    probe_label_ = QRectF(left, top, label, row);
    // A narrow panel gives the line to the text, and the hint to its tooltip.
    const double room = width() - 2 * left - label;
    const bool hinted = hint + layout.px(16) < room * 0.55;
    probe_hint_ = hinted ? QRectF(width() - left - hint, top, hint, row) : QRectF();
    const double right = hinted ? probe_hint_.left() - layout.px(12) : width() - left;
    probe_->setFont(type.font(13));
    const double height = std::min(row - layout.px(8), layout.px(27));
    probe_->setGeometry(
        QRectF(left + label, top + (row - height) / 2 + 0.5, right - left - label, height).toAlignedRect());
}

void StageView::paintEvent(QPaintEvent*) {
    scene_.resize(size(), devicePixelRatioF());  // another screen's ratio
    QPainter p(this);
    // The panel's rounded corners show through.
    const int c = int(std::ceil(theme_.px(10)));
    QRegion inside(rect());
    for (const QPoint corner :
         {QPoint(0, 0), QPoint(width() - c, 0), QPoint(0, height() - c), QPoint(width() - c, height() - c)})
        inside -= QRect(corner, QSize(c, c));
    p.setClipRegion(inside);
    p.drawImage(0, 0, scene_.frame());
    p.setClipping(false);
    Theme type = theme_;
    type.scale = scene_.layout().scale();
    p.setFont(type.font(11));
    p.setPen(theme_.muted);
    p.drawText(probe_label_, Qt::AlignLeft | Qt::AlignVCenter, tr("Probe"));
    if (!probe_hint_.isEmpty())
        p.drawText(probe_hint_, Qt::AlignRight | Qt::AlignVCenter, tr("Unknown words are marked"));
}

bool StageView::event(QEvent* event) {
    if (event->type() == QEvent::ToolTip) {
        const auto* help = static_cast<QHelpEvent*>(event);
        const StageHit hit = scene_.hit(QPointF(help->pos()));
        const QString text = scene_.explain(hit);
        // Words of a stranger's text must not become markup.
        if (text.isEmpty())
            QToolTip::hideText();
        else
            QToolTip::showText(help->globalPos(), Qt::mightBeRichText(text) ? Qt::convertFromPlainText(text) : text,
                               this, hit.place.toAlignedRect());
        return true;
    }
    return View::event(event);
}

bool StageView::eventFilter(QObject* watched, QEvent* event) {
    if (watched == probe_ && event->type() == QEvent::KeyPress &&
        static_cast<QKeyEvent*>(event)->key() == Qt::Key_Escape) {
        typing_.stop();
        probe_->setText(session_.probeText());
        setFocus(Qt::OtherFocusReason);
        return true;
    }
    return View::eventFilter(watched, event);
}

std::optional<InspectionTarget> StageView::inspectable(const StageHit& hit) const {
    const ProbeForward& probe = scene_.snapshot().probe;
    switch (hit.part) {
        case StagePart::word:
        case StagePart::embedding:
            if (hit.index >= probe.words.size() || probe.words[hit.index].id == 0) return {};
            return InspectionTarget{InspectedPart::word, std::size_t(probe.words[hit.index].id)};
        case StagePart::gate:
            return InspectionTarget{InspectedPart::gate, 0};
        case StagePart::expert:
            return InspectionTarget{InspectedPart::expert, hit.index};
        case StagePart::sum:
            return InspectionTarget{InspectedPart::sum, 0};
        case StagePart::next_word:
            if (hit.index >= probe.focused.top.size()) return {};
            return InspectionTarget{InspectedPart::next_word, std::size_t(probe.focused.top[hit.index].id)};
        default:
            return {};
    }
}

void StageView::mouseDoubleClickEvent(QMouseEvent* event) {
    const auto target = inspectable(scene_.hit(event->position()));
    if (event->button() != Qt::LeftButton || !target) return mousePressEvent(event);
    // The first click may have let go of the expert; what is looked into stays picked out.
    if (target->part == InspectedPart::expert) session_.setFocusedExpert(target->index);
    Q_EMIT inspectAsked(*target);
}

void StageView::contextMenuEvent(QContextMenuEvent* event) {
    under_menu_ = inspectable(scene_.hit(QPointF(event->pos())));
    inspect_->setEnabled(under_menu_.has_value());
    event->ignore();  // the panel shows the menu
}

void StageView::mousePressEvent(QMouseEvent* event) {
    if (event->button() != Qt::LeftButton) return View::mousePressEvent(event);
    const StageHit hit = scene_.hit(event->position());
    switch (hit.part) {
        case StagePart::word:
        case StagePart::embedding:
        case StagePart::gate:
            if (const auto prefix = scene_.prefixOfRow(hit.index)) session_.setFocusedPrefix(*prefix);
            break;
        case StagePart::expert:
            session_.setFocusedExpert(session_.focusedExpert() == hit.index ? std::nullopt : std::optional(hit.index));
            break;
        case StagePart::nothing:
            session_.setFocusedExpert({});
            break;
        default:
            break;
    }
    takeFocus();
    if (const auto target = inspectable(hit)) Q_EMIT partClicked(*target);
}

void StageView::mouseMoveEvent(QMouseEvent* event) {
    const StageHit hit = scene_.hit(event->position());
    const StagePart part = hit.part;
    const bool clickable =
        part == StagePart::word || part == StagePart::embedding || part == StagePart::gate || part == StagePart::expert;
    setCursor(clickable ? Qt::PointingHandCursor : Qt::ArrowCursor);
    if (scene_.setHovered(clickable ? hit : StageHit{})) update();
}

void StageView::leaveEvent(QEvent* event) {
    View::leaveEvent(event);
    if (scene_.setHovered({})) update();
}

void StageView::wheelEvent(QWheelEvent* event) {
    // A notch is three words.
    if (!scene_.scroll(-3.0 * event->angleDelta().y() / 120)) return event->ignore();
    event->accept();
    keepTime();
    update();
}

void StageView::keyPressEvent(QKeyEvent* event) {
    if (event->modifiers() & ~Qt::KeypadModifier) return View::keyPressEvent(event);
    const int key = event->key();
    constexpr qsizetype page = 10, all = 1 << 20;
    if (key == Qt::Key_Up) return moveFocus(-1);
    if (key == Qt::Key_Down) return moveFocus(1);
    if (key == Qt::Key_PageUp) return moveFocus(-page);
    if (key == Qt::Key_PageDown) return moveFocus(page);
    if (key == Qt::Key_Home) return moveFocus(-all);
    if (key == Qt::Key_End) return moveFocus(all);
    if (key >= Qt::Key_1 && key <= Qt::Key_9) {
        const auto expert = std::size_t(key - Qt::Key_1);
        if (expert < scene_.numExperts())
            session_.setFocusedExpert(session_.focusedExpert() == expert ? std::nullopt : std::optional(expert));
        return takeFocus();
    }
    if (key == Qt::Key_Escape && session_.focusedExpert()) {
        session_.setFocusedExpert({});
        return takeFocus();
    }
    View::keyPressEvent(event);
}

void StageView::focusInEvent(QFocusEvent* event) {
    View::focusInEvent(event);
    scene_.setKeyboardFocus(true);
    update();
}

void StageView::focusOutEvent(QFocusEvent* event) {
    View::focusOutEvent(event);
    scene_.setKeyboardFocus(false);
    update();
}

void StageView::changeEvent(QEvent* event) {
    View::changeEvent(event);
    if (event->type() == QEvent::LanguageChange) {
        scene_.setTheme(theme_);
        placeProbe();
        inspect_->setText(tr("Inspect"));
    }
}

}  // namespace moe::app
