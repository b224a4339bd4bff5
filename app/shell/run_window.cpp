#include "app/shell/run_window.h"

#include "app/shell/main_window.h"
#include "app/shell/style.h"

#include <QApplication>
#include <QSettings>
#include <QTimer>

#include <cstdio>
#include <cstdlib>

namespace moe::app {

namespace {

/// Says when the first picture of a model has been painted, then leaves.
class FirstFrame : public QObject {
public:
    explicit FirstFrame(MainWindow& window) : window_(window) { window.installEventFilter(this); }

protected:
    bool eventFilter(QObject* watched, QEvent* event) override {
        const bool model = window_.session().snapshot().state != SessionState::empty;
        if (watched == &window_ && event->type() == QEvent::UpdateRequest && model && !told_) {
            told_ = true;
            // After this event the frame is on the screen.
            QTimer::singleShot(0, this, [] {
                std::fputs("painted\n", stdout);
                std::fflush(stdout);
                QCoreApplication::quit();
            });
        }
        return QObject::eventFilter(watched, event);
    }

private:
    MainWindow& window_;
    bool told_ = false;
};

bool hasDisplay() {
    const auto set = [](const char* name) {
        const char* value = std::getenv(name);
        return value && *value;
    };
    return set("DISPLAY") || set("WAYLAND_DISPLAY") || set("QT_QPA_PLATFORM");
}

}  // namespace

int runWindow(int argc, char** argv, const WindowRequest& request) {
    if (!hasDisplay()) {
        std::fputs("There is no display for the window; `moelab --help` lists what runs without one.\n", stderr);
        return 1;
    }
    QApplication application(argc, argv);
    QApplication::setApplicationName(QStringLiteral("moelab"));
    QApplication::setOrganizationName(QStringLiteral("moelab"));
    QApplication::setApplicationDisplayName(QStringLiteral("MoE Lab"));
    QApplication::setApplicationVersion(QStringLiteral(MOELAB_VERSION));
    QApplication::setStyle(QStringLiteral("Fusion"));
    QApplication::setWindowIcon(programIcon());

    QSettings settings(QSettings::IniFormat, QSettings::UserScope, QStringLiteral("moelab"), QStringLiteral("moelab"));
    WindowOptions options;
    options.settings = request.measure_first_frame ? nullptr : &settings;
    options.lessons = loadLessons(QString::fromStdString(request.lessons.string()));
    options.session.backend = request.backend;
    MainWindow window(std::move(options));
    const FirstFrame* first = request.measure_first_frame ? new FirstFrame(window) : nullptr;
    window.show();
    window.openFirstLesson(QString::fromStdString(request.lesson));
    if (!request.file.empty()) window.openPath(request.file);
    const int code = QApplication::exec();
    delete first;
    return code;
}

}  // namespace moe::app
