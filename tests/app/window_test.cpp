#include "app/shell/corpus_dialog.h"
#include "app/shell/dock_area.h"
#include "app/shell/experiment_panel.h"
#include "app/shell/left_column.h"
#include "app/shell/lesson_panel.h"
#include "app/shell/model_actions.h"
#include "app/shell/notice.h"
#include "app/shell/transport_bar.h"
#include "app/shell/window_actions.h"
#include "app/shell/workbench.h"
#include "app/views/chart_panel.h"
#include "engine/core/settings.h"
#include "window_fixture.h"

#include <QDropEvent>
#include <QLabel>
#include <QLineEdit>
#include <QMessageBox>
#include <QMimeData>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QSlider>
#include <QToolButton>

namespace moe::app {

class WindowTest : public QObject {
    Q_OBJECT

private:
    static QPushButton* buttonNamed(QWidget* in, const QString& text) {
        for (QPushButton* b : in->findChildren<QPushButton*>())
            if (b->text() == text && b->isVisible()) return b;
        return nullptr;
    }

    static void dropFile(MainWindow& window, const QString& path) {
        QMimeData data;
        data.setUrls({QUrl::fromLocalFile(path)});
        QDragEnterEvent enter(QPoint(600, 300), Qt::CopyAction, &data, Qt::LeftButton, Qt::NoModifier);
        QCoreApplication::sendEvent(&window, &enter);
        QVERIFY(enter.isAccepted());
        QDropEvent drop(QPointF(600, 300), Qt::CopyAction, &data, Qt::LeftButton, Qt::NoModifier);
        QCoreApplication::sendEvent(&window, &drop);
    }

private Q_SLOTS:
    void opensReady() {
        WindowFixture fixture;
        const auto window = fixture.window();
        const Snapshot& s = window->session().snapshot();
        QCOMPARE(s.state, SessionState::ready);
        QCOMPARE(s.probe.prefix_words.size(), std::size_t(4));
        QCOMPARE(s.step, 0u);
        QVERIFY(window->windowTitle().contains(QStringLiteral("Meet the mixture")));
        if (DockFrame* stage = window->docks().stage()) QCOMPARE(window->focusWidget(), stage->view());
    }

    // A layout that asks for itself again keeps a processor busy for ever.
    void idleWindowHandlesNoEvents() {
        struct Counter : QObject {
            int events = 0;
            bool eventFilter(QObject* watched, QEvent* event) override {
                if (event->type() == QEvent::LayoutRequest || event->type() == QEvent::Paint) ++events;
                return QObject::eventFilter(watched, event);
            }
        } counter;
        WindowFixture fixture;
        const auto window = fixture.window();
        QTRY_VERIFY(window->session().resting());
        QTest::qWait(500);
        qApp->installEventFilter(&counter);
        QTest::qWait(500);
        QVERIFY2(counter.events < 10, qPrintable(QString::number(counter.events)));
    }

    void keysDoWhatTheySay() {
        WindowFixture fixture;
        const auto window = fixture.window();
        SessionController& session = window->session();
        QWidget* at = window->focusWidget() ? window->focusWidget() : window.get();
        QTest::keyClick(at, Qt::Key_Right, Qt::ShiftModifier);
        QTRY_COMPARE(session.snapshot().step, 1u);
        QVERIFY(waitForState(session, SessionState::paused));
        QTest::keyClick(at, Qt::Key_Right, Qt::ControlModifier);
        QTRY_COMPARE(session.snapshot().epoch, 1u);
        QVERIFY(waitForState(session, SessionState::paused));
        QCOMPARE(session.snapshot().step, 2u);
        session.setSpeed(50);
        QTest::keyClick(at, Qt::Key_Space);
        QTRY_COMPARE(session.snapshot().state, SessionState::running);
        QTest::keyClick(at, Qt::Key_Space);
        QVERIFY(waitForState(session, SessionState::paused));
        QTest::keyClick(at, Qt::Key_R);
        QTRY_COMPARE(session.snapshot().step, 0u);
    }

