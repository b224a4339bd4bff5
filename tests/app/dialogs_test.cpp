// Every dialog, box and notice in a language that is 40 % longer, in a window of 1280x720; and that none is forgotten.
#include "app/models/text_format.h"
#include "app/shell/animation_dialog.h"
#include "app/shell/corpus_dialog.h"
#include "app/shell/dock_area.h"
#include "app/shell/export_actions.h"
#include "app/shell/export_dialog.h"
#include "app/shell/left_column.h"
#include "app/shell/lesson_panel.h"
#include "app/shell/model_actions.h"
#include "app/shell/notes_window.h"
#include "app/shell/notice.h"
#include "app/shell/recovery.h"
#include "app/shell/stepping_control.h"
#include "app/shell/stepping_list.h"
#include "app/shell/style.h"
#include "app/shell/window_actions.h"
#include "app/shell/workbench.h"
#include "engine/core/atomic_file.h"
#include "text_room.h"
#include "window_fixture.h"

#include <QDialog>
#include <QMessageBox>
#include <QPushButton>
#include <QRegularExpression>

#include <set>

namespace moe::app {

class DialogsTest : public QObject {
    Q_OBJECT

private:
    using Open = std::function<QWidget*(MainWindow&, WindowFixture&)>;

    static QWidget* dialogNamed(MainWindow& window, const QString& name) {
        QWidget* found = nullptr;
        const bool there = QTest::qWaitFor([&] {
            for (QDialog* d : window.findChildren<QDialog*>())
                if (d->isVisible() && d->objectName() == name) found = d;
            return found != nullptr;
        });
        if (!there) qWarning("%s is not there", qPrintable(name));
        return found;
    }

    static void train(MainWindow& window, std::uint64_t steps) {
        const std::uint64_t to = window.session().live().step + steps;
        window.session().runSteps(steps);
        QTRY_VERIFY(window.session().live().step == to && window.session().resting());
    }

    static void save(MainWindow& window, const QString& path) {
        bool saved = false;
        window.bench().saveModel(path.toStdString(), [&] { saved = true; });
        QTRY_VERIFY_WITH_TIMEOUT(saved, 10000);
    }

    static QWidget* corpusWith(MainWindow& window, const QString& text) {
        window.models().ownText(text);
        CorpusDialog* dialog = window.models().corpusDialog();
        if (!QTest::qWaitFor([&] { return dialog->canTrain() || !dialog->problem().isEmpty(); }, 10000))
            qWarning("the text is not examined");
        return dialog;
    }

