#include "app/shell/session_desk.h"
#include "app/models/run_settings.h"
#include "app/shell/dock_area.h"
#include "app/shell/left_column.h"
#include "app/shell/lesson_panel.h"
#include "app/shell/model_actions.h"
#include "app/shell/notes_window.h"
#include "app/shell/notice.h"
#include "app/shell/recent_files.h"
#include "app/shell/stepping_control.h"
#include "app/shell/transport_bar.h"
#include "app/shell/window_actions.h"
#include "app/shell/window_menu.h"
#include "app/shell/workbench.h"
#include "engine/core/atomic_file.h"
#include "engine/session/autosave.h"
#include "tests/support/read_sessions.h"
#include "window_fixture.h"

#include <QLabel>
#include <QMenu>
#include <QMessageBox>
#include <QPlainTextEdit>
#include <QPushButton>

#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <csignal>

namespace moe::app {

class SessionDeskTest : public QObject {
    Q_OBJECT

private:
    static QPushButton* buttonNamed(QWidget* in, const QString& text) {
        for (QPushButton* b : in->findChildren<QPushButton*>())
            if (b->text() == text && b->isVisible()) return b;
        return nullptr;
    }

    static void press(QWidget* in, const QString& text) {
        QTRY_VERIFY2(buttonNamed(in, text), qPrintable(text));
        buttonNamed(in, text)->click();
    }

    static void save(MainWindow& window, const std::filesystem::path& file) {
        bool saved = false;
        window.bench().saveModel(file, [&] { saved = true; });
        QTRY_VERIFY_WITH_TIMEOUT(saved, 10000);
    }

    static void open(MainWindow& window, const std::filesystem::path& file) {
        bool opened = false;
        const auto link = connect(&window.bench(), &Workbench::fileUsed, &window, [&] { opened = true; });
        window.openPath(file);
        QTRY_VERIFY2_WITH_TIMEOUT(opened, qPrintable(window.notice().text()), 10000);
        disconnect(link);
        QTRY_VERIFY(window.session().resting());
    }

    /// The last of those that stand open at first.
    static DockFrame* openDock(MainWindow& window) {
        DockFrame* open = nullptr;
        for (DockFrame* d : window.docks().docks())
            if (d->area() == ViewArea::right && d->isVisible()) open = d;
        return open;
    }

    /// A lesson at its second step, after a guess and some training.
    static void work(MainWindow& window) {
        press(&window.column(), QStringLiteral("Expert B"));
        press(&window.column(), QStringLiteral("Next"));
        QTRY_COMPARE(window.session().snapshot().probe.text, std::string("hello world"));
        window.session().runSteps(25);
        QTRY_VERIFY(window.session().live().step == 25 && window.session().resting());
        window.session().setFocusedExpert(2);
        window.session().setSpeed(30);
        window.session().setLearningRate(0.002);
        window.desk().notes().text()->setPlainText(QStringLiteral("Ask: who reads “hello”?"));
        QTRY_VERIFY(window.session().resting());
    }

    AutosaveOptions quick(const WindowFixture& fixture) {
        AutosaveOptions options;
        options.root = fixture.path(QStringLiteral("autosave")).toStdString();
        options.look = 20;
        options.after_edit = options.after_training = 60;
        return options;
    }

