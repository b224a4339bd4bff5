#pragma once
#include "app/models/theme.h"
#include "engine/session/training_session.h"

#include <QPushButton>

#include <vector>

class QMenu;

namespace moe::app {

/// What computes, and a menu to compute elsewhere: a device that is off says why. Asks by signals and shows what it is
/// given.
class DeviceButton : public QPushButton {
    Q_OBJECT

public:
    explicit DeviceButton(QWidget* parent);

    void setTheme(const Theme& theme);
    /// What computes now, as a snapshot names it; empty: nothing does.
    void showDevice(const std::string& title);
    /// What the menu offers; `choice` is checked. No devices: they are being looked for.
    void setDevices(const std::vector<DeviceInfo>& devices, const QString& choice);
    QSize sizeHint() const override;
    QSize minimumSizeHint() const override { return sizeHint(); }

protected:
    void paintEvent(QPaintEvent* event) override;

Q_SIGNALS:
    void deviceChosen(const QString& id);  // "auto", "cpu", "cuda"
    void menuAsked();                      // it is about to be looked at
    void comparisonAsked();

private:
    void fit();
    void nameAuto();
    void pickOut();  // what computes, or where the keys were before the menu was filled anew
    void addReason(const QString& reason);

    QMenu* menu_;
    Theme theme_ = Theme::light();
    QString device_;
    QAction* auto_ = nullptr;     // of the menu
    std::vector<QString> names_;  // that may stand here: room for the longest of them
};

}  // namespace moe::app
