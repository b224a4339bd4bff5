// Kills the window's process at random moments while it trains, saves and autosaves, and looks at what is left.
// MOE_KILLS sets how many (40), MOE_KILLS_PACE=real the program's own autosave pace with lives of up to 25 s.
#include "app/shell/notice.h"
#include "app/shell/session_desk.h"
#include "app/shell/workbench.h"
#include "engine/core/atomic_file.h"
#include "engine/core/error.h"
#include "engine/core/rng.h"
#include "tests/support/read_sessions.h"
#include "window_fixture.h"

#include <QApplication>
#include <QProcess>
#include <QPushButton>

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

namespace moe::app {

namespace {

namespace fs = std::filesystem;

bool realPace() {
    return qgetenv("MOE_KILLS_PACE") == "real";
}

void say(const QByteArray& line) {
    const QByteArray all = line + '\n';
    if (::write(STDOUT_FILENO, all.constData(), std::size_t(all.size())) != all.size()) ::_exit(1);
}

/// The process that is killed: a window that trains on, saves again and again, and is edited.
class Life : public QObject {
public:
    Life(const QString& folder, bool restoring) : file_((folder + QStringLiteral("/saved.keras")).toStdString()) {
        WindowOptions options;
        options.lessons = loadLessons(folder + QStringLiteral("/lessons"));
        options.h5.file = MOE_H5_PROGRAM;
        options.autosave.root = (folder + QStringLiteral("/autosave")).toStdString();
        if (!realPace()) {
            options.autosave.look = 10;
            options.autosave.after_edit = options.autosave.after_training = 40;
        }
        window_ = std::make_unique<MainWindow>(std::move(options));
        window_->show();
        window_->openFirstLesson(QStringLiteral("91-first"));
        clock_.start();
        connect(&timer_, &QTimer::timeout, this, [this, restoring] { tick(restoring); });
        timer_.start(5);
    }

private:
    void tick(bool restoring) {
        SessionController& session = window_->session();
        if (session.live().state == SessionState::empty || window_->bench().busy()) return;
        if (restoring && !begun_) {
            if (!asked_) window_->desk().start();
            asked_ = true;
            for (QPushButton* b : window_->notice().findChildren<QPushButton*>())
                if (b->text() == QStringLiteral("Restore") && b->isVisible()) b->click();
            if (session.live().step == 0 || window_->desk().recovery().waiting() > 0) return;
            say("restored " + QByteArray::number(qulonglong(session.live().step)));
        }
        if (!begun_) {
            begun_ = true;
            say("ready");
            session.trainOn(1'000'000);
            save();
        }
        // The clock is read first: what is said was reached by then at the latest.
        const QByteArray now = QByteArray::number(clock_.elapsed());
        say("at " + now + ' ' + QByteArray::number(qulonglong(session.live().step)) + ' ' + QByteArray::number(edits_));
        if (++ticks_ % 4 == 0) window_->bench().setNotes(QString::number(++edits_));
    }

    void save() {
        window_->bench().saveModel(file_, [this] {
            say("saved " + QByteArray::number(qulonglong(window_->bench().identity().saved_step)));
            QTimer::singleShot(realPace() ? 60'000 : 60, this, [this] { save(); });
        });
    }

    fs::path file_;
    std::unique_ptr<MainWindow> window_;
    QTimer timer_;
    QElapsedTimer clock_;
    bool begun_ = false, asked_ = false;
    int ticks_ = 0, edits_ = 0;
};

/// What the killed process said, line by line.
struct LastWords {
    bool ready = false;
    std::uint64_t saved = 0, restored = 0;
    bool any_saved = false;
    struct At {
        qint64 time;
        std::uint64_t step;
        int edits;
    };
    std::vector<At> at;

    explicit LastWords(const QByteArray& out) {
        for (const QByteArray& line : out.left(out.lastIndexOf('\n') + 1).split('\n')) {
            const QList<QByteArray> words = line.split(' ');
            if (words[0] == "ready") ready = true;
            if (words[0] == "saved") saved = words[1].toULongLong(), any_saved = true;
            if (words[0] == "restored") restored = words[1].toULongLong();
            if (words[0] == "at") at.push_back({words[1].toLongLong(), words[2].toULongLong(), words[3].toInt()});
        }
    }
};

}  // namespace

class KillTest : public QObject {
    Q_OBJECT

private:
    /// The run as nobody interrupted it: every state that is found must be one of its own.
    TrainingSession reference_{SessionOptions{{"cpu", 1}}};

