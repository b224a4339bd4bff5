#include "app/views/inspector_view_charts.h"

#include "app/models/provenance_card.h"
#include "app/models/tabular_text.h"
#include "app/models/text_format.h"

#include <QHelpEvent>
#include <QPainter>
#include <QToolTip>

#include <algorithm>
#include <cmath>

namespace moe::app {

namespace {

constexpr std::size_t bins = 41;  // odd: zero has a bin of its own
constexpr double caption_size = 10.5;

double captionHeight(const Theme& theme) {
    return QFontMetricsF(theme.font(caption_size)).height();
}

}  // namespace

ArrayHistogram::ArrayHistogram(QWidget* parent) : QWidget(parent) {
    setAccessibleName(tr("Histogram"));
}

void ArrayHistogram::setNumbers(std::span<const float> values, double limit, const Theme& theme, bool gradient) {
    theme_ = theme, limit_ = limit, gradient_ = gradient;
    counts_ = Inspection::histogram(values, bins, limit);
    stats_ = InspectionStats::of(values);
    setAccessibleDescription(tr("%1 numbers, mean %2, root mean square %3, from %4 to %5")
                                 .arg(countText(stats_.count), valueText(stats_.mean), valueText(stats_.rms),
                                      valueText(stats_.least), valueText(stats_.most)));
    update();
}

void ArrayHistogram::paintEvent(QPaintEvent*) {
    labels_.clear();
    if (stats_.count == 0) return;
    QPainter painter(this);
    painter.setRenderHints(QPainter::Antialiasing | QPainter::TextAntialiasing);
    const double line = captionHeight(theme_);
    const QFontMetricsF metrics(theme_.font(caption_size));
    painter.setFont(theme_.font(caption_size));
    painter.setPen(theme_.muted);
    const QString numbers = stats_.count == 1 ? tr("1 number") : tr("%1 numbers").arg(countText(stats_.count));
    const QString spread = stats_.broken > 0
                               ? tr("%1 are no numbers").arg(countText(stats_.broken))
                               : tr("mean %1 · rms %2").arg(valueText(stats_.mean), valueText(stats_.rms));
    labels_.draw(painter, {0, 0, double(width()), line}, Qt::AlignLeft, numbers);
    const double room = width() - tabularWidth(metrics, numbers) - theme_.px(8);
    labels_.draw(painter, {0, 0, double(width()), line}, Qt::AlignRight, elided(metrics, spread, room));
    const QRectF plot(0, line + theme_.px(3), width(), height() - 2 * line - theme_.px(5));
    const std::size_t most = std::max<std::size_t>(1, *std::max_element(counts_.begin(), counts_.end()));
    const double pitch = plot.width() / double(bins);
    painter.setPen(Qt::NoPen);
    for (std::size_t i = 0; i < bins; ++i) {
        if (counts_[i] == 0) continue;
        const double high = std::max(1.0, plot.height() * double(counts_[i]) / double(most));
        painter.setBrush(gradient_ ? theme_.gradient : theme_.muted);
        painter.drawRect(QRectF(plot.left() + double(i) * pitch, plot.bottom() - high, std::max(1.0, pitch - 1), high));
    }
    painter.setPen(QPen(theme_.hairline, 1));
    painter.drawLine(plot.bottomLeft(), plot.bottomRight());
    painter.drawLine(QPointF(plot.center().x(), plot.bottom()), QPointF(plot.center().x(), plot.bottom() + 3));
    painter.setPen(theme_.muted);
    const QRectF axis(0, plot.bottom() + theme_.px(2), width(), line);
    labels_.draw(painter, axis, Qt::AlignLeft, valueText(-limit_, 2));
    labels_.draw(painter, axis, Qt::AlignHCenter, QStringLiteral("0"));
    labels_.draw(painter, axis, Qt::AlignRight, signedValueText(limit_, 2));
}

bool ArrayHistogram::event(QEvent* event) {
    if (event->type() != QEvent::ToolTip) return QWidget::event(event);
    auto* help = static_cast<QHelpEvent*>(event);
    const auto bin = std::size_t(std::clamp(double(help->pos().x()) / width() * double(bins), 0.0, double(bins) - 1));
    if (stats_.count == 0 || bin >= counts_.size()) return true;
    const auto edge = [&](std::size_t i) { return valueText((2.0 * double(i) / double(bins) - 1) * limit_); };
    QToolTip::showText(help->globalPos(),
                       tipText(tr("%1 of %2 numbers lie between %3 and %4\nsmallest %5, largest %6, exactly zero: %7")
                                   .arg(countText(counts_[bin]), countText(stats_.count), edge(bin), edge(bin + 1),
                                        valueText(stats_.least), valueText(stats_.most), countText(stats_.zeros))),
                       this);
    return true;
}

NormChart::NormChart(QWidget* parent) : QWidget(parent) {
    setAccessibleName(tr("Norm over the run"));
}

void NormChart::setCurve(std::vector<std::uint64_t> steps, std::vector<float> norms, std::uint64_t now,
                         const QString& what, const Theme& theme) {
    steps_ = std::move(steps), norms_ = std::move(norms);
    now_ = now, what_ = what, theme_ = theme;
    if (norms_.size() != steps_.size()) steps_.clear(), norms_.clear();
    setAccessibleDescription(steps_.empty()
                                 ? what_
                                 : tr("%1: %2 at step %3, %4 at step %5")
                                       .arg(what_, valueText(double(norms_.front())), countText(steps_.front()),
                                            valueText(double(norms_.back())), countText(steps_.back())));
    update();
}

std::size_t NormChart::nearest(double step) const {
    std::size_t best = 0;
    for (std::size_t i = 0; i < steps_.size(); ++i)
        if (std::abs(double(steps_[i]) - step) < std::abs(double(steps_[best]) - step)) best = i;
    return best;
}

QString NormChart::figure() const {
    if (norms_.empty()) return {};
    const std::size_t i = nearest(double(now_));
    const QString value = valueText(double(norms_[i]));
    return steps_[i] == now_ ? value : tr("step %1: %2").arg(countText(steps_[i]), value);
}

QRectF NormChart::plot() const {
    const double line = captionHeight(theme_);
    return {0, line + theme_.px(4), double(width()), height() - 2 * line - theme_.px(7)};
}

void NormChart::paintEvent(QPaintEvent*) {
    labels_.clear();
    QPainter painter(this);
    painter.setRenderHints(QPainter::Antialiasing | QPainter::TextAntialiasing);
    painter.setFont(theme_.font(caption_size));
    painter.setPen(theme_.muted);
    const QFontMetricsF metrics(painter.font());
    const double line = captionHeight(theme_);
    const QString value = figure();
    const double room = width() - tabularWidth(metrics, value) - theme_.px(8);
    labels_.draw(painter, {0, 0, room, line}, Qt::AlignLeft, elided(metrics, what_, room));
    if (norms_.empty()) return;
    painter.setPen(theme_.ink);
    labels_.draw(painter, {0, 0, double(width()), line}, Qt::AlignRight, value);
    const QRectF area = plot();
    const double first = double(steps_.front()), span = std::max(1.0, double(steps_.back()) - first);
    double most = 0;
    for (const float v : norms_)
        if (std::isfinite(v)) most = std::max(most, double(v));
    if (most <= 0) most = 1;
    const auto point = [&](std::size_t i) {
        return QPointF(area.left() + (double(steps_[i]) - first) / span * area.width(),
                       area.bottom() - double(norms_[i]) / most * area.height());
    };
    painter.setPen(QPen(theme_.hairline, 1));
    painter.drawLine(area.bottomLeft(), area.bottomRight());
    painter.drawLine(area.topLeft(), area.topRight());
    if (double(now_) >= first && now_ <= steps_.back() && steps_.size() > 1) {
        const double x = area.left() + (double(now_) - first) / span * area.width();
        painter.setPen(QPen(theme_.muted, 1, Qt::DotLine));
        painter.drawLine(QPointF(x, area.top()), QPointF(x, area.bottom()));
    }
    QPainterPath path;
    bool open = false;
    for (std::size_t i = 0; i < steps_.size(); ++i) {
        if (!std::isfinite(norms_[i])) {
            open = false;
            continue;
        }
        open ? path.lineTo(point(i)) : path.moveTo(point(i));
        open = true;
    }
    painter.setPen(QPen(theme_.ink, 1.4));
    painter.setBrush(Qt::NoBrush);
    if (steps_.size() > 1)
        painter.drawPath(path);
    else if (std::isfinite(norms_[0]))
        painter.drawEllipse(point(0), 1.5, 1.5);
    painter.setPen(theme_.muted);
    const QRectF axis(0, area.bottom() + theme_.px(2), width(), line);
    labels_.draw(painter, axis, Qt::AlignLeft, tr("step %1").arg(countText(steps_.front())));
    if (steps_.size() > 1) labels_.draw(painter, axis, Qt::AlignRight, countText(steps_.back()));
}

bool NormChart::event(QEvent* event) {
    if (event->type() != QEvent::ToolTip) return QWidget::event(event);
    auto* help = static_cast<QHelpEvent*>(event);
    if (steps_.empty()) {
        QToolTip::showText(help->globalPos(), tipText(what_), this);
        return true;
    }
    const double share = std::clamp(double(help->pos().x()) / std::max(1, width()), 0.0, 1.0);
    const double step = double(steps_.front()) + share * double(steps_.back() - steps_.front());
    const std::size_t i = nearest(step);
    QToolTip::showText(help->globalPos(),
                       tipText(tr("%1\nstep %2: %3").arg(what_, countText(steps_[i]), valueText(double(norms_[i]), 4))),
                       this);
    return true;
}

}  // namespace moe::app
