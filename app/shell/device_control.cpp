#include "app/shell/device_control.h"

#include "app/session/session_controller.h"
#include "app/shell/device_button.h"
#include "app/shell/dock_area.h"
#include "app/shell/notice.h"
#include "app/views/devices_view.h"

#include <QAction>
#include <QTimer>

#include <algorithm>
#include <utility>

namespace moe::app {

DeviceControl::DeviceControl(SessionController& session, DeviceButton& button, DockArea& docks, Notice& notice,
                             QAction* key, QString choice, QObject* parent)
    : QObject(parent), session_(session), button_(button), docks_(docks), notice_(notice), choice_(std::move(choice)) {
    connect(&button, &DeviceButton::deviceChosen, this, &DeviceControl::choose);
    connect(&button, &DeviceButton::comparisonAsked, this, &DeviceControl::compare);
    connect(&button, &DeviceButton::menuAsked, &session, &SessionController::findDevices);
    connect(key, &QAction::triggered, &button, &DeviceButton::showMenu);
    connect(&session, &SessionController::devicesChanged, this, &DeviceControl::fill);
    connect(&session, &SessionController::liveChanged, this, &DeviceControl::followLive);
    // What else the window had to say stood in its place for a moment. Later: who closed it says so after it has gone.
    connect(
        &notice, &Notice::closed, this,
        [this] {
            if (notice_.kind() == Notice::Kind::none) say();
        },
        Qt::QueuedConnection);
}

void DeviceControl::compare() {
    if (DockFrame* frame = docks_.dock(QStringLiteral("devices"))) {
        docks_.setOpen(frame, true);
        frame->view()->setFocus();
    }
}

void DeviceControl::measure() {
    DockFrame* frame = docks_.dock(QStringLiteral("devices"));
    auto* view = frame ? qobject_cast<DevicesView*>(frame->view()) : nullptr;
    if (!view) return;
    docks_.setOpen(frame, true);
    view->measure();
}

void DeviceControl::choose(const QString& device) {
    if (switching_) return fill();
    switching_ = true;
    notice_.tell(Notice::Kind::working, tr("Moving the run to the other device…"));
    session_.setDevice(device, [this, device](const QString& error) {
        switching_ = false;
        notice_.withdraw(Notice::Kind::working);
        if (error.isEmpty()) {
            choice_ = device;
            unread_.clear();  // who moves the run knows where it is
            notice_.withdraw(Notice::Kind::moved);
            Q_EMIT chosen(device);
        } else {
            notice_.tell(Notice::Kind::refused, error);
        }
        fill();
        session_.findDevices();
    });
}

// A choice that cannot be had is as good as none, until it can.
void DeviceControl::fill() {
    const auto& devices = session_.devices();
    const auto chosen =
        std::ranges::find_if(devices, [&](const DeviceInfo& d) { return QString::fromStdString(d.id) == choice_; });
    const bool there = chosen != devices.end() && chosen->why_off.empty();
    button_.setDevices(devices, there ? choice_ : QStringLiteral("auto"));
}

void DeviceControl::followLive() {
    const Snapshot& live = session_.live();
    if (live.state != SessionState::empty && session_.devices().empty()) session_.findDevices();
    if (live.notices == told_) return;
    told_ = live.notices;
    if (live.notice.empty()) return;
    unread_ = QString::fromStdString(live.notice);
    say();
    session_.findDevices();
}

void DeviceControl::say() {
    if (!unread_.isEmpty()) notice_.tell(Notice::Kind::moved, unread_, {{tr("Close"), [this] { unread_.clear(); }}});
}

}  // namespace moe::app
