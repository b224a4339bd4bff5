#pragma once
#include "app/lessons/loader.h"
#include "app/models/theme.h"
#include "app/session/session_controller.h"
#include "app/shell/session_desk.h"
#include "app/shell/window_state.h"

#include <QMainWindow>
#include <QTimer>

#include <filesystem>

class QSettings;

namespace moe::app {

class DeviceControl;
class DockArea;
class ExportActions;
class LeftColumn;
class LessonGuide;
class ModelActions;
class Notice;
class SteppingControl;
class TimeControl;
class TransportBar;
class WindowActions;
class WindowMenu;
class Workbench;

struct WindowOptions {
    QSettings* settings = nullptr;  // where layout, theme and last lesson are kept; null: nowhere
    LessonList lessons;
    SessionOptions session;  // a device that it names is the command line's, and stands before what is remembered
    SessionController::DeviceList devices = list_devices;
    AutosaveOptions autosave;  // root empty: nothing is kept
    H5Program h5;              // reads the weights of files; without it models are not opened
    QStringList program;       // what New window starts; empty: there is no such command
};

/// The window: transport on top, lesson and experiment at the left, the views in the middle. It puts the parts together
/// and carries their wishes to the workbench; none of them knows another.
class MainWindow : public QMainWindow {
    Q_OBJECT

public:
    explicit MainWindow(WindowOptions options, QWidget* parent = nullptr);
    ~MainWindow() override;

    /// `lesson`, else the last one, else the first.
    void openFirstLesson(const QString& lesson = {});
    /// A model, a folder of the tutorial's three files, or a text.
    void openPath(const std::filesystem::path& path);

    SessionController& session() { return session_; }
    Workbench& bench() { return *bench_; }
    WindowActions& actions() { return *actions_; }
    ModelActions& models() { return *models_; }
    DockArea& docks() { return *docks_; }
    TransportBar& transport() { return *transport_; }
    LeftColumn& column() { return *column_; }
    SessionDesk& desk() { return *desk_; }
    Notice& notice() { return *notice_; }
    ExportActions& exports() { return *exports_; }
    TimeControl& time() { return *time_; }
    DeviceControl& device() { return *device_; }
    SteppingControl& stepping() { return *stepping_; }
    const Theme& theme() const { return theme_; }
    void setThemeChoice(ThemeChoice choice);

protected:
    void closeEvent(QCloseEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;
    void showEvent(QShowEvent* event) override;
    void changeEvent(QEvent* event) override;
    void dragEnterEvent(QDragEnterEvent* event) override;
    void dropEvent(QDropEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;

private:
    void build();
    void connectTransport();
    void connectColumn();
    void connectBench();
    void applyTheme();
    void playOrPause();
    void trainMore();
    /// The keys go to the picture, or to the page that stands in its place; who writes in the editor keeps them.
    void toPicture();
    void openLesson(const Lesson& lesson);
    void showValues();
    void showIdentity();
    void showState();
    WindowState presentState() const;
    void keepState();
    /// With its title bar it has room on the screen.
    void fitScreen();

    WindowOptions options_;
    WindowState remembered_, kept_;
    SessionController session_;
    Workbench* bench_;
    WindowActions* actions_;
    ModelActions* models_;
    LessonGuide* guide_;
    WindowMenu* menu_ = nullptr;
    TransportBar* transport_ = nullptr;
    LeftColumn* column_ = nullptr;
    DockArea* docks_ = nullptr;
    SessionDesk* desk_ = nullptr;
    Notice* notice_ = nullptr;
    ExportActions* exports_ = nullptr;
    TimeControl* time_ = nullptr;
    DeviceControl* device_ = nullptr;
    SteppingControl* stepping_ = nullptr;
    Theme theme_;
    ThemeChoice theme_choice_ = ThemeChoice::system;
    QTimer rescale_;
    QTimer keep_;  // what a window shows outlives a crash
    SessionState shown_state_ = SessionState::empty;
    std::uint64_t shown_branch_ = 0;
    bool leaving_ = false, arranged_ = false;
};

}  // namespace moe::app