    /// By class or object name; several states of one dialog are told apart after a colon.
    static const std::map<QString, Open>& dialogs() {
        static const std::map<QString, Open> all = {
            {QStringLiteral("CorpusDialog"),
             [](MainWindow& w, WindowFixture&) { return corpusWith(w, QStringLiteral("a cat sat\na dog sat")); }},
            {QStringLiteral("CorpusDialog:refused"),
             [](MainWindow& w, WindowFixture&) { return corpusWith(w, QStringLiteral("... !!! ???")); }},
            {QStringLiteral("CorpusDialog:empty"),
             [](MainWindow& w, WindowFixture&) -> QWidget* {
                 w.models().ownText();
                 return w.models().corpusDialog();
             }},
            {QStringLiteral("ExportDialog"),
             [](MainWindow& w, WindowFixture&) -> QWidget* {
                 train(w, 3);
                 return w.exports().exportView(QStringLiteral("loss"));
             }},
            {QStringLiteral("ExportDialog:table"),
             [](MainWindow& w, WindowFixture&) -> QWidget* {
                 ExportDialog* dialog = w.exports().exportView(QStringLiteral("heatmap"));
                 dialog->choose(QStringLiteral("heatmap"), FigureFormat::csv, 1);
                 return dialog;
             }},
            {QStringLiteral("AnimationDialog"),
             [](MainWindow& w, WindowFixture&) -> QWidget* {
                 train(w, 3);
                 return w.exports().animate({});
             }},
            {QStringLiteral("AnimationDialog:refused"),
             [](MainWindow& w, WindowFixture&) -> QWidget* {
                 AnimationDialog* dialog = w.exports().animate({});
                 dialog->setSteps(7, 3, 100000, 0);
                 return dialog;
             }},
            {QStringLiteral("NotesWindow"),
             [](MainWindow& w, WindowFixture&) -> QWidget* {
                 w.actions().notes->trigger();
                 return &w.desk().notes();
             }},
            {QStringLiteral("keys"),
             [](MainWindow& w, WindowFixture&) {
                 w.actions().keys->trigger();
                 return dialogNamed(w, QStringLiteral("keys"));
             }},
            {QStringLiteral("about"),
             [](MainWindow& w, WindowFixture&) {
                 w.actions().about->trigger();
                 return dialogNamed(w, QStringLiteral("about"));
             }},
            {QStringLiteral("step"),
             [](MainWindow& w, WindowFixture&) {
                 for (DockFrame* d : w.docks().docks())
                     if (d->area() == ViewArea::time) d->toggleViewAction()->trigger();
                 w.actions().goToStep->trigger();
                 return dialogNamed(w, QStringLiteral("step"));
             }},
            {QStringLiteral("train_on"),
             [](MainWindow& w, WindowFixture&) {
                 train(w, 20);
                 w.session().lookAt(10);
                 if (!QTest::qWaitFor([&] { return w.session().snapshot().step == 10; })) qWarning("no past");
                 w.actions().batch->trigger();
                 return dialogNamed(w, QStringLiteral("train_on"));
             }},
            {QStringLiteral("overwrite"),
             [](MainWindow& w, WindowFixture& f) {
                 save(w, f.path(QStringLiteral("shared.keras")));
                 writeText(f.path(QStringLiteral("shared.keras")), "another window's model");
                 w.models().save();
                 return dialogNamed(w, QStringLiteral("overwrite"));
             }},
            {QStringLiteral("replace_beside"),
             [](MainWindow& w, WindowFixture& f) {
                 writeText(f.path(QStringLiteral("mixture.keras")), "something else");
                 w.models().exportForKeras(f.path(QStringLiteral("mixture.py")).toStdString(),
                                           Workbench::KerasExport::code);
                 return dialogNamed(w, QStringLiteral("replace_beside"));
             }},
            {QStringLiteral("unsaved_training"),
             [](MainWindow& w, WindowFixture& f) {
                 save(w, f.path(QStringLiteral("mine.keras")));
                 train(w, 3);
                 w.close();
                 return dialogNamed(w, QStringLiteral("unsaved_training"));
             }},
            {QStringLiteral("unsaved_notes"),
             [](MainWindow& w, WindowFixture&) {
                 w.bench().setNotes(QStringLiteral("ask"));
                 w.close();
                 return dialogNamed(w, QStringLiteral("unsaved_notes"));
             }},
        };
        return all;
    }

    static void checkRoom(QWidget* root, const QString& where) {
        QTest::qWait(50);
        // A busy machine lays it out later.
        (void)QTest::qWaitFor([&] { return cutIn(root).isEmpty() && overlapsIn(root).isEmpty(); }, 2000);
        const QStringList cut = cutIn(root), over = overlapsIn(root);
        QVERIFY2(cut.isEmpty(), qPrintable(where + QStringLiteral(", cut:\n") + cut.join(u'\n')));
        QVERIFY2(over.isEmpty(), qPrintable(where + QStringLiteral(", overlapping:\n") + over.join(u'\n')));
        QVERIFY2(root->width() <= 1280 && root->height() <= 720,
                 qPrintable(QStringLiteral("%1 is %2x%3").arg(where).arg(root->width()).arg(root->height())));
    }

