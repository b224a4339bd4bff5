// Each bad input that a class will give the program: one clear sentence, nothing lost, no crash.
#undef QT_NO_CAST_FROM_ASCII  // literals of tests

#include "tests/app/run_moelab.h"

#include <QTemporaryDir>

#include <unistd.h>

class CliBadInputTest : public QObject {
    Q_OBJECT

private:
    QTemporaryDir dir_;
    QByteArray model_;  // what must not change

    QString at(const QString& name) const { return dir_.filePath(name); }
    Ran train(const QString& corpus, const QStringList& more = {}) const {
        return moelab(QStringList{"train", "--corpus", at(corpus), "--out", at("model"), "--epochs", "2"} + more);
    }
    Ran predict(const QString& model) const { return moelab({"predict", "--model", at(model), "how are"}); }
    Ran trainOn(const QByteArray& text, const QStringList& more = {}) const {
        put(at("text.txt"), text);
        return train("text.txt", more);
    }

private Q_SLOTS:
    void initTestCase() {
        put(at("four.txt"), four_lines);
        QCOMPARE(train("four.txt").code, 0);
        model_ = contents(at("model/model.keras"));
        QVERIFY(model_.size() > 1000);
    }

    /// Whatever was refused: the model that was there is there.
    void cleanup() { QVERIFY(contents(at("model/model.keras")) == model_); }

    // Names that come from elsewhere do not make two lines of one sentence, nor colour the terminal.
    void namesStayOnOneLine() {
        const Ran ran = train("four.txt", {"--set", "exp\nerts\x1b[31m=3"});
        QCOMPARE(ran.code, 2);
        QVERIFY2(ran.err.startsWith("moelab: There is no setting 'exp?erts?[31m'"), qPrintable(ran.err));
        QCOMPARE(ran.err.count(u'\n'), 2);
    }

    void corpora_data() {
        QTest::addColumn<QByteArray>("text");
        QTest::addColumn<QByteArray>("part");
        QByteArray garbage;
        for (int i = 0; i < 4096; ++i) garbage += char(i * 167 + i / 7);
        QTest::newRow("empty") << QByteArray() << QByteArray("empty");
        QTest::newRow("one word") << QByteArray("hello") << QByteArray("two words");
        QTest::newRow("one word a line") << QByteArray("hello\nworld\n") << QByteArray("two words");
        QTest::newRow("garbage") << garbage << QByteArray("not a text file");
        QTest::newRow("a picture") << QByteArray("\x89PNG\r\n\x1a\n\0\0\0\rIHDR", 16) << QByteArray("not");
        QTest::newRow("bad UTF-8") << QByteArray("hello world\nhow \xC3\x28 you\n") << QByteArray("line 2");
        QTest::newRow("a surrogate") << QByteArray("hello \xED\xA0\x80 world") << QByteArray("UTF-8");
        QTest::newRow("UTF-16") << QByteArray("\xFF\xFEh\0i\0", 6) << QByteArray("UTF-16");
        QTest::newRow("punctuation") << QByteArray("!!! ... ??? , ; : -- \n ( ) \n") << QByteArray("no words");
        QTest::newRow("spaces") << QByteArray("   \n \t \n\n") << QByteArray("no words");
    }
    void corpora() {
        QFETCH(QByteArray, text);
        QFETCH(QByteArray, part);
        REFUSED(trainOn(text), 1, part);
    }

    void missingCorpora() {
        REFUSED(train("nowhere.txt"), 1, "nowhere.txt");
        REFUSED(train("."), 1, "folder");
    }

    void settings() {
        REFUSED(train("four.txt", {"--set", "experts=4"}), 2, "num_experts");
        REFUSED(train("four.txt", {"--set", "num_experts"}), 2, "equals");
        REFUSED(train("four.txt", {"--set", "num_experts=0"}), 2, "1 to 2048");
        REFUSED(train("four.txt", {"--set", "num_experts=-4"}), 2, "1 to 2048");
        REFUSED(train("four.txt", {"--set", "num_experts=99999999999999999999"}), 2, "1 to 2048");
        REFUSED(train("four.txt", {"--set", "hidden_dim=1e3"}), 2, "hidden_dim");
        REFUSED(train("four.txt", {"--set", "learning_rate=nan"}), 2, "learning_rate");
        REFUSED(train("four.txt", {"--set", "learning_rate=0,1"}), 2, "learning_rate");
        REFUSED(train("four.txt", {"--set", "router=switch"}), 2, "soft");
        REFUSED(train("four.txt", {"--set", "router=top_k", "--set", "top_k=5"}), 1, "top_k is 5");
        // No folder is left of a model that cannot be.
        REFUSED(moelab({"train", "--corpus", at("four.txt"), "--out", at("never"), "--set", "router=top_k", "--set",
                        "top_k=5"}),
                1, "top_k is 5");
        QVERIFY(!QFileInfo::exists(at("never")));
    }

