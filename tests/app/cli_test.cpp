#undef QT_NO_CAST_FROM_ASCII  // literals of tests

#include "engine/core/family.h"
#include "engine/formats/model_files.h"
#include "engine/session/inference.h"
#include "engine/session/session_file.h"
#include "tests/app/run_moelab.h"
#include "tests/support/read_models.h"

#include <QJsonArray>
#include <QTemporaryDir>

#include <csignal>
#include <numeric>

using namespace moe;

class CliTest : public QObject {
    Q_OBJECT

private:
    QTemporaryDir dir_;

    QString at(const QString& name) const { return dir_.filePath(name); }
    Ran train(const QString& out, const QStringList& more = {}) const {
        return moelab(QStringList{"train", "--corpus", at("four.txt"), "--out", at(out)} + more);
    }

private Q_SLOTS:
    void initTestCase() {
        put(at("four.txt"), four_lines);
        const Ran ran = train("model");
        QVERIFY2(ran.code == 0, ran.err.constData());
    }

    void helpIsComplete() {
        const Ran all = moelab({"--help"});
        QCOMPARE(all.code, 0);
        QVERIFY(all.err.isEmpty());
        const QList<QPair<QByteArray, QList<QByteArray>>> commands = {
            {"lessons", {"--json"}},
            {"train",
             {"--lesson", "--corpus", "--out", "--set", "--seed", "--epochs", "--steps", "--device", "--threads",
              "--init", "--no-shuffle", "--json", "num_experts", "learning_rate", "balance_loss", "activation",
              "embedding_squares"}},
            {"predict", {"--model", "--top", "--json"}},
            {"heatmap", {"--model", "--text", "--probe", "--out", ".png", ".svg", ".pdf", ".csv"}},
            {"verify", {"--device", "--json"}},
            {"export", {"--model", "--keras", "--keras-code", "--classes"}},
            {"bench", {"--case", "--threads", "--device", "--json", "--serve"}}};
        for (const auto& [command, words] : commands) {
            QVERIFY2(all.out.contains("\n  " + command + " "), command.constData());
            const Ran help = moelab({QString::fromLatin1(command), "--help"});
            QCOMPARE(help.code, 0);
            QVERIFY(help.err.isEmpty());
            for (const QByteArray& word : words) QVERIFY2(help.out.contains(word), (command + " " + word).constData());
        }
    }

    void versionNamesBackendsAndInstructionSet() {
        const Ran ran = moelab({"--version"});
        QCOMPARE(ran.code, 0);
        QVERIFY(ran.out.startsWith("moelab "));
        QVERIFY(ran.out.contains("cpu: "));
        QVERIFY(ran.out.contains("cuda: "));
        QVERIFY2(ran.out.contains("AVX") || ran.out.contains("baseline") || ran.out.contains("SSE"),
                 ran.out.constData());
    }

    void aWrongCommandLineIsTwoLinesAndTwo() {
        REFUSED(moelab({"trian"}), 2, "'trian' is neither a command nor a file");
        REFUSED(moelab({"trian", "--corpus", "lines.txt"}), 2, "'trian' is neither a command nor a file");
        REFUSED(moelab({"--fast"}), 2, "'--fast'");
        REFUSED(moelab({"train", "--fast"}), 2, "no option '--fast'");
        REFUSED(moelab({"train", "--out"}), 2, "--out");
        REFUSED(moelab({"train", "extra"}), 2, "'extra'");
        REFUSED(moelab({"train", "--out", at("x")}), 2, "--lesson");
        REFUSED(moelab({"train", "--corpus", at("four.txt")}), 2, "--out");
        REFUSED(train("x", {"--epochs", "3", "--steps", "3"}), 2, "--steps");
        REFUSED(train("x", {"--seed", "-1"}), 2, "seed");
        REFUSED(train("x", {"--threads", "many"}), 2, "--threads");
        REFUSED(train("x", {"--device", "gpu"}), 2, "--device");
        REFUSED(moelab({"train", "--lesson", "99-none", "--out", at("x")}), 2, "99-none");
        REFUSED(moelab({"predict", "--model", at("model")}), 2, "text");
        REFUSED(moelab({"heatmap", "--model", at("model"), "--out", at("x.png")}), 2, "--probe");
        REFUSED(moelab({"bench", "--case", "none"}), 2, "none");
        REFUSED(moelab({"bench", "--case", "none"}), 2, "window");
        REFUSED(moelab({"bench", "--serve", "--json"}), 2, "--json");
        REFUSED(moelab({"bench", "--serve", "--case", "step"}), 2, "--case");
        QVERIFY(!QDir(at("x")).exists());
    }

