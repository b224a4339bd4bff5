#include "app/models/flow_layout.h"
#include "app/models/flow_timeline.h"

#include <QtTest>

#include <cmath>
#include <set>

using namespace moe::app;

class FlowLayoutTest : public QObject {
    Q_OBJECT

private:
    static FlowSpec spec(QSizeF size, std::size_t experts, std::size_t rows, std::size_t focus = 0, double scale = 1) {
        FlowSpec s;
        s.size = size, s.scale = scale, s.num_experts = experts, s.rows = rows, s.focus_row = focus;
        s.lens = double(focus), s.predictions = 10;
        return s;
    }

    template <class Check>
    static void everywhere(Check check) {
        const std::vector<QSizeF> sizes = {{716, 392}, {560, 300}, {1220, 700}, {1600, 900}, {400, 200}};
        for (const QSizeF size : sizes)
            for (const double scale : {1.0, 1.5})
                for (const std::size_t experts : {1, 2, 4, 8, 9, 16, 26, 27, 64, 128, 2048})
                    for (const std::size_t rows : {0, 1, 4, 12, 40, 100, 500})
                        check(FlowLayout(spec(size, experts, rows, rows / 3, scale)));
    }

private Q_SLOTS:
    void columnsRunLeftToRightInsideThePanel() {
        everywhere([](const FlowLayout& l) {
            const std::vector<double> x = {0,
                                           l.phrase.left,
                                           l.phrase.right,
                                           l.strip.left,
                                           l.strip.right,
                                           l.gate.left,
                                           l.gate.right,
                                           l.numbers.left,
                                           l.ribbonStart(),
                                           l.experts.left,
                                           l.experts.right,
                                           l.sum.left,
                                           l.sum.right,
                                           l.words.left,
                                           l.words.right,
                                           l.spec().size.width()};
            for (std::size_t i = 0; i + 1 < x.size(); ++i)
                QVERIFY2(x[i] <= x[i + 1] + 1e-9, qPrintable(QString::number(i)));
            for (std::size_t i = 0; i < 6; ++i) QVERIFY(l.captions()[i].right() <= l.spec().size.width());
        });
    }

    void rowsNeverOverlapAndFillNoMoreThanTheArea() {
        everywhere([](const FlowLayout& l) {
            for (std::size_t i = 0; i + 1 < l.rows().size(); ++i)
                QVERIFY(l.rows()[i].y + l.rows()[i].height / 2 <=
                        l.rows()[i + 1].y - l.rows()[i + 1].height / 2 + 1e-6);
            for (const FlowRow& row : l.rows()) {
                if (!l.inSight(row)) QVERIFY(l.windowed());
                QVERIFY(l.pillHeight(row.height) <= row.height);
                QVERIFY(l.stripHeight(row.height) <= row.height);
            }
            const auto seen =
                std::count_if(l.rows().begin(), l.rows().end(), [&](const FlowRow& r) { return l.inSight(r); });
            if (l.windowed()) QCOMPARE(std::size_t(seen) + l.hiddenAbove() + l.hiddenBelow(), l.rows().size());
        });
    }

    void theFocusedRowIsReadable() {
        for (const std::size_t rows : {1, 4, 12, 40, 100, 500})
            for (const std::size_t focus : {std::size_t(0), rows / 2, rows - 1}) {
                const FlowLayout l(spec({716, 392}, 4, rows, focus));
                QVERIFY(l.inSight(l.rows()[focus]));
                QVERIFY(l.rows()[focus].height >= 40);
                QVERIFY(l.pillHeight(l.rows()[focus].height) >= 18);
                QVERIFY(l.gatePitch(l.rows()[focus].height) >= 7);
                // Its neighbours can be read, too.
                if (focus > 0) QVERIFY(l.pillHeight(l.rows()[focus - 1].height) >= 11);
            }
    }

    void theLensMovesRowsContinuously() {
        FlowSpec s = spec({716, 392}, 4, 100, 50);
        for (double lens = 0; lens < 98; lens += 0.25) {
            s.lens = lens;
            const FlowLayout before(s);
            s.lens = lens + 0.25;
            const FlowLayout after(s);
            for (std::size_t i = 0; i < 100; ++i) QVERIFY(std::abs(before.rows()[i].y - after.rows()[i].y) < 16);
        }
    }

