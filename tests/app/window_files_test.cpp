// What a window's file is called, whether it holds what the window shows, and what is dropped onto the window.
#include "app/models/run_settings.h"
#include "app/shell/corpus_dialog.h"
#include "app/shell/left_column.h"
#include "app/shell/lesson_panel.h"
#include "app/shell/model_actions.h"
#include "app/shell/notes_window.h"
#include "app/shell/notice.h"
#include "app/shell/transport_bar.h"
#include "app/shell/window_actions.h"
#include "app/shell/workbench.h"
#include "engine/core/atomic_file.h"
#include "engine/formats/keras_code.h"
#include "tests/support/read_sessions.h"
#include "window_fixture.h"

#include <QBuffer>
#include <QDropEvent>
#include <QImage>
#include <QLabel>
#include <QMimeData>
#include <QPlainTextEdit>

namespace moe::app {

class WindowFilesTest : public QObject {
    Q_OBJECT

private:
    static void save(MainWindow& window, const std::filesystem::path& file) {
        bool saved = false;
        window.bench().saveModel(file, [&] { saved = true; });
        QTRY_VERIFY_WITH_TIMEOUT(saved, 10000);
    }

    static void train(MainWindow& window, std::uint64_t steps) {
        const std::uint64_t to = window.session().live().step + steps;
        window.session().runSteps(steps);
        QTRY_VERIFY(window.session().live().step == to && window.session().resting());
    }

    static bool says(QWidget& part, const QString& text) {
        for (const QLabel* label : part.findChildren<QLabel*>())
            if (label->isVisible() && label->text().contains(text)) return true;
        return false;
    }

    static bool drop(MainWindow& window, const QMimeData& data) {
        QDragEnterEvent enter(QPoint(600, 300), Qt::CopyAction, &data, Qt::LeftButton, Qt::NoModifier);
        QCoreApplication::sendEvent(&window, &enter);
        if (!enter.isAccepted()) return false;
        QDropEvent dropped(QPointF(600, 300), Qt::CopyAction, &data, Qt::LeftButton, Qt::NoModifier);
        QCoreApplication::sendEvent(&window, &dropped);
        return dropped.isAccepted();
    }

    static void dropFiles(MainWindow& window, const QStringList& paths) {
        QMimeData data;
        QList<QUrl> urls;
        for (const QString& path : paths) urls << QUrl::fromLocalFile(path);
        data.setUrls(urls);
        QVERIFY(drop(window, data));
    }

private Q_SLOTS:
    // One rule: with a file its name, and the lesson is named in its panel.
    void fileGivesTheRunItsName() {
        WindowFixture fixture;
        const auto window = fixture.window();
        const QString lesson = QStringLiteral("Meet the mixture"), name = QStringLiteral("monday.keras");
        QVERIFY(says(window->transport(), lesson));
        QVERIFY(window->windowTitle().startsWith(lesson));
        train(*window, 5);
        save(*window, fixture.path(name).toStdString());
        const auto second = fixture.window(QStringLiteral("92-second"));
        second->openPath(fixture.path(name).toStdString());
        QTRY_VERIFY(!second->bench().identity().file.empty());
        for (MainWindow* w : {window.get(), second.get()}) {
            QVERIFY2(w->windowTitle().startsWith(name + QStringLiteral("[*]")), qPrintable(w->windowTitle()));
            QVERIFY(says(w->transport(), name));
            QVERIFY(!says(w->transport(), lesson));
            QVERIFY(says(*w->column().lesson(), lesson));
        }
        // A new model is in no file yet.
        second->bench().restart(presentExperiment(second->session().live()));
        QTRY_VERIFY(!second->bench().busy());
        QVERIFY2(second->windowTitle().startsWith(lesson), qPrintable(second->windowTitle()));
    }

    void undoOfTrainingOnKeepsTheFile() {
        WindowFixture fixture;
        const auto window = fixture.window();
        Workbench& bench = window->bench();
        const std::filesystem::path file = fixture.path(QStringLiteral("branch.keras")).toStdString();
        train(*window, 20);
        bench.continueFrom(10, {});
        QTRY_COMPARE(window->session().live().step, 10u);
        QTRY_VERIFY(!bench.busy());
        save(*window, file);
        QVERIFY(!window->isWindowModified());
        window->actions().undo->trigger();
        QTRY_COMPARE(window->session().live().step, 20u);
        QTRY_VERIFY(!bench.busy());
        QCOMPARE(bench.identity().file, file);
        QVERIFY2(window->windowTitle().startsWith(QStringLiteral("branch.keras")), qPrintable(window->windowTitle()));
        QTRY_VERIFY(window->isWindowModified());  // the file holds the other branch
        window->actions().redo->trigger();
        QTRY_COMPARE(window->session().live().step, 10u);
        QTRY_VERIFY(!bench.busy());
        QCOMPARE(bench.identity().file, file);
        QTRY_VERIFY(!window->isWindowModified());
        // Save goes there without a question: nobody else has touched it.
        window->models().save();
        QTRY_COMPARE(window->notice().text(), QStringLiteral("Saved branch.keras."));
        QVERIFY(!window->models().question());
    }

