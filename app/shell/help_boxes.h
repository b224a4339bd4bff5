#pragma once
#include <QString>

class QWidget;

namespace moe::app {

class WindowActions;

/// Opens the list of keys over `parent`; does not wait.
void showKeys(const WindowActions& actions, QWidget* parent);

/// Opens what the program is and what it computes on; does not wait.
void showAbout(const QString& device, QWidget* parent);

}  // namespace moe::app
