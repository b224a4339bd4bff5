#undef QT_NO_CAST_FROM_ASCII  // literals of tests

#include "app/export/animation.h"
#include "app/shell/animation_dialog.h"
#include "app/shell/export_actions.h"
#include "app/shell/export_dialog.h"
#include "app/shell/figure_sources.h"
#include "app/shell/workbench.h"
#include "engine/core/atomic_file.h"
#include "engine/core/error.h"
#include "tests/app/snapshots.h"
#include "tests/app/window_fixture.h"

#include <QCheckBox>
#include <QLineEdit>

using namespace moe;
using namespace moe::app;

namespace {

/// What an animated WebP says of itself: the size of its sheet and how long each frame is shown, read from its chunks.
struct WebpFrames {
    int width = 0, height = 0, loops = -1;
    std::vector<int> milliseconds;
};

WebpFrames readWebp(const std::string& bytes) {
    const auto number = [&](std::size_t at, int count) {
        int value = 0;
        for (int i = 0; i < count; ++i)
            value |= int(static_cast<unsigned char>(bytes.at(at + std::size_t(i)))) << 8 * i;
        return value;
    };
    WebpFrames frames;
    if (bytes.substr(0, 4) != "RIFF" || bytes.substr(8, 4) != "WEBP") return frames;
    for (std::size_t at = 12; at + 8 <= bytes.size();) {
        const std::string kind = bytes.substr(at, 4);
        const auto size = std::size_t(number(at + 4, 4));
        if (kind == "VP8X") frames.width = number(at + 12, 3) + 1, frames.height = number(at + 15, 3) + 1;
        if (kind == "ANIM") frames.loops = number(at + 12, 2);
        if (kind == "ANMF") frames.milliseconds.push_back(number(at + 20, 3));
        at += 8 + size + size % 2;
    }
    return frames;
}

std::vector<std::string> filesIn(const std::filesystem::path& folder) {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder))
        names.push_back(entry.path().filename().string());
    std::sort(names.begin(), names.end());
    return names;
}

}  // namespace

class AnimationTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void stepsAreEvenlySpread();
    void sheetsKeepTheirPlaces();
    void webpHasEveryFrame();
    void foldersAppearWhole();
    void theRunBecomesFrames();
    void cancelLeavesNothing();
    void wrongNumbersAreSaid();
    void anotherRunEndsIt();
    void theRangeFollowsTheRun();
    void opensFromTheExport();

private:
    static std::unique_ptr<AnimationSheet> sheet(const QSize& size, std::vector<FigureKind> kinds) {
        FigureOptions options;
        options.stage = [](const Snapshot& s, const Theme& theme) { return stagePicture(s, theme, {}); };
        return std::make_unique<AnimationSheet>(std::vector<FigureSource>(kinds.begin(), kinds.end()), options, size);
    }
    static void train(MainWindow& window, std::uint64_t steps) {
        window.session().runSteps(steps);
        QVERIFY(QTest::qWaitFor([&] { return window.session().live().step == steps && window.session().resting(); },
                                20000));
    }

    /// While it is at work; a frame may take less time than a look at it.
    static bool madeAtLeast(const AnimationDialog& dialog, int frames) {
        return dialog.message().startsWith("Frame ") && dialog.message().section(' ', 1, 1).toInt() >= frames;
    }

    QTemporaryDir dir_;
};

void AnimationTest::stepsAreEvenlySpread() {
    QCOMPARE(animationSteps(0, 10, 3), (std::vector<std::uint64_t>{0, 5, 10}));
    QCOMPARE(animationSteps(0, 2, 100), (std::vector<std::uint64_t>{0, 1, 2}));
    QCOMPARE(animationSteps(7, 7, 5), (std::vector<std::uint64_t>{7}));
    QCOMPARE(animationSteps(3, 20, 1), (std::vector<std::uint64_t>{20}));
    const auto steps = animationSteps(0, 4310, 120);
    QCOMPARE(steps.size(), std::size_t(120));
    for (std::size_t i = 1; i < steps.size(); ++i) QVERIFY(steps[i] > steps[i - 1]);
}

