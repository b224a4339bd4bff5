// The inspector and the panel "Where ... comes from", driven with mouse and keys.
#undef QT_NO_CAST_FROM_ASCII  // literals of tests

#include "app/shell/dock_area.h"
#include "app/shell/window_actions.h"
#include "app/views/inspector_view.h"
#include "app/views/provenance_view.h"
#include "app/views/stage_view.h"
#include "engine/core/numbers.h"
#include "engine/train/tracer.h"
#include "engine/train/trainer.h"
#include "tests/app/inspector_fixture.h"
#include "tests/app/window_fixture.h"

#include <QClipboard>
#include <QTabBar>
#include <QtTest>

#include <set>

using namespace moe;
using namespace moe::app;
using namespace moe::app::test;

namespace {

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

    void numbersAreTheEngines_data() {
        QTest::addColumn<int>("kind");
        QTest::newRow("soft, 4") << 0;
        QTest::newRow("top-2 of 8") << 1;
    }

    void numbersAreTheEngines() {
        QFETCH(int, kind);
        Opened opened(kind == 0 ? Model{} : Model{"top_k", 8, 2, 40, 0.05});
        const RunState state = opened.state();
        const Trace batch = opened.trace(state.step), phrase = opened.phrase();
        const auto view = inspectorView(opened, themed(false, 1), {304, 480});
        const std::size_t E = state.experiment.model.num_experts;
        std::vector<InspectionTarget> targets = {
            {InspectedPart::word, 3}, {InspectedPart::gate, 0}, {InspectedPart::sum, 0}, {InspectedPart::next_word, 5}};
        for (std::size_t e = 0; e < E; ++e) targets.push_back({InspectedPart::expert, e});
        std::size_t arrays = 0, missing = 0;
        std::set<std::string> weights_seen;
        for (const InspectionTarget& target : targets) {
            view->inspect(target);
            for (std::size_t i = 0; i < view->arrays().size(); ++i) {
                view->chooseArray(i);
                for (const bool gradient : {false, true}) {
                    view->setGradient(gradient);
                    QVERIFY(waitFresh(*view));
                    const InspectedArray a = view->arrays()[i];
                    ++arrays;
                    if (!a.weights) {
                        const TraceValue* v = phrase.find(Provenance::name(a.quantity));
                        QVERIFY(v);
                        if (!a.missing.isEmpty()) {
                            ++missing;
                            QVERIFY(view->values().empty());
                            continue;
                        }
                        QCOMPARE(view->values().size(), a.count());
                        for (std::size_t k = 0; k < a.count(); ++k) QCOMPARE(view->values()[k], v->values[a.flat(k)]);
                        continue;
                    }
                    const std::string name(Provenance::name(a.parameter));
                    weights_seen.insert(name);
                    const NamedArray* whole = gradient ? batch.gradient(name) : nullptr;
                    for (const NamedArray& p : state.parameters)
                        if (!gradient && p.name == name) whole = &p;
                    QVERIFY(whole);
                    QCOMPARE(view->values().size(), a.count());
                    for (std::size_t k = 0; k < a.count(); ++k) QCOMPARE(view->values()[k], whole->values[a.flat(k)]);
                    // The name of a cell is that of the number in the chain.
                    QVERIFY(!Inspection::meaning(a, 0, &phrase, wordOf).isEmpty());
                }
            }
        }
        QCOMPARE(weights_seen.size(), std::size_t(9));
        QCOMPARE(missing, kind == 0 ? std::size_t(0) : std::size_t(2 * 3 * (E - 2)));
        qInfo("%zu arrays compared, %zu of experts that were not chosen", arrays, missing);
    }