    void keysAreLettersInTextFields() {
        WindowFixture fixture;
        const auto window = fixture.window();
        window->column().editor()->edit(window->session().snapshot().experiment, window->session().corpus());
        window->column().showEditor(true);
        QLineEdit* field = window->column().editor()->field("num_experts");
        field->setFocus();
        field->clear();
        QTest::keyClick(field, Qt::Key_R);
        QTest::keyClick(field, Qt::Key_Space);
        QTest::keyClick(field, Qt::Key_Right);
        QTest::keyClick(field, Qt::Key_Right, Qt::ShiftModifier);
        QTest::keyClick(field, Qt::Key_Left, Qt::ControlModifier);
        QCOMPARE(field->text(), QStringLiteral("r "));
        QTest::qWait(150);
        QCOMPARE(window->session().snapshot().step, 0u);
        QCOMPARE(window->session().snapshot().state, SessionState::ready);
    }

    void spacePressesTheButtonThatHasTheFocus() {
        WindowFixture fixture;
        const auto window = fixture.window();
        QPushButton* next = buttonNamed(&window->column(), QStringLiteral("Next"));
        QVERIFY(next);
        next->setFocus();
        QTest::keyClick(next, Qt::Key_Space);
        QCOMPARE(window->column().lesson()->player().index(), std::size_t(1));
        QTest::qWait(100);
        QCOMPARE(window->session().snapshot().state, SessionState::ready);
    }

    void guessIsAnsweredByTheModel() {
        WindowFixture fixture;
        const auto window = fixture.window();
        QPushButton* b = buttonNamed(&window->column(), QStringLiteral("Expert B"));
        QVERIFY(b);
        QTRY_VERIFY(b->height() > 10);  // laid out
        QCOMPARE(window->column().lesson()->revealed(), QString());
        QTest::mouseClick(b, Qt::LeftButton);
        const Snapshot& s = window->session().snapshot();
        const float weight = s.probe.gate_weights[s.probe.focus * 4 + 1];
        const QString revealed = window->column().lesson()->revealed();
        QVERIFY2(revealed.startsWith(QStringLiteral("You said B. It has %1 %.").arg(std::lround(100 * weight))),
                 qPrintable(revealed));
        // It is of what was asked: of other words nothing is said.
        const std::size_t focus = s.probe.focus;
        window->session().setFocusedPrefix(focus + 1);
        QTRY_COMPARE(window->column().lesson()->revealed(), QString());
        window->session().setFocusedPrefix(focus);
        QTRY_VERIFY(!window->column().lesson()->revealed().isEmpty());
        window->session().setProbe(QStringLiteral("fine thank"), 1);
        QTRY_COMPARE(window->column().lesson()->revealed(), QString());
    }

    void undoOfARestartBringsTheSameBits() {
        WindowFixture fixture;
        const auto window = fixture.window();
        SessionController& session = window->session();
        session.runEpochs(5);
        QTRY_VERIFY(session.snapshot().epoch == 5 && session.resting());
        const auto before = savedRun(session);
        Experiment other = session.snapshot().experiment;
        other.model.num_experts = 7;
        window->bench().restart(other);
        QTRY_COMPARE(session.snapshot().experiment.model.num_experts, std::size_t(7));
        QCOMPARE(session.snapshot().step, 0u);
        QCOMPARE(session.snapshot().experiment.train.seed, before->state.experiment.train.seed);
        QTRY_VERIFY(window->bench().undoStack().canUndo() && !window->bench().busy());
        window->actions().undo->trigger();
        QTRY_COMPARE(session.snapshot().experiment.model.num_experts, std::size_t(4));
        QTRY_VERIFY(!window->bench().busy());
        const auto after = savedRun(session);
        QVERIFY(after->state == before->state);
        QCOMPARE(after->history->points.size(), before->history->points.size());
        window->actions().redo->trigger();
        QTRY_COMPARE(session.snapshot().experiment.model.num_experts, std::size_t(7));
    }

    void undoOfAResetBringsTheSameBits() {
        WindowFixture fixture;
        const auto window = fixture.window();
        SessionController& session = window->session();
        const auto fresh = savedRun(session);
        session.runEpochs(3);
        QTRY_VERIFY(session.snapshot().epoch == 3 && session.resting());
        const auto before = savedRun(session);
        window->actions().reset->trigger();
        QTRY_COMPARE(session.snapshot().step, 0u);
        QTRY_VERIFY(window->bench().undoStack().canUndo());
        QVERIFY(savedRun(session)->state.parameters == fresh->state.parameters);
        window->actions().undo->trigger();
        QTRY_COMPARE(session.snapshot().epoch, 3u);
        QTRY_VERIFY(!window->bench().busy());
        QVERIFY(savedRun(session)->state == before->state);
        // And the run that came back can be reset again.
        window->actions().reset->trigger();
        QTRY_COMPARE(session.snapshot().step, 0u);
        QVERIFY(savedRun(session)->state.parameters == fresh->state.parameters);
    }

