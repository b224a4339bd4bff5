#pragma once
#include "app/lessons/loader.h"
#include "app/session/session_controller.h"
#include "app/shell/main_window.h"

#include <QFile>
#include <QSettings>
#include <QTemporaryDir>
#include <QtTest>

#include <memory>
#include <optional>

namespace moe::app {

inline const char* const tiny_lesson = R"({
  "title": "Meet the mixture",
  "question": "Can it learn?",
  "corpus": "corpus.txt",
  "experiment": {"num_experts": 4, "embedding_dim": 8, "hidden_dim": 16, "epochs": 40},
  "speed": 0,
  "probe": "hello world how are",
  "focus": 0,
  "steps": [
    {"title": "Which expert does the gate trust for “hello”?", "text": "The gate gives **each** a weight.",
     "guess": {"prompt": "Before you look: guess", "kind": "expert", "answer": "gate"}},
    {"title": "And now?", "text": "Train it.", "phrase": "hello world", "do": [{"label": "One epoch", "epochs": 1}]}
  ]
})";

inline const char* const tiny_corpus =
    "hello world how are you\nhow are you doing today\nhello world again\nfine thank you\n";

inline void writeText(const QString& path, const QByteArray& bytes) {
    QFile file(path);
    QVERIFY(file.open(QIODevice::WriteOnly));
    file.write(bytes);
}

/// A folder with two lessons and a settings file, and windows that use them.
class WindowFixture {
public:
    WindowFixture() {
        for (const QString& id : {QStringLiteral("91-first"), QStringLiteral("92-second")}) {
            QDir(dir_.path()).mkpath(QStringLiteral("lessons/") + id);
            writeText(path(QStringLiteral("lessons/%1/lesson.json").arg(id)), tiny_lesson);
            writeText(path(QStringLiteral("lessons/%1/corpus.txt").arg(id)), tiny_corpus);
        }
    }

    /// The number in the menu of its own lessons, 0 and 1: they stand after the program's.
    static std::size_t lessonNumber(std::size_t own) { return loadLessons().lessons.size() + own; }

    QString path(const QString& name) const { return dir_.filePath(name); }

    AutosaveOptions autosave;  // of the windows made from now on
    SessionOptions session;
    SessionController::DeviceList devices = list_devices;
    QStringList program;

    /// Shown, active, with `lesson` open and its first snapshot there.
    std::unique_ptr<MainWindow> window(const QString& lesson = QStringLiteral("91-first")) {
        if (!settings_)
            settings_ = std::make_unique<QSettings>(path(QStringLiteral("window.ini")), QSettings::IniFormat);
        WindowOptions options;
        options.settings = settings_.get();
        options.lessons = loadLessons(path(QStringLiteral("lessons")));
        options.autosave = autosave;
        options.session = session;
        options.devices = devices;
        options.program = program;
        options.h5.file = MOE_H5_PROGRAM;
        auto window = std::make_unique<MainWindow>(std::move(options));
        window->show();
        window->openFirstLesson(lesson);
        if (!QTest::qWaitForWindowActive(window.get())) qWarning("the window did not become active");
        MainWindow* w = window.get();
        if (!QTest::qWaitFor([w] { return w->session().snapshot().state != SessionState::empty; }, 10000))
            qWarning("no model after ten seconds");
        return window;
    }

private:
    QTemporaryDir dir_;
    std::unique_ptr<QSettings> settings_;
};

inline bool waitForState(SessionController& session, SessionState state) {
    return QTest::qWaitFor([&] { return session.snapshot().state == state && session.resting(); }, 20000);
}

inline std::optional<SavedRun> savedRun(SessionController& session) {
    std::optional<SavedRun> saved;
    session.save([&](SavedRun run) { saved = std::move(run); });
    if (!QTest::qWaitFor([&] { return saved.has_value(); }, 10000)) qWarning("nothing was saved");
    return saved;
}

}  // namespace moe::app