    void cellsAreTheirPlacesInTheArray() {
        // Against the array's shape, counted by hand.
        ModelSpec spec = moe::test::tutorial_experiment().model;
        spec.vocabulary = 11, spec.embedding_dim = 3, spec.hidden_dim = 5, spec.num_experts = 4;
        const auto expert = Inspection::arrays({InspectedPart::expert, 2}, spec, nullptr);
        QCOMPARE(expert[0].title, QString("hidden kernel"));
        // (E, D, H) = (4, 3, 5): expert 2, dim 1, unit 4.
        QCOMPARE(expert[0].flat(1 * 5 + 4), std::size_t((2 * 3 + 1) * 5 + 4));
        QCOMPARE(Inspection::meaning(expert[0], 1 * 5 + 4, nullptr, wordOf), QString("dim 1 → unit 4"));
        // (E, H, D): expert 2, unit 3, dim 1.
        QCOMPARE(expert[2].flat(3 * 3 + 1), std::size_t((2 * 5 + 3) * 3 + 1));
        QCOMPARE(Inspection::meaning(expert[2], 3 * 3 + 1, nullptr, wordOf), QString("unit 3 → dim 1"));
        const auto next = Inspection::arrays({InspectedPart::next_word, 7}, spec, nullptr);
        QCOMPARE(next[0].flat(2), std::size_t(2 * 11 + 7));
        QCOMPARE(Inspection::meaning(next[1], 0, nullptr, wordOf), QString("(padding)"));
        const auto gate = Inspection::arrays({InspectedPart::gate, 0}, spec, nullptr);
        QCOMPARE(Inspection::meaning(gate[0], 1 * 4 + 3, nullptr, wordOf), QString("dim 1 → expert D"));
        const std::vector<float> values{-1, 0, 0.5f, NAN, 0.25f};
        const InspectionStats stats = InspectionStats::of(values);
        QCOMPARE(stats.broken, std::size_t(1));
        QCOMPARE(stats.zeros, std::size_t(1));
        QCOMPARE(stats.mean, -0.0625);
        QCOMPARE(stats.rms, std::sqrt((1 + 0.25 + 0.0625) / 4));
        const auto counts = Inspection::histogram(values, 4, 1);
        QCOMPARE(counts, (std::vector<std::size_t>{1, 0, 2, 1}));
    }

    void reducedPicturesKeepTheLargest() {
        // One number of a million, drawn in 100 x 100 points.
        std::vector<float> values(1000 * 1000, 0.0f);
        values[437 * 1000 + 821] = -1;
        const Theme theme = Theme::light();
        const QImage image = Inspection::image(values, 1000, 1000, 1, false, theme, 100, 100);
        QCOMPARE(image.size(), QSize(100, 100));
        int marked = 0;
        for (int y = 0; y < 100; ++y)
            for (int x = 0; x < 100; ++x)
                if (image.pixelColor(x, y) != theme.track) {
                    ++marked;
                    QCOMPARE(QPoint(x, y), QPoint(82, 43));
                    QCOMPARE(image.pixelColor(x, y).rgb(), theme.negative.rgb());
                }
        QCOMPARE(marked, 1);
        const QImage gradient = Inspection::image(values, 1000, 1000, 1, true, theme, 100, 100);
        QCOMPARE(gradient.pixelColor(82, 43).rgb(), theme.gradient.rgb());
    }

    void inspectorFits_data() { provenanceFits_data(); }

