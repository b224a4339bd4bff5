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
};

QTEST_MAIN(InspectionFeedTest)
#include "inspection_feed_test.moc"
