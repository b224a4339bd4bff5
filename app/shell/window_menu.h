#pragma once
#include "app/lessons/lesson.h"
#include "app/lessons/loader.h"

#include <QMenu>

namespace moe::app {

class DockArea;
class WindowActions;

/// The window's menu: every action by its subject, the lessons, and the docks as they are when it is looked at.
class WindowMenu : public QMenu {
    Q_OBJECT

public:
    /// `lessons` must outlive it.
    WindowMenu(const WindowActions& actions, const LessonList& lessons, QWidget* parent);

    void setDocks(const DockArea* docks) { docks_ = docks; }
    QMenu* recentMenu() const { return recent_; }
    /// Null: none of them.
    void checkLesson(const Lesson* lesson);

Q_SIGNALS:
    void lessonAsked(std::size_t index);

private:
    const LessonList& lessons_;
    const DockArea* docks_ = nullptr;
    QMenu *lessons_menu_, *recent_;
};

}  // namespace moe::app