    void inspectorFits() {
        QFETCH(bool, dark);
        QFETCH(double, scale);
        QFETCH(bool, longer);
        Longer translator;
        if (longer) QCoreApplication::installTranslator(&translator);
        const bool pictures = !qEnvironmentVariableIsEmpty("MOELAB_PICTURES");
        for (const Model& m : {Model{}, Model{"top_k", 8, 2, 60, 0.05}, Model{"top_k", 64, 2, 12, 0.01}}) {
            if (!pictures && (m.experts == 8) != (scale > 1 || longer)) continue;  // each kind in some theme
            Opened opened(m);
            const auto view = inspectorView(opened, themed(dark, scale), (QSizeF(304, 500) * scale).toSize());
            for (const InspectionTarget& target :
                 {InspectionTarget{InspectedPart::word, 3}, InspectionTarget{InspectedPart::gate, 0},
                  InspectionTarget{InspectedPart::expert, 1}, InspectionTarget{InspectedPart::sum, 0},
                  InspectionTarget{InspectedPart::next_word, 5}}) {
                view->inspect(target);
                for (std::size_t i = 0; i < view->arrays().size(); ++i) {
                    view->chooseArray(i);
                    for (const bool gradient : {false, true}) {
                        view->setGradient(gradient);
                        QVERIFY(waitFresh(*view));
                        if (!view->values().empty()) view->map()->setCurrent(view->values().size() - 1);
                        keep(QString("inspector-%1-%2-%3-%4-%5")
                                 .arg(QTest::currentDataTag())
                                 .arg(m.experts)
                                 .arg(int(target.part))
                                 .arg(i)
                                 .arg(int(gradient))
                                 .replace(' ', '-'),
                             *view);
                        view->grab();
                        QVERIFY2(view->labelFault().isEmpty(), qPrintable(view->labelFault()));
                        for (const QWidget* w : view->findChildren<QWidget*>()) {
                            if (!w->isVisible() || w->parentWidget() != view.get()) continue;
                            QVERIFY2(view->rect().contains(w->geometry()),
                                     qPrintable(w->objectName() + w->metaObject()->className()));
                        }
                    }
                }
                view->chooseArray(0);
                view->setGradient(false);
                QVERIFY(waitFresh(*view));
                view->explain(0);
                QVERIFY(waitFresh(*view));
                QVERIFY(view->provenance()->number() || view->values().empty());
                keep(QString("inspector-%1-%2-%3-where")
                         .arg(QTest::currentDataTag())
                         .arg(m.experts)
                         .arg(int(target.part))
                         .replace(' ', '-'),
                     *view);
                QVERIFY2(view->labelFault().isEmpty(), qPrintable(view->labelFault()));
            }
        }
        if (longer) QCoreApplication::removeTranslator(&translator);
    }

    void aCellLeadsToItsFormula() {
        Opened opened({"soft", 4, 4, 12});
        const auto view = inspectorView(opened, themed(false, 1), {304, 480});
        view->inspect({InspectedPart::expert, 1});
        QVERIFY(waitFresh(*view));
        // By key: Tab reaches the map, arrows walk, Enter explains.
        view->map()->setFocus(Qt::TabFocusReason);
        for (int i = 0; i < 3; ++i) QTest::keyClick(view->map(), Qt::Key_Right);
        QTest::keyClick(view->map(), Qt::Key_Down);
        QCOMPARE(view->map()->current(), std::optional<std::size_t>(64 + 2));
        QTest::keyClick(view->map(), Qt::Key_Return);
        QVERIFY(view->explaining());
        QVERIFY(waitFresh(*view));
        QTRY_VERIFY(view->provenance()->number());
        QCOMPARE(view->provenance()->number()->name, std::string("new:experts/hidden/kernel"));
        QCOMPARE(view->provenance()->number()->index, std::size_t(32 * 64 + 64 + 2));
        QVERIFY(view->provenance()->title().contains(valueText(double(view->values()[64 + 2]))));
        // A gradient's is that of the batch; an activation's that of the phrase.
        view->setGradient(true);
        QVERIFY(waitFresh(*view));
        view->explain(5);
        QVERIFY(waitFresh(*view));
        QTRY_COMPARE(view->provenance()->number()->name, std::string("d:experts/hidden/kernel"));
        view->setGradient(false);
        view->inspect({InspectedPart::next_word, 5}, 3);
        QVERIFY(waitFresh(*view));
        view->explain(5);
        QTRY_VERIFY(view->provenance()->number());
        QCOMPARE(view->provenance()->number()->name, std::string("probs"));
        QTest::keyClick(view->provenance()->body(), Qt::Key_Return);
        QVERIFY(view->provenance()->canGoBack());
    }

    void aFreshModelsWeightsComeFromTheSeed() {
        Opened opened({"soft", 4, 4, 0});
        const auto view = inspectorView(opened, themed(false, 1), {304, 480});
        view->inspect({InspectedPart::gate, 0});
        QVERIFY(waitFresh(*view));
        view->explain(0);
        QVERIFY(waitFresh(*view));
        QTRY_VERIFY(view->provenance()->number());
        QVERIFY(view->provenance()->text().contains("as the run began"));
    }