    void expertsNeverOverlapHoweverTheyGrow() {
        everywhere([](const FlowLayout& l) {
            const std::size_t e = l.spec().num_experts;
            const QRectF frame = l.expertsFrame();
            QVERIFY(frame.top() >= l.area().top() - 1e-6 && frame.bottom() <= l.area().bottom() + 1e-6);
            for (std::size_t i = 0; i < e; ++i) {
                const QRectF slot = l.expertSlot(i);
                QVERIFY(frame.adjusted(-1e-6, -1e-6, 1e-6, 1e-6).contains(slot));
                QVERIFY(slot.width() > 0 && slot.height() > 0);
                for (const double load : {0.0, 0.2, 1.0})
                    QVERIFY(slot.adjusted(-1e-6, -1e-6, 1e-6, 1e-6).contains(l.expertBox(i, load)));
                const std::size_t right = i + 1, below = i + l.expertColumns();
                if (right < e && right % l.expertColumns()) QVERIFY(slot.right() <= l.expertSlot(right).left() + 1e-6);
                if (below < e) QVERIFY(slot.bottom() <= l.expertSlot(below).top() + 1e-6);
            }
        });
    }

    void aBusierExpertIsLarger() {
        const FlowLayout l(spec({716, 392}, 4, 4));
        QVERIFY(l.expertBox(0, 0.1).height() < l.expertBox(0, 0.25).height());
        QVERIFY(l.expertBox(0, 0.25).height() < l.expertBox(0, 0.4).height());
        QCOMPARE(l.expertBox(0, std::nullopt), l.expertBox(0, 0.25));
        QCOMPARE(l.expertBox(0, 0.1).center(), l.expertBox(0, 0.4).center());
    }

    void wordsStandBesideTheFillThatWouldCutThem() {
        for (double filled = 0; filled <= 100; filled += 0.5) {
            const double at = wordStart(filled, 30, 8, 80, 5);
            const bool beside = at >= filled + 5 || at + 30 + 5 <= filled, no_room = filled + 5 + 30 > 80;
            QVERIFY2(at == 8 || beside, qPrintable(QString::number(filled)));
            QVERIFY2(at >= 8 && at + 30 <= 80, qPrintable(QString::number(filled)));
            // Never over the end of the fill, unless there is room neither before nor behind it.
            if (filled > 8) QVERIFY2(beside || no_room, qPrintable(QString::number(filled)));
        }
    }

    void ribbonsOfNeighboursNeverOverlapAtTheGate() {
        for (const double height : {5.0, 12.0, 24.0, 48.0, 72.0})
            for (const std::size_t e : {1, 2, 4, 8}) {
                const FlowLayout l(spec({716, 392}, e, 4));
                // Two neighbours share a weight of at most 1: half their widths together reach the pitch at most.
                QVERIFY(0.5 * l.ribbonScale(height) <= l.gatePitch(height) + 1e-9);
                QVERIFY(l.gatePitch(height) * double(e) <= height);
            }
    }

    void nextWordsStayInsideTheArea() {
        everywhere([](const FlowLayout& l) {
            QVERIFY(l.listedWords() >= 1 && l.listedWords() <= 10);
            QVERIFY(l.wordBar(0).top() >= l.area().top() - 1);
            QVERIFY(l.wordSummary().bottom() <= l.probeRow().top());
        });
    }

    void tokensTravelTheirLegsInOrder() {
        for (const std::size_t token : {0, 1, 7, 499}) {
            int last = -1;
            double share = 0;
            const int steps = 3200;
            int changes = 0;
            for (int i = 0; i <= steps; ++i) {
                const FlowPosition p = FlowTimeline::position(token, FlowTimeline::cycle_seconds * i / steps);
                QVERIFY(p.share >= 0 && p.share < 1);
                if (int(p.leg) != last) {
                    if (last >= 0) {
                        ++changes;
                        QCOMPARE(int(p.leg), (last + 1) % 7);
                    }
                } else if (p.leg != FlowLeg::rest) {
                    QVERIFY(p.share >= share);
                }
                last = int(p.leg), share = p.share;
            }
            QVERIFY(changes >= 6 && changes <= 8);
        }
    }

    void tokenPositionsAreAPureFunctionOfTime() {
        QCOMPARE(FlowTimeline::position(3, 1.25), FlowTimeline::position(3, 1.25));
        const FlowPosition a = FlowTimeline::position(3, 0.5),
                           b = FlowTimeline::position(3, 0.5 + FlowTimeline::cycle_seconds);
        QCOMPARE(a.leg, b.leg);
        QVERIFY(std::abs(a.share - b.share) < 1e-6);
        std::set<int> legs;
        for (std::size_t token = 0; token < 40; ++token) legs.insert(int(FlowTimeline::position(token, 0).leg));
        QCOMPARE(legs.size(), std::size_t(7));  // spread over the whole way
    }
};

QTEST_APPLESS_MAIN(FlowLayoutTest)
#include "flow_layout_test.moc"
