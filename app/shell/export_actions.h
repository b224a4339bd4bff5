#pragma once
#include "app/export/export_figure.h"
#include "app/models/theme.h"

#include <QObject>
#include <QPointer>

#include <functional>
#include <vector>

class QMenu;
class QWidget;

namespace moe::app {

class AnimationDialog;
class DockArea;
class DockFrame;
class ExportDialog;
class Notice;
class WindowActions;
class Workbench;

/// Export from the window: Ctrl+E, each panel's own menu with Export, Copy picture and Copy numbers, and the run as an
/// animation. Everything as it is at the moment that is shown. GUI thread.
class ExportActions : public QObject {
    Q_OBJECT

public:
    ExportActions(Workbench& bench, DockArea& docks, Notice& notice, const WindowActions& actions, QWidget* window);

    void setTheme(const Theme& theme) { theme_ = theme; }
    /// What else can be exported now; the first of them is what is looked at then.
    void setFurther(std::function<std::vector<FigureSource>(const Theme& theme)> further) {
        further_ = std::move(further);
    }
    /// Opens the dialog on this view; empty: on the one that is looked at.
    ExportDialog* exportView(const QString& id);
    /// Opens the dialog that makes the run an animation of this view; empty: of the stage.
    AnimationDialog* animate(const QString& id);
    /// The view that the pointer is over, else the one with the keyboard; the stage where there is neither.
    QString viewLookedAt() const;
    /// PNG at twice the size, or the table, to the clipboard.
    void copy(const QString& id, FigureFormat format);

private:
    void fillMenu(DockFrame* dock, QMenu* menu);
    FigureOptions options() const;
    std::vector<FigureSource> sources() const;

    Workbench& bench_;
    DockArea& docks_;
    Notice& notice_;
    QWidget* window_;
    Theme theme_ = Theme::light();
    std::function<std::vector<FigureSource>(const Theme&)> further_;
    QPointer<ExportDialog> dialog_;
    QPointer<AnimationDialog> animation_;
};

}  // namespace moe::app