    // Somebody who goes to another moment while the trace is still coming has the number of that moment.
    void aPickGoesWithItsReaderBeforeItsTraceIsThere() {
        Opened opened({"soft", 4, 4, 60});
        const auto view = inspectorView(opened, themed(false, 1), {304, 480});
        view->inspect({InspectedPart::gate, 0});
        QVERIFY(waitFresh(*view));
        view->explain(0);
        QVERIFY(!view->provenance()->number());
        opened.session.lookAt(20);
        QTRY_COMPARE(opened.session.snapshot().step, std::uint64_t(20));
        QVERIFY(waitFresh(*view));
        QTRY_VERIFY(view->provenance()->number());
        QVERIFY(view->scope().contains("step 20"));
        QVERIFY(view->provenance()->title().contains(valueText(double(view->values()[0]))));
        // What is copied is what is looked at.
        view->setFocus();
        QTest::keyClick(view.get(), Qt::Key_C, Qt::ControlModifier);
        QCOMPARE(QApplication::clipboard()->text(), view->provenance()->text());
    }

    void theClipboardHasNumbersAndATable() {
        Opened opened({"soft", 4, 4, 12});
        const auto view = inspectorView(opened, themed(false, 1), {304, 480});
        view->inspect({InspectedPart::gate, 0});
        QVERIFY(waitFresh(*view));
        view->findChild<QAbstractButton*>("inspector_copy_numbers")->click();
        QStringList lines = QApplication::clipboard()->text().split('\n', Qt::SkipEmptyParts);
        QCOMPARE(lines.size(), 32);
        QCOMPARE(lines[0].split(' ').size(), 4);
        QCOMPARE(lines[1].split(' ')[2].toFloat(), view->values()[6]);
        view->findChild<QAbstractButton*>("inspector_copy_table")->click();
        lines = QApplication::clipboard()->text().split('\n', Qt::SkipEmptyParts);
        QCOMPARE(lines.size(), 33);
        QCOMPARE(lines[0], QString("gate kernel\texpert A\texpert B\texpert C\texpert D"));
        QCOMPARE(lines[2].split('\t')[0], QString("dim 1"));
        QCOMPARE(lines[2].split('\t')[3].toFloat(), view->values()[6]);
        view->inspect({InspectedPart::next_word, 5}, 3);
        QVERIFY(waitFresh(*view));
        view->setFocus();
        QTest::keyClick(view.get(), Qt::Key_C, Qt::ControlModifier);
        lines = QApplication::clipboard()->text().split('\n', Qt::SkipEmptyParts);
        QCOMPARE(lines.size(), 12);
        QCOMPARE(lines[0], QString("index\tmeaning\tprobabilities"));
        QVERIFY(lines[3].startsWith("2\t“" + wordOf(2) + "”\t"));
    }

    void theScaleIsAChoice() {
        Opened opened({"soft", 4, 4, 40});
        const RunState state = opened.state();
        const auto view = inspectorView(opened, themed(false, 1), {304, 480});
        view->inspect({InspectedPart::gate, 0}, 1);
        QVERIFY(waitFresh(*view));
        const auto most = [&](const std::string& start) {
            float value = 0;
            for (const NamedArray& a : state.parameters)
                if (a.name.starts_with(start))
                    for (const float v : a.values) value = std::max(value, std::abs(v));
            return double(value);
        };
        QCOMPARE(view->map()->content().limit, most("gate/bias"));
        view->setScale(InspectionScale::layer);
        QCOMPARE(view->map()->content().limit, most("gate"));
        auto* box = view->findChild<QComboBox*>("inspector_scale");
        QCOMPARE(box->currentText(), QString("scale: gate"));
        view->setScale(InspectionScale::all);
        QCOMPARE(view->map()->content().limit, most(""));
    }