void AnimationTest::sheetsKeepTheirPlaces() {
    const auto s = test::snapshot();
    const auto both = sheet({640, 360}, {FigureKind::stage, FigureKind::time});
    const QImage first = both->frame(*s);
    QCOMPARE(first.size(), QSize(640, 360));
    QCOMPARE(both->frame(*s), first);  // the same snapshot, the same pixels
    auto later = std::make_shared<Snapshot>(*s);
    later->newest_step = 4310;
    const QImage second = both->frame(*later);
    QVERIFY(second != first);
    QCOMPARE(second.pixelColor(1, 1), QColor(Qt::white));
    // Two wide figures on a high sheet stand one below the other, on a wide one side by side: both ways both are there.
    for (const QSize& size : {QSize(400, 800), QSize(1200, 300)}) {
        const QImage image = sheet(size, {FigureKind::loss, FigureKind::accuracy})->frame(*s);
        const bool high = size.height() > size.width();
        for (const int half : {0, 1}) {
            bool ink = false;
            const QRect part = high ? QRect(0, half * 400, 400, 400) : QRect(half * 600, 0, 600, 300);
            for (int y = part.top(); y <= part.bottom(); ++y)
                for (int x = part.left(); x <= part.right(); ++x) ink |= qGray(image.pixel(x, y)) < 60;
            QVERIFY(ink);
        }
    }
    test::Shape untrained;
    untrained.epochs = 0;
    QVERIFY_EXCEPTION_THROWN(sheet({640, 360}, {FigureKind::loss})->frame(*test::snapshot(untrained)), Error);
}

void AnimationTest::webpHasEveryFrame() {
    if (!canAnimateWebp()) QSKIP("built without libwebp");
    const std::filesystem::path folder = dir_.filePath("webp").toStdString();
    std::filesystem::create_directory(folder);
    const auto write = [&](const char* name) {
        AnimationWriter writer(folder / name, AnimationFormat::webp, {320, 180}, 4, 2);
        for (int i = 0; i < 4; ++i) {
            QImage image(320, 180, QImage::Format_RGB32);
            image.fill(QColor(60 * i, 20, 200));
            writer.add(image, "frame");
        }
        QVERIFY(filesIn(folder).empty() || name != std::string("a.webp"));
        writer.finish();
    };
    write("a.webp");
    write("b.webp");
    const std::string bytes = read_file(folder / "a.webp");
    QCOMPARE(bytes, read_file(folder / "b.webp"));
    const WebpFrames frames = readWebp(bytes);
    QCOMPARE(QSize(frames.width, frames.height), QSize(320, 180));
    QCOMPARE(frames.loops, 0);
    QCOMPARE(frames.milliseconds, (std::vector<int>{500, 500, 500, 500}));
}

void AnimationTest::foldersAppearWhole() {
    const std::filesystem::path folder = dir_.filePath("png").toStdString();
    std::filesystem::create_directory(folder);
    QImage image(64, 36, QImage::Format_RGB32);
    image.fill(Qt::white);
    {
        AnimationWriter writer(folder / "run", AnimationFormat::png_folder, {64, 36}, 3, 1);
        for (int i = 0; i < 3; ++i) writer.add(image, "frame");
        QVERIFY(!std::filesystem::exists(folder / "run"));
        writer.finish();
    }
    QCOMPARE(filesIn(folder), (std::vector<std::string>{"run"}));
    QCOMPARE(filesIn(folder / "run"), (std::vector<std::string>{"frame-0001.png", "frame-0002.png", "frame-0003.png"}));
    {
        AnimationWriter given_up(folder / "other", AnimationFormat::png_folder, {64, 36}, 3, 1);
        given_up.add(image, "frame");
    }
    QCOMPARE(filesIn(folder), (std::vector<std::string>{"run"}));
    QVERIFY_EXCEPTION_THROWN(AnimationWriter(folder / "run", AnimationFormat::png_folder, {64, 36}, 3, 1), Error);
    QVERIFY_EXCEPTION_THROWN(AnimationWriter("/nowhere/at/all/run", AnimationFormat::png_folder, {64, 36}, 3, 1),
                             Error);
}

