#include "app/shell/stepping_list.h"

#include "app/models/tabular_text.h"
#include "app/models/text_format.h"
#include "app/session/stepper.h"
#include "app/shell/style.h"

#include <QContextMenuEvent>
#include <QHBoxLayout>
#include <QHelpEvent>
#include <QLabel>
#include <QMenu>
#include <QPainter>
#include <QPushButton>
#include <QScrollArea>
#include <QToolTip>
#include <QVBoxLayout>
#include <QWheelEvent>

#include <algorithm>
#include <cmath>

namespace moe::app {

namespace {

constexpr double best_row = 23.5, least_row = 18.5,
                 heading = 23;               // a row gives way before the list scrolls
constexpr std::size_t listed_examples = 24;  // around the present one, in the menu

/// As many of the last words as fit, which are what the next word follows; no word is cut. Empty where none fits.
template <class Fits>
QString lastWords(const QString& text, Fits fits) {
    if (fits(text)) return text;
    QString longest;
    for (qsizetype at = text.lastIndexOf(u' '); at >= 0; at = at > 0 ? text.lastIndexOf(u' ', at - 1) : -1) {
        const QString words = QStringLiteral("… ") + text.mid(at + 1);
        if (!fits(words)) break;
        longest = words;
    }
    return longest;
}

/// For the list of examples, where a single word may be as long as it likes to be.
QString shortPhrase(const ExamplePhrase& phrase, qsizetype longest) {
    const QString text = shownText(phrase.arrowed());
    const QString words = lastWords(text, [&](const QString& some) { return some.size() <= longest; });
    return words.isEmpty() ? text.left(longest - 1) + u'…' : words;
}

}  // namespace

OperationList::OperationList(Stepper& stepper, QWidget* parent) : QWidget(parent), stepper_(stepper) {
    setMouseTracking(true);
    setAccessibleName(tr("Operations of the batch"));
    setSizePolicy(QSizePolicy::Preferred, QSizePolicy::Fixed);
}

void OperationList::setTheme(const Theme& theme) {
    theme_ = theme;
    updateGeometry();
    update();
}

std::vector<OperationList::Line> OperationList::lines() const {
    std::vector<Line> found;
    const Trace* trace = stepper_.trace().get();
    if (!trace) return found;
    double y = 0;
    const double row_height = rowHeight();
    const double left = theme_.px(12), width = this->width() - theme_.px(24);
    for (std::size_t i = 0; i < trace->ops.size(); ++i) {
        const TraceOp& op = trace->ops[i];
        if (i == 0 || trace->ops[i - 1].phase != op.phase) {
            found.push_back({std::nullopt, phaseName(op.phase), op.phase, {left, y, width, theme_.px(heading)}});
            y += theme_.px(heading);
        }
        found.push_back({i, operationName(op, trace->experiment.model), op.phase, {left, y, width, row_height}});
        y += row_height;
    }
    return found;
}

double OperationList::rowHeight() const {
    const Trace& trace = *stepper_.trace();
    std::size_t headings = 0;
    for (std::size_t i = 0; i < trace.ops.size(); ++i)
        headings += i == 0 || trace.ops[i - 1].phase != trace.ops[i].phase;
    const double free = room_ - double(headings) * theme_.px(heading);
    return std::clamp(std::floor(free / double(trace.ops.size())), theme_.px(least_row), theme_.px(best_row));
}

void OperationList::setRoom(int height) {
    if (room_ == height) return;
    room_ = height;
    updateGeometry();
    update();
}

QSize OperationList::sizeHint() const {
    const auto all = lines();
    return {int(theme_.px(column_width)), all.empty() ? 0 : int(std::ceil(all.back().place.bottom()))};
}

QRect OperationList::currentPlace() const {
    for (const Line& line : lines())
        if (line.operation == stepper_.operation()) return line.place.toAlignedRect();
    return {};
}

std::optional<std::size_t> OperationList::operationAt(QPointF point) const {
    for (const Line& line : lines())
        if (line.operation && line.place.contains(point)) return line.operation;
    return std::nullopt;
}

void OperationList::paintEvent(QPaintEvent*) {
    QPainter p(this);
    p.setRenderHint(QPainter::Antialiasing);
    cut_.clear();
    const std::size_t now = stepper_.operation();
    for (const Line& line : lines()) {
        const double y = line.place.center().y();
        if (!line.operation) {
            p.setFont(theme_.font(11, QFont::DemiBold));
            p.setPen(theme_.muted);
            p.drawText(line.place.adjusted(theme_.px(8), theme_.px(3), 0, 0), Qt::AlignLeft | Qt::AlignVCenter,
                       line.text);
            continue;
        }
        const bool current = *line.operation == now, done = *line.operation < now;
        if (current || hovered_ == line.operation) {
            p.setPen(Qt::NoPen);
            p.setBrush(current ? theme_.ink : theme_.track);
            p.drawRoundedRect(line.place, theme_.px(6), theme_.px(6));
        }
        const QPointF dot(line.place.left() + theme_.px(16), y);
        const QColor mark = line.phase == TracePhase::backward ? theme_.gradient
                            : current                          ? theme_.textOn(theme_.ink)
                                                               : theme_.ink;
        if (done || current) {
            p.setPen(Qt::NoPen);
            p.setBrush(mark);
            p.drawEllipse(dot, theme_.px(3.6), theme_.px(3.6));
        } else {
            p.setPen(QPen(theme_.muted, theme_.px(1.3)));
            p.setBrush(Qt::NoBrush);
            p.drawEllipse(dot, theme_.px(3.2), theme_.px(3.2));
        }
        const QRectF text = line.place.adjusted(theme_.px(30), 0, -theme_.px(6), 0);
        p.setFont(theme_.font(12.5, current ? QFont::DemiBold : QFont::Normal));
        // A longer language is set smaller before it is cut.
        double size = 12.5;
        while (size > 9.5 && QFontMetricsF(p.font()).horizontalAdvance(line.text) > text.width())
            p.setFont(theme_.font(size -= 0.5, current ? QFont::DemiBold : QFont::Normal));
        p.setPen(current ? theme_.textOn(theme_.ink) : done ? theme_.ink : theme_.muted);
        const QString shown = elided(QFontMetricsF(p.font()), line.text, text.width());
        if (shown != line.text) cut_ << line.text;
        p.drawText(text, Qt::AlignLeft | Qt::AlignVCenter | Qt::TextSingleLine, shown);
    }
}

bool OperationList::event(QEvent* event) {
    if (event->type() == QEvent::ToolTip) {
        auto* help = static_cast<QHelpEvent*>(event);
        const auto op = operationAt(help->pos());
        if (op && stepper_.trace())
            QToolTip::showText(
                help->globalPos(),
                tipText(tr("%1\nOperation %2 of %3; click to go there")
                            .arg(operationPage(*stepper_.trace(), *op, stepper_.example(), *stepper_.words()).title)
                            .arg(*op + 1)
                            .arg(stepper_.trace()->ops.size())),
                this);
        else
            QToolTip::hideText();
        return true;
    }
    return QWidget::event(event);
}

void OperationList::mousePressEvent(QMouseEvent* event) {
    if (const auto op = operationAt(event->position()); op && event->button() == Qt::LeftButton)
        stepper_.setOperation(*op);
}

void OperationList::mouseMoveEvent(QMouseEvent* event) {
    const auto op = operationAt(event->position());
    setCursor(op ? Qt::PointingHandCursor : Qt::ArrowCursor);
    if (op == hovered_) return;
    hovered_ = op;
    update();
}

void OperationList::leaveEvent(QEvent*) {
    hovered_.reset();
    update();
}

ExamplePicker::ExamplePicker(Stepper& stepper, QWidget* parent) : QAbstractButton(parent), stepper_(stepper) {
    setFocusPolicy(Qt::TabFocus);
    setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Fixed);
    connect(this, &QAbstractButton::clicked, this, &ExamplePicker::choose);
}