    void smallEditsDoNotCostTheUndoOfARun() {
        WindowFixture fixture;
        const auto window = fixture.window();
        SessionController& session = window->session();
        Workbench& bench = window->bench();
        const auto trainAndReset = [&] {
            const int before = bench.undoStack().count();
            session.runSteps(20);
            QTRY_VERIFY(session.snapshot().step == 20 && session.resting());
            window->actions().reset->trigger();
            QTRY_VERIFY(bench.undoStack().count() != before && session.snapshot().step == 0);
        };
        trainAndReset();
        const std::size_t one = bench.undoBytes();
        QVERIFY(one > 0);
        bench.limitUndo(5 * one / 2);  // room for two runs
        for (int i = 1; i <= 9; ++i) bench.setLive("learning_rate", QString::number(0.001 * i, 'f', 4));
        const int edits = bench.undoStack().count();
        QVERIFY(edits >= 9);
        trainAndReset();
        QCOMPARE(bench.undoStack().count(), edits + 1);
        QVERIFY(bench.undoBytes() > one && bench.undoBytes() <= 2 * one + one / 2);
        trainAndReset();  // the third does not fit
        QCOMPARE(bench.undoStack().count(), 1);
        // Going back twice in one run keeps its checkpoints once.
        bench.limitUndo(std::size_t(1) << 30);
        session.runSteps(40);
        QTRY_VERIFY(session.snapshot().step == 40 && session.resting());
        const auto run = savedRun(session);
        std::size_t past = 0;
        for (const auto& moment : run->timeline->checkpoints) past += checkpoint_bytes(*moment);
        QVERIFY(past > 0);
        std::size_t first = 0, second = 0;
        const auto goBack = [&](std::uint64_t step, std::size_t& grown) {
            const std::size_t before = bench.undoBytes();
            bench.continueFrom(step, {});
            QTRY_VERIFY(!bench.busy());
            grown = bench.undoBytes() - before;
        };
        goBack(30, first);
        goBack(20, second);
        QVERIFY2(second + past / 2 < first, qPrintable(QStringLiteral("%1, %2").arg(first).arg(second)));
    }

    // A long run's curves weigh more than a tiny model's weights.
    void undoCountsTheCurvesThatItKeeps() {
        WindowFixture fixture;
        const auto window = fixture.window();
        SessionController& session = window->session();
        Workbench& bench = window->bench();
        bench.setLive("epochs", QStringLiteral("1000"));  // as many as are run below
        session.runSteps(600);
        QTRY_VERIFY_WITH_TIMEOUT(session.live().step == 600 && session.resting(), 20000);
        const auto run = savedRun(session);
        const History& h = *run->history;
        QVERIFY(h.points.size() > 300 && h.gate.size() > 300);
        const std::size_t curves = h.points.size() * sizeof(HistoryPoint) + 4 * (h.load.size() + h.gate.size()) +
                                   8 * h.gate_steps.size() + h.epochs.size() * sizeof(h.epochs[0]);
        std::size_t rest = 0;
        for (const auto* arrays : {&run->state.parameters, &run->state.momentum, &run->state.velocity})
            for (const NamedArray& a : *arrays) rest += 4 * a.values.size();
        for (const auto& moment : run->timeline->checkpoints) rest += checkpoint_bytes(*moment);
        window->actions().reset->trigger();
        QTRY_VERIFY(bench.undoStack().count() == 2 && session.live().step == 0);
        const std::size_t kept = bench.undoBytes();
        QVERIFY2(kept >= rest + curves && kept < rest + curves + 1000,
                 qPrintable(QStringLiteral("%1 of %2 and %3").arg(kept).arg(rest).arg(curves)));
        // With them the budget is full: the next run takes the place of this one.
        bench.limitUndo(kept + curves / 2);
        bench.setLive("learning_rate", QStringLiteral("0.002"));
        QCOMPARE(bench.undoStack().count(), 3);
        session.runSteps(600);
        QTRY_VERIFY_WITH_TIMEOUT(session.live().step == 600 && session.resting(), 20000);
        window->actions().reset->trigger();
        QTRY_COMPARE(bench.undoStack().count(), 1);
    }