    void zoomShowsNumbers() {
        Opened opened({"soft", 4, 4, 12});
        const auto view = inspectorView(opened, themed(false, 1), {304, 480});
        view->inspect({InspectedPart::expert, 0});
        QVERIFY(waitFresh(*view));
        QVERIFY(!view->map()->numbersShown());
        view->map()->setFocus(Qt::TabFocusReason);
        QTest::keyClick(view->map(), Qt::Key_End);
        for (int i = 0; i < 12 && !view->map()->numbersShown(); ++i) QTest::keyClick(view->map(), Qt::Key_Plus);
        QVERIFY(view->map()->numbersShown());
        // The cell that was looked at is in sight, and is where a click finds it.
        const std::size_t last = 32 * 64 - 1;
        QVERIFY(view->map()->viewport()->rect().intersects(view->map()->cellRect(last).toRect()));
        QCOMPARE(view->map()->cellAt(view->map()->cellRect(last).center()), std::optional<std::size_t>(last));
        QTest::keyClick(view->map(), Qt::Key_0);
        QVERIFY(!view->map()->numbersShown());
        QCOMPARE(view->map()->cellAt({0, 0}), std::optional<std::size_t>(0));
    }

    void nothingIsAskedWhileNobodyLooks() {
        Opened opened({"soft", 4, 4, 12});
        const auto view = inspectorView(opened, themed(false, 1), {304, 480});
        QVERIFY(waitFresh(*view));
        view->hide();
        const int asked = view->feed().asked();
        opened.session.runSteps(20);
        QTRY_COMPARE(opened.session.snapshot().step, std::uint64_t(32));
        QTest::qWait(100);
        QCOMPARE(view->feed().asked(), asked);
        view->show();
        QVERIFY(waitFresh(*view));
        QCOMPARE(view->feed().state()->step, std::uint64_t(32));
        // And while training runs, a few times a second.
        const int before = view->feed().asked();
        opened.session.setSpeed(0);
        opened.session.play();
        QTest::qWait(1000);
        opened.session.pause();
        const int during = view->feed().asked() - before;
        QVERIFY2(during >= 1 && during <= 8, qPrintable(QString::number(during)));
        QVERIFY(waitFresh(*view));
        QCOMPARE(view->feed().state()->step, opened.session.snapshot().step);
    }

    void trainingGoesOnBesideIt() {
        Opened opened({"soft", 4, 4, 1});
        const auto view = inspectorView(opened, themed(false, 1), {304, 480});
        view->inspect({InspectedPart::expert, 0});
        opened.session.setSpeed(0);
        opened.session.trainOn(1'000'000);
        QTRY_VERIFY(!view->values().empty());
        const std::uint64_t before = opened.session.snapshot().step;
        QTRY_VERIFY(opened.session.snapshot().step > before + 100);
        QCOMPARE(opened.session.snapshot().state, SessionState::running);
        opened.session.pause();
    }

    void thePastIsLookedInto() {
        Opened opened({"soft", 4, 4, 60});
        const auto view = inspectorView(opened, themed(false, 1), {304, 480});
        view->inspect({InspectedPart::gate, 0});
        QVERIFY(waitFresh(*view));
        const std::vector<float> now = view->values();
        opened.session.lookAt(7);
        QTRY_COMPARE(opened.session.snapshot().step, std::uint64_t(7));
        QVERIFY(waitFresh(*view));
        QCOMPARE(view->feed().state()->step, std::uint64_t(7));
        QVERIFY(view->scope().contains("step 7"));
        // A second run of seven steps has the same weights.
        Opened other({"soft", 4, 4, 7});
        const auto second = inspectorView(other, themed(false, 1), {304, 480});
        second->inspect({InspectedPart::gate, 0});
        QVERIFY(waitFresh(*second));
        QCOMPARE(view->values(), second->values());
        QVERIFY(view->values() != now);
        opened.session.lookAtNow();
        QTRY_COMPARE(opened.session.snapshot().step, std::uint64_t(60));
        QVERIFY(waitFresh(*view));
        QCOMPARE(view->values(), now);
    }

