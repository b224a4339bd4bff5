// Stepping through batches: the walk itself, the weights behind it, and the window around it.
#include "app/models/inspection_feed.h"
#include "app/models/operation_formula.h"
#include "app/session/stepper.h"
#include "app/shell/dock_area.h"
#include "app/shell/left_column.h"
#include "app/shell/stepping_control.h"
#include "app/shell/stepping_list.h"
#include "app/shell/stepping_page.h"
#include "app/shell/transport_bar.h"
#include "app/shell/window_actions.h"
#include "app/shell/workbench.h"
#include "app/views/operation_view.h"
#include "app/views/provenance_view.h"
#include "app/views/trace_stage.h"
#include "engine/core/family.h"
#include "window_fixture.h"

#include <QAbstractButton>
#include <QLabel>
#include <QPushButton>
#include <QScrollArea>
#include <QSignalSpy>
#include <QToolButton>
#include <QTranslator>


namespace moe::app {

namespace {

SessionSetup setup(const char* router = "soft", std::size_t k = 2, double balance = 0, bool mask = false,
                   std::size_t experts = 4, const char* text = tiny_corpus, std::string_view family = "pooled") {
    SessionSetup s;
    s.experiment.model.family = family;
    s.experiment.model.router = router;
    s.experiment.model.num_experts = experts, s.experiment.model.top_k = k;
    s.experiment.model.balance_loss = balance, s.experiment.model.mask_zero = mask;
    s.experiment.model.embedding_dim = 8, s.experiment.model.hidden_dim = 16;
    s.experiment.train.epochs = 50, s.experiment.train.batch_size = 5;
    s.corpus = Corpus::from_text("four lines", text);
    s.probe = "hello world";
    return s;
}

bool open(SessionController& session, SessionSetup s) {
    bool ready = false;
    session.open(std::move(s), [&](const QString& error) { ready = error.isEmpty(); });
    return QTest::qWaitFor([&] { return ready; }, 10000);
}

bool settle(Stepper& stepper) {
    return QTest::qWaitFor([&] { return stepper.trace() && !stepper.waiting(); }, 10000);
}

}  // namespace

/// Every text 40 % longer, as a translation may be.
class LongerTexts : public QTranslator {
public:
    using QTranslator::QTranslator;
    bool isEmpty() const override { return false; }
    QString translate(const char*, const char* text, const char*, int) const override {
        const QString source = QString::fromUtf8(text);
        QString more;
        const qsizetype length = (source.size() * 2 + 4) / 5;
        while (more.size() < length) more += more.size() % 7 == 3 ? u' ' : u'é';
        return source + more;
    }
};

class SteppingTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void steppedIsRun_data() {
        QTest::addColumn<QString>("router");
        QTest::addColumn<int>("k");
        QTest::addColumn<double>("balance");
        QTest::addColumn<bool>("mask");
        QTest::addColumn<QString>("family");
        for (const FamilyInfo& info : families) {
            const QString family = QString::fromUtf8(info.id.data(), qsizetype(info.id.size()));
            const auto row = [&](const char* name) -> QTestData& {
                return QTest::addRow("%s, %s", qPrintable(family), name);
            };
            row("soft") << QStringLiteral("soft") << 2 << 0.0 << false << family;
            row("soft, balance, mask") << QStringLiteral("soft") << 2 << 0.1 << true << family;
            row("top-1") << QStringLiteral("top_k") << 1 << 0.0 << false << family;
            row("top-2, balance, mask") << QStringLiteral("top_k") << 2 << 0.1 << true << family;
        }
    }