    // Another way to the same step number is not what the file holds.
    void branchWithAsManyStepsIsChanged() {
        WindowFixture fixture;
        const auto window = fixture.window();
        train(*window, 20);
        save(*window, fixture.path(QStringLiteral("b.keras")).toStdString());
        window->bench().continueFrom(10, {});
        QTRY_COMPARE(window->session().live().step, 10u);
        QTRY_VERIFY(!window->bench().busy());
        window->session().setLearningRate(0.01);
        train(*window, 10);
        QTRY_COMPARE(window->session().live().step, 20u);
        QTRY_VERIFY(window->isWindowModified());
        QVERIFY(window->bench().hasUnsavedTraining());
    }

    void eachRunHasItsOwnFileAgainAfterUndo() {
        WindowFixture fixture;
        const auto window = fixture.window();
        Workbench& bench = window->bench();
        const std::filesystem::path first = fixture.path(QStringLiteral("first.keras")).toStdString(),
                                    second = fixture.path(QStringLiteral("second.keras")).toStdString();
        train(*window, 5);
        save(*window, first);
        bench.restart(presentExperiment(window->session().live()));
        QTRY_VERIFY(!bench.busy() && window->session().live().step == 0);
        QVERIFY(bench.identity().file.empty());
        train(*window, 3);
        save(*window, second);
        window->actions().undo->trigger();
        QTRY_COMPARE(window->session().live().step, 5u);
        QTRY_VERIFY(!bench.busy());
        QCOMPARE(bench.identity().file, first);
        QVERIFY(!window->isWindowModified());
        window->models().save();
        QTRY_COMPARE(window->notice().text(), QStringLiteral("Saved first.keras."));
        QVERIFY(!window->models().question());
    }

    // The star: something is not as the file holds it. Training on after a save makes it changed again.
    void starWhileTrainingPlays() {
        WindowFixture fixture;
        const auto window = fixture.window();
        SessionController& session = window->session();
        const std::filesystem::path file = fixture.path(QStringLiteral("playing.keras")).toStdString();
        session.setSpeed(20);
        QTest::keyClick(window->focusWidget(), Qt::Key_Space);
        QTRY_VERIFY(session.live().state == SessionState::running && session.live().step > 3);
        bool right = true;
        const auto look = [&] {
            const std::uint64_t held = window->bench().identity().saved_step;
            if (!window->bench().identity().file.empty())
                right &= window->isWindowModified() == (session.live().step != held);
        };
        connect(&session, &SessionController::liveChanged, window.get(), look, Qt::QueuedConnection);
        connect(&window->bench(), &Workbench::saved, window.get(), look, Qt::QueuedConnection);
        save(*window, file);
        const std::uint64_t held = window->bench().identity().saved_step;
        QCOMPARE(load_session(file).setup.state->step, held);
        QTRY_VERIFY(session.live().step > held + 2);
        QVERIFY(window->isWindowModified());
        QTest::keyClick(window->focusWidget(), Qt::Key_Space);
        QVERIFY(waitForState(session, SessionState::paused));
        QVERIFY(window->isWindowModified());
        save(*window, file);
        QTest::qWait(50);
        QVERIFY(!window->isWindowModified());
        QVERIFY(right);
        QTest::keyClick(window->focusWidget(), Qt::Key_Right, Qt::ShiftModifier);
        QTRY_VERIFY(window->isWindowModified());
    }

