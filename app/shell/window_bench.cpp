#include "app/shell/window_bench.h"

#include "app/shell/main_window.h"
#include "app/shell/stepping_control.h"
#include "app/shell/workbench.h"
#include "app/views/stage_bench.h"
#include "engine/core/error.h"
#include "engine/core/thread_time.h"

#include <QApplication>
#include <QElapsedTimer>
#include <QEventLoop>
#include <QProcess>
#include <QTimer>

#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <thread>
#include <vector>

namespace moe::app {

namespace {

constexpr int pairs = 5, piece = 700, beat = 4, rest = 2000;  // milliseconds
constexpr std::uint64_t endless = 1'000'000'000;

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

void letRun(int milliseconds) {
    QEventLoop loop;
    QTimer::singleShot(milliseconds, Qt::PreciseTimer, &loop, &QEventLoop::quit);
    loop.exec();
}

double cpuSeconds() {
    rusage used{};
    getrusage(RUSAGE_SELF, &used);
    const auto seconds = [](const timeval& t) { return double(t.tv_sec) + double(t.tv_usec) * 1e-6; };
    return seconds(used.ru_utime) + seconds(used.ru_stime);
}

/// Of every thread but this one: the training's.
double trainingSeconds() {
    return cpuSeconds() - thread_seconds();
}

struct Rate {
    double steps_per_second = 0, steps_per_processor_second = 0;
};

/// From its making on.
class Stopwatch {
public:
    Rate stop(std::uint64_t steps) const {
        return {double(steps) / (double(timer_.nsecsElapsed()) * 1e-9),
                double(steps) / (trainingSeconds() - training_)};
    }

private:
    static QElapsedTimer started() {
        QElapsedTimer timer;
        timer.start();
        return timer;
    }
    QElapsedTimer timer_ = started();
    double training_ = trainingSeconds();
};

double firstFrame() {
    QProcess program;
    QElapsedTimer timer;
    timer.start();
    program.start(QCoreApplication::applicationFilePath(), {QStringLiteral("--first-frame")}, QIODevice::ReadOnly);
    const bool painted = program.waitForReadyRead(20000);
    const double milliseconds = double(timer.nsecsElapsed()) * 1e-6;
    program.waitForFinished(5000);
    if (!painted) throw Error("The window did not paint within 20 seconds.");
    return milliseconds;
}

/// Steps a second of a session that nobody watches, on the same corpus and settings.
Rate unwatched(const SavedRun& run) {
    TrainingSession session;
    SessionSetup setup;
    setup.experiment = run.state.experiment;
    setup.experiment.train.epochs = endless;
    setup.corpus = run.corpus;
    setup.probe = run.probe;
    session.open(std::move(setup));
    session.play();
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    session.take();
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    const std::uint64_t before = session.take()->step;
    const Stopwatch watch;
    std::this_thread::sleep_for(std::chrono::milliseconds(piece));
    session.pause();
    session.wait();
    return watch.stop(session.take()->step - before);
}

Rate watched(SessionController& session) {
    session.trainOn(endless);
    letRun(100);
    const std::uint64_t before = session.snapshot().step;
    const Stopwatch watch;
    letRun(piece);
    const Rate rate = watch.stop(session.snapshot().step - before);
    session.pause();
    letRun(50);
    return rate;
}

/// How late a timer of `beat` milliseconds comes while `act` is done every `pause` milliseconds, sorted.
std::vector<double> lateness(const std::function<void(int turn)>& act = {}, int pause = 50) {
    std::vector<double> late;
    QTimer heart, hand;
    heart.setTimerType(Qt::PreciseTimer);
    heart.setInterval(beat);
    QElapsedTimer since;
    QObject::connect(&heart, &QTimer::timeout, [&] {
        late.push_back(std::max(0.0, double(since.nsecsElapsed()) * 1e-6 - beat));
        since.restart();
    });
    int turn = 0;
    QObject::connect(&hand, &QTimer::timeout, [&] { act(turn++); });
    letRun(200);
    since.start();
    heart.start();
    if (act) hand.start(pause);
    letRun(3000);
    std::sort(late.begin(), late.end());
    return late;
}

double p99(const std::vector<double>& sorted) {
    return sorted[sorted.size() * 99 / 100];
}

}  // namespace

WindowFigures measureWindow() {
    if (!std::getenv("DISPLAY") && !std::getenv("WAYLAND_DISPLAY")) qputenv("QT_QPA_PLATFORM", "offscreen");
    int argc = 1;
    char name[] = "moelab";
    char* argv[] = {name, nullptr};
    const QApplication application(argc, argv);
    QApplication::setStyle(QStringLiteral("Fusion"));
    WindowFigures figures;
    std::vector<double> first;
    for (int i = 0; i < 3; ++i) first.push_back(firstFrame());
    figures.first_frame = median(first);

    WindowOptions options;
    options.lessons = loadLessons();
    if (options.lessons.lessons.empty()) throw Error("There is no lesson in the program to measure with.");
    MainWindow window(std::move(options));
    window.resize(1280, 720);
    window.show();
    window.openFirstLesson();
    SessionController& session = window.session();
    while (session.snapshot().state == SessionState::empty) letRun(20);
    session.setSpeed(0);
    SavedRun run;
    bool saved = false;
    session.save([&](SavedRun r) {
        run = std::move(r);
        saved = true;
    });
    while (!saved) letRun(20);

    std::vector<double> lost, published;
    for (int i = 0; i < pairs; ++i) {
        const Rate alone = unwatched(run), seen = watched(session);
        lost.push_back(1 - seen.steps_per_second / alone.steps_per_second);
        published.push_back(1 - seen.steps_per_processor_second / alone.steps_per_processor_second);
    }
    figures.watching = median(lost);
    figures.publishing = median(published);
    session.trainOn(endless);
    const std::vector<double> late = lateness();
    figures.loop_p99 = p99(late);
    figures.loop_worst = late.back();
    figures.frame = session.frameMilliseconds();
    // The strip is dragged to and fro while training goes on behind it.
    figures.scrubbing_p99 = p99(lateness(
        [&](int turn) { session.lookAt(session.live().step / 100 * std::uint64_t(std::abs(turn * 7 % 200 - 100))); }));
    session.lookAtNow();
    session.pause();
    letRun(200);
    Stepper& stepper = window.stepping().stepper();
    stepper.enter();
    figures.stepping_p99 = p99(lateness([&](int) { stepper.nextOperation(); }, 200));
    stepper.leave();
    figures.stage = stageFrameMilliseconds(500, QSizeF(716, 386));
    letRun(500);
    const double before = cpuSeconds();
    letRun(rest);
    figures.idle = (cpuSeconds() - before) / (rest * 1e-3);
    return figures;
}

}  // namespace moe::app