    // Seven batches, over the end of two epochs (three batches each, the last one short), and back in between.
    void steppedIsRun() {
        QFETCH(QString, router);
        QFETCH(int, k);
        QFETCH(double, balance);
        QFETCH(bool, mask);
        QFETCH(QString, family);
        const std::string id = router.toStdString(), kind = family.toStdString();
        SessionController run, stepped;
        QVERIFY(open(run, setup(id.c_str(), std::size_t(k), balance, mask, 4, tiny_corpus, kind)));
        QVERIFY(open(stepped, setup(id.c_str(), std::size_t(k), balance, mask, 4, tiny_corpus, kind)));
        run.runSteps(7);
        QVERIFY(QTest::qWaitFor([&] { return run.snapshot().step == 7 && run.resting(); }, 10000));

        Stepper stepper(stepped);
        stepper.enter();
        QVERIFY(settle(stepper));
        std::vector<std::string> walked;
        while (stepper.trace()->step < 7) {
            const auto trace = stepper.trace();
            walked.push_back(trace->ops[stepper.operation()].id);
            stepper.nextOperation();
            QVERIFY(settle(stepper));
            if (trace != stepper.trace()) {
                QCOMPARE(stepper.operation(), std::size_t(0));
                QCOMPARE(stepper.trace()->step, trace->step + 1);
                // The weights that the next batch meets are those that the trace foretold.
                for (const NamedArray& a : trace->new_parameters)
                    QVERIFY(a.values == stepper.trace()->parameter(a.name)->values);
                if (trace->step == 3) {  // back over the batch's beginning, and on again
                    stepper.previousOperation();
                    QVERIFY(settle(stepper));
                    QCOMPARE(stepper.trace()->step, trace->step);
                    QCOMPARE(stepper.operation(), stepper.trace()->ops.size() - 1);
                    QVERIFY(stepped.lookedAt().has_value());
                    stepper.nextOperation();
                    QVERIFY(settle(stepper));
                    QVERIFY(!stepped.lookedAt());
                    QCOMPARE(stepped.live().step, trace->step + 1);
                }
            }
        }
        const std::size_t ops = stepper.trace()->ops.size();
        QCOMPARE(walked.size(), 7 * ops);
        QCOMPARE(walked.back(), std::string("adam"));
        const auto a = savedRun(run), b = savedRun(stepped);
        QVERIFY(a && b);
        QVERIFY(a->state.parameters == b->state.parameters);
        QVERIFY(a->state.momentum == b->state.momentum);
        QVERIFY(a->state.velocity == b->state.velocity);
        QCOMPARE(b->state.step, a->state.step);
    }

    void backAndForth() {
        SessionController session;
        QVERIFY(open(session, setup()));
        Stepper stepper(session);
        session.runSteps(8);
        QVERIFY(QTest::qWaitFor([&] { return session.live().step == 8 && session.resting(); }, 10000));
        stepper.enter();
        QVERIFY(settle(stepper));
        QCOMPARE(stepper.trace()->step, 8u);
        stepper.setOperation(5);
        const std::string op = stepper.trace()->ops[5].id;
        stepper.previousBatch();
        QVERIFY(settle(stepper));
        QCOMPARE(stepper.trace()->step, 7u);
        QCOMPARE(stepper.trace()->ops[stepper.operation()].id, op);
        stepper.previousEpoch();
        QVERIFY(settle(stepper));
        QCOMPARE(stepper.trace()->step, 4u);
        QTRY_COMPARE(session.snapshot().step, 4u);
        stepper.nextEpoch();
        QVERIFY(settle(stepper));
        QCOMPARE(stepper.trace()->step, 7u);
        stepper.nextEpoch();  // not past the present
        QVERIFY(settle(stepper));
        QCOMPARE(stepper.trace()->step, 8u);
        QVERIFY(!session.lookedAt());
        QCOMPARE(session.live().step, 8u);
        stepper.nextEpoch();  // really trained, to the epoch's end
        QVERIFY(settle(stepper));
        QCOMPARE(stepper.trace()->step, 9u);
        QCOMPARE(session.live().epoch, 3u);
        QCOMPARE(stepper.trace()->ops[stepper.operation()].id, op);
        session.lookAt(0);
        QTRY_COMPARE(stepper.trace()->step, 0u);
        QVERIFY(settle(stepper));
        stepper.setOperation(0);
        QVERIFY(stepper.atStart());
        stepper.previousOperation();
        QVERIFY(settle(stepper));
        QCOMPARE(stepper.trace()->step, 0u);
        QCOMPARE(stepper.operation(), std::size_t(0));
    }

    void leavingAndEnteringKeepsTheOperation() {
        SessionController session;
        QVERIFY(open(session, setup()));
        Stepper stepper(session);
        stepper.enter();
        QVERIFY(settle(stepper));
        stepper.setOperation(9);
        stepper.setExample(3);
        const auto trace = stepper.trace();
        stepper.leave();
        QVERIFY(!stepper.active());
        stepper.nextOperation();  // comes back first
        QVERIFY(stepper.active());
        QCOMPARE(stepper.trace(), trace);
        QCOMPARE(stepper.operation(), std::size_t(9));
        QCOMPARE(stepper.example(), std::size_t(3));
        stepper.setExample(99);
        QCOMPARE(stepper.example(), std::size_t(3));
        stepper.leave();
        session.runSteps(1);
        QVERIFY(QTest::qWaitFor([&] { return session.live().step == 1 && session.resting(); }, 10000));
        stepper.enter();
        QVERIFY(settle(stepper));
        QTRY_COMPARE(stepper.trace()->step, 1u);
        QCOMPARE(stepper.operation(), std::size_t(0));
    }

