#include "app/views/time_strip_view.h"

#include "app/models/axis.h"
#include "app/models/color_scale.h"
#include "app/models/run_series.h"
#include "app/models/run_settings.h"
#include "app/models/text_format.h"
#include "engine/core/numbers.h"

#include <QHelpEvent>
#include <QToolTip>

#include <algorithm>
#include <cmath>

namespace moe::app {

namespace {

constexpr double column_pitch = 14, caption_size = 10.5;

}  // namespace

TimeStripView::TimeStripView(SessionController& session, QWidget* parent) : MeasureView(session, parent) {}

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

void TimeStripView::resizeEvent(QResizeEvent* event) {
    MeasureView::resizeEvent(event);
    refresh();
}

void TimeStripView::refresh() {
    const double caption = QFontMetricsF(theme_.font(caption_size)).height() + theme_.px(5);
    strip_ = QRectF(0.5, 1, std::max(1.0, width() - 1.0), std::max(8.0, height() - caption - 1));
    planned_ = plannedSteps(snapshot());
    const bool many = numExperts() > max_coloured_experts;
    // Cells of one width, as in a film; an image takes every pixel that it can get.
    const double pitch = many ? 1 : theme_.px(column_pitch);
    columns_ = std::max<std::size_t>(1, std::size_t(strip_.width() / pitch));
    columns_ = std::min<std::size_t>(columns_, planned_);
    load_.clear();
    image_ = {};
    if (!history() || history()->num_experts != numExperts() || numExperts() == 0) return;
    load_ = resampledLoad(*history(), columns_, planned_);
    if (!many || load_.empty()) return;
    // Shaded from 0 to twice an even share: with so many experts one may get very much.
    const std::size_t E = numExperts(), trained = load_.size() / E;
    std::vector<float> shares(load_.size());
    for (std::size_t i = 0; i < load_.size(); ++i) shares[i] = std::isfinite(load_[i]) ? load_[i] * float(E) / 2 : 0;
    image_ = heatmapImage(shares, trained, E, MagnitudeScale{1}, theme_, std::size_t(strip_.height()));
}

double TimeStripView::xOf(double step) const {
    return strip_.left() + strip_.width() * std::clamp(step / double(planned_), 0.0, 1.0);
}

void TimeStripView::paintEvent(QPaintEvent*) {
    ensureFresh();
    labels_.clear();
    QPainter painter(this);
    painter.setRenderHints(QPainter::Antialiasing | QPainter::TextAntialiasing);
    if (numExperts() == 0) return;
    paintColumns(painter);
    if (snapshot().step == 0 || !history() || history()->points.empty()) {
        painter.setFont(theme_.font(11));
        painter.setPen(theme_.muted);
        labels_.drawWrapped(painter, strip_,
                            snapshot().step == 0
                                ? tr("Press Space: the load of the experts is recorded here, step by step")
                                : tr("The load of the experts is recorded from the next batch on"));
    }
    paintAxis(painter);
}

void TimeStripView::paintColumns(QPainter& painter) {
    const std::size_t E = numExperts(), trained = load_.size() / E;
    const double pitch = strip_.width() / double(columns_);
    const double gap = pitch > 6 ? theme_.px(2) : 0, radius = gap > 0 ? theme_.px(2) : 0;
    painter.setPen(Qt::NoPen);
    const QColor pale = Theme::mix(theme_.panel, theme_.track, 0.8);
    if (E > max_coloured_experts) {
        painter.setBrush(pale);
        painter.drawRect(strip_);
        painter.setRenderHint(QPainter::SmoothPixmapTransform);
        if (!image_.isNull())
            painter.drawImage(QRectF(strip_.left(), strip_.top(), pitch * double(trained), strip_.height()), image_);
        return;
    }
    painter.setBrush(pale);
    for (std::size_t c = 0; c < columns_; ++c)
        painter.drawRoundedRect(QRectF(strip_.left() + double(c) * pitch, strip_.top(), pitch - gap, strip_.height()),
                                radius, radius);
    // The column that is being filled ends where training stands.
    painter.setClipRect(QRectF(strip_.left(), 0, xOf(double(snapshot().step)) - strip_.left(), height()));
    for (std::size_t c = 0; c < std::min(trained, columns_); ++c) {
        const double left = strip_.left() + double(c) * pitch, cell = pitch - gap;
        // Heights are the shares of the gate weight; a hairline of paper keeps the rows apart.
        double top = strip_.top();
        for (std::size_t e = 0; e < E; ++e) {
            const double share = std::clamp(double(load_[c * E + e]), 0.0, 1.0);
            const double height = std::isfinite(share) ? share * strip_.height() : 0;
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
    const double row = metrics.height(), top = height() - row, now = xOf(double(snapshot().step));
    const QString said = tr("step %1").arg(countText(snapshot().step));
    QFont strong = theme_.font(caption_size, QFont::DemiBold);
    const double said_width = tabularWidth(QFontMetricsF(strong), said);
    const double said_left = std::clamp(now - said_width / 2, 0.0, std::max(0.0, width() - said_width));
    const bool marker = snapshot().step > 0;

    // Epochs along the run, or steps where epochs differ in length; none that would touch the marker's number.
    const std::optional<double> per_step = epochsPerStep(snapshot());
    const double end = per_step ? double(planned_) * *per_step : double(planned_);
    const Axis axis = Axis::upTo(end, std::max(1, int(width() / theme_.px(110))));
    const double step = std::max(1.0, axis.step);
    double used = -1;
    for (double tick = 0; tick <= end * (1 + 1e-9); tick += step) {
        const double x = xOf(per_step ? tick / *per_step : tick);
        const QString text = tick > 0 ? tickText(tick, 1) : per_step ? tr("epoch 0") : tr("step 0");
        const double text_width = tabularWidth(metrics, text);
        const double left = std::clamp(x - text_width / 2, 0.0, std::max(0.0, width() - text_width));
        painter.fillRect(QRectF(x - 0.5, strip_.bottom() + 1, 1, theme_.px(3)), theme_.muted);
        const bool hidden =
            marker && left < said_left + said_width + theme_.px(8) && left + text_width > said_left - theme_.px(8);
        if (left < used || hidden) continue;
        used = left + text_width + theme_.px(6);
        painter.setPen(theme_.muted);
        labels_.draw(painter, {left, top, text_width, row}, Qt::AlignLeft, text);
    }
    if (!marker) return;
    painter.fillRect(QRectF(now - 1, 0, 2, strip_.bottom() + theme_.px(4)), theme_.ink);
    painter.setFont(strong);
    painter.setPen(theme_.ink);
    labels_.draw(painter, {said_left, top, said_width, row}, Qt::AlignLeft, said);
}

bool TimeStripView::event(QEvent* event) {
    if (event->type() != QEvent::ToolTip) return MeasureView::event(event);
    auto* help = static_cast<QHelpEvent*>(event);
    const std::size_t E = numExperts();
    const double share = (help->pos().x() - strip_.left()) / strip_.width();
    if (E == 0 || columns_ == 0 || share < 0 || share >= 1) {
        QToolTip::hideText();
        return true;
    }
    const auto column = std::size_t(share * double(columns_));
    const auto first = std::uint64_t(double(column) * double(planned_) / double(columns_)) + 1;
    const auto last = std::max(first, std::uint64_t(double(column + 1) * double(planned_) / double(columns_)));
    QString text = first == last ? tr("Step %1").arg(countText(first))
                                 : tr("Steps %1 to %2").arg(countText(first), countText(last));
    if ((column + 1) * E > load_.size()) {
        text += u'\n' + tr("not trained yet");
    } else {
        const std::vector<float> load(load_.begin() + std::ptrdiff_t(column * E),
                                      load_.begin() + std::ptrdiff_t((column + 1) * E));
        for (const std::size_t e : shownExperts(load, max_coloured_experts, nullptr))
            text += u'\n' + tr("expert %1: %2").arg(expertName(e), percentText(double(load[e])));
    }
    QToolTip::showText(help->globalPos(), tipText(text), this);
    return true;
}

QString TimeStripView::summary() const {
    return tr("Step %1 of %2, epoch %3 of %4.")
        .arg(countText(snapshot().step), countText(plannedSteps(snapshot())), countText(snapshot().epoch),
             countText(snapshot().target_epochs));
}

Table TimeStripView::table() const {
    Table table;
    table.title = tr("Load of the experts over the run");
    table.notes.push_back(tr("share of gate weight"));
    for (const RunSetting& setting : runSettings(snapshot(), {}))
        table.notes.push_back(setting.name + u' ' + setting.value);
    table.columns.push_back(tr("step"));
    const History* run = history();
    if (!run) return table;
    const std::size_t E = run->num_experts;
    for (std::size_t e = 0; e < E; ++e) table.columns.push_back(expertName(e));
    for (std::size_t i = 0; i < run->points.size(); ++i) {
        std::vector<QString> row{QString::number(run->points[i].step)};
        for (std::size_t e = 0; e < E; ++e) row.push_back(QString::fromStdString(to_text(run->load.at(i * E + e))));
        table.rows.push_back(std::move(row));
    }
    return table;
}

}  // namespace moe::app
