#pragma once
#include <QObject>

class QAction;

namespace moe::app {

class DockArea;

/// Carries what is picked on the stage to the inspector: a double click or "Inspect" opens it, and while it is open a
/// click retargets it. `toggle` opens and closes it.
class InspectorOpener : public QObject {
    Q_OBJECT

public:
    InspectorOpener(DockArea& docks, QAction* toggle, QObject* parent);

protected:
    bool eventFilter(QObject* watched, QEvent* event) override;

private:
    QAction* toggle_;
};

}  // namespace moe::app
