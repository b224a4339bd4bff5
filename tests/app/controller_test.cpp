#include "window_fixture.h"

#include <QSignalSpy>

namespace moe::app {

class ControllerTest : public QObject {
    Q_OBJECT

private:
    static SessionSetup setup(std::size_t experts = 4) {
        SessionSetup s;
        s.experiment.model.num_experts = experts;
        s.experiment.train.epochs = 1000000;
        s.corpus = Corpus::from_text("four lines", tiny_corpus);
        s.probe = "hello world";
        return s;
    }

private Q_SLOTS:
    void opensOnTheGuiThread() {
        SessionController session;
        QCOMPARE(session.snapshot().state, SessionState::empty);
        QSignalSpy structure(&session, &SessionController::structureChanged);
        std::optional<QString> answer;
        QThread* thread = nullptr;
        session.open(setup(), [&](const QString& error) {
            answer = error;
            thread = QThread::currentThread();
            // The model's first picture is there when the answer comes.
            QCOMPARE(session.snapshot().state, SessionState::ready);
            QVERIFY(session.corpus() != nullptr);
        });
        QVERIFY(!answer);
        QTRY_VERIFY(answer.has_value());
        QCOMPARE(*answer, QString());
        QCOMPARE(thread, QThread::currentThread());
        QVERIFY(structure.count() >= 1);
        QCOMPARE(session.snapshot().probe.prefix_words.size(), std::size_t(2));
    }

    void refusalLeavesTheModel() {
        SessionController session;
        session.open(setup());
        QTRY_COMPARE(session.snapshot().state, SessionState::ready);
        const auto generation = session.snapshot().generation;
        SessionSetup bad = setup();
        bad.experiment.model.router = "top_k";
        bad.experiment.model.top_k = 9;
        std::optional<QString> answer;
        session.open(bad, [&](const QString& error) { answer = error; });
        QTRY_VERIFY(answer.has_value());
        QVERIFY(!answer->isEmpty());
        QCOMPARE(session.snapshot().generation, generation);
    }

    void aSaveThatCannotBeIsAnswered() {
        SessionController session;
        std::optional<QString> why;
        session.save([](SavedRun) { QFAIL("nothing was opened"); }, [&](const QString& error) { why = error; });
        QTRY_VERIFY(why.has_value());
        QVERIFY(!why->isEmpty());
    }

    void openingTwiceEndsWithTheSecond() {
        SessionController session;
        QStringList answers;
        session.open(setup(2), [&](const QString&) { answers << QStringLiteral("first"); });
        session.open(setup(3), [&](const QString&) { answers << QStringLiteral("second"); });
        QTRY_COMPARE(answers.size(), 2);
        QCOMPARE(answers.last(), QStringLiteral("second"));
        QCOMPARE(session.snapshot().experiment.model.num_experts, std::size_t(3));
    }

    void restsWhenNothingMoves() {
        SessionController session;
        session.open(setup());
        QTRY_VERIFY(session.snapshot().state == SessionState::ready && session.resting());
        const int frames = session.framesPulled();
        QTest::qWait(400);
        QCOMPARE(session.framesPulled(), frames);
    }

    void movesWithTheTraining() {
        SessionController session;
        session.open(setup());
        QTRY_COMPARE(session.snapshot().state, SessionState::ready);
        QSignalSpy values(&session, &SessionController::valuesChanged);
        session.play();
        QTest::qWait(600);
        QVERIFY2(values.count() >= 20, qPrintable(QString::number(values.count())));  // of 37 frames
        QVERIFY(session.snapshot().step > 10);
        session.pause();
        QTRY_VERIFY(session.snapshot().state == SessionState::paused && session.resting());
    }

    void probeIsToldAndFocusKept() {
        SessionController session;
        session.open(setup());
        QTRY_COMPARE(session.snapshot().state, SessionState::ready);
        QSignalSpy edited(&session, &SessionController::probeEdited);
        session.setProbe(QStringLiteral("how are you"), 2);
        QCOMPARE(edited.count(), 1);
        QCOMPARE(edited[0][0].toString(), QStringLiteral("hello world"));
        QTRY_COMPARE(session.snapshot().probe.prefix_words.size(), std::size_t(3));
        QCOMPARE(session.focusedPrefix(), std::size_t(2));
        session.setFocusedPrefix(0);
        QCOMPARE(session.focusedPrefix(), std::size_t(0));
        QTRY_COMPARE(session.snapshot().probe.focus, std::size_t(0));
        QCOMPARE(edited.count(), 1);
    }

