// The switch of the device, what it says, the word when a device failed, and the view in which devices race.
#include "app/export/export_figure.h"
#include "app/shell/device_button.h"
#include "app/shell/device_control.h"
#include "app/shell/dock_area.h"
#include "app/shell/figure_sources.h"
#include "app/shell/left_column.h"
#include "app/shell/lesson_panel.h"
#include "app/shell/notice.h"
#include "app/shell/transport_bar.h"
#include "app/shell/window_actions.h"
#include "app/shell/workbench.h"
#include "app/views/devices_view.h"
#include "app/views/race_chart.h"
#include "tests/app/text_room.h"
#include "tests/app/two_devices.h"

#include <QLabel>
#include <QMenu>

namespace moe::app {

namespace {

QAction* entry(MainWindow& window, const QString& text) {
    for (QAction* a : window.transport().device()->menu()->actions())
        if (a->text().startsWith(text)) return a;
    return nullptr;
}

QString checked(MainWindow& window) {
    for (QAction* a : window.transport().device()->menu()->actions())
        if (a->isChecked()) return a->text();
    return {};
}

RunFigure* figure(MainWindow& window, const QString& name) {
    for (RunFigure* f : window.transport().findChildren<RunFigure*>())
        if (f->name() == name && !f->isHidden()) return f;
    return nullptr;
}

QPushButton* button(QWidget& in, const QString& text) {
    for (QPushButton* b : in.findChildren<QPushButton*>())
        if (b->text() == text && b->isVisible()) return b;
    return nullptr;
}

DevicesView* devicesView(MainWindow& window) {
    return qobject_cast<DevicesView*>(window.docks().dock(QStringLiteral("devices"))->view());
}

void keep(const QString& name, QWidget& widget) {
    if (const QByteArray folder = qgetenv("MOELAB_PICTURES"); !folder.isEmpty())
        widget.grab().save(QString::fromLocal8Bit(folder) + u'/' + name + QStringLiteral(".png"));
}

void keepFigure(const QString& name, const FigureSource& source, const Snapshot& snapshot) {
    FigureOptions options;
    options.scale = 2;
    if (const QByteArray folder = qgetenv("MOELAB_PICTURES"); !folder.isEmpty())
        writeText(QString::fromLocal8Bit(folder) + u'/' + name + QStringLiteral(".png"),
                  renderFigure(source, snapshot, options));
}

/// Steps a second by width, of each device.
RaceState race(const std::vector<double>& cpu, const std::vector<double>& gpu) {
    RaceState state;
    state.widths = race_widths();
    state.devices = {{"cpu", "AVX-512", ""}, {"cuda", gpu.empty() ? "" : "emulator", gpu.empty() ? no_driver : ""}};
    state.planned = state.widths.size() * (gpu.empty() ? 1 : 2);
    for (std::size_t i = 0; i < state.widths.size(); ++i) {
        if (i < cpu.size()) state.results.push_back({state.widths[i], "cpu", cpu[i], {}});
        if (i < gpu.size()) state.results.push_back({state.widths[i], "cuda", gpu[i], {}});
    }
    state.measured = state.results.size();
    return state;
}

const std::vector<double> falling{200000, 130000, 60000, 16000, 4000, 900, 110};

}  // namespace

class DevicesTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void menuSaysWhyTheGpuIsOff() {
        TwoDevicesFixture fixture;
        fixture.off = true;
        const auto window = fixture.window();
        DeviceButton* chip = window->transport().device();
        QTRY_VERIFY(entry(*window, QStringLiteral("GPU")));
        QVERIFY(chip->isVisible() && chip->text().startsWith(QStringLiteral("CPU")));
        QVERIFY(chip->accessibleName().contains(QStringLiteral("CPU")));
        QVERIFY(chip->accessibleDescription().contains(QString::fromLatin1(no_driver)));
        QAction* gpu = entry(*window, QStringLiteral("GPU"));
        QVERIFY(!gpu->isEnabled() && gpu->toolTip().contains(QString::fromLatin1(no_driver)));
        QVERIFY(entry(*window, QStringLiteral("CPU · AVX-512, 1 thread"))->isEnabled());
        QVERIFY(checked(*window).startsWith(QStringLiteral("Auto")));
        // By the keyboard, and in words on the screen.
        bool opened = false, said = false;
        QString picked;
        QTimer::singleShot(400, this, [&] {
            opened = chip->menu()->isVisible();
            if (const QAction* at = chip->menu()->activeAction()) picked = at->text();
            for (const QLabel* l : chip->menu()->findChildren<QLabel*>())
                said = said || (l->isVisible() && l->text().contains(QString::fromLatin1(no_driver)));
            keep(QStringLiteral("device-menu"), *chip->menu());
            chip->menu()->close();
        });
        QTest::keyClick(window->focusWidget(), Qt::Key_D, Qt::ControlModifier);
        QTRY_VERIFY(opened);
        QVERIFY(said);
        QCOMPARE(picked, QStringLiteral("Auto: now CPU"));
        QVERIFY(figure(*window, QStringLiteral("Steps/s")));
        QVERIFY(!figure(*window, QStringLiteral("GPU steps/s")));
        QCOMPARE(chip->focusPolicy(), Qt::TabFocus);
    }

