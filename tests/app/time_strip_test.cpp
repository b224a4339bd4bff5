#undef QT_NO_CAST_FROM_ASCII  // literals of tests

#include "app/models/moment_text.h"
#include "app/shell/dock_area.h"
#include "app/shell/notice.h"
#include "app/shell/stepping_control.h"
#include "app/shell/time_control.h"
#include "app/shell/window_actions.h"
#include "app/shell/workbench.h"
#include "app/views/time_strip_view.h"
#include "tests/app/window_fixture.h"

#include <QActionGroup>
#include <QCheckBox>
#include <QMenu>
#include <QPushButton>

using namespace moe;
using namespace moe::app;

class TimeStripTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void init();
    void draggingShowsEachMoment();
    void keysAndWheelMoveThroughTheRun();
    void aTypedStepIsShown();
    void whatAFileDoesNotHoldIsNotShown();
    void trainingGoesOnWhileThePastIsShown();
    void thePastSaysSoAndLeadsBack();
    void chartsMarkTheMoment();
    void trainingOnAsksAndUndoBringsTheRunBack();
    void theOtherAnswers();
    void aFinishedRunGoesOnFromThePastAlone();
    void theBudgetIsShownAndChosen();
    void nothingIsCutInThePast();
    void cleanup();

private:
    SessionController& session() { return window_->session(); }
    TimeStripView& strip() { return *static_cast<TimeStripView*>(window_->docks().dock("time")->view()); }

    void train(std::uint64_t steps) {
        session().runSteps(steps);
        QVERIFY(QTest::qWaitFor(
            [&] { return session().live().step == steps && session().live().state == SessionState::paused; }, 20000));
    }
    bool shows(std::uint64_t step) {
        return QTest::qWaitFor([&] { return session().snapshot().step == step; }, 5000);
    }
    QPoint at(std::uint64_t step) { return {int(std::lround(strip().xOf(double(step)))), int(strip().height() / 2)}; }

    /// What an engine of its own computes that is trained that far and asked the same.
    ProbeForward expected(std::uint64_t steps) {
        TrainingSession own;
        SessionSetup setup;
        setup.experiment = session().live().experiment;
        setup.corpus = session().corpus();
        setup.probe = session().probeText().toStdString();
        setup.focus = session().focusedPrefix();
        own.open(std::move(setup));
        own.run_steps(steps);
        own.wait();
        return own.take()->probe;
    }
    void compareWithEngine(std::uint64_t step) {
        QVERIFY2(shows(step), qPrintable(QString::number(step)));
        const ProbeForward wanted = expected(step), &shown = session().snapshot().probe;
        QCOMPARE(shown.gate_weights, wanted.gate_weights);
        QCOMPARE(shown.focused.mixed, wanted.focused.mixed);
        QCOMPARE(shown.focused.top.front().word, wanted.focused.top.front().word);
        QCOMPARE(shown.focused.top.front().probability, wanted.focused.top.front().probability);
    }

    std::unique_ptr<WindowFixture> fixture_;
    std::unique_ptr<MainWindow> window_;
};

void TimeStripTest::init() {
    fixture_ = std::make_unique<WindowFixture>();
    window_ = fixture_->window();
    QVERIFY(strip().isVisible());
}

void TimeStripTest::cleanup() {
    window_.reset();
    fixture_.reset();
}

void TimeStripTest::draggingShowsEachMoment() {
    train(60);
    QCOMPARE(strip().handle(), std::uint64_t(60));
    QTest::mousePress(&strip(), Qt::LeftButton, {}, at(60));
    QVERIFY(!session().lookedAt());  // the newest step is the present
    for (const std::uint64_t step : {41, 20, 3}) {
        QTest::mouseMove(&strip(), at(step));
        const std::uint64_t there = strip().stepAt(at(step).x());
        QVERIFY(there + 1 >= step && there <= step + 1);  // a pixel is less than a step
        QCOMPARE(session().lookedAt(), std::optional(there));
        QCOMPARE(strip().handle(), there);  // at once, before the replay is there
        compareWithEngine(there);
    }
    QTest::mouseRelease(&strip(), Qt::LeftButton, {}, at(3));
    QTest::mouseMove(&strip(), at(30));
    QVERIFY(strip().handle() <= 4);  // let go
    // A click is a drag of no length; behind the newest step there is nothing but the present.
    QTest::mouseClick(&strip(), Qt::LeftButton, {}, at(50));
    QVERIFY(shows(strip().stepAt(at(50).x())));
    QTest::mouseClick(&strip(), Qt::LeftButton, {}, at(75));
    QVERIFY(shows(60));
    QVERIFY(!session().lookedAt());
}