    void hugeSizesAreRefusedBeforeTheyAreAllocated() {
        const Ran ran = train(
            "four.txt", {"--set", "num_experts=2048", "--set", "hidden_dim=65536", "--set", "embedding_dim=65536"});
        REFUSED(ran, 1, " bytes)");
        QVERIFY(ran.milliseconds < 3000);
    }

    void learningRateOfABillion() {
        const Ran ran =
            moelab({"train", "--corpus", at("four.txt"), "--out", at("diverged"), "--set", "learning_rate=1e9"});
        QCOMPARE(ran.code, 1);
        QVERIFY2(ran.lastLine().startsWith("moelab: ") && ran.lastLine().contains("learning rate"),
                 ran.err.constData());
        QCOMPARE(predict("diverged").code, 0);
    }

    void modelFiles() {
        REFUSED(predict("nowhere"), 1, "nowhere");
        REFUSED(predict("four.txt"), 1, "four.txt");
        QVERIFY(QDir(at("")).mkpath(at("empty")));
        REFUSED(predict("empty"), 1, "empty");
        // Cut off anywhere: in the directory, in the middle, at the first byte.
        for (const qsizetype kept : {qsizetype(0), qsizetype(1), qsizetype(30), model_.size() / 3, model_.size() / 2,
                                     model_.size() - 30, model_.size() - 1}) {
            put(at("cut.keras"), model_.first(kept));
            REFUSED(predict("cut.keras"), 1, "cut.keras");
        }
        // One byte of the weights is another one.
        QByteArray changed = model_;
        changed[changed.size() / 2] = char(~changed[changed.size() / 2]);
        put(at("changed.keras"), changed);
        REFUSED(predict("changed.keras"), 1, "changed.keras");
    }

    void swappedModelFiles() {
        // The tokenizer where the model should be.
        QVERIFY(QDir().mkpath(at("swapped")));
        put(at("swapped/model.keras"), contents(at("model/tokenizer.json")));
        put(at("swapped/tokenizer.json"), model_);
        put(at("swapped/max_seq_len.txt"), "4\n");
        REFUSED(predict("swapped"), 1, "model.keras");
        // Another model's text goes on with this model: its words are said, nothing is made up.
        put(at("other.txt"), "alpha beta gamma delta\nepsilon zeta eta theta\n");
        REFUSED(train("other.txt", {"--init", at("model")}), 1, "other.txt");
        // A folder whose files are missing one by one.
        QVERIFY(QDir().mkpath(at("half")));
        put(at("half/tokenizer.json"), contents(at("model/tokenizer.json")));
        REFUSED(predict("half"), 1, "model.keras");
    }

    void badTexts() {
        const QByteArray model = at("model").toUtf8();
        REFUSED(shell("\"$MOELAB\" predict --model '" + model + "' $'how \\xC3\\x28'"), 2, "UTF-8");
        put(at("bad.txt"), "how \xC3\x28 you");
        REFUSED(moelab({"heatmap", "--model", at("model"), "--text", at("bad.txt"), "--out", at("bad.csv")}), 1,
                "UTF-8");
        REFUSED(moelab({"heatmap", "--model", at("model"), "--text", at("nowhere.txt"), "--out", at("bad.csv")}), 1,
                "nowhere.txt");
        QVERIFY(!QFile::exists(at("bad.csv")));
        // Markup, control characters and directions are words like others.
        QCOMPARE(moelab({"predict", "--model", at("model"), "<img src='x'> \x1b[31m \u202E how"}).code, 0);
        QCOMPARE(moelab({"predict", "--model", at("model"), ""}).code, 0);
    }

    void outputThatCannotBeWritten() {
        // A file where the folder should be.
        put(at("file"), "kept");
        REFUSED(moelab({"train", "--corpus", at("four.txt"), "--out", at("file")}), 1, "file");
        REFUSED(moelab({"train", "--corpus", at("four.txt"), "--out", at("file/below")}), 1, "file");
        QCOMPARE(contents(at("file")), QByteArray("kept"));
        REFUSED(moelab({"heatmap", "--model", at("model"), "--probe", "how", "--out", at("nowhere/map.csv")}), 1,
                "nowhere");
        // A folder where a file should be.
        QVERIFY(QDir().mkpath(at("blocked/model.keras/inside")));
        REFUSED(moelab({"train", "--corpus", at("four.txt"), "--out", at("blocked"), "--json"}), 1, "model.keras");
        if (geteuid() != 0) {
            QVERIFY(QDir().mkpath(at("readonly")));
            QVERIFY(QFile::setPermissions(at("readonly"), QFile::ReadOwner | QFile::ExeOwner));
            REFUSED(moelab({"train", "--corpus", at("four.txt"), "--out", at("readonly")}), 1, "read-only");
        }
    }

