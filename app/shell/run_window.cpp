#include "app/shell/run_window.h"

#include "app/shell/main_window.h"
#include "app/shell/style.h"
#include "engine/core/atomic_file.h"
#include "engine/core/numbers.h"

#include <QApplication>
#include <QSettings>
#include <QStandardPaths>
#include <QTimer>

#include <unistd.h>

#include <ctime>
#include <iostream>
#include <sstream>

namespace moe::app {

namespace {

/// Since the process was started, dynamic linking included; the kernel keeps that to 10 ms.
long long millisecondsOfProcess() {
    const std::string stat = read_file("/proc/self/stat");
    // Field 22, counted from behind the name, which may hold spaces.
    std::istringstream fields(stat.substr(stat.rfind(')') + 2));
    std::string field;
    for (int i = 3; i <= 22; ++i) fields >> field;
    unsigned long long ticks = 0;
    parse_number(field, ticks);
    timespec now{};
    clock_gettime(CLOCK_BOOTTIME, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1'000'000 - static_cast<long long>(ticks) * 1000 / sysconf(_SC_CLK_TCK);
}

/// Says when the first picture of a model has been painted, then leaves.
class FirstFrame : public QObject {
public:
    explicit FirstFrame(MainWindow& window) : window_(window) { window.installEventFilter(this); }

protected:
    bool eventFilter(QObject* watched, QEvent* event) override {
        const bool model = window_.session().live().state != SessionState::empty;
        if (watched == &window_ && event->type() == QEvent::UpdateRequest && model && !told_) {
            told_ = true;
            // After this event the frame is on the screen.
            QTimer::singleShot(0, this, [] {
                std::cout << "first frame after " << millisecondsOfProcess() << " ms" << std::endl;
                QCoreApplication::quit();
            });
        }
        return QObject::eventFilter(watched, event);
    }

private:
    MainWindow& window_;
    bool told_ = false;
};

/// Another window of the same kind; which lesson it opens is its own.
QStringList programFor(const WindowRequest& request) {
    QStringList program{QCoreApplication::applicationFilePath()};
    if (!request.lessons.empty())
        program << QStringLiteral("--lessons")
                << QString::fromStdString(std::filesystem::absolute(request.lessons).string());
    if (request.backend.device != "auto")
        program << QStringLiteral("--device") << QString::fromStdString(request.backend.device);
    if (request.backend.threads > 0) program << QStringLiteral("--threads") << QString::number(request.backend.threads);
    return program;
}

}  // namespace

int runWindow(int argc, char** argv, const WindowRequest& request) {
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
    options.h5 = h5_program_beside(QCoreApplication::applicationFilePath().toStdString());
    if (!request.measure_first_frame) {
        const QString data = QStandardPaths::writableLocation(QStandardPaths::AppDataLocation);
        if (!data.isEmpty()) options.autosave.root = (data + QStringLiteral("/autosave")).toStdString();
        options.program = programFor(request);
    }
    MainWindow window(std::move(options));
    const FirstFrame* first = request.measure_first_frame ? new FirstFrame(window) : nullptr;
    window.show();
    window.openFirstLesson(QString::fromStdString(request.lesson));
    if (!request.file.empty()) window.openPath(request.file);
    window.desk().start();
    const int code = QApplication::exec();
    delete first;
    return code;
}

}  // namespace moe::app