    void runMovesAndTheChoiceIsKept() {
        TwoDevicesFixture fixture;
        {
            const auto window = fixture.window();
            QTRY_VERIFY(entry(*window, QStringLiteral("GPU")));
            QCOMPARE(window->session().live().device_id, std::string("cuda"));  // auto takes it
            QTRY_COMPARE(checked(*window), QStringLiteral("Auto: now GPU"));
            window->session().runSteps(3);
            QTRY_COMPARE(window->session().live().step, 3u);
            entry(*window, QStringLiteral("CPU"))->trigger();
            QTRY_COMPARE(window->session().live().device_id, std::string("cpu"));
            QCOMPARE(window->session().live().step, 3u);
            QTRY_VERIFY(checked(*window).startsWith(QStringLiteral("CPU")));
            QCOMPARE(entry(*window, QStringLiteral("Auto"))->text(),
                     QStringLiteral("Auto: the GPU where there is one"));
            // The file says that it was trained on both.
            const std::vector<std::string> devices = window->bench().whole(*savedRun(window->session()), false).devices;
            QCOMPARE(devices.size(), std::size_t(2));
            QCOMPARE(devices[0], std::string("CUDA · emulator"));
            QCOMPARE(devices[1], window->session().live().device);
            QVERIFY(window->transport().device()->text().startsWith(QStringLiteral("CPU")));
            window->close();
        }
        {
            const auto window = fixture.window();
            QCOMPARE(window->session().live().device_id, std::string("cpu"));
            QTRY_VERIFY(entry(*window, QStringLiteral("GPU")));
            entry(*window, QStringLiteral("GPU"))->trigger();
            QTRY_COMPARE(window->session().live().device_id, std::string("cuda"));
            QTRY_VERIFY(checked(*window).startsWith(QStringLiteral("GPU")));
            QCOMPARE(window->transport().device()->text(), QStringLiteral("GPU · emulator"));
            window->close();
        }
        // On a machine without one it starts all the same, and the menu says why.
        fixture.off = true;
        const auto window = fixture.window();
        QCOMPARE(window->session().live().device_id, std::string("cpu"));
        QTRY_VERIFY(entry(*window, QStringLiteral("GPU")));
        QVERIFY(!entry(*window, QStringLiteral("GPU"))->isEnabled());
        QVERIFY(checked(*window).startsWith(QStringLiteral("Auto")));
        QCOMPARE(window->notice().kind(), Notice::Kind::none);
    }

    void commandLinesDeviceIsOfThisWindowAlone() {
        TwoDevicesFixture fixture;
        fixture.session.backend.device = "cpu";
        {
            const auto window = fixture.window();
            QCOMPARE(window->session().live().device_id, std::string("cpu"));
            QTRY_VERIFY(checked(*window).startsWith(QStringLiteral("CPU")));
        }
        fixture.session.backend.device = "auto";
        const auto window = fixture.window();
        QCOMPARE(window->session().live().device_id, std::string("cuda"));
    }

    void refusedSwitchIsSaidAndTheRunStays() {
        TwoDevicesFixture fixture;
        fixture.session.backend.device = "cpu";
        const auto window = fixture.window();
        QTRY_VERIFY(entry(*window, QStringLiteral("GPU")));
        fixture.device->lose("The GPU (emulator) is gone.");
        entry(*window, QStringLiteral("GPU"))->trigger();
        QTRY_COMPARE(window->notice().kind(), Notice::Kind::refused);
        QCOMPARE(window->notice().text(), QStringLiteral("The GPU (emulator) is gone."));
        QCOMPARE(window->session().live().device_id, std::string("cpu"));
        QTRY_VERIFY(!entry(*window, QStringLiteral("GPU"))->isEnabled());  // looked at anew
        QVERIFY(checked(*window).startsWith(QStringLiteral("CPU")));
    }

