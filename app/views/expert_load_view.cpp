#include "app/views/expert_load_view.h"

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

constexpr double tallest_row = 32, lowest_row = 14, caption_size = 10.5, head_width = 42, number_width = 48;

}  // namespace

ExpertLoadView::ExpertLoadView(SessionController& session, QWidget* parent)
    : MeasureView(session, parent), chart_(new ChartPanel(this)), toggle_(new TextToggle(this)) {
    toggle_->setCheckable(true);
    chart_->hide();
    connect(toggle_, &QAbstractButton::toggled, this, [this](bool on) {
        chart_->setVisible(on);
        refresh();
        Q_EMIT headerChanged();
        update();
    });
}

QString ExpertLoadView::scope() const {
    if (isPast(snapshot())) return atMoment(tr("share of weight"));
    if (toggle_->isChecked()) return tr("share of weight");
    return snapshot().epoch > 0 ? tr("share of weight, last epoch") : tr("share of weight so far");
}

double ExpertLoadView::captionHeight() const {
    return QFontMetricsF(theme_.font(caption_size)).height() + theme_.px(4);
}

void ExpertLoadView::resizeEvent(QResizeEvent* event) {
    MeasureView::resizeEvent(event);
    chart_->setGeometry(rect());
    arrange();
}

void ExpertLoadView::refresh() {
    load_ = presentLoad(snapshot());
    toggle_->setTheme(theme_);
    toggle_->setText(toggle_->isChecked() ? tr("now") : tr("over time"));
    toggle_->setToolTip(toggle_->isChecked() ? tr("Show the load as bars, now") : tr("Show the load over the run"));
    toggle_->setVisible(!load_.empty());
    arrange();
    if (toggle_->isChecked()) showLines();
}

void ExpertLoadView::arrange() {
    toggle_->placeAt(width(), height());
    rows_.clear();
    const std::size_t experts = numExperts();
    const double room = height() - captionHeight();
    if (experts == 0 || room <= 0) return;
    const auto fitting = std::size_t(std::max(1.0, room / theme_.px(lowest_row)));
    const bool all = experts <= max_coloured_experts || experts <= fitting;
    const std::size_t* keep = expert() ? &*expert() : nullptr;
    std::vector<float> load = load_;
    load.resize(experts, 0.0f);
    const std::vector<std::size_t> shown = shownExperts(load, all ? experts : fitting - 1, keep);
    double rest = 0;
    for (const float share : load) rest += double(share);
    for (const std::size_t e : shown) {
        rows_.push_back({e, 0, double(load[e]), {}});
        rest -= double(load[e]);
    }
    if (shown.size() < experts) rows_.push_back({{}, experts - shown.size(), std::max(0.0, rest), {}});
    const double height = std::min(theme_.px(tallest_row), room / double(rows_.size()));
    const double even = 1 / double(experts);
    full_ = 2 * even;
    for (std::size_t i = 0; i < rows_.size(); ++i) {
        rows_[i].place = QRectF(0, double(i) * height, width(), height);
        if (rows_[i].expert) full_ = std::max(full_, rows_[i].load);
    }
    // Round, so that bars do not all shift with every snapshot.
    if (full_ > 2 * even) full_ = std::min(1.0, std::ceil(full_ / even * 2) / 2 * even);
}