    void liveSettingsApplyAtOnceAndUndo() {
        WindowFixture fixture;
        const auto window = fixture.window();
        SessionController& session = window->session();
        session.runSteps(3);
        QTRY_COMPARE(session.snapshot().step, 3u);
        window->column().editor()->edit(session.snapshot().experiment, session.corpus());
        window->column().showEditor(true);
        QLineEdit* field = window->column().editor()->field("learning_rate");
        field->setFocus();
        field->selectAll();
        QTest::keyClicks(field, QStringLiteral("0.02"));
        QTest::keyClick(field, Qt::Key_Return);
        QTRY_COMPARE(session.snapshot().experiment.train.learning_rate, 0.02);
        QCOMPARE(session.snapshot().step, 3u);
        window->actions().undo->trigger();
        QTRY_COMPARE(session.snapshot().experiment.train.learning_rate, 0.001);
        QTRY_COMPARE(field->text(), QStringLiteral("0.001"));
    }

    void editorSaysWhatTheEngineSays() {
        WindowFixture fixture;
        const auto window = fixture.window();
        ExperimentEditor* editor = window->column().editor();
        editor->edit(window->session().snapshot().experiment, window->session().corpus());
        window->column().showEditor(true);
        buttonNamed(editor, QStringLiteral("top-k"))->click();
        QLineEdit* k = editor->field("top_k");
        k->setFocus();
        k->selectAll();
        QTest::keyClicks(k, QStringLiteral("9"));
        QPushButton* start = buttonNamed(editor, QStringLiteral("Start again"));
        QVERIFY(start && !start->isEnabled());
        const auto shows = [&](const QString& words) {
            for (QLabel* label : editor->findChildren<QLabel*>())
                if (label->isVisible() && label->text().contains(words)) return true;
            return false;
        };
        QString sentence;
        try {
            validate(editor->draft().experiment(), default_memory_limit());
        } catch (const std::exception& e) {
            sentence = QString::fromUtf8(e.what());
        }
        // The same sentence, with the names that the fields have here.
        QVERIFY(sentence.contains(QStringLiteral("top_k is 9")));
        QVERIFY(shows(QStringLiteral("“Experts that run” is 9")));
        QVERIFY(shows(QStringLiteral("starts again from step 0 with the same seed")));
        k->selectAll();
        QTest::keyClicks(k, QStringLiteral("2"));
        QVERIFY(start->isEnabled());
        start->click();
        QTRY_COMPARE(window->session().snapshot().experiment.model.router, std::string("top_k"));
        QVERIFY(!window->column().showsEditor());
    }

    void pictureBehindAnotherTabCostsNothingAndIsNewWhenItComes() {
        WindowFixture fixture;
        const auto window = fixture.window();
        DockFrame *gate = window->docks().dock(QStringLiteral("gate")),
                  *word = window->docks().dock(QStringLiteral("next_word"));
        QVERIFY(gate && word);
        const auto* chart = gate->findChild<ChartPanel*>();
        QVERIFY(chart);
        word->raise();
        QTest::qWait(100);
        window->session().runSteps(20);
        QTRY_VERIFY(window->session().live().step == 20 && window->session().resting());
        QTest::qWait(150);
        QVERIFY(chart->chart()->series().isEmpty());
        gate->raise();
        QTRY_VERIFY(!chart->chart()->series().isEmpty());
    }

    void windowFitsTheScreenWithItsFrame() {
        const QSize frame(2, 26);
        QCOMPARE(fittedSize({1280, 720}, frame, {1280, 720}), QSize(1278, 694));
        QCOMPARE(fittedSize({1920, 1000}, frame, {1366, 740}), QSize(1364, 714));
        QCOMPARE(fittedSize({1280, 720}, frame, {1920, 1080}), QSize(1280, 720));
        QCOMPARE(fittedSize({1280, 720}, {}, {1280, 720}), QSize(1280, 720));
    }