    void bothSpeedsStandSideBySide() {
        TwoDevicesFixture fixture;
        const auto window = fixture.window();
        SessionController& session = window->session();
        QTRY_VERIFY(figure(*window, QStringLiteral("GPU steps/s")));
        RunFigure *cpu = figure(*window, QStringLiteral("CPU steps/s")),
                  *gpu = figure(*window, QStringLiteral("GPU steps/s"));
        QVERIFY(cpu);
        QTest::qWait(50);
        const QRect places[] = {cpu->geometry(), gpu->geometry(), window->transport().device()->geometry()};
        QCOMPARE(cpu->value(), QStringLiteral("–"));
        session.setTargetEpochs(100000000);
        session.setSpeed(0);
        session.play();
        QTRY_VERIFY_WITH_TIMEOUT(gpu->value() != QStringLiteral("–"), 10000);
        QCOMPARE(cpu->value(), QStringLiteral("–"));
        entry(*window, QStringLiteral("CPU"))->trigger();
        QTRY_VERIFY_WITH_TIMEOUT(session.live().speeds.size() == 2, 10000);
        session.pause();
        QTRY_COMPARE(session.live().state, SessionState::paused);
        QTest::qWait(50);
        for (const DeviceSpeed& speed : session.live().speeds) {
            const RunFigure* shown = speed.device == "cuda" ? gpu : cpu;
            QCOMPARE(QString(shown->value()).remove(u',').toLongLong(), std::llround(speed.steps_per_second));
            QVERIFY(shown->toolTip().contains(speed.device == "cuda" ? QStringLiteral("CUDA") : QStringLiteral("CPU")));
        }
        QCOMPARE(cpu->geometry(), places[0]);
        QCOMPARE(gpu->geometry(), places[1]);
        QCOMPARE(window->transport().device()->geometry(), places[2]);
    }

    void lastSpeedStaysWhenTrainingRests() {
        TwoDevicesFixture fixture;
        fixture.off = true;
        const auto window = fixture.window();
        SessionController& session = window->session();
        RunFigure* rate = figure(*window, QStringLiteral("Steps/s"));
        QVERIFY(rate);
        QCOMPARE(rate->value(), QStringLiteral("–"));
        session.setTargetEpochs(100000000);
        session.setSpeed(0);
        session.play();
        QTRY_VERIFY_WITH_TIMEOUT(session.live().speeds.size() == 1, 10000);
        QTRY_VERIFY(rate->value() != QStringLiteral("–") && !rate->quiet());
        session.pause();
        QTRY_COMPARE(session.live().state, SessionState::paused);
        QTest::qWait(50);
        QCOMPARE(QString(rate->value()).remove(u',').toLongLong(),
                 std::llround(session.live().speeds[0].steps_per_second));
        QVERIFY(rate->quiet());
        QVERIFY2(rate->toolTip().contains(QStringLiteral("last reached on CPU")), qPrintable(rate->toolTip()));
    }

    void failureIsSaidUntilItIsClosed() {
        TwoDevicesFixture fixture;
        const auto window = fixture.window();
        SessionController& session = window->session();
        QTRY_VERIFY(entry(*window, QStringLiteral("GPU")));
        session.runSteps(10);
        QTRY_COMPARE(session.live().step, 10u);
        cuda::emulator.fail_at = cuda::emulator.calls + 20;
        session.runSteps(30);
        QTRY_COMPARE(window->notice().kind(), Notice::Kind::moved);
        const QString sentence = window->notice().text();
        QCOMPARE(sentence, QString::fromStdString(session.live().notice));
        QVERIFY(sentence.contains(QStringLiteral("on the CPU")));
        QCOMPARE(window->notice().accessibleName(), sentence);
        keep(QStringLiteral("device-notice"), *window);
        QTRY_COMPARE(session.live().step, 40u);
        QTRY_VERIFY(!entry(*window, QStringLiteral("GPU"))->isEnabled());
        QVERIFY(window->transport().device()->text().startsWith(QStringLiteral("CPU")));
        QVERIFY(figure(*window, QStringLiteral("GPU steps/s")));
        // What else is told covers it for a moment alone.
        window->notice().tell(Notice::Kind::told, QStringLiteral("Saved notes.keras."));
        QCOMPARE(window->notice().kind(), Notice::Kind::told);
        window->notice().withdraw(Notice::Kind::told);
        QTRY_COMPARE(window->notice().text(), sentence);
        QCOMPARE(window->notice().kind(), Notice::Kind::moved);
        window->actions().reset->trigger();
        QTRY_COMPARE(session.live().step, 0u);
        QTest::qWait(50);
        QCOMPARE(window->notice().kind(), Notice::Kind::moved);
        session.runSteps(40);
        QTRY_COMPARE(session.live().step, 40u);
        QPushButton* close = button(window->notice(), QStringLiteral("Close"));
        QVERIFY(close);
        int offered = 0;
        for (const QPushButton* b : window->notice().findChildren<QPushButton*>()) offered += b->isVisible();
        QCOMPARE(offered, 1);
        close->click();
        QTest::qWait(50);
        QCOMPARE(window->notice().kind(), Notice::Kind::none);
        session.runSteps(5);
        QTRY_COMPARE(session.live().step, 45u);
        QCOMPARE(window->notice().kind(), Notice::Kind::none);
    }