    void starForSettingsAndNotes() {
        WindowFixture fixture;
        const auto window = fixture.window();
        train(*window, 4);
        save(*window, fixture.path(QStringLiteral("s.keras")).toStdString());
        QVERIFY(!window->isWindowModified());
        window->bench().setLive("learning_rate", QStringLiteral("0.004"));
        QTRY_VERIFY(window->isWindowModified());
        window->actions().undo->trigger();
        QTRY_VERIFY(!window->isWindowModified());
        window->desk().notes().text()->setPlainText(QStringLiteral("ask who reads it"));
        QVERIFY(window->isWindowModified());  // at once, without a new picture
        save(*window, fixture.path(QStringLiteral("s.keras")).toStdString());
        QVERIFY(!window->isWindowModified());
        window->actions().reset->trigger();
        QTRY_COMPARE(window->session().live().step, 0u);
        QTRY_VERIFY(window->isWindowModified());
        QVERIFY(!window->bench().hasUnsavedTraining());  // and nothing that leaving would lose
        window->actions().undo->trigger();
        QTRY_COMPARE(window->session().live().step, 4u);
        QTRY_VERIFY(!window->isWindowModified());
    }

    void droppedSessionAndKerasModelOpen() {
        WindowFixture fixture;
        const auto window = fixture.window();
        train(*window, 7);
        const QString session = fixture.path(QStringLiteral("mine.keras"));
        save(*window, session.toStdString());
        const auto second = fixture.window(QStringLiteral("92-second"));
        dropFiles(*second, {session});
        QTRY_COMPARE(second->session().live().step, 7u);
        QTRY_COMPARE(second->bench().identity().lesson->id, QStringLiteral("91-first"));
        const QString data = QStringLiteral(MOE_TEST_DATA "/data/keras/tutorial/"),
                      keras = fixture.path(QStringLiteral("tutorial"));
        QVERIFY(QDir().mkpath(keras));
        QVERIFY(QFile::copy(data + QStringLiteral("final.keras"), keras + QStringLiteral("/model.keras")));
        for (const QString& name : {QStringLiteral("/tokenizer.json"), QStringLiteral("/max_seq_len.txt")})
            QVERIFY(QFile::copy(data + name, keras + name));
        dropFiles(*second, {keras});  // the folder of the three files
        QTRY_VERIFY2(second->windowTitle().startsWith(QStringLiteral("tutorial")), qPrintable(second->notice().text()));
        dropFiles(*second, {keras + QStringLiteral("/model.keras")});
        QTRY_COMPARE(second->bench().identity().file, std::filesystem::path(keras.toStdString()) / "model.keras");
        QVERIFY(!second->models().corpusDialog());
    }

    void droppedTextShowsItsFacts() {
        WindowFixture fixture;
        const auto window = fixture.window();
        writeText(fixture.path(QStringLiteral("own.txt")), "the cat sat\nthe dog sat down\n");
        dropFiles(*window, {fixture.path(QStringLiteral("own.txt"))});
        QTRY_VERIFY(window->models().corpusDialog());
        QTRY_VERIFY_WITH_TIMEOUT(window->models().corpusDialog()->canTrain(), 10000);
        window->models().corpusDialog()->close();
        QMimeData words;
        words.setText(QStringLiteral("a cat sat\na dog sat"));
        QVERIFY(drop(*window, words));
        QTRY_VERIFY_WITH_TIMEOUT(window->models().corpusDialog()->canTrain(), 10000);
    }

    void otherFoldersAreRefusedInOneSentence() {
        WindowFixture fixture;
        const auto window = fixture.window();
        QVERIFY(QDir(fixture.path({})).mkdir(QStringLiteral("holiday")));
        dropFiles(*window, {fixture.path(QStringLiteral("holiday"))});
        QTRY_COMPARE(window->notice().kind(), Notice::Kind::refused);
        QVERIFY2(window->notice().text().contains(QStringLiteral("holiday")), qPrintable(window->notice().text()));
        QVERIFY(!window->models().corpusDialog());
        QCOMPARE(window->bench().identity().lesson->id, QStringLiteral("91-first"));
    }

    void twoFilesAtOnceAreRefusedInOneSentence() {
        WindowFixture fixture;
        const auto window = fixture.window();
        for (const char* name : {"a.txt", "b.txt"})
            writeText(fixture.path(QString::fromLatin1(name)), "the cat sat\nthe dog sat down\n");
        dropFiles(*window, {fixture.path(QStringLiteral("a.txt")), fixture.path(QStringLiteral("b.txt"))});
        QTRY_COMPARE(window->notice().kind(), Notice::Kind::refused);
        QCOMPARE(window->notice().text(),
                 QStringLiteral("2 files were dropped, and a window opens one at a time; drop one of them."));
        QTest::qWait(100);
        QVERIFY(!window->models().corpusDialog());
    }