void TimeStripTest::keysAndWheelMoveThroughTheRun() {
    train(60);
    strip().setFocus();
    QTest::keyClick(&strip(), Qt::Key_Left);
    QTest::keyClick(&strip(), Qt::Key_Left);
    compareWithEngine(58);
    QTest::keyClick(&strip(), Qt::Key_Right);
    QVERIFY(shows(59));
    QCOMPARE(session().live().step, std::uint64_t(60));  // no batch was trained
    QTest::keyClick(&strip(), Qt::Key_Home);
    compareWithEngine(0);
    QTest::keyClick(&strip(), Qt::Key_PageUp);
    QVERIFY(shows(6));
    QTest::keyClick(&strip(), Qt::Key_Right);
    QVERIFY(shows(7));
    QTest::keyClick(&strip(), Qt::Key_PageDown);
    QVERIFY(shows(1));
    QTest::keyClick(&strip(), Qt::Key_PageDown);
    QVERIFY(shows(0));
    QTest::keyClick(&strip(), Qt::Key_End);
    QVERIFY(shows(60));
    QVERIFY(!session().lookedAt());

    const QPointF middle(strip().width() / 2.0, strip().height() / 2.0);
    QWheelEvent down(middle, strip().mapToGlobal(middle), {}, {0, -120}, Qt::NoButton, Qt::NoModifier,
                     Qt::NoScrollPhase, false);
    QApplication::sendEvent(&strip(), &down);
    QVERIFY(shows(59));
    // Elsewhere Shift and Right is a batch: with the stage's focus it asks, since the past is shown.
    window_->docks().stage()->view()->setFocus();
    QTest::keyClick(window_->docks().stage()->view(), Qt::Key_Right, Qt::ShiftModifier);
    QVERIFY(window_->time().question());
    window_->time().question()->close();
}

void TimeStripTest::aTypedStepIsShown() {
    train(60);
    QTest::keyClick(window_.get(), Qt::Key_G, Qt::ControlModifier);
    QCOMPARE(QApplication::focusWidget(), strip().field());
    QCOMPARE(strip().field()->text(), QString("60"));
    QTest::keyClicks(strip().field(), "1,7");  // "1,700" is a number as the window writes it
    QTest::keyClick(strip().field(), Qt::Key_Return);
    compareWithEngine(17);
    QCOMPARE(strip().field()->text(), QString("17"));
    QTest::keyClicks(strip().field(), "no number");
    QTest::keyClick(strip().field(), Qt::Key_Return);
    QCOMPARE(strip().field()->text(), QString("17"));
    QCOMPARE(session().lookedAt(), std::optional<std::uint64_t>(17));
    QTest::keyClicks(strip().field(), "99999999999");
    QTest::keyClick(strip().field(), Qt::Key_Return);
    QVERIFY(shows(60));
    QCOMPARE(strip().field()->text(), QString("60"));
}

// A model as Keras wrote it, after 200 steps: how it came there is not in the file.
void TimeStripTest::whatAFileDoesNotHoldIsNotShown() {
    window_->openPath(MOE_TEST_DATA "/data/keras/tutorial-builtin/final.keras");
    QVERIFY(QTest::qWaitFor([&] { return session().live().step == 200 && session().resting(); }, 20000));
    QCOMPARE(session().firstStep(), std::uint64_t(200));
    const auto look = [&](const char* step) {
        window_->notice().withdraw(Notice::Kind::refused);
        strip().field()->setFocus();
        strip().field()->selectAll();
        QTest::keyClicks(strip().field(), step);
        QTest::keyClick(strip().field(), Qt::Key_Return);
    };
    look("50");
    QVERIFY(!session().lookedAt());
    QCOMPARE(strip().field()->text(), QString("200"));
    QVERIFY2(window_->notice().text().contains("before step 200"), qPrintable(window_->notice().text()));
    window_->stepping().stepper().previousBatch();
    QVERIFY(!session().lookedAt());

    session().runSteps(6);
    QVERIFY(QTest::qWaitFor([&] { return session().live().step == 206; }, 20000));
    look("50");
    QVERIFY(shows(200));
    QCOMPARE(session().lookedAt(), std::optional<std::uint64_t>(200));
    QVERIFY2(window_->notice().text().contains("from step 200 on"), qPrintable(window_->notice().text()));
    window_->stepping().stepper().previousEpoch();
    QCOMPARE(session().lookedAt(), std::optional<std::uint64_t>(200));
    look("203");
    QVERIFY(shows(203));
    QVERIFY(window_->notice().kind() != Notice::Kind::refused);
}