    static std::size_t folders(const AutosaveOptions& options) {
        std::error_code none;
        std::size_t count = 0;
        for (const auto& entry : std::filesystem::directory_iterator(options.root, none)) count += entry.is_directory();
        return count;
    }

private Q_SLOTS:
    void sessionOpensAtTheExactFrameAndTrainsOn() {
        WindowFixture fixture;
        const std::filesystem::path file = fixture.path(QStringLiteral("lesson.keras")).toStdString();
        const auto first = fixture.window();
        work(*first);
        save(*first, file);
        const auto before = savedRun(first->session());
        QVERIFY(before);

        const auto second = fixture.window(QStringLiteral("92-second"));
        open(*second, file);
        SessionController& session = second->session();
        QCOMPARE(session.snapshot().step, 25u);
        QCOMPARE(second->bench().identity().lesson->id, QStringLiteral("91-first"));
        QCOMPARE(second->column().lesson()->player().index(), std::size_t(1));
        QCOMPARE(second->column().lesson()->player().guesses(), first->column().lesson()->player().guesses());
        QCOMPARE(session.probeText(), QStringLiteral("hello world"));
        QCOMPARE(session.focusedPrefix(), first->session().focusedPrefix());
        QCOMPARE(session.focusedExpert(), std::optional<std::size_t>(2));
        QCOMPARE(session.snapshot().speed_limit, 30.0);
        QCOMPARE(session.snapshot().experiment.train.learning_rate, 0.002);
        QCOMPARE(second->bench().notes(), QStringLiteral("Ask: who reads “hello”?"));
        QCOMPARE(second->desk().notes().text()->toPlainText(), QStringLiteral("Ask: who reads “hello”?"));
        QVERIFY(!second->bench().hasUnsavedWork());
        const auto after = savedRun(session);
        QVERIFY(after);
        QVERIFY(after->state == before->state);
        QVERIFY(after->history->gate == before->history->gate);
        QCOMPARE(after->history->points.size(), before->history->points.size());
        QVERIFY(after->timeline->log == before->timeline->log);
        for (MainWindow* w : {first.get(), second.get()}) {
            w->session().setSpeed(0);
            w->session().runSteps(11);
            QTRY_VERIFY(w->session().live().step == 36 && w->session().resting());
        }
        QVERIFY(savedRun(session)->state == savedRun(first->session())->state);
    }

    void momentThatIsLookedAtComesBack() {
        WindowFixture fixture;
        const std::filesystem::path file = fixture.path(QStringLiteral("past.keras")).toStdString();
        const auto first = fixture.window();
        first->session().runSteps(40);
        QTRY_VERIFY(first->session().live().step == 40 && first->session().resting());
        first->session().lookAt(12);
        QTRY_COMPARE(first->session().snapshot().step, 12u);
        save(*first, file);
        const auto second = fixture.window(QStringLiteral("92-second"));
        open(*second, file);
        QTRY_COMPARE(second->session().snapshot().step, 12u);
        QCOMPARE(second->session().live().step, 40u);
        QCOMPARE(second->session().snapshot().probe.gate_weights, first->session().snapshot().probe.gate_weights);
    }

    void steppingGoesOnWhereItWasLeft() {
        WindowFixture fixture;
        const std::filesystem::path file = fixture.path(QStringLiteral("step.keras")).toStdString();
        const auto first = fixture.window();
        first->session().runSteps(30);
        QTRY_VERIFY(first->session().live().step == 30 && first->session().resting());
        for (const bool past : {false, true}) {
            if (past) {
                first->session().lookAt(9);
                QTRY_COMPARE(first->session().snapshot().step, 9u);
            }
            Stepper* stepper = &first->stepping().stepper();
            stepper->enter();
            QTRY_VERIFY(stepper->trace() && !stepper->waiting() && stepper->trace()->step == (past ? 9u : 30u));
            stepper->setOperation(5);
            stepper->setExample(2);
            const std::string op = stepper->trace()->ops[5].id;
            save(*first, file);
            const auto second = fixture.window(QStringLiteral("92-second"));
            open(*second, file);
            Stepper* other_stepper = &second->stepping().stepper();
            QTRY_VERIFY(other_stepper->active());
            QTRY_COMPARE(other_stepper->operation(), std::size_t(5));
            QCOMPARE(other_stepper->trace()->ops[5].id, op);
            QCOMPARE(other_stepper->trace()->step, std::uint64_t(past ? 9 : 30));
            QCOMPARE(other_stepper->example(), std::size_t(2));
            QCOMPARE(second->session().live().step, 30u);
            stepper->leave();
        }
    }

    void layoutOfTheSessionIsThereForTheAsking() {
        WindowFixture fixture;
        const std::filesystem::path file = fixture.path(QStringLiteral("layout.keras")).toStdString();
        const auto first = fixture.window();
        DockFrame* closed = openDock(*first);
        closed->toggleViewAction()->trigger();
        QTRY_VERIFY(!closed->isVisible());
        save(*first, file);
        const QString id = closed->objectName();

        const auto second = fixture.window(QStringLiteral("92-second"));
        QVERIFY(!second->actions().sessionLayout->isEnabled());
        open(*second, file);
        QVERIFY(second->docks().dock(id)->isVisible());
        QVERIFY(second->actions().sessionLayout->isEnabled());
        second->actions().sessionLayout->trigger();
        QTRY_VERIFY(!second->docks().dock(id)->isVisible());
    }

