#pragma once
#include "app/views/view.h"

#include <QDockWidget>

class QMenu;

namespace moe::app {

/// The strip above a view: title at the left, scope or value at the right, always on one line:
/// where both do not fit, the scope is cut and stands in the tooltip.
class PanelHeader : public QWidget {
    Q_OBJECT

public:
    PanelHeader(View* view, bool upright, QWidget* parent);

    void setTheme(const Theme& theme);
    QSize sizeHint() const override;
    QSize minimumSizeHint() const override;

protected:
    void paintEvent(QPaintEvent* event) override;

private:
    void refresh();
    int lineHeight() const;

    View* view_;
    bool upright_;  // the time strip's title stands at its left
    Theme theme_ = Theme::light();
};

/// A view in its panel: radius 10, a hairline, 16 px inside. Movable and closable; the stage alone stays where it is.
class DockFrame : public QDockWidget {
    Q_OBJECT

public:
    DockFrame(const ViewInfo& info, SessionController& session, QWidget* parent);

    View* view() const { return view_; }
    ViewArea area() const { return area_; }
    bool openAtFirst() const { return open_at_first_; }
    void setTheme(const Theme& theme);
    /// Whether the lesson's text speaks of this view.
    void setPointedAt(bool on);

Q_SIGNALS:
    /// The panel's own menu is about to be shown; what the view can do is in it already.
    void menuAsked(QMenu* menu);

protected:
    void paintEvent(QPaintEvent* event) override;
    void contextMenuEvent(QContextMenuEvent* event) override;

private:
    View* view_;
    ViewArea area_;
    bool open_at_first_;
    PanelHeader* header_ = nullptr;  // none for the stage
    QWidget* content_;
    Theme theme_ = Theme::light();
    bool pointed_at_ = false;
};

}  // namespace moe::app