void TimeStripTest::trainingGoesOnWhileThePastIsShown() {
    train(10);
    session().setSpeed(100);
    session().trainOn(1000000);
    session().lookAt(5);
    compareWithEngine(5);
    const std::uint64_t before = session().live().step;
    QVERIFY(QTest::qWaitFor([&] { return session().live().step >= before + 20; }, 10000));
    QCOMPARE(session().snapshot().step, std::uint64_t(5));
    QCOMPARE(strip().handle(), std::uint64_t(5));
    QCOMPARE(session().live().state, SessionState::running);
    // The charts' axis goes on with the run.
    auto* loss = static_cast<MeasureView*>(window_->docks().dock("loss")->view());
    QTRY_VERIFY(loss->table().rows.size() * 2 + 8 >= session().live().step);
    QTest::keyClick(window_->docks().stage()->view(), Qt::Key_Space);  // pauses the run, asks nothing
    QTRY_COMPARE(session().live().state, SessionState::paused);
    QVERIFY(!window_->time().question());
    QCOMPARE(session().snapshot().step, std::uint64_t(5));
}

void TimeStripTest::thePastSaysSoAndLeadsBack() {
    train(60);
    PastMark* mark = window_->time().mark();
    QVERIFY(!mark->isVisible() && !strip().backToNow()->isVisible());
    QVERIFY(!window_->actions().backToNow->isEnabled());
    session().lookAt(12);
    QVERIFY(shows(12));
    QTRY_VERIFY(mark->isVisible());
    QVERIFY(mark->text().contains("step 12 of 60") && mark->text().contains("back to now"));
    QVERIFY(strip().backToNow()->isVisible());
    QTest::keyClick(window_->docks().stage()->view(), Qt::Key_N);
    QVERIFY(shows(60));
    QTRY_VERIFY(!mark->isVisible() && !strip().backToNow()->isVisible());
    for (QAbstractButton* way : std::initializer_list<QAbstractButton*>{mark, strip().backToNow()}) {
        session().lookAt(12);
        QVERIFY(shows(12));
        QTRY_VERIFY(way->isVisible());
        QTest::mouseClick(way, Qt::LeftButton);
        QVERIFY(shows(60));
        QVERIFY(!session().lookedAt());
    }
}

void TimeStripTest::chartsMarkTheMoment() {
    train(60);
    session().lookAt(21);
    QVERIFY(shows(21));
    const Snapshot& s = session().snapshot();
    QVERIFY(isPast(s));
    QCOMPARE(momentText(s), QString("step 21 of 60"));
    const History& run = *session().live().history;
    QCOMPARE(s.epoch, std::uint64_t(10));  // two batches an epoch
    QCOMPARE(measureAt(s, Measure::loss), run.epochs[9].loss);
    QCOMPARE(measureAt(s, Measure::accuracy), run.epochs[9].accuracy);
    QCOMPARE(epochsAt(s), 10.5);
    // Within the first epoch, beyond the last point that is closed: the loss of that point, not none.
    History young = run;
    young.epochs = {};
    Snapshot early = s;
    early.epoch = 0;
    early.step = early.newest_step = run.points.back().step + 3;
    early.history = std::make_shared<const History>(young);
    QCOMPARE(measureAt(early, Measure::loss), double(run.points.back().loss));
    QCOMPARE(epochsPerStep(s), epochsPerStep(session().live()));
    for (const char* id : {"loss", "accuracy", "load", "heatmap", "gate"}) {
        auto* view = static_cast<MeasureView*>(window_->docks().dock(id)->view());
        QTRY_VERIFY2((view->title() + view->scope()).contains("step 21"), id);
    }
    auto* loss = static_cast<MeasureView*>(window_->docks().dock("loss")->view());
    QCOMPARE(loss->table().rows.size(), std::size_t(30));  // the whole run
    session().lookAt(0);
    QVERIFY(shows(0));
    QTRY_COMPARE(loss->value(), QString());
}

