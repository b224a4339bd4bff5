#include "app/views/time_strip_view.h"

#include "app/models/axis.h"
#include "app/models/color_scale.h"
#include "app/models/moment_text.h"
#include "app/models/run_settings.h"
#include "app/models/tabular_text.h"
#include "app/models/text_format.h"
#include "engine/core/checked.h"
#include "engine/core/numbers.h"

#include <QActionGroup>
#include <QHelpEvent>
#include <QKeyEvent>
#include <QMenu>
#include <QMouseEvent>
#include <QToolTip>
#include <QWheelEvent>

#include <algorithm>
#include <cmath>

namespace moe::app {

namespace {

constexpr double column_pitch = 14, caption_size = 10.5, side_width = 104, side_gap = 14, grip = 4.5;
constexpr double least_for_side = 420, loss_share = 0.42;
constexpr std::uint64_t wheel_parts = 100, page_parts = 10;  // of the trained steps: a notch, a page
constexpr std::size_t budgets[] = {std::size_t(64) << 20, std::size_t(256) << 20, std::size_t(1) << 30,
                                   std::size_t(4) << 30};

QString bytesText(std::size_t bytes) {
    return QString::fromStdString(format_bytes(bytes));
}

}  // namespace

TimeStripView::TimeStripView(SessionController& session, QWidget* parent)
    : MeasureView(session, parent), field_(new QLineEdit(this)), back_(new TextToggle(this)) {
    setFocusPolicy(Qt::StrongFocus);
    field_->setObjectName(QStringLiteral("step_edit"));
    field_->setAccessibleName(tr("Step"));
    field_->setToolTip(tr("The step that is shown. Type one and press Enter to look at that moment."));
    field_->setAlignment(Qt::AlignRight);
    field_->setMaxLength(20);
    field_->installEventFilter(this);
    back_->setText(tr("back to now"));
    back_->setAccessibleName(tr("Back to now"));
    back_->setToolTip(tr("Shows the newest step again (N)"));
    back_->hide();
    connect(field_, &QLineEdit::returnPressed, this, &TimeStripView::takeTyped);
    connect(back_, &QAbstractButton::clicked, &session_, &SessionController::lookAtNow);
    connect(&session_, &SessionController::liveChanged, this, [this] { display(session_.sharedSnapshot()); });
    connect(&session_, &SessionController::momentChanged, this, &TimeStripView::showMoment);
    buildMenu();
}

void TimeStripView::buildMenu() {
    back_action_ = new QAction(tr("Back to now"), this);
    connect(back_action_, &QAction::triggered, &session_, &SessionController::lookAtNow);
    auto* typed = new QAction(tr("Look at a step…"), this);
    connect(typed, &QAction::triggered, this, [this] {
        field_->setFocus();
        field_->selectAll();
    });
    kept_ = new QAction(this);
    kept_->setEnabled(false);
    budgets_ = new QMenu(tr("Memory for the past"), this);
    budget_choices_ = new QActionGroup(this);
    for (const std::size_t bytes : budgets) {
        QAction* choice = budgets_->addAction(bytesText(bytes));
        choice->setCheckable(true);
        choice->setData(qulonglong(bytes));
        budget_choices_->addAction(choice);
        connect(choice, &QAction::triggered, this, [this, bytes] { session_.setCheckpointBudget(bytes); });
    }
    addActions({back_action_, typed, kept_, budgets_->menuAction()});
}

const Snapshot& TimeStripView::run() const {
    return isSession() ? session_.live() : snapshot();
}

std::uint64_t TimeStripView::plannedSteps(const Snapshot& snapshot) {
    const std::uint64_t per_epoch = snapshot.steps_per_epoch;
    if (snapshot.target_epochs <= snapshot.epoch || per_epoch == 0) return std::max<std::uint64_t>(snapshot.step, 1);
    std::uint64_t left = 0;
    if (__builtin_mul_overflow(snapshot.target_epochs - snapshot.epoch, per_epoch, &left)) return snapshot.step;
    const std::uint64_t done = snapshot.epoch * per_epoch;
    // Within the epoch, where the steps add up; else (the batch was changed on the way) from here on.
    const std::uint64_t within = snapshot.step >= done ? std::min(snapshot.step - done, left) : 0;
    return std::max<std::uint64_t>(snapshot.step + left - (epochsPerStep(snapshot) ? within : 0), 1);
}

std::uint64_t TimeStripView::handle() const {
    if (!isSession()) return snapshot().step;
    return session_.lookedAt().value_or(session_.live().step);
}

void TimeStripView::resizeEvent(QResizeEvent* event) {
    MeasureView::resizeEvent(event);
    refresh();
}

void TimeStripView::arrange() {
    const double caption = QFontMetricsF(theme_.font(caption_size)).height() + theme_.px(5);
    const bool side = width() >= theme_.px(least_for_side) && run().state != SessionState::empty;
    const double name = QFontMetricsF(theme_.font(caption_size)).horizontalAdvance(tr("step")) + theme_.px(8);
    // As wide as the run's longest number: none is cut.
    const double digits = tabularWidth(field_->font(), QString::number(run().newest_step));
    const double beside = std::max(theme_.px(side_width), name + digits + theme_.px(20));
    const double room = side ? beside + theme_.px(side_gap) : 0;
    strip_ = QRectF(0.5, theme_.px(grip), std::max(1.0, width() - 1.0 - room),
                    std::max(8.0, height() - caption - theme_.px(grip)));
    const double gap = theme_.px(3);
    loss_band_ = strip_;
    loss_band_.setHeight(std::max(1.0, strip_.height() * loss_share - gap));
    load_band_ = strip_;
    load_band_.setTop(strip_.top() + strip_.height() * loss_share);
    side_ = side ? QRectF(width() - beside, 0, beside, height()) : QRectF();
    field_->setVisible(side);
    if (!side) return;
    const int field_height = std::min(field_->sizeHint().height(), int(height() - caption));
    field_->setGeometry(int(side_.left() + name), 0, int(side_.width() - name), field_height);
    back_->setTheme(theme_);
}

void TimeStripView::showStep() {
    const QString text = QString::number(handle());
    if (field_->text() != text) field_->setText(text);
}

void TimeStripView::showMoment() {
    const bool past = isSession() && session_.lookedAt().has_value();
    if (!field_->hasFocus()) showStep();  // else somebody is about to type
    back_->setVisible(past && field_->isVisibleTo(this));
    back_->placeAt(width(), height());
    back_action_->setEnabled(past);
    update();
}

void TimeStripView::refresh() {
    arrange();
    planned_ = plannedSteps(run());
    const bool many = numExperts() > max_coloured_experts;
    // Cells of one width, as in a film; an image takes every pixel that it can get.
    const double pitch = many ? 1 : theme_.px(column_pitch);
    columns_ = std::max<std::size_t>(1, std::size_t(strip_.width() / pitch));
    columns_ = std::min<std::size_t>(columns_, planned_);
    load_.clear();
    loss_ = {};
    image_ = {};
    showMoment();
    const CheckpointUse& use = run().checkpoints;
    kept_->setText(checkpointText());
    for (QAction* choice : budget_choices_->actions()) choice->setChecked(choice->data().toULongLong() == use.budget);
    const History* history = run().history.get();
    if (!history || history->num_experts != numExperts() || numExperts() == 0) return;
    loss_ = thinned(stepSeries(*history, Measure::loss), std::size_t(std::max(20.0, strip_.width() / 2)));
    load_ = resampledLoad(*history, columns_, planned_);
    if (!many || load_.empty()) return;
    // Shaded from 0 to twice an even share: with so many experts one may get very much.
    const std::size_t E = numExperts(), trained = load_.size() / E;
    std::vector<float> shares(load_.size());
    for (std::size_t i = 0; i < load_.size(); ++i) shares[i] = std::isfinite(load_[i]) ? load_[i] * float(E) / 2 : 0;
    image_ = heatmapImage(shares, trained, E, MagnitudeScale{1}, theme_, std::size_t(load_band_.height()));
}

double TimeStripView::xOf(double step) const {
    return strip_.left() + strip_.width() * std::clamp(step / double(planned_), 0.0, 1.0);
}

std::uint64_t TimeStripView::stepAt(double x) const {
    const double share = std::clamp((x - strip_.left()) / strip_.width(), 0.0, 1.0);
    return std::clamp(std::uint64_t(std::llround(share * double(planned_))), std::min(session_.firstStep(), run().step),
                      run().step);
}

void TimeStripView::lookAt(std::uint64_t step) {
    if (run().state == SessionState::empty) return;
    if (step < session_.live().step)
        session_.lookAt(step);
    else
        session_.lookAtNow();
}

void TimeStripView::takeTyped() {
    QString digits;
    for (const QChar c : field_->text())
        if (!QStringLiteral(" ,.'\u00a0\u202f").contains(c)) digits += c;
    bool number = false;
    const qulonglong step = digits.toULongLong(&number);
    if (number) lookAt(step);
    showStep();
    field_->clearFocus();  // the next key is the window's again: Space, N, an arrow
}

void TimeStripView::mousePressEvent(QMouseEvent* event) {
    if (event->button() != Qt::LeftButton || event->position().x() > strip_.right() + theme_.px(grip))
        return MeasureView::mousePressEvent(event);
    dragging_ = true;
    lookAt(stepAt(event->position().x()));
}

void TimeStripView::mouseMoveEvent(QMouseEvent* event) {
    if (dragging_) lookAt(stepAt(event->position().x()));
}

void TimeStripView::mouseReleaseEvent(QMouseEvent* event) {
    if (event->button() == Qt::LeftButton) dragging_ = false;
}

void TimeStripView::wheelEvent(QWheelEvent* event) {
    const QPoint turned = event->angleDelta();
    wheel_ += double(turned.y() != 0 ? turned.y() : turned.x()) / 120;
    const double notches = std::trunc(wheel_);
    wheel_ -= notches;
    event->accept();
    if (notches == 0) return;
    const std::uint64_t by =
        std::max<std::uint64_t>(1, event->modifiers() & Qt::ShiftModifier ? 1 : session_.live().step / wheel_parts);
    const auto far = std::uint64_t(std::abs(notches)) * by;
    lookAt(notches > 0 ? handle() + far : handle() - std::min(handle(), far));
}

void TimeStripView::keyPressEvent(QKeyEvent* event) {
    const std::uint64_t now = handle(), page = std::max<std::uint64_t>(1, session_.live().step / page_parts);
    const auto back = [&](std::uint64_t by) { lookAt(now - std::min(now, by)); };
    switch (event->key()) {
        case Qt::Key_Left:
            return back(1);
        case Qt::Key_Right:
            return lookAt(now + 1);
        case Qt::Key_PageDown:
            return back(page);
        case Qt::Key_PageUp:
            return lookAt(now + page);
        case Qt::Key_Home:
            return lookAt(session_.firstStep());
        case Qt::Key_End:
            return session_.lookAtNow();
        default:
            MeasureView::keyPressEvent(event);
    }
}

void TimeStripView::focusInEvent(QFocusEvent* event) {
    MeasureView::focusInEvent(event);
    update();
}

void TimeStripView::focusOutEvent(QFocusEvent* event) {
    MeasureView::focusOutEvent(event);
    update();
}

bool TimeStripView::eventFilter(QObject* watched, QEvent* event) {
    if (watched == field_ && (event->type() == QEvent::FocusIn || event->type() == QEvent::FocusOut)) showStep();
    if (watched == field_ && event->type() == QEvent::KeyPress &&
        static_cast<QKeyEvent*>(event)->key() == Qt::Key_Escape) {
        setFocus();
        return true;
    }
    return MeasureView::eventFilter(watched, event);
}

void TimeStripView::paintEvent(QPaintEvent*) {
    ensureFresh();
    labels_.clear();
    QPainter painter(this);
    painter.setRenderHints(QPainter::Antialiasing | QPainter::TextAntialiasing);
    if (numExperts() == 0) return;
    paintColumns(painter);
    const History* history = run().history.get();
    if (run().step == 0 || !history || history->points.empty()) {
        painter.setFont(theme_.font(11));
        painter.setPen(theme_.muted);
        const QString hint = run().step == 0 ? tr("Press Space: loss and load are recorded here, step by step")
                                             : tr("Loss and load are recorded from the next batch on");
        // In the row of the loss, where nothing of the load lies below it, if that has room for a line.
        const QRectF row = loss_band_.adjusted(0, -2, 0, 2);
        const QFontMetricsF metrics(painter.font());
        if (row.height() >= metrics.ascent() && metrics.horizontalAdvance(hint) <= row.width())
            labels_.draw(painter, row, Qt::AlignCenter, hint);
        else
            labels_.drawWrapped(painter, strip_, hint);
    } else {
        paintLoss(painter);
    }
    paintAxis(painter);
    paintHandle(painter);
}

void TimeStripView::paintLoss(QPainter& painter) {
    const double top = Axis::upTo(loss_.largest(), 3).max * 1.02;
    painter.fillRect(QRectF(strip_.left(), loss_band_.bottom(), strip_.width(), 1), theme_.hairline);
    QPainterPath curve;
    for (const QPointF& p : loss_.points) {
        const QPointF at(xOf(p.x()), loss_band_.bottom() - p.y() / top * loss_band_.height());
        curve.elementCount() ? curve.lineTo(at) : curve.moveTo(at);
    }
    painter.strokePath(curve, QPen(theme_.ink, theme_.px(1.25), Qt::SolidLine, Qt::FlatCap, Qt::BevelJoin));
    // What the curve is, with its value at the handle; where training has not been yet, else over the curve's low end.
    const double value = measureAt(snapshot(), Measure::loss);
    painter.setFont(theme_.font(caption_size));
    const QFontMetricsF metrics(painter.font());
    const QString said = snapshot().step > 0 ? tr("loss %1").arg(lossText(value)) : tr("loss");
    const double wide = tabularWidth(metrics, said), high = std::min(metrics.height(), loss_band_.height() + 2);
    QRectF place(strip_.right() - wide - theme_.px(4), loss_band_.top() - 1, wide, high);
    if (const double handle_x = xOf(double(handle()));
        std::abs(handle_x - place.center().x()) < wide / 2 + theme_.px(8))
        place.moveRight(handle_x - theme_.px(8));
    painter.fillRect(place.adjusted(-3, 0, 3, 0), theme_.panel);
    painter.setPen(theme_.muted);
    labels_.draw(painter, place, Qt::AlignLeft | Qt::AlignVCenter, said);
}

void TimeStripView::paintColumns(QPainter& painter) {
    const std::size_t E = numExperts(), trained = load_.size() / E;
    const double pitch = load_band_.width() / double(columns_);
    const double gap = pitch > 6 ? theme_.px(2) : 0, radius = gap > 0 ? theme_.px(2) : 0;
    painter.setPen(Qt::NoPen);
    const QColor pale = Theme::mix(theme_.panel, theme_.track, 0.8);
    if (E > max_coloured_experts) {
        painter.setBrush(pale);
        painter.drawRect(load_band_);
        painter.setRenderHint(QPainter::SmoothPixmapTransform);
        if (!image_.isNull())
            painter.drawImage(QRectF(load_band_.left(), load_band_.top(), pitch * double(trained), load_band_.height()),
                              image_);
        return;
    }
    painter.setBrush(pale);
    for (std::size_t c = 0; c < columns_; ++c)
        painter.drawRoundedRect(
            QRectF(load_band_.left() + double(c) * pitch, load_band_.top(), pitch - gap, load_band_.height()), radius,
            radius);
    // The column that is being filled ends where training stands.
    painter.setClipRect(QRectF(load_band_.left(), 0, xOf(double(run().step)) - load_band_.left(), height()));
    for (std::size_t c = 0; c < std::min(trained, columns_); ++c) {
        const double left = load_band_.left() + double(c) * pitch, cell = pitch - gap;
        // Heights are the shares of the gate weight; a hairline of paper keeps the rows apart.
        double top = load_band_.top();
        for (std::size_t e = 0; e < E; ++e) {
            const double share = std::clamp(double(load_[c * E + e]), 0.0, 1.0);
            const double height = std::isfinite(share) ? share * load_band_.height() : 0;
            painter.setBrush(expert() && expert() != e ? Theme::mix(theme_.panel, theme_.expert(e), 0.35)
                                                       : theme_.expert(e));
            if (height > 0.3)
                painter.drawRoundedRect(QRectF(left, top, cell, std::max(0.5, height - (height > 3 ? 1 : 0))),
                                        std::min(radius, height / 2), std::min(radius, height / 2));
            top += height;
        }
    }
    painter.setClipping(false);
}

void TimeStripView::paintAxis(QPainter& painter) {
    painter.setFont(theme_.font(caption_size));
    const QFontMetricsF metrics(painter.font());
    const double row = metrics.height(), top = height() - row, at = xOf(double(handle()));
    const bool past = handle()<run().step, marker = run().step> 0;
    QString said = past ? tr("step %1 of %2").arg(countText(handle()), countText(run().step))
                        : tr("step %1").arg(countText(run().step));
    if (isSession() && session_.replayProgress())
        said += QStringLiteral(" · ") + tr("replayed: %1").arg(percentText(*session_.replayProgress()));
    QFont strong = theme_.font(caption_size, QFont::DemiBold);
    const double said_width = tabularWidth(strong, said);
    const double right = strip_.right();
    const double said_left = std::clamp(at - said_width / 2, 0.0, std::max(0.0, right - said_width));

    // Epochs along the run, or steps where epochs differ in length; none that would touch the marker's number.
    const std::optional<double> per_step = epochsPerStep(run());
    const double end = per_step ? double(planned_) * *per_step : double(planned_);
    const Axis axis = Axis::upTo(end, std::max(1, int(strip_.width() / theme_.px(110))));
    const double step = std::max(1.0, axis.step);
    double used = -1;
    for (double tick = 0; tick <= end * (1 + 1e-9); tick += step) {
        const double x = xOf(per_step ? tick / *per_step : tick);
        const QString text = tick > 0 ? tickText(tick, 1) : per_step ? tr("epoch 0") : tr("step 0");
        const double text_width = tabularWidth(metrics, text);
        const double left = std::clamp(x - text_width / 2, 0.0, std::max(0.0, right - text_width));
        painter.fillRect(QRectF(x - 0.5, strip_.bottom() + 1, 1, theme_.px(3)), theme_.muted);
        const bool hidden =
            marker && left < said_left + said_width + theme_.px(8) && left + text_width > said_left - theme_.px(8);
        if (left < used || hidden) continue;
        used = left + text_width + theme_.px(6);
        painter.setPen(theme_.muted);
        labels_.draw(painter, {left, top, text_width, row}, Qt::AlignLeft, text);
    }
    if (marker) {
        painter.setFont(strong);
        painter.setPen(theme_.ink);
        labels_.draw(painter, {said_left, top, said_width, row}, Qt::AlignLeft, said);
    }
    if (side_.isEmpty()) return;
    painter.setFont(theme_.font(caption_size));
    painter.setPen(theme_.muted);
    const QRectF name(side_.left(), field_->y(), field_->x() - side_.left(), field_->height());
    labels_.draw(painter, name, Qt::AlignLeft | Qt::AlignVCenter, tr("step"));
}

void TimeStripView::paintHandle(QPainter& painter) {
    if (run().step == 0) return;
    const double x = xOf(double(handle()));
    // Where training is now, when the handle is elsewhere.
    if (handle() < run().step)
        painter.fillRect(QRectF(xOf(double(run().step)) - 0.75, strip_.top(), 1.5, strip_.height() + theme_.px(4)),
                         theme_.muted);
    painter.fillRect(QRectF(x - 1, 0, 2, strip_.bottom() + theme_.px(4)), theme_.ink);
    painter.setPen(QPen(theme_.panel, theme_.px(1.5)));
    painter.setBrush(theme_.ink);
    const double r = theme_.px(grip) + (dragging_ || hasFocus() ? theme_.px(1) : 0);
    painter.drawEllipse(QPointF(x, strip_.top()), r, r);
    if (hasFocus()) {
        painter.setBrush(Qt::NoBrush);
        painter.setPen(QPen(theme_.muted, 1));
        painter.drawEllipse(QPointF(x, strip_.top()), r + theme_.px(2.5), r + theme_.px(2.5));
    }
}

QString TimeStripView::checkpointText() const {
    const CheckpointUse& use = run().checkpoints;
    if (use.count == 0) return tr("No moment is kept yet");
    return tr("%1 moments kept, every %2 steps: %3 of %4")
        .arg(countText(use.count), countText(use.interval), bytesText(use.bytes), bytesText(use.budget));
}

QString TimeStripView::columnText(double x) const {
    const std::size_t E = numExperts();
    const double share = (x - strip_.left()) / strip_.width();
    const auto column = std::size_t(share * double(columns_));
    const auto first = std::uint64_t(double(column) * double(planned_) / double(columns_)) + 1;
    const auto last = std::max(first, std::uint64_t(double(column + 1) * double(planned_) / double(columns_)));
    QString text = first == last ? tr("Step %1").arg(countText(first))
                                 : tr("Steps %1 to %2").arg(countText(first), countText(last));
    if ((column + 1) * E > load_.size()) return text + u'\n' + tr("not trained yet");
    const auto near = std::lower_bound(loss_.points.begin(), loss_.points.end(), double(first),
                                       [](const QPointF& p, double step) { return p.x() < step; });
    if (near != loss_.points.end()) text += u'\n' + tr("loss %1").arg(lossText(near->y()));
    const std::vector<float> load(load_.begin() + std::ptrdiff_t(column * E),
                                  load_.begin() + std::ptrdiff_t((column + 1) * E));
    for (const std::size_t e : shownExperts(load, max_coloured_experts, nullptr))
        text += u'\n' + tr("expert %1: %2 of the gate weight").arg(expertName(e), percentText(double(load[e])));
    return text + u'\n' + tr("Drag to look at any moment") + u'\n' + checkpointText();
}

bool TimeStripView::event(QEvent* event) {
    if (event->type() == QEvent::ShortcutOverride) {
        // With the keyboard here these keys move through the run; elsewhere they are the window's.
        const auto* key = static_cast<QKeyEvent*>(event);
        for (const int own : {Qt::Key_Left, Qt::Key_Right, Qt::Key_Home, Qt::Key_End, Qt::Key_PageUp, Qt::Key_PageDown})
            if (key->key() == own && key->modifiers() == Qt::NoModifier) {
                event->accept();
                return true;
            }
    }
    if (event->type() != QEvent::ToolTip) return MeasureView::event(event);
    auto* help = static_cast<QHelpEvent*>(event);
    if (numExperts() == 0 || columns_ == 0 || !(help->pos().x() >= strip_.left() && help->pos().x() < strip_.right()))
        QToolTip::hideText();
    else
        QToolTip::showText(help->globalPos(), tipText(columnText(help->pos().x())), this);
    return true;
}

QString TimeStripView::labelFault() const {
    const QString fault = onButton(labels_, *back_);
    return fault.isEmpty() ? labels_.fault(QRectF(rect())) : fault;
}

QString TimeStripView::summary() const {
    const QString present = tr("Step %1 of %2, epoch %3 of %4.")
                                .arg(countText(run().step), countText(plannedSteps(run())), countText(run().epoch),
                                     countText(run().target_epochs));
    return isPast(snapshot()) ? tr("The past is shown: %1.").arg(momentText(snapshot())) + u' ' + present : present;
}

Table TimeStripView::table() const {
    Table table;
    table.title = tr("Loss and load of the experts over the run");
    table.notes.push_back(tr("share of gate weight"));
    for (const RunSetting& setting : runSettings(snapshot(), {}))
        table.notes.push_back(setting.name + u' ' + setting.value);
    table.columns = {tr("step"), tr("loss, nats")};
    const History* history = run().history.get();
    if (!history) return table;
    const std::size_t E = history->num_experts;
    for (std::size_t e = 0; e < E; ++e) table.columns.push_back(expertName(e));
    for (std::size_t i = 0; i < history->points.size(); ++i) {
        std::vector<QString> row{QString::number(history->points[i].step),
                                 QString::fromStdString(to_text(history->points[i].loss))};
        for (std::size_t e = 0; e < E; ++e) row.push_back(QString::fromStdString(to_text(history->load.at(i * E + e))));
        table.rows.push_back(std::move(row));
    }
    return table;
}

}  // namespace moe::app