    void enteringPausesAndPlayingLeaves() {
        SessionController session;
        QVERIFY(open(session, setup()));
        session.setSpeed(200);
        Stepper stepper(session);
        session.play();
        QVERIFY(QTest::qWaitFor([&] { return session.live().step > 3; }, 10000));
        stepper.enter();
        QVERIFY(settle(stepper));
        QCOMPARE(session.live().state, SessionState::paused);
        QTRY_COMPARE(stepper.trace()->step, session.live().step);
        session.play();
        QVERIFY(QTest::qWaitFor([&] { return !stepper.active(); }, 10000));
    }

    void settingsAndModelsThatChangeAreFollowed() {
        SessionController session;
        QVERIFY(open(session, setup()));
        Stepper stepper(session);
        stepper.enter();
        QVERIFY(settle(stepper));
        const std::size_t ops = stepper.trace()->ops.size();
        stepper.setOperation(12);
        const std::string op = stepper.trace()->ops[12].id;
        session.setBalanceLoss(0.2);
        QTRY_COMPARE(stepper.trace()->ops.size(), ops + 2);
        QVERIFY(settle(stepper));
        QCOMPARE(stepper.trace()->ops[stepper.operation()].id, op);
        QVERIFY(open(session, setup("top_k", 1, 0, false, 6, "a b c d e f\nc d e f a b\n")));
        QTRY_COMPARE(stepper.trace()->experiment.model.num_experts, std::size_t(6));
        QCOMPARE(stepper.example(), std::size_t(0));
        QCOMPARE(stepper.words()->at(std::size_t(stepper.trace()->targets[0])).size(), qsizetype(1));
    }

    // Trained on from the past: the moments after it are others now, under the same numbers.
    void aMomentOfAnotherPastIsTracedAnew() {
        SessionController session;
        QVERIFY(open(session, setup()));
        const auto trained = [&](std::uint64_t step) {
            session.runSteps(step - session.live().step);
            return QTest::qWaitFor([&] { return session.live().step == step && session.resting(); }, 10000);
        };
        QVERIFY(trained(9));
        session.lookAt(6);
        Stepper stepper(session);
        InspectionFeed feed(session);
        InspectionFeed::Wanted batch;
        batch.batch = true;
        stepper.enter();
        feed.want(batch);
        QVERIFY(settle(stepper));
        QTRY_VERIFY(feed.fresh() && feed.batch() && session.snapshot().step == 6);
        const auto before = stepper.trace(), kept = feed.batch();
        QCOMPARE(before->step, 6u);
        stepper.leave();
        feed.want({});
        bool gone = false;
        session.continueFrom(3, [&](const QString& error) { gone = error.isEmpty(); });
        QTRY_VERIFY(gone);
        session.setLearningRate(0.05);
        QVERIFY(trained(9));
        session.lookAt(6);
        QTRY_COMPARE(session.snapshot().step, 6u);
        stepper.enter();
        feed.want(batch);
        QVERIFY(settle(stepper));
        QTRY_VERIFY(feed.fresh() && feed.batch() != kept);
        std::shared_ptr<const RunState> state;
        session.stateAt(6, [&](const Answer<RunState>& answer) { state = answer.value; });
        QTRY_VERIFY(state);
        QVERIFY(before->parameter("gate/kernel")->values != stepper.trace()->parameter("gate/kernel")->values);
        for (const NamedArray& a : state->parameters) {
            QVERIFY(stepper.trace()->parameter(a.name)->values == a.values);
            QVERIFY(feed.batch()->parameter(a.name)->values == a.values);
        }
    }

    // An epoch under way ends with its model: stepping goes on at the new one's first batch.
    void anEpochThatIsResetIsNotWaitedFor() {
        SessionController session;
        QVERIFY(open(session, setup()));
        session.runSteps(6);
        QVERIFY(QTest::qWaitFor([&] { return session.live().step == 6 && session.resting(); }, 10000));
        session.setSpeed(1);
        Stepper stepper(session);
        stepper.enter();
        QVERIFY(settle(stepper));
        stepper.setOperation(4);
        stepper.nextEpoch();
        QVERIFY(stepper.waiting() && stepper.trainsEpoch());
        QTRY_COMPARE(session.live().state, SessionState::running);
        session.reset();
        QVERIFY(settle(stepper));
        QVERIFY(stepper.active() && !stepper.trainsEpoch());
        QCOMPARE(stepper.trace()->step, 0u);
        QCOMPARE(stepper.operation(), std::size_t(0));
        stepper.nextOperation();
        QCOMPARE(stepper.operation(), std::size_t(1));
    }