void AnimationTest::theRunBecomesFrames() {
    WindowFixture fixture;
    const auto window = fixture.window();
    train(*window, 60);
    AnimationDialog* dialog = window->exports().animate({});
    dialog->choose({"stage", "loss"});
    dialog->setSteps(0, 60, 7, 1);
    dialog->chooseFormat(AnimationFormat::png_folder);
    QSignalSpy saved(dialog, &AnimationDialog::saved);
    const QString folder = dir_.filePath("frames");
    dialog->saveTo(folder.toStdString());
    // Another phrase meanwhile is none of the animation's business, and what is shown stays the present.
    window->session().setProbe("fine thank", 1);
    QVERIFY(saved.wait(20000));
    QCOMPARE(dialog->message(), QString("Saved frames."));
    QVERIFY(!window->session().lookedAt());
    const auto files = filesIn(folder.toStdString());
    QCOMPARE(files.size(), std::size_t(7));
    QImage before;
    std::uint64_t last = 0;
    for (std::size_t i = 0; i < files.size(); ++i) {
        const QImage frame(folder + u'/' + QString::fromStdString(files[i]));
        QCOMPARE(frame.size(), QSize(1280, 720));
        QVERIFY(frame != before);
        before = frame;
        const QString step = frame.text("Title");  // "step 10 of 60"
        const std::uint64_t number = step.section(' ', 1, 1).toULongLong();
        QVERIFY2(i == 0 ? number == 0 : number > last, qPrintable(step));
        last = number;
    }
    QCOMPARE(last, std::uint64_t(60));

    // Once more: the same run gives the same bytes.
    const QString again = dir_.filePath("again");
    window->session().setProbe("hello world how are", 0);
    QVERIFY(waitForState(window->session(), SessionState::paused));
    dialog->saveTo(again.toStdString());
    QVERIFY(saved.wait(20000));
    for (const std::string& name : files)
        QCOMPARE(read_file(std::filesystem::path(again.toStdString()) / name),
                 read_file(std::filesystem::path(folder.toStdString()) / name));
    if (const QByteArray pictures = qgetenv("MOELAB_PICTURES"); !pictures.isEmpty()) {
        QFile::copy(folder + "/frame-0004.png", QString::fromLocal8Bit(pictures) + "/frame.png");
        dialog->grab().save(QString::fromLocal8Bit(pictures) + "/animation.png");
    }
}

void AnimationTest::cancelLeavesNothing() {
    WindowFixture fixture;
    const auto window = fixture.window();
    train(*window, 60);
    const QString folder = dir_.filePath("cancelled");
    QDir().mkpath(folder);
    for (const AnimationFormat format : {AnimationFormat::png_folder, AnimationFormat::webp}) {
        AnimationDialog* dialog = window->exports().animate({});
        dialog->chooseFormat(format);
        dialog->setSteps(0, 60, 61, 5);
        dialog->saveTo((folder + "/run").toStdString());
        QTRY_VERIFY2(madeAtLeast(*dialog, 3), qPrintable(dialog->message()));
        dialog->cancel();
        QVERIFY(!dialog->running());
        QVERIFY(dialog->message().startsWith("Cancelled"));
        QTRY_VERIFY(window->bench().background().idle());
        QVERIFY(filesIn(folder.toStdString()).empty());
        // Closing cancels too.
        dialog->saveTo((folder + "/run").toStdString());
        QTRY_VERIFY2(madeAtLeast(*dialog, 2), qPrintable(dialog->message()));
        dialog->close();
        QTRY_VERIFY(window->bench().background().idle());
        QVERIFY(filesIn(folder.toStdString()).empty());
        QTest::qWait(10);
    }
}