    void showsAMomentAndTheRunBesideIt() {
        SessionController session;
        session.open(setup());
        QTRY_COMPARE(session.snapshot().state, SessionState::ready);
        session.runSteps(50);
        QTRY_VERIFY(session.snapshot().step == 50 && session.resting());
        QSignalSpy structure(&session, &SessionController::structureChanged);
        QSignalSpy values(&session, &SessionController::valuesChanged);
        QSignalSpy live(&session, &SessionController::liveChanged);
        QSignalSpy moment(&session, &SessionController::momentChanged);
        session.lookAt(20);
        QCOMPARE(session.lookedAt(), std::optional<std::uint64_t>(20));
        QCOMPARE(moment.count(), 1);
        QTRY_COMPARE(session.snapshot().step, std::uint64_t(20));
        QCOMPARE(session.snapshot().newest_step, std::uint64_t(50));
        QCOMPARE(session.snapshot().state, SessionState::paused);
        QCOMPARE(session.live().step, std::uint64_t(50));
        QCOMPARE(values.count(), 1);
        QCOMPARE(structure.count(), 0);
        QTRY_VERIFY(session.resting());

        // The focus, and another phrase, at that moment.
        session.setFocusedPrefix(1);
        QTRY_COMPARE(session.snapshot().probe.focus, std::size_t(1));
        QCOMPARE(session.snapshot().step, std::uint64_t(20));
        session.setProbe(QStringLiteral("how are you"), 2);
        QTRY_COMPARE(session.snapshot().probe.prefix_words.size(), std::size_t(3));
        QTRY_COMPARE(session.snapshot().probe.text, std::string("how are you"));
        QCOMPARE(session.snapshot().step, std::uint64_t(20));
        QVERIFY(structure.count() >= 1);

        // Training goes on beside it.
        live.clear();
        session.runSteps(30);
        QTRY_COMPARE(session.live().step, std::uint64_t(80));
        QVERIFY(live.count() >= 1);
        QCOMPARE(session.snapshot().step, std::uint64_t(20));
        QTRY_COMPARE(session.snapshot().newest_step, std::uint64_t(80));
        QTRY_VERIFY(session.resting());

        session.lookAtNow();
        QCOMPARE(session.snapshot().step, std::uint64_t(80));
        QVERIFY(!session.lookedAt());
        QTRY_VERIFY(session.resting());
    }

    void answersOnTheGuiThread() {
        SessionController session;
        session.open(setup());
        QTRY_COMPARE(session.snapshot().state, SessionState::ready);
        session.runSteps(50);
        QTRY_VERIFY(session.snapshot().step == 50 && session.resting());
        Answer<Trace> trace, phrase;
        Answer<RunState> state;
        Answer<NormCurves> norms;
        QThread* thread = nullptr;
        session.trace(7, [&](Answer<Trace> a) {
            trace = std::move(a);
            thread = QThread::currentThread();
            session.stateAt(7, [&](Answer<RunState> s) { state = std::move(s); });  // from within an answer
        });
        session.tracePhrase(50, QStringLiteral("hello world"), 0, [&](Answer<Trace> a) { phrase = std::move(a); });
        session.norms([&](Answer<NormCurves> a) { norms = std::move(a); });
        QTRY_VERIFY(trace.value && phrase.value && state.value && norms.value);
        QCOMPARE(thread, QThread::currentThread());
        QVERIFY(trace.value->state->parameters == state.value->parameters);
        QCOMPARE(phrase.value->examples, std::size_t(1));
        QCOMPARE(norms.value->steps.back(), std::uint64_t(50));
    }

    void goesOnFromAMoment() {
        SessionController session;
        session.open(setup());
        QTRY_COMPARE(session.snapshot().state, SessionState::ready);
        session.runSteps(50);
        QTRY_COMPARE(session.snapshot().step, std::uint64_t(50));
        session.lookAt(20);
        QTRY_COMPARE(session.snapshot().step, std::uint64_t(20));
        std::optional<QString> answer;
        session.continueFrom(20, [&](const QString& error) {
            answer = error;
            QCOMPARE(session.live().step, std::uint64_t(20));
            QCOMPARE(session.snapshot().newest_step, std::uint64_t(20));
        });
        QTRY_VERIFY(answer.has_value());
        QCOMPARE(*answer, QString());
        QVERIFY(!session.lookedAt());
        session.runSteps(1);
        QTRY_COMPARE(session.snapshot().step, std::uint64_t(21));
    }

    void anotherModelLeavesThePast() {
        SessionController session;
        session.open(setup());
        QTRY_COMPARE(session.snapshot().state, SessionState::ready);
        session.runSteps(50);
        QTRY_COMPARE(session.snapshot().step, std::uint64_t(50));
        session.lookAt(20);
        QTRY_COMPARE(session.snapshot().step, std::uint64_t(20));
        QSignalSpy moment(&session, &SessionController::momentChanged);
        session.reset();
        QTRY_COMPARE(session.snapshot().state, SessionState::ready);
        QVERIFY(!session.lookedAt());
        QVERIFY(moment.count() >= 1);
    }
};

}  // namespace moe::app

QTEST_MAIN(moe::app::ControllerTest)
#include "controller_test.moc"
