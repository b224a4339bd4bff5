// The inspector and the panel "Where ... comes from", driven with mouse and keys.
#undef QT_NO_CAST_FROM_ASCII  // literals of tests

#include "app/views/provenance_view.h"
#include "engine/train/tracer.h"
#include "engine/train/trainer.h"
#include "tests/support/small_corpus.h"

#include <QClipboard>
#include <QtTest>

using namespace moe;
using namespace moe::app;

namespace {

std::shared_ptr<const Corpus> corpus() {
    static const auto text = moe::test::tutorial_corpus();
    return text;
}

struct Model {
    const char* router = "soft";
    std::size_t experts = 4, top_k = 2, steps = 174;
    double balance = 0;
};

std::shared_ptr<const Trace> traceOf(const Model& m) {
    Experiment x = moe::test::tutorial_experiment();
    x.model.router = m.router, x.model.num_experts = m.experts, x.model.top_k = m.top_k;
    x.model.balance_loss = m.balance;
    const auto backend = make_backend({"cpu", 1});
    Trainer trainer(*backend, x, corpus());
    for (std::size_t i = 0; i < m.steps; ++i) trainer.step();
    return std::make_shared<const Trace>(
        trace_batch(*backend, std::make_shared<const RunState>(trainer.state()), *corpus()));
}

QString wordOf(std::int32_t id) {
    return QString::fromStdString(corpus()->tokenizer().word(id));
}

/// Every text 40 percent longer, as other languages are.
class Longer : public QTranslator {
public:
    QString translate(const char*, const char* source, const char*, int) const override {
        QStringList words = QString::fromUtf8(source).split(u' ');
        for (QString& word : words)
            if (!word.contains(u'%')) word += QString(int(std::ceil(0.4 * double(word.size()))), u'n');
        return words.join(u' ');
    }
    bool isEmpty() const override { return false; }
};

void keep(const QString& name, QWidget& widget) {
    if (const QByteArray folder = qgetenv("MOELAB_PICTURES"); !folder.isEmpty())
        widget.grab().save(QString::fromLocal8Bit(folder) + u'/' + name + ".png");
}

Theme themed(bool dark, double scale) {
    Theme theme = dark ? Theme::darkTheme() : Theme::light();
    theme.scale = scale;
    return theme;
}

std::unique_ptr<ProvenanceView> provenanceView(const Theme& theme, QSize size) {
    auto view = std::make_unique<ProvenanceView>(nullptr);
    QPalette palette;
    palette.setColor(QPalette::Window, theme.panel);
    view->setPalette(palette);
    view->setTheme(theme);
    view->resize(size);
    view->show();
    if (!QTest::qWaitForWindowExposed(view.get())) qWarning("not shown");
    return view;
}

}  // namespace

class InspectorTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void provenanceFits_data() {
        QTest::addColumn<bool>("dark");
        QTest::addColumn<double>("scale");
        QTest::addColumn<bool>("longer");
        QTest::newRow("light 1280x720") << false << 1.0 << false;
        QTest::newRow("dark 1280x720") << true << 1.0 << false;
        QTest::newRow("light 1920x1080") << false << 1.35 << false;
        QTest::newRow("longer") << false << 1.0 << true;
    }

    void provenanceFits() {
        QFETCH(bool, dark);
        QFETCH(double, scale);
        QFETCH(bool, longer);
        Longer translator;
        if (longer) QCoreApplication::installTranslator(&translator);
        const auto view = provenanceView(themed(dark, scale), (QSizeF(336, 280) * scale).toSize());
        for (const Model& m : {Model{}, Model{"top_k", 8, 2, 60, 0.05}, Model{"top_k", 64, 2, 12, 0.01}}) {
            const auto trace = traceOf(m);
            view->setTrace(trace, wordOf);
            const Provenance provenance(trace);
            int at = 0;
            for (const TraceValue& v : trace->values) {
                const std::size_t stride = v.values.size() / trace->examples;
                for (const std::size_t index : {std::size_t(0), stride / 2, stride - 1}) {
                    view->showNumber({v.name, 1, index});
                    QVERIFY(view->number());
                    view->grab();
                    QVERIFY2(view->labelFault().isEmpty(),
                             qPrintable(QString::fromStdString(v.name) + ": " + view->labelFault()));
                }
                ++at;
                keep(QString("provenance-%1-%2-%3")
                         .arg(QTest::currentDataTag())
                         .arg(m.experts)
                         .arg(QString::fromStdString(v.name))
                         .replace(' ', '-'),
                     *view);
            }
            for (const char* name :
                 {"d:gate/kernel", "d:experts/hidden/kernel", "d:embedding", "new:head/kernel", "new_v:gate/kernel",
                  "new_m:gate/bias", "gate/kernel", "m:gate/kernel", "batch_loss", "balance", "target"}) {
                view->showNumber({name, 0, 0});
                if (!view->number()) continue;
                view->grab();
                QVERIFY2(view->labelFault().isEmpty(), qPrintable(QString(name) + ": " + view->labelFault()));
                keep(QString("provenance-%1-%2-%3")
                         .arg(QTest::currentDataTag())
                         .arg(m.experts)
                         .arg(QString(name).replace('/', '_').replace(':', '_'))
                         .replace(' ', '-'),
                     *view);
            }
        }
        if (longer) QCoreApplication::removeTranslator(&translator);
    }

    void linksLeadToTheWordAndBack() {
        const auto trace = traceOf({});
        const auto view = provenanceView(themed(false, 1), {336, 280});
        view->setTrace(trace, wordOf);
        QVERIFY(view->title().contains("a number"));
        const NumberRef start{"d_gate_logits", 0, 3};
        view->showNumber(start);
        QCOMPARE(view->title(),
                 QString("Where %1 comes from").arg(signedValueText(double(trace->find("d_gate_logits")->of(0)[3]))));
        QVERIFY(!view->canGoBack());
        // The first link by key, each time, ends at a weight.
        view->body()->setFocus();
        int steps = 0;
        std::vector<NumberRef> way{start};
        while (steps++ < 30) {
            const std::vector<ProvenanceBody::Link> links = view->body()->links();
            if (links.empty()) break;
            QTest::keyClick(view->body(), Qt::Key_Return);
            if (*view->number() == way.back()) break;
            way.push_back(*view->number());
        }
        QVERIFY(way.size() > 2);
        // And back the same way.
        while (way.size() > 1) {
            way.pop_back();
            QVERIFY(view->canGoBack());
            QTest::keyClick(view->body(), Qt::Key_Backspace);
            QCOMPARE(view->number()->name, way.back().name);
            QVERIFY(*view->number() == way.back());
        }
        QVERIFY(!view->canGoBack());
        // With the mouse: the last card is the embedding.
        const auto links = view->body()->links();
        QCOMPARE(links.back().ref->name, std::string("embedding"));
        QTest::mouseClick(view->body(), Qt::LeftButton, {}, links.back().place.center().toPoint());
        QCOMPARE(view->number()->name, std::string("embedding"));
        auto* back = view->findChild<QAbstractButton*>("provenance_back");
        QVERIFY(back->isVisible() && !back->accessibleName().isEmpty());
        back->click();
        QVERIFY(*view->number() == start);
        QVERIFY(!back->isVisible());
    }

    void moreTermsOnRequest() {
        const auto trace = traceOf({});
        const auto view = provenanceView(themed(false, 1), {336, 280});
        view->setTrace(trace, wordOf);
        view->showNumber({"gate_logits", 0, 0});
        QVERIFY(view->text().contains("and 28 smaller: "));
        for (const auto& link : view->body()->links()) {
            if (link.ref) continue;
            QTest::mouseClick(view->body(), Qt::LeftButton, {}, link.place.center().toPoint());
            break;
        }
        QVERIFY(!view->text().contains("smaller: ") || !view->text().section("Keras", 0, 0).contains("smaller"));
        // Down walks through all of them, and what is not in sight is scrolled to.
        const std::size_t links = view->body()->links().size();
        for (std::size_t i = 1; i < links; ++i) QTest::keyClick(view->body(), Qt::Key_Down);
        QCOMPARE(view->body()->current(), links - 1);
        QVERIFY(view->body()->visibleRegion().boundingRect().intersects(view->body()->links().back().place.toRect()));
    }

    void theClipboardHasTextAndKeras() {
        const auto trace = traceOf({"top_k", 8, 2, 60, 0.05});
        const auto view = provenanceView(themed(false, 1), {336, 280});
        view->setTrace(trace, wordOf);
        view->showNumber({"expert_weights", 0, 1});
        QTest::keyClick(view->body(), Qt::Key_C, Qt::ControlModifier);
        const QString text = QApplication::clipboard()->text();
        QVERIFY2(text.contains("= e^z ÷ Σ e^z, over the chosen"), qPrintable(text));
        QVERIFY(text.startsWith("Where ."));
        view->findChild<QAbstractButton*>("provenance_keras")->click();
        QCOMPARE(QApplication::clipboard()->text(), QString("g = keras.ops.softmax(keras.ops.top_k(z, k=2)[0])"));
    }

    void aNewTraceKeepsTheNumber() {
        const auto view = provenanceView(themed(false, 1), {336, 280});
        view->setTrace(traceOf({}), wordOf);
        view->showNumber({"d_hidden", 2, 200});
        const QString before = view->title();
        view->setTrace(traceOf({"soft", 4, 4, 180}), wordOf);
        QVERIFY(view->number());
        QVERIFY(view->title() != before);
        view->setTrace(traceOf({"top_k", 4, 1, 10}), wordOf);  // one visit an example: no such number
        QVERIFY(!view->number());
        view->setTrace(nullptr, {});
        QVERIFY(view->text().isEmpty());
    }
};

QTEST_MAIN(InspectorTest)
#include "inspector_test.moc"