    void hugeModelsStayFluid() {
        // 2,048 experts, each of them 2 x 2.
        Opened opened({"top_k", 2048, 2, 0});
        const auto view = inspectorView(opened, themed(false, 1), {304, 480});
        view->inspect({InspectedPart::gate, 0});
        QVERIFY(waitFresh(*view));
        QCOMPARE(view->values().size(), std::size_t(32 * 2048));
        QVERIFY(view->map()->reduction() > 1);
        QElapsedTimer timer;
        timer.start();
        constexpr int times = 10;
        for (int i = 0; i < times; ++i) {
            view->setScale(i % 2 ? InspectionScale::array : InspectionScale::all);
            view->grab();
        }
        const double each = double(timer.elapsed()) / times;
        qInfo("%.1f ms a picture of 2,048 experts", each);
        QVERIFY2(each < 100, qPrintable(QString::number(each)));
        keep("inspector-2048", *view);
    }

    void hugeVocabulariesStayFluid() {
        std::string text;
        for (int i = 1; i < 100000; ++i) text += "w" + std::to_string(i) + (i % 10 == 0 ? '\n' : ' ');
        Opened opened({"soft", 2, 2, 1}, Corpus::from_text("many", text), "w1 w2 w3");
        const auto view = inspectorView(opened, themed(false, 1), {304, 480});
        for (const std::size_t array : {1, 3}) {  // biases and probabilities of all words
            view->inspect({InspectedPart::next_word, 5}, array);
            QVERIFY(waitFresh(*view));
            QCOMPARE(view->values().size(), std::size_t(100000));
            view->grab();
            QElapsedTimer timer;
            timer.start();
            constexpr int times = 5;
            for (int i = 0; i < times; ++i) {
                view->setScale(i % 2 ? InspectionScale::array : InspectionScale::all);
                view->grab();
            }
            const double each = double(timer.elapsed()) / times;
            timer.restart();
            view->explain(7);
            QVERIFY(waitFresh(*view));
            QTRY_VERIFY(view->provenance()->number());
            timer.restart();
            view->provenance()->showNumber({array == 1 ? "d_mixed" : "probs", 0, 3});
            view->grab();
            const auto chain = timer.elapsed();
            qInfo("%.1f ms a picture of 100,000 words, %lld ms a chain", each, static_cast<long long>(chain));
            QVERIFY2(each < 150, qPrintable(QString::number(each)));
            QVERIFY2(chain < 600, qPrintable(QString::number(chain)));
        }
        keep("inspector-100000", *view);
    }

    void anOpenedModelsWeightsAreTheirOwn() {
        // Its past is not known: no batch that made them.
        Opened first({"soft", 4, 4, 30});
        SessionController session;
        SessionSetup setup;
        setup.state = first.state(), setup.experiment = setup.state->experiment, setup.corpus = corpus();
        setup.probe = "hello", setup.focus = 0;
        bool opened = false;
        session.open(std::move(setup), [&](const QString& error) { opened = error.isEmpty(); });
        QTRY_VERIFY(opened);
        InspectorView view(session, nullptr);
        view.resize(304, 480);
        view.show();
        QVERIFY(QTest::qWaitForWindowExposed(&view));
        view.inspect({InspectedPart::gate, 0});
        QVERIFY(waitFresh(view));
        view.explain(3);
        QTRY_VERIFY(view.provenance()->number());
        QCOMPARE(view.provenance()->number()->name, std::string("gate/kernel"));
        QVERIFY(view.provenance()->title().contains(valueText(double(view.values()[3]))));
        QVERIFY(view.scope().contains("step 30"));
    }

    void closedItLeavesTheOthersAsTheyWere() {
        WindowFixture fixture;
        const auto window = fixture.window();
        window->resize(1280, 720);
        QTest::qWait(100);
        DockFrame *behind = window->docks().dock("next_word"), *front = window->docks().dock("gate");
        QVERIFY(behind && front);
        QVERIFY(behind->visibleRegion().isEmpty() && !front->visibleRegion().isEmpty());
        behind->raise();
        QTRY_VERIFY(!behind->visibleRegion().isEmpty());
        for (int i = 0; i < 2; ++i) {
            QTest::keyClick(window->docks().stage()->view(), Qt::Key_I);
            QTest::qWait(150);
        }
        QVERIFY(window->docks().dock("inspector")->isHidden());
        QVERIFY(!behind->visibleRegion().isEmpty());
        for (const QTabBar* bar : window->findChildren<QTabBar*>()) QVERIFY(!bar->isVisible() || !bar->drawBase());
    }

