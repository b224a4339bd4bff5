#include "app/views/stage_view.h"
#include "engine/text/corpus.h"

#include <QSignalSpy>
#include <QToolTip>
#include <QtTest>

using namespace moe::app;

class StageViewTest : public QObject {
    Q_OBJECT

    std::unique_ptr<SessionController> session_;
    std::unique_ptr<StageView> stage_;

    void open(std::size_t experts, const char* router, const std::string& probe) {
        moe::SessionSetup setup;
        setup.experiment.model.num_experts = experts;
        setup.experiment.model.router = router;
        setup.corpus = moe::Corpus::from_text("test", "hello world how are you\nhow are you today my friend\n");
        setup.probe = probe;
        QString error = QStringLiteral("not answered");
        session_->open(std::move(setup), [&](const QString& e) { error = e; });
        QTRY_COMPARE(error, QString());
        QTRY_VERIFY(session_->resting());
    }

    QPointF centreOf(StagePart part, std::size_t index) const {
        for (int y = 0; y < stage_->height(); y += 2)
            for (int x = 0; x < stage_->width(); x += 4) {
                const StageHit hit = stage_->scene().hit(QPointF(x, y));
                if (hit.part == part && hit.index == index) return hit.place.center();
            }
        return {};
    }

private Q_SLOTS:
    void init() {
        session_ = std::make_unique<SessionController>();
        stage_ = std::make_unique<StageView>(*session_, nullptr);
        stage_->resize(716, 392);
        open(4, "soft", "hello zebra world how are");
        stage_->show();
        stage_->activateWindow();
        stage_->setFocus();
        QTRY_VERIFY(stage_->hasFocus());
    }

    void cleanup() {
        stage_.reset();
        session_.reset();
    }

    void showsTheUntrainedModelAtOnce() {
        QCOMPARE(stage_->scene().prefixes(), std::size_t(4));
        QCOMPARE(stage_->findChild<QLineEdit*>(QStringLiteral("probe_edit"))->text(),
                 QStringLiteral("hello zebra world how are"));
        QVERIFY(stage_->scene().snapshot().load.empty());
        const auto& probe = stage_->scene().snapshot().probe;
        for (std::size_t i = 0; i < probe.gate_weights.size(); ++i)
            QVERIFY(std::abs(stage_->scene().shownGate()[i] - probe.gate_weights[i]) < 1e-3f);
    }

    void upAndDownMoveTheFocusAndPredictionsFollow() {
        QCOMPARE(stage_->scene().focusedPrefix(), std::size_t(0));
        QTest::keyClick(stage_.get(), Qt::Key_Down);
        QTest::keyClick(stage_.get(), Qt::Key_Down);
        QCOMPARE(stage_->scene().focusedPrefix(), std::size_t(2));
        QTRY_COMPARE(stage_->scene().snapshot().probe.focus, std::size_t(2));
        QTest::keyClick(stage_.get(), Qt::Key_End);
        QCOMPARE(session_->focusedPrefix(), std::size_t(3));
        QTest::keyClick(stage_.get(), Qt::Key_Down);
        QCOMPARE(session_->focusedPrefix(), std::size_t(3));
        QTest::keyClick(stage_.get(), Qt::Key_Up);
        QCOMPARE(session_->focusedPrefix(), std::size_t(2));
    }

    void digitsPickAnExpertAndEscapeLetsGo() {
        QTest::keyClick(stage_.get(), Qt::Key_2);
        QCOMPARE(session_->focusedExpert(), std::optional<std::size_t>(1));
        QCOMPARE(stage_->scene().focusedExpert(), std::optional<std::size_t>(1));
        QTest::keyClick(stage_.get(), Qt::Key_9);  // there is none
        QCOMPARE(session_->focusedExpert(), std::optional<std::size_t>(1));
        QTest::keyClick(stage_.get(), Qt::Key_Escape);
        QVERIFY(!session_->focusedExpert());
    }

    void theWindowsKeysAreLeftToTheWindow() {
        for (const int key : {int(Qt::Key_Left), int(Qt::Key_Right), int(Qt::Key_Space), int(Qt::Key_R)}) {
            QKeyEvent event(QEvent::KeyPress, key, Qt::NoModifier);
            QApplication::sendEvent(stage_.get(), &event);
            QVERIFY(!event.isAccepted());
        }
    }

    void clicksFocusWordsAndExperts() {
        QTest::mouseClick(stage_.get(), Qt::LeftButton, {}, centreOf(StagePart::word, 3).toPoint());
        QCOMPARE(session_->focusedPrefix(), std::size_t(2));  // row 1 is the unknown word
        QTest::mouseClick(stage_.get(), Qt::LeftButton, {}, centreOf(StagePart::expert, 2).toPoint());
        QCOMPARE(session_->focusedExpert(), std::optional<std::size_t>(2));
        QTest::mouseClick(stage_.get(), Qt::LeftButton, {}, centreOf(StagePart::expert, 2).toPoint());
        QVERIFY(!session_->focusedExpert());
    }

    void everyPartExplainsItself() {
        const StageScene& scene = stage_->scene();
        const auto text = [&](StagePart part, std::size_t index) { return scene.explain({part, index, {}}); };
        QVERIFY(text(StagePart::word, 0).contains(QStringLiteral("hello")));
        QVERIFY(text(StagePart::unknown_word, 1).contains(QStringLiteral("not in the vocabulary")));
        QVERIFY(text(StagePart::embedding, 0).contains(QStringLiteral("(32)")));
        QVERIFY(text(StagePart::gate, 0).contains(QStringLiteral("gate weights (4)")));
        QVERIFY(text(StagePart::expert, 1).contains(QStringLiteral("triangle")));
        QVERIFY(text(StagePart::expert, 1).contains(QStringLiteral("answer (32)")));
        QVERIFY(text(StagePart::sum, 0).contains(QStringLiteral("(32)")));
        QVERIFY(text(StagePart::next_word, 0).contains(QStringLiteral("probability")));
        for (std::size_t i = 0; i < 6; ++i) QVERIFY(!text(StagePart::caption, i).isEmpty());
    }