    // The sentence of a run that failed stands until somebody goes back into the batch.
    void aFailureIsSaidUntilSomebodyGoesOn() {
        SessionController session;
        QVERIFY(open(session, setup()));
        session.runSteps(2);
        QVERIFY(QTest::qWaitFor([&] { return session.live().step == 2 && session.resting(); }, 10000));
        Stepper stepper(session);
        stepper.enter();
        QVERIFY(settle(stepper));
        stepper.setOperation(5);
        session.setLearningRate(1e30);
        QTRY_VERIFY(stepper.trace()->experiment.train.learning_rate > 1e29);
        for (int i = 0; i < 4 && session.live().state != SessionState::failed; ++i) {
            stepper.nextBatch();
            QVERIFY(settle(stepper));
        }
        QCOMPARE(session.live().state, SessionState::failed);
        QVERIFY(!stepper.problem().isEmpty());
        QTest::qWait(150);
        QVERIFY(!stepper.problem().isEmpty());
        stepper.previousOperation();
        QVERIFY(settle(stepper));
        QVERIFY2(stepper.problem().isEmpty(), qPrintable(stepper.problem()));
        QCOMPARE(stepper.trace()->step, session.live().step);
    }

    // A trace that would be too large is refused once, in a sentence, and comes when it has become possible.
    void aTraceThatIsTooLargeIsRefused() {
        std::string text;
        for (int i = 0; i < 3000; ++i) text += "w" + std::to_string(i) + (i % 400 == 399 ? "\n" : " ");
        SessionController session;
        SessionSetup s = setup("soft", 2, 0, false, 64, text.c_str());
        s.experiment.model.embedding_dim = 64, s.experiment.model.hidden_dim = 64;
        s.experiment.train.batch_size = 2048;
        QVERIFY(open(session, std::move(s)));
        Stepper stepper(session);
        QSignalSpy changes(&stepper, &Stepper::changed);
        stepper.enter();
        QTRY_VERIFY_WITH_TIMEOUT(!stepper.problem().isEmpty(), 20000);
        QVERIFY2(stepper.problem().endsWith(u'.') && stepper.problem().contains(QStringLiteral("batch")),
                 qPrintable(stepper.problem()));
        QVERIFY(!stepper.trace() && !stepper.waiting());
        const auto after = changes.count();
        QTest::qWait(150);
        QVERIFY(changes.count() - after <= 1);
        stepper.nextOperation();
        QVERIFY(stepper.active());
        session.setBatchSize(4);
        QVERIFY(QTest::qWaitFor([&] { return stepper.trace() != nullptr; }, 20000));
        QVERIFY(stepper.problem().isEmpty());
        QCOMPARE(stepper.trace()->examples, std::size_t(4));
    }

    void theEndOfTheRunIsSaid() {
        SessionController session;
        SessionSetup s = setup();
        s.experiment.train.epochs = 1;
        QVERIFY(open(session, std::move(s)));
        Stepper stepper(session);
        session.runEpochs(1);
        QVERIFY(QTest::qWaitFor([&] { return session.live().state == SessionState::finished; }, 10000));
        stepper.enter();
        QVERIFY(settle(stepper));
        stepper.setOperation(stepper.trace()->ops.size() - 1);
        QVERIFY(stepper.atEnd());
        stepper.nextOperation();
        QVERIFY(settle(stepper));
        QCOMPARE(session.live().step, 3u);
        QVERIFY(stepper.active());
    }

