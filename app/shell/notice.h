#pragma once
#include <QFrame>
#include <QString>

#include <functional>
#include <vector>

class QHBoxLayout;
class QLabel;
class QProgressBar;
class QPushButton;

namespace moe::app {

/// One quiet card for what the run has to say: that it is finished, why it stopped, what was refused, what is being
/// read, what can be restored.
class Notice : public QFrame {
    Q_OBJECT

public:
    struct Button {
        QString text;
        std::function<void()> press;
    };
    enum class Kind { none, failed, refused, working, told, offered };

    explicit Notice(QWidget* parent);

    /// Plain text; a button also closes the notice. `refused` gets a button that closes it.
    void tell(Kind kind, const QString& text, std::vector<Button> buttons = {});
    /// Closes it where it is of that kind.
    void withdraw(Kind kind);
    Kind kind() const { return kind_; }
    QString text() const;

Q_SIGNALS:
    void closed();  // nothing is said any more

protected:
    bool eventFilter(QObject* watched, QEvent* event) override;

private:
    void place();

    Kind kind_ = Kind::none;
    QLabel* text_;
    QProgressBar* progress_;
    QHBoxLayout* buttons_;
};

}  // namespace moe::app
