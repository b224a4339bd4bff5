#include "app/views/chart_panel.h"

#include "app/models/run_settings.h"
#include "app/models/tabular_text.h"
#include "app/models/text_format.h"

#include <QGraphicsLayout>
#include <QMouseEvent>
#include <QToolTip>

#include <algorithm>
#include <cmath>

namespace moe::app {

namespace {

constexpr double caption_size = 10.5, mark_size = 9;
constexpr double reference_air = 2;  // pixels between a reference and its name
constexpr std::size_t few_points = 24;

}  // namespace

void styleChart(QChart& chart, const Theme& theme) {
    chart.setAnimationOptions(QChart::NoAnimation);
    chart.setBackgroundVisible(false);
    chart.setPlotAreaBackgroundVisible(false);
    chart.setMargins(QMargins(0, 0, 0, 0));
    chart.layout()->setContentsMargins(0, 0, 0, 0);
    chart.legend()->hide();
    for (QAbstractAxis* axis : chart.axes()) {
        axis->setLineVisible(false);
        axis->setLabelsVisible(false);
        axis->setLabelsFont(theme.font(caption_size));
        axis->setLabelsColor(theme.muted);
        axis->setGridLineVisible(false);
    }
}

ChartPanel::ChartPanel(QWidget* parent)
    : QChartView(new QChart, parent), chart_(chart()), x_axis_(new QValueAxis), y_axis_(new QValueAxis) {
    chart_->addAxis(x_axis_, Qt::AlignBottom);
    chart_->addAxis(y_axis_, Qt::AlignLeft);
    styleChart(*chart_, theme_);
    setFrameShape(QFrame::NoFrame);
    setStyleSheet(QStringLiteral("background: transparent"));
    setRenderHint(QPainter::Antialiasing);
    setFocusPolicy(Qt::NoFocus);
    setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    setVerticalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    setViewportUpdateMode(QGraphicsView::FullViewportUpdate);
    viewport()->setMouseTracking(true);
    setMouseTracking(true);
}

bool ChartPanel::hasPoints() const {
    return std::any_of(content_.lines.begin(), content_.lines.end(),
                       [](const ChartLine& l) { return !l.series.empty(); });
}

std::size_t ChartPanel::pointsDrawn() const {
    std::size_t points = 0;
    for (const QLineSeries* series : series_) points += std::size_t(series->count());
    return points;
}

void ChartPanel::setContent(ChartContent content, const Theme& theme) {
    content_ = std::move(content);
    theme_ = theme;
    styleChart(*chart_, theme_);
    while (series_.size() > content_.lines.size()) {
        chart_->removeSeries(series_.back());
        delete series_.back();
        series_.pop_back();
    }
    while (series_.size() < content_.lines.size()) {
        auto* series = new QLineSeries;
        chart_->addSeries(series);
        series->attachAxis(x_axis_);
        series->attachAxis(y_axis_);
        series_.push_back(series);
    }
    if (!(content_.x_max > content_.x_min)) content_.x_max = content_.x_min + 1;
    x_axis_->setRange(content_.x_min, content_.x_max);
    y_axis_->setRange(0, content_.y.max);
    for (std::size_t i = 0; i < series_.size(); ++i) {
        const ChartLine& line = content_.lines[i];
        QLineSeries& series = *series_[i];
        series.setPen(QPen(line.color, theme_.px(line.width), Qt::SolidLine, Qt::FlatCap, Qt::BevelJoin));
        series.setColor(line.color);
    }
    arrange();
    fillSeries();
    viewport()->update();
}

void ChartPanel::fillSeries() {
    // No more points than pixels: stroking is what a chart costs (1,000 points of 8 lines: 17 ms; 300: 5 ms).
    const auto pixels = std::size_t(std::max(50.0, plot_.width()));
    for (std::size_t i = 0; i < series_.size(); ++i) {
        const Series series = thinned(content_.lines[i].series, std::min(pixels, max_chart_points));
        series_[i]->replace(QList<QPointF>(series.points.begin(), series.points.end()));
    }
}

QString ChartPanel::tickLabel(double tick) const {
    if (content_.percent) return percentText(tick, content_.y.step < 0.01 ? 1 : 0);
    const QString text = tickText(tick, content_.y.step);
    return content_.weights && text.startsWith(u"0.") ? text.mid(1) : text;
}

double ChartPanel::captionWidth(const QString& text) const {
    return tabularWidth(theme_.font(caption_size), text);
}

void ChartPanel::arrange() {
    const QFontMetricsF metrics(theme_.font(caption_size));
    double left = theme_.px(14), right = theme_.px(2);
    for (const double tick : content_.y.ticks()) left = std::max(left, captionWidth(tickLabel(tick)) + theme_.px(6));
    std::size_t labelled = 0;
    label_width_ = 0;
    for (const ChartLine& line : content_.lines) {
        if (!line.expert || !line.labelled) continue;
        ++labelled;
        const double mark = content_.experts <= max_coloured_experts ? theme_.px(14) : 0;
        label_width_ = std::max(label_width_, mark + captionWidth(expertName(*line.expert)) + theme_.px(7));
    }
    const double label_room = height() - 1.5 * metrics.height();
    label_columns_ = double(labelled) * metrics.height() > label_room ? 2 : 1;
    if (labelled > 0) right = theme_.px(4) + label_width_ * double(label_columns_);

    // The legend stands between the axis's captions where it fits there, else in lines of its own.
    legend_.clear();
    const double sample = theme_.px(14), gap = theme_.px(12), row = metrics.height();
    std::vector<std::size_t> named;
    for (std::size_t i = 0; i < content_.lines.size(); ++i)
        if (!content_.lines[i].expert && !content_.lines[i].series.empty()) named.push_back(i);
    if (named.size() < 2) named.clear();
    double whole = -gap;
    for (const std::size_t i : named) whole += sample + captionWidth(content_.lines[i].name) + gap;
    const double from = left + captionWidth(content_.x_left) + gap;
    const double to = width() - right - captionWidth(content_.x_right) - gap - content_.foot_room;
    const bool between = whole <= to - from;
    const double room_left = between ? from : 0, room_right = between ? to : double(width());
    std::vector<std::vector<std::size_t>> rows;
    double used = 0;
    for (const std::size_t i : named) {
        const double entry = sample + captionWidth(content_.lines[i].name);
        if (rows.empty() || used + gap + entry > room_right - room_left) {
            rows.push_back({i});
            used = entry;
        } else {
            rows.back().push_back(i);
            used += gap + entry;
        }
    }
    const double below = between ? 0 : double(rows.size()) * row;
    const double bottom = row + theme_.px(3) + below;
    caption_top_ = height() - bottom + theme_.px(3);
    double y = between ? caption_top_ : caption_top_ + row;
    for (const auto& entries : rows) {
        double total = -gap;
        for (const std::size_t i : entries) total += sample + captionWidth(content_.lines[i].name) + gap;
        double x = (room_left + room_right - total) / 2;
        for (const std::size_t i : entries) {
            const double entry = sample + captionWidth(content_.lines[i].name);
            legend_.push_back({i, QRectF(x, y, entry, row)});
            x += entry + gap;
        }
        y += row;
    }

    double top = row / 2 + theme_.px(1);
    if (content_.reference) {
        // The name of a high reference stands above its line, and needs room there.
        const double share = std::clamp(*content_.reference / content_.y.max, 0.1, 1.0);
        top = std::max(top, (row + reference_air - (1 - share) * (height() - bottom)) / share);
    }
    plot_ = QRectF(left, top, std::max(10.0, width() - left - right), std::max(10.0, height() - top - bottom));
    chart_->resize(QSizeF(size()));
    chart_->setPlotArea(plot_);
}

QPointF ChartPanel::at(const QPointF& value) const {
    const double across = (value.x() - content_.x_min) / (content_.x_max - content_.x_min);
    return {plot_.left() + across * plot_.width(), plot_.bottom() - value.y() / content_.y.max * plot_.height()};
}

void ChartPanel::resizeEvent(QResizeEvent* event) {
    QChartView::resizeEvent(event);
    arrange();
    fillSeries();
}

// The axis's own lines stay where they were when the plot grows; these stand at their numbers.
void ChartPanel::drawBackground(QPainter* painter, const QRectF&) {
    if (!hasPoints()) return;
    painter->setPen(QPen(theme_.hairline, 1));
    for (const double tick : content_.y.ticks()) {
        const double y = std::round(at({content_.x_min, tick}).y()) + 0.5;
        painter->drawLine(QPointF(plot_.left(), y), QPointF(plot_.right(), y));
    }
}

void ChartPanel::paintEvent(QPaintEvent* event) {
    QChartView::paintEvent(event);
    QPainter painter(viewport());
    painter.setRenderHints(QPainter::Antialiasing | QPainter::TextAntialiasing);
    labels_.clear();
    if (!hasPoints()) {
        painter.setFont(theme_.font(12));
        painter.setPen(theme_.muted);
        labels_.drawWrapped(painter, QRectF(rect()).adjusted(theme_.px(8), 0, -theme_.px(8), 0), content_.empty);
        return;
    }
    paintMarkers(painter);
    paintMoment(painter);
    paintReference(painter);
    paintLabels(painter);
    paintEndLabels(painter);
    paintHover(painter);
}

void ChartPanel::paintLabels(QPainter& painter) {
    painter.setFont(theme_.font(caption_size));
    painter.setPen(theme_.muted);
    const QFontMetricsF metrics(painter.font());
    const double row = metrics.height();
    double last = height() + row;  // ticks that would touch the one below are left out
    for (const double tick : content_.y.ticks()) {
        const double y = at({content_.x_min, tick}).y();
        if (y > last - row) continue;
        last = y;
        labels_.draw(painter, {0, y - row / 2, plot_.left() - theme_.px(6), row}, Qt::AlignRight, tickLabel(tick));
    }
    labels_.draw(painter, {plot_.left(), caption_top_, 1, row}, Qt::AlignLeft, content_.x_left);
    labels_.draw(painter, {plot_.right() - 1 - content_.foot_room, caption_top_, 1, row}, Qt::AlignRight,
                 content_.x_right);
    for (const LegendEntry& entry : legend_) {
        const ChartLine& line = content_.lines[entry.line];
        const double y = entry.place.center().y();
        painter.setPen(QPen(line.color, theme_.px(line.width)));
        painter.drawLine(QPointF(entry.place.left(), y), QPointF(entry.place.left() + theme_.px(10), y));
        painter.setPen(theme_.muted);
        labels_.draw(painter, entry.place.adjusted(theme_.px(14), 0, 0, 0), Qt::AlignLeft, line.name);
    }
    if (content_.diverged_at) {
        const double x = at({*content_.diverged_at, 0}).x();
        QPen dashed(theme_.ink, 1);
        dashed.setDashPattern({2, 2});
        painter.setPen(dashed);
        painter.drawLine(QPointF(x, plot_.top()), QPointF(x, plot_.bottom()));
        painter.setPen(theme_.ink);
        const QString text = tr("diverged");
        const bool before = x + theme_.px(4) + captionWidth(text) > width();
        labels_.draw(painter, {before ? x - theme_.px(5) : x + theme_.px(4), plot_.center().y(), 1, row},
                     before ? Qt::AlignRight : Qt::AlignLeft, text);
    }
}

void ChartPanel::paintReference(QPainter& painter) {
    if (!content_.reference) return;
    const double y = at({content_.x_min, *content_.reference}).y();
    QPen dashed(theme_.muted, 1);
    dashed.setDashPattern({3, 3});
    painter.setPen(dashed);
    painter.drawLine(QPointF(plot_.left(), y), QPointF(plot_.right(), y));
    painter.setPen(theme_.muted);
    painter.setFont(theme_.font(caption_size));
    const QRectF place = referencePlace(captionWidth(content_.reference_name), QFontMetricsF(painter.font()).height());
    // Paper behind it: a curve that passes here shall not strike it out.
    painter.fillRect(place.adjusted(-2, 1, 2, -1), theme_.panel);
    labels_.draw(painter, place, Qt::AlignLeft, content_.reference_name);
}

QRectF ChartPanel::referencePlace(double width, double height) {
    // Above or below the line, right, left or in the middle: where the curves leave it most room, and where it was
    // unless another place is clearly better.
    const double y = at({content_.x_min, *content_.reference}).y();
    std::vector<QRectF> places;
    for (const double x : {plot_.right() - width, plot_.left() + theme_.px(2), plot_.center().x() - width / 2})
        for (const double top : {y - height - reference_air, y + reference_air})
            if (top >= -1 && top + height <= plot_.bottom() + 1) places.emplace_back(x, top, width, height);
    if (places.empty()) return {plot_.right() - width, y - height - reference_air, width, height};
    std::vector<std::size_t> crossings(places.size());
    for (const ChartLine& line : content_.lines)
        for (std::size_t k = 0; k < line.series.points.size(); ++k) {
            // Far points are joined by a line: what lies between them counts, by lengths of 8 pixels.
            const QPointF to = at(line.series.points[k]), from = k ? at(line.series.points[k - 1]) : to;
            const int parts = std::clamp(int(std::abs(to.x() - from.x()) / 8), 1, 64);
            for (int part = 1; part <= parts; ++part) {
                const QPointF p = from + (to - from) * part / parts;
                for (std::size_t i = 0; i < places.size(); ++i) crossings[i] += places[i].contains(p) ? 1 : 0;
            }
        }
    const auto best = std::size_t(std::min_element(crossings.begin(), crossings.end()) - crossings.begin());
    if (reference_spot_ >= places.size() || crossings[reference_spot_] > 2 * crossings[best]) reference_spot_ = best;
    return places[reference_spot_];
}

void ChartPanel::paintMarkers(QPainter& painter) {
    // The first epochs of a run are points before they are a line.
    painter.setPen(Qt::NoPen);
    for (const ChartLine& line : content_.lines) {
        if (!line.marks_points || line.series.points.size() > few_points) continue;
        painter.setBrush(line.color);
        const double radius = theme_.px(1.5 * line.width);
        for (const QPointF& p : line.series.points) painter.drawEllipse(at(p), radius, radius);
    }
}

void ChartPanel::paintEndLabels(QPainter& painter) {
    std::vector<double> wanted;
    std::vector<std::size_t> lines;
    for (std::size_t i = 0; i < content_.lines.size(); ++i) {
        const ChartLine& line = content_.lines[i];
        if (!line.expert || !line.labelled || line.series.empty()) continue;
        wanted.push_back(at(line.series.points.back()).y());
        lines.push_back(i);
    }
    if (lines.empty()) return;
    painter.setFont(theme_.font(caption_size, QFont::DemiBold));
    const double row = QFontMetricsF(painter.font()).height();
    // In two columns neighbours stand side by side, so that each has room near its line.
    std::vector<std::size_t> rank(lines.size());
    for (std::size_t i = 0; i < lines.size(); ++i)
        for (std::size_t k = 0; k < lines.size(); ++k)
            if (wanted[k] < wanted[i] || (wanted[k] == wanted[i] && k < i)) ++rank[i];
    std::vector<double> places(lines.size());
    for (std::size_t column = 0; column < label_columns_; ++column) {
        std::vector<double> own;
        for (std::size_t i = 0; i < lines.size(); ++i)
            if (rank[i] % label_columns_ == column) own.push_back(wanted[i]);
        const std::vector<double> spread = spreadLabels(own, row, 0, caption_top_);
        for (std::size_t i = 0, next = 0; i < lines.size(); ++i)
            if (rank[i] % label_columns_ == column) places[i] = spread[next++];
    }
    for (std::size_t i = 0; i < lines.size(); ++i) {
        const ChartLine& line = content_.lines[lines[i]];
        const double left = plot_.right() + theme_.px(4) + double(rank[i] % label_columns_) * label_width_;
        const double x = left + theme_.px(mark_size) / 2;
        // Shapes repeat after the eighth: from nine experts on names alone say who it is.
        const bool marked = content_.experts <= max_coloured_experts;
        if (marked) painter.fillPath(expertShape(*line.expert, {x, places[i]}, theme_.px(mark_size)), line.color);
        painter.setPen(marked ? theme_.ink : line.color);
        labels_.draw(painter, {marked ? x + theme_.px(mark_size) : left + theme_.px(1), places[i] - row / 2, 1, row},
                     Qt::AlignLeft, expertName(*line.expert));
    }
}

void ChartPanel::paintMoment(QPainter& painter) {
    if (!content_.moment) return;
    const double moment = std::clamp(*content_.moment, content_.x_min, content_.x_max), x = at({moment, 0}).x();
    painter.fillRect(QRectF(x - 0.75, plot_.top() - theme_.px(2), 1.5, plot_.height() + theme_.px(2)), theme_.ink);
    for (const ChartLine& line : content_.lines) {
        // The last point that was known then.
        const auto& points = line.series.points;
        const auto after = std::upper_bound(points.begin(), points.end(), moment + 1e-9,
                                            [](double wanted, const QPointF& p) { return wanted < p.x(); });
        if (after == points.begin()) continue;
        painter.setPen(QPen(theme_.panel, theme_.px(1)));
        painter.setBrush(line.color);
        painter.drawEllipse(QPointF(x, at(*std::prev(after)).y()), theme_.px(3), theme_.px(3));
    }
}

std::optional<double> ChartPanel::nearest(double pixel) const {
    const double value = content_.x_min + (pixel - plot_.left()) / plot_.width() * (content_.x_max - content_.x_min);
    std::optional<double> x;
    for (const ChartLine& line : content_.lines)
        for (const QPointF& p : line.series.points)
            if (!x || std::abs(p.x() - value) < std::abs(*x - value)) x = p.x();
    return x;
}

const QPointF* ChartPanel::pointAt(const ChartLine& line, double x) const {
    const auto& points = line.series.points;
    const auto point = std::lower_bound(points.begin(), points.end(), x,
                                        [](const QPointF& p, double wanted) { return p.x() < wanted; });
    return point == points.end() || point->x() != x ? nullptr : &*point;
}

void ChartPanel::paintHover(QPainter& painter) {
    if (!hover_x_) return;
    const std::optional<double> x = nearest(*hover_x_);
    if (!x) return;
    const double across = at({*x, 0}).x();
    painter.setPen(QPen(theme_.muted, 1));
    painter.drawLine(QPointF(across, plot_.top()), QPointF(across, plot_.bottom()));
    for (const ChartLine& line : content_.lines) {
        const QPointF* point = pointAt(line, *x);
        if (!point) continue;
        painter.setPen(QPen(theme_.panel, theme_.px(1.5)));
        painter.setBrush(line.color);
        painter.drawEllipse(at(*point), theme_.px(3.5), theme_.px(3.5));
    }
}

void ChartPanel::mouseMoveEvent(QMouseEvent* event) {
    QChartView::mouseMoveEvent(event);
    const QPointF where = event->position();
    if (!hasPoints() || where.x() < plot_.left() - 4 || where.x() > plot_.right() + 4) {
        leaveEvent(event);
        return;
    }
    hover_x_ = where.x();
    const std::optional<double> x = nearest(where.x());
    if (!x) return;
    QString text = content_.x_name + u' ' + tickText(*x, *x == std::floor(*x) ? 1 : 0.01);
    for (const ChartLine& line : content_.lines) {
        const QPointF* point = pointAt(line, *x);
        if (!point) continue;
        const QString number = content_.percent ? percentText(point->y())
                               : line.expert    ? gateText(point->y(), 3)
                                                : tickText(point->y(), 0.001);
        text += u'\n' + line.name + u' ' + number;
    }
    QToolTip::showText(event->globalPosition().toPoint(), tipText(text), this);
    viewport()->update();
}

void ChartPanel::leaveEvent(QEvent* event) {
    if (event->type() == QEvent::Leave) QChartView::leaveEvent(event);
    if (!hover_x_) return;
    hover_x_.reset();
    QToolTip::hideText();
    viewport()->update();
}

}  // namespace moe::app