    void keysDriveTheWindow() {
        WindowFixture fixture;
        const auto window = fixture.window();
        SessionController& session = window->session();
        Stepper& stepper = window->stepping().stepper();
        // As a person leaves it: a panel closed, another made wider.
        window->docks().dock(QStringLiteral("loss"))->toggleViewAction()->trigger();
        window->docks().resizeDocks({window->docks().dock(QStringLiteral("load"))}, {340}, Qt::Horizontal);
        QTest::qWait(100);
        const QByteArray arrangement = window->docks().saveState();
        const auto key = [&](int k, Qt::KeyboardModifiers modifiers = Qt::NoModifier) {
            QTest::keyClick(window->focusWidget(), Qt::Key(k), modifiers);
            QVERIFY(
                QTest::qWaitFor([&] { return !stepper.active() || (stepper.trace() && !stepper.waiting()); }, 10000));
        };
        key(Qt::Key_Right);
        QVERIFY(stepper.active());
        QVERIFY(window->stepping().page()->isVisible());
        QVERIFY(!window->docks().isVisible());
        QVERIFY(!window->column().isVisible());
        QCOMPARE(stepper.operation(), std::size_t(0));
        key(Qt::Key_Right);
        key(Qt::Key_Right);
        QCOMPARE(stepper.operation(), std::size_t(2));
        key(Qt::Key_Left);
        QCOMPARE(stepper.operation(), std::size_t(1));
        key(Qt::Key_Down);
        key(Qt::Key_Down);
        key(Qt::Key_Up);
        QCOMPARE(stepper.example(), std::size_t(1));
        key(Qt::Key_Right, Qt::ShiftModifier);
        QCOMPARE(stepper.trace()->step, 1u);
        QCOMPARE(stepper.operation(), std::size_t(1));
        key(Qt::Key_Right, Qt::ControlModifier);
        QCOMPARE(session.live().epoch, 1u);
        QCOMPARE(stepper.trace()->step, session.live().step);
        key(Qt::Key_Left, Qt::ShiftModifier);
        QCOMPARE(stepper.trace()->step, session.live().step - 1);
        key(Qt::Key_Left, Qt::ControlModifier);
        QCOMPARE(stepper.trace()->step, 0u);
        TraceStage* stage = window->stepping().page()->stage();
        QTRY_VERIFY(!stage->playing());
        key(Qt::Key_Space);
        QVERIFY(stage->playing());
        QCOMPARE(session.live().state, SessionState::paused);
        key(Qt::Key_End);
        QCOMPARE(stepper.operation(), stepper.trace()->ops.size() - 1);
        key(Qt::Key_Home);
        key(Qt::Key_Left);
        QCOMPARE(stepper.operation(), std::size_t(0));
        key(Qt::Key_Escape);
        QVERIFY(!stepper.active());
        QVERIFY(window->docks().isVisible());
        QVERIFY(window->column().isVisible());
        QTest::qWait(100);
        QCOMPARE(window->docks().saveState(), arrangement);
        QCOMPARE(window->focusWidget(), window->docks().stage()->view());
        // Outside: the same keys, and Space is the run's again.
        session.lookAtNow();
        QTRY_VERIFY(!session.lookedAt());
        key(Qt::Key_Right, Qt::ShiftModifier);
        QTRY_COMPARE(session.live().step, 3u);
        QVERIFY(waitForState(session, SessionState::paused));
        session.setSpeed(50);
        key(Qt::Key_Space);
        QTRY_COMPARE(session.live().state, SessionState::running);
        key(Qt::Key_Space);
        QVERIFY(waitForState(session, SessionState::paused));
    }

    void buttonsLeadInAndOut() {
        WindowFixture fixture;
        const auto window = fixture.window();
        Stepper& stepper = window->stepping().stepper();
        QPushButton* step = nullptr;
        for (QPushButton* b : window->transport().findChildren<QPushButton*>())
            if (b->text() == QStringLiteral("Step through")) step = b;
        QVERIFY(step && step->isVisible());
        QTest::mouseClick(step, Qt::LeftButton);
        QVERIFY(settle(stepper));
        QVERIFY(stepper.active() && step->isChecked());
        QTest::mouseClick(window->stepping().list()->leaveButton(), Qt::LeftButton);
        QVERIFY(!stepper.active() && !step->isChecked());
        QTest::mouseClick(step, Qt::LeftButton);
        QVERIFY(stepper.active());
        QTest::mouseClick(step, Qt::LeftButton);
        QVERIFY(!stepper.active());
        // A click in the list goes there; play leaves and trains.
        QTest::mouseClick(step, Qt::LeftButton);
        OperationList* list = window->stepping().list()->operations();
        QTest::mouseClick(list, Qt::LeftButton, Qt::NoModifier,
                          list->currentPlace().center() + QPoint(0, 3 * list->currentPlace().height()));
        QCOMPARE(stepper.operation(), std::size_t(3));
        window->session().setSpeed(50);
        window->actions().play->trigger();
        QVERIFY(!stepper.active());
        QTRY_COMPARE(window->session().live().state, SessionState::running);
        window->session().pause();
        QVERIFY(waitForState(window->session(), SessionState::paused));
    }

