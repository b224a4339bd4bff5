#pragma once
#include <QObject>

#include <functional>

class QWidget;

namespace moe::app {

/// Calls `home` when a dialog of `window` has closed, so that the keys do not stay in the field where they were before:
/// Space plays again. GUI thread.
class KeysHome : public QObject {
public:
    KeysHome(QWidget* window, std::function<void()> home);

protected:
    bool eventFilter(QObject* watched, QEvent* event) override;

private:
    QWidget* window_;
    std::function<void()> home_;
};

}  // namespace moe::app
