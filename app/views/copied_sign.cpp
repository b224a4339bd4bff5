#include "app/views/copied_sign.h"

#include "app/views/chart_toggle.h"

#include <QAccessible>
#include <QApplication>
#include <QClipboard>
#include <QEvent>
#include <QPainter>
#include <QTimer>

#include <cmath>

namespace moe::app {

namespace {

constexpr int shown_milliseconds = 1600;
constexpr double toggle_text = 10.5;

}  // namespace

CopiedSign::CopiedSign(QAbstractButton& button, const QString& text, const Theme& theme)
    : QWidget(button.parentWidget()),
      button_(&button),
      text_(text),
      name_(button.accessibleName()),
      font_(qobject_cast<TextToggle*>(&button) ? theme.font(toggle_text) : button.font()),
      theme_(theme) {
    setAttribute(Qt::WA_TransparentForMouseEvents);
    font_.setUnderline(false);
    place();
    button.installEventFilter(this);
    QTimer::singleShot(shown_milliseconds, this, &QObject::deleteLater);
    raise();
    show();
    // Some readers speak alerts, others the name of what has the focus.
    setAccessibleName(text);
    button.setAccessibleName(text);
    QAccessibleEvent alert(this, QAccessible::Alert);
    QAccessible::updateAccessibility(&alert);
}

CopiedSign::~CopiedSign() {
    if (button_ && button_->accessibleName() == text_) button_->setAccessibleName(name_);
}

void CopiedSign::place() {
    const int wide = int(std::ceil(QFontMetricsF(font_).horizontalAdvance(text_))) + 4;
    setGeometry(QRect(button_->pos(), QSize(std::max(button_->width(), wide), button_->height())));
}

bool CopiedSign::eventFilter(QObject* watched, QEvent* event) {
    if (event->type() == QEvent::Move || event->type() == QEvent::Resize) place();
    if (event->type() == QEvent::Hide) {
        hide();
        deleteLater();
    }
    return QWidget::eventFilter(watched, event);
}

void CopiedSign::paintEvent(QPaintEvent*) {
    QPainter painter(this);
    painter.fillRect(rect(), theme_.panel);
    painter.setFont(font_);
    painter.setPen(theme_.ink);
    painter.drawText(rect().adjusted(1, 0, 0, 0), Qt::AlignLeft | Qt::AlignVCenter, text_);
}

void copyText(const QString& text, QAbstractButton& button, const QString& done, const Theme& theme) {
    QApplication::clipboard()->setText(text);
    for (CopiedSign* old : button.parentWidget()->findChildren<CopiedSign*>(QString(), Qt::FindDirectChildrenOnly))
        delete old;
    new CopiedSign(button, done, theme);
}

}  // namespace moe::app
