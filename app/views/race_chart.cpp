#include "app/views/race_chart.h"

#include "app/models/axis.h"
#include "app/models/tabular_text.h"
#include "app/models/text_format.h"

#include <QKeyEvent>
#include <QMouseEvent>
#include <QPainter>

#include <algorithm>
#include <cmath>

namespace moe::app {

namespace {

constexpr double caption_size = 10.5, dot_size = 7;
constexpr int least_power = 1, most_power = 5;  // of the axis before anything is measured

}  // namespace

RaceChart::RaceChart(QWidget* parent) : QWidget(parent) {
    setMouseTracking(true);
    setFocusPolicy(Qt::TabFocus);
    setMinimumSize(160, 110);
}

const std::vector<std::size_t>& RaceChart::widths() const {
    static const std::vector<std::size_t> usual = race_widths();
    return contest_.state().widths.empty() ? usual : contest_.state().widths;
}

void RaceChart::show(const DeviceContest& contest, const DeviceContest& before, double guess, const Theme& theme) {
    contest_ = contest;
    before_ = before;
    guess_ = guess;
    theme_ = theme;
    low_ = least_power, high_ = most_power;
    for (const DeviceContest* shown : {&contest_, &before_})
        for (const ContestLine& line : shown->lines())
            for (const QPointF& p : line.points) {
                low_ = std::min(low_, int(std::floor(std::log10(p.y()))));
                high_ = std::max(high_, int(std::ceil(std::log10(p.y()))));
            }
    if (read_ && *read_ >= widths().size()) read_.reset();
    if (pointed_ && *pointed_ >= widths().size()) pointed_.reset();
    update();
}

std::optional<std::size_t> RaceChart::reading() const {
    const auto index = pointed_ ? pointed_ : read_;
    return index ? std::optional(widths()[*index]) : std::nullopt;
}

void RaceChart::arrange() {
    const QFontMetricsF metrics(theme_.font(caption_size));
    const double row = metrics.height();
    double left = 0;
    for (int power = low_; power <= high_; ++power)
        left = std::max(left, tabularWidth(theme_.font(caption_size), rateText(std::pow(10, power))));
    left += theme_.px(10);
    const double right = metrics.horizontalAdvance(QStringLiteral("GPU")) + theme_.px(12);
    plot_ = QRectF(left, row + theme_.px(8), std::max(20.0, width() - left - right),
                   std::max(20.0, height() - 3 * row - theme_.px(14)));
}

QPointF RaceChart::at(double width, double rate) const {
    const double first = std::log2(double(widths().front())), last = std::log2(double(widths().back()));
    const double x = last > first ? (std::log2(width) - first) / (last - first) : 0.5;
    const double y = (std::log10(rate) - low_) / (high_ - low_);
    return {plot_.left() + x * plot_.width(), plot_.bottom() - y * plot_.height()};
}

void RaceChart::paintEvent(QPaintEvent*) {
    QPainter painter(this);
    painter.setRenderHints(QPainter::Antialiasing | QPainter::TextAntialiasing);
    labels_.clear();
    points_drawn_ = 0;
    arrange();
    paintGround(painter);
    paintAxes(painter);
    paintGuess(painter);
    paintBefore(painter);
    paintLines(painter);
    if (hasFocus()) {
        painter.setBrush(Qt::NoBrush);
        painter.setPen(QPen(theme_.muted, 1));
        painter.drawRect(QRectF(plot_.toAlignedRect()).adjusted(0.5, 0.5, 0.5, 0.5));
    }
}

// From halfway between the last width that the CPU won and the first that the GPU did.
void RaceChart::paintGround(QPainter& painter) {
    const auto from = contest_.crossing();
    if (!from) return;
    const auto& all = widths();
    const auto here = std::ranges::find(all, *from);
    const double first = at(double(*from), 1).x();
    const double left = here == all.begin() ? plot_.left() : (first + at(double(*(here - 1)), 1).x()) / 2;
    painter.fillRect(QRectF(QPointF(left, plot_.top()), plot_.bottomRight()), theme_.track);
    painter.setFont(theme_.font(caption_size));
    painter.setPen(theme_.muted);
    const double row = QFontMetricsF(painter.font()).height();
    labels_.draw(painter, {plot_.right() - 1, plot_.top() - row - theme_.px(2), 1, row}, Qt::AlignRight,
                 tr("GPU faster"));
}

void RaceChart::paintAxes(QPainter& painter) {
    painter.setFont(theme_.font(caption_size));
    const double row = QFontMetricsF(painter.font()).height();
    for (int power = low_; power <= high_; ++power) {
        const double rate = std::pow(10, power), y = std::round(at(double(widths().front()), rate).y()) + 0.5;
        painter.setPen(
            QPen(contest_.crossing() ? Theme::mix(theme_.hairline, theme_.muted, 0.25) : theme_.hairline, 1));
        painter.drawLine(QPointF(plot_.left(), y), QPointF(plot_.right(), y));
        painter.setPen(theme_.muted);
        labels_.draw(painter, {0, y - row / 2, plot_.left() - theme_.px(10), row}, Qt::AlignRight, rateText(rate));
    }
    painter.setPen(theme_.muted);
    labels_.draw(painter, {0, 0, 1, row}, Qt::AlignLeft, tr("steps per second"));
    const auto read = reading();
    double next = 1e9;  // where the label at the right begins: the widest model has its own in any case
    for (auto at_width = widths().rbegin(); at_width != widths().rend(); ++at_width) {
        const std::size_t width = *at_width;
        const double x = at(double(width), 1).x();
        const bool bold = read == width;
        if (bold) {
            painter.setPen(QPen(theme_.muted, 1));
            painter.drawLine(QPointF(std::round(x) + 0.5, plot_.top()), QPointF(std::round(x) + 0.5, plot_.bottom()));
        }
        painter.setFont(theme_.font(caption_size, bold ? QFont::DemiBold : QFont::Normal));
        painter.setPen(bold ? theme_.ink : theme_.muted);
        const QString text = countText(width);
        const double half = tabularWidth(painter.font(), text) / 2;
        if (x + half > next - theme_.px(4)) continue;
        next = x - half;
        labels_.draw(painter, {x - half, plot_.bottom() + theme_.px(4), 2 * half, row}, Qt::AlignHCenter, text);
    }
    painter.setFont(theme_.font(caption_size));
    painter.setPen(theme_.muted);
    labels_.draw(painter, {plot_.left(), height() - row, plot_.width(), row}, Qt::AlignHCenter,
                 tr("width of embedding and experts"));
}

void RaceChart::paintGuess(QPainter& painter) {
    const auto& all = widths();
    if (guess_ < double(all.front()) || guess_ > double(all.back())) return;
    const double x = std::round(at(guess_, 1).x()) + 0.5;
    QPen dashed(theme_.ink, 1);
    dashed.setDashPattern({3, 3});
    painter.setPen(dashed);
    painter.drawLine(QPointF(x, plot_.top()), QPointF(x, plot_.bottom()));
    painter.setFont(theme_.font(caption_size));
    const QString text = tr("your guess");
    const double half = tabularWidth(painter.font(), text) / 2, row = QFontMetricsF(painter.font()).height();
    const double left = std::clamp(x - half, plot_.left(), plot_.right() - 2 * half);
    const QRectF place(left - theme_.px(3), plot_.bottom() - row - theme_.px(3), 2 * half + theme_.px(6), row);
    painter.fillRect(place, theme_.panel);
    painter.setPen(theme_.ink);
    labels_.draw(painter, place.adjusted(theme_.px(3), 0, 0, 0), Qt::AlignLeft, text);
}

void RaceChart::paintBefore(QPainter& painter) {
    for (const ContestLine& line : before_.lines()) {
        QPen pen(Theme::mix(theme_.panel, theme_.muted, line.device == QLatin1String("cuda") ? 1 : 0.6),
                 theme_.px(1.25));
        pen.setDashPattern({3, 2});
        painter.setPen(pen);
        painter.setBrush(Qt::NoBrush);
        QPolygonF path;
        for (const QPointF& p : line.points) path << at(p.x(), p.y());
        painter.drawPolyline(path);
    }
}

void RaceChart::paintLines(QPainter& painter) {
    const std::vector<ContestLine> lines = contest_.lines();
    const QFont font = theme_.font(caption_size, QFont::DemiBold);
    const double row = QFontMetricsF(font).height(), dot = theme_.px(dot_size);
    std::vector<double> wanted, ends;
    std::vector<const ContestLine*> named;
    for (const ContestLine& line : lines) {
        const bool gpu = line.device == QLatin1String("cuda");
        const QColor color = gpu ? theme_.ink : theme_.muted;
        QPolygonF path;
        for (const QPointF& p : line.points) path << at(p.x(), p.y());
        painter.setPen(QPen(color, theme_.px(1.75), Qt::SolidLine, Qt::FlatCap, Qt::BevelJoin));
        painter.setBrush(Qt::NoBrush);
        painter.drawPolyline(path);
        // Told apart without colour: the CPU's dots are rings, the GPU's are squares.
        painter.setBrush(gpu ? color : theme_.panel);
        for (const QPointF& p : path) {
            const QRectF box(p.x() - dot / 2, p.y() - dot / 2, dot, dot);
            if (gpu)
                painter.drawRect(box.adjusted(1, 1, -1, -1));
            else
                painter.drawEllipse(box);
            ++points_drawn_;
        }
        if (path.isEmpty()) continue;
        wanted.push_back(path.last().y());
        ends.push_back(path.last().x());
        named.push_back(&line);
    }
    const std::vector<double> places = spreadLabels(wanted, row, plot_.top(), plot_.bottom());
    painter.setFont(font);
    for (std::size_t i = 0; i < named.size(); ++i) {
        painter.setPen(named[i]->device == QLatin1String("cuda") ? theme_.ink : theme_.muted);
        labels_.draw(painter, {ends[i] + theme_.px(9), places[i] - row / 2, 1, row}, Qt::AlignLeft, named[i]->name);
    }
}

void RaceChart::mouseMoveEvent(QMouseEvent* event) {
    std::optional<std::size_t> nearest;
    if (contest_.begun() && plot_.adjusted(-dot_size, 0, dot_size, 0).contains(event->position())) {
        double least = 1e9;
        for (std::size_t i = 0; i < widths().size(); ++i) {
            const double away = std::abs(at(double(widths()[i]), 1).x() - event->position().x());
            if (away < least) least = away, nearest = i;
        }
    }
    if (nearest == pointed_) return;
    pointed_ = nearest;
    update();
    Q_EMIT readingChanged();
}

void RaceChart::leaveEvent(QEvent*) {
    if (!pointed_) return;
    pointed_.reset();
    update();
    Q_EMIT readingChanged();
}

void RaceChart::focusOutEvent(QFocusEvent* event) {
    QWidget::focusOutEvent(event);
    read_.reset();
    update();
    Q_EMIT readingChanged();
}

bool RaceChart::event(QEvent* event) {
    // Here the arrows read the widths; elsewhere they step through a batch.
    if (event->type() == QEvent::ShortcutOverride) {
        auto* key = static_cast<QKeyEvent*>(event);
        if (key->modifiers() == Qt::NoModifier && (key->key() == Qt::Key_Left || key->key() == Qt::Key_Right)) {
            event->accept();
            return true;
        }
    }
    return QWidget::event(event);
}

void RaceChart::keyPressEvent(QKeyEvent* event) {
    const int way = event->key() == Qt::Key_Right ? 1 : event->key() == Qt::Key_Left ? -1 : 0;
    if (way == 0 || event->modifiers() != Qt::NoModifier) return QWidget::keyPressEvent(event);
    const int last = int(widths().size()) - 1;
    read_ = std::size_t(std::clamp(read_ ? int(*read_) + way : way > 0 ? 0 : last, 0, last));
    update();
    Q_EMIT readingChanged();
}

}  // namespace moe::app