    /// Below or beside everything that was there before it.
    static void checkNotice(MainWindow& window, const QString& where) {
        QTest::qWait(120);
        Notice& notice = window.notice();
        QVERIFY(notice.isVisible());
        const QRect card(notice.mapTo(&window, QPoint(0, 0)), notice.size());
        QVERIFY(window.rect().contains(card));
        for (QWidget* w : window.findChildren<QWidget*>()) {
            if (w->window() != &window || !w->isVisible() || w->isAncestorOf(&notice) || notice.isAncestorOf(w))
                continue;
            const QRect there(w->mapTo(&window, QPoint(0, 0)), w->size());
            if (w == &notice || w->visibleRegion().isEmpty()) continue;
            QVERIFY2(!there.intersects(card),
                     qPrintable(QStringLiteral("%1: the notice covers %2 %3")
                                    .arg(where, QString::fromLatin1(w->metaObject()->className()), w->objectName())));
        }
        const QStringList cut = cutIn(&notice);
        QVERIFY2(cut.isEmpty(), qPrintable(where + u'\n' + cut.join(u'\n')));
    }

private Q_SLOTS:
    // Found in the sources: a new dialog has to be entered above.
    void everyDialogIsChecked() {
        std::set<QString> listed, found;
        for (const auto& [name, open] : dialogs()) listed.insert(name.section(u':', 0, 0));
        const std::filesystem::path app = std::filesystem::path(MOE_TEST_DATA).parent_path() / "app";
        const QRegularExpression subclass(QStringLiteral("class (\\w+) (final )?: public Q(Dialog|MessageBox)\\b")),
            made(
                QStringLiteral("new Q(Dialog|MessageBox|InputDialog|ColorDialog|FontDialog|Wizard|ProgressDialog)\\(")),
            named(QStringLiteral("setObjectName\\(QString(Literal\\(\"(\\w+)\"|::fromLatin1\\(name\\))")),
            asked(QStringLiteral("\\bask\\(\"(\\w+)\"")),
            blocking(QStringLiteral(
                "Q(MessageBox|InputDialog|FileDialog)::(question|warning|information|critical|about|get)"));
        for (const auto& entry : std::filesystem::recursive_directory_iterator(app)) {
            if (!entry.is_regular_file()) continue;
            const QString text = QString::fromStdString(read_file(entry.path()));
            const QString file = QString::fromStdString(entry.path().filename().string());
            QVERIFY2(!text.contains(blocking), qPrintable(file + QStringLiteral(" has a box that blocks")));
            for (auto m = subclass.globalMatch(text); m.hasNext();) found.insert(m.next().captured(1));
            for (auto m = asked.globalMatch(text); m.hasNext();) found.insert(m.next().captured(1));
            for (auto m = made.globalMatch(text); m.hasNext();) {
                const auto box = m.next();
                const auto name = named.match(text, box.capturedEnd());
                QVERIFY2(name.hasMatch() && name.capturedStart() - box.capturedEnd() < 120,
                         qPrintable(file + QStringLiteral(": a box without an object name")));
                if (!name.captured(2).isEmpty()) found.insert(name.captured(2));
            }
        }
        QVERIFY(found.size() > 5);
        QCOMPARE(listed, found);
    }

    void everyDialogHasRoom_data() {
        QTest::addColumn<QString>("name");
        QTest::addColumn<bool>("long_texts");
        for (const auto& [name, open] : dialogs()) {
            QTest::newRow(qPrintable(name)) << name << false;
            QTest::newRow(qPrintable(name + QStringLiteral(", 40 % longer"))) << name << true;
        }
    }

    void everyDialogHasRoom() {
        QFETCH(QString, name);
        QFETCH(bool, long_texts);
        Longer translator;
        if (long_texts) QCoreApplication::installTranslator(&translator);
        WindowFixture fixture;
        const auto window = fixture.window();
        window->resize(1280, 720);
        QWidget* dialog = dialogs().at(name)(*window, fixture);
        QVERIFY(dialog);
        checkRoom(dialog, name);
    }

    void everyLessonStepHasRoomInALongerLanguage() {
        Longer translator;
        QCoreApplication::installTranslator(&translator);
        WindowOptions options;
        options.lessons = loadLessons();
        for (Lesson& lesson : options.lessons.lessons) {
            lesson.title = longer(lesson.title);
            for (LessonStep& step : lesson.steps) {
                step.title = longer(step.title);
                step.text = longer(step.text);
                for (LessonAction& action : step.actions) action.label = longer(action.label);
                if (!step.guess) continue;
                step.guess->prompt = longer(step.guess->prompt);
                if (step.guess->kind == Guess::Kind::choice)
                    for (QString& option : step.guess->options) option = longer(option);
            }
        }
        const LessonList lessons = options.lessons;
        MainWindow window(std::move(options));
        window.resize(1280, 720);
        window.show();
        QVERIFY(lessons.lessons.size() >= 2);
        for (const Lesson& lesson : lessons.lessons) {
            window.openFirstLesson(lesson.id);
            QTRY_VERIFY(window.bench().identity().lesson && window.bench().identity().lesson->id == lesson.id);
            QTRY_VERIFY(!window.bench().busy());
            for (std::size_t i = 0; i < lesson.steps.size(); ++i) {
                for (QPushButton* b : window.column().lesson()->findChildren<QPushButton*>())
                    if (b->isCheckable() && b->isVisible()) b->click();
                checkRoom(&window, QStringLiteral("%1, step %2").arg(lesson.id).arg(i + 1));
                if (QTest::currentTestFailed()) return;
                window.column().lesson()->foot()->findChild<QPushButton*>()->click();
            }
        }
    }