void TimeStripTest::trainingOnAsksAndUndoBringsTheRunBack() {
    train(60);
    const std::optional<SavedRun> before = savedRun(session());
    session().lookAt(25);
    QVERIFY(shows(25));
    QTest::keyClick(window_->docks().stage()->view(), Qt::Key_Right, Qt::ShiftModifier);
    QMessageBox* box = window_->time().question();
    QVERIFY(box);
    QVERIFY(box->text().contains("25") && box->informativeText().contains("35 steps"));
    QCOMPARE(session().live().step, std::uint64_t(60));
    for (QAbstractButton* button : box->buttons())
        if (button->text().contains("from step 25")) button->click();
    QTRY_COMPARE(session().live().step, std::uint64_t(26));
    QVERIFY(!session().lookedAt());
    compareWithEngine(26);

    QTRY_VERIFY(window_->actions().undo->isEnabled());
    window_->actions().undo->trigger();
    QVERIFY(QTest::qWaitFor([&] { return session().live().step == 60 && !window_->bench().busy(); }, 10000));
    const std::optional<SavedRun> after = savedRun(session());
    QCOMPARE(after->state.parameters, before->state.parameters);
    QCOMPARE(after->state.momentum, before->state.momentum);
    QVERIFY(after->state == before->state);
    QCOMPARE(session().live().history->points.size(), before->history->points.size());
    session().lookAt(40);  // and its past
    compareWithEngine(40);
    session().lookAtNow();
    QVERIFY(shows(60));
    window_->actions().redo->trigger();
    QVERIFY(QTest::qWaitFor([&] { return session().live().step == 26 && !window_->bench().busy(); }, 10000));
}

void TimeStripTest::theOtherAnswers() {
    train(30);
    const auto press = [&](const char* text) {
        for (QAbstractButton* button : window_->time().question()->buttons())
            if (button->text().contains(text)) return button->click();
        QFAIL(text);
    };
    session().lookAt(10);
    QVERIFY(shows(10));
    window_->actions().epoch->trigger();
    press("Cancel");
    QTest::qWait(50);
    QCOMPARE(session().live().step, std::uint64_t(30));
    QCOMPARE(session().lookedAt(), std::optional<std::uint64_t>(10));
    window_->actions().batch->trigger();
    press("from now");
    QTRY_COMPARE(session().live().step, std::uint64_t(31));
    QVERIFY(!session().lookedAt());
    session().lookAt(10);
    QVERIFY(shows(10));
    window_->actions().batch->trigger();
    window_->time().question()->checkBox()->setChecked(true);
    press("from step 10");
    QTRY_COMPARE(session().live().step, std::uint64_t(11));
    // From now on it is said, not asked.
    session().lookAt(4);
    QVERIFY(shows(4));
    window_->actions().batch->trigger();
    QTRY_COMPARE(session().live().step, std::uint64_t(5));
    QVERIFY(window_->notice().text().contains("step 4"));
}

void TimeStripTest::aFinishedRunGoesOnFromThePastAlone() {
    session().play();
    QTRY_COMPARE_WITH_TIMEOUT(session().live().state, SessionState::finished, 20000);
    session().lookAt(10);
    QVERIFY(shows(10));
    window_->actions().play->trigger();
    QMessageBox* box = window_->time().question();
    QVERIFY(box);
    QAbstractButton* from_there = nullptr;
    for (QAbstractButton* button : box->buttons()) {
        QVERIFY2(!button->text().contains("from now"), "there is nothing left to train");
        if (button->text().contains("from step 10")) from_there = button;
    }
    QVERIFY(from_there);
    from_there->click();
    QTRY_VERIFY(!session().lookedAt() && session().live().step > 10);
}

void TimeStripTest::theBudgetIsShownAndChosen() {
    train(60);
    QMenu* budgets = nullptr;
    QStringList texts;
    for (QAction* action : strip().actions()) {
        texts << action->text();
        if (action->menu()) budgets = action->menu();
    }
    QVERIFY(budgets);
    QTRY_VERIFY(strip().actions()[2]->text().contains("moments kept"));
    QVERIFY(strip().actions()[2]->text().contains("256.0 MiB") || strip().actions()[2]->text().contains("256 MiB"));
    QCOMPARE(session().live().checkpoints.budget, std::size_t(256) << 20);
    int checked = 0;
    for (QAction* choice : budgets->actions()) checked += choice->isChecked() ? choice->data().toInt() >> 20 : 0;
    QCOMPARE(checked, 256);
    budgets->actions().first()->trigger();
    QTRY_COMPARE(session().live().checkpoints.budget, std::size_t(64) << 20);
}

void TimeStripTest::nothingIsCutInThePast() {
    train(60);
    for (const std::uint64_t step : {0, 1, 30, 59}) {
        session().lookAt(step);
        QVERIFY(shows(step));
        for (const QSize& size : {QSize(1280, 720), QSize(1920, 1080)}) {
            window_->resize(size);
            QTest::qWait(120);
            for (const char* id : {"time", "loss", "accuracy", "load", "heatmap"}) {
                auto* view = static_cast<MeasureView*>(window_->docks().dock(id)->view());
                view->repaint();
                QCOMPARE(view->labelFault(), QString());
            }
        }
    }
}

QTEST_MAIN(TimeStripTest)
#include "time_strip_test.moc"
