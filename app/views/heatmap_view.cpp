#include "app/views/heatmap_view.h"

#include "app/models/moment_text.h"
#include "app/models/run_settings.h"
#include "app/models/tabular_text.h"
#include "app/models/text_format.h"
#include "engine/core/family.h"
#include "engine/core/numbers.h"

#include <QHelpEvent>
#include <QKeyEvent>
#include <QMouseEvent>
#include <QSignalBlocker>
#include <QToolTip>
#include <QWheelEvent>

#include <algorithm>
#include <cmath>

namespace moe::app {

namespace {

constexpr double head_size = 10.5, number_size = 10.5, smallest_number = 9.5;
constexpr double widest_cell = 110, least_width = 34, tallest_cell = 40, least_height = 14;
constexpr double bar_width = 8, scrollbar = 8;
constexpr double most_rectangles = 1500;

}  // namespace

HeatmapView::HeatmapView(SessionController& session, QWidget* parent)
    : MeasureView(session, parent),
      across_(new QScrollBar(Qt::Horizontal, this)),
      down_(new QScrollBar(Qt::Vertical, this)),
      toggle_(new TextToggle(this)) {
    for (QScrollBar* bar : {across_, down_}) {
        bar->hide();
        connect(bar, &QScrollBar::valueChanged, this, qOverload<>(&QWidget::update));
    }
    across_->setAccessibleName(tr("Tokens"));
    down_->setAccessibleName(tr("Experts"));
    toggle_->setCheckable(true);
    toggle_->hide();
    connect(toggle_, &QAbstractButton::toggled, this, [this] {
        chosen_ = true;
        refresh();
        update();
    });
    setMouseTracking(true);
    setFocusPolicy(Qt::TabFocus);  // a click leaves the keyboard where it is
}

QString HeatmapView::scope() const {
    QStringList unknown;
    for (const ProbeWord& w : snapshot().probe.words)
        if (w.id == 0) unknown << shownText(w.text);
    // The past has less room: the title stays whole beside it.
    const QString what = isPast(snapshot()) ? atMoment(tr("weight")) : tr("gate weight");
    if (unknown.isEmpty()) return what;
    return what + tr("; left out: %1").arg(unknown.join(QStringLiteral(", ")));
}

QString HeatmapView::word(std::size_t prefix) const {
    const ProbeForward& probe = snapshot().probe;
    return shownText(probe.words[probe.prefix_words[prefix]].text);
}

double HeatmapView::weight(std::size_t prefix, std::size_t expert) const {
    return double(snapshot().probe.gate_weights[prefix * experts_ + expert]);
}

bool HeatmapView::drawnAsImage() const {
    const double visible = grid_.width() / cell_.width() * (grid_.height() / cell_.height());
    return cell_.width() < 8 || cell_.height() < 8 || visible > most_rectangles;
}

void HeatmapView::refresh() {
    const ProbeForward& probe = snapshot().probe;
    prefixes_ = probe.prefix_words.size();
    experts_ = numExperts();
    if (probe.gate_weights.size() != prefixes_ * experts_) prefixes_ = 0;
    scale_ = MagnitudeScale::ofGate(probe.gate_weights, experts_);
    toggle_->setTheme(theme_);
    // Of many experts a few rows would say little: the whole picture first, unless somebody chose otherwise.
    if (!chosen_) {
        const QSignalBlocker quiet(toggle_);
        toggle_->setChecked(double(experts_) * theme_.px(least_height) > 2 * height());
    }
    toggle_->setText(toggle_->isChecked() ? tr("read the cells") : tr("show all"));
    toggle_->setToolTip(toggle_->isChecked() ? tr("Cells large enough for their numbers, with scrolling")
                                             : tr("Every expert and token at once, without numbers"));
    arrange();
    image_ = {};
    if (prefixes_ > 0 && drawnAsImage())
        image_ = heatmapImage(probe.gate_weights, prefixes_, experts_, scale_, theme_,
                              std::size_t(std::max(1.0, double(experts_) * cell_.height())));
    if (prefix() != shown_prefix_ || snapshot().generation != shown_generation_) showFocus();
}

void HeatmapView::resizeEvent(QResizeEvent* event) {
    MeasureView::resizeEvent(event);
    refresh();
}

void HeatmapView::arrange() {
    if (prefixes_ == 0 || experts_ == 0) {
        across_->hide(), down_->hide(), toggle_->hide();
        return;
    }
    const QFontMetricsF head(theme_.font(head_size, QFont::DemiBold));
    const double head_height = head.height() + theme_.px(3);
    double row_head = theme_.px(experts_ <= max_coloured_experts ? 40 : 24);
    row_head = std::max(row_head, tabularWidth(head, expertName(experts_ - 1)) + theme_.px(10));
    const double top_label = tabularWidth(head, gateText(scale_.max, std::max(1, scale_.digits() - 1)));
    const double legend_width = theme_.px(12 + bar_width + 4) + std::max(top_label, theme_.px(14));

    QRectF room(row_head, head_height, width() - row_head - legend_width, height() - head_height);
    const double columns = double(prefixes_), rows = double(experts_);
    QSizeF fitting(std::min(room.width() / columns, theme_.px(widest_cell)),
                   std::min(room.height() / rows, theme_.px(tallest_cell)));
    // Few experts are never scrolled for a pixel or two.
    const double least = experts_ <= max_coloured_experts ? theme_.px(9.5) : theme_.px(least_height);
    bool wide = fitting.width() < theme_.px(least_width);
    const bool high = fitting.height() < least;
    const bool whole = toggle_->isChecked();
    const double thickness = theme_.px(scrollbar);
    if (high && !whole) {
        room.setRight(room.right() - thickness);
        fitting.setWidth(std::min(room.width() / columns, theme_.px(widest_cell)));
        wide = fitting.width() < theme_.px(least_width);
    }
    toggle_->setVisible(wide || high);
    if (wide || high) {
        toggle_->placeAt(width(), height());
        room.setBottom(room.bottom() - toggle_->height() - theme_.px(2));
        fitting.setHeight(std::min(room.height() / rows, theme_.px(tallest_cell)));
    }
    cell_ = fitting;
    if (!whole) {
        if (wide) cell_.setWidth(theme_.px(least_width));
        if (high) cell_.setHeight(std::max(fitting.height(), theme_.px(least_height)));
    }
    across_->setVisible(wide && !whole);
    down_->setVisible(high && !whole);
    grid_ = QRectF(room.topLeft(), QSizeF(std::min(room.width(), columns * cell_.width()),
                                          std::min(room.height(), rows * cell_.height())));
    // Cells end where the grid ends: no half rows.
    if (!whole && high) grid_.setHeight(std::max(1.0, std::floor(grid_.height() / cell_.height())) * cell_.height());
    const QSignalBlocker quiet_across(across_), quiet_down(down_);
    across_->setGeometry(
        QRectF(grid_.left(), height() - thickness, grid_.width() - toggle_->width(), thickness).toRect());
    across_->setRange(0, int(std::ceil(columns * cell_.width() - grid_.width())));
    across_->setPageStep(int(grid_.width()));
    across_->setSingleStep(int(cell_.width()));
    down_->setGeometry(QRectF(grid_.right() + 1, grid_.top(), thickness, grid_.height()).toRect());
    down_->setRange(0, int(std::ceil(rows * cell_.height() - grid_.height())));
    down_->setPageStep(int(grid_.height()));
    down_->setSingleStep(int(cell_.height()));
    if (!across_->isVisibleTo(this)) across_->setValue(0);
    if (!down_->isVisibleTo(this)) down_->setValue(0);
    // Beside the cells, however few they are.
    const double beside = grid_.right() + (down_->isVisibleTo(this) ? thickness : 0) + theme_.px(12);
    legend_ = QRectF(beside, grid_.top(), theme_.px(bar_width), grid_.height());
}

void HeatmapView::showFocus() {
    shown_prefix_ = prefix();
    shown_generation_ = snapshot().generation;
    if (!across_->isVisibleTo(this)) return;
    const double left = double(prefix()) * cell_.width();
    if (left < across_->value())
        across_->setValue(int(left));
    else if (left + cell_.width() > across_->value() + grid_.width())
        across_->setValue(int(std::ceil(left + cell_.width() - grid_.width())));
}

QRectF HeatmapView::cellRect(std::size_t prefix, std::size_t expert) const {
    return {grid_.left() + double(prefix) * cell_.width() - across_->value(),
            grid_.top() + double(expert) * cell_.height() - down_->value(), cell_.width(), cell_.height()};
}

std::optional<HeatmapView::Cell> HeatmapView::cellAt(QPointF position) const {
    if (prefixes_ == 0 || !grid_.contains(position)) return {};
    const double x = (position.x() - grid_.left() + across_->value()) / cell_.width();
    const double y = (position.y() - grid_.top() + down_->value()) / cell_.height();
    const Cell cell{std::size_t(std::max(0.0, x)), std::size_t(std::max(0.0, y))};
    if (cell.prefix >= prefixes_ || cell.expert >= experts_) return {};
    return cell;
}

void HeatmapView::paintEvent(QPaintEvent*) {
    ensureFresh();
    labels_.clear();
    QPainter painter(this);
    painter.setRenderHints(QPainter::Antialiasing | QPainter::TextAntialiasing);
    if (prefixes_ == 0) {
        painter.setFont(theme_.font(12));
        painter.setPen(theme_.muted);
        labels_.drawWrapped(painter, rect(), tr("Type a phrase with a word that the model knows"));
        return;
    }
    paintCells(painter);
    paintHeads(painter);
    paintFocus(painter);
    paintLegend(painter);
}

void HeatmapView::paintCells(QPainter& painter) {
    painter.save();
    painter.setClipRect(grid_);
    if (!image_.isNull()) {
        painter.setRenderHint(QPainter::SmoothPixmapTransform, cell_.width() < 1);
        const QSizeF whole(double(prefixes_) * cell_.width(), double(experts_) * cell_.height());
        painter.drawImage(QRectF(cellRect(0, 0).topLeft(), whole), image_);
        painter.restore();
        return;
    }
    const int digits = scale_.digits();
    const QString sample = gateText(scale_.max, digits);
    double size = number_size;
    const auto fits = [&](double pixels) {
        const QFontMetricsF metrics(theme_.font(pixels));
        return tabularWidth(metrics, sample) <= cell_.width() - theme_.px(5) &&
               1.3 * theme_.px(pixels) <= cell_.height();  // air above and below, else colours alone
    };
    if (!fits(size)) size = smallest_number;
    const bool numbers = fits(size);
    painter.setFont(theme_.font(size));
    const std::size_t first = std::size_t(across_->value() / cell_.width());
    const std::size_t top = std::size_t(down_->value() / cell_.height());
    const double radius = std::min(theme_.px(3), cell_.height() / 4);
    for (std::size_t p = first; p < prefixes_; ++p) {
        if (cellRect(p, top).left() > grid_.right()) break;
        for (std::size_t e = top; e < experts_; ++e) {
            const QRectF cell = cellRect(p, e);
            if (cell.top() > grid_.bottom()) break;
            const QColor color = scale_.color(theme_, weight(p, e));
            painter.setPen(Qt::NoPen);
            painter.setBrush(color);
            painter.drawRoundedRect(cell.adjusted(1, 1, -1, -1), radius, radius);
            if (!numbers) continue;
            painter.setPen(theme_.textOn(color));
            drawTabular(painter, cell, Qt::AlignHCenter | Qt::AlignVCenter, gateCellText(weight(p, e), digits));
        }
    }
    painter.restore();
}

void HeatmapView::paintHeads(QPainter& painter) {
    const QFont plain = theme_.font(head_size), strong = theme_.font(head_size, QFont::DemiBold);
    const QFontMetricsF metrics(plain);
    // Columns: words while they have room, else every n-th token by its number.
    const bool words = cell_.width() >= theme_.px(30);
    std::size_t every = 1;
    while (!words && double(every) * cell_.width() < theme_.px(34)) every *= every == 2 || every == 20 ? 5 : 2;
    for (std::size_t p = 0; p < prefixes_; ++p) {
        if (!words && p > 0 && (p + 1) % every != 0) continue;
        const QRectF cell = cellRect(p, 0);
        const QRectF head(cell.left(), 0, cell.width(), metrics.height());
        if (head.left() < grid_.left() - 1 || head.right() > grid_.right() + 1) continue;
        painter.setFont(p == prefix() ? strong : plain);
        painter.setPen(p == prefix() ? theme_.ink : theme_.muted);
        const QFontMetricsF own(painter.font());
        if (words)
            labels_.draw(painter, head, Qt::AlignHCenter, elided(own, word(p), cell.width() - 2));
        else if (p == 0 || (p + 1) % every == 0)
            labels_.draw(painter, head, Qt::AlignLeft, QString::number(p + 1));
    }
    std::size_t rows = 1;
    while (double(rows) * cell_.height() < theme_.px(9.5)) rows *= rows == 2 || rows == 20 ? 5 : 2;
    for (std::size_t e = 0; e < experts_; ++e) {
        if (e % rows != 0) continue;
        const QRectF cell = cellRect(0, e);
        if (cell.top() < grid_.top() - 1) continue;
        if (cell.top() + std::min(cell.height(), theme_.px(11)) > grid_.bottom() + 2) break;
        const bool focused = expert() == e;
        const double middle = rows == 1 ? cell.center().y() : cell.top() + metrics.height() / 2;
        const double mark = std::min(theme_.px(10), cell.height() * 0.8);
        const bool marked = experts_ <= max_coloured_experts;
        if (marked) painter.fillPath(expertShape(e, {theme_.px(10), middle}, mark), theme_.expert(e));
        painter.setFont(focused ? theme_.font(head_size, QFont::Bold) : theme_.font(head_size, QFont::DemiBold));
        painter.setPen(focused && !marked ? theme_.expert(e) : theme_.ink);
        labels_.draw(painter,
                     {marked ? theme_.px(22) : theme_.px(2), middle - metrics.height() / 2, 1, metrics.height()},
                     Qt::AlignLeft, expertName(e));
    }
}

void HeatmapView::outline(QPainter& painter, QRectF rect, const QColor& color, double width) const {
    rect = rect.intersected(grid_.adjusted(-1, -1, 1, 1));
    if (rect.isEmpty()) return;
    painter.setBrush(Qt::NoBrush);
    painter.setPen(QPen(color, width));
    painter.drawRoundedRect(rect, theme_.px(4), theme_.px(4));
}

void HeatmapView::paintFocus(QPainter& painter) {
    const QRectF column = cellRect(prefix(), 0).united(cellRect(prefix(), experts_ - 1));
    if (prefixes_ > 1) outline(painter, column, theme_.ink, 1.25);
    if (expert()) {
        const QRectF row = cellRect(0, *expert()).united(cellRect(prefixes_ - 1, *expert()));
        outline(painter, row, theme_.expert(*expert()), 2);
    }
    if (hovered_) outline(painter, cellRect(hovered_->prefix, hovered_->expert), theme_.ink, 2);
    if (by_keyboard_) outline(painter, grid_, theme_.muted, 2);
}

void HeatmapView::paintLegend(QPainter& painter) {
    QLinearGradient gradient(0, legend_.bottom(), 0, legend_.top());
    for (int i = 0; i <= 8; ++i) gradient.setColorAt(i / 8.0, theme_.magnitude(i / 8.0));
    painter.setPen(Qt::NoPen);
    painter.setBrush(gradient);
    painter.drawRoundedRect(legend_, 2, 2);
    painter.setFont(theme_.font(head_size));
    painter.setPen(theme_.muted);
    const double row = QFontMetricsF(painter.font()).height(), x = legend_.right() + theme_.px(4);
    labels_.draw(painter, {x, legend_.top() - 2, 1, row}, Qt::AlignLeft,
                 gateText(scale_.max, std::max(1, scale_.digits() - 1)));
    labels_.draw(painter, {x, legend_.bottom() - row + 2, 1, row}, Qt::AlignLeft, QStringLiteral("0"));
}

bool HeatmapView::event(QEvent* event) {
    if (event->type() != QEvent::ToolTip) return MeasureView::event(event);
    auto* help = static_cast<QHelpEvent*>(event);
    QString text;
    if (const auto cell = cellAt(help->pos())) {
        text = tr("“%1”\nexpert %2: gate weight %3")
                   .arg(routedText(cell->prefix), expertName(cell->expert),
                        weight(cell->prefix, cell->expert) == 0 ? tr("0, not chosen")
                                                                : gateText(weight(cell->prefix, cell->expert), 3));
    } else if (prefixes_ > 0 && help->pos().y() < grid_.top() && help->pos().x() > grid_.left()) {
        if (const auto below = cellAt({double(help->pos().x()), grid_.top() + 1}))
            text = (routes_tokens(snapshot().experiment.model) ? tr("“%1”, token %2 by itself")
                                                               : tr("“%1”, the phrase up to token %2"))
                       .arg(routedText(below->prefix), QString::number(below->prefix + 1));
    } else if (legend_.adjusted(-4, 0, 30, 0).contains(help->pos())) {
        text = tr("Gate weight from 0, paper, to %1, ink").arg(gateText(scale_.max, scale_.digits()));
    }
    if (text.isEmpty())
        QToolTip::hideText();
    else
        QToolTip::showText(help->globalPos(), tipText(text), this);
    return true;
}

void HeatmapView::mousePressEvent(QMouseEvent* event) {
    const QPointF at = event->position();
    if (const auto cell = cellAt(at)) {
        const bool again = cell->prefix == prefix() && expert() == cell->expert;
        session_.setFocusedPrefix(cell->prefix);
        session_.setFocusedExpert(again ? std::nullopt : std::optional(cell->expert));
    } else if (prefixes_ > 0 && at.y() < grid_.top()) {
        if (const auto below = cellAt({at.x(), grid_.top() + 1})) session_.setFocusedPrefix(below->prefix);
    } else if (prefixes_ > 0 && at.x() < grid_.left()) {
        if (const auto beside = cellAt({grid_.left() + 1, at.y()}))
            session_.setFocusedExpert(expert() == beside->expert ? std::nullopt : std::optional(beside->expert));
    } else {
        MeasureView::mousePressEvent(event);
    }
}

void HeatmapView::mouseMoveEvent(QMouseEvent* event) {
    const auto cell = cellAt(event->position());
    if (cell == hovered_) return;
    hovered_ = cell;
    update();
}

void HeatmapView::leaveEvent(QEvent* event) {
    MeasureView::leaveEvent(event);
    hovered_.reset();
    update();
}

void HeatmapView::wheelEvent(QWheelEvent* event) {
    const bool sideways = std::abs(event->angleDelta().x()) > std::abs(event->angleDelta().y()) ||
                          event->modifiers().testFlag(Qt::ShiftModifier) || !down_->isVisible();
    QScrollBar* bar = sideways ? across_ : down_;
    if (!bar->isVisible()) return MeasureView::wheelEvent(event);
    const int delta = event->angleDelta().x() != 0 && sideways ? event->angleDelta().x() : event->angleDelta().y();
    bar->setValue(bar->value() - delta * bar->singleStep() * 3 / 120);
    event->accept();
}

void HeatmapView::keyPressEvent(QKeyEvent* event) {
    const std::size_t p = prefix(), e = expert().value_or(0);
    // Left and Right go through operations, batches and epochs everywhere; Alt moves the focus here.
    const bool alt = event->modifiers().testFlag(Qt::AltModifier);
    if (event->key() == Qt::Key_Left && alt && p > 0)
        session_.setFocusedPrefix(p - 1);
    else if (event->key() == Qt::Key_Right && alt && p + 1 < prefixes_)
        session_.setFocusedPrefix(p + 1);
    else if (event->key() == Qt::Key_Up && experts_ > 0)
        session_.setFocusedExpert(expert() && e > 0 ? e - 1 : 0);
    else if (event->key() == Qt::Key_Down && experts_ > 0)
        session_.setFocusedExpert(expert() ? std::min(e + 1, experts_ - 1) : 0);
    else
        MeasureView::keyPressEvent(event);
}

void HeatmapView::focusInEvent(QFocusEvent* event) {
    MeasureView::focusInEvent(event);
    by_keyboard_ = event->reason() == Qt::TabFocusReason || event->reason() == Qt::BacktabFocusReason;
    update();
}

void HeatmapView::focusOutEvent(QFocusEvent* event) {
    MeasureView::focusOutEvent(event);
    by_keyboard_ = false;
    update();
}

QString HeatmapView::summary() const {
    const ProbeForward& probe = snapshot().probe;
    if (probe.prefix_words.empty() || probe.gate_weights.empty())
        return tr("The phrase has no word that the model knows.");
    const std::size_t E = numExperts(), p = prefix();
    if (probe.gate_weights.size() < (p + 1) * E) return {};
    const auto first = probe.gate_weights.begin() + std::ptrdiff_t(p * E);
    const auto heaviest = std::size_t(std::max_element(first, first + std::ptrdiff_t(E)) - first);
    return tr("%1 experts by %2 tokens. For “%3” expert %4 has the largest gate weight, %5.")
        .arg(QString::number(E), QString::number(probe.prefix_words.size()), routedText(p), expertName(heaviest),
             gateText(double(first[std::ptrdiff_t(heaviest)]), 3));
}

Table HeatmapView::table() const {
    Table table;
    table.title = title();
    table.notes.push_back(tr("gate weight of each expert for the phrase up to each token"));
    for (const RunSetting& setting : runSettings(snapshot(), {}))
        table.notes.push_back(setting.name + u' ' + setting.value);
    const ProbeForward& probe = snapshot().probe;
    const std::size_t P = probe.prefix_words.size(), E = numExperts();
    table.columns.push_back(tr("expert"));
    for (std::size_t p = 0; p < P; ++p) table.columns.push_back(shownText(probe.words[probe.prefix_words[p]].text));
    if (probe.gate_weights.size() != P * E) return table;
    for (std::size_t e = 0; e < E; ++e) {
        std::vector<QString> row{expertName(e)};
        for (std::size_t p = 0; p < P; ++p)
            row.push_back(QString::fromStdString(to_text(probe.gate_weights[p * E + e])));
        table.rows.push_back(std::move(row));
    }
    return table;
}

}  // namespace moe::app