    void anotherLessonEndsIt() {
        WindowFixture fixture;
        const auto window = fixture.window();
        Stepper& stepper = window->stepping().stepper();
        stepper.enter();
        QVERIFY(settle(stepper));
        window->session().runSteps(3);
        QTRY_COMPARE(stepper.trace()->step, 3u);
        QVERIFY(settle(stepper));
        window->bench().reset();
        QTRY_COMPARE(window->session().live().step, 0u);
        QTRY_COMPARE(stepper.trace()->step, 0u);
        QVERIFY(stepper.active());
        window->openFirstLesson(QStringLiteral("92-second"));
        QVERIFY(QTest::qWaitFor([&] { return !stepper.active(); }, 10000));
        QVERIFY(window->column().isVisible());
    }

    void numbersArePicked() {
        WindowFixture fixture;
        const auto window = fixture.window();
        window->resize(1280, 720);
        Stepper& stepper = window->stepping().stepper();
        SteppingPage* page = window->stepping().page();
        stepper.enter();
        QVERIFY(settle(stepper));
        QTest::qWait(100);
        for (std::size_t i = 0; i < stepper.trace()->ops.size(); ++i)
            if (stepper.trace()->ops[i].id == "gate_softmax_backward") stepper.setOperation(i);
        QTest::qWait(50);
        page->operation()->table()->grab();
        QSignalSpy picked(page, &SteppingPage::numberPicked);
        const NumberRef wanted{"d_gate_logits", 0, 2};
        const QRectF place = page->operation()->table()->placeOf(wanted);
        QVERIFY(!place.isEmpty());
        QTest::mouseClick(page->operation()->table(), Qt::LeftButton, Qt::NoModifier, place.center().toPoint());
        QCOMPARE(picked.count(), 1);
        QVERIFY(page->operation()->page().subject == wanted);
        QVERIFY(page->provenance()->number() == wanted);
        // One with a long name, too: setting the page anew takes the places away.
        for (std::size_t i = 0; i < stepper.trace()->ops.size(); ++i)
            if (stepper.trace()->ops[i].id == "weighted_sum_to_gate") stepper.setOperation(i);
        QTest::qWait(50);
        page->operation()->table()->grab();
        const NumberRef slope{"d_expert_weights", 0, 1};
        QTest::mouseClick(page->operation()->table(), Qt::LeftButton, Qt::NoModifier,
                          page->operation()->table()->placeOf(slope).center().toPoint());
        QCOMPARE(picked.count(), 2);
        QVERIFY(page->operation()->page().subject == slope);
        QVERIFY(page->provenance()->number() == slope);
        for (std::size_t i = 0; i < stepper.trace()->ops.size(); ++i)
            if (stepper.trace()->ops[i].id == "gate_softmax_backward") stepper.setOperation(i);
        QTest::qWait(50);
        // On the stage too: the first strip's first number.
        page->stage()->grab();
        for (const TraceStageScene::Spot& spot : page->stage()->scene().spots())
            if (spot.strip && spot.strip->first.name == "mean") {
                QTest::mouseClick(page->stage(), Qt::LeftButton, Qt::NoModifier,
                                  (spot.place.topLeft() + QPointF(1, 5)).toPoint());
                break;
            }
        QCOMPARE(picked.count(), 3);
        QCOMPARE(page->provenance()->number()->name, std::string("mean"));
        QVERIFY(page->operation()->copyText().contains(QStringLiteral("Gate softmax, backward")));
        // A link of where it comes from: the keys stay the page's.
        ProvenanceBody* body = page->provenance()->body();
        body->grab();
        const auto followed = page->provenance()->number();
        QTest::mouseClick(body, Qt::LeftButton, Qt::NoModifier, body->links().front().place.center().toPoint());
        QVERIFY(page->provenance()->number() != followed);
        QTest::keyClick(window->focusWidget(), Qt::Key_Down);
        QCOMPARE(stepper.example(), std::size_t(1));
    }

    void reducedMotionShowsTheEnd() {
        WindowFixture fixture;
        const auto window = fixture.window();
        Stepper& stepper = window->stepping().stepper();
        window->actions().reducedMotion->setChecked(true);
        stepper.enter();
        QVERIFY(settle(stepper));
        stepper.nextOperation();
        QVERIFY(!window->stepping().page()->stage()->playing());
        window->actions().reducedMotion->setChecked(false);
        stepper.nextOperation();
        QVERIFY(window->stepping().page()->stage()->playing());
        QTRY_VERIFY_WITH_TIMEOUT(!window->stepping().page()->stage()->playing(), 1500);
    }