void ExamplePicker::setTheme(const Theme& theme) {
    theme_ = theme;
    updateGeometry();
    update();
}

QSize ExamplePicker::sizeHint() const {
    return {int(theme_.px(148)), int(theme_.px(26))};
}

void ExamplePicker::refresh() {
    const Trace* trace = stepper_.trace().get();
    if (!trace || stepper_.example() >= trace->examples) return;
    const ExamplePhrase phrase = examplePhrase(*trace, stepper_.example(), *stepper_.words());
    phrase_ = shownText(phrase.arrowed());
    count_ = tr("%1 of %2").arg(stepper_.example() + 1).arg(trace->examples);
    setAccessibleName(tr("Example %1: %2").arg(count_, phrase_));
    setToolTip(tipText(
        tr("%1\nExample %2 of the batch. Up and Down go through them; a click lists them.").arg(phrase_, count_)));
    update();
}

void ExamplePicker::paintEvent(QPaintEvent*) {
    QPainter p(this);
    p.setRenderHint(QPainter::Antialiasing);
    p.setPen(hasFocus() || underMouse() ? QPen(theme_.muted, 1) : Qt::NoPen);
    p.setBrush(theme_.page);
    p.drawRoundedRect(QRectF(rect()).adjusted(0.5, 0.5, -0.5, -0.5), theme_.px(6), theme_.px(6));
    const QRectF inner = QRectF(rect()).adjusted(theme_.px(10), 0, -theme_.px(9), 0);
    p.setFont(theme_.font(10.5));
    p.setPen(theme_.muted);
    drawTabular(p, inner, Qt::AlignRight | Qt::AlignVCenter, count_);
    const Shown words = shown();
    p.setFont(words.font);
    p.setPen(theme_.ink);
    p.drawText(words.place, Qt::AlignLeft | Qt::AlignVCenter | Qt::TextSingleLine, words.text);
}