    void guessThenMeasure() {
        TwoDevicesFixture fixture;
        const auto window = fixture.window();
        SessionController& session = window->session();
        QTRY_VERIFY(entry(*window, QStringLiteral("GPU")));
        session.setTargetEpochs(100000000);
        session.play();
        QTRY_COMPARE(session.live().state, SessionState::running);
        entry(*window, QStringLiteral("Compare"))->trigger();
        DevicesView* view = devicesView(*window);
        QTRY_VERIFY(view->isVisible() && view->choices().size() == 8);
        view->setWidths({8, 16});
        QVERIFY(view->table().rows.empty());
        QPushButton* never = button(*view, QStringLiteral("never"));
        QPushButton* go = button(*view, QStringLiteral("Measure"));
        QVERIFY(never && go);
        QTest::mouseClick(never, Qt::LeftButton);
        QVERIFY(never->isChecked());
        QVERIFY(view->said().indexOf(QStringLiteral("You said")) < 0);
        QTest::mouseClick(go, Qt::LeftButton);
        QVERIFY(view->measuring());
        QTRY_COMPARE(go->text(), QStringLiteral("Stop"));
        QVERIFY(!never->isEnabled());
        QTRY_COMPARE(session.live().state, SessionState::paused);
        const std::uint64_t step = session.live().step;
        QTRY_VERIFY_WITH_TIMEOUT(!view->measuring(), 30000);
        QCOMPARE(session.live().step, step);
        const RaceState& state = view->contest().state();
        QCOMPARE(state.results.size(), std::size_t(4));
        const Table table = view->table();
        QCOMPARE(table.rows.size(), std::size_t(2));
        for (std::size_t i = 0; i < 4; ++i)
            QVERIFY(std::abs(table.rows[i / 2][1 + i % 2].toDouble() / state.results[i].steps_per_second - 1) < 1e-5);
        auto* chart = view->findChild<RaceChart*>();
        QTRY_COMPARE(chart->pointsDrawn(), std::size_t(4));
        QCOMPARE(chart->labelFault(), QString());
        QVERIFY(view->said().contains(view->contest().crossingText()));
        QVERIFY(view->said().contains(QStringLiteral("You said never")));
        // By the keys: each width in words.
        chart->setFocus();
        QTest::keyClick(chart, Qt::Key_Right);
        QVERIFY(chart->accessibleDescription().startsWith(QStringLiteral("Width 8: CPU ")));
        QTest::keyClick(chart, Qt::Key_Right);
        QVERIFY(chart->accessibleDescription().startsWith(QStringLiteral("Width 16: CPU ")));
        QCOMPARE(session.live().step, step);  // the arrows did not step through a batch
        keep(QStringLiteral("devices-done"), *window);

        FigureOptions svg;
        svg.format = FigureFormat::svg;
        const FigureSource source = viewSource(QStringLiteral("devices"), *view);
        const QByteArray drawn = renderFigure(source, session.snapshot(), svg);
        QVERIFY(drawn.contains("steps per second") && !drawn.contains("Measure"));
        keepFigure(QStringLiteral("devices-figure"), source, session.snapshot());
        // It says what it shows and of what, and nothing of the width and the step of the run.
        const QString around = QString::fromUtf8(drawn);
        const PictureNotes notes = *view->pictureNotes();
        for (const QString& said :
             {view->contest().crossingText(), QStringLiteral("Rings: CPU · "), QStringLiteral("squares: GPU")})
            QVERIFY2(!said.isEmpty() && notes.subtitle.contains(said), qPrintable(said));
        QVERIFY(around.contains(QStringLiteral("4 experts, batch 8. The ")));  // lines of it are broken where they end
        QVERIFY(around.contains(QStringLiteral("gate soft")));
        for (const QString& left_out : {QStringLiteral("embedding width "), QStringLiteral("hidden width"),
                                        QStringLiteral("step ") + QString::number(step)})
            QVERIFY2(!around.contains(left_out), qPrintable(left_out));
        svg.format = FigureFormat::csv;
        const QString rows = QString::fromUtf8(renderFigure(source, session.snapshot(), svg));
        QVERIFY(rows.contains(QStringLiteral(", steps/s")) && rows.contains(QStringLiteral("CPU · ")));
        QVERIFY(rows.contains(QStringLiteral("batch 8")) && !rows.contains(QStringLiteral("embedding_dim")));

        // Measured again, the one before stays behind it, and says of which model it was.
        session.setBatchSize(4);
        QTRY_COMPARE(session.live().experiment.train.batch_size, std::size_t(4));
        QTRY_VERIFY(view->scope().startsWith(QStringLiteral("before: ")));
        view->setWidths({8});
        QTest::mouseClick(button(*view, QStringLiteral("Measure again")), Qt::LeftButton);
        QTRY_VERIFY_WITH_TIMEOUT(!view->measuring(), 30000);
        QCOMPARE(view->scope(), QStringLiteral("4 experts, batch 4"));
        window->setFocus();
        bool dashed = false;
        for (const QLabel* l : view->findChildren<QLabel*>())
            dashed = dashed || l->text() == QStringLiteral("dashed: 4 experts, batch 8, measured before");
        QVERIFY(dashed);
        // The guess was of the batch before: nobody is right or wrong now.
        QVERIFY2(view->said().contains(QStringLiteral("Your guess was of another model")), qPrintable(view->said()));
        QVERIFY(!view->said().contains(QStringLiteral("You said")) && !never->isChecked());
        QVERIFY(
            view->pictureNotes()->subtitle.contains(QStringLiteral("Dashed: 4 experts, batch 8, measured before.")));
        keepFigure(QStringLiteral("devices-figure-dashed"), viewSource(QStringLiteral("devices"), *view),
                   session.snapshot());

        QTest::mouseClick(button(*view, QStringLiteral("New guess")), Qt::LeftButton);
        QVERIFY(view->table().rows.empty() && never->isEnabled() && !never->isChecked());
        QTest::mouseClick(button(*view, QStringLiteral("Measure")), Qt::LeftButton);
        QTRY_VERIFY_WITH_TIMEOUT(!view->measuring(), 30000);
        QVERIFY2(view->said().contains(QStringLiteral("without a guess")), qPrintable(view->said()));
        QVERIFY(!view->said().contains(QStringLiteral("You said")));
    }