void AnimationTest::wrongNumbersAreSaid() {
    WindowFixture fixture;
    const auto window = fixture.window();
    train(*window, 60);
    AnimationDialog* dialog = window->exports().animate({});
    dialog->setSteps(0, 61, 10, 1);
    QVERIFY(dialog->message().contains("60"));
    dialog->saveTo(dir_.filePath("wrong").toStdString());
    QVERIFY(!dialog->running());
    dialog->setSteps(0, 60, 0, 1);
    QVERIFY(dialog->message().contains("frames"));
    dialog->setSteps(0, 60, 10, 0);
    QVERIFY(dialog->message().contains("seconds"));
    dialog->setSteps(0, 60, 10, 1);
    QCOMPARE(dialog->message(), QString());
    dialog->choose({});
    QVERIFY(dialog->message().contains("at least one view"));
    dialog->choose({"stage"});
    dialog->chooseFormat(AnimationFormat::png_folder);
    dialog->saveTo("/nowhere/at/all/run");
    QTRY_VERIFY(!dialog->running());
    QVERIFY(dialog->message().contains("/nowhere") || dialog->message().contains("folder"));
}

void AnimationTest::anotherRunEndsIt() {
    WindowFixture fixture;
    const auto window = fixture.window();
    train(*window, 60);
    const QString folder = dir_.filePath("changed");
    QDir().mkpath(folder);
    AnimationDialog* dialog = window->exports().animate({});
    dialog->setSteps(0, 60, 61, 5);
    dialog->saveTo((folder + "/run").toStdString());
    QTRY_VERIFY2(madeAtLeast(*dialog, 2), qPrintable(dialog->message()));
    window->session().reset();
    QTRY_VERIFY(!dialog->running());
    QVERIFY(dialog->message().contains("meanwhile"));
    QTRY_VERIFY(window->bench().background().idle());
    QVERIFY(filesIn(folder.toStdString()).empty());
}

void AnimationTest::theRangeFollowsTheRun() {
    WindowFixture fixture;
    const auto window = fixture.window();
    train(*window, 60);
    AnimationDialog* dialog = window->exports().animate({});
    const auto last = [&] {
        const auto fields = dialog->findChildren<QLineEdit*>();
        return fields.at(1)->text();
    };
    QCOMPARE(last(), QString("60"));
    // Trained on from the past beside the dialog: what it makes is of the run that is there.
    window->bench().continueFrom(20, {});
    QTRY_VERIFY(!window->bench().busy() && window->session().live().step == 20);
    QTRY_COMPARE(last(), QString("20"));
    dialog->choose({"loss"});
    dialog->chooseFormat(AnimationFormat::png_folder);
    dialog->setSteps(0, 20, 3, 1);
    QSignalSpy saved(dialog, &AnimationDialog::saved);
    const QString folder = dir_.filePath("followed");
    dialog->saveTo(folder.toStdString());
    QVERIFY2(saved.wait(20000), qPrintable(dialog->message()));
    const QImage frame(folder + "/frame-0003.png");
    QCOMPARE(frame.text("Title"), QString("step 20"));
    // The run goes on; opened again the dialog reaches to its end.
    window->session().runSteps(15);
    QTRY_VERIFY(window->session().live().step == 35 && window->session().resting());
    QCOMPARE(window->exports().animate({}), dialog);
    QCOMPARE(last(), QString("35"));
    // A plan of a run that is no more is not begun.
    FigureOptions options;
    AnimationPlan plan;
    plan.sources = {FigureSource(FigureKind::time)};
    plan.to = 35;
    plan.target = (folder + "-late").toStdString();
    AnimationJob job(window->session(), window->bench().background(), window->session().sharedSnapshot(), plan, this);
    window->session().reset();
    QTRY_COMPARE(window->session().live().step, std::uint64_t(0));
    QSignalSpy failed(&job, &AnimationJob::failed);
    job.start();
    QCOMPARE(failed.count(), 1);
    QVERIFY(!job.running());
}

void AnimationTest::opensFromTheExport() {
    WindowFixture fixture;
    const auto window = fixture.window();
    train(*window, 10);
    ExportDialog* exporting = window->exports().exportView("load");
    Q_EMIT exporting->animationAsked("load");
    AnimationDialog* dialog = window->findChild<AnimationDialog*>();
    QVERIFY(dialog && dialog->isVisible());
    for (const QCheckBox* box : dialog->findChildren<QCheckBox*>())
        QCOMPARE(box->isChecked(), box->objectName() == "load");
}

QTEST_MAIN(AnimationTest)
#include "animation_test.moc"