QString ExamplePicker::shownPhrase() const {
    return shown().text;
}

ExamplePicker::Shown ExamplePicker::shown() const {
    const double count = tabularWidth(theme_.font(10.5), count_) + theme_.px(8);
    const QRectF place = QRectF(rect()).adjusted(theme_.px(10), 0, -theme_.px(9) - count, 0);
    QString words;
    QFont font;
    for (double size = 12.5; size >= 10.5; size -= 0.5) {
        font = theme_.font(size, QFont::Medium);
        const QFontMetricsF metrics(font);
        words =
            lastWords(phrase_, [&](const QString& some) { return metrics.horizontalAdvance(some) <= place.width(); });
        if (words == phrase_) break;
    }
    // One word that is longer than the whole chip.
    if (words.isEmpty()) words = QFontMetricsF(font).elidedText(phrase_, Qt::ElideLeft, place.width());
    return {words, font, place};
}

void ExamplePicker::wheelEvent(QWheelEvent* event) {
    const std::size_t now = stepper_.example();
    if (event->angleDelta().y() < 0)
        stepper_.setExample(now + 1);
    else if (now > 0)
        stepper_.setExample(now - 1);
    event->accept();
}

void ExamplePicker::choose() {
    const std::shared_ptr<const Trace> trace = stepper_.trace();
    if (!trace) return;
    auto* menu = new QMenu(this);
    menu->setAttribute(Qt::WA_DeleteOnClose);
    const std::size_t now = stepper_.example();
    const std::size_t first = trace->examples <= listed_examples ? 0
                                                                 : std::min(now - std::min(now, listed_examples / 2),
                                                                            trace->examples - listed_examples);
    const std::size_t last = std::min(trace->examples, first + listed_examples);
    const auto add = [&](std::size_t n, const QString& text) {
        QAction* a = menu->addAction(QString(text).replace(u'&', QStringLiteral("&&")));
        connect(a, &QAction::triggered, &stepper_, [this, n] { stepper_.setExample(n); });
        return a;
    };
    if (first > 0) add(first - 1, tr("%1 before").arg(countText(first)));
    for (std::size_t n = first; n < last; ++n) {
        QAction* a = add(n, QStringLiteral("%1   %2").arg(
                                QString::number(n + 1), shortPhrase(examplePhrase(*trace, n, *stepper_.words()), 48)));
        a->setCheckable(true);
        a->setChecked(n == now);
    }
    if (last < trace->examples) add(last, tr("%1 after").arg(countText(trace->examples - last)));
    menu->popup(mapToGlobal(QPoint(0, height())));
}

