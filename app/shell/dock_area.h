#pragma once
#include "app/shell/dock_frame.h"
#include "app/shell/dock_layout.h"

#include <QMainWindow>

#include <vector>

class QMenu;

namespace moe::app {

/// The views in their places: stage in the middle, measures around it, time at the bottom. Built from the view
/// registry, whatever it holds.
class DockArea : public QMainWindow {
    Q_OBJECT

public:
    DockArea(SessionController& session, QWidget* parent);

    void setTheme(const Theme& theme);
    /// For every view that has a property `reducedMotion`.
    void setReducedMotion(bool reduced);
    /// The arrangement of the design for the present size.
    void arrange();
    /// Whether a person has moved, closed or resized something since arrange().
    bool isRearranged() const { return rearranged_; }

    /// The arrangement of a session's file, which is from then on the user's; the default one where it is empty.
    void setLayout(const DockLayout& layout);

    QByteArray arrangement() const;
    /// False, and arrange(), where `state` is of another program version.
    bool restoreArrangement(const QByteArray& state);

    /// Opens a view that is closed at first in the place of its area's others, which become its tabs; closing it gives
    /// the place back.
    void setOpen(DockFrame* frame, bool on);

    DockFrame* dock(const QString& id) const;
    const std::vector<DockFrame*>& docks() const { return docks_; }
    DockFrame* stage() const;
    void pointAt(const QStringList& ids);

protected:
    bool event(QEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;
    QMenu* createPopupMenu() override;

private:
    void proportion();
    std::size_t besideEachOther() const;
    std::vector<QDockWidget*> of(ViewArea area) const;
    std::vector<DockFrame*> guests() const;
    void takePlace(DockFrame* frame);

    std::vector<DockFrame*> docks_;
    Theme theme_ = Theme::light();
    bool rearranged_ = false, arranging_ = false;
    std::size_t beside_ = 2;  // measures under the stage that stand side by side; further ones share the last place
};

}  // namespace moe::app