    void pictureIsRefusedInOneSentence() {
        WindowFixture fixture;
        const auto window = fixture.window();
        QImage image(20, 20, QImage::Format_RGB32);
        image.fill(Qt::red);
        QByteArray bytes;
        QBuffer buffer(&bytes);
        QVERIFY(image.save(&buffer, "PNG"));
        writeText(fixture.path(QStringLiteral("photo.png")), bytes);
        dropFiles(*window, {fixture.path(QStringLiteral("photo.png"))});
        QTRY_VERIFY(window->models().corpusDialog());
        CorpusDialog* dialog = window->models().corpusDialog();
        QTRY_VERIFY_WITH_TIMEOUT(!dialog->problem().isEmpty(), 10000);
        QVERIFY2(dialog->problem().startsWith(QStringLiteral("photo.png is not a text file")),
                 qPrintable(dialog->problem()));
        QVERIFY(!dialog->problem().contains(u'\n'));
        QVERIFY(!dialog->canTrain());
        // A picture itself, as a browser gives it, is not taken at all.
        QMimeData picture;
        picture.setImageData(image);
        QVERIFY(!drop(*window, picture));
        QMimeData link;
        link.setUrls({QUrl(QStringLiteral("https://example.org/photo.png"))});
        QVERIFY(!drop(*window, link));
    }

    // What goes to Keras is the model that the window has, and takes nobody's place unasked.
    void exportsForKeras() {
        WindowFixture fixture;
        const auto window = fixture.window();
        train(*window, 20);
        const std::filesystem::path own = fixture.path(QStringLiteral("own.keras")).toStdString();
        save(*window, own);
        const std::string session = read_file(own);
        const RunState state = load_model(own, {MOE_H5_PROGRAM}).state;
        const auto file = [&](const char* name) -> std::filesystem::path {
            return fixture.path(QString::fromLatin1(name)).toStdString();
        };
        using Kind = Workbench::KerasExport;
        const auto told = [&](const char* part) {
            return QTest::qWaitFor([&] { return says(window->notice(), QString::fromLatin1(part)); }, 10000);
        };

        window->models().exportForKeras(file("mixture.py"), Kind::code);
        QVERIFY(told("Wrote mixture.py and mixture.keras, at step 20."));
        const SavedModel model = load_model(file("mixture.keras"), {MOE_H5_PROGRAM});
        QVERIFY(model.state.parameters == state.parameters);
        QVERIFY(model.state.velocity == state.velocity);
        QCOMPARE(model.state.step, std::uint64_t(20));
        QVERIFY(read_file(file("mixture.py")) == keras_code(model, "mixture.py", "mixture.keras"));

        window->models().exportForKeras(file("tutorial.keras"), Kind::classes);
        QVERIFY(told("Wrote tutorial.keras and moe_layers.py"));
        QVERIFY(load_model(file("tutorial.keras"), {MOE_H5_PROGRAM}).state.parameters == state.parameters);
        QVERIFY(read_file(file("moe_layers.py")) == class_module());
        train(*window, 1);
        window->models().exportForKeras(file("tutorial.keras"), Kind::classes);  // the same classes: nothing to ask
        QVERIFY(told("at step 21."));

        // Weights of that name are there: asked first.
        const std::string before = read_file(file("mixture.keras"));
        window->models().exportForKeras(file("mixture.py"), Kind::code);
        QTRY_VERIFY(window->models().question() && window->models().question()->isVisible());
        QCOMPARE(window->models().question()->objectName(), QStringLiteral("replace_beside"));
        QVERIFY(read_file(file("mixture.keras")) == before);
        for (QAbstractButton* button : window->models().question()->buttons())
            if (button->text() == QStringLiteral("Replace")) button->click();
        QTRY_VERIFY(read_file(file("mixture.keras")) != before);
        QTRY_COMPARE(load_model(file("mixture.keras"), {MOE_H5_PROGRAM}).state.step, std::uint64_t(21));

        // The session's own file is not for taking.
        for (const auto& [name, kind] : {std::pair{"own.py", Kind::code}, std::pair{"own.keras", Kind::classes}}) {
            window->models().exportForKeras(file(name), kind);
            QVERIFY(told("would take the place of own.keras"));
            QVERIFY(read_file(own) == session);
            QVERIFY(!std::filesystem::exists(file("own.py")));
        }

        // Nor where nothing can be written.
        window->models().exportForKeras(file("own.keras/mixture.py"), Kind::code);
        QVERIFY2(told("own.keras/mixture"), qPrintable(window->notice().text()));
    }
};

}  // namespace moe::app

QTEST_MAIN(moe::app::WindowFilesTest)
#include "window_files_test.moc"
