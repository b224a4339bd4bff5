// A disk that hangs: the window goes on, because its thread never asks the disk for anything. Every call of the C
// library that touches a file goes through here, from Qt and the standard library as well.
#include "app/shell/corpus_dialog.h"
#include "app/shell/dock_area.h"
#include "app/shell/left_column.h"
#include "app/shell/lesson_panel.h"
#include "app/shell/model_actions.h"
#include "app/shell/notice.h"
#include "app/shell/recent_files.h"
#include "app/shell/session_desk.h"
#include "app/shell/window_actions.h"
#include "app/shell/window_menu.h"
#include "app/shell/workbench.h"
#include "engine/session/session_file.h"
#include "window_fixture.h"

#include <QAbstractButton>
#include <QImage>
#include <QLabel>
#include <QMenu>
#include <QMessageBox>
#include <QMimeData>
#include <QMutex>
#include <QTextDocument>

#include <dlfcn.h>

#include <atomic>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <thread>

namespace {

std::atomic<bool> watching = false, hanging = false;
std::thread::id gui_thread;
std::string watched;       // folder
QMutex lock;               // of the following
std::string asked_by_gui;  // "open /tmp/x/own.txt\n"
int waiting = 0;

void pass(const char* call, const char* path) {
    if (!watching || !path || std::strncmp(path, watched.c_str(), watched.size()) != 0) return;
    if (std::this_thread::get_id() == gui_thread) {
        const QMutexLocker locked(&lock);
        asked_by_gui += std::string(call) + " " + path + "\n";
        return;
    }
    if (!hanging) return;
    {
        const QMutexLocker locked(&lock);
        ++waiting;
    }
    while (hanging) std::this_thread::sleep_for(std::chrono::milliseconds(2));
    const QMutexLocker locked(&lock);
    --waiting;
}

template <class Function>
Function* real(const char* name) {
    return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

}  // namespace

extern "C" {

#define MOE_OPEN(NAME)                                                     \
    int moe_##NAME(const char* path, int flags, ...) __asm__(#NAME);       \
    int moe_##NAME(const char* path, int flags, ...) {                     \
        va_list more;                                                      \
        va_start(more, flags);                                             \
        const unsigned mode = va_arg(more, unsigned);                      \
        va_end(more);                                                      \
        pass(#NAME, path);                                                 \
        return real<int(const char*, int, ...)>(#NAME)(path, flags, mode); \
    }
MOE_OPEN(open)
MOE_OPEN(open64)

#define MOE_OPENAT(NAME)                                                            \
    int moe_##NAME(int at, const char* path, int flags, ...) __asm__(#NAME);        \
    int moe_##NAME(int at, const char* path, int flags, ...) {                      \
        va_list more;                                                               \
        va_start(more, flags);                                                      \
        const unsigned mode = va_arg(more, unsigned);                               \
        va_end(more);                                                               \
        pass(#NAME, path);                                                          \
        return real<int(int, const char*, int, ...)>(#NAME)(at, path, flags, mode); \
    }
MOE_OPENAT(openat)
MOE_OPENAT(openat64)

#define MOE_STAT(NAME)                                          \
    int moe_##NAME(const char* path, void* out) __asm__(#NAME); \
    int moe_##NAME(const char* path, void* out) {               \
        pass(#NAME, path);                                      \
        return real<int(const char*, void*)>(#NAME)(path, out); \
    }
MOE_STAT(stat)
MOE_STAT(stat64)
MOE_STAT(lstat)
MOE_STAT(lstat64)

int moe_access(const char* path, int mode) __asm__("access");
int moe_access(const char* path, int mode) {
    pass("access", path);
    return real<int(const char*, int)>("access")(path, mode);
}

int moe_statx(int at, const char* path, int flags, unsigned mask, void* out) __asm__("statx");
int moe_statx(int at, const char* path, int flags, unsigned mask, void* out) {
    pass("statx", path);
    return real<int(int, const char*, int, unsigned, void*)>("statx")(at, path, flags, mask, out);
}

#define MOE_FOPEN(NAME)                                                  \
    void* moe_##NAME(const char* path, const char* mode) __asm__(#NAME); \
    void* moe_##NAME(const char* path, const char* mode) {               \
        pass(#NAME, path);                                               \
        return real<void*(const char*, const char*)>(#NAME)(path, mode); \
    }
MOE_FOPEN(fopen)
MOE_FOPEN(fopen64)

void* moe_opendir(const char* path) __asm__("opendir");
void* moe_opendir(const char* path) {
    pass("opendir", path);
    return real<void*(const char*)>("opendir")(path);
}
}

namespace moe::app {

using Deed = std::function<void(MainWindow&, const WindowFixture&)>;
using Sign = std::function<bool(MainWindow&, const WindowFixture&)>;

/// What a user asks for, and how it shows that it was done.
struct Wish {
    Deed ask;
    Sign done;
};

/// The disk hangs until this is gone: after what needs it, or a window would wait for ever.
struct Hang {
    Hang() { hanging = true; }
    ~Hang() { hanging = false; }
};

class SlowDiskTest : public QObject {
    Q_OBJECT

private:
    static void watch(const WindowFixture& fixture) {
        watched = fixture.path({}).toStdString();
        gui_thread = std::this_thread::get_id();
        asked_by_gui.clear();
        watching = true;
    }

    static int waitingThreads() {
        const QMutexLocker locked(&lock);
        return waiting;
    }

    static std::string askedByGui() {
        const QMutexLocker locked(&lock);
        return asked_by_gui;
    }

    static bool reads(MainWindow& window) {
        CorpusDialog* dialog = window.models().corpusDialog();
        return dialog && dialog->canTrain();
    }

    static const std::map<QString, Wish>& wishes() {
        static const std::map<QString, Wish> all = {
            {QStringLiteral("a text opens"),
             {[](MainWindow& w, const WindowFixture& f) {
                  w.openPath(f.path(QStringLiteral("own.txt")).toStdString());
              },
              [](MainWindow& w, const WindowFixture&) { return reads(w); }}},
            {QStringLiteral("a text is dropped"),
             {[](MainWindow& w, const WindowFixture& f) {
                  QMimeData data;
                  data.setUrls({QUrl::fromLocalFile(f.path(QStringLiteral("own.txt")))});
                  w.models().drop(data);
              },
              [](MainWindow& w, const WindowFixture&) { return reads(w); }}},
            {QStringLiteral("a session opens"),
             {[](MainWindow& w, const WindowFixture& f) {
                  w.openPath(f.path(QStringLiteral("old.keras")).toStdString());
              },
              [](MainWindow& w, const WindowFixture&) {
                  return w.bench().identity().session == 2 && !w.bench().busy();
              }}},
            {QStringLiteral("a recent file opens"),
             {[](MainWindow& w, const WindowFixture&) {
                  QMenu* menu = w.findChild<WindowMenu*>()->recentMenu();
                  Q_EMIT menu->aboutToShow();
                  menu->actions().front()->trigger();
              },
              [](MainWindow& w, const WindowFixture&) {
                  return w.bench().identity().session == 2 && !w.bench().busy();
              }}},
            {QStringLiteral("a recent file is gone"),
             {[](MainWindow& w, const WindowFixture& f) {
                  w.models().openRecent(f.path(QStringLiteral("gone.keras")).toStdString(), [] {});
              },
              [](MainWindow& w, const WindowFixture&) {
                  return w.notice().text().contains(QStringLiteral("no longer in"));
              }}},
            {QStringLiteral("a session is saved"),
             {[](MainWindow& w, const WindowFixture& f) {
                  w.bench().saveModel(f.path(QStringLiteral("new.keras")).toStdString());
              },
              [](MainWindow& w, const WindowFixture&) { return w.bench().identity().file.filename() == "new.keras"; }}},
            {QStringLiteral("a lesson opens"),
             {[](MainWindow& w, const WindowFixture&) {
                  Q_EMIT w.findChild<WindowMenu*>()->lessonAsked(WindowFixture::lessonNumber(1));
              },
              [](MainWindow& w, const WindowFixture&) {
                  return w.bench().identity().lesson &&
                         w.bench().identity().lesson->id == QStringLiteral("92-second") && !w.bench().busy();
              }}},
        };
        return all;
    }

private Q_SLOTS:
    void cleanup() {
        hanging = false;
        watching = false;
    }

    void theWatchSeesEveryWayToAFile() {
        WindowFixture fixture;
        const QString file = fixture.path(QStringLiteral("f.txt"));
        writeText(file, "words here\n");
        watch(fixture);
        const auto sees = [&](auto ask) {
            asked_by_gui.clear();
            ask();
            return askedByGui().find("f.txt") != std::string::npos;
        };
        const std::filesystem::path path = file.toStdString();
        std::error_code none;
        QVERIFY(sees([&] { QFile(file).exists(); }));
        QVERIFY(sees([&] { QVERIFY(QFile(file).open(QIODevice::ReadOnly)); }));
        QVERIFY(sees([&] { QFileInfo(file).size(); }));
        QVERIFY(sees([&] { (void)std::filesystem::is_directory(path, none); }));
        QVERIFY(sees([&] { (void)std::filesystem::last_write_time(path, none); }));
        QVERIFY(sees([&] { std::ifstream(path).get(); }));
    }

    void windowGoesOnWhileTheDiskHangs_data() {
        QTest::addColumn<QString>("wish");
        for (const auto& [name, wish] : wishes()) QTest::newRow(qPrintable(name)) << name;
    }

    void windowGoesOnWhileTheDiskHangs() {
        QFETCH(QString, wish);
        WindowFixture fixture;
        writeText(fixture.path(QStringLiteral("own.txt")), "a cat sat here\na dog sat there\n");
        const auto window = fixture.window();
        bool saved = false;
        window->bench().saveModel(fixture.path(QStringLiteral("old.keras")).toStdString(), [&] { saved = true; });
        QTRY_VERIFY_WITH_TIMEOUT(saved, 10000);
        QTRY_COMPARE(window->desk().recent().files().size(), 1);
        QTest::qWait(50);
        window->session().setSpeed(50);

        const Hang hang;
        watch(fixture);
        wishes().at(wish).ask(*window, fixture);
        QTRY_VERIFY(waitingThreads() > 0);
        QVERIFY(!wishes().at(wish).done(*window, fixture));
        // It plays, and says what it waits for.
        window->docks().stage()->view()->setFocus();
        const std::uint64_t before = window->session().live().step;
        if (!window->bench().busy()) {
            QTest::keyClick(window->docks().stage()->view(), Qt::Key_Space);
            QTRY_VERIFY(window->session().live().step > before + 2);
            QTest::keyClick(window->docks().stage()->view(), Qt::Key_Space);
            QVERIFY(waitForState(window->session(), SessionState::paused));
        }
        QTRY_COMPARE(window->notice().kind(), Notice::Kind::working);
        hanging = false;
        const auto done = [&] {
            // The steps that were trained meanwhile may go.
            if (QMessageBox* box = window->models().question(); box && box->isVisible())
                for (QAbstractButton* b : box->buttons())
                    if (b->text() == QStringLiteral("Do not save")) b->click();
            return wishes().at(wish).done(*window, fixture);
        };
        QTRY_VERIFY_WITH_TIMEOUT(done(), 20000);
        QTRY_VERIFY(window->session().resting());
        QTest::qWait(100);
        watching = false;
        QVERIFY2(askedByGui().empty(), askedByGui().c_str());
    }

    void picturesOfALessonAppearWhenTheyAreRead() {
        WindowFixture fixture;
        QImage image(40, 30, QImage::Format_RGB32);
        image.fill(Qt::red);
        QVERIFY(image.save(fixture.path(QStringLiteral("lessons/92-second/red.png"))));
        QByteArray json = tiny_lesson;
        writeText(fixture.path(QStringLiteral("lessons/92-second/lesson.json")),
                  json.replace("The gate gives", "![red](red.png) gives"));
        const auto window = fixture.window();
        watch(fixture);
        Q_EMIT window->findChild<WindowMenu*>()->lessonAsked(WindowFixture::lessonNumber(1));
        QTRY_VERIFY(!window->bench().busy());
        auto* text = window->column().lesson()->findChild<LessonText*>();
        const QUrl name(QStringLiteral("red.png"));
        QTRY_COMPARE(text->document()->resource(QTextDocument::ImageResource, name).value<QImage>().size(),
                     image.size());
        QVERIFY(text->height() > 30);
        watching = false;
        QVERIFY2(askedByGui().empty(), askedByGui().c_str());
    }

    // The second save finds the file as the first one left it: nobody else has changed it, and nothing is asked.
    void twoSavesInARowAreOneAfterTheOther() {
        WindowFixture fixture;
        const auto window = fixture.window();
        const std::filesystem::path file = fixture.path(QStringLiteral("mine.keras")).toStdString();
        bool saved = false;
        window->bench().saveModel(file, [&] { saved = true; });
        QTRY_VERIFY_WITH_TIMEOUT(saved, 10000);
        QTest::qWait(50);
        const auto train = [&](std::uint64_t to) {
            window->session().runSteps(to - window->session().live().step);
            QTRY_VERIFY(window->session().live().step == to && window->session().resting());
        };
        train(3);
        int done = 0;
        {
            const Hang hang;
            watch(fixture);
            window->models().save([&] { ++done; });
            QTRY_VERIFY(waitingThreads() > 0);
            train(7);
            window->models().save([&] { ++done; });
            QTest::qWait(200);
            QCOMPARE(waitingThreads(), 1);
            QCOMPARE(done, 0);
        }
        QTRY_COMPARE_WITH_TIMEOUT(done, 2, 20000);
        watching = false;
        QVERIFY(!window->models().question());
        QCOMPARE(window->bench().identity().saved_step, std::uint64_t(7));
        QCOMPARE(summarize_session(file).step, std::uint64_t(7));
        QVERIFY(!window->bench().isChanged());
    }

    void laterFileIsTheOneThatOpens() {
        WindowFixture fixture;
        for (const char* name : {"first.txt", "second.txt"})
            writeText(fixture.path(QString::fromLatin1(name)),
                      QByteArray("a cat sat in ") + name + "\na dog sat there\n");
        const auto window = fixture.window();
        const Hang hang;
        watch(fixture);
        for (const char* name : {"first.txt", "second.txt"})
            window->openPath(fixture.path(QString::fromLatin1(name)).toStdString());
        QTRY_COMPARE(waitingThreads(), 2);
        hanging = false;
        QTRY_VERIFY_WITH_TIMEOUT(reads(*window), 10000);
        QTest::qWait(100);
        QStringList shown;
        for (const QLabel* label : window->models().corpusDialog()->findChildren<QLabel*>()) shown << label->text();
        QVERIFY(shown.contains(QStringLiteral("second.txt")));
    }

    void laterLessonIsTheOneThatOpens() {
        WindowFixture fixture;
        const auto window = fixture.window(QStringLiteral("92-second"));
        const Hang hang;
        watch(fixture);
        auto* menu = window->findChild<WindowMenu*>();
        Q_EMIT menu->lessonAsked(WindowFixture::lessonNumber(1));
        QTRY_COMPARE(waitingThreads(), 1);
        Q_EMIT menu->lessonAsked(WindowFixture::lessonNumber(0));
        QTRY_COMPARE(waitingThreads(), 2);
        hanging = false;
        QTRY_COMPARE(window->bench().identity().lesson->id, QStringLiteral("91-first"));
        QTRY_VERIFY(!window->bench().busy());
        QTest::qWait(100);
        QCOMPARE(window->bench().identity().lesson->id, QStringLiteral("91-first"));
        QCOMPARE(window->bench().undoStack().count(), 1);
    }
};

}  // namespace moe::app

QTEST_MAIN(moe::app::SlowDiskTest)
#include "slow_disk_test.moc"
