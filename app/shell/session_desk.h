#pragma once
#include "app/lessons/loader.h"
#include "app/shell/autosaver.h"
#include "app/shell/dock_layout.h"
#include "app/shell/recovery.h"

#include <QPointer>

class QSettings;

namespace moe::app {

class DockArea;
class LeftColumn;
class NotesWindow;
class RecentFiles;
class Stepper;
class WindowActions;
class WindowMenu;

/// The parts of a window that a session is put together from, and shown in again.
struct DeskParts {
    Workbench& bench;
    ModelActions& models;
    WindowActions& actions;
    WindowMenu& menu;
    LeftColumn& column;
    DockArea& docks;
    Stepper& stepper;
    Notice& notice;
};

struct DeskOptions {
    QSettings* settings = nullptr;
    const LessonList* lessons = nullptr;
    AutosaveOptions autosave;
    QStringList program;  // what New window starts, with its arguments; empty: there is none
};

/// What a window does about sessions as files: what goes into them besides the model, what comes back out, recent
/// files, notes, autosave, restoring, further windows. Each window is a process of its own: one that crashes takes no
/// other with it, and their models do not share a thread, a frame clock or a limit of memory.
class SessionDesk : public QObject {
    Q_OBJECT

public:
    SessionDesk(const DeskParts& parts, DeskOptions options, QWidget* window);

    /// Offers what was not saved when a window ended; after the first lesson was opened.
    void start() { recovery_->look(); }
    void leaveInPeace() { autosaver_->leaveInPeace(); }

    Autosaver& autosaver() { return *autosaver_; }
    Recovery& recovery() { return *recovery_; }
    RecentFiles& recent() { return *recent_; }
    NotesWindow& notes();

private:
    SessionScene scene() const;
    void show(const SessionScene& scene, const Lesson* lesson, bool restored);
    void connectFiles();
    void openWindow();
    void stepOn();

    DeskParts parts_;
    DeskOptions options_;
    QWidget* window_;
    Autosaver* autosaver_;
    Recovery* recovery_;
    RecentFiles* recent_;
    QPointer<NotesWindow> notes_;
    std::optional<SteppingPlace> stepping_;  // where stepping goes on, when its moment has been replayed
    DockLayout layout_;                      // of the session that is open; no cells: the default one
};

}  // namespace moe::app