    void trainingOnEndsTheMeasurement() {
        TwoDevicesFixture fixture;
        const auto window = fixture.window();
        window->session().setTargetEpochs(100000000);
        window->device().measure();
        DevicesView* view = devicesView(*window);
        QVERIFY(view->isVisible() && view->measuring());
        QTest::qWait(100);
        window->session().play();
        QTRY_VERIFY_WITH_TIMEOUT(!view->measuring(), 30000);
        QVERIFY(view->contest().state().results.size() < view->contest().state().planned);
        QVERIFY2(view->said().contains(QStringLiteral("Training went on")), qPrintable(view->said()));
        QTRY_COMPARE(window->session().live().state, SessionState::running);
    }

    void nothingIsCutBesideTwoSpeeds() {
        for (const bool more : {false, true}) {
            Longer translator;
            if (more) QCoreApplication::installTranslator(&translator);
            TwoDevicesFixture fixture;
            const auto window = fixture.window();
            window->resize(1280, 720);
            QTRY_VERIFY(window->session().hasGpu());
            window->device().compare();
            window->session().setSpeed(0);
            window->session().play();
            QTRY_COMPARE_WITH_TIMEOUT(window->session().live().state, SessionState::finished, 20000);
            (void)QTest::qWaitFor([&] { return cutIn(window.get()).isEmpty(); }, 2000);
            const QStringList cut = cutIn(window.get());
            QVERIFY2(cut.isEmpty(), qPrintable(cut.join(u'\n')));
            keep(more ? QStringLiteral("finished-longer") : QStringLiteral("finished"), *window);
            if (more) QCoreApplication::removeTranslator(&translator);
        }
    }