    void anotherWindowsChoiceIsLeftAlone() {
        const QTemporaryDir dir;
        QSettings settings(dir.filePath(QStringLiteral("w.ini")), QSettings::IniFormat);
        const WindowState before;
        WindowState mine = before, theirs = before;
        theirs.theme = ThemeChoice::dark;
        theirs.write(&settings, &before);
        mine.lesson = QStringLiteral("02");
        mine.write(&settings, &before);
        QCOMPARE(WindowState::read(&settings).theme, ThemeChoice::dark);
        QCOMPARE(WindowState::read(&settings).lesson, QStringLiteral("02"));
    }

    void playButtonOfALessonSaysWhatItDoes() {
        WindowFixture fixture;
        writeText(fixture.path(QStringLiteral("lessons/91-first/lesson.json")),
                  QByteArray(tiny_lesson)
                      .replace("\"label\": \"One epoch\", \"epochs\": 1", "\"label\": \"Play\", \"play\": true"));
        const auto window = fixture.window();
        for (QPushButton* b : window->column().findChildren<QPushButton*>())
            if (b->isVisible() && b->text() == QStringLiteral("Next")) b->click();
        const auto shows = [&](const QString& text) {
            for (const QPushButton* b : window->column().lesson()->findChildren<QPushButton*>())
                if (b->isVisible() && b->text() == text) return true;
            return false;
        };
        QVERIFY(shows(QStringLiteral("Play")) && !shows(QStringLiteral("Pause")));
        window->session().setSpeed(20);
        window->actions().play->trigger();
        QTRY_VERIFY(shows(QStringLiteral("Pause")) && !shows(QStringLiteral("Play")));
        QTRY_VERIFY(window->session().live().step > 2);
        window->session().lookAt(1);  // it trains on
        QTRY_VERIFY(window->session().lookedAt());
        QTest::qWait(100);
        QVERIFY(shows(QStringLiteral("Pause")));
        window->session().pause();
        QTRY_VERIFY(shows(QStringLiteral("Play")) && !shows(QStringLiteral("Pause")));
    }

    void whatIsChosenOutlivesACrash() {
        WindowFixture fixture;
        auto window = fixture.window();
        const QSettings file(fixture.path(QStringLiteral("window.ini")), QSettings::IniFormat);
        window->setThemeChoice(ThemeChoice::dark);
        QTRY_COMPARE(file.value(QStringLiteral("theme")).toString(), QStringLiteral("dark"));
        window->actions().reducedMotion->setChecked(true);
        QTRY_VERIFY(file.value(QStringLiteral("reduced_motion")).toBool());
        window.reset();  // without closing it
        QVERIFY(fixture.window()->actions().reducedMotion->isChecked());
    }

    void arrangementThemeAndLessonComeBack() {
        WindowFixture fixture;
        QSize stage;
        {
            const auto window = fixture.window(QStringLiteral("92-second"));
            window->setThemeChoice(ThemeChoice::dark);
            window->actions().reducedMotion->trigger();
            QVERIFY(window->docks().stage()->view()->property("reducedMotion").toBool());
            window->resize(1400, 800);
            if (DockFrame* d = window->docks().dock(QStringLiteral("load"))) {
                QTest::qWait(150);
                d->toggleViewAction()->trigger();
                QVERIFY(!d->isVisible());
                QTest::qWait(150);
                stage = window->docks().stage()->size();
            }
            window->close();
        }
        const auto window = fixture.window({});
        QVERIFY(window->theme().dark);
        QVERIFY(window->docks().stage()->view()->property("reducedMotion").toBool());
        QCOMPARE(window->size(), QSize(1400, 800));
        QTRY_COMPARE(window->bench().identity().lesson->id, QStringLiteral("92-second"));
        if (DockFrame* d = window->docks().dock(QStringLiteral("load"))) {
            QVERIFY(!d->isVisible());
            QTest::qWait(150);
            const QSize now = window->docks().stage()->size();
            QVERIFY2(std::abs(now.width() - stage.width()) <= 4 && std::abs(now.height() - stage.height()) <= 4,
                     qPrintable(QStringLiteral("%1x%2 became %3x%4")
                                    .arg(stage.width())
                                    .arg(stage.height())
                                    .arg(now.width())
                                    .arg(now.height())));
            window->actions().restoreLayout->trigger();
            QVERIFY(d->isVisible());
            QVERIFY(!window->docks().isRearranged());
        }
    }

