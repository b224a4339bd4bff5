// The rows and strips of the operation panel.
#include "app/models/operation_numbers.h"
#include "app/models/tabular_text.h"
#include "app/models/text_format.h"
#include "app/views/operation_view.h"
#include "app/views/strip_paint.h"

#include <QHelpEvent>
#include <QMouseEvent>
#include <QPainter>
#include <QToolTip>

#include <algorithm>
#include <cmath>

namespace moe::app {

namespace {

using Kind = OperationColumn::Kind;
constexpr double least_row = 15, scrolled_row = 21, best_row = 30, strip_height = 15;
constexpr double type = 12.5, least_type = 11, type_of_row = 0.72, head_type = 11;

}  // namespace

OperationTable::OperationTable(QWidget* parent) : QWidget(parent) {
    setMouseTracking(true);
    setAccessibleName(tr("Values"));
}

void OperationTable::setPage(const OperationPage* page, std::shared_ptr<const std::vector<QString>> words,
                             const Theme& theme) {
    page_ = page;
    words_ = std::move(words);
    theme_ = theme;
    places_.clear();
    update();
}

double OperationTable::headHeight() const {
    return std::ceil(theme_.px(head_type) * 1.6);
}

double OperationTable::stripsHeight(int width) const {
    if (!page_ || page_->strips.empty()) return 0;
    const std::size_t lines = width >= theme_.px(420) ? (page_->strips.size() + 1) / 2 : page_->strips.size();
    return double(lines) * theme_.px(strip_height + 9) + theme_.px(6);
}

void OperationTable::measure(int width) {
    lefts_.clear();
    widths_.clear();
    signed_.clear();
    if (!page_) return;
    const QFontMetricsF metrics(theme_.font(type));
    const auto markup = [&](const QString& text, double size, int weight) {
        return FormulaText(text).width(theme_, size, weight);
    };
    bool experts = false;
    label_width_ = markup(page_->heading, head_type, QFont::Normal);
    for (const OperationRow& row : page_->rows) {
        experts |= row.expert.has_value();
        const QString label = row.expert ? expertName(*row.expert) : row.label;
        label_width_ = std::max(label_width_, metrics.horizontalAdvance(label));
    }
    label_width_ = std::min(label_width_, width * 0.3) + (experts ? theme_.px(26) : theme_.px(8));
    double taken = label_width_;
    std::size_t strips = 0, bars = 0;
    for (std::size_t c = 0; c < page_->columns.size(); ++c) {
        const OperationColumn& column = page_->columns[c];
        double wide = markup(column.title, head_type, QFont::Normal);
        bool negative = column.gradient_bar;
        for (const OperationRow& row : page_->rows) {
            if (c >= row.cells.size()) continue;
            wide =
                std::max(wide, markup(row.cells[c].text, type, row.cells[c].strong ? QFont::DemiBold : QFont::Normal));
            negative |= row.cells[c].bar && *row.cells[c].bar < 0;
        }
        signed_.push_back(negative);
        if (column.kind == Kind::strip)
            ++strips, wide = 0;
        else if (column.kind == Kind::bar)
            ++bars, wide = 0;
        else
            wide += theme_.px(16);
        widths_.push_back(wide);
        taken += wide;
    }
    const double room = std::max(0.0, width - taken);
    for (std::size_t c = 0; c < page_->columns.size(); ++c) {
        if (page_->columns[c].kind == Kind::strip)
            widths_[c] = std::max(theme_.px(60), bars ? room * 0.7 : room) / double(strips);
        else if (page_->columns[c].kind == Kind::bar)
            widths_[c] = std::max(theme_.px(44), std::min(strips ? room * 0.3 : room, theme_.px(strips ? 90 : 170)));
    }
    // What is still left goes between the columns of numbers.
    double used = label_width_;
    for (const double w : widths_) used += w;
    const double more = std::max(0.0, width - used) / double(std::max<std::size_t>(1, widths_.size()));
    double x = label_width_;
    for (double& w : widths_) {
        w += more;
        lefts_.push_back(x);
        x += w;
    }
}

void OperationTable::arrange(int width, int room) {
    if (!page_ || width <= 0) return;
    measure(width);
    const double fixed = headHeight() + stripsHeight(width) + theme_.px(4);
    const double rows = double(std::max<std::size_t>(1, page_->rows.size()));
    // Narrow rows before a part of the table is out of sight; where it is so anyway they need not be narrow.
    const double height = std::floor((room - fixed) / rows);
    row_height_ = height < theme_.px(least_row) ? theme_.px(scrolled_row) : std::min(height, theme_.px(best_row));
    resize(width, std::max(room, int(std::ceil(fixed + rows * row_height_))));
    update();
}

double OperationTable::typeSize() const {
    return std::clamp(row_height_ / theme_.scale * type_of_row, least_type, type);
}

void OperationTable::cutOff(QPainter& p, const QRectF& rect, Qt::Alignment alignment, const QString& text) {
    const QFontMetricsF metrics(p.font());
    const QString shown = elided(metrics, text, rect.width());
    if (shown != text) cut_ << text;
    drawTabular(p, rect, alignment, shown);
}

std::optional<QRectF> OperationTable::stripColumn(std::size_t values) const {
    for (std::size_t c = 0; c < page_->columns.size(); ++c)
        for (const OperationRow& row : page_->rows)
            if (page_->columns[c].kind == Kind::strip && c < row.cells.size() && row.cells[c].strip &&
                row.cells[c].strip->values.size() == values)
                return QRectF(lefts_[c] + theme_.px(14), 0, widths_[c] - theme_.px(14), 0);
    return std::nullopt;
}

void OperationTable::paintEvent(QPaintEvent*) {
    if (!page_ || lefts_.size() != page_->columns.size()) return;
    QPainter p(this);
    p.setRenderHint(QPainter::Antialiasing);
    std::vector<Place> places;
    cut_.clear();
    double y = 0;
    const double head = headHeight();
    const FormulaText heading(page_->heading);
    const double indent = !page_->rows.empty() && page_->rows.front().expert ? theme_.px(24) : 0;
    heading.draw(p, theme_, QRectF(indent, y, label_width_, head), head_type, QFont::Normal, theme_.muted);
    for (std::size_t c = 0; c < page_->columns.size(); ++c) {
        const OperationColumn& column = page_->columns[c];
        const bool left = column.kind == Kind::strip;
        const QRectF at(lefts_[c] + (left ? theme_.px(14) : 0), y, widths_[c] - (left ? theme_.px(14) : 0), head);
        FormulaText(column.title)
            .draw(p, theme_, at, head_type, QFont::Normal, theme_.muted, left ? Qt::AlignLeft : Qt::AlignRight);
    }
    y += head;
    // Of hundreds of words those in sight; what is scrolled to is painted then.
    const QRect sight = visibleRegion().boundingRect();
    for (const OperationRow& row : page_->rows) {
        if (y + row_height_ >= sight.top() && y <= sight.bottom() + 1) {
            p.setPen(QPen(theme_.hairline, 1));
            p.drawLine(QPointF(0, std::floor(y) + 0.5), QPointF(width(), std::floor(y) + 0.5));
            paintRow(p, row, y, places);
        }
        y += row_height_;
    }
    p.setPen(QPen(theme_.hairline, 1));
    p.drawLine(QPointF(0, std::floor(y) + 0.5), QPointF(width(), std::floor(y) + 0.5));
    if (!page_->strips.empty()) {
        y += theme_.px(8);
        const bool two = width() >= theme_.px(420) && page_->strips.size() > 1;
        const double gap = theme_.px(20), wide = two ? (width() - gap) / 2 : width();
        double label = 0;
        std::vector<FormulaText> titles;
        for (const ValueStrip& s : page_->strips) {
            titles.emplace_back(tr("%1 (%2)").arg(s.title, QString::number(s.values.size())));
            label = std::max(label, titles.back().width(theme_, head_type, QFont::Normal));
        }
        label += theme_.px(8);
        for (std::size_t i = 0; i < page_->strips.size(); ++i) {
            const ValueStrip& s = page_->strips[i];
            const double x = two && i % 2 ? wide + gap : 0;
            if (i && (!two || i % 2 == 0)) y += theme_.px(strip_height + 9);
            const double own = titles[i].width(theme_, head_type, QFont::Normal) + theme_.px(8);
            const double indent_here = two ? own : label;
            titles[i].draw(p, theme_, QRectF(x, y - theme_.px(0.5), indent_here, theme_.px(16)), head_type,
                           QFont::Normal, theme_.muted);
            QRectF place(x + indent_here, y, wide - indent_here, theme_.px(strip_height));
            // A dimension stands under itself.
            if (const std::optional<QRectF> above = two ? std::nullopt : stripColumn(s.values.size());
                above && above->left() >= place.left())
                place.setLeft(above->left()), place.setRight(above->right());
            if (!s.gradient) p.fillRect(place, theme_.track);
            std::optional<std::size_t> picked;
            if (page_->subject && page_->subject->name == s.first.name && page_->subject->index >= s.first.index)
                picked = page_->subject->index - s.first.index;
            paintStrip(p, theme_, place, s, 1, 1, picked);
            places.push_back({place.adjusted(0, -theme_.px(3), 0, theme_.px(3)), std::nullopt, &s, {}});
        }
    }
    places_ = std::move(places);
}

void OperationTable::paintRow(QPainter& p, const OperationRow& row, double y, std::vector<Place>& places) {
    const QRectF line(0, y, width(), row_height_);
    if (row.current) {
        p.setPen(Qt::NoPen);
        p.setBrush(theme_.page);
        p.drawRect(line.adjusted(0, 1, 0, 0));
    }
    double x = 0;
    p.setFont(theme_.font(typeSize(), row.expert ? QFont::DemiBold : QFont::Normal));
    if (row.expert) {
        p.setPen(Qt::NoPen);
        p.setBrush(row.faint ? Theme::mix(theme_.panel, theme_.expert(*row.expert), 0.45) : theme_.expert(*row.expert));
        p.drawPath(expertShape(*row.expert, {theme_.px(8), line.center().y()}, theme_.px(10)));
        x = theme_.px(24);
    }
    p.setPen(row.faint ? theme_.muted : theme_.ink);
    const QString label = row.expert ? expertName(*row.expert) : shownText(row.label);
    const QString shown = elided(QFontMetricsF(p.font()), label, label_width_ - x);
    drawTabular(p, QRectF(x, y, label_width_ - x, row_height_), Qt::AlignLeft | Qt::AlignVCenter, shown);
    if (shown != label) places.push_back({QRectF(x, y, label_width_ - x, row_height_), std::nullopt, nullptr, label});
    if (!row.note.isEmpty()) {
        p.setFont(theme_.font(typeSize() - 0.5));
        p.setPen(theme_.muted);
        cutOff(p, QRectF(label_width_ + theme_.px(14), y, width() - label_width_ - theme_.px(14), row_height_),
               Qt::AlignLeft | Qt::AlignVCenter, row.note);
        return;
    }
    for (std::size_t c = 0; c < row.cells.size() && c < lefts_.size(); ++c) paintCell(p, row, c, y, places);
}

void OperationTable::paintCell(QPainter& p, const OperationRow& row, std::size_t c, double y,
                               std::vector<Place>& places) {
    const OperationCell& cell = row.cells[c];
    const QRectF at(lefts_[c], y, widths_[c], row_height_);
    if (cell.strip) {
        const double height = std::min(theme_.px(16), row_height_ - theme_.px(7));
        const QRectF place(at.left() + theme_.px(14), at.center().y() - height / 2, at.width() - theme_.px(14), height);
        if (!cell.strip->gradient) p.fillRect(place, theme_.track);
        std::optional<std::size_t> picked;
        const auto& subject = page_->subject;
        const NumberRef& first = cell.strip->first;
        if (subject && subject->name == first.name && subject->example == first.example &&
            subject->index >= first.index && subject->index < first.index + cell.strip->values.size())
            picked = subject->index - first.index;
        paintStrip(p, theme_, place, *cell.strip, row.faint ? 0.5 : 1, 1, picked);
        places.push_back({place, std::nullopt, &*cell.strip, {}});
        return;
    }
    if (cell.bar) {
        const double height = std::min(theme_.px(12), row_height_ - theme_.px(8));
        const QRectF room = at.adjusted(theme_.px(16), 0, -theme_.px(4), 0);
        const bool both = signed_[c];
        const double zero = both ? room.center().x() : room.left(), full = both ? room.width() / 2 : room.width();
        const double length = full * *cell.bar;
        const QColor color = page_->columns[c].gradient_bar ? theme_.gradient
                             : row.expert                   ? theme_.expert(*row.expert)
                                                            : theme_.muted;
        const QRectF bar(std::min(zero, zero + length), at.center().y() - height / 2, std::abs(length), height);
        p.setPen(Qt::NoPen);
        p.setBrush(row.faint ? Theme::mix(theme_.panel, color, 0.5) : color);
        p.drawRoundedRect(bar, std::min(theme_.px(2), bar.width() / 2), theme_.px(2));
        if (both) {
            p.setPen(QPen(theme_.muted, 1));
            p.drawLine(QPointF(std::round(zero) + 0.5, at.center().y() - height * 0.8),
                       QPointF(std::round(zero) + 0.5, at.center().y() + height * 0.8));
        }
        return;
    }
    const QColor color = cell.gradient ? theme_.gradient : row.faint ? theme_.muted : theme_.ink;
    const FormulaText text(cell.text);
    const int weight = cell.strong ? QFont::DemiBold : QFont::Normal;
    const double size = typeSize(), height = std::ceil(theme_.px(size) * 1.45);
    text.draw(p, theme_, QRectF(at.left(), at.center().y() - height / 2, at.width(), height), size, weight, color,
              Qt::AlignRight);
    if (!cell.value) return;
    const double wide = text.width(theme_, size, weight) + theme_.px(8);
    places.push_back(
        {QRectF(at.right() - wide, y, wide, row_height_), cell.ref, nullptr,
         FormulaText(page_->columns[c].title).plain() + QStringLiteral(" = ") + exactText(float(*cell.value))});
}

const OperationTable::Place* OperationTable::placeAt(QPointF point) const {
    for (const Place& place : places_)
        if (place.rect.contains(point)) return &place;
    return nullptr;
}

QRectF OperationTable::placeOf(const NumberRef& ref) const {
    for (const Place& place : places_)
        if (place.ref == ref) return place.rect;
    for (const Place& place : places_) {
        if (!place.strip || place.strip->first.name != ref.name || place.strip->first.example != ref.example) continue;
        const std::size_t first = place.strip->first.index, count = place.strip->values.size();
        if (ref.index < first || ref.index >= first + count) continue;
        const double wide = place.rect.width() / double(count);
        return {place.rect.left() + double(ref.index - first) * wide, place.rect.top(), wide, place.rect.height()};
    }
    return {};
}

bool OperationTable::event(QEvent* event) {
    if (event->type() != QEvent::ToolTip) return QWidget::event(event);
    auto* help = static_cast<QHelpEvent*>(event);
    const Place* place = placeAt(help->pos());
    QString tip;
    if (place) tip = place->strip ? stripTip(*place->strip, place->rect, help->pos(), *words_) : place->tip;
    if (place && (place->strip || place->ref)) tip += u'\n' + tr("Click: where it comes from");
    if (tip.isEmpty())
        QToolTip::hideText();
    else
        QToolTip::showText(help->globalPos(), tipText(tip), this);
    return true;
}

void OperationTable::mousePressEvent(QMouseEvent* event) {
    const Place* place = placeAt(event->position());
    if (event->button() != Qt::LeftButton || !place) return QWidget::mousePressEvent(event);
    if (!place->strip && !place->ref) return;
    // By itself: who hears of it sets the page anew, and the places are gone.
    const NumberRef ref = place->strip ? stripNumber(*place->strip, place->rect, event->position()) : *place->ref;
    Q_EMIT numberPicked(ref);
}

void OperationTable::mouseMoveEvent(QMouseEvent* event) {
    const Place* place = placeAt(event->position());
    setCursor(place && (place->ref || place->strip) ? Qt::PointingHandCursor : Qt::ArrowCursor);
}

}  // namespace moe::app