    void withoutAGpuTheProcessorIsMeasured() {
        TwoDevicesFixture fixture;
        fixture.off = true;
        fixture.session.backend.make = {};  // this program's own
        const auto window = fixture.window();
        window->device().compare();
        DevicesView* view = devicesView(*window);
        QTRY_COMPARE(view->choices().size(), std::size_t(6));
        QVERIFY2(view->said().contains(QString::fromLatin1(no_driver)), qPrintable(view->said()));
        keep(QStringLiteral("devices-no-gpu"), *window);
    }

    void lessonOpensTheViewAndMeasures() {
        TwoDevicesFixture fixture;
        const auto window = fixture.window(QStringLiteral("03-who-is-faster"));
        QTRY_COMPARE(window->bench().identity().lesson->id, QStringLiteral("03-who-is-faster"));
        DevicesView* view = devicesView(*window);
        QVERIFY(!view->isVisible());
        QPushButton* measure = nullptr;
        for (int i = 0; i < 8 && !measure; ++i) {
            QTest::qWait(50);
            keep(QStringLiteral("lesson3-step%1").arg(i + 1), *window);
            QPushButton* next = button(window->column(), QStringLiteral("Next"));
            QVERIFY(next);
            next->click();
            measure = button(window->column(), QStringLiteral("Measure"));
        }
        QVERIFY(measure);
        QTRY_VERIFY(view->isVisible());
        view->setWidths({8});
        measure->click();
        QVERIFY(view->measuring());
        QTRY_VERIFY_WITH_TIMEOUT(!view->measuring(), 30000);
        QCOMPARE(view->contest().state().results.size(), std::size_t(2));
    }

    void words_data() {
        QTest::addColumn<std::vector<double>>("gpu");
        QTest::addColumn<QString>("says");
        QTest::addColumn<int>("guess");  // of 16 to 1,024, never
        QTest::addColumn<QString>("verdict");
        const std::vector<double> flat(7, 10000), slow(7, 1);
        QTest::newRow("from") << flat << "The GPU wins from width 256 on." << 4 << "You said 256: you were right.";
        QTest::newRow("early") << flat << "The GPU wins from width 256 on." << 2
                               << "You said 64: too early by 2 doublings.";
        QTest::newRow("late") << flat << "The GPU wins from width 256 on." << 5
                              << "You said 512: too late by one doubling.";
        QTest::newRow("not never") << flat << "The GPU wins from width 256 on." << 7
                                   << "You said never, but the GPU did win.";
        QTest::newRow("never") << slow << "The CPU wins at every width measured." << 7
                               << "You said never: you were right.";
        QTest::newRow("it never did") << slow << "The CPU wins at every width measured." << 3
                                      << "You said 128, but the GPU never won.";
        QTest::newRow("always") << std::vector<double>(7, 1e6) << "The GPU wins at every width measured." << 0
                                << "You said 16: you were right.";
        QTest::newRow("between") << std::vector<double>{1, 1, 1, 20000, 5000, 1, 1}
                                 << "The GPU wins at 128, 256 only; at the widest model the CPU does." << 3
                                 << "You said 128, but from no width on did the GPU win.";
    }

    void words() {
        QFETCH(std::vector<double>, gpu);
        QFETCH(QString, says);
        QFETCH(int, guess);
        QFETCH(QString, verdict);
        RaceState state = race(falling, gpu);
        QCOMPARE(DeviceContest(state).crossingText(), says);
        QCOMPARE(DeviceContest(state).verdict(ContestQuestion::crossing, guess), verdict);
        // Nobody is right or wrong before the end, and nobody who said nothing.
        QCOMPARE(DeviceContest(state).verdict(ContestQuestion::crossing, -1), QString());
        state.results.pop_back();
        --state.measured;
        QCOMPARE(DeviceContest(state).verdict(ContestQuestion::crossing, guess), QString());
    }

