#include "app/views/chart_toggle.h"

#include <QFontMetricsF>
#include <QPainter>

#include <cmath>

namespace moe::app {

namespace {

constexpr double text_size = 10.5;

}  // namespace

TextToggle::TextToggle(QWidget* parent) : QAbstractButton(parent) {
    setCursor(Qt::PointingHandCursor);
    setFocusPolicy(Qt::TabFocus);
}

void TextToggle::setTheme(const Theme& theme) {
    theme_ = theme;
    updateGeometry();
    update();
}

QSize TextToggle::sizeHint() const {
    const QFontMetricsF metrics(theme_.font(text_size));
    return {int(std::ceil(metrics.horizontalAdvance(text()))) + 2, int(std::ceil(metrics.height())) + 1};
}

void TextToggle::placeAt(int right, int bottom) {
    const QSize size = sizeHint();
    setGeometry(right - size.width(), bottom - size.height(), size.width(), size.height());
}

void TextToggle::paintEvent(QPaintEvent*) {
    QPainter painter(this);
    painter.setRenderHint(QPainter::TextAntialiasing);
    painter.setFont(theme_.font(text_size));
    const QFontMetricsF metrics(painter.font());
    painter.setPen(underMouse() || hasFocus() ? theme_.ink : theme_.muted);
    const double baseline = height() - 2 - metrics.descent();
    painter.drawText(QPointF(1, baseline), text());
    painter.drawLine(QPointF(1, baseline + 2), QPointF(width() - 1, baseline + 2));
    if (hasFocus()) painter.drawLine(QPointF(1, baseline + 3), QPointF(width() - 1, baseline + 3));
}

}  // namespace moe::app