void ExpertLoadView::showLines() {
    ChartContent content;
    content.experts = numExperts();
    content.percent = true;
    content.x_left = tr("steps 0 to %1").arg(countText(newestStep(snapshot())));  // the button stands where the axis ends
    content.x_name = tr("step");
    content.x_max = std::max(1.0, double(newestStep(snapshot())));
    if (isPast(snapshot())) content.moment = double(snapshot().step);
    content.empty = snapshot().step == 0 ? tr("Press Space: the load is counted from the first batch")
                                         : tr("The load is recorded from the next batch on");
    content.foot_room = toggle_->isVisibleTo(this) ? toggle_->sizeHint().width() + theme_.px(10) : 0;
    double largest = 0;
    if (history() && history()->num_experts == numExperts() && !load_.empty()) {
        const std::size_t* keep = expert() ? &*expert() : nullptr;
        const std::size_t room = numExperts() <= max_coloured_experts ? numExperts() : 5;
        for (const std::size_t e : shownExperts(load_, room, keep)) {
            ChartLine line;
            line.name = expertName(e);
            line.series = loadSeries(*history(), e);
            line.color = expertColor(e);
            line.width = expert() == e ? 2.5 : 1.5;
            line.expert = e;
            largest = std::max(largest, line.series.largest());
            content.lines.push_back(std::move(line));
        }
    }
    const double even = numExperts() ? 1 / double(numExperts()) : 1;
    content.reference = even;
    content.reference_name = tr("even: %1").arg(evenShareText(std::max<std::size_t>(numExperts(), 1)));
    content.y = Axis::upTo(std::max(largest, 2 * even), 3);
    content.y.max *= 1.05;
    chart_->setContent(std::move(content), theme_);
}

void ExpertLoadView::paintEvent(QPaintEvent*) {
    ensureFresh();
    labels_.clear();
    if (toggle_->isChecked() || rows_.empty()) return;
    QPainter painter(this);
    painter.setRenderHints(QPainter::Antialiasing | QPainter::TextAntialiasing);
    const bool coloured = numExperts() <= max_coloured_experts, many = numExperts() > 16;
    const double row = rows_.front().place.height(), size = row >= theme_.px(18) ? 12.5 : 10.5;
    const QFont name_font = theme_.font(size, QFont::Medium), number_font = theme_.font(size);
    double head = theme_.px(coloured ? head_width : 30);
    const QFontMetricsF metrics(name_font);
    for (const Row& r : rows_)
        if (!r.expert) head = std::max(head, metrics.horizontalAdvance(tr("%1 others").arg(r.others)) + theme_.px(8));
    const double bar_width = std::max(20.0, width() - head - theme_.px(number_width));
    const double bar = std::min(theme_.px(15), row * 0.62), mark = std::min(theme_.px(11), row * 0.7);
    const double even = 1 / double(numExperts());

    for (const Row& r : rows_) {
        const double middle = r.place.center().y();
        const QColor color = r.expert ? expertColor(*r.expert) : theme_.track;
        if (r.expert) {
            const bool marked = coloured || expert() == r.expert;
            if (marked) painter.fillPath(expertShape(*r.expert, {theme_.px(8), middle}, mark), color);
            painter.setFont(expert() == r.expert ? theme_.font(size, QFont::Bold) : name_font);
            painter.setPen(theme_.ink);
            labels_.draw(painter, {marked ? theme_.px(22) : 0, r.place.top(), 1, row}, Qt::AlignLeft | Qt::AlignVCenter,
                         expertName(*r.expert));
        } else {
            painter.setFont(number_font);
            painter.setPen(theme_.muted);
            labels_.draw(painter, {0, r.place.top(), 1, row}, Qt::AlignLeft | Qt::AlignVCenter,
                         tr("%1 others").arg(r.others));
        }
        // The others together are no expert: a number, and no bar beside the single ones.
        const QRectF track(head, middle - bar / 2, bar_width, bar);
        const double radius = std::min(theme_.px(4), bar / 2);
        painter.setPen(Qt::NoPen);
        painter.setBrush(theme_.track);
        if (r.expert) painter.drawRoundedRect(track, radius, radius);
        if (load_.empty()) continue;
        const double filled = bar_width * std::clamp(r.load / full_, 0.0, 1.0);
        painter.setBrush(color);
        if (r.expert && filled > 0.5) {
            const double corner = std::min(radius, filled / 2);
            painter.drawRoundedRect(QRectF(track.left(), track.top(), filled, bar), corner, radius);
        }
        painter.setFont(number_font);
        painter.setPen(theme_.ink);
        labels_.draw(painter, {width() - 1.0, r.place.top(), 1, row}, Qt::AlignRight | Qt::AlignVCenter,
                     percentText(r.load, many ? 1 : 0));
    }

    const double bottom = rows_.back().place.bottom(), caption = height() - captionHeight();
    const double x = std::round(head + bar_width * even / full_) + 0.5;
    QPen dashed(theme_.muted, 1);
    dashed.setDashPattern({3, 3});
    painter.setPen(dashed);
    painter.drawLine(QPointF(x, rows_.front().place.top()), QPointF(x, std::min(bottom + theme_.px(4), caption + 2)));
    painter.setFont(theme_.font(caption_size));
    painter.setPen(theme_.muted);
    const QFontMetricsF small(painter.font());
    const double y = std::min(bottom + theme_.px(3), height() - small.height());
    if (load_.empty()) {
        const QString text = elided(small,
                                    isPast(snapshot())     ? tr("Nothing was trained at step 0")
                                    : snapshot().step == 0 ? tr("Press Space: counted from the first batch")
                                                           : tr("Counted from the next batch on"),
                                    width());
        labels_.draw(painter, {0, height() - small.height(), double(width()), small.height()}, Qt::AlignHCenter, text);
        return;
    }
    const QString text = tr("even: %1").arg(evenShareText(numExperts()));
    const double text_width = tabularWidth(small, text);
    const double right_end = width() - toggle_->sizeHint().width() - theme_.px(8);
    const double left = std::clamp(x - text_width / 2, 0.0, std::max(0.0, right_end - text_width));
    labels_.draw(painter, {left, y, text_width, small.height()}, Qt::AlignLeft, text);
}

