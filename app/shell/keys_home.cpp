#include "app/shell/keys_home.h"

#include <QApplication>
#include <QDialog>
#include <QEvent>
#include <QTimer>

namespace moe::app {

KeysHome::KeysHome(QWidget* window, std::function<void()> home)
    : QObject(window), window_(window), home_(std::move(home)) {
    qApp->installEventFilter(this);
}

bool KeysHome::eventFilter(QObject* watched, QEvent* event) {
    if (event->type() == QEvent::Hide && !event->spontaneous()) {
        const auto* dialog = qobject_cast<QDialog*>(watched);
        // A dialog's own dialog leads back to that one. Later, when whatever closed it has been done.
        if (dialog && dialog->parentWidget() && dialog->parentWidget()->window() == window_ && window_->isVisible())
            QTimer::singleShot(0, this, home_);
    }
    return QObject::eventFilter(watched, event);
}

}  // namespace moe::app