    // Right held down over several batches: what the GUI thread works from one turn of the event loop to the next, in
    // processor time, so that a busy machine does not count.
    void nothingIsCut_data() {
        QTest::addColumn<QSize>("size");
        QTest::addColumn<bool>("longer");
        QTest::newRow("1280x720") << QSize(1280, 720) << false;
        QTest::newRow("1280x720, 40 % longer") << QSize(1280, 720) << true;
        QTest::newRow("1920x1080") << QSize(1920, 1080) << false;
        QTest::newRow("1920x1080, 40 % longer") << QSize(1920, 1080) << true;
    }

    void nothingIsCut() {
        QFETCH(QSize, size);
        QFETCH(bool, longer);
        LongerTexts translator;
        if (longer) QCoreApplication::installTranslator(&translator);
        WindowFixture fixture;
        const auto window = fixture.window();
        window->resize(size);
        QTest::qWait(150);
        SteppingPage* page = window->stepping().page();
        QStringList faults;
        for (const auto& [router, k, balance] : {std::tuple{"soft", "2", "0"}, std::tuple{"top_k", "1", "0.1"}}) {
            window->bench().applySettings({{"router", router}, {"top_k", k}, {"balance_loss", balance}});
            QTRY_COMPARE(window->session().snapshot().experiment.model.router, std::string(router));
            window->session().runSteps(3);
            QTRY_VERIFY(window->session().live().step == 3 && window->session().resting());
            Stepper& stepper = window->stepping().stepper();
            stepper.enter();
            QVERIFY(settle(stepper));
            for (std::size_t op = 0; op < stepper.trace()->ops.size(); ++op) {
                stepper.setOperation(op);
                QTest::qWait(5);
                window->grab();
                const QString where = QString::fromStdString(stepper.trace()->ops[op].id);
                for (const QString& cut : page->stage()->scene().cutTexts())
                    faults << where + QStringLiteral(" stage: ") + cut;
                for (const QString& cut : page->operation()->table()->cutTexts())
                    faults << where + QStringLiteral(" table: ") + cut;
                for (const QString& cut : window->stepping().list()->operations()->cutTexts())
                    faults << where + QStringLiteral(" list: ") + cut;
                for (QWidget* root :
                     {static_cast<QWidget*>(page->operation()), static_cast<QWidget*>(window->stepping().list()),
                      static_cast<QWidget*>(&window->transport())})
                    for (QWidget* w : root->findChildren<QWidget*>()) {
                        if (!w->isVisible()) continue;
                        const auto* label = qobject_cast<QLabel*>(w);
                        const auto* button = qobject_cast<QPushButton*>(w);
                        bool cut = false;
                        if (label && !label->text().isEmpty())
                            cut = label->wordWrap() ? label->heightForWidth(label->width()) > label->height()
                                                    : label->sizeHint().width() > label->width() + 1;
                        if (button && !button->text().isEmpty())
                            cut = button->minimumSizeHint().width() > button->width() + 1;
                        if (cut)
                            faults << where + QStringLiteral(": %1x%2 ").arg(w->width()).arg(w->height()) +
                                          (label ? label->text() : button->text());
                    }
            }
            stepper.leave();
        }
        faults.removeDuplicates();
        if (longer) QCoreApplication::removeTranslator(&translator);
        QVERIFY2(faults.isEmpty(), qPrintable(faults.join(u'\n')));
    }

    void tablesAreSeenWhole_data() {
        QTest::addColumn<QSize>("size");
        QTest::addColumn<QString>("router");
        QTest::addColumn<QString>("family");
        for (const QSize size : {QSize(1280, 720), QSize(1920, 1080)})
            for (const FamilyInfo& family : families)
                for (const char* router : {"soft", "top_k"})
                    QTest::addRow("%s, %s at %d", family.id.data(), router, size.width())
                        << size << QString::fromLatin1(router) << QString::fromLatin1(family.id.data());
    }