    void checkBits(const RunState& found) {
        const std::uint64_t newest = reference_.take()->newest_step;
        if (found.step > newest) {
            reference_.run_steps(found.step - newest + 1000);
            reference_.wait();
        }
        const Answer<RunState> was = reference_.state_at(found.step).get();
        QVERIFY2(was.value, was.error.c_str());
        const RunState& w = *was.value;
        const QByteArray differs = QByteArray(found.parameters == w.parameters ? "" : "parameters ") +
                                   (found.momentum == w.momentum && found.velocity == w.velocity ? "" : "moments ") +
                                   (found.next_example == w.next_example ? "" : "position ") +
                                   (found.epochs.finished() == w.epochs.finished() ? "" : "epochs ");
        QVERIFY2(differs.isEmpty(), "at step " + QByteArray::number(qulonglong(found.step)) + ": " + differs);
    }

private Q_SLOTS:
    void initTestCase() {
        QVERIFY(lessons_.isValid());
        QDir(lessons_.path()).mkpath(QStringLiteral("lessons/91-first"));
        writeText(lessons_.filePath(QStringLiteral("lessons/91-first/lesson.json")), tiny_lesson);
        writeText(lessons_.filePath(QStringLiteral("lessons/91-first/corpus.txt")), tiny_corpus);
        const LessonList list = loadLessons(lessons_.filePath(QStringLiteral("lessons")));
        const auto lesson = std::ranges::find(list.lessons, QStringLiteral("91-first"), &Lesson::id);
        QVERIFY(lesson != list.lessons.end());
        SessionSetup setup;
        setup.corpus = loadCorpus(*lesson);
        setup.experiment = lesson->experiment;
        reference_.open(setup);
        reference_.set_target_epochs(2'000'000);
    }

