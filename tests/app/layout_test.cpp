#include "app/shell/corpus_dialog.h"
#include "app/shell/dock_area.h"
#include "app/shell/experiment_panel.h"
#include "app/shell/left_column.h"
#include "app/shell/lesson_panel.h"
#include "app/shell/model_actions.h"
#include "app/shell/notice.h"
#include "app/shell/transport_bar.h"
#include "app/shell/workbench.h"
#include "text_room.h"
#include "window_fixture.h"

#include <QAbstractButton>
#include <QLabel>
#include <QPushButton>
#include <QScrollArea>
#include <QScrollBar>

namespace moe::app {

class LayoutTest : public QObject {
    Q_OBJECT

private:
    static QScrollArea* lessonScroll(MainWindow& window) {
        for (QWidget* w = window.column().lesson(); w; w = w->parentWidget())
            if (auto* area = qobject_cast<QScrollArea*>(w)) return area;
        return nullptr;
    }

private Q_SLOTS:
    void nothingIsCutInALongerLanguage_data() {
        QTest::addColumn<bool>("longer");
        QTest::newRow("as written") << false;
        QTest::newRow("40 % longer") << true;
    }

    void nothingIsCutInALongerLanguage() {
        QFETCH(bool, longer);
        Longer translator;
        if (longer) QCoreApplication::installTranslator(&translator);
        WindowFixture fixture;
        const auto window = fixture.window();
        window->resize(1280, 720);
        QTest::qWait(150);
        QCOMPARE(window->size(), QSize(1280, 720));
        const auto check = [&](QWidget* root, const char* where) {
            QTest::qWait(120);
            const QStringList cut = cutIn(root);
            QVERIFY2(cut.isEmpty(), qPrintable(QString::fromLatin1(where) + QStringLiteral(":\n") + cut.join(u'\n')));
        };
        check(window.get(), "untrained");
        window->session().runSteps(3);
        QTRY_VERIFY(window->session().snapshot().step == 3 && window->session().resting());
        check(window.get(), "trained a little");
        window->session().setSpeed(0);
        window->session().play();
        QTRY_COMPARE_WITH_TIMEOUT(window->session().snapshot().state, SessionState::finished, 20000);
        check(window.get(), "finished");
        Q_EMIT window->column().experiment()->changeAsked();
        check(window.get(), "editor");
        for (QPushButton* b : window->column().editor()->findChildren<QPushButton*>())
            if (b->text().startsWith(QStringLiteral("top-k"))) b->click();
        check(window.get(), "editor with a change");
        window->notice().tell(Notice::Kind::refused,
                              QStringLiteral("The file notes.keras is not a model: it ends after 12 "
                                             "bytes; open another one."));
        check(window.get(), "notice");
        window->models().ownText(QStringLiteral("a cat sat\na dog sat"));
        QTRY_VERIFY_WITH_TIMEOUT(
            window->models().corpusDialog()->canTrain() || !window->models().corpusDialog()->problem().isEmpty(),
            10000);
        QCOMPARE(window->models().corpusDialog()->problem(), QString());
        check(window->models().corpusDialog(), "own text");
        if (longer) QCoreApplication::removeTranslator(&translator);
    }

    void everyStepOfEveryLessonFitsWithoutScrolling() {
        WindowFixture fixture;
        const LessonList lessons = loadLessons();
        QVERIFY(!lessons.lessons.empty());
        QStringList tall;
        for (const Lesson& lesson : lessons.lessons) {
            const auto window = fixture.window(lesson.id);
            window->resize(1280, 720);
            QTest::qWait(120);
            QTRY_COMPARE(window->bench().identity().lesson->id, lesson.id);
            for (std::size_t i = 0; i < lesson.steps.size(); ++i) {
                const LessonStep& step = lesson.steps[i];
                for (const bool guessed : {false, true}) {
                    if (guessed)
                        for (QPushButton* b : window->column().lesson()->findChildren<QPushButton*>())
                            if (b->isCheckable() && b->isVisible()) b->click();
                    QTest::qWait(80);
                    const int over = lessonScroll(*window)->verticalScrollBar()->maximum();
                    const QWidget* viewport = lessonScroll(*window)->viewport();
                    for (QWidget* w : window->column().lesson()->findChildren<QWidget*>())
                        if (w->isVisible() &&
                            w->mapTo(window->column().lesson(), QPoint(w->width(), 0)).x() > viewport->width())
                            tall << QStringLiteral("%1, step %2: a %3 is wider than the column")
                                        .arg(lesson.id)
                                        .arg(i + 1)
                                        .arg(QString::fromLatin1(w->metaObject()->className()));
                    // With an answer below it the part that scrolls may be short; the answer itself is seen.
                    const bool seen = window->column().lesson()->revealSeen();
                    if (guessed ? !seen && step.guess : over > 0)
                        tall << QStringLiteral("%1, step %2%3: %4 px too tall")
                                    .arg(lesson.id)
                                    .arg(i + 1)
                                    .arg(guessed ? QStringLiteral(", guessed") : QString())
                                    .arg(over);
                }
                for (QPushButton* b : window->column().findChildren<QPushButton*>())
                    if (b->isVisible() && b->text() == QStringLiteral("Next")) b->click();
            }
        }
        QVERIFY2(tall.isEmpty(), qPrintable(tall.join(u'\n')));
    }

    void largerWindowsGiveLargerType() {
        WindowFixture fixture;
        const auto window = fixture.window();
        window->resize(1280, 720);
        QTRY_COMPARE(window->theme().scale, 1.0);
        window->resize(1920, 1080);
        QTRY_COMPARE(window->theme().scale, 1.35);
        window->resize(1280, 720);
        QTRY_COMPARE(window->theme().scale, 1.0);
    }

    void stageIsTheLargest() {
        WindowFixture fixture;
        const auto window = fixture.window();
        DockFrame* stage = window->docks().stage();
        QVERIFY(stage);
        for (const QSize size : {QSize(1280, 720), QSize(1920, 1080), QSize(1600, 900)}) {
            window->resize(size);
            QTest::qWait(200);
            for (DockFrame* d : window->docks().docks())
                if (d != stage && !d->visibleRegion().isEmpty())
                    QVERIFY2(stage->width() * stage->height() > 2 * d->width() * d->height(),
                             qPrintable(QStringLiteral("%1 in %2: %3x%4, stage %5x%6")
                                            .arg(d->objectName())
                                            .arg(size.width())
                                            .arg(d->width())
                                            .arg(d->height())
                                            .arg(stage->width())
                                            .arg(stage->height())));
        }
        if (DockFrame* load = window->docks().dock(QStringLiteral("load"))) {
            window->resize(1280, 720);
            QTRY_VERIFY2(std::abs(load->width() - 272) <= 8, qPrintable(QString::number(load->width())));
            QVERIFY2(std::abs(stage->width() - 716) <= 8, qPrintable(QString::number(stage->width())));
        }
    }
};

}  // namespace moe::app

QTEST_MAIN(moe::app::LayoutTest)
#include "layout_test.moc"