    void noDisplayIsSaid() {
        REFUSED(moelab({}), 1, "display");
        REFUSED(moelab({at("missing.keras")}), 1, "missing.keras");
        REFUSED(moelab({"--lesson", "99-none"}), 2, "99-none");
    }

    void lessonsStartWithTheirFoldersNames() {
        const Ran ran = moelab({"lessons"});
        QVERIFY2(ran.code == 0 && ran.err.isEmpty(), ran.err.constData());
        QStringList ids;
        for (const QByteArray& line : ran.out.trimmed().split('\n')) ids << QString::fromUtf8(line.split(' ').first());
        const QDir folder(QStringLiteral(MOE_TEST_DATA) + "/../lessons");
        QCOMPARE(ids, folder.entryList(QDir::Dirs | QDir::NoDotAndDotDot, QDir::Name));
        const QJsonArray lessons = moelab({"lessons", "--json"}).json()["lessons"].toArray();
        QCOMPARE(lessons.size(), ids.size());
        QCOMPARE(lessons[0].toObject()["id"].toString(), ids[0]);
        QVERIFY(!lessons[0].toObject()["phrases"].toArray().isEmpty());
        QVERIFY(moelab({"lessons", ids[0]}).out.contains("phrase: "));
    }

    void trainWritesTheThreeFilesAndSaysEveryEpoch() {
        const Ran ran = train("three", {"--epochs", "7"});
        QVERIFY2(ran.code == 0, ran.err.constData());
        QCOMPARE(ran.out.count('\n'), 7);
        QVERIFY(ran.out.startsWith("epoch 1  loss 2."));
        QCOMPARE(QDir(at("three")).entryList(QDir::Files, QDir::Name),
                 QStringList({"max_seq_len.txt", "model.keras", "tokenizer.json"}));
        QCOMPARE(contents(at("three/max_seq_len.txt")).trimmed(), QByteArray("4"));
        QVERIFY(contents(at("three/model.keras")).startsWith("PK"));
    }