    void anyLayoutIsGivenBack() {
        WindowFixture fixture;
        const auto window = fixture.window();
        DockArea& area = window->docks();
        QVERIFY(DockLayout::of(area).cells.empty());  // nobody has moved anything
        std::vector<DockFrame*> docks = area.docks();
        area.splitDockWidget(docks[1], docks[3], Qt::Horizontal);
        area.addDockWidget(Qt::RightDockWidgetArea, docks[0]);
        area.addDockWidget(Qt::BottomDockWidgetArea, docks[2]);
        area.tabifyDockWidget(docks[4], docks[5]);
        DockFrame* closed = openDock(*window);
        closed->toggleViewAction()->trigger();
        QTest::qWait(200);
        const DockLayout layout = DockLayout::of(area);
        QVERIFY(layout.cells.size() >= 4);
        QVERIFY(DockLayout::read(layout.text()) == layout);
        area.arrange();
        QTest::qWait(200);
        QVERIFY(closed->isVisible());
        area.setLayout(DockLayout::read(layout.text()));
        QTest::qWait(300);
        QVERIFY(!closed->isVisible());
        const DockLayout again = DockLayout::of(area);
        QCOMPARE(again.cells.size(), layout.cells.size());
        for (std::size_t i = 0; i < layout.cells.size(); ++i) {
            QCOMPARE(again.cells[i].docks, layout.cells[i].docks);
            const QRect a = again.cells[i].place, b = layout.cells[i].place;
            const QByteArray said = QStringLiteral("%1: %2,%3 %4x%5 and %6,%7 %8x%9")
                                        .arg(layout.cells[i].docks.join(u'+'))
                                        .arg(a.x())
                                        .arg(a.y())
                                        .arg(a.width())
                                        .arg(a.height())
                                        .arg(b.x())
                                        .arg(b.y())
                                        .arg(b.width())
                                        .arg(b.height())
                                        .toUtf8();
            QVERIFY2(std::abs(a.x() - b.x()) < 40 && std::abs(a.y() - b.y()) < 40 &&
                         std::abs(a.width() - b.width()) < 60 && std::abs(a.height() - b.height()) < 60,
                     said.constData());
        }
    }

    void layoutsOfStrangersDoNoHarm() {
        WindowFixture fixture;
        const auto window = fixture.window();
        openDock(*window)->toggleViewAction()->trigger();
        QTest::qWait(50);
        const std::string good = DockLayout::of(window->docks()).text();
        QVERIFY(good.size() > 50);
        quint32 state = 12345;
        const auto next = [&state] { return state = state * 1664525u + 1013904223u, state >> 8; };
        for (int i = 0; i < 200; ++i) {
            std::string bad = good;
            for (int k = 0; k < 1 + i % 4; ++k) bad[next() % bad.size()] = "0123456789-{}[],x"[next() % 17];
            if (i % 5 == 0) bad.resize(next() % bad.size());
            window->docks().setLayout(DockLayout::read(bad));
        }
        for (const char* bad :
             {"", "[]", "{}", "[1]", "[{}]", "[{\"docks\":[\"stage\",\"stage\"],\"place\":[0,0,9,9]}]",
              "[{\"docks\":[\"gone\"],\"place\":[0,0,9,9]}]", "[{\"docks\":[\"stage\"],\"place\":[0,0,1e300,-5]}]"})
            window->docks().setLayout(DockLayout::read(bad));
        window->docks().arrange();
        QVERIFY(window->docks().stage()->isVisible());
    }

    void notesAreAskedForUndoneAndGoWithTheirSession() {
        WindowFixture fixture;
        const auto window = fixture.window();
        window->actions().notes->trigger();
        QPlainTextEdit* text = window->desk().notes().text();
        QTRY_VERIFY(text->isVisible());
        QTest::keyClicks(text, QStringLiteral("abc"));
        QCOMPARE(window->bench().notes(), QStringLiteral("abc"));
        text->undo();
        QCOMPARE(window->bench().notes(), QString());
        text->redo();
        QVERIFY(window->bench().hasUnsavedWork());
        QVERIFY(!window->close());
        QVERIFY(window->models().question()->text().contains(QStringLiteral("notes")));
        press(window->models().question(), QStringLiteral("Cancel"));
        // Another text belongs to the same session, another lesson does not; undo brings its own back.
        window->bench().restart(presentExperiment(window->session().live()));
        QTRY_VERIFY(!window->bench().busy());
        QCOMPARE(text->toPlainText(), QStringLiteral("abc"));
        window->bench().openLesson(*window->bench().identity().lesson);
        QTRY_VERIFY(!window->bench().busy());
        QCOMPARE(text->toPlainText(), QString());
        QVERIFY(!window->bench().hasUnsavedWork());
        window->bench().undoStack().undo();
        QTRY_COMPARE(text->toPlainText(), QStringLiteral("abc"));
        const std::filesystem::path file = fixture.path(QStringLiteral("notes.keras")).toStdString();
        save(*window, file);
        QVERIFY(!window->bench().hasUnsavedWork());
        QVERIFY(window->close());
    }

