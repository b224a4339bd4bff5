// Keras both ways, from the command line: its curves, its files with their remarks, and what is exported for it.
#undef QT_NO_CAST_FROM_ASCII  // literals of tests

#include "engine/formats/keras_code.h"
#include "engine/formats/model_files.h"
#include "engine/session/session_file.h"
#include "tests/app/run_moelab.h"
#include "tests/support/read_models.h"

#include <QJsonArray>
#include <QTemporaryDir>

#include <algorithm>
#include <cmath>

using namespace moe;

namespace {

const QString keras = QStringLiteral(MOE_TEST_DATA "/data/keras/");

QJsonObject jsonOf(const QString& file) {
    return QJsonDocument::fromJson(contents(file)).object();
}

/// The losses of `moelab train` from Keras's initial weights, in the text's own order.
QJsonArray trained(const QString& folder, const QJsonObject& curve, const QString& out, const QStringList& more = {}) {
    const Ran ran = moelab(QStringList{"train", "--corpus", keras + folder + "/corpus.txt", "--init",
                                       keras + folder + "/init.keras", "--out", out, "--no-shuffle", "--epochs",
                                       QString::number(curve["epochs"].toInt()), "--set",
                                       "batch_size=" + QString::number(curve["batch"].toInt()), "--set",
                                       "learning_rate=" + QString::number(curve["lr"].toDouble(), 'g', 10), "--json"} +
                           more);
    if (ran.code != 0) qWarning("%s", ran.err.constData());
    return ran.json()["loss"].toArray();
}

/// The largest deviation in parts of what is allowed: in each epoch max(1e-5, 10 times the largest drift so far).
double ofAllowed(const QJsonArray& loss, const QJsonArray& theirs, const QJsonArray& drift) {
    if (loss.size() != theirs.size() || loss.isEmpty()) return INFINITY;
    double worst = 0, drifted = 0;
    for (int e = 0; e < loss.size(); ++e) {
        drifted = std::max(drifted, drift[e].toDouble());
        worst = std::max(worst, std::abs(loss[e].toDouble() / theirs[e].toDouble() - 1) / std::max(1e-5, 10 * drifted));
    }
    return worst;
}

}  // namespace

class CliKerasTest : public QObject {
    Q_OBJECT

private:
    QTemporaryDir dir_;

    QString at(const QString& name) const { return dir_.filePath(name); }
    Ran exported(const QString& model, const QStringList& more) const {
        return moelab(QStringList{"export", "--model", at(model)} + more);
    }
    QString code(const QString& model) const {
        const Ran ran = exported(model, {"--keras-code", at(model + "-code.py")});
        if (ran.code != 0) qWarning("%s", ran.err.constData());
        return QString::fromUtf8(contents(at(model + "-code.py")));
    }
    void makeModel(const QString& name, const QStringList& settings) const {
        QStringList arguments{"train", "--corpus", at("four.txt"), "--out", at(name), "--epochs", "3"};
        for (const QString& setting : settings) arguments << "--set" << setting;
        const Ran ran = moelab(arguments);
        QVERIFY2(ran.code == 0, ran.err.constData());
    }
    SavedModel load(const QString& name) const { return load_model(at(name).toStdString()); }

private Q_SLOTS:
    void initTestCase() {
        put(at("four.txt"), four_lines);
        makeModel("soft", {});
        makeModel("masked", {"mask_zero=true", "activation=tanh"});
        makeModel("sparse", {"router=top_k", "top_k=2", "activation=gelu_tanh"});
    }

    void curves_data() {
        QTest::addColumn<QString>("folder");
        for (const char* folder : {"tutorial", "tutorial-builtin", "masked", "top2", "words2000", "odd-relu",
                                   "odd-gelu", "odd-gelu-tanh", "odd-tanh"})
            QTest::newRow(folder) << folder;
    }

    void curves() {
        QFETCH(QString, folder);
        const QJsonObject curve = jsonOf(keras + folder + "/curve.json");
        const QJsonArray loss = trained(folder, curve, at("out"));
        double worst = ofAllowed(loss, curve["loss"].toArray(), curve["drift"].toArray());
        // At a ReLU's kink Keras itself goes one way or the other: keras_curves_test.cpp.
        if (folder == "tutorial-builtin")
            worst = std::min(worst, ofAllowed(loss, jsonOf(keras + folder + "/curve_other.json")["loss"].toArray(),
                                              curve["drift"].toArray()));
        qInfo("%s: %.3g of what is allowed", qPrintable(folder), worst);
        QVERIFY(worst <= 1);
    }

    void curvesOfTensorFlow() {
        for (const QString folder : {"tutorial", "tutorial-builtin"}) {
            const QJsonObject curve = jsonOf(keras + folder + "/curve.json");
            const QJsonArray theirs = jsonOf(keras + folder + "/curve_tensorflow.json")["loss"].toArray();
            const QJsonArray loss = trained(folder, curve, at("out"), {"--set", "embedding_squares=per_occurrence"});
            QCOMPARE(loss.size(), theirs.size());
            for (int e = 0; e < loss.size(); ++e)
                QVERIFY(std::abs(loss[e].toDouble() / theirs[e].toDouble() - 1) <= 1e-3);
        }
    }