    void trainAnswersInJson() {
        const Ran ran = train("json", {"--epochs", "9", "--json"});
        QVERIFY2(ran.code == 0, ran.err.constData());
        QCOMPARE(ran.out.count('\n'), 1);
        const QJsonObject j = ran.json();
        QCOMPARE(j.keys(),
                 QStringList({"accuracy", "device", "epochs", "loss", "parameters", "steps", "steps_per_second"}));
        QCOMPARE(j["epochs"].toInt(), 9);
        QCOMPARE(j["steps"].toInt(), 18);  // 12 examples in batches of 8
        QCOMPARE(j["parameters"].toInt(), 17'615);
        QCOMPARE(j["loss"].toArray().size(), 9);
        QCOMPARE(j["accuracy"].toArray().size(), 9);
        QVERIFY(j["loss"].toArray()[8].toDouble() < j["loss"].toArray()[0].toDouble());
        QVERIFY(j["steps_per_second"].toDouble() > 0);

        const QJsonObject steps = train("json", {"--steps", "5", "--json"}).json();
        QCOMPARE(steps["steps"].toInt(), 5);
        QCOMPARE(steps["epochs"].toInt(), 2);
    }

    void theSameSeedGivesTheSameFile() {
        const QStringList few = {"--epochs", "3", "--seed"};
        QCOMPARE(train("a", few + QStringList{"5", "--threads", "1"}).code, 0);
        QCOMPARE(train("b", few + QStringList{"5", "--threads", "3"}).code, 0);
        QCOMPARE(train("c", few + QStringList{"6"}).code, 0);
        QVERIFY(contents(at("a/model.keras")) == contents(at("b/model.keras")));
        QVERIFY(contents(at("a/model.keras")) != contents(at("c/model.keras")));
    }

    void trainingGoesOnToTheSameNumbers() {
        const QJsonArray whole = train("whole", {"--epochs", "8", "--json"}).json()["loss"].toArray();
        QCOMPARE(train("part", {"--epochs", "5"}).code, 0);
        const Ran ran = train("part", {"--init", at("part/model.keras"), "--epochs", "3", "--json"});
        QVERIFY2(ran.code == 0, ran.err.constData());
        QCOMPARE(ran.json()["steps"].toInt(), 6);
        const QJsonArray rest = ran.json()["loss"].toArray();
        QCOMPARE(rest.size(), 3);
        for (int i = 0; i < 3; ++i) QCOMPARE(rest[i].toDouble(), whole[5 + i].toDouble());
        const QStringList ask = {"predict", "--json", "--top", "11", "how are", "--model"};
        QCOMPARE(moelab(ask + QStringList{at("part")}).out, moelab(ask + QStringList{at("whole")}).out);
    }

    void goingOnKeepsTheShape() {
        REFUSED(train("x", {"--init", at("model"), "--set", "num_experts=8"}), 1, "another shape");
        QCOMPARE(train("changed", {"--init", at("model"), "--set", "learning_rate=0.01", "--epochs", "1"}).code, 0);
    }

    void runKeepsItsSeed() {
        REFUSED(train("x", {"--init", at("model"), "--seed", "77"}), 1, "began with seed");
        REFUSED(train("x", {"--init", at("model"), "--set", "seed=77"}), 1, "began with seed");
        QCOMPARE(train("seed", {"--epochs", "1", "--seed", "9"}).code, 0);
        QCOMPARE(train("seed-on", {"--init", at("seed"), "--seed", "9", "--epochs", "1"}).code, 0);
    }

    void tokenizerThatIsNotUsedIsSaid() {
        const QStringList ask = {"predict", "how are", "--json", "--model"};
        QCOMPARE(train("beside", {"--epochs", "2"}).code, 0);
        const Ran alone = moelab(ask + QStringList{at("beside")});
        QVERIFY(alone.err.isEmpty());
        QByteArray other = contents(at("beside/tokenizer.json"));
        other.replace("today", "yesterday");
        put(at("beside/tokenizer.json"), other);
        const Ran ran = moelab(ask + QStringList{at("beside")});
        QCOMPARE(ran.out, alone.out);
        QVERIFY2(ran.err.contains("is another one than the tokenizer inside the model, which is used."), ran.err);
        put(at("beside/tokenizer.json"), "{");
        QVERIFY(moelab(ask + QStringList{at("beside")}).err.contains("cannot be read and is not needed"));
    }

    void sessionsAreTakenAsModels() {
        TrainingSession session(SessionOptions{{"cpu", 1}});
        SessionSetup setup;
        setup.corpus = Corpus::from_text("four.txt", four_lines.toStdString());
        setup.probe = "hello world";
        session.open(setup);
        session.set_target_epochs(130);
        session.run_steps(31);
        session.wait();
        WholeSession whole;
        whole.run = session.save().get();
        whole.scene.notes = "for the class";
        save_session(at("session.keras").toStdString(), whole);
        Predictor predictor(whole.run.state, whole.run.corpus->tokenizer());
        const ProbeForward wanted = predictor.run("how are", 1);

        const Ran ran = moelab({"predict", "--model", at("session.keras"), "--json", "--top", "1", "how are"});
        QVERIFY2(ran.code == 0, ran.err.constData());
        const QJsonObject top = ran.json()["predictions"].toArray()[0].toObject()["top"].toArray()[0].toObject();
        QCOMPARE(top["word"].toString().toStdString(), wanted.focused.top[0].word);
        QCOMPARE(float(top["probability"].toDouble()), wanted.focused.top[0].probability);
        QCOMPARE(moelab({"heatmap", "--model", at("session.keras"), "--probe", "how are", "--out", at("s.csv")}).code,
                 0);
        QVERIFY(contents(at("s.csv")).contains("# epochs=130\n"));  // to which it runs, not those of its first plan
        // It goes on where the window left it, in the middle of an epoch.
        const Ran on = train("session-on", {"--init", at("session.keras"), "--steps", "9", "--json"});
        QVERIFY2(on.code == 0, on.err.constData());
        session.run_steps(9);
        session.wait();
        QVERIFY(load_model(at("session-on").toStdString()).state.parameters == session.save().get().state.parameters);
    }

    void predictAnswersInJson() {
        const Ran ran =
            moelab({"predict", "--model", at("model"), "--json", "--top", "3", "How are, you", "martian hello"});
        QVERIFY2(ran.code == 0, ran.err.constData());
        QCOMPARE(ran.out.count('\n'), 1);
        const QJsonArray all = ran.json()["predictions"].toArray();
        QCOMPARE(all.size(), 2);
        const QJsonObject first = all[0].toObject();
        QCOMPARE(first.keys(), QStringList({"experts", "gate", "ids", "text", "tokens", "top", "word"}));
        QCOMPARE(first["text"].toString(), QString("How are, you"));
        QCOMPARE(first["tokens"].toArray(), QJsonArray({"how", "are", "you"}));
        QCOMPARE(first["ids"].toArray().size(), 3);
        QCOMPARE(first["top"].toArray().size(), 3);
        QCOMPARE(first["top"].toArray()[0].toObject()["word"], first["word"]);
        QCOMPARE(first["word"].toString(), QString("doing"));
        QVERIFY(first["top"].toArray()[0].toObject()["probability"].toDouble() >
                first["top"].toArray()[1].toObject()["probability"].toDouble());
        const QJsonArray gate = first["gate"].toArray();
        QCOMPARE(gate.size(), 4);
        const double sum = std::accumulate(gate.begin(), gate.end(), 0.0,
                                           [](double s, const QJsonValue& g) { return s + g.toDouble(); });
        QVERIFY(std::abs(sum - 1) < 1e-5);
        QCOMPARE(first["experts"].toArray(), QJsonArray({0, 1, 2, 3}));
        const QJsonObject second = all[1].toObject();
        QCOMPARE(second["tokens"].toArray().size(), 2);
        QCOMPARE(second["ids"].toArray().size(), 1);  // Keras drops what it does not know
    }

    void topKChoosesItsExperts() {
        QCOMPARE(train("top", {"--set", "router=top_k", "--set", "top_k=2", "--epochs", "5"}).code, 0);
        const QJsonObject answer =
            moelab({"predict", "--model", at("top"), "--json", "hello"}).json()["predictions"].toArray()[0].toObject();
        QCOMPARE(answer["experts"].toArray().size(), 2);
        int zeros = 0;
        for (const QJsonValue& g : answer["gate"].toArray()) zeros += g.toDouble() == 0;
        QCOMPARE(zeros, 2);
    }

    void everyFamilyTrainsPredictsAndIsExported() {
        for (const FamilyInfo& family : families) {
            const QString id = QString::fromLatin1(family.id.data()), out = "family-" + id;
            const QStringList chosen{"--set", "family=" + id, "--set", "router=top_k", "--set", "mask_zero=true"};
            const Ran ran = train(out, chosen + QStringList{"--epochs", "60"});
            QVERIFY2(ran.code == 0, ran.err.constData());
            QCOMPARE(load_model(at(out).toStdString()).state.experiment.model.family, std::string(family.id));
            const QJsonObject answer = moelab({"predict", "--model", at(out), "--json", "how are"})
                                           .json()["predictions"]
                                           .toArray()[0]
                                           .toObject();
            QCOMPARE(answer["word"].toString(), "you");
            QCOMPARE(answer["experts"].toArray().size(), 2);
            const QJsonObject last =
                moelab({"predict", "--model", at(out), "--json", "are"}).json()["predictions"].toArray()[0].toObject();
            QCOMPARE(answer["experts"] == last["experts"] && answer["gate"] == last["gate"], family.routes_tokens);
            QCOMPARE(moelab({"predict", "--model", at(out), "how are"}).out.contains("gate of the last word"),
                     family.routes_tokens);
            QCOMPARE(moelab({"heatmap", "--model", at(out), "--probe", "how are", "--out", at("h.csv")}).code, 0);
            QCOMPARE(contents(at("h.csv")).contains("family=token\n"), family.routes_tokens);
            QCOMPARE(contents(at("h.csv")).contains("for each token by itself"), family.routes_tokens);

            // Half the epochs, and the other half from the file: the same weights.
            QCOMPARE(train(out + "-half", chosen + QStringList{"--epochs", "30"}).code, 0);
            QCOMPARE(train(out + "-on", {"--init", at(out + "-half"), "--epochs", "30"}).code, 0);
            QVERIFY(load_model(at(out + "-on").toStdString()).state.parameters ==
                    load_model(at(out).toStdString()).state.parameters);
            QCOMPARE(moelab({"export", "--model", at(out), "--keras-code", at(out + ".py")}).code, 0);
            QVERIFY(contents(at(out + ".py")).contains("ops.einsum") == family.routes_tokens);
        }
        REFUSED(train("other", {"--set", "family=transformer"}), 2, "pooled or token");
        QCOMPARE(train("token-soft", {"--set", "family=token", "--epochs", "1"}).code, 0);
        REFUSED(moelab({"export", "--model", at("token-soft"), "--keras", at("c.keras"), "--classes"}), 1,
                "leave --classes out");
    }

    void predictSpeaksToPeople() {
        const Ran ran = moelab({"predict", "--model", at("model/model.keras"), "hello martian"});
        QVERIFY2(ran.code == 0, ran.err.constData());
        QVERIFY(ran.out.startsWith("hello martian -> world\n"));
        QVERIFY(ran.out.contains("unknown  martian"));
        // Without a word that it knows: as Keras serves it, a row of padding.
        QVERIFY(moelab({"predict", "--model", at("model"), "martian"}).out.startsWith("martian -> "));
    }

    void heatmapsNeedNoDisplay() {
        const QList<QPair<QString, QByteArray>> formats = {
            {"png", "\x89PNG"}, {"svg", "<?xml"}, {"pdf", "%PDF"}, {"csv", "#"}};
        for (const auto& [ending, start] : formats) {
            const QString file = at("map." + ending);
            const Ran ran =
                moelab({"heatmap", "--model", at("model"), "--probe", "hello world how are you", "--out", file});
            QVERIFY2(ran.code == 0 && ran.out.isEmpty(), ran.err.constData());
            QVERIFY2(contents(file).startsWith(start), qPrintable(ending));
        }
        QByteArrayList rows;
        for (const QByteArray& line : contents(at("map.csv")).trimmed().split('\n'))
            if (!line.startsWith('#')) rows << line;
        QCOMPARE(rows.size(), 1 + 4);               // tokens, then an expert a row
        QCOMPARE(rows[0].trimmed().count(','), 5);  // a name, then a token a column
        QVERIFY(rows[0].contains("hello"));
        put(at("probe.txt"), "hello world\nagain\n");
        QCOMPARE(moelab({"heatmap", "--model", at("model"), "--text", at("probe.txt"), "--out", at("text.csv")}).code,
                 0);
        REFUSED(moelab({"heatmap", "--model", at("model"), "--probe", "hello", "--out", at("map.gif")}), 2, ".gif");
        REFUSED(moelab({"heatmap", "--model", at("model"), "--probe", "martian", "--out", at("none.csv")}), 1, "");
    }

    void filesAreTheSameInEveryLocale() {
        const QByteArray locales = at("locales").toUtf8();
        QVERIFY(QDir().mkpath(at("locales")));
        const QByteArrayList names = {"de_DE", "tr_TR", "ar_EG"};
        for (const QByteArray& name : names)
            if (shell("localedef -i " + name + " -f UTF-8 '" + locales + "/" + name + ".UTF-8'").code != 0)
                QSKIP("this machine cannot make other locales (package locales)");
        const auto work = [&](const QByteArray& locale) {
            const QByteArray out = at("in-" + locale).toUtf8();
            const Ran ran = shell("export LOCPATH='" + locales + "' LC_ALL=" + locale + "; cd '" +
                                  dir_.path().toUtf8() + "' && \"$MOELAB\" train --corpus four.txt --out '" + out +
                                  "' --set learning_rate=0.0025 --epochs 4 && \"$MOELAB\" predict --model '" + out +
                                  "' --json 'hello I' && for f in svg csv; do \"$MOELAB\" heatmap --model '" + out +
                                  "' --probe 'hello world' --out '" + out + "'/map.$f || exit 1; done");
            QByteArrayList all = {ran.code == 0 ? ran.out : ran.err};
            for (const char* file : {"model.keras", "tokenizer.json", "max_seq_len.txt", "map.svg", "map.csv"})
                all << contents(QString::fromUtf8(out) + '/' + file);
            return all;
        };
        const QByteArrayList plain = work("C");
        QVERIFY(!plain.contains(QByteArray()));
        for (const QByteArray& name : names) QVERIFY2(work(name + ".UTF-8") == plain, name.constData());
    }

    void verifyIsGreen() {
        const Ran ran = moelab({"verify", "--json", "--device", "cpu"});
        QVERIFY2(ran.code == 0, ran.err.constData());
        const QJsonObject j = ran.json();
        QVERIFY(j["ok"].toBool());
        QVERIFY(j["rows"].toArray().size() > 40);
        for (const QJsonValue& row : j["rows"].toArray())
            QVERIFY(row.toObject()["worst"].toDouble() <= row.toObject()["bound"].toDouble());
        const Ran text = moelab({"verify"});
        QVERIFY(text.out.trimmed().endsWith("ok"));
        QVERIFY(!text.out.contains("FAILED"));
    }

    void cudaIsRefusedWithTheReasonWhereItIsOff() {
        if (moelab({"--version"}).out.contains("cuda: on")) QSKIP("this machine has a GPU");
        REFUSED(train("x", {"--device", "cuda"}), 1, "CUDA");
        REFUSED(moelab({"verify", "--device", "cuda"}), 1, "CUDA");
    }

    void ctrlCKeepsWhatWasLearned() {
        for (const bool json : {false, true}) {
            const QString out = at(json ? "stopped-json" : "stopped");
            QProcess process;
            process.setProcessEnvironment(withoutDisplay());
            QStringList arguments = {"train", "--corpus", at("four.txt"), "--out", out, "--epochs", "1000000000"};
            if (json) arguments << "--json";
            process.setReadChannel(QProcess::StandardError);
            process.start(QStringLiteral(MOELAB_BINARY), arguments);
            QVERIFY(process.waitForStarted());
            while (!process.readAllStandardError().contains("parameters")) QVERIFY(process.waitForReadyRead(60'000));
            QTest::qWait(200);
            kill(pid_t(process.processId()), SIGINT);
            const Ran ran = finished(process);
            QCOMPARE(ran.code, 130);
            QVERIFY2(ran.err.contains("what was learned is in"), ran.err.constData());
            QCOMPARE(moelab({"predict", "--model", out, "how are"}).code, 0);
            if (json) QVERIFY(ran.json()["steps"].toDouble() > 0);
        }
    }

    void divergenceKeepsTheLastGoodState() {
        const Ran ran = train("diverged", {"--set", "learning_rate=1e9", "--json"});
        QCOMPARE(ran.code, 1);
        QVERIFY2(ran.lastLine().contains("learning rate"), ran.err.constData());
        QVERIFY2(ran.lastLine().contains("last good state"), ran.err.constData());
        QVERIFY(ran.json().contains("loss"));
        const Ran answer = moelab({"predict", "--model", at("diverged"), "--json", "how are"});
        QVERIFY2(answer.code == 0, answer.err.constData());
        QVERIFY(!answer.out.contains("null"));
    }

    void aFullOutputIsNoSuccess() {
        const Ran ran = shell("\"$MOELAB\" lessons >/dev/full");
        QCOMPARE(ran.code, 1);
        QVERIFY2(ran.err.contains("standard output"), ran.err.constData());
        // A reader that goes away does not cost the model.
        const QByteArray out = at("piped").toUtf8();
        QCOMPARE(shell("\"$MOELAB\" train --corpus '" + at("four.txt").toUtf8() + "' --out '" + out +
                       "' --epochs 2000 | head -n 1 >/dev/null; test -s '" + out + "/model.keras'")
                     .code,
                 0);
    }
};

QTEST_GUILESS_MAIN(CliTest)
#include "cli_test.moc"