    void notesBeyondWhatAFileHoldsAreRefusedInWords() {
        WindowFixture fixture;
        const auto window = fixture.window();
        window->actions().notes->trigger();
        QPlainTextEdit* text = window->desk().notes().text();
        QTRY_VERIFY(text->isVisible());
        const auto caption = [&] {
            for (const QLabel* label : window->desk().notes().findChildren<QLabel*>())
                if (!label->text().isEmpty() && label->isVisible()) return label->text();
            return QString();
        };
        const QString usual = caption();
        const QString full = (QString(99, u'x') + u'\n').repeated(10'000);
        text->insertPlainText(full);
        QCOMPARE(window->bench().notes().size(), 1'000'000);
        QCOMPARE(caption(), usual);
        text->insertPlainText(QStringLiteral("one more"));
        QVERIFY(text->toPlainText() == full);
        QVERIFY(window->bench().notes() == full);
        QVERIFY2(caption().contains(QStringLiteral("at most 1,000,000 characters")), qPrintable(caption()));
        text->moveCursor(QTextCursor::End);
        text->textCursor().deletePreviousChar();
        QCOMPARE(window->bench().notes().size(), 999'999);
        QCOMPARE(caption(), usual);
    }

    void fullDiskMakesOneFolderAndGoesOnWhenThereIsRoom() {
        WindowFixture fixture;
        fixture.autosave = quick(fixture);
        fixture.autosave.touch = 50;
        auto window = fixture.window();
        std::signal(SIGXFSZ, SIG_IGN);
        rlimit before{};
        getrlimit(RLIMIT_FSIZE, &before);
        const rlimit full{256, before.rlim_max};  // room for the name of the machine alone
        int refused = 0;
        connect(&window->desk().autosaver(), &Autosaver::failed, this, [&refused] { ++refused; });
        setrlimit(RLIMIT_FSIZE, &full);
        window->session().runSteps(3);
        const bool told = QTest::qWaitFor([&] { return refused > 0; }, 5000);
        QTest::qWait(400);  // further attempts
        setrlimit(RLIMIT_FSIZE, &before);
        QVERIFY(told);
        QCOMPARE(window->desk().autosaver().written(), 0);
        QCOMPARE(folders(fixture.autosave), std::size_t(1));
        QTRY_VERIFY(window->desk().autosaver().written() > 0);
        QCOMPARE(folders(fixture.autosave), std::size_t(1));
        QCOMPARE(refused, 1);

        // Where a file has it all the window still says to other machines that it lives.
        save(*window, fixture.path(QStringLiteral("saved.keras")).toStdString());
        std::filesystem::path folder = std::filesystem::directory_iterator(fixture.autosave.root)->path();
        QTRY_VERIFY(!std::filesystem::exists(folder / "session.keras"));
        const auto old = std::filesystem::file_time_type::clock::now() - std::chrono::minutes(11);
        std::filesystem::last_write_time(folder / "host.txt", old);
        QTRY_VERIFY(std::filesystem::last_write_time(folder / "host.txt") > old + std::chrono::minutes(10));
        QVERIFY(window->close());
        window.reset();
        QCOMPARE(folders(fixture.autosave), std::size_t(0));
    }

    void nothingIsKeptWhereNothingWasChanged() {
        WindowFixture fixture;
        fixture.autosave = quick(fixture);
        auto window = fixture.window();
        QTest::qWait(400);
        QCOMPARE(window->desk().autosaver().written(), 0);
        QCOMPARE(folders(fixture.autosave), std::size_t(0));
        // What a file holds is not kept twice.
        window->session().runSteps(3);
        QTRY_VERIFY(window->desk().autosaver().written() > 0);
        const std::filesystem::path file = fixture.path(QStringLiteral("saved.keras")).toStdString();
        QTRY_VERIFY(window->session().resting());
        save(*window, file);
        QTRY_VERIFY_WITH_TIMEOUT(
            [&] {
                for (const auto& entry : std::filesystem::recursive_directory_iterator(fixture.autosave.root))
                    if (entry.path().filename() == "session.keras") return false;
                return true;
            }(),
            5000);
        const int written = window->desk().autosaver().written();
        QTest::qWait(300);
        QCOMPARE(window->desk().autosaver().written(), written);
        QVERIFY(window->close());
        window.reset();
        QCOMPARE(folders(fixture.autosave), std::size_t(0));
    }

    void crashInClassLosesNothing() {
        WindowFixture fixture;
        fixture.autosave = quick(fixture);
        auto window = fixture.window();
        work(*window);
        const auto before = savedRun(window->session());
        QTRY_VERIFY(window->desk().autosaver().written() > 0);
        QTest::qWait(400);
        window.reset();
        QCOMPARE(folders(fixture.autosave), std::size_t(1));

        window = fixture.window(QStringLiteral("92-second"));
        window->desk().start();
        QTRY_COMPARE(window->notice().kind(), Notice::Kind::offered);
        QVERIFY2(window->notice().text().contains(QStringLiteral("“Meet the mixture” was not saved")),
                 qPrintable(window->notice().text()));
        QVERIFY(window->notice().text().contains(QStringLiteral("25 steps")));
        // Other notices cover it for a while; work goes on meanwhile.
        window->notice().tell(Notice::Kind::refused, QStringLiteral("something else"));
        // Its button has room, though it came into a card that stood there already.
        QPushButton* close = buttonNamed(&window->notice(), QStringLiteral("Close"));
        QVERIFY(close);
        QTRY_VERIFY(close->height() >= close->sizeHint().height());
        press(&window->notice(), QStringLiteral("Close"));
        QTRY_COMPARE(window->notice().kind(), Notice::Kind::offered);
        press(&window->notice(), QStringLiteral("Restore"));
        QTRY_COMPARE_WITH_TIMEOUT(window->session().live().step, 25u, 10000);
        QTRY_VERIFY(window->session().resting());
        QCOMPARE(window->column().lesson()->player().index(), std::size_t(1));
        QCOMPARE(window->bench().notes(), QStringLiteral("Ask: who reads “hello”?"));
        QVERIFY(savedRun(window->session())->state == before->state);
        QVERIFY(window->bench().hasUnsavedWork());  // the notes
        // It is this window's own now, and still there should this one crash too.
        QTRY_COMPARE(folders(fixture.autosave), std::size_t(1));
        window->session().setSpeed(0);
        window->session().runSteps(5);
        QTRY_VERIFY(window->desk().autosaver().written() > 0);
        QTRY_VERIFY(window->session().live().step == 30);
        QTest::qWait(300);
        window.reset();
        const auto left = find_leftovers(fixture.autosave.root);
        QCOMPARE(left.size(), std::size_t(1));
        QCOMPARE(left[0].summary.step, 30u);
    }

    void severalAreOfferedOneAfterAnotherAndDiscarded() {
        WindowFixture fixture;
        fixture.autosave = quick(fixture);
        for (int i = 1; i <= 2; ++i) {
            auto window = fixture.window();
            window->session().runSteps(std::uint64_t(i));
            QTRY_VERIFY(window->desk().autosaver().written() > 0);
            window.reset();
        }
        auto window = fixture.window();
        QCOMPARE(folders(fixture.autosave), std::size_t(2));
        window->desk().start();
        QTRY_COMPARE(window->notice().kind(), Notice::Kind::offered);
        QCOMPARE(window->desk().recovery().waiting(), std::size_t(2));
        QVERIFY(window->notice().text().contains(QStringLiteral("Another session")));
        // It cannot be undone: it is asked.
        press(&window->notice(), QStringLiteral("Discard"));
        QVERIFY(window->notice().text().contains(QStringLiteral("Meet the mixture")));
        press(&window->notice(), QStringLiteral("Keep"));
        QTRY_VERIFY(buttonNamed(&window->notice(), QStringLiteral("Restore")));
        QCOMPARE(window->desk().recovery().waiting(), std::size_t(2));
        QCOMPARE(folders(fixture.autosave), std::size_t(2));
        press(&window->notice(), QStringLiteral("Discard"));
        press(&window->notice(), QStringLiteral("Discard for good"));
        QCOMPARE(window->desk().recovery().waiting(), std::size_t(1));
        QTRY_COMPARE(window->notice().kind(), Notice::Kind::offered);
        QTRY_COMPARE(folders(fixture.autosave), std::size_t(1));
        // One that is not decided about waits for the next start.
        window->close();
        window.reset();
        QCOMPARE(find_leftovers(fixture.autosave.root).size(), std::size_t(1));
    }

    void restoredSessionBelongsToItsFile() {
        WindowFixture fixture;
        fixture.autosave = quick(fixture);
        const std::filesystem::path file = fixture.path(QStringLiteral("mine.keras")).toStdString();
        auto window = fixture.window();
        window->session().runSteps(4);
        QTRY_VERIFY(window->session().live().step == 4 && window->session().resting());
        save(*window, file);
        window->session().runSteps(6);
        QTRY_VERIFY(window->session().live().step == 10 && window->session().resting());
        QTest::qWait(400);
        window.reset();
        const std::string saved = read_file(file);

        window = fixture.window();
        window->desk().start();
        QTRY_COMPARE(window->notice().kind(), Notice::Kind::offered);
        press(&window->notice(), QStringLiteral("Restore"));
        QTRY_COMPARE_WITH_TIMEOUT(window->session().live().step, 10u, 10000);
        QTRY_VERIFY(!window->bench().busy());
        QCOMPARE(window->bench().identity().file, file);
        QVERIFY(window->bench().identity().file_mark.bytes > 0);
        QVERIFY(window->bench().hasUnsavedTraining());
        QVERIFY(read_file(file) == saved);  // a crash never touches it
        window->models().save();
        QTRY_VERIFY_WITH_TIMEOUT(!window->bench().hasUnsavedTraining(), 10000);
        QVERIFY(read_file(file) != saved);
    }

    void restoredRunOfALessonIsNotLostUnasked() {
        WindowFixture fixture;
        fixture.autosave = quick(fixture);
        auto window = fixture.window();
        window->session().runSteps(6);
        QTRY_VERIFY(window->session().live().step == 6 && window->session().resting());
        QVERIFY(!window->bench().hasUnsavedWork());
        QTRY_VERIFY(window->desk().autosaver().written() > 0);
        QTest::qWait(400);
        window.reset();

        window = fixture.window();
        window->desk().start();
        QTRY_COMPARE(window->notice().kind(), Notice::Kind::offered);
        press(&window->notice(), QStringLiteral("Restore"));
        QTRY_COMPARE_WITH_TIMEOUT(window->session().live().step, 6u, 10000);
        QTRY_VERIFY(!window->bench().busy());
        QVERIFY(window->bench().identity().lesson);
        QVERIFY(window->bench().hasUnsavedTraining());
        // From here on it is what the play button gives.
        window->bench().reset();
        window->session().runSteps(2);
        QTRY_VERIFY(window->session().live().step == 2 && window->session().resting());
        QVERIFY(!window->bench().hasUnsavedTraining());
        // With another setting for a part of it, it is not.
        window->bench().setLive("learning_rate", QStringLiteral("0.01"));
        QVERIFY(window->bench().hasUnsavedTraining());
        window->bench().undoStack().undo();
        window->bench().undoStack().undo();
        QTRY_VERIFY(window->session().live().step == 6 && !window->bench().busy());
        QVERIFY(window->bench().hasUnsavedTraining());
    }

    void recentFilesAreListedAndMissingOnesSaid() {
        WindowFixture fixture;
        auto window = fixture.window();
        RecentFiles& recent = window->desk().recent();
        for (int i = 0; i < 12; ++i) save(*window, fixture.path(QStringLiteral("r%1.keras").arg(i)).toStdString());
        QCOMPARE(recent.files().size(), 10);
        QCOMPARE(recent.files().front(), fixture.path(QStringLiteral("r11.keras")));
        save(*window, fixture.path(QStringLiteral("r5.keras")).toStdString());
        QCOMPARE(recent.files().front(), fixture.path(QStringLiteral("r5.keras")));
        QCOMPARE(recent.files().size(), 10);

        QMenu* menu = window->findChild<WindowMenu*>()->recentMenu();
        Q_EMIT menu->aboutToShow();
        QCOMPARE(menu->actions().size(), 12);  // ten, a line, "Clear list"
        QVERIFY(QFile::remove(fixture.path(QStringLiteral("r11.keras"))));
        menu->actions()[1]->trigger();
        QTRY_COMPARE(window->notice().kind(), Notice::Kind::refused);
        QVERIFY(window->notice().text().contains(QStringLiteral("r11.keras is no longer in")));
        QCOMPARE(recent.files().size(), 9);
        menu->actions()[0]->trigger();
        QTRY_VERIFY(window->bench().identity().title() == QStringLiteral("r5.keras"));
        // The next window knows them.
        window.reset();
        window = fixture.window();
        QTRY_COMPARE(window->desk().recent().files().size(), 9);
    }

    void furtherWindowIsAProcessOfItsOwn() {
        WindowFixture fixture;
        QVERIFY(!fixture.window()->actions().newWindow->isVisible());
        const QString mark = fixture.path(QStringLiteral("started"));
        fixture.program = {QStringLiteral("/bin/sh"), QStringLiteral("-c"), QStringLiteral(": > '%1'").arg(mark)};
        const auto window = fixture.window();
        window->actions().newWindow->trigger();
        QTRY_VERIFY(QFile::exists(mark));
    }

    void saveOfASessionThatWasLeftDoesNotTouchTheNext() {
        WindowFixture fixture;
        const auto window = fixture.window();
        bool saved = false;
        window->session().runSteps(5);
        window->bench().saveModel(fixture.path(QStringLiteral("left.keras")).toStdString(), [&] { saved = true; });
        window->bench().openLesson(*window->bench().identity().lesson);
        QTRY_VERIFY_WITH_TIMEOUT(saved && !window->bench().busy(), 10000);
        QVERIFY(window->bench().identity().file.empty() || window->session().live().step == 5);
    }

    void saveOfARunThatWasBegunAnewIsNotTheNewOnes() {
        WindowFixture fixture;
        const auto window = fixture.window();
        Workbench& bench = window->bench();
        window->session().runSteps(5);
        QTRY_VERIFY(window->session().live().step == 5 && window->session().resting());
        // The new model is there when the file has just been written.
        bool restarted = false, saved = false;
        connect(&bench, &Workbench::working, this, [&](const QString& what) {
            if (!what.isEmpty() || std::exchange(restarted, true)) return;
            bench.restart(presentExperiment(window->session().live()));
            QTRY_VERIFY(!bench.busy());
        });
        bench.saveModel(fixture.path(QStringLiteral("before.keras")).toStdString(), [&] { saved = true; });
        QTRY_VERIFY_WITH_TIMEOUT(saved, 10000);
        QVERIFY(restarted && window->session().live().step == 0);
        QVERIFY(bench.identity().file.empty());  // Save asks where
        QCOMPARE(bench.identity().saved_step, std::uint64_t(0));
    }

    void changesWhileAFileIsWrittenAreKept() {
        WindowFixture fixture;
        fixture.autosave = quick(fixture);
        auto window = fixture.window();
        window->session().runSteps(3);
        QTRY_VERIFY(window->desk().autosaver().written() > 0 && window->session().resting());
        const std::filesystem::path file = fixture.path(QStringLiteral("early.keras")).toStdString();
        bool saved = false;
        window->bench().saveModel(file, [&] { saved = true; });
        window->session().setLearningRate(0.002);
        window->desk().notes().text()->setPlainText(QStringLiteral("too late for the file"));
        QTRY_VERIFY_WITH_TIMEOUT(saved, 10000);
        QVERIFY(load_session(file).setup.experiment.train.learning_rate != 0.002);
        QVERIFY(load_session(file).scene.notes.empty());
        QVERIFY(window->bench().hasUnsavedWork());
        QTest::qWait(600);
        window.reset();  // as in a crash
        const std::vector<Leftover> left = find_leftovers(fixture.autosave.root);
        QCOMPARE(left.size(), std::size_t(1));
        const LoadedSession kept = load_session(left.front().slot->file());
        QCOMPARE(kept.setup.experiment.train.learning_rate, 0.002);
        QCOMPARE(kept.scene.notes, std::string("too late for the file"));
    }
};

}  // namespace moe::app

QTEST_MAIN(moe::app::SessionDeskTest)
#include "session_desk_test.moc"