    /// After a guess the answer takes room below the text; the buttons of each step stay whole in sight.
    void whatThereIsToTryStaysInSight() {
        WindowOptions options;
        options.lessons = loadLessons();
        const LessonList lessons = options.lessons;
        MainWindow window(std::move(options));
        window.resize(1280, 720);
        window.show();
        LessonPanel* panel = window.column().lesson();
        for (const Lesson& lesson : lessons.lessons) {
            window.openFirstLesson(lesson.id);
            QTRY_VERIFY(window.bench().identity().lesson && window.bench().identity().lesson->id == lesson.id);
            QTRY_VERIFY(!window.bench().busy());
            for (const LessonStep& step : lesson.steps) {
                QTest::qWait(20);  // the step's own buttons take the places of those before
                for (QPushButton* b : panel->findChildren<QPushButton*>())
                    if (b->isCheckable() && b->isVisible()) {
                        b->click();
                        break;
                    }
                std::size_t found = 0;
                for (QPushButton* b : panel->findChildren<QPushButton*>()) {
                    const bool action = std::any_of(step.actions.begin(), step.actions.end(),
                                                    [&](const LessonAction& a) { return a.label == b->text(); });
                    if (!action || b->isCheckable() || !b->isVisible()) continue;
                    ++found;
                    QTRY_COMPARE(b->visibleRegion().boundingRect(), b->rect());
                }
                QCOMPARE(found, step.actions.size());
                panel->foot()->findChild<QPushButton*>()->click();
            }
        }
    }

    void noticeCoversNothing_data() {
        QTest::addColumn<QSize>("size");
        QTest::addColumn<bool>("long_texts");
        QTest::newRow("1280x720") << QSize(1280, 720) << false;
        QTest::newRow("1920x1080") << QSize(1920, 1080) << false;
        QTest::newRow("1280x720, 40 % longer") << QSize(1280, 720) << true;
        QTest::newRow("the least window") << QSize(1160, 640) << false;
    }

    void noticeCoversNothing() {
        QFETCH(QSize, size);
        QFETCH(bool, long_texts);
        Longer translator;
        if (long_texts) QCoreApplication::installTranslator(&translator);
        WindowFixture fixture;
        fixture.autosave.root = fixture.path(QStringLiteral("autosave")).toStdString();
        fixture.autosave.look = 20;
        fixture.autosave.after_edit = fixture.autosave.after_training = 60;
        auto window = fixture.window();
        train(*window, 7);
        QTRY_VERIFY(window->desk().autosaver().written() > 0);
        window.reset();  // as in a crash
        window = fixture.window();
        window->resize(size);
        QTRY_COMPARE(window->theme().scale, scaleFor(size));
        QTest::qWait(200);
        std::map<QString, QRect> before;
        const auto places = [&] {
            std::map<QString, QRect> now;
            for (DockFrame* d : window->docks().docks()) now[d->objectName()] = d->geometry();
            return now;
        };
        before = places();
        window->desk().start();
        QTRY_COMPARE(window->notice().kind(), Notice::Kind::offered);
        checkNotice(*window, QStringLiteral("offered"));
        window->notice().findChildren<QPushButton*>().at(1)->click();
        QTRY_COMPARE(window->notice().findChildren<QPushButton*>().size(), 2);
        checkNotice(*window, QStringLiteral("to be discarded"));
        window->notice().withdraw(Notice::Kind::offered);
        const QString sentence = QStringLiteral(
            "The file notes-of-monday.keras is not a model: it ends after 12 bytes, where a header of 30 belongs; open "
            "another one, or ask whoever sent it to send it once more.");
        window->notice().tell(Notice::Kind::refused, long_texts ? longer(sentence) : sentence);
        checkNotice(*window, QStringLiteral("refused"));
        QTest::keyClick(window->docks().stage()->view(), Qt::Key_Right);
        QTRY_VERIFY(window->stepping().active() && window->stepping().stepper().trace());
        checkNotice(*window, QStringLiteral("while stepping"));
        window->stepping().leave();
        window->notice().withdraw(Notice::Kind::refused);
        QTRY_COMPARE(window->notice().kind(), Notice::Kind::offered);  // it was behind the other one
        window->notice().findChildren<QPushButton*>().back()->click();
        QVERIFY(!window->notice().isVisible());
        QTest::qWait(150);
        QCOMPARE(places(), before);  // the pictures have their room again
    }