    void expertsThatWereNotChosenSaySo() {
        open(4, "top_k", "hello world");
        const StageScene& scene = stage_->scene();
        int refused = 0;
        for (std::size_t e = 0; e < 4; ++e) {
            const bool none = scene.snapshot().probe.gate_weights[scene.focusedPrefix() * 4 + e] == 0;
            QCOMPARE(scene.explain({StagePart::expert, e, {}}).contains(QStringLiteral("not chosen")), none);
            refused += none;
        }
        QCOMPARE(refused, 2);
    }

    void typingUpdatesTheProbeWithoutEnter() {
        auto* edit = stage_->findChild<QLineEdit*>(QStringLiteral("probe_edit"));
        edit->setFocus();
        edit->selectAll();
        QTest::keyClicks(edit, QStringLiteral("how are you"));
        QTRY_COMPARE(stage_->scene().prefixes(), std::size_t(3));
        QTRY_COMPARE(stage_->scene().snapshot().probe.focus, std::size_t(2));  // what is typed is looked at as a whole
        QCOMPARE(edit->text(), QStringLiteral("how are you"));
        QTest::keyClicks(edit, QStringLiteral(" today"));
        QTest::keyClick(edit, Qt::Key_Return);
        QTRY_COMPARE(stage_->scene().prefixes(), std::size_t(4));
        // Escape throws away what was not sent and gives the keys back to the stage.
        QTest::keyClicks(edit, QStringLiteral(" x"));
        QTest::keyClick(edit, Qt::Key_Escape);
        QCOMPARE(edit->text(), QStringLiteral("how are you today"));
        QVERIFY(stage_->hasFocus());
    }

    void anEmptyOrUnknownProbeIsAnInvitation() {
        for (const QString& text : {QString(), QStringLiteral("zebra quux")}) {
            session_->setProbe(text, 0);
            QTRY_COMPARE(stage_->scene().snapshot().probe.text, text.toStdString());
            QCOMPARE(stage_->scene().prefixes(), std::size_t(0));
            QVERIFY(!stage_->grab().isNull());
            QTest::keyClick(stage_.get(), Qt::Key_Down);
        }
    }

    void trainingMovesThePictureAndItRestsAfterwards() {
        const std::vector<float> before = stage_->scene().shownGate();
        session_->runEpochs(60);
        QTRY_COMPARE(stage_->scene().snapshot().epoch, std::uint64_t(60));
        QTRY_VERIFY(session_->resting());
        QTRY_VERIFY(!stage_->scene().moving());
        QVERIFY(stage_->scene().shownGate() != before);
        const auto& gate = stage_->scene().snapshot().probe.gate_weights;
        for (std::size_t i = 0; i < gate.size(); ++i) QCOMPARE(stage_->scene().shownGate()[i], gate[i]);
        QVERIFY(!stage_->scene().flowing());
    }

    void atRestNothingIsPainted() {
        class Painted : public QObject {
        public:
            int count = 0;
            bool eventFilter(QObject*, QEvent* event) override {
                count += event->type() == QEvent::Paint;
                return false;
            }
        } painted;
        session_->runEpochs(2);
        QTRY_COMPARE(stage_->scene().snapshot().epoch, std::uint64_t(2));
        QTRY_VERIFY(session_->resting() && !stage_->scene().moving());
        QTest::qWait(50);
        stage_->installEventFilter(&painted);
        QTest::qWait(300);
        QCOMPARE(painted.count, 0);
    }

    void theBalanceLossMovesNothing() {
        session_->runEpochs(2);
        QTRY_COMPARE(stage_->scene().snapshot().epoch, std::uint64_t(2));
        QTRY_VERIFY(session_->resting() && !stage_->scene().moving());
        const auto gate = stage_->scene().shownGate();
        session_->setBalanceLoss(0.1);
        QTRY_VERIFY(session_->resting());
        QCOMPARE(stage_->scene().shownGate(), gate);
    }

    void reducedMotionArrivesAtOnce() {
        stage_->setProperty("reducedMotion", true);
        session_->runEpochs(5);
        QTRY_COMPARE(stage_->scene().snapshot().epoch, std::uint64_t(5));
        QVERIFY(!stage_->scene().flowing());
        QTRY_VERIFY(!stage_->scene().moving());
    }

    void theTableHasARowAWord() {
        const Table table = stage_->table();
        QCOMPARE(table.rows.size(), std::size_t(5));
        QCOMPARE(table.columns.size(), std::size_t(3 + 4 + 2));
        for (const auto& row : table.rows) QCOMPARE(row.size(), table.columns.size());
        QCOMPARE(table.rows[2][2], QStringLiteral("hello world"));
        double sum = 0;
        for (std::size_t e = 0; e < 4; ++e) sum += table.rows[0][3 + e].toDouble();
        QVERIFY(std::abs(sum - 1) < 1e-5);
        QVERIFY(!table.rows[0][7].isEmpty());  // the focused prefix is the one predicted from
        QVERIFY(table.rows[2][7].isEmpty());
    }

    void screenReadersGetTheFocusedRow() {
        QVERIFY(!stage_->accessibleName().isEmpty());
        QVERIFY(stage_->accessibleDescription().contains(QStringLiteral("hello")));
    }
};

QTEST_MAIN(StageViewTest)
#include "stage_view_test.moc"
