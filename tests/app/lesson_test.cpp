#include "app/lessons/json_lines.h"
#include "app/lessons/markdown.h"
#include "app/lessons/player.h"
#include "engine/core/error.h"
#include "window_fixture.h"

namespace moe::app {

class LessonTest : public QObject {
    Q_OBJECT

private:
    QTemporaryDir dir_;

    QString folderWith(QByteArray json) {
        const QString folder = dir_.filePath(QStringLiteral("50-try"));
        QDir().mkpath(folder);
        writeText(folder + QStringLiteral("/lesson.json"), json);
        writeText(folder + QStringLiteral("/corpus.txt"), tiny_corpus);
        return folder;
    }

    QString problemOf(const QByteArray& json) {
        try {
            loadLesson(folderWith(json));
        } catch (const Error& e) {
            return QString::fromUtf8(e.what());
        }
        return {};
    }

private Q_SLOTS:
    void reads() {
        const Lesson lesson = loadLesson(folderWith(tiny_lesson));
        QCOMPARE(lesson.id, QStringLiteral("50-try"));
        QCOMPARE(lesson.title, QStringLiteral("Meet the mixture"));
        QCOMPARE(lesson.experiment.model.embedding_dim, std::size_t(8));
        QCOMPARE(lesson.experiment.train.epochs, std::size_t(40));
        QCOMPARE(lesson.steps.size(), std::size_t(2));
        QVERIFY(lesson.steps[0].guess.has_value());
        QCOMPARE(lesson.steps[1].actions.size(), std::size_t(1));
        QCOMPARE(lesson.steps[1].actions[0].kind, LessonAction::Kind::epochs);
        QCOMPARE(loadCorpus(lesson)->examples(), std::size_t(12));
    }

    void measuringIsAButton() {
        QByteArray json(tiny_lesson);
        const QByteArray button("{\"label\": \"One epoch\", \"epochs\": 1}");
        QVERIFY(json.contains(button));
        json.replace(button, R"({"label": "Measure", "measure": true})");
        const Lesson lesson = loadLesson(folderWith(json));
        QCOMPARE(lesson.steps[1].actions.at(0).kind, LessonAction::Kind::measure);
    }

    void complaintsNameTheLine_data() {
        QTest::addColumn<QByteArray>("from");
        QTest::addColumn<QByteArray>("to");
        QTest::addColumn<int>("line");
        QTest::addColumn<QString>("says");
        QTest::newRow("comma") << QByteArray("\"Can it learn?\",") << QByteArray("\"Can it learn?\"") << 4
                               << QStringLiteral("\",\" is missing");
        QTest::newRow("unknown key") << QByteArray("\"speed\"") << QByteArray("\"sped\"") << 6
                                     << QStringLiteral("sped");
        QTest::newRow("missing key") << QByteArray("\"probe\": \"hello world how are\",") << QByteArray("") << 1
                                     << QStringLiteral("\"probe\" is missing");
        QTest::newRow("unknown setting") << QByteArray("num_experts") << QByteArray("num_exports") << 5
                                         << QStringLiteral("num_exports");
        QTest::newRow("value out of range")
            << QByteArray("\"num_experts\": 4") << QByteArray("\"num_experts\": 0") << 5 << QStringLiteral("1 to 2048");
        QTest::newRow("no steps") << QByteArray("\"steps\": [") << QByteArray("\"steps\": [], \"x\": [") << 9
                                  << QStringLiteral("\"x\"");
        QTest::newRow("answer of no kind") << QByteArray("\"answer\": \"gate\"") << QByteArray("\"answer\": \"luck\"")
                                           << 11 << QStringLiteral("answer");
        QTest::newRow("corpus elsewhere") << QByteArray("\"corpus.txt\"") << QByteArray("\"../secret.txt\"") << 4
                                          << QStringLiteral("lesson's folder");
        QTest::newRow("key twice") << QByteArray("\"focus\": 0") << QByteArray("\"focus\": 0, \"focus\": 1") << 8
                                   << QStringLiteral("twice");
        QTest::newRow("two acts in a button")
            << QByteArray("\"epochs\": 1}") << QByteArray("\"epochs\": 1, \"play\": true}") << 12
            << QStringLiteral("one of");
    }

