#pragma once
#include "app/models/theme.h"

#include <QPointer>
#include <QWidget>

class QAbstractButton;

namespace moe::app {

/// "Copied", for a moment, on top of the button that was asked: nothing moves, a click goes through to the button, and
/// a screen reader says it, as an alert and as the button's name. Deletes itself.
class CopiedSign : public QWidget {
    Q_OBJECT

public:
    CopiedSign(QAbstractButton& button, const QString& text, const Theme& theme);
    ~CopiedSign() override;

protected:
    void paintEvent(QPaintEvent* event) override;
    bool eventFilter(QObject* watched, QEvent* event) override;

private:
    void place();

    QPointer<QAbstractButton> button_;
    QString text_, name_;
    QFont font_;  // the button's
    Theme theme_;
};

/// Puts `text` on the clipboard, and says `done` in the place of `button`. GUI thread.
void copyText(const QString& text, QAbstractButton& button, const QString& done, const Theme& theme);

}  // namespace moe::app
