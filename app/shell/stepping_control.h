#pragma once
#include "app/models/theme.h"
#include "app/session/stepper.h"

#include <QObject>

class QStackedWidget;
class QWidget;

namespace moe::app {

class DockArea;
class LeftColumn;
struct Lesson;
class SteppingList;
class SteppingPage;
class WindowActions;
class Workbench;

/// Stepping in the window: carries the keys to the stepper, and swaps column and docks for the stepping page and back.
class SteppingControl : public QObject {
    Q_OBJECT

public:
    SteppingControl(Workbench& bench, WindowActions& actions, QWidget* parent);

    /// Puts the stepping page behind the docks and the list beside the column. Returns what holds the docks now.
    QWidget* place(LeftColumn* column, DockArea* docks);
    /// The page has the keys.
    void takeKeys();
    Stepper& stepper() { return stepper_; }
    SteppingPage* page() const { return page_; }
    SteppingList* list() const { return list_; }
    void setTheme(const Theme& theme);
    /// Before training goes on of its own.
    void leave();
    bool active() const { return stepper_.active(); }

private:
    void trainBatch();
    void trainEpoch();
    void swap(bool stepping);
    void refresh();
    QString state() const;

    Workbench& bench_;
    SessionController& session_;
    WindowActions& actions_;
    Stepper stepper_;
    SteppingPage* page_;
    SteppingList* list_;
    QStackedWidget* stack_ = nullptr;
    LeftColumn* column_ = nullptr;
    DockArea* docks_ = nullptr;
    bool single_batches_ = false;
    const Lesson* lesson_ = nullptr;  // of the run that is stepped through, and its name
    QString name_;
    QByteArray arrangement_;  // of the docks, when stepping began
    QString play_text_;       // outside of stepping
};

}  // namespace moe::app
