// Where a number comes from, against the numbers that the engine traced.
#undef QT_NO_CAST_FROM_ASCII  // literals of tests

#include "app/models/inspection.h"
#include "app/models/operation_numbers.h"
#include "app/models/provenance_card.h"
#include "engine/train/tracer.h"
#include "engine/train/trainer.h"
#include "tests/app/calculator.h"
#include "tests/support/small_corpus.h"

#include <QtTest>

#include <cmath>
#include <set>

using namespace moe;
using namespace moe::app;
using moe::test::Calculator;

namespace {

struct Case {
    const char* name;
    const char* router = "soft";
    std::size_t experts = 4, top_k = 2;
    bool mask = false;
    double balance = 0;
    std::size_t steps = 0;  // trained before the batch
    const char* activation = "relu";
    const char* squares = "whole";
    const char* family = "pooled";
};

// 12 examples in batches of 8: the second of an epoch is short.
const Case cases[] = {
    {"soft, untrained"},
    {"soft, trained", "soft", 4, 4, false, 0, 174},
    {"soft, short batch", "soft", 4, 4, false, 0, 37},
    {"soft, mask, balance", "soft", 4, 4, true, 0.3, 60},
    {"top-1 of 4", "top_k", 4, 1, false, 0, 60},
    {"top-1 of 4, balance", "top_k", 4, 1, false, 0.1, 60},
    {"top-2 of 8, mask, balance", "top_k", 8, 2, true, 0.05, 60},
    {"top-2 of 8", "top_k", 8, 2, false, 0, 900},
    {"64 experts", "top_k", 64, 4, false, 0.01, 12},
    {"one expert", "soft", 1, 1, false, 0, 5},
    {"linear", "soft", 4, 4, false, 0, 60, "linear"},
    {"GELU", "soft", 4, 4, true, 0, 60, "gelu"},
    {"GELU by tanh, top-2 of 4", "top_k", 4, 2, false, 0, 60, "gelu_tanh"},
    {"tanh", "soft", 4, 4, false, 0, 60, "tanh"},
    {"each place squared", "soft", 4, 4, false, 0, 60, "relu", "per_occurrence"},
    {"each place squared, mask", "soft", 4, 4, true, 0, 60, "relu", "per_occurrence"},
    {"tokens, soft", "soft", 4, 4, false, 0, 60, "relu", "whole", "token"},
    {"tokens, soft, mask, balance", "soft", 4, 4, true, 0.3, 60, "relu", "whole", "token"},
    {"tokens, soft, short batch, balance", "soft", 4, 4, false, 0.1, 37, "relu", "whole", "token"},
    {"tokens, top-1 of 4, balance", "top_k", 4, 1, false, 0.1, 60, "relu", "whole", "token"},
    {"tokens, top-2 of 8, mask, balance", "top_k", 8, 2, true, 0.05, 60, "relu", "whole", "token"},
    {"tokens, GELU, top-2 of 4, squared", "top_k", 4, 2, true, 0, 60, "gelu", "per_occurrence", "token"},
};

std::shared_ptr<const Corpus> corpus() {
    static const auto text = moe::test::tutorial_corpus();
    return text;
}

std::shared_ptr<const Trace> traceOf(const Case& c) {
    Experiment x = moe::test::tutorial_experiment();
    x.model.router = c.router, x.model.num_experts = c.experts, x.model.top_k = c.top_k;
    x.model.mask_zero = c.mask, x.model.balance_loss = c.balance;
    x.model.embedding_dim = 12, x.model.hidden_dim = 20;
    x.model.family = c.family;
    x.model.activation = c.activation, x.train.embedding_squares = c.squares;
    x.train.learning_rate = 0.01;
    const auto backend = make_backend({"cpu", 1});
    Trainer trainer(*backend, x, corpus());
    for (std::size_t i = 0; i < c.steps; ++i) trainer.step();
    return std::make_shared<const Trace>(
        trace_batch(*backend, std::make_shared<const RunState>(trainer.state()), *corpus()));
}

std::shared_ptr<const Trace> phraseOf(const Case& c, const char* text) {
    const auto batch = traceOf(c);
    const auto backend = make_backend({"cpu", 1});
    const std::vector<std::int32_t> ids = corpus()->tokenizer().ids(text);
    std::vector<std::int32_t> row(batch->experiment.model.max_seq_len);
    pad_pre(ids, row);
    return std::make_shared<const Trace>(trace_row(*backend, batch->state, row));
}

ProvenanceCards cardsOf(const std::shared_ptr<const Trace>& trace) {
    return ProvenanceCards(trace,
                           [](std::int32_t id) { return QString::fromStdString(corpus()->tokenizer().word(id)); });
}

/// Results below float's smallest normal number are flushed to zero.
constexpr double flushed = 1.2e-38;

/// What float arithmetic may lose between the links and the result: a few of its rounding steps, each of 6e-8 of what
/// is added.
double allowed(const Provenance& p, const Derivation& d) {
    using Form = Derivation::Form;
    constexpr double steps = 4e-6;
    const auto v = [&](TraceNumber n) { return n.what == Quantity::none ? 1.0 : std::abs(p.value(n)); };
    double size = 0;
    for (const auto& t : d.terms) size += v(t.a) * v(t.b);
    switch (d.form) {
        case Form::sum:
            return steps * d.scale * size;
        case Form::softmax:
            return steps * std::max(1.0, v(d.terms[d.own].a)) * p.recompute(d) + 1e-37;
        case Form::softmax_gradient:
            return steps * v(d.terms[d.own].a) * (v(d.terms[d.own].b) + size);
        case Form::softmax_minus_one:
            return steps * d.scale;
        case Form::update:
            return steps * (v(d.terms[0].a) + std::abs(p.recompute(d) - p.value(d.terms[0].a)));
        case Form::activation_slope:
            return steps * v(d.terms[0].a) * (1 + v(d.terms[0].b));
        case Form::velocity:
            return steps * (v(d.terms[0].a) + v(d.terms[1].a) * v(d.terms[1].a)) + 1e-37;
        case Form::negative_log:
        case Form::log_of_sum:
            return steps * std::max(1.0, size);
        default:
            return steps * size + (d.form == Form::balance_share ? steps * p.recompute(d) : 0);
    }
}

/// Every number that the trace has.
template <class Each>
std::size_t everyNumber(const Provenance& p, Each each) {
    std::size_t numbers = 0;
    const auto array = [&](Quantity what, ParameterId parameter) {
        for (std::size_t i = 0; i < p.count(what, parameter); ++i, ++numbers) each(TraceNumber{what, parameter, i});
    };
    for (int q = 0; q < int(Quantity::parameter); ++q) array(Quantity(q), ParameterId::embedding);
    for (int q = int(Quantity::parameter); q < int(Quantity::none); ++q)
        for (int a = 0; a < 9; ++a) array(Quantity(q), ParameterId(a));
    return numbers;
}

QString joined(const std::vector<ProvenancePart>& parts) {
    QString text;
    for (const ProvenancePart& part : parts) text += part.text;
    return text;
}

}  // namespace

class ProvenanceTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void everyNumberIsWhatItsLinksGive_data() {
        QTest::addColumn<int>("index");
        for (int i = 0; i < int(std::size(cases)); ++i) QTest::newRow(cases[i].name) << i;
    }

    void everyNumberIsWhatItsLinksGive() {
        QFETCH(int, index);
        const auto trace = traceOf(cases[index]);
        const Provenance p(trace);
        std::size_t wrong = 0, sums = 0, given = 0, zero = 0;
        const std::size_t numbers = everyNumber(p, [&](TraceNumber n) {
            const Derivation d = p.derive(n);
            sums += d.form == Derivation::Form::sum;
            if (d.form == Derivation::Form::given) {
                ++given;
                return;
            }
            zero += d.form == Derivation::Form::zero;
            const double stored = p.value(n), made = p.recompute(d);
            if (std::abs(stored - made) <= allowed(p, d) + flushed) return;
            if (++wrong < 10)
                qWarning("%s[%zu]: stored %.9g, from its links %.9g, allowed %.3g", p.ref(n).name.c_str(), n.at, stored,
                         made, allowed(p, d));
        });
        QCOMPARE(wrong, std::size_t(0));
        QVERIFY(sums > 1000);
        // Weights, moments and targets alone come from nowhere in the batch.
        const std::size_t weights = [&] {
            std::size_t count = 0;
            for (const NamedArray& a : trace->state->parameters) count += a.values.size();
            return count;
        }();
        QCOMPARE(given, 3 * weights + trace->examples);
        qInfo("%zu numbers, %zu of them sums, %zu zero by rule", numbers, sums, zero);
    }

    void aWrongLinkWouldBeSeen() {
        const auto trace = traceOf(cases[3]);
        const Provenance p(trace);
        std::size_t seen = 0, tried = 0;
        everyNumber(p, [&](TraceNumber n) {
            Derivation d = p.derive(n);
            if (d.form != Derivation::Form::sum || d.terms.size() < 2 || p.value(n) == 0) return;
            ++tried;
            d.terms[tried % d.terms.size()] = d.terms[(tried + 1) % d.terms.size()];
            seen += std::abs(p.value(n) - p.recompute(d)) > allowed(p, d);
        });
        QVERIFY2(seen > tried * 9 / 10, qPrintable(QString("%1 of %2").arg(seen).arg(tried)));
    }

    void aPhraseHasItsForwardNumbers() {
        const auto trace = phraseOf(cases[6], "hello world how");
        const Provenance p(trace);
        std::size_t numbers = 0;
        everyNumber(p, [&](TraceNumber n) {
            const Derivation d = p.derive(n);
            if (d.form == Derivation::Form::given) return;
            ++numbers;
            QVERIFY(std::abs(p.value(n) - p.recompute(d)) <= allowed(p, d));
        });
        QCOMPARE(numbers, std::size_t(4 * 12 + 12 + 8 + 8 + 2 + 2 * 20 + 2 * 20 + 2 * 12 + 12 + 11 + 11));
        QVERIFY(!p.find({"loss", 0, 0}));
        QVERIFY(!p.find({"d_mean", 0, 0}));
        QVERIFY(!p.find({"target", 0, 0}));
    }

    void namesAndPlacesFindBack() {
        const auto trace = traceOf(cases[6]);
        const Provenance p(trace);
        everyNumber(p, [&](TraceNumber n) {
            const NumberRef ref = p.ref(n);
            const auto found = p.find(ref);
            QVERIFY2(found && *found == n, ref.name.c_str());
        });
        for (const NumberRef& bad :
             {NumberRef{"gate_logits", 8, 0}, NumberRef{"gate_logits", 0, 8}, NumberRef{"nothing", 0, 0},
              NumberRef{"d:nothing", 0, 0}, NumberRef{"gate/kernel", 0, 96}, NumberRef{"", 0, 0}})
            QVERIFY(!p.find(bad));
        // The trace's own values say the same as the number does by its place.
        for (const TraceValue& v : trace->values)
            for (std::size_t i = 0; i < v.values.size(); i += 7) {
                const std::size_t stride = v.values.size() / trace->examples;
                const auto n = p.find({v.name, i / stride, i % stride});
                QVERIFY(n);
                QCOMPARE(p.value(*n), double(v.values[i]));
            }
    }

    void chainsEndAtTheWord() {
        for (const Case& c : {cases[1], cases[7]}) {
            const auto trace = traceOf(c);
            const ProvenanceCards cards = cardsOf(trace);
            for (const char* start : {"loss", "d_gate_logits", "d_embedding_rows", "d:embedding", "new:head/kernel",
                                      "new_v:head/kernel", "probs"}) {
                // A number that is not zero, so that there is a way.
                NumberRef ref{start, 0, 0};
                while (cards.has(ref) && cards.value(ref) == 0) ++ref.index;
                const auto chain = cards.chain(ref, 5, 40);
                QVERIFY2(chain.size() > 4, start);
                QVERIFY2(chain.back().ref.name == "embedding", chain.back().ref.name.c_str());
                for (std::size_t i = 1; i < chain.size(); ++i) {
                    QVERIFY(chain[i - 1].next && *chain[i - 1].next == chain[i].ref);
                    QVERIFY(!chain[i].name.symbol.isEmpty());
                }
            }
        }
    }

    void theShownArithmeticComesOut_data() { everyNumberIsWhatItsLinksGive_data(); }

    void theShownArithmeticComesOut() {
        QFETCH(int, index);
        const auto trace = traceOf(cases[index]);
        const ProvenanceCards cards = cardsOf(trace);
        const Provenance& p = cards.provenance();
        std::size_t lines = 0, rows = 0, wrong = 0, at = 0, off = 0;
        const auto tell = [&](const NumberRef& ref, const QString& text, const QString& shown) {
            if (++wrong < 10)
                qWarning("%s[%zu]: %s is not %s", ref.name.c_str(), ref.index, qPrintable(text), qPrintable(shown));
        };
        everyNumber(p, [&](TraceNumber n) {
            if (++at % 13 != 0 && n.isParameter()) return;
            const ProvenanceCard card = cards.card(p.ref(n));
            QString line = joined(card.values);
            if (const qsizetype comma = line.indexOf(", as a"); comma >= 0) line.truncate(comma);
            if (!line.isEmpty() && card.shown != "–") {
                ++lines;
                Calculator reader(line, trace->experiment.model.activation);
                const double result = reader.result();
                const QString text = card.gradient ? signedValueText(result) : valueText(result);
                if (!reader.ok()) tell(card.ref, line, "readable");
                // Exactly between two roundings the reader may end on either side.
                else if (text != card.shown && std::abs(result - card.value) > 1e-6 * std::abs(card.value) && ++off < 5)
                    qInfo("%s[%zu] %s = %s, not %s", card.ref.name.c_str(), card.ref.index, qPrintable(line),
                          qPrintable(text), qPrintable(card.shown));
            }
            if (!card.sum) return;
            double total = card.sum->shown_rest;
            for (const ProvenanceRow& row : card.sum->rows) {
                ++rows;
                total += row.shown;
                Calculator reader(joined(row.parts), trace->experiment.model.activation);
                const double unit = std::pow(10, -card.sum->exponent), result = reader.result() * unit;
                // Within half of the last digit shown, and what float lost.
                QString digits = row.result;
                const double half =
                    0.5 * std::pow(10, -double(digits.contains('.') ? digits.section('.', 1).size() : 0));
                if (!reader.ok() || std::abs(result - row.shown) > half * 1.0001 + 1e-6 * std::abs(result))
                    tell(card.ref, joined(row.parts), row.result);
                QVERIFY(row.expert || !row.label.isEmpty());
            }
            if (std::abs(total - card.sum->shown_total) > 1e-9 * std::max(1.0, std::abs(total)))
                tell(card.ref, QString::number(total), card.sum->total);
            std::size_t listed = card.sum->rows.size() + card.sum->smaller;
            if (listed != p.derive(n).terms.size()) tell(card.ref, QString::number(listed), "all terms");
        });
        QCOMPARE(wrong, std::size_t(0));
        QVERIFY(lines > 300 && rows > 1000);
        // Where two large numbers cancel to what float had left of them, nine digits do not say more.
        QVERIFY2(off * 2000 <= lines, qPrintable(QString("%1 of %2 lines come out otherwise").arg(off).arg(lines)));
        qInfo("%zu lines and %zu rows calculated, %zu off in the last digit", lines, rows, off);
    }

    void rowsOfASumAreItsLargestTerms() {
        const auto trace = traceOf(cases[1]);
        const ProvenanceCards cards = cardsOf(trace);
        const ProvenanceCard card = cards.card({"d_mean_experts", 0, 3}, 4);
        QVERIFY(card.sum);
        QCOMPARE(card.sum->rows.size(), std::size_t(4));
        QCOMPARE(card.sum->smaller, std::size_t(4 * 20 - 4));
        for (std::size_t i = 1; i < 4; ++i)
            QVERIFY(std::abs(card.sum->rows[i].shown) <= std::abs(card.sum->rows[i - 1].shown));
        QVERIFY(ProvenanceCards::text(card).contains("and 76 smaller: "));
        QCOMPARE(cards.card({"d_mean_experts", 0, 3}, 1000).sum->smaller, std::size_t(0));
    }

    void rowsSayWhatTheyAre() {
        const auto firstRow = [](const ProvenanceCards& cards, const char* name, std::size_t index) {
            const ProvenanceCard card = cards.card({name, 1, index});
            return card.sum && !card.sum->rows.empty() ? card.sum->rows.front() : ProvenanceRow{};
        };
        const ProvenanceCards soft = cardsOf(traceOf(cases[1])), chosen = cardsOf(traceOf(cases[6]));
        for (const char* name :
             {"d_gate_logits", "d_gate_logits_task", "gate_probs", "expert_weights", "mixed", "d_mean_gate"}) {
            QVERIFY2(firstRow(soft, name, 1).expert, name);
            QVERIFY2(firstRow(soft, name, 1).label.isEmpty(), name);
        }
        QVERIFY(firstRow(soft, "gate_logits", 1).label.startsWith("dim "));
        QVERIFY(firstRow(soft, "answers", 1).label.startsWith("unit "));
        QVERIFY(firstRow(soft, "d_mixed", 1).label.startsWith("“"));
        QVERIFY(firstRow(soft, "mean", 1).label.startsWith("“") || firstRow(soft, "mean", 1).label == "(padding)");
        const ProvenanceRow row = firstRow(soft, "d_mean_experts", 1);
        QVERIFY(row.expert && row.label.startsWith("unit "));
        QVERIFY(cardsOf(traceOf(cases[1])).card({"d:gate/kernel", 0, 5}).sum->rows[0].label.contains(" → "));
        // Of two parts: task and balance, experts and gate.
        QVERIFY(ProvenanceCards::text(chosen.card({"d_gate_logits", 1, 1})).contains("balance"));
        QCOMPARE(powerText(-6), QString("1e−6"));
        QCOMPARE(chosen.card({"balance", 0, 0}).formula, QString("Σ ∂L/∂p · p"));
        // The letters of the operations' pages.
        QCOMPARE(chosen.card({"gate_probs", 0, 0}).name.symbol, symbolOf("gate_probs", false));
        QCOMPARE(soft.card({"gate_probs", 0, 0}).name.symbol, symbolOf("gate_probs", true));
        QCOMPARE(soft.card({"logits", 0, 0}).name.symbol, QString("s"));
        QCOMPARE(soft.card({"probs", 0, 0}).name.symbol, QString("q"));
        QCOMPARE(soft.card({"d_logits", 0, 0}).name.symbol, symbolOf("d_logits", true));
        QCOMPARE(soft.card({"probs", 0, 0}).keras, QString("q = keras.ops.softmax(s)"));
        QCOMPARE(soft.card({"gate_probs", 0, 0}).keras, QString("g = keras.ops.softmax(z)"));
    }

    void numbersReadAsInTheField() {
        QCOMPARE(valueText(0.39), QString(".390"));
        QCOMPARE(valueText(-0.147), QString("−.147"));
        QCOMPARE(valueText(0.0460), QString(".0460"));
        QCOMPARE(valueText(2.3456), QString("2.35"));
        QCOMPARE(valueText(1234.6), QString("1235"));
        QCOMPARE(valueText(1.234e-7), QString("1.23e−7"));
        QCOMPARE(valueText(9.999e-8), QString("1.00e−7"));
        QCOMPARE(valueText(-3.2e9), QString("−3.20e9"));
        QCOMPARE(valueText(NAN), QString("–"));
        QCOMPARE(valueText(0), QString("0"));
        QCOMPARE(signedValueText(0.305), QString("+.305"));
        QCOMPARE(signedValueText(-0.305), QString("−.305"));
        QCOMPARE(shownValue(-0.14749), -0.147);
        QCOMPARE(shownValue(1.23456e-7), 1.23e-7);
    }

    // Powers of ten begin at one place, whatever the digits: what reads as .0001 is written out, what reads as less is
    // not; the mantissa stays from 1 to below 10.
    void powersBeginAtOnePlace() {
        for (const double size : {1e-4, 0.99999974e-4, 0.9999e-4}) {
            QCOMPARE(valueText(-size, 1), QString("−.0001"));
            QCOMPARE(valueText(size, 2), QString(".00010"));
            QCOMPARE(signedValueText(size), QString("+.000100"));
        }
        QCOMPARE(valueText(-9.6e-5, 1), QString("−.0001"));
        QCOMPARE(valueText(-9.4e-5, 1), QString("−9e−5"));
        QCOMPARE(valueText(9.94e-5, 2), QString("9.9e−5"));
        QCOMPARE(valueText(9.96e-5, 2), QString(".00010"));
        QCOMPARE(valueText(9.994e-5), QString("9.99e−5"));
        QCOMPARE(valueText(9.996e-5), QString(".000100"));
        QCOMPARE(valueText(9.6e-8, 1), QString("1e−7"));
        QCOMPARE(valueText(999400), QString("999400"));
        QCOMPARE(valueText(999600), QString("1.00e6"));
        QCOMPARE(valueText(-9.96e9, 2), QString("−1.0e10"));
        static const QRegularExpression power("^−?([1-9](\\.[0-9]+)?)e−?[0-9]+$");
        for (int digits = 1; digits <= 9; ++digits)
            for (double size = 1e-12; size < 1e12; size *= 1.0173)
                for (const double value : {size, -size, std::pow(10, std::round(std::log10(size))) * (1 - 1e-9)}) {
                    const QString text = valueText(value, digits);
                    const double shown = std::abs(shownValue(value, digits));
                    QVERIFY2(text.contains('e') == (shown < 1e-4 * (1 - 1e-12) || shown >= 1e6 * (1 - 1e-12)),
                             qPrintable(text));
                    if (text.contains('e')) QVERIFY2(power.match(text).hasMatch(), qPrintable(text));
                    QVERIFY2(std::abs(shown - std::abs(value)) <= 0.501 * std::pow(10, 1 - digits) * shown,
                             qPrintable(text));
                }
    }

    void wordsOfAPhraseAreCountedFromOne() {
        Trace phrase;
        phrase.examples = 1, phrase.ids = {0, 0, 5, 3};
        const auto word = [](std::int32_t id) { return QString::number(id); };
        const auto at = [&](std::size_t t) {
            return Inspection::axisText(InspectedArray::Axis::token, t, &phrase, word);
        };
        QVERIFY2(at(2).startsWith("word 1: "), qPrintable(at(2)));
        QVERIFY2(at(3).startsWith("word 2: "), qPrintable(at(3)));
        QCOMPARE(at(0), QString("place 1: (padding)"));
    }

    void aDivergedTraceIsSaid() {
        Trace trace = *traceOf(cases[1]);
        for (TraceValue& v : trace.values)
            for (float& x : v.values) x = NAN;
        const ProvenanceCards cards = cardsOf(std::make_shared<const Trace>(std::move(trace)));
        for (const char* name : {"gate_probs", "loss", "d_gate_logits", "d_mean_experts", "mixed", "d:gate/kernel"}) {
            const auto chain = cards.chain({name, 0, 0});
            QVERIFY(!chain.empty() && chain.size() <= 16);
            for (const ProvenanceCard& card : chain) QVERIFY(!ProvenanceCards::text(card).contains("nan"));
        }
    }

    void hugeVocabulariesAreQuick() {
        // A sum over 100,000 words: one card within a frame or two.
        Trace trace;
        ModelSpec& m = trace.experiment.model;
        m.vocabulary = 100000, m.embedding_dim = 4, m.num_experts = 2, m.hidden_dim = 4, m.max_seq_len = 2;
        trace.examples = 1, trace.ids = {1, 2}, trace.targets = {7}, trace.expert_indices = {0, 1};
        TraceValue logits{"logits", {1, m.vocabulary}, {}}, probs{"probs", {1, m.vocabulary}, {}};
        for (std::size_t i = 0; i < m.vocabulary; ++i) {
            logits.values.push_back(float(std::sin(double(i))));
            probs.values.push_back(1e-5f);
        }
        trace.values = {logits, probs};
        const ProvenanceCards cards(std::make_shared<const Trace>(std::move(trace)),
                                    [](std::int32_t id) { return QString::number(id); });
        QElapsedTimer timer;
        timer.start();
        const ProvenanceCard card = cards.card({"probs", 0, 7});
        const qint64 took = timer.elapsed();
        QCOMPARE(card.sum->rows.size() + card.sum->smaller, std::size_t(100000));
        QVERIFY2(took < 200, qPrintable(QString::number(took)));
        qInfo("%lld ms", static_cast<long long>(took));
    }
};

QTEST_APPLESS_MAIN(ProvenanceTest)
#include "provenance_test.moc"