    void readOnlyAndFullDisks() {
        const QByteArray disk = at("disk").toUtf8();
        QVERIFY(QDir().mkpath(at("disk")));
        if (geteuid() != 0 || shell("mount -t tmpfs -o size=128k none '" + disk + "'").code != 0)
            QSKIP("mounting a small disk takes root: what a full disk does is tested where there is root");
        const auto unmount = qScopeGuard([&] { shell("umount '" + disk + "'"); });
        const QStringList onDisk = {"train",    "--corpus", at("four.txt"), "--out", at("disk/m"),
                                    "--epochs", "2",        "--json"};
        QVERIFY(QDir().mkpath(at("disk/m")));
        put(at("disk/m/model.keras"), "the old model");
        REFUSED(moelab(onDisk), 1, "full");
        QCOMPARE(contents(at("disk/m/model.keras")), QByteArray("the old model"));
        QCOMPARE(QDir(at("disk/m")).entryList(QDir::Files), QStringList({"model.keras"}));  // no temporary stays
        QCOMPARE(shell("mount -o remount,ro '" + disk + "'").code, 0);
        REFUSED(moelab(onDisk), 1, "read-only");
        REFUSED(moelab({"train", "--corpus", at("four.txt"), "--out", at("disk/new")}), 1, "read-only");
        QCOMPARE(contents(at("disk/m/model.keras")), QByteArray("the old model"));
    }

    void twoThatSaveToOneFolder() {
        const QByteArray command = "\"$MOELAB\" train --corpus '" + at("four.txt").toUtf8() + "' --epochs 30 --out '";
        const QByteArray both = at("both").toUtf8();
        QCOMPARE(
            shell(command + at("one").toUtf8() + "' --seed 1 && " + command + at("two").toUtf8() + "' --seed 2").code,
            0);
        for (int round = 0; round < 5; ++round) {
            QCOMPARE(shell(command + both + "' --seed 1 >/dev/null & " + command + both +
                           "' --seed 2 >/dev/null; a=$?; wait $! && exit $a")
                         .code,
                     0);
            const QByteArray saved = contents(at("both/model.keras"));
            QVERIFY(saved == contents(at("one/model.keras")) || saved == contents(at("two/model.keras")));
            QCOMPARE(predict("both").code, 0);
            QCOMPARE(QDir(at("both")).entryList(QDir::AllEntries | QDir::Hidden | QDir::NoDotAndDotDot).size(), 3);
        }
    }

    void acceptedWithAWord() {
        put(at("bom.txt"), "\xEF\xBB\xBF" + four_lines);
        Ran ran = moelab({"train", "--corpus", at("bom.txt"), "--out", at("bom"), "--epochs", "2"});
        QVERIFY2(ran.code == 0 && ran.err.contains("byte order mark"), ran.err.constData());
        QByteArray crlf = four_lines;
        put(at("crlf.txt"), crlf.replace("\n", "\r\n"));
        ran = moelab({"train", "--corpus", at("crlf.txt"), "--out", at("crlf"), "--epochs", "2"});
        QVERIFY2(ran.code == 0 && ran.err.contains("arriage return"), ran.err.constData());
        QVERIFY(contents(at("crlf/tokenizer.json")) == contents(at("model/tokenizer.json")));
    }

    void aLineOfAHundredThousandWords() {
        QByteArray line;
        for (int i = 0; i < 100'000; ++i) line += "word" + QByteArray::number(i % 977) + ' ';
        put(at("long.txt"), line);
        const Ran ran = moelab({"train", "--corpus", at("long.txt"), "--out", at("long"), "--steps", "3", "--json"});
        QVERIFY2(ran.code == 0, ran.err.constData());
        QVERIFY2(ran.err.contains("keep their last 512"), ran.err.constData());
        QCOMPARE(contents(at("long/max_seq_len.txt")).trimmed(), QByteArray("512"));
    }

    void fiftyMegabytes() {
        QByteArray text;
        text.reserve(51 << 20);
        for (int i = 0; text.size() < 50 << 20; ++i)
            text += "line " + QByteArray::number(i % 5000) + " of a long text about nothing that goes on\n";
        put(at("large.txt"), text);
        const Ran ran = moelab({"train", "--corpus", at("large.txt"), "--out", at("large"), "--steps", "2"}, 120);
        QVERIFY2(ran.code == 0, ran.err.constData());
        QVERIFY2(ran.err.contains(" lines, "), ran.err.constData());
        QVERIFY(QDir(at("large")).removeRecursively() && QFile::remove(at("large.txt")));
    }
};

QTEST_GUILESS_MAIN(CliBadInputTest)
#include "cli_bad_input_test.moc"
