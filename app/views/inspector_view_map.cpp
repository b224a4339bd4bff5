#include "app/views/inspector_view_map.h"

#include "app/models/inspection.h"
#include "app/models/provenance_card.h"
#include "app/models/tabular_text.h"
#include "app/models/text_format.h"

#include <QHelpEvent>
#include <QKeyEvent>
#include <QMouseEvent>
#include <QPainter>
#include <QScrollBar>
#include <QToolTip>
#include <QWheelEvent>

#include <algorithm>
#include <cmath>

namespace moe::app {

namespace {

constexpr double number_size = 9.5, widest_fit = 44, tallest_fit = 24, readable_width = 36, readable_height = 18;
constexpr double zoom_step = 1.6;

}  // namespace

ArrayMap::ArrayMap(QWidget* parent) : QAbstractScrollArea(parent) {
    setFrameShape(QFrame::NoFrame);
    setFocusPolicy(Qt::TabFocus);  // a click leaves the keyboard where it is
    viewport()->setMouseTracking(true);
    viewport()->setAutoFillBackground(false);
    setAccessibleName(tr("Array"));
}

void ArrayMap::setContent(Content content, const Theme& theme) {
    const bool other = content.rows != content_.rows || content.columns != content_.columns;
    content_ = std::move(content);
    theme_ = theme;
    if (other) {
        zoom_ = 0;
        current_.reset();
        hovered_.reset();
    }
    arrange();
}

QSizeF ArrayMap::largestCell() const {
    return {theme_.px(readable_width), theme_.px(readable_height)};
}

bool ArrayMap::canZoomIn() const {
    const QSizeF largest = largestCell();
    return !content_.values.empty() && (cell_.width() < largest.width() || cell_.height() < largest.height());
}

int ArrayMap::preferredHeight(int width) const {
    if (content_.values.empty()) return int(theme_.px(90));
    const double wide = width / double(std::max<std::size_t>(1, content_.columns));
    // Cells with numbers are as high as a line, others at most twice as high as wide.
    const double high = wide >= theme_.px(26) ? theme_.px(tallest_fit) : std::min(theme_.px(tallest_fit), 2 * wide);
    return int(std::ceil(high * double(content_.rows)));
}

void ArrayMap::arrange() {
    const double columns = double(std::max<std::size_t>(1, content_.columns)),
                 rows = double(std::max<std::size_t>(1, content_.rows));
    const QSizeF room = maximumViewportSize();
    cell_ = QSizeF(
        std::min(room.width() / columns, std::max(theme_.px(widest_fit), room.width() / (content_.rows > 2 ? 4 : 8))),
        std::min(room.height() / rows, theme_.px(tallest_fit)));
    if (zoom_ > 0) {
        const double factor = std::pow(zoom_step, zoom_);
        const QSizeF largest = largestCell();
        cell_ = QSizeF(std::max(cell_.width(), std::min(cell_.width() * factor, largest.width())),
                       std::max(cell_.height(), std::min(cell_.height() * factor, largest.height())));
    }
    const QFontMetricsF metrics(theme_.font(number_size));
    const double widest = tabularWidth(metrics, cellText(-0.88 * content_.limit));
    numbers_ = widest + 3 <= cell_.width() && metrics.capHeight() + 3 <= cell_.height();
    const QSize size(int(std::ceil(cell_.width() * columns - 0.01)), int(std::ceil(cell_.height() * rows - 0.01)));
    QSize view = maximumViewportSize();
    const int bar = style()->pixelMetric(QStyle::PM_ScrollBarExtent);
    if (size.width() > view.width()) view.rheight() -= bar;
    if (size.height() > view.height()) view.rwidth() -= bar;
    horizontalScrollBar()->setRange(0, std::max(0, size.width() - view.width()));
    verticalScrollBar()->setRange(0, std::max(0, size.height() - view.height()));
    horizontalScrollBar()->setPageStep(view.width());
    verticalScrollBar()->setPageStep(view.height());
    horizontalScrollBar()->setSingleStep(int(std::max(1.0, cell_.width())));
    verticalScrollBar()->setSingleStep(int(std::max(1.0, cell_.height())));

    const double ratio = devicePixelRatioF();
    const auto pixels = [&](double length, std::size_t most) {
        return std::clamp<std::size_t>(std::size_t(std::max(1.0, length * ratio)), 1, most);
    };
    const std::size_t w = pixels(cell_.width() * columns, std::max<std::size_t>(1, content_.columns)),
                      h = pixels(cell_.height() * rows, std::max<std::size_t>(1, content_.rows));
    image_ = Inspection::image(content_.values, content_.rows, content_.columns, content_.limit, content_.gradient,
                               theme_, w, h);
    reduction_ = content_.values.empty() ? 1 : (content_.rows * content_.columns + w * h - 1) / (w * h);
    viewport()->update();
    Q_EMIT viewChanged();
}

QString ArrayMap::cellText(double value) const {
    const double limit = content_.limit;
    // One unit for all cells: as many digits as tell the largest in two.
    const int digits = limit >= 100 ? 0 : limit >= 10 ? 1 : limit >= 0.1 ? 2 : limit >= 0.01 ? 3 : 4;
    if (!std::isfinite(value)) return QStringLiteral("–");
    if (limit < 0.001 || limit >= 1e5) return valueText(value, 1);
    QString text = gateText(std::abs(value), digits);
    const bool zero = text.count(u'0') + text.count(u'.') == text.size();
    return value < 0 && !zero ? QChar(0x2212) + text : text;
}

QRectF ArrayMap::cellRect(std::size_t cell) const {
    if (content_.columns == 0) return {};
    return {double(cell % content_.columns) * cell_.width() - horizontalScrollBar()->value(),
            double(cell / content_.columns) * cell_.height() - verticalScrollBar()->value(), cell_.width(),
            cell_.height()};
}

std::optional<std::size_t> ArrayMap::cellAt(QPointF position) const {
    if (content_.values.empty() || position.x() < 0 || position.y() < 0) return {};
    const auto column = std::size_t((position.x() + horizontalScrollBar()->value()) / cell_.width());
    const auto row = std::size_t((position.y() + verticalScrollBar()->value()) / cell_.height());
    const std::size_t cell = row * content_.columns + column;
    if (column >= content_.columns || row >= content_.rows || cell >= content_.values.size()) return {};
    return cell;
}

void ArrayMap::paintEvent(QPaintEvent*) {
    labels_.clear();
    QPainter painter(viewport());
    painter.setRenderHints(QPainter::TextAntialiasing);
    if (!content_.missing.isEmpty() || content_.values.empty()) {
        painter.setFont(theme_.font(11.5));
        painter.setPen(theme_.muted);
        labels_.drawWrapped(painter, QRectF(viewport()->rect()), content_.missing);
        return;
    }
    const QSizeF whole(cell_.width() * double(content_.columns), cell_.height() * double(content_.rows));
    const QRectF target(QPointF(-horizontalScrollBar()->value(), -verticalScrollBar()->value()), whole);
    painter.setRenderHint(QPainter::SmoothPixmapTransform, false);
    painter.drawImage(target, image_);
    // Cells that can be told apart stand apart.
    if (std::min(cell_.width(), cell_.height()) >= theme_.px(7)) {
        painter.setPen(QPen(theme_.panel, 1));
        for (double x = target.left(); x < viewport()->width(); x += cell_.width())
            if (x > 0)
                painter.drawLine(QPointF(std::round(x), 0),
                                 QPointF(std::round(x), std::min<double>(target.bottom(), viewport()->height())));
        for (double y = target.top(); y < viewport()->height(); y += cell_.height())
            if (y > 0)
                painter.drawLine(QPointF(0, std::round(y)),
                                 QPointF(std::min<double>(target.right(), viewport()->width()), std::round(y)));
    }
    if (numbers_) paintNumbers(painter);
    painter.setRenderHint(QPainter::Antialiasing);
    if (hovered_) outline(painter, *hovered_, 1);
    if (current_) outline(painter, *current_, 2);
}

void ArrayMap::paintNumbers(QPainter& painter) {
    painter.setFont(theme_.font(number_size));
    const auto first_row = std::size_t(verticalScrollBar()->value() / cell_.height()),
               first_column = std::size_t(horizontalScrollBar()->value() / cell_.width());
    for (std::size_t r = first_row; r < content_.rows; ++r) {
        if (double(r) * cell_.height() - verticalScrollBar()->value() > viewport()->height()) break;
        for (std::size_t c = first_column; c < content_.columns; ++c) {
            const std::size_t cell = r * content_.columns + c;
            const QRectF place = cellRect(cell);
            if (place.left() > viewport()->width() || cell >= content_.values.size()) break;
            const auto value = double(content_.values[cell]);
            const QColor color = Inspection::color(value, content_.limit, content_.gradient, theme_);
            painter.setPen(theme_.textOn(color));
            const QString text = content_.on_off && value == 0 ? tr("off") : cellText(value);
            labels_.draw(painter, place, Qt::AlignHCenter | Qt::AlignVCenter, text);
        }
    }
}

void ArrayMap::outline(QPainter& painter, std::size_t cell, double width) {
    QRectF place = cellRect(cell);
    // A cell smaller than its outline is pointed at by a frame around it.
    const double least = theme_.px(6);
    if (place.width() < least) place.adjust(-(least - place.width()) / 2, 0, (least - place.width()) / 2, 0);
    if (place.height() < least) place.adjust(0, -(least - place.height()) / 2, 0, (least - place.height()) / 2);
    painter.setPen(QPen(theme_.ink, width));
    painter.setBrush(Qt::NoBrush);
    painter.drawRect(place.adjusted(0.5, 0.5, -0.5, -0.5));
}

void ArrayMap::setCurrent(std::optional<std::size_t> cell) {
    if (cell && *cell >= content_.values.size()) cell.reset();
    current_ = cell;
    if (cell) {
        const QRectF place = cellRect(*cell);
        QScrollBar *x = horizontalScrollBar(), *y = verticalScrollBar();
        if (place.left() < 0) x->setValue(x->value() + int(std::floor(place.left())));
        if (place.right() > viewport()->width())
            x->setValue(x->value() + int(std::ceil(place.right())) - viewport()->width());
        if (place.top() < 0) y->setValue(y->value() + int(std::floor(place.top())));
        if (place.bottom() > viewport()->height())
            y->setValue(y->value() + int(std::ceil(place.bottom())) - viewport()->height());
        if (meaning_)
            setAccessibleDescription(tr("%1: %2").arg(meaning_(*cell), valueText(double(content_.values[*cell]), 4)));
    }
    viewport()->update();
    Q_EMIT pointed();
}

void ArrayMap::zoomBy(int steps) {
    const int before = zoom_;
    zoom_ = std::max(0, zoom_ + steps);
    if (steps > 0 && !canZoomIn() && before > 0) zoom_ = before;
    // The cell that is looked at stays in sight.
    const std::optional<std::size_t> kept = hovered_ ? hovered_ : current_;
    arrange();
    if (kept && content_.columns > 0) {
        const QRectF place = cellRect(*kept);
        horizontalScrollBar()->setValue(horizontalScrollBar()->value() + int(place.center().x()) -
                                        viewport()->width() / 2);
        verticalScrollBar()->setValue(verticalScrollBar()->value() + int(place.center().y()) -
                                      viewport()->height() / 2);
    }
}

void ArrayMap::zoomToFit() {
    zoom_ = 0;
    arrange();
}

void ArrayMap::resizeEvent(QResizeEvent* event) {
    QAbstractScrollArea::resizeEvent(event);
    arrange();
}

void ArrayMap::scrollContentsBy(int, int) {
    viewport()->update();
}

bool ArrayMap::viewportEvent(QEvent* event) {
    if (event->type() == QEvent::Leave && hovered_) {
        hovered_.reset();
        viewport()->update();
        Q_EMIT pointed();
    }
    if (event->type() == QEvent::ToolTip) {
        auto* help = static_cast<QHelpEvent*>(event);
        const auto cell = cellAt(QPointF(help->pos()));
        if (cell && meaning_)
            QToolTip::showText(help->globalPos(),
                               tipText(tr("%1: %2\nClick: where it comes from")
                                           .arg(meaning_(*cell), valueText(double(content_.values[*cell]), 6))),
                               viewport(), cellRect(*cell).toAlignedRect());
        else
            QToolTip::hideText();
        return true;
    }
    return QAbstractScrollArea::viewportEvent(event);
}

bool ArrayMap::event(QEvent* event) {
    // While it has the keyboard the arrows are its own, not the window's.
    if (event->type() == QEvent::ShortcutOverride) {
        const auto* key = static_cast<QKeyEvent*>(event);
        const bool plain = !(key->modifiers() & ~Qt::KeypadModifier);
        if (plain && (key->key() == Qt::Key_Left || key->key() == Qt::Key_Right)) {
            event->accept();
            return true;
        }
    }
    return QAbstractScrollArea::event(event);
}

void ArrayMap::mousePressEvent(QMouseEvent* event) {
    if (event->button() != Qt::LeftButton) return event->ignore();
    if (const auto cell = cellAt(event->position())) {
        setCurrent(cell);
        Q_EMIT picked(*cell);
    }
}

void ArrayMap::mouseMoveEvent(QMouseEvent* event) {
    const auto cell = cellAt(event->position());
    if (cell == hovered_) return;
    hovered_ = cell;
    viewport()->setCursor(cell ? Qt::PointingHandCursor : Qt::ArrowCursor);
    viewport()->update();
    Q_EMIT pointed();
}

void ArrayMap::wheelEvent(QWheelEvent* event) {
    if (!(event->modifiers() & Qt::ControlModifier)) return QAbstractScrollArea::wheelEvent(event);
    if (event->angleDelta().y() != 0) zoomBy(event->angleDelta().y() > 0 ? 1 : -1);
    event->accept();
}

void ArrayMap::keyPressEvent(QKeyEvent* event) {
    const std::size_t count = content_.values.size(), columns = content_.columns;
    if (count == 0 || event->modifiers() & ~(Qt::KeypadModifier | Qt::ShiftModifier)) {
        event->ignore();
        return;
    }
    const std::size_t at = current_.value_or(0);
    switch (event->key()) {
        case Qt::Key_Right:
            return setCurrent(current_ ? std::min(at + 1, count - 1) : 0);
        case Qt::Key_Left:
            return setCurrent(at > 0 ? at - 1 : 0);
        case Qt::Key_Down:
            return setCurrent(!current_ ? 0 : at + columns < count ? at + columns : at);
        case Qt::Key_Up:
            return setCurrent(at >= columns ? at - columns : at);
        case Qt::Key_Home:
            return setCurrent(0);
        case Qt::Key_End:
            return setCurrent(count - 1);
        case Qt::Key_Plus:
            return zoomBy(1);
        case Qt::Key_Minus:
            return zoomBy(-1);
        case Qt::Key_0:
            return zoomToFit();
        case Qt::Key_Return:
        case Qt::Key_Enter:
            if (current_) Q_EMIT picked(*current_);
            return;
        default:
            event->ignore();
    }
}

}  // namespace moe::app