SteppingList::SteppingList(Stepper& stepper, QWidget* parent) : QFrame(parent), stepper_(stepper) {
    setRole(this, "column");
    const auto label = [this](const char* role, bool wrap) {
        auto* l = new QLabel(this);
        l->setTextFormat(Qt::PlainText);
        l->setWordWrap(wrap);
        setRole(l, role);
        return l;
    };
    batch_ = label("caption", true);
    title_ = label("question", true);
    example_ = label("caption", false);
    example_->setText(tr("Example"));
    picker_ = new ExamplePicker(stepper, this);
    example_->setBuddy(picker_);
    padding_ = label("caption", true);
    state_ = label("label", true);
    keys_ = label("caption", true);
    keys_->setText(tr("← back · → next · ⇧ batch · Ctrl epoch · ↑↓ example"));
    operations_ = new OperationList(stepper, nullptr);
    scroll_ = new QScrollArea(this);
    scroll_->setFrameShape(QFrame::NoFrame);
    scroll_->setWidgetResizable(true);
    scroll_->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    scroll_->setFocusPolicy(Qt::NoFocus);
    scroll_->viewport()->setAutoFillBackground(false);
    scroll_->setWidget(operations_);
    operations_->setAutoFillBackground(false);
    const auto button = [this](const QString& text, const QString& tip) {
        auto* b = new QPushButton(text, this);
        b->setToolTip(tip);
        b->setFocusPolicy(Qt::TabFocus);
        return b;
    };
    replay_ = button(tr("Replay"), tr("Plays the beat of this operation once more (Space)"));
    leave_ = button(tr("Leave"), tr("Back to the run; the next time it goes on here (Esc)"));
    setRole(replay_, "option");
    setRole(leave_, "option");
    connect(replay_, &QPushButton::clicked, &stepper_, &Stepper::replay);
    connect(leave_, &QPushButton::clicked, &stepper_, &Stepper::leave);

    auto* head = new QVBoxLayout;
    head->setContentsMargins(20, 18, 18, 4);
    head->setSpacing(3);
    head->addWidget(batch_);
    head->addWidget(title_);
    head->addSpacing(4);
    auto* row = new QHBoxLayout;
    row->setSpacing(10);
    row->addWidget(example_);
    row->addWidget(picker_, 1);
    head->addLayout(row);
    head->addWidget(padding_);
    auto* foot = new QVBoxLayout;
    foot->setContentsMargins(20, 6, 18, 12);
    foot->setSpacing(6);
    foot->addWidget(state_);
    auto* buttons = new QHBoxLayout;
    buttons->setSpacing(8);
    buttons->addWidget(replay_, 1);
    buttons->addWidget(leave_, 1);
    foot->addLayout(buttons);
    foot->addWidget(keys_);
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, 0, 1, 0);
    column->setSpacing(0);
    column->addLayout(head);
    column->addWidget(scroll_, 1);
    column->addLayout(foot);
}

void SteppingList::setTheme(const Theme& theme) {
    setFixedWidth(int(theme.px(column_width)));
    scaleLayouts(this, theme.scale);
    picker_->setTheme(theme);
    operations_->setTheme(theme);
}

void SteppingList::resizeEvent(QResizeEvent* event) {
    QFrame::resizeEvent(event);
    layout()->activate();
    operations_->setRoom(scroll_->viewport()->height());
}

void SteppingList::refresh(const QString& state) {
    const Trace* trace = stepper_.trace().get();
    state_->setText(state);
    state_->setVisible(!state.isEmpty());
    for (QWidget* w :
         {static_cast<QWidget*>(picker_), static_cast<QWidget*>(example_), static_cast<QWidget*>(operations_)})
        w->setVisible(trace);
    if (!trace) {
        batch_->setText(tr("Step through"));
        title_->setText(tr("A batch"));
        padding_->hide();
        return;
    }
    batch_->setText(tr("Step through · batch %1").arg(countText(trace->step + 1)));
    batch_->setToolTip(tr("The batch that follows %1 trained steps, in epoch %2")
                           .arg(countText(trace->step), countText(trace->epoch + 1)));
    title_->setText(tr("Operation %1 of %2").arg(stepper_.operation() + 1).arg(trace->ops.size()));
    picker_->refresh();
    const std::size_t padding =
        stepper_.example() < trace->examples ? examplePhrase(*trace, stepper_.example(), *stepper_.words()).padding : 0;
    padding_->setVisible(padding > 0);
    padding_->setText(trace->experiment.model.mask_zero ? tr("padding × %1 in front, masked out").arg(padding)
                                                        : tr("padding × %1 in front, averaged in").arg(padding));
    layout()->activate();
    operations_->setRoom(scroll_->viewport()->height());
    operations_->updateGeometry();
    operations_->update();
    const QRect place = operations_->currentPlace();
    scroll_->ensureVisible(place.center().x(), place.center().y(), 0, place.height() * 2);
}

}  // namespace moe::app
