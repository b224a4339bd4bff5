#pragma once
#include <QObject>
#include <QString>

#include <cstdint>

class QAction;

namespace moe::app {

class DeviceButton;
class DockArea;
class Notice;
class SessionController;

/// Where the run computes: the switch in the bar, what was chosen, and the word when a device failed. GUI thread.
class DeviceControl : public QObject {
    Q_OBJECT

public:
    /// `choice`: "auto", "cpu" or "cuda", as it was remembered. `key` opens the switch's menu.
    DeviceControl(SessionController& session, DeviceButton& button, DockArea& docks, Notice& notice, QAction* key,
                  QString choice, QObject* parent);

    /// Opens the view that compares the devices, and has it begin.
    void compare();
    void measure();

Q_SIGNALS:
    void chosen(const QString& device);  // and training goes on there

private:
    void choose(const QString& device);
    void fill();
    void followLive();
    void say();

    SessionController& session_;
    DeviceButton& button_;
    DockArea& docks_;
    Notice& notice_;
    QString choice_;
    std::uint64_t told_ = 0;  // notices of the session
    QString unread_;          // that nobody has closed
    bool switching_ = false;
};

}  // namespace moe::app
