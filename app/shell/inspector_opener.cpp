#include "app/shell/inspector_opener.h"

#include "app/shell/dock_area.h"
#include "app/views/inspector_view.h"
#include "app/views/stage_view.h"

#include <QAction>
#include <QEvent>

namespace moe::app {

InspectorOpener::InspectorOpener(DockArea& docks, QAction* toggle, QObject* parent) : QObject(parent), toggle_(toggle) {
    DockFrame* frame = docks.dock(QStringLiteral("inspector"));
    auto* inspector = frame ? qobject_cast<InspectorView*>(frame->view()) : nullptr;
    auto* stage = docks.stage() ? qobject_cast<StageView*>(docks.stage()->view()) : nullptr;
    if (!inspector || !stage) return;
    connect(stage, &StageView::inspectAsked, this, [&docks, frame, inspector](const InspectionTarget& target) {
        docks.setOpen(frame, true);
        inspector->inspect(target);
    });
    connect(stage, &StageView::partClicked, this, [inspector](const InspectionTarget& target) {
        if (inspector->isVisible()) inspector->inspect(target);
    });
    connect(toggle, &QAction::triggered, this, [&docks, frame] {
        // Behind another tab it comes forward; in sight it goes.
        const bool in_sight = !frame->isHidden() && !frame->visibleRegion().isEmpty();
        docks.setOpen(frame, !in_sight);
    });
    frame->toggleViewAction()->setText(inspector->name() + QStringLiteral("\tI"));
    docks.installEventFilter(this);
}

bool InspectorOpener::eventFilter(QObject* watched, QEvent* event) {
    // While another page stands in the panels' place there is nowhere to open it.
    if (event->type() == QEvent::Show || event->type() == QEvent::Hide)
        toggle_->setEnabled(event->type() == QEvent::Show);
    return QObject::eventFilter(watched, event);
}

}  // namespace moe::app