    // Eight experts, with a balance loss: no table is scrolled for want of narrower rows, but the update's under its
    // four formulas; no note and no number is cut.
    void tablesAreSeenWhole() {
        QFETCH(QSize, size);
        QFETCH(QString, router);
        QFETCH(QString, family);
        WindowFixture fixture;
        const auto window = fixture.window();
        window->resize(size);
        window->bench().applySettings({{"family", family.toStdString()},
                                       {"router", router.toStdString()},
                                       {"num_experts", "8"},
                                       {"balance_loss", "0.05"}});
        QTRY_COMPARE(window->session().snapshot().experiment.model.num_experts, std::size_t(8));
        window->session().runSteps(3);
        QTRY_VERIFY(window->session().live().step == 3 && window->session().resting());
        Stepper& stepper = window->stepping().stepper();
        stepper.enter();
        QVERIFY(settle(stepper));
        OperationView* view = window->stepping().page()->operation();
        QStringList faults;
        for (std::size_t op = 0; op < stepper.trace()->ops.size(); ++op) {
            stepper.setOperation(op);
            QTest::qWait(5);
            view->grab();
            const QString id = QString::fromStdString(stepper.trace()->ops[op].id);
            const auto* place = view->findChild<QScrollArea*>();
            if (id != QStringLiteral("adam") && view->table()->height() > place->viewport()->height())
                faults << QStringLiteral("%1: %2 in %3").arg(id).arg(view->table()->height()).arg(place->height());
            for (const QString& cut : view->table()->cutTexts()) faults << id + QStringLiteral(": ") + cut;
        }
        QVERIFY2(faults.isEmpty(), qPrintable(faults.join(u'\n')));
    }

    // Many experts, long phrases, the largest model a class may open: the picture stays whole and fast.
    void largeModelsFit() {
        std::string text;
        for (int i = 0; i < 130; ++i)
            text += "w" + std::to_string(i % 97) + " averyveryverylongword" + std::to_string(i) + " ";
        for (const auto& [router, experts, k, family] :
             {std::tuple{"soft", 64, 2, "pooled"}, std::tuple{"top_k", 64, 8, "pooled"},
              std::tuple{"top_k", 9, 9, "pooled"}, std::tuple{"soft", 1, 1, "pooled"},
              std::tuple{"soft", 16, 2, "token"}, std::tuple{"top_k", 64, 8, "token"}}) {
            SessionController session;
            QVERIFY(
                open(session, setup(router, std::size_t(k), 0.01, true, std::size_t(experts), text.c_str(), family)));
            Stepper stepper(session);
            stepper.enter();
            QVERIFY(settle(stepper));
            std::size_t longest = 0;
            for (std::size_t n = 0; n < stepper.trace()->examples; ++n)
                if (examplePhrase(*stepper.trace(), n, *stepper.words()).words.size() >
                    examplePhrase(*stepper.trace(), longest, *stepper.words()).words.size())
                    longest = n;
            stepper.setExample(longest);
            TraceStage stage(nullptr);
            stage.setTheme(Theme::light());
            stage.setWords(stepper.words());
            stage.resize(1004, 268);
            OperationView view(nullptr);
            view.setTheme(Theme::light());
            view.resize(624, 340);
            for (std::size_t op = 0; op < stepper.trace()->ops.size(); ++op) {
                QElapsedTimer clock;
                clock.start();
                stage.show(stepper.trace(), op, stepper.example(), false);
                const double a = double(clock.nsecsElapsed()) / 1e6;
                view.showOperation(stepper.trace(), op, stepper.example(), stepper.words());
                const double b = double(clock.nsecsElapsed()) / 1e6;
                stage.grab();
                const double c = double(clock.nsecsElapsed()) / 1e6;
                view.grab();
                const double d = double(clock.nsecsElapsed()) / 1e6;
                if (qEnvironmentVariableIsSet("MOELAB_TIMES"))
                    qInfo("%s %d: stage %.1f, page %.1f, paint %.1f and %.1f ms", stepper.trace()->ops[op].id.c_str(),
                          experts, a, b - a, c - b, d - c);
                int told = 0;
                for (const TraceStageScene::Spot& spot : stage.scene().spots()) {
                    QVERIFY2(QRectF(stage.rect()).contains(spot.place), qPrintable(spot.tip));
                    if (spot.strip)
                        QVERIFY2(!stepper.trace()->find(spot.strip->title.toStdString()) &&
                                     !FormulaText(spot.strip->title).plain().contains(QStringLiteral("hidden_")),
                                 qPrintable(spot.strip->title));
                    // Eight chosen of 64, five of them have boxes.
                    if (k == 8 && spot.tip.startsWith(QStringLiteral("All the other experts")))
                        told += spot.tip.contains(QStringLiteral("3 of them chosen, 56 not"));
                }
                QVERIFY(stage.scene().cutTexts().filter(QStringLiteral("chosen")).isEmpty());
                if (k == 8) QCOMPARE(told, op > (std::string_view(family) == "token" ? 2 : 3) ? 1 : 0);
            }
        }
    }
};

}  // namespace moe::app

QTEST_MAIN(moe::app::SteppingTest)
#include "stepping_test.moc"
