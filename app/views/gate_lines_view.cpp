#include "app/views/gate_lines_view.h"

#include "app/models/moment_text.h"
#include "app/models/run_settings.h"
#include "app/models/tabular_text.h"
#include "app/models/text_format.h"
#include "engine/core/numbers.h"

#include <QHelpEvent>
#include <QMouseEvent>
#include <QToolTip>

#include <algorithm>
#include <cmath>

namespace moe::app {

namespace {

constexpr double caption_size = 10.5;
constexpr std::size_t lines_of_many = 5, bars_of_many = 12;

/// ".4", as gate weights are written.
QString weightTick(double tick, double step) {
    const QString text = tickText(tick, step);
    return text.startsWith(u"0.") ? text.mid(1) : text;
}

}  // namespace

GateLinesView::GateLinesView(SessionController& session, QWidget* parent)
    : MeasureView(session, parent), chart_(new ChartPanel(this)), toggle_(new TextToggle(this)) {
    toggle_->setCheckable(true);
    connect(toggle_, &QAbstractButton::toggled, this, [this](bool now) {
        chart_->setVisible(!now);
        refresh();
        Q_EMIT headerChanged();
        update();
    });
}

QString GateLinesView::title() const {
    if (snapshot().probe.prefix_words.empty()) return tr("Gate weights");
    if (toggle_->isChecked()) return tr("Gate weights of each token, now");
    if (isPast(snapshot())) return tr("Gate weights, %1").arg(atMoment({}));
    const QString text = routedText(prefix());
    // A long phrase is known by its last word.
    const qsizetype most = 14;
    const QString shown = text.size() <= most ? text : QStringLiteral("… ") + text.section(u' ', -1).left(most);
    return tr("Gate weights of “%1” while learning").arg(shown);
}

QString GateLinesView::scope() const {
    const History* run = history();
    if (isPast(snapshot())) return valuesAtMoment();
    if (toggle_->isChecked() || !run || run->gate_steps.empty() || run->gate_steps.front() == 0) return {};
    return tr("known from step %1").arg(countText(run->gate_steps.front()));
}

// "A .21  B .30  C .08  D .41"
QString GateLinesView::valuesAtMoment() const {
    QStringList values;
    const std::vector<float>& weights = snapshot().probe.gate_weights;
    for (std::size_t e = 0; e < numExperts() && numExperts() <= max_coloured_experts; ++e)
        if ((prefix() + 1) * numExperts() <= weights.size())
            values << expertName(e) + u' ' + gateCellText(double(weights[prefix() * numExperts() + e]));
    return values.join(QStringLiteral("  "));
}

std::vector<std::size_t> GateLinesView::experts(std::size_t room, bool over_run) const {
    const std::vector<float>& weights = snapshot().probe.gate_weights;
    const std::size_t E = numExperts(), P = snapshot().probe.prefix_words.size();
    if (weights.size() < (prefix() + 1) * E) return {};
    const auto first = weights.begin() + std::ptrdiff_t(prefix() * E);
    std::vector<float> weight(first, first + std::ptrdiff_t(E));
    const bool all = E <= max_coloured_experts;
    if (!all && over_run && history()) {
        const History& run = *history();
        for (std::size_t i = 0; i < run.gate_steps.size() && (i + 1) * P * E <= run.gate.size(); ++i)
            for (std::size_t e = 0; e < E; ++e)
                weight[e] += run.gate[(i * P + prefix()) * E + e] / float(run.gate_steps.size());
    }
    const std::size_t* keep = expert() ? &*expert() : nullptr;
    std::vector<std::size_t> shown = shownExperts(weight, all ? E : room, keep);
    // Experts that were never chosen have nothing to show.
    if (!all) std::erase_if(shown, [&](std::size_t e) { return weight[e] == 0 && expert() != e; });
    return shown;
}

QColor GateLinesView::lineColor(std::size_t e) const {
    return isChosen(e) ? theme_.expert(e) : expertColor(e);
}

void GateLinesView::resizeEvent(QResizeEvent* event) {
    MeasureView::resizeEvent(event);
    chart_->setGeometry(rect());
    toggle_->placeAt(width(), height());
    if (toggle_->isChecked()) arrangeBars();
}

void GateLinesView::refresh() {
    toggle_->setTheme(theme_);
    toggle_->setText(toggle_->isChecked() ? tr("while learning") : tr("bars now"));
    toggle_->setToolTip(toggle_->isChecked() ? tr("Show one prefix over the run") : tr("Show all tokens as bars, now"));
    toggle_->setVisible(!snapshot().probe.prefix_words.empty());
    toggle_->placeAt(width(), height());
    if (toggle_->isChecked())
        arrangeBars();
    else
        showLines();
}

void GateLinesView::showLines() {
    ChartContent content;
    content.experts = numExperts();
    content.foot_room = toggle_->isVisibleTo(this) ? toggle_->sizeHint().width() + theme_.px(10) : 0;
    content.x_name = tr("step");
    content.weights = true;
    const History* run = history();
    const bool known = !snapshot().probe.prefix_words.empty();
    content.empty = !known                 ? tr("Type a phrase with a word that the model knows")
                    : snapshot().step == 0 ? tr("Press Space: the lines start with the first batch")
                    : run && run->points.empty()
                        ? tr("No earlier step was recorded: the lines start with the next batch")
                        : tr("The lines of this phrase are being computed");
    const bool fits = run && known && run->num_experts == numExperts() &&
                      run->prefixes == snapshot().probe.prefix_words.size() && !run->gate_steps.empty();
    const std::uint64_t newest = newestStep(snapshot());
    if (fits && newest > run->gate_steps.front()) {
        const double first = double(run->gate_steps.front());
        content.x_min = first;
        content.x_max = double(newest);
        if (isPast(snapshot()) && snapshot().step >= run->gate_steps.front()) content.moment = double(snapshot().step);
        // The button stands where the axis ends, so its ends are said at its start.
        content.x_left = tr("steps %1 to %2").arg(countText(run->gate_steps.front()), countText(newest));
        double largest = 0;
        for (const std::size_t e : experts(lines_of_many, true)) {
            ChartLine line;
            line.name = expertName(e);
            line.series = gateSeries(*run, prefix(), e);
            // The history keeps every n-th step; the line ends where the model is now.
            const float now = snapshot().probe.gate_weights[prefix() * numExperts() + e];
            if (std::isfinite(now) && run->gate_steps.back() < snapshot().step && !isPast(snapshot()))
                line.series.points.emplace_back(double(snapshot().step), double(now));
            line.color = lineColor(e);
            line.width = expert() == e ? 2.5 : 1.75;
            // Of a gate that chooses, those left out end together at 0 and need no names there.
            line.expert = e;
            line.labelled = isChosen(e) || snapshot().experiment.model.router == "soft";
            largest = std::max(largest, line.series.largest());
            content.lines.push_back(std::move(line));
        }
        // The same axis for every token of the phrase.
        for (const float w : snapshot().probe.gate_weights)
            if (std::isfinite(w)) largest = std::max(largest, double(w));
        // To the tick above the data, and at least to twice an even share: an untrained gate lies in the middle.
        content.y = Axis::upTo(std::max(largest, std::min(1.0, 2 / double(numExperts()))), 3);
        content.y.max = std::ceil(content.y.max / content.y.step - 1e-6) * content.y.step;
    }
    chart_->setContent(std::move(content), theme_);
}

void GateLinesView::arrangeBars() {
    bars_.clear();
    const std::size_t P = snapshot().probe.prefix_words.size(), E = numExperts();
    const std::vector<float>& weights = snapshot().probe.gate_weights;
    if (P == 0 || E == 0 || weights.size() != P * E) return;
    const double row = QFontMetricsF(theme_.font(caption_size)).height();
    const bool many = E > max_coloured_experts;
    const std::vector<std::size_t> shown = experts(bars_of_many, false);
    double largest = 0;
    for (const float w : weights) largest = std::isfinite(w) ? std::max(largest, double(w)) : largest;
    axis_ = Axis::upTo(largest, 3);
    axis_.max *= 1.05;
    double left = theme_.px(14);
    for (const double tick : axis_.ticks())
        left = std::max(left, tabularWidth(theme_.font(caption_size), weightTick(tick, axis_.step)) + theme_.px(6));
    plot_ = QRectF(left, row / 2 + 1, std::max(10.0, width() - left - 1),
                   std::max(10.0, height() - 2.5 * row - theme_.px(6)));

    // As many tokens around the focused one as have room; of many experts the focused token alone.
    const double least = double(shown.size()) * theme_.px(5) + theme_.px(10);
    const auto fitting = std::size_t(std::max(1.0, plot_.width() / least));
    shown_prefixes_ = many ? 1 : std::min(P, fitting);
    first_prefix_ = std::min(prefix() - std::min(prefix(), shown_prefixes_ / 2), P - shown_prefixes_);
    const double group = plot_.width() / double(shown_prefixes_), pad = std::min(theme_.px(10), group * 0.12);
    const double step = std::min(theme_.px(26), (group - 2 * pad) / double(shown.size()));
    for (std::size_t i = 0; i < shown_prefixes_; ++i) {
        const double start = plot_.left() + double(i) * group + (group - step * double(shown.size())) / 2;
        for (std::size_t k = 0; k < shown.size(); ++k) {
            Bar bar;
            bar.prefix = first_prefix_ + i;
            bar.expert = shown[k];
            bar.weight = double(weights[bar.prefix * E + bar.expert]);
            bar.place = QRectF(start + double(k) * step, plot_.top(), step, plot_.height() + row);
            bars_.push_back(bar);
        }
    }
}

void GateLinesView::paintEvent(QPaintEvent*) {
    ensureFresh();
    labels_.clear();
    if (!toggle_->isChecked()) return;
    QPainter painter(this);
    painter.setRenderHints(QPainter::Antialiasing | QPainter::TextAntialiasing);
    paintBars(painter);
}

void GateLinesView::paintBars(QPainter& painter) {
    painter.setFont(theme_.font(caption_size));
    const QFontMetricsF metrics(painter.font());
    const double row = metrics.height();
    if (bars_.empty()) {
        painter.setFont(theme_.font(12));
        painter.setPen(theme_.muted);
        labels_.drawWrapped(painter, rect(), tr("Type a phrase with a word that the model knows"));
        return;
    }
    for (const double tick : axis_.ticks()) {
        const double y = std::round(plot_.bottom() - tick / axis_.max * plot_.height()) + 0.5;
        painter.fillRect(QRectF(plot_.left(), y - 0.5, plot_.width(), 1), theme_.hairline);
        painter.setPen(theme_.muted);
        labels_.draw(painter, {0, y - row / 2, plot_.left() - theme_.px(6), row}, Qt::AlignRight,
                     weightTick(tick, axis_.step));
    }
    for (const Bar& bar : bars_) {
        const bool focused = bar.prefix == prefix() || shown_prefixes_ == 1;
        const double filled = std::isfinite(bar.weight) ? bar.weight / axis_.max * plot_.height() : 0;
        const QRectF column(bar.place.left() + 1, plot_.bottom() - filled, bar.place.width() - 2, filled);
        painter.setPen(Qt::NoPen);
        painter.setBrush(focused ? lineColor(bar.expert) : Theme::mix(theme_.panel, lineColor(bar.expert), 0.4));
        painter.drawRoundedRect(column, 2, 2);
    }
    // Under the bars: each token's word, or for one token of many experts the experts.
    const double top = plot_.bottom() + theme_.px(3), caption = height() - row;
    const double group = plot_.width() / double(shown_prefixes_);
    if (numExperts() > max_coloured_experts) {
        painter.setPen(theme_.muted);
        for (const Bar& bar : bars_) {
            const QString name = expertName(bar.expert);
            if (metrics.horizontalAdvance(name) < bar.place.width())
                labels_.draw(painter, {bar.place.left(), top, bar.place.width(), row}, Qt::AlignHCenter, name);
        }
    } else {
        for (std::size_t i = 0; i < shown_prefixes_; ++i) {
            const std::size_t p = first_prefix_ + i;
            const QString word = shownText(snapshot().probe.words[snapshot().probe.prefix_words[p]].text);
            painter.setPen(p == prefix() ? theme_.ink : theme_.muted);
            labels_.draw(painter, {plot_.left() + double(i) * group, top, group, row}, Qt::AlignHCenter,
                         elided(metrics, word, group - theme_.px(4)));
        }
    }
    QString said;
    if (numExperts() > max_coloured_experts)
        said = tr("the %1 heaviest of %2 experts").arg(bars_.size()).arg(numExperts());
    else if (shown_prefixes_ < snapshot().probe.prefix_words.size())
        said = tr("tokens %1 to %2 of %3")
                   .arg(first_prefix_ + 1)
                   .arg(first_prefix_ + shown_prefixes_)
                   .arg(snapshot().probe.prefix_words.size());
    painter.setPen(theme_.muted);
    const double room = width() - plot_.left() - toggle_->sizeHint().width() - theme_.px(8);
    labels_.draw(painter, {plot_.left(), caption, 1, row}, Qt::AlignLeft, elided(metrics, said, room));
}

QString GateLinesView::labelFault() const {
    const LabelBook& labels = toggle_->isChecked() ? labels_ : chart_->labels();
    const QString fault = onButton(labels, *toggle_);
    return fault.isEmpty() ? labels.fault(QRectF(rect())) : fault;
}

const GateLinesView::Bar* GateLinesView::barAt(QPointF position) const {
    if (!toggle_->isChecked()) return nullptr;
    for (const Bar& bar : bars_)
        if (bar.place.contains(position)) return &bar;
    return nullptr;
}

bool GateLinesView::event(QEvent* event) {
    if (event->type() != QEvent::ToolTip) return MeasureView::event(event);
    auto* help = static_cast<QHelpEvent*>(event);
    if (const Bar* bar = barAt(help->pos()))
        QToolTip::showText(
            help->globalPos(),
            tipText(tr("“%1”\nexpert %2: gate weight %3")
                        .arg(routedText(bar->prefix), expertName(bar->expert), gateText(bar->weight, 3))),
            this);
    else
        QToolTip::hideText();
    return true;
}

void GateLinesView::mousePressEvent(QMouseEvent* event) {
    const Bar* bar = barAt(event->position());
    if (!bar) return MeasureView::mousePressEvent(event);
    const std::size_t clicked_prefix = bar->prefix, clicked_expert = bar->expert;
    session_.setFocusedPrefix(clicked_prefix);
    session_.setFocusedExpert(clicked_expert);
}

QString GateLinesView::summary() const {
    const std::vector<float>& weights = snapshot().probe.gate_weights;
    QStringList parts;
    for (const std::size_t e : experts(max_coloured_experts, false))
        parts << tr("expert %1 %2").arg(expertName(e), gateText(double(weights[prefix() * numExperts() + e]), 3));
    if (parts.isEmpty()) return tr("The phrase has no word that the model knows.");
    return tr("Gate weights of “%1” now: %2.").arg(routedText(prefix()), parts.join(QStringLiteral(", ")));
}

Table GateLinesView::table() const {
    Table table;
    table.title = tr("Gate weights of “%1” while learning").arg(routedText(prefix()));
    for (const RunSetting& setting : runSettings(snapshot(), {}))
        table.notes.push_back(setting.name + u' ' + setting.value);
    table.columns.push_back(tr("step"));
    const std::size_t E = numExperts();
    for (std::size_t e = 0; e < E; ++e) table.columns.push_back(expertName(e));
    const History* run = history();
    const std::size_t P = snapshot().probe.prefix_words.size();
    if (!run || run->num_experts != E || run->prefixes != P || P == 0) return table;
    for (std::size_t i = 0; i < run->gate_steps.size(); ++i) {
        std::vector<QString> row{QString::number(run->gate_steps[i])};
        for (std::size_t e = 0; e < E; ++e)
            row.push_back(QString::fromStdString(to_text(run->gate.at((i * P + prefix()) * E + e))));
        table.rows.push_back(std::move(row));
    }
    return table;
}

}  // namespace moe::app