QString ExpertLoadView::labelFault() const {
    const LabelBook& labels = toggle_->isChecked() ? chart_->labels() : labels_;
    const QString fault = onButton(labels, *toggle_);
    return fault.isEmpty() ? labels.fault(QRectF(rect())) : fault;
}

const ExpertLoadView::Row* ExpertLoadView::rowAt(QPointF position) const {
    if (toggle_->isChecked()) return nullptr;
    for (const Row& row : rows_)
        if (row.place.contains(position)) return &row;
    return nullptr;
}

bool ExpertLoadView::event(QEvent* event) {
    if (event->type() != QEvent::ToolTip) return MeasureView::event(event);
    auto* help = static_cast<QHelpEvent*>(event);
    const Row* row = rowAt(help->pos());
    if (!row || load_.empty()) {
        QToolTip::hideText();
        return true;
    }
    const QString name = row->expert ? tr("Expert %1").arg(expertName(*row->expert)) : tr("%1 others").arg(row->others);
    const double even = (row->expert ? 1.0 : double(row->others)) / double(numExperts());
    QToolTip::showText(
        help->globalPos(),
        tipText(
            tr("%1: %2 of the gate weight; an even share is %3").arg(name, percentText(row->load), percentText(even))),
        this);
    return true;
}

void ExpertLoadView::mousePressEvent(QMouseEvent* event) {
    const Row* row = rowAt(event->position());
    if (!row || !row->expert) return MeasureView::mousePressEvent(event);
    session_.setFocusedExpert(expert() == row->expert ? std::nullopt : row->expert);
}

QString ExpertLoadView::summary() const {
    if (load_.empty()) return tr("No batch has been trained yet.");
    QStringList parts;
    for (const std::size_t e : shownExperts(load_, max_coloured_experts, nullptr))
        parts << tr("expert %1 %2").arg(expertName(e), percentText(double(load_[e])));
    return scope() + QStringLiteral(": ") + parts.join(QStringLiteral(", ")) + u'.';
}

Table ExpertLoadView::table() const {
    Table table;
    table.title = title();
    table.notes.push_back(snapshot().epoch > 0 ? tr("share of gate weight, last epoch")
                                               : tr("share of gate weight so far"));
    for (const RunSetting& setting : runSettings(snapshot(), {}))
        table.notes.push_back(setting.name + u' ' + setting.value);
    table.columns = {tr("expert"), tr("share of gate weight")};
    const std::vector<float> load = presentLoad(snapshot());
    for (std::size_t e = 0; e < load.size(); ++e)
        table.rows.push_back({expertName(e), QString::fromStdString(to_text(load[e]))});
    return table;
}

}  // namespace moe::app