    void droppedTextShowsItsFactsFirst() {
        WindowFixture fixture;
        const auto window = fixture.window();
        writeText(fixture.path(QStringLiteral("own.txt")), "the cat sat\r\nthe dog sat down\r\n");
        dropFile(*window, fixture.path(QStringLiteral("own.txt")));
        QTRY_VERIFY(window->models().corpusDialog());
        CorpusDialog* dialog = window->models().corpusDialog();
        QTRY_VERIFY_WITH_TIMEOUT(dialog->canTrain(), 10000);
        QVERIFY(dialog->factsText().contains(QStringLiteral("2 lines, 5 different words, 5 examples")));
        QCOMPARE(window->session().corpus()->examples(), std::size_t(12));  // not yet
        buttonNamed(dialog, QStringLiteral("Use this text"))->click();
        QTRY_COMPARE(window->session().corpus()->examples(), std::size_t(5));
        QTRY_VERIFY(!window->bench().busy());
        QCOMPARE(window->session().snapshot().step, 0u);
        QVERIFY(!window->session().snapshot().probe.prefix_words.empty());
        window->actions().undo->trigger();
        QTRY_COMPARE(window->session().corpus()->examples(), std::size_t(12));
        QTRY_VERIFY(window->bench().identity().lesson != nullptr);
    }

    void badTextsAreOneSentenceAndTheModelStays_data() {
        QTest::addColumn<QByteArray>("bytes");
        QTest::newRow("empty") << QByteArray("");
        QTest::newRow("one word") << QByteArray("word\n");
        QTest::newRow("binary") << QByteArray("ab\0cd\0ef", 8);
        QTest::newRow("bad UTF-8") << QByteArray("good line\nbad \xC3\x28 line\n");
        QTest::newRow("only punctuation") << QByteArray("... !!! ???\n");
    }

    void badTextsAreOneSentenceAndTheModelStays() {
        QFETCH(QByteArray, bytes);
        WindowFixture fixture;
        const auto window = fixture.window();
        writeText(fixture.path(QStringLiteral("bad.txt")), bytes);
        const auto generation = window->session().snapshot().generation;
        window->openPath(fixture.path(QStringLiteral("bad.txt")).toStdString());
        QTRY_VERIFY(window->models().corpusDialog());
        CorpusDialog* dialog = window->models().corpusDialog();
        QTRY_VERIFY_WITH_TIMEOUT(!dialog->problem().isEmpty(), 10000);
        QVERIFY(!dialog->canTrain());
        QVERIFY(!dialog->problem().contains(u'\n'));
        QCOMPARE(window->session().snapshot().generation, generation);
    }