    // Work that is soon done says nothing; what lasts does.
    void workThatLastsIsSaid() {
        WindowFixture fixture;
        const auto window = fixture.window();
        Notice& notice = window->notice();
        notice.tell(Notice::Kind::working, QStringLiteral("Reading …"));
        QVERIFY(!notice.isVisible());
        notice.withdraw(Notice::Kind::working);
        QTest::qWait(500);
        QVERIFY(!notice.isVisible());
        notice.tell(Notice::Kind::working, QStringLiteral("Reading …"));
        QTRY_COMPARE(notice.kind(), Notice::Kind::working);
        QVERIFY(notice.isVisible());
        notice.withdraw(Notice::Kind::working);
        QVERIFY(!notice.isVisible());
    }

    void keysAreListedOnceEach() {
        WindowFixture fixture;
        const auto window = fixture.window();
        for (const bool stepping : {false, true}) {
            if (stepping) {
                QTest::keyClick(window->docks().stage()->view(), Qt::Key_Right);
                QTRY_VERIFY(window->stepping().active());
            }
            window->actions().keys->trigger();
            QWidget* box = dialogNamed(*window, QStringLiteral("keys"));
            QStringList keys, all;
            for (const QLabel* label : box->findChildren<QLabel*>()) {
                if (label->property("role") == QStringLiteral("chip"))
                    keys << label->text().split(QStringLiteral(", "));
                all << label->text();
            }
            QStringList once = keys;
            once.removeDuplicates();
            QCOMPARE(keys, once);
            for (const QAction* a : window->actions().withKeys())
                QVERIFY2(keys.contains(a->shortcut().toString(QKeySequence::NativeText)), qPrintable(a->text()));
            for (const char* key : {"Space", "F10", "F1", "Esc", "Tab"})
                QVERIFY2(keys.contains(QString::fromLatin1(key)), key);
            // Both that Space does, whichever holds now.
            QVERIFY(all.contains(QStringLiteral("Play or pause")));
            QVERIFY(all.contains(QStringLiteral("Replay the operation")));
            static_cast<QDialog*>(box)->reject();
            QTRY_VERIFY(!box->isVisible());
        }
    }

    void exampleIsShownInWholeWords() {
        WindowFixture fixture;
        const auto window = fixture.window();
        QTest::keyClick(window->docks().stage()->view(), Qt::Key_Right);
        Stepper& stepper = window->stepping().stepper();
        QTRY_VERIFY(stepper.active() && stepper.trace());
        ExamplePicker* picker = window->stepping().list()->picker();
        std::size_t shortened = 0;
        for (std::size_t n = 0; n < stepper.trace()->examples; ++n) {
            stepper.setExample(n);
            const QString whole = shownText(examplePhrase(*stepper.trace(), n, *stepper.words()).arrowed());
            QVERIFY2(picker->toolTip().contains(whole.toHtmlEscaped()), qPrintable(picker->toolTip()));
            for (int width = 110; width <= 260; width += 5) {
                picker->resize(width, picker->height());
                const QString shown = picker->shownPhrase();
                if (shown == whole) continue;
                ++shortened;
                QVERIFY2(shown.startsWith(QStringLiteral("… ")), qPrintable(shown));
                QVERIFY2(whole.endsWith(u' ' + shown.mid(2)), qPrintable(shown));
            }
        }
        QVERIFY(shortened > 10);
    }

    void guessLooksChosenOnlyWhenItIs() {
        WindowFixture fixture;
        const auto window = fixture.window();
        for (const ThemeChoice theme : {ThemeChoice::light, ThemeChoice::dark}) {
            window->setThemeChoice(theme);
            QTest::qWait(120);
            std::vector<QPushButton*> options;
            for (QPushButton* b : window->column().lesson()->findChildren<QPushButton*>())
                if (b->isCheckable() && b->isVisible()) options.push_back(b);
            QCOMPARE(options.size(), std::size_t(4));
            for (QPushButton* b : options) b->setChecked(false);
            const auto middle = [](QPushButton* b) { return b->grab().toImage().pixelColor(b->width() - 12, 6); };
            const QColor plain = middle(options[1]);
            options[1]->setFocus();
            QCOMPARE(middle(options[1]), plain);  // the keys are there, but nothing was chosen
            options[1]->setChecked(true);
            QVERIFY(middle(options[1]) != plain);
            options[1]->setChecked(false);
            QVERIFY(middle(options[1]) == plain);
        }
    }
};

}  // namespace moe::app

QTEST_MAIN(moe::app::DialogsTest)
#include "dialogs_test.moc"