    void remarksAreSaid() {
        const QByteArray code_is_missing = "The code of the layer 'mo_e_layer' is not in the file";
        const QString file = keras + "files-3.16/tiny_moe_model.keras";
        const Ran answered = moelab({"predict", "--model", keras + "files-3.16", "how are"});
        QVERIFY2(answered.code == 0 && answered.err.contains(code_is_missing), answered.err.constData());
        const Ran written = moelab({"export", "--model", file, "--keras", at("written.keras")});
        QVERIFY2(written.code == 0 && written.err.contains(code_is_missing), written.err.constData());
        QVERIFY(written.out.isEmpty());
        const Ran went_on = moelab(
            {"train", "--corpus", at("four.txt"), "--init", keras + "files-3.16", "--out", at("on"), "--epochs", "1"});
        QVERIFY2(went_on.code == 0 && went_on.err.contains(code_is_missing), went_on.err.constData());
        const Ran drawn =
            moelab({"heatmap", "--model", keras + "files-3.16", "--probe", "how are", "--out", at("map.csv")});
        QVERIFY2(drawn.code == 0 && drawn.err.contains(code_is_missing), drawn.err.constData());

        // A tokenizer beside a model that carries its own is not used, and that is said.
        const QByteArray unused = "is another one than the tokenizer inside the model, which is used";
        QVERIFY(QDir().mkpath(at("two")));
        QVERIFY(QFile::copy(at("soft/model.keras"), at("two/model.keras")));
        QVERIFY(QFile::copy(keras + "top2/tokenizer.json", at("two/tokenizer.json")));
        for (const QStringList& command :
             {QStringList{"predict", "--model", at("two"), "how are"},
              QStringList{"export", "--model", at("two"), "--keras", at("other.keras")},
              QStringList{"train", "--corpus", at("four.txt"), "--init", at("two"), "--out", at("on"), "--epochs", "1"},
              QStringList{"heatmap", "--model", at("two"), "--probe", "how are", "--out", at("map.csv")}}) {
            const Ran ran = moelab(command);
            QVERIFY2(ran.code == 0 && ran.err.contains(unused), (command[0].toUtf8() + ": " + ran.err).constData());
        }
    }

    void exportWritesTheSameModel() {
        for (const QString name : {"soft", "masked", "sparse"}) {
            const Ran ran = exported(name, {"--keras", at(name + ".keras")});
            QVERIFY2(ran.code == 0 && ran.out.isEmpty(), ran.err.constData());
            QCOMPARE(ran.err, "Wrote " + at(name + ".keras").toUtf8() + ".\n");
            QVERIFY(load(name + ".keras").state == load(name).state);
            QVERIFY(load(name + ".keras").tokenizer == load(name).tokenizer);
            QCOMPARE(contents(at(name + ".keras")), contents(at(name + "/model.keras")));
        }
    }

    void exportWritesTheTutorialsClasses() {
        QVERIFY(QDir().mkpath(at("classes")));
        for (const QString name : {"soft", "masked"}) {
            const QString file = "classes/" + name + ".keras";
            const Ran ran = exported(name, {"--keras", at(file), "--classes"});
            QVERIFY2(ran.code == 0, ran.err.constData());
            QVERIFY2(ran.err.endsWith("moe_layers.py, its classes.\n"), ran.err.constData());
            QVERIFY(contents(at(file)).contains("\"registered_name\":\"Custom>MoELayer\""));
            const SavedModel back = load(file);
            QVERIFY(back.state == load(name).state);
            QVERIFY(back.remarks.empty());
        }
        const QByteArray module = contents(at("classes/moe_layers.py"));
        QCOMPARE(module, QByteArray(class_module().data(), qsizetype(class_module().size())));
        for (const char* line : {"class MoELayer(layers.Layer):", "class GatingNetwork(layers.Layer):",
                                 "@keras.saving.register_keras_serializable()"})
            QVERIFY2(module.contains(line), line);
        REFUSED(exported("sparse", {"--keras", at("x.keras"), "--classes"}), 1, "chooses 2 of its 4; leave --classes");
        QVERIFY(!QFile::exists(at("x.keras")));
    }