    void divergenceIsAStateWithItsCause() {
        WindowFixture fixture;
        const auto window = fixture.window();
        SessionController& session = window->session();
        session.runSteps(2);
        QTRY_VERIFY(session.snapshot().step == 2 && session.resting());
        window->bench().setLive("learning_rate", QStringLiteral("1e9"));
        session.play();
        QTRY_COMPARE_WITH_TIMEOUT(session.snapshot().state, SessionState::failed, 20000);
        Notice* notice = &window->notice();
        QTRY_VERIFY(notice->isVisible());
        QCOMPARE(notice->kind(), Notice::Kind::failed);
        QVERIFY(!notice->text().isEmpty());
        // And it can be read: ink and paper change places on the card.
        auto* words = notice->findChild<QLabel*>();
        QVERIFY(Theme::contrast(words->palette().color(QPalette::WindowText), window->theme().ink) >= 4.5);
        const auto kept = savedRun(session);
        for (const NamedArray& a : kept->state.parameters)
            for (const float v : a.values) QVERIFY(std::isfinite(v));
        // What was done since is undone first, as the button says; the cause is still there, and is said again.
        session.setProbe(QStringLiteral("how are"), 1);
        QTRY_COMPARE(session.snapshot().probe.text, std::string("how are"));
        QVERIFY(buttonNamed(notice, window->actions().undo->text()));
        window->actions().undo->trigger();
        QTRY_COMPARE(session.snapshot().probe.text, std::string("hello world how are"));
        QTRY_VERIFY(notice->isVisible() && notice->kind() == Notice::Kind::failed);
        QPushButton* undo = buttonNamed(notice, window->actions().undo->text());
        QVERIFY(undo && undo->text().startsWith(QStringLiteral("Undo ")));
        QVERIFY(buttonNamed(notice, QStringLiteral("Reset")));
        undo->click();
        QTRY_COMPARE(session.snapshot().experiment.train.learning_rate, 0.001);
        QTRY_COMPARE(session.snapshot().state, SessionState::paused);
        QVERIFY(!notice->isVisible());
        // What was learned until the setting changed is all there.
        QCOMPARE(session.snapshot().step, 2u);
        // A setting that cannot be is refused: there is nothing to undo, and training is none the worse for it.
        const int before = window->bench().undoStack().count();
        window->bench().setLive("batch_size", QStringLiteral("0"));
        QTRY_COMPARE(notice->kind(), Notice::Kind::refused);
        QCOMPARE(window->bench().undoStack().count(), before);
        QTRY_VERIFY(session.resting());
        QCOMPARE(session.snapshot().state, SessionState::paused);
        // A second time it is said again.
        window->bench().setLive("learning_rate", QStringLiteral("1e9"));
        window->actions().play->trigger();
        QTRY_VERIFY_WITH_TIMEOUT(notice->isVisible() && notice->kind() == Notice::Kind::failed, 20000);
        window->actions().play->trigger();
        QTest::qWait(200);
        QTRY_VERIFY_WITH_TIMEOUT(notice->isVisible() && notice->kind() == Notice::Kind::failed, 20000);
    }

    void finishedOffersToTrainOn() {
        WindowFixture fixture;
        const auto window = fixture.window();
        SessionController& session = window->session();
        session.play();
        QTRY_COMPARE_WITH_TIMEOUT(session.snapshot().state, SessionState::finished, 20000);
        QCOMPARE(session.snapshot().epoch, 40u);
        QPushButton* more = nullptr;
        QTRY_VERIFY((more = buttonNamed(&window->transport(), QStringLiteral("Finished. Train 40 more"))) != nullptr);
        more->click();
        QTRY_COMPARE_WITH_TIMEOUT(session.snapshot().epoch, 80u, 20000);
        // Training on was for that run alone.
        window->actions().reset->trigger();
        QTRY_VERIFY(session.snapshot().step == 0 && session.resting());
        QCOMPARE(session.snapshot().target_epochs, 40u);
    }

    void modelGoesToAFileAndComesBack() {
        WindowFixture fixture;
        const auto window = fixture.window();
        SessionController& session = window->session();
        session.runEpochs(4);
        QTRY_VERIFY(session.snapshot().epoch == 4 && session.resting());
        const auto before = savedRun(session);
        const std::filesystem::path file = fixture.path(QStringLiteral("model.keras")).toStdString();
        bool saved = false;
        window->bench().saveModel(file, [&] { saved = true; });
        QTRY_VERIFY_WITH_TIMEOUT(saved, 10000);
        window->actions().reset->trigger();
        QTRY_COMPARE(session.snapshot().step, 0u);
        QTRY_VERIFY(!window->bench().busy() && session.resting());
        window->bench().openModel(file);
        QTRY_COMPARE_WITH_TIMEOUT(session.snapshot().step, before->state.step, 10000);
        QTRY_VERIFY(!window->bench().busy());
        QVERIFY(savedRun(session)->state.parameters == before->state.parameters);
        // Training goes on in a run that has a file: leaving it asks first.
        session.runSteps(1);
        QTRY_COMPARE(session.snapshot().step, before->state.step + 1);
        QVERIFY(!window->close());
        QVERIFY(window->models().question());
        buttonNamed(window->models().question(), QStringLiteral("Do not save"))->click();
        QTRY_VERIFY(!window->isVisible());
    }