    void fewerWidthsAreCounted() {
        const auto says = [](const std::vector<double>& gpu) {
            RaceState state = race({falling.begin(), falling.begin() + std::ptrdiff_t(gpu.size())}, gpu);
            state.planned = 14;
            return DeviceContest(state).crossingText();
        };
        QCOMPARE(says({1, 1}), QStringLiteral("At the 2 widths measured the CPU wins."));
        QCOMPARE(says({1e6, 1e6, 1e6}), QStringLiteral("At the 3 widths measured the GPU wins."));
        QCOMPARE(says({1}), QStringLiteral("At the one width measured, 16, the CPU wins."));
        QCOMPARE(says({1, 1, 1e6}), QStringLiteral("Of the 3 widths measured the GPU wins those from 64 on."));
        QCOMPARE(says({1, 1e6, 1}), QStringLiteral("Of the 3 widths measured the GPU wins 32 only."));
    }

    void processorAlone() {
        const DeviceContest contest(race(falling, {}));
        QVERIFY(!contest.two() && contest.complete());
        QCOMPARE(contest.crossingText(), QString());
        QCOMPARE(contest.whyNoGpu(), QString::fromLatin1(no_driver));
        QCOMPARE(contest.slowdownText(),
                 QStringLiteral("From width 16 to 1,024 the CPU makes 1,818 times fewer steps."));
        QCOMPARE(contest.verdict(ContestQuestion::slowdown, 3),
                 QStringLiteral("You said 256 times: too few by a factor of 7.1."));
        QCOMPARE(contest.verdict(ContestQuestion::slowdown, 5),
                 QStringLiteral("You said 4,096 times: too many by a factor of 2.3."));
        RaceState failed = race(falling, falling);
        failed.results.back() = {1024, "cuda", 0, "There is no memory for this size."};
        QCOMPARE(DeviceContest(failed).table(QStringLiteral("Devices")).rows.back()[2],
                 QStringLiteral("There is no memory for this size."));
        QVERIFY(DeviceContest(failed).readingText(1024).endsWith(QStringLiteral("GPU – steps/s")));
        QCOMPARE(DeviceContest(failed).notMeasuredText(),
                 QStringLiteral("GPU, width 1,024: There is no memory for this size."));
        QCOMPARE(contest.notMeasuredText(), QString());
        // No more figures than a measurement has.
        RaceState fine = race({81234.56789012345, 9.87654321}, {1234567.891});
        const auto rows = DeviceContest(fine).table(QStringLiteral("Devices")).rows;
        QCOMPARE(rows[0][1], QStringLiteral("81234.6"));
        QCOMPARE(rows[1][1], QStringLiteral("9.87654"));
        QCOMPARE(QByteArray::number(rows[0][2].toDouble(), 'f', 0), QByteArray("1234570"));
        QCOMPARE(DeviceContest(fine).nameOf("cuda"), QStringLiteral("GPU · emulator"));
        // Where no width was measured on both nobody has won.
        for (RaceResult& r : failed.results)
            if (r.device == "cuda") r.steps_per_second = 0;
        QCOMPARE(DeviceContest(failed).crossingText(), QString());
        QCOMPARE(DeviceContest(failed).verdict(ContestQuestion::crossing, 7), QString());
    }

    void chartIsNeverCut() {
        for (const Theme& base : {Theme::light(), Theme::darkTheme()})
            for (const double scale : {1.0, 1.35, 2.0})
                for (const QSize size : {QSize(304, 240), QSize(220, 130), QSize(600, 300)})
                    for (const auto& gpu : {std::vector<double>(7, 10000), std::vector<double>(7, 100), falling, {}}) {
                        Theme theme = base;
                        theme.scale = scale;
                        RaceChart chart(nullptr);
                        chart.resize(size * scale);
                        for (const double guess : {0.0, 16.0, 1024.0}) {
                            chart.show(DeviceContest(race(falling, gpu)), DeviceContest(race(gpu, falling)), guess,
                                       theme);
                            const QPixmap drawn = chart.grab();
                            QVERIFY2(chart.labelFault().isEmpty(), qPrintable(chart.labelFault()));
                            if (guess == 16 && size.width() == 304 && gpu.size() == 7 && scale == 1.35)
                                keep(QStringLiteral("race-%1-%2").arg(gpu[0]).arg(theme.dark), chart);
                            QCOMPARE(chart.pointsDrawn(), falling.size() + gpu.size());
                        }
                    }
    }
};

}  // namespace moe::app

QTEST_MAIN(moe::app::DevicesTest)
#include "devices_test.moc"