    void nothingIsLostWhateverTheMoment() {
        const int kills =
            std::max(1, qEnvironmentVariableIntValue("MOE_KILLS") ? qEnvironmentVariableIntValue("MOE_KILLS") : 40);
        const bool real = realPace();
        // A third of each pace's promise is left for a machine that is busy with other tests.
        const qint64 most_training = real ? 10'000 : 3'000, most_edits = real ? 5'000 : 3'000;
        const fs::path root = lessons_.filePath(QStringLiteral("autosave")).toStdString(),
                       file = lessons_.filePath(QStringLiteral("saved.keras")).toStdString();
        Rng rng(20'261'122);
        qint64 worst_training = 0, worst_edits = 0;
        int saves = 0, autosaves = 0, restores = 0, temporaries = 0;
        std::string before;           // the saved file's bytes before this life
        std::uint64_t left_step = 0;  // of the autosave that lies there
        for (int life = 0; life < kills; ++life) {
            const bool restoring = left_step > 0 && life % 3 == 2;
            if (!restoring) {
                fs::remove_all(root);
                left_step = 0;
            }
            QProcess process;
            process.start(QCoreApplication::applicationFilePath(),
                          {QStringLiteral("--life"), lessons_.path(),
                           restoring ? QStringLiteral("restore") : QStringLiteral("fresh")});
            QVERIFY(process.waitForStarted());
            // Some die while the window is still being made.
            QByteArray out;
            const bool early = life % 10 == 9;
            while (!early && !out.contains("ready") && process.state() == QProcess::Running) {
                if (!process.waitForReadyRead(20'000)) break;
                out += process.readAllStandardOutput();
            }
            QElapsedTimer lived;
            lived.start();
            const qint64 span = early  ? qint64(rng.below(250))
                                : real ? 9'000 + qint64(rng.below(16'000))
                                       : qint64(rng.below(600));
            while (lived.elapsed() < span) {
                process.waitForReadyRead(int(std::max<qint64>(1, std::min<qint64>(span - lived.elapsed(), 50))));
                out += process.readAllStandardOutput();
            }
            QCOMPARE(process.state(), QProcess::Running);
            ::kill(pid_t(process.processId()), SIGKILL);
            QVERIFY(process.waitForFinished(10'000));
            out += process.readAllStandardOutput();
            const LastWords words(out);
            QVERIFY2(early || words.ready, out.right(300).constData());

            // The saved file is the old one or a new complete one, never less than what was said to be saved.
            std::string now;
            if (fs::exists(file)) now = read_file(file);
            QVERIFY(!now.empty() || before.empty());
            std::uint64_t in_file = 0;
            if (now != before || words.any_saved) {
                const LoadedSession saved = load_session(file);
                QVERIFY(saved.whole);
                checkBits(*saved.setup.state);
                in_file = saved.setup.state->step;
                QVERIFY(in_file >= words.saved);
                ++saves;
            }
            before = now;

            // The autosave opens, is a state of the run, and is young enough.
            std::vector<Leftover> left = find_leftovers(root);
            std::uint64_t newest = 0;
            int edits = 0;
            for (const Leftover& leftover : left) {
                QVERIFY2(leftover.problem.empty(), leftover.problem.c_str());
                const LoadedSession session = load_session(leftover.slot->file());
                QVERIFY(session.whole);
                checkBits(*session.setup.state);
                if (session.setup.state->step >= newest) {
                    newest = session.setup.state->step;
                    edits = QString::fromStdString(session.scene.notes).toInt();
                }
                for (const auto& entry : fs::directory_iterator(leftover.slot->folder()))
                    temporaries += entry.path().extension() == ".tmp";
            }
            // What a file holds is not kept twice; notes are typed on all the time, so that this is a moment's.
            const bool by_file = in_file > newest;
            const std::uint64_t kept = newest;
            newest = std::max(newest, in_file);
            QVERIFY2(newest >= left_step, "life " + QByteArray::number(life) + ": a session of step " +
                                              QByteArray::number(qulonglong(left_step)) + " was to be restored, and " +
                                              QByteArray::number(qulonglong(newest)) + " is left in " +
                                              QByteArray::number(qulonglong(left.size())) +
                                              " autosaves after: " + out.right(400));
            QVERIFY(left.size() <= 2);
            autosaves += !left.empty();
            restores += words.restored > 0;
            if (!words.at.empty() && (words.restored == 0 || newest > words.restored)) {
                const LastWords::At last = words.at.back();
                qint64 held_training = 0, held_edits = 0;  // until when nothing is lost
                for (const LastWords::At& at : words.at) {
                    if (at.step <= newest) held_training = at.time;
                    if (at.edits <= edits) held_edits = at.time;
                }
                if (!left.empty()) {
                    worst_training = std::max(worst_training, last.time - held_training);
                    if (!by_file) worst_edits = std::max(worst_edits, last.time - held_edits);
                } else {
                    QVERIFY2(last.time - words.at.front().time < most_training, "nothing was kept in time");
                }
            }
            QVERIFY2(worst_training < most_training, qPrintable(QString::number(worst_training)));
            QVERIFY2(worst_edits < most_edits, qPrintable(QString::number(worst_edits)));
            left_step = kept;
        }
        qInfo(
            "%d kills: %d saved files anew, %d with an autosave, %d in a restored session, %d half-written files "
            "beside them; at most %lld ms of training and %lld ms of edits lost",
            kills, saves, autosaves, restores, temporaries, static_cast<long long>(worst_training),
            static_cast<long long>(worst_edits));
        QVERIFY(saves > kills / 4);
        QVERIFY(autosaves > kills / 5);
    }

private:
    QTemporaryDir lessons_;
};

}  // namespace moe::app

int main(int argc, char** argv) {
    QApplication application(argc, argv);
    if (argc == 4 && QByteArray(argv[1]) == "--life") {
        const moe::app::Life life(QString::fromLocal8Bit(argv[2]), QByteArray(argv[3]) == "restore");
        return QApplication::exec();
    }
    moe::app::KillTest test;
    return QTest::qExec(&test, argc, argv);
}

#include "kill_test.moc"