    void fileGivenAtTheStartComesAfterTheFirstLessonAndShowsItsCurve() {
        WindowFixture fixture;
        const auto window = fixture.window();
        SessionController& session = window->session();
        session.runEpochs(4);
        QTRY_VERIFY(session.snapshot().epoch == 4 && session.resting());
        const std::uint64_t step = session.snapshot().step;
        const std::filesystem::path file = fixture.path(QStringLiteral("model.keras")).toStdString();
        bool saved = false;
        window->bench().saveModel(file, [&] { saved = true; });
        QTRY_VERIFY_WITH_TIMEOUT(saved, 10000);
        window->bench().restart(session.snapshot().experiment);
        QVERIFY(window->bench().busy());
        window->bench().openModel(file);
        QTRY_VERIFY_WITH_TIMEOUT(session.snapshot().step == step && session.snapshot().history->points.size() == step,
                                 10000);
        for (const View* view : window->findChildren<View*>())
            if (view->title() == QStringLiteral("Loss")) QTRY_VERIFY(!view->value().isEmpty());
    }

    void fileOfSomebodyElseIsNotOverwrittenUnasked() {
        WindowFixture fixture;
        const auto window = fixture.window();
        const QString name = fixture.path(QStringLiteral("shared.keras"));
        bool saved = false;
        window->bench().saveModel(name.toStdString(), [&] { saved = true; });
        QTRY_VERIFY_WITH_TIMEOUT(saved, 10000);
        writeText(name, "another window's model");
        window->models().save();
        QTRY_VERIFY(window->models().question());
        buttonNamed(window->models().question(), QStringLiteral("Cancel"))->click();
        QFile file(name);
        QVERIFY(file.open(QIODevice::ReadOnly));
        QCOMPARE(file.readAll(), QByteArray("another window's model"));
    }

    void missingModelIsRefusedInline() {
        WindowFixture fixture;
        const auto window = fixture.window();
        window->openPath(fixture.path(QStringLiteral("nowhere.keras")).toStdString());
        QTRY_COMPARE(window->notice().kind(), Notice::Kind::refused);
        QVERIFY(window->notice().text().contains(QStringLiteral("nowhere.keras")));
        QCOMPARE(window->session().snapshot().state, SessionState::ready);
    }

    void closesWhileTraining() {
        WindowFixture fixture;
        auto window = fixture.window();
        window->session().setSpeed(0);
        window->session().trainOn(1000000);
        QTRY_COMPARE(window->session().snapshot().state, SessionState::running);
        QElapsedTimer timer;
        timer.start();
        QVERIFY(window->close());
        window.reset();
        QVERIFY2(timer.elapsed() < 1000, qPrintable(QString::number(timer.elapsed())));
    }

    void speedSliderIsLogarithmic() {
        QCOMPARE(TransportBar::speedOf(0), 1.0);
        QCOMPARE(TransportBar::speedOf(20), 10.0);
        QCOMPARE(TransportBar::speedOf(60), 1000.0);
        QCOMPARE(TransportBar::speedOf(61), 0.0);
        QCOMPARE(TransportBar::sliderOf(0), 61);
        QCOMPARE(TransportBar::sliderOf(100), 40);
    }

    void clickOnTheSpeedTrackGoesThere() {
        WindowFixture fixture;
        const auto window = fixture.window();
        auto* slider = window->transport().findChild<QSlider*>();
        QVERIFY(slider);
        QTest::mouseClick(slider, Qt::LeftButton, {}, QPoint(slider->width() - 2, slider->height() / 2));
        QCOMPARE(window->transport().speed(), 0.0);
        QTest::mouseClick(slider, Qt::LeftButton, {}, QPoint(2, slider->height() / 2));
        QCOMPARE(window->transport().speed(), 1.0);
        QTRY_COMPARE(window->session().snapshot().speed_limit, 1.0);
    }

    void seedStartsAgain() {
        WindowFixture fixture;
        const auto window = fixture.window();
        const auto before = savedRun(window->session());
        // "Train on" was for the run before.
        window->session().trainOn(500);
        QTRY_VERIFY(window->session().snapshot().target_epochs >= 500);
        window->session().pause();
        Q_EMIT window->transport().seedEntered(7);
        QTRY_COMPARE(window->session().snapshot().experiment.train.seed, 7u);
        QTRY_VERIFY(!window->bench().busy());
        QCOMPARE(window->session().snapshot().target_epochs, before->state.experiment.train.epochs);
        QVERIFY(savedRun(window->session())->state.parameters != before->state.parameters);
    }
};

}  // namespace moe::app

QTEST_MAIN(moe::app::WindowTest)
#include "window_test.moc"
