// After whatever closed, the picture has the keys: Space plays, Right steps.
#undef QT_NO_CAST_FROM_ASCII  // literals of tests

#include "app/shell/animation_dialog.h"
#include "app/shell/corpus_dialog.h"
#include "app/shell/dock_area.h"
#include "app/shell/experiment_panel.h"
#include "app/shell/export_actions.h"
#include "app/shell/export_dialog.h"
#include "app/shell/left_column.h"
#include "app/shell/lesson_panel.h"
#include "app/shell/model_actions.h"
#include "app/shell/notes_window.h"
#include "app/shell/notice.h"
#include "app/shell/stepping_control.h"
#include "app/shell/window_actions.h"
#include "app/shell/window_menu.h"
#include "app/shell/workbench.h"
#include "window_fixture.h"

#include <QClipboard>
#include <QDropEvent>
#include <QFileDialog>
#include <QLineEdit>
#include <QMessageBox>
#include <QMimeData>
#include <QPlainTextEdit>
#include <QPushButton>

namespace moe::app {

using Deed = std::function<void(MainWindow&, WindowFixture&)>;

class WindowFocusTest : public QObject {
    Q_OBJECT

private:
    static QPushButton* buttonNamed(QWidget* in, const QString& text) {
        for (QPushButton* b : in->findChildren<QPushButton*>())
            if (b->text() == text && b->isVisible()) return b;
        return nullptr;
    }

    static void press(QWidget* in, const QString& text) {
        QTRY_VERIFY2(buttonNamed(in, text), qPrintable(text));
        QTest::mouseClick(buttonNamed(in, text), Qt::LeftButton);
    }

    template <class T>
    static T* dialogOf(MainWindow& window) {
        T* found = nullptr;
        const bool there = QTest::qWaitFor([&] {
            for (T* d : window.findChildren<T*>())
                if (d->isVisible()) found = d;
            return found != nullptr;
        });
        if (!there) qWarning("no such dialog");
        return found;
    }

    static void useTheText(MainWindow& window) {
        auto* dialog = dialogOf<CorpusDialog>(window);
        QTRY_VERIFY_WITH_TIMEOUT(dialog->canTrain(), 10000);
        const QPointer<CorpusDialog> open = dialog;
        press(dialog, QStringLiteral("Use this text"));
        QTRY_VERIFY(!open || !open->isVisible());
        QTRY_VERIFY(!window.bench().busy());
    }

    static void chooseIn(QFileDialog* dialog, const QString& path) {
        QVERIFY(dialog);
        dialog->setOption(QFileDialog::DontConfirmOverwrite);
        dialog->selectFile(path);
        static_cast<QDialog*>(dialog)->accept();
    }

    static void own(WindowFixture& fixture) {
        writeText(fixture.path(QStringLiteral("own.txt")), "a cat sat here\na dog sat there\n");
    }

    static void play(MainWindow& window) {
        QVERIFY(window.focusWidget());
        QTest::keyClick(window.focusWidget(), Qt::Key_Space);
        QTRY_COMPARE(window.session().live().state, SessionState::running);
        QTest::keyClick(window.focusWidget(), Qt::Key_Space);
        QVERIFY(waitForState(window.session(), SessionState::paused));
    }