    void complaintsNameTheLine() {
        QFETCH(QByteArray, from);
        QFETCH(QByteArray, to);
        QFETCH(int, line);
        QFETCH(QString, says);
        QByteArray json(tiny_lesson);
        QVERIFY(json.contains(from));
        const QString problem = problemOf(json.replace(json.indexOf(from), from.size(), to));
        QVERIFY2(problem.contains(QStringLiteral("50-try/lesson.json, line %1:").arg(line)), qPrintable(problem));
        QVERIFY2(problem.contains(says), qPrintable(problem));
    }

    void hostileJson() {
        QVERIFY(problemOf(QByteArray(100000, '[')).contains(QStringLiteral("levels")));
        QVERIFY(!problemOf("").isEmpty());
        QVERIFY(!problemOf("\"\\u12").isEmpty());
        QVERIFY(problemOf("\xff\xfe{}").contains(QStringLiteral("UTF-8")));
        // Every truncation is refused, none crashes.
        const QByteArray whole(tiny_lesson);
        for (qsizetype n = 0; n < whole.size() - 1; n += 5) QVERIFY(!problemOf(whole.left(n)).isEmpty());
    }

    void brokenLessonsDoNotStopTheOthers() {
        QTemporaryDir root;
        for (const char* id : {"60-good", "61-bad"}) {
            const QString folder = root.filePath(QString::fromLatin1(id));
            QDir().mkpath(folder);
            writeText(folder + QStringLiteral("/lesson.json"),
                      QByteArray(id).endsWith("good") ? QByteArray(tiny_lesson) : QByteArray("{"));
            writeText(folder + QStringLiteral("/corpus.txt"), tiny_corpus);
        }
        const LessonList list = loadLessons(root.path());
        QVERIFY(std::any_of(list.lessons.begin(), list.lessons.end(),
                            [](const Lesson& l) { return l.id == QStringLiteral("60-good"); }));
        QCOMPARE(list.problems.size(), 1);
        QVERIFY(list.problems[0].contains(QStringLiteral("61-bad/lesson.json, line 1:")));
    }

    void builtInLessonsLoad() {
        const LessonList list = loadLessons();
        QVERIFY2(list.problems.isEmpty(), qPrintable(list.problems.join(u'\n')));
        for (const Lesson& lesson : list.lessons) QVERIFY(loadCorpus(lesson)->examples() > 0);
    }

    void markdownIsOursAlone() {
        QCOMPARE(markdownToHtml(QStringLiteral("a **b** *c* `d`")),
                 QStringLiteral("<p>a <b>b</b> <i>c</i> <code>d</code></p>"));
        QCOMPARE(markdownToHtml(QStringLiteral("- one\n- two")), QStringLiteral("<ul><li>one</li><li>two</li></ul>"));
        QCOMPARE(markdownToHtml(QStringLiteral("one\ntwo\n\nthree")), QStringLiteral("<p>one two</p><p>three</p>"));
        for (const char* hostile : {"<img src='file:///etc/passwd'>", "[x](http://example.org)", "![x](../secret.png)",
                                    "![x](http://example.org/a.png)", "![x](/etc/a.png)", "<script>", "![x](a.svg)"}) {
            const QString html = markdownToHtml(QString::fromLatin1(hostile));
            QVERIFY2(!html.contains(QStringLiteral("<img")) && !html.contains(QStringLiteral("<a")) &&
                         !html.contains(QStringLiteral("<script")),
                     qPrintable(html));
        }
        QCOMPARE(markdownToHtml(QStringLiteral("![a b](pic-1.png)")),
                 QStringLiteral("<p><img src=\"pic-1.png\" alt=\"a b\"></p>"));
    }