    void exportWritesCode() {
        const QString soft = code("soft"), masked = code("masked"), sparse = code("sparse");
        for (const QString name : {"soft", "masked", "sparse"})
            QVERIFY(load(name + "-code.keras").state == load(name).state);
        const auto has = [](const QString& text, const char* part) {
            QVERIFY2(text.contains(QString::fromUtf8(part)), part);
        };
        for (const QString& text : {soft, masked, sparse}) {
            has(text, "VOCABULARY = 11  #");
            has(text, "WORDS = 4  #");
            has(text, "WIDTH = 32  #");
            has(text, "HIDDEN = 64  #");
            has(text, "EXPERTS = 4\n");
            has(text, "LEARNING_RATE = 0.001\n");
            has(text, "layers.EinsumDense(\"bd,edh->beh\", output_shape=[EXPERTS, HIDDEN]");
            has(text, "model.load_weights(WEIGHTS)");
            has(text, "if __name__ == \"__main__\":\n    main()\n");
            QVERIFY(!text.contains(u'\t'));
            for (const QString& line : text.split(u'\n')) QVERIFY2(line.size() <= 128, qPrintable(line));
        }
        has(soft, "os.path.abspath(__file__)), \"soft-code.keras\")");
        has(soft, "all weighed by the gate, trained 6 steps on four.txt.");
        has(soft, "activation=\"relu\"");
        has(soft, "name=\"mean\")(rows)\n");
        has(masked, "mask=ops.not_equal(tokens, 0)");
        has(masked, "activation=\"tanh\"");
        has(sparse, "CHOSEN = 2  #");
        has(sparse, "STEEP, FAR_BELOW = 1e+20, -1e+09\n");
        has(sparse, "h = ops.gelu(h, approximate=True)");
        QVERIFY(!soft.contains("CHOSEN"));

        // Where there is no tokenizer it reads numbers.
        QVERIFY(QFile::copy(keras + "files-3.16/tiny_moe_model.keras", at("bare.keras")));
        QVERIFY(moelab({"export", "--model", at("bare.keras"), "--keras-code", at("numbers.py")}).code == 0);
        const QString bare = QString::fromUtf8(contents(at("numbers.py")));
        has(bare, "padded([int(number) for number in sys.argv[1:]])");
        QVERIFY(!bare.contains("tokenizer"));
    }

    void exportRefusesWhatItCannotDo() {
        REFUSED(exported("soft", {}), 2, "either --keras FILE.keras or --keras-code FILE.py");
        REFUSED(exported("soft", {"--keras", at("a.keras"), "--keras-code", at("a.py")}), 2, "not both");
        REFUSED(exported("soft", {"--keras-code", at("a.py"), "--classes"}), 2, "--classes goes with --keras");
        REFUSED(exported("soft", {"--keras", at("a.h5")}), 2, "ends in .keras");
        REFUSED(exported("soft", {"--keras-code", at("a.keras")}), 2, "ends in .py");
        REFUSED(moelab({"export", "--keras", at("a.keras")}), 2, "--model");
        REFUSED(exported("none", {"--keras", at("a.keras")}), 1, "none");
        REFUSED(exported("soft", {"--keras", at("no/such/a.keras")}), 1, "no/such");
        REFUSED(exported("soft/model.keras", {"--keras-code", at("soft/model.py")}), 1, "give the code another name");
        REFUSED(exported("soft", {"--keras-code", at("soft/model.py")}), 1, "give the code another name");
        QVERIFY(!QFile::exists(at("soft/model.py")));
    }

    void exportTakesNobodysPlace() {
        // A session has a past that an export has not.
        TrainingSession session;
        SessionSetup setup;
        setup.corpus = Corpus::from_text("some", "a cat sat\na dog sat\n");
        session.open(setup);
        WholeSession whole;
        whole.run = session.save().get();
        save_session(at("lesson.keras").toStdString(), whole);
        const QByteArray before = contents(at("lesson.keras"));
        REFUSED(exported("soft", {"--keras", at("lesson.keras")}), 1, "holds a whole session");
        REFUSED(exported("soft", {"--keras", at("lesson.keras"), "--classes"}), 1, "holds a whole session");
        REFUSED(exported("soft", {"--keras-code", at("lesson.py")}), 1, "holds a whole session");
        QVERIFY(contents(at("lesson.keras")) == before);
        QVERIFY(!QFile::exists(at("lesson.py")));
        // Beside the model, and there again.
        for (int i = 0; i < 2; ++i) QVERIFY(exported("soft", {"--keras-code", at("soft/next.py")}).code == 0);
        // Weights that a program needs.
        QVERIFY(exported("soft", {"--keras-code", at("next.py")}).code == 0);
        const QByteArray weights = contents(at("next.keras"));
        REFUSED(exported("soft", {"--keras", at("next.keras"), "--classes"}), 1, "holds the weights of");
        QVERIFY(contents(at("next.keras")) == weights);
        QVERIFY(exported("soft", {"--keras-code", at("next.py")}).code == 0);
        QVERIFY(QFile::copy(at("next.keras"), at("foreign.keras")));
        REFUSED(exported("soft", {"--keras-code", at("foreign.py")}), 1, "is there already");
        QVERIFY(contents(at("foreign.keras")) == contents(at("next.keras")));
        // Classes of somebody else's.
        QVERIFY(QDir().mkpath(at("other")));
        QFile own(at("other/moe_layers.py"));
        QVERIFY(own.open(QIODevice::WriteOnly) && own.write("mine = 1\n") > 0);
        own.close();
        REFUSED(exported("soft", {"--keras", at("other/a.keras"), "--classes"}), 1, "moe_layers.py is there already");
        QCOMPARE(contents(at("other/moe_layers.py")), QByteArray("mine = 1\n"));
        QVERIFY(!QFile::exists(at("other/a.keras")));
    }
};

QTEST_GUILESS_MAIN(CliKerasTest)
#include "cli_keras_test.moc"
