// What the inspector shows is of the moment, the settings and the array that are looked at.
#undef QT_NO_CAST_FROM_ASCII  // literals of tests

#include "app/models/text_format.h"
#include "app/views/inspector_view_charts.h"
#include "app/views/inspector_view_map.h"
#include "tests/app/inspector_fixture.h"

using namespace moe;
using namespace moe::app;
using namespace moe::app::test;

class InspectionFeedTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void gradientsFollowASetting() {
        Opened opened({"top_k", 4, 2, 12, 0.01});
        const auto view = inspectorView(opened, themed(false, 1), {304, 480});
        view->inspect({InspectedPart::gate, 0});
        view->setGradient(true);
        QVERIFY(waitFresh(*view));
        const std::vector<float> before = view->values();
        QVERIFY(!before.empty());
        opened.session.setBalanceLoss(0.5);
        QTRY_COMPARE(opened.session.snapshot().experiment.model.balance_loss, 0.5);
        QVERIFY(waitFresh(*view));
        QVERIFY(view->values() != before);
        const Trace trace = opened.trace(12);
        const std::span<const float> gate = Inspection::whole(trace.gradients, ParameterId::gate_kernel);
        QCOMPARE(view->values(), std::vector<float>(gate.begin(), gate.end()));
    }

    void refusedTracesSayWhy() {
        std::string text;
        for (int i = 1; i < 20000; ++i) text += "w" + std::to_string(i) + (i % 10 == 0 ? '\n' : ' ');
        Opened opened({"soft", 2, 2, 0}, Corpus::from_text("many", text), "w1 w2 w3");
        const auto view = inspectorView(opened, themed(false, 1), {304, 480});
        opened.session.setBatchSize(1500);
        QTRY_COMPARE(opened.session.snapshot().experiment.train.batch_size, std::size_t(1500));
        view->inspect({InspectedPart::gate, 0});
        view->setGradient(true);
        QVERIFY(waitFresh(*view));
        QVERIFY(view->feed().norms());
        QVERIFY2(view->map()->content().missing.contains("limit"), qPrintable(view->map()->content().missing));
        view->inspect({InspectedPart::sum, 0});  // what another question brings does not unsay it
        QVERIFY(waitFresh(*view));
        QVERIFY(!view->values().empty());
        view->inspect({InspectedPart::gate, 0});
        view->setGradient(true);
        QVERIFY(waitFresh(*view));
        QVERIFY2(view->map()->content().missing.contains("limit"), qPrintable(view->map()->content().missing));
        view->setGradient(false);  // the weights are none the worse for it
        QVERIFY(waitFresh(*view));
        QCOMPARE(view->values().size(), std::size_t(64));
    }

    void normsAreOfTheMomentShown() {
        Opened opened({"soft", 4, 4, 60});
        const auto view = inspectorView(opened, themed(false, 1), {304, 480});
        view->inspect({InspectedPart::gate, 0});
        QVERIFY(waitFresh(*view));
        const auto* chart = view->findChild<NormChart*>();
        const auto steps = view->feed().norms()->steps;
        for (const std::uint64_t step : {steps.at(steps.size() / 2), std::uint64_t(60)}) {
            opened.session.lookAt(step);
            QTRY_COMPARE(opened.session.snapshot().step, step);
            QVERIFY(waitFresh(*view));
            const double rms = InspectionStats::of(view->values()).rms;
            QVERIFY2(chart->figure().endsWith(valueText(rms)), qPrintable(chart->figure()));
        }
    }

    void aPickedNumberStaysAtItsStep_data() {
        QTest::addColumn<int>("part");
        QTest::addColumn<int>("array");
        QTest::addColumn<bool>("gradient");
        QTest::newRow("weight") << int(InspectedPart::gate) << 0 << false;
        QTest::newRow("gradient") << int(InspectedPart::gate) << 0 << true;
        QTest::newRow("activation") << int(InspectedPart::next_word) << 3 << false;
    }

    // Training goes on; the number under the reader and its formula do not, until he asks for it.
    void aPickedNumberStaysAtItsStep() {
        QFETCH(int, part);
        QFETCH(int, array);
        QFETCH(bool, gradient);
        Opened opened({"soft", 4, 4, 12});
        const auto view = inspectorView(opened, themed(false, 1), {304, 480});
        view->inspect({InspectedPart(part), 1}, std::size_t(array));
        view->setGradient(gradient);
        QVERIFY(waitFresh(*view));
        const double picked = double(view->values().at(5));
        const auto title = [&] { return view->provenance()->title(); };
        const auto trained = [&](std::uint64_t step) {
            opened.session.runSteps(step - opened.session.live().step);
            return QTest::qWaitFor([&] { return opened.session.snapshot().step == step && opened.session.resting(); },
                                   20000) &&
                   waitFresh(*view);
        };
        view->explain(5);
        QTRY_VERIFY(view->provenance()->number());
        const QString text = view->provenance()->text();
        QVERIFY(title().contains(valueText(picked)));
        QVERIFY(trained(40));
        QCOMPARE(view->provenance()->text(), text);
        QVERIFY2(view->scope().endsWith("step 12"), qPrintable(view->scope()));
        auto* follow = view->findChild<QAbstractButton*>("inspector_follow");
        QVERIFY(follow && follow->isVisible());
        QCOMPARE(follow->text(), QString("step 12 · follow"));
        // Asked to, it goes on with the run, and stays again where it is asked to.
        follow->click();
        QTRY_VERIFY2(view->scope().endsWith("step 40"), qPrintable(view->scope()));
        QVERIFY(trained(45));
        QTRY_COMPARE(follow->text(), QString("step 45 · stay"));
        QVERIFY(view->provenance()->text() != text);
        const QString later = view->provenance()->text();
        follow->click();
        QCOMPARE(follow->text(), QString("step 45 · follow"));
        QVERIFY(trained(50));
        QCOMPARE(view->provenance()->text(), later);
        // With its reader it goes back in time: the number that was picked first.
        opened.session.lookAt(12);
        QTRY_COMPARE(view->provenance()->text(), text);
        // Nothing picked: all of it is live.
        opened.session.lookAtNow();
        QTRY_COMPARE(opened.session.snapshot().step, std::uint64_t(50));
        for (QAbstractButton* b : view->findChildren<QAbstractButton*>())
            if (b->isVisible() && b->text() == "All numbers") b->click();
        QVERIFY(!view->explaining() && !follow->isVisible());
        QVERIFY(trained(55));
        QVERIFY2(view->scope().endsWith("step 55"), qPrintable(view->scope()));
    }

    // Picked while the run runs: the formula is of the very number that stood there.
    void aNumberPickedOnTheRunIsTheOneThatStoodThere() {
        Opened opened({"soft", 4, 4, 12});
        const auto view = inspectorView(opened, themed(false, 1), {304, 480});
        view->inspect({InspectedPart::gate, 0});
        QVERIFY(waitFresh(*view));
        opened.session.setSpeed(0);
        opened.session.trainOn(1'000'000);
        QTRY_VERIFY(view->feed().state()->step > 200);
        const std::uint64_t step = view->feed().state()->step;
        const double picked = double(view->values().at(5));
        view->explain(5);
        QTRY_VERIFY_WITH_TIMEOUT(view->provenance()->number(), 20000);
        QVERIFY2(view->provenance()->title().contains(valueText(picked)), qPrintable(view->provenance()->title()));
        QVERIFY2(view->scope().endsWith("step " + countText(step)), qPrintable(view->scope()));
        const std::uint64_t then = opened.session.live().step;
        QTRY_VERIFY(opened.session.live().step > then + 500);
        QVERIFY2(view->provenance()->title().contains(valueText(picked)), qPrintable(view->provenance()->title()));
        QVERIFY2(view->scope().endsWith("step " + countText(step)), qPrintable(view->scope()));
        opened.session.pause();
    }
};

QTEST_MAIN(InspectionFeedTest)
#include "inspection_feed_test.moc"