    void theWindowOpensItFromTheStage() {
        WindowFixture fixture;
        const auto window = fixture.window();
        window->resize(1280, 720);
        DockFrame* frame = window->docks().dock("inspector");
        QVERIFY(frame && frame->isHidden());
        auto* inspector = qobject_cast<InspectorView*>(frame->view());
        auto* stage = qobject_cast<StageView*>(window->docks().stage()->view());
        QTRY_VERIFY(stage->scene().prefixes() > 0);
        QTest::qWait(200);
        const QRectF expert = stage->scene().layout().expertBox(1, {});
        // By double click, with the measures as its neighbours in tabs.
        QTest::mouseDClick(stage, Qt::LeftButton, {}, expert.center().toPoint());
        QTRY_VERIFY(!frame->isHidden() && inspector->isVisible());
        QVERIFY((inspector->target() == InspectionTarget{InspectedPart::expert, 1}));
        QCOMPARE(window->docks().tabifiedDockWidgets(frame).size(), 3);
        QTRY_VERIFY(inspector->height() > 350);
        QVERIFY(waitFresh(*inspector));
        QVERIFY(!inspector->values().empty());
        QVERIFY(stage->width() >= 560);
        keep("window-inspector", *window);
        // A click retargets it.
        QTest::mouseClick(stage, Qt::LeftButton, {}, stage->scene().layout().sumCentre().toPoint());
        QVERIFY((inspector->target() == InspectionTarget{InspectedPart::sum, 0}));
        QTest::mouseClick(stage, Qt::LeftButton, {}, stage->scene().layout().wordBar(0).center().toPoint());
        QCOMPARE(int(inspector->target().part), int(InspectedPart::next_word));
        stage->setFocus();
        QTest::keyClick(stage, Qt::Key_3);
        QVERIFY((inspector->target() == InspectionTarget{InspectedPart::expert, 2}));
        // I closes it, and the measures stand as before.
        QTest::keyClick(stage, Qt::Key_I);
        QTRY_VERIFY(frame->isHidden());
        QCOMPARE(window->docks().tabifiedDockWidgets(window->docks().dock("load")).size(), 0);
        QVERIFY(!window->docks().isRearranged());
        QTest::keyClick(stage, Qt::Key_I);
        QTRY_VERIFY(!frame->isHidden());
        // Behind another tab nothing is asked, and I brings it forward again.
        window->docks().dock("loss")->raise();
        QTRY_VERIFY(!inspector->feed().active() || inspector->visibleRegion().isEmpty());
        QTest::keyClick(stage, Qt::Key_I);
        QTRY_VERIFY(!inspector->visibleRegion().isEmpty());
        window->actions().restoreLayout->trigger();
        QTRY_VERIFY(frame->isHidden());
        // "Inspect" in the stage's menu.
        QContextMenuEvent menu(QContextMenuEvent::Mouse, expert.center().toPoint(),
                               stage->mapToGlobal(expert.center().toPoint()));
        QCoreApplication::sendEvent(stage, &menu);
        QAction* inspect = nullptr;
        for (QAction* a : stage->actions())
            if (a->text() == "Inspect") inspect = a;
        QVERIFY(inspect && inspect->isEnabled());
        inspect->trigger();
        QTRY_VERIFY(!frame->isHidden());
        QVERIFY((inspector->target() == InspectionTarget{InspectedPart::expert, 1}));
        if (QWidget* popup = QApplication::activePopupWidget()) popup->close();
        // Stepping stands in its place.
        QVERIFY(window->actions().inspector->isEnabled());
        window->actions().stepThrough->setChecked(true);
        QTRY_VERIFY(!window->actions().inspector->isEnabled());
        window->actions().stepThrough->setChecked(false);
        QTRY_VERIFY(window->actions().inspector->isEnabled());
    }
};

QTEST_MAIN(InspectorTest)
#include "inspector_test.moc"