    static const std::map<QString, Deed>& deeds() {
        static const std::map<QString, Deed> all = {
            {"own text, written",
             [](MainWindow& w, WindowFixture&) {
                 w.models().ownText(QStringLiteral("a cat sat here\na dog sat there"));
                 useTheText(w);
             }},
            {"own text, pasted",
             [](MainWindow& w, WindowFixture&) {
                 QApplication::clipboard()->setText(QStringLiteral("a cat sat here\na dog sat there"));
                 w.actions().paste->trigger();
                 useTheText(w);
             }},
            {"own text, opened",
             [](MainWindow& w, WindowFixture& f) {
                 own(f);
                 w.actions().open->trigger();
                 chooseIn(dialogOf<QFileDialog>(w), f.path(QStringLiteral("own.txt")));
                 useTheText(w);
             }},
            {"own text, dropped",
             [](MainWindow& w, WindowFixture& f) {
                 own(f);
                 QMimeData data;
                 data.setUrls({QUrl::fromLocalFile(f.path(QStringLiteral("own.txt")))});
                 QDragEnterEvent enter(QPoint(600, 300), Qt::CopyAction, &data, Qt::LeftButton, Qt::NoModifier);
                 QCoreApplication::sendEvent(&w, &enter);
                 QDropEvent drop(QPointF(600, 300), Qt::CopyAction, &data, Qt::LeftButton, Qt::NoModifier);
                 QCoreApplication::sendEvent(&w, &drop);
                 useTheText(w);
             }},
            {"own text, given up",
             [](MainWindow& w, WindowFixture&) {
                 w.models().ownText();
                 QTest::keyClick(dialogOf<CorpusDialog>(w), Qt::Key_Escape);
             }},
            {"a session, saved as and opened",
             [](MainWindow& w, WindowFixture& f) {
                 w.actions().saveAs->trigger();
                 chooseIn(dialogOf<QFileDialog>(w), f.path(QStringLiteral("s.keras")));
                 QTRY_VERIFY(QFile::exists(f.path(QStringLiteral("s.keras"))));
                 w.actions().open->trigger();
                 chooseIn(dialogOf<QFileDialog>(w), f.path(QStringLiteral("s.keras")));
                 QTRY_COMPARE(w.bench().identity().session, 2u);
             }},
            {"saving, given up",
             [](MainWindow& w, WindowFixture&) {
                 w.actions().saveAs->trigger();
                 QTest::keyClick(dialogOf<QFileDialog>(w), Qt::Key_Escape);
             }},
            {"export",
             [](MainWindow& w, WindowFixture&) {
                 w.actions().exporting->trigger();
                 press(dialogOf<ExportDialog>(w), QStringLiteral("Close"));
             }},
            {"animation",
             [](MainWindow& w, WindowFixture&) {
                 w.actions().animating->trigger();
                 press(dialogOf<AnimationDialog>(w), QStringLiteral("Close"));
             }},
            {"notes",
             [](MainWindow& w, WindowFixture&) {
                 w.actions().notes->trigger();
                 auto* notes = dialogOf<NotesWindow>(w);
                 QTest::keyClicks(notes->text(), QStringLiteral("ask"));
                 QTest::keyClick(notes, Qt::Key_Escape);
             }},
            {"keys",
             [](MainWindow& w, WindowFixture&) {
                 w.actions().keys->trigger();
                 QTest::keyClick(dialogOf<QDialog>(w), Qt::Key_Escape);
             }},
            {"about",
             [](MainWindow& w, WindowFixture&) {
                 w.actions().about->trigger();
                 QTest::keyClick(dialogOf<QMessageBox>(w), Qt::Key_Escape);
             }},
            {"another lesson and undo",
             [](MainWindow& w, WindowFixture&) {
                 Q_EMIT w.findChild<WindowMenu*>()->lessonAsked(1);
                 QTRY_COMPARE(w.bench().identity().session, 2u);
                 play(w);
                 w.actions().undo->trigger();
                 QTRY_COMPARE(w.bench().identity().session, 1u);
             }},
            {"a guess answered with the keyboard",
             [](MainWindow& w, WindowFixture&) {
                 QPushButton* b = buttonNamed(&w.column(), QStringLiteral("Expert B"));
                 QVERIFY(b);
                 b->setFocus();
                 QTest::keyClick(b, Qt::Key_Space);
                 QVERIFY(!w.column().lesson()->revealed().isEmpty());
             }},
            {"a notice that was answered with the keyboard",
             [](MainWindow& w, WindowFixture&) {
                 w.notice().tell(Notice::Kind::refused, QStringLiteral("No."));
                 QPushButton* b = buttonNamed(&w.notice(), QStringLiteral("Close"));
                 QVERIFY(b);
                 b->setFocus();
                 QTest::keyClick(b, Qt::Key_Space);
                 QCOMPARE(w.notice().kind(), Notice::Kind::none);
             }},
            {"training on from the past",
             [](MainWindow& w, WindowFixture&) {
                 w.session().runSteps(20);
                 QTRY_VERIFY(w.session().live().step == 20 && w.session().resting());
                 w.session().lookAt(10);
                 QTRY_COMPARE(w.session().snapshot().step, 10u);
                 w.actions().batch->trigger();
                 press(dialogOf<QMessageBox>(w), QStringLiteral("Train on from step 10"));
                 QTRY_COMPARE(w.session().live().step, 11u);
                 QTRY_VERIFY(!w.bench().busy());
             }},
        };
        return all;
    }

private Q_SLOTS:
    void pictureHasTheKeysAfter_data() {
        QTest::addColumn<QString>("deed");
        for (const auto& [name, deed] : deeds()) QTest::newRow(qPrintable(name)) << name;
    }