    void playerWalksAndReveals() {
        const Lesson lesson = loadLesson(folderWith(tiny_lesson));
        LessonPlayer player(&lesson);
        Snapshot s;
        s.experiment.model.num_experts = 4;
        s.probe.focus = 1;
        s.probe.prefix_words = {0, 1};
        s.probe.gate_weights = {1, 0, 0, 0, 0.07f, 0.44f, 0.10f, 0.39f};
        QCOMPARE(player.options(s).size(), 4);
        QVERIFY(!player.canGoBack());
        QCOMPARE(player.reveal(s), QString());  // nothing before the guess
        player.guess(1, s);
        QCOMPARE(player.reveal(s), QStringLiteral("You said B. It has 44 %. No other has more."));
        player.guess(3, s);
        QCOMPARE(player.reveal(s), QStringLiteral("You said D. It has 39 %. B has the most: 44 %."));
        QVERIFY(player.goOn());
        QVERIFY(!player.guessed());
        QVERIFY(!player.goOn());
        QVERIFY(player.goBack());
        QCOMPARE(*player.guessed(), 3);  // what was said stays said
    }

    void everyExpertCanBeGuessed() {
        const Lesson lesson = loadLesson(folderWith(tiny_lesson));
        LessonPlayer player(&lesson);
        Snapshot s;
        const auto among = [&](std::size_t experts) {
            s.experiment.model.num_experts = experts;
            s.probe.focus = 0;
            s.probe.prefix_words = {0};
            s.probe.gate_weights.assign(experts, 0.5f / float(experts - 1));
            s.probe.gate_weights.back() = 0.5f;
            return player.options(s);
        };
        QCOMPARE(among(8).back(), QStringLiteral("Expert H"));
        QCOMPARE(among(16).size(), 16);
        QCOMPARE(among(16).back(), QStringLiteral("P"));
        QCOMPARE(among(26).back(), QStringLiteral("Z"));
        for (const std::size_t experts : {27u, 60u, 64u, 2048u}) {
            QVERIFY(among(experts).size() <= 8);
            player.guess(int(among(experts).size()) - 1, s);
            QCOMPARE(*player.guessedOption(s), int(among(experts).size()) - 1);
            const QString text = player.reveal(s);
            QVERIFY2(text.startsWith(QStringLiteral("You said ") + among(experts).back()), qPrintable(text));
            QVERIFY2(text.endsWith(QStringLiteral("%1 has the most: 50 %.").arg(expertName(experts - 1))),
                     qPrintable(text));
        }
        QCOMPARE(among(57).back(), QStringLiteral("57"));  // a group of one
        player.guess(7, s);
        QCOMPARE(player.reveal(s), QStringLiteral("You said 57. It has 50 %. No other has more."));
        QCOMPARE(among(64).back(), QStringLiteral("57\u201364"));
        QCOMPARE(among(64).front(), QStringLiteral("A\u2013H"));
        among(16);
        player.guess(12, s);  // "M"
        player.expertsChanged(16, 64);
        among(64);
        QVERIFY(player.reveal(s).startsWith(QStringLiteral("You said I\u2013P")));
        player.expertsChanged(64, 16);  // nobody said "M" of those
        QVERIFY(!player.guessed());
    }

    void guessBeyondTheExpertsThatAreLeftIsNotShown() {
        Lesson lesson = loadLesson(folderWith(tiny_lesson));
        lesson.steps[0].guess->answer = Guess::Answer::load;
        LessonPlayer player(&lesson);
        Snapshot s;
        s.experiment.model.num_experts = 16;
        player.guess(15, s);
        QCOMPARE(player.reveal(s), QStringLiteral("You said P. Train first: nothing has run yet."));
        s.experiment.model.num_experts = 4;
        QCOMPARE(player.reveal(s), QString());
        player.guess(1, s);
        QCOMPARE(player.reveal(s), QStringLiteral("You said B. Train first: nothing has run yet."));
    }
};

}  // namespace moe::app

QTEST_MAIN(moe::app::LessonTest)
#include "lesson_test.moc"
