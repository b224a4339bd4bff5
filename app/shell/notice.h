#pragma once
#include "app/models/theme.h"

#include <QString>
#include <QTimer>
#include <QWidget>

#include <functional>
#include <vector>

class QFrame;
class QHBoxLayout;
class QLabel;
class QProgressBar;
class QPushButton;

namespace moe::app {

/// One quiet card for what the run has to say: that it is finished, why it stopped, what was refused, what is being
/// read, what can be restored. It stands in a layout above the pictures and covers nothing.
class Notice : public QWidget {
    Q_OBJECT

public:
    struct Button {
        QString text;
        std::function<void()> press;
    };
    enum class Kind { none, failed, refused, working, told, offered, moved };

    explicit Notice(QWidget* parent);
    void setTheme(const Theme& theme);

    /// Plain text; a button also closes the notice. `refused` gets a button that closes it, as `moved` (to another
    /// device) needs one. `working` appears only
    /// where it lasts.
    void tell(Kind kind, const QString& text, std::vector<Button> buttons = {});
    /// Closes it where it is of that kind.
    void withdraw(Kind kind);
    Kind kind() const { return kind_; }
    QString text() const;

Q_SIGNALS:
    void closed();    // nothing is said any more
    void keysLeft();  // a button that had the keyboard is gone

private:
    void say(Kind kind, const QString& text, std::vector<Button> buttons);

    Kind kind_ = Kind::none;
    QString work_;  // that has only begun
    QTimer begun_;
    QFrame* card_;
    QLabel* text_;
    QProgressBar* progress_;
    QHBoxLayout* buttons_;
};

}  // namespace moe::app