    void pictureHasTheKeysAfter() {
        QFETCH(QString, deed);
        WindowFixture fixture;
        const auto window = fixture.window();
        window->session().setSpeed(50);
        QWidget* stage = window->docks().stage()->view();
        // From a field, where Space would be a letter.
        for (auto* field : window->docks().findChildren<QLineEdit*>())
            if (field->isVisible() && field->objectName() != QStringLiteral("step_edit")) field->setFocus();
        deeds().at(deed)(*window, fixture);
        if (QTest::currentTestFailed()) return;
        const auto focused = [&] {
            QWidget* w = window->focusWidget();
            return w ? QString::fromLatin1(w->metaObject()->className()) + u' ' + w->objectName() + u' ' +
                           w->accessibleName()
                     : QStringLiteral("nothing");
        };
        window->activateWindow();  // a window manager does
        QTRY_VERIFY2(QApplication::focusWidget() == stage, qPrintable(focused()));
        QTRY_VERIFY(window->session().resting() && !window->bench().busy());
        QVERIFY2(window->focusWidget() == stage, qPrintable(focused()));
        window->session().setSpeed(50);
        play(*window);
        QTest::keyClick(window->focusWidget(), Qt::Key_Right);
        QTRY_VERIFY(window->stepping().active());
    }

    // Whoever writes in the editor goes on writing there.
    void editorKeepsTheKeysBehindADialog() {
        WindowFixture fixture;
        const auto window = fixture.window();
        Q_EMIT window->column().experiment()->changeAsked();
        QLineEdit* field = window->column().editor()->field("learning_rate");
        field->setFocus();
        window->actions().keys->trigger();
        QTest::keyClick(dialogOf<QDialog>(*window), Qt::Key_Escape);
        QTest::qWait(100);
        QCOMPARE(window->focusWidget(), field);
    }

    void steppingHasTheKeysAfterADialog() {
        WindowFixture fixture;
        const auto window = fixture.window();
        QTest::keyClick(window->focusWidget(), Qt::Key_Right);
        QTRY_VERIFY(window->stepping().active() && window->stepping().stepper().trace());
        window->actions().exporting->trigger();
        press(dialogOf<ExportDialog>(*window), QStringLiteral("Close"));
        window->activateWindow();
        QTRY_VERIFY(QApplication::focusWidget() && window->isActiveWindow());
        QTest::keyClick(window->focusWidget(), Qt::Key_Right);
        QTRY_COMPARE(window->stepping().stepper().operation(), std::size_t(1));
        QTest::keyClick(window->focusWidget(), Qt::Key_Down);
        QTRY_COMPARE(window->stepping().stepper().example(), std::size_t(1));
    }
};

}  // namespace moe::app

QTEST_MAIN(moe::app::WindowFocusTest)
#include "window_focus_test.moc"
