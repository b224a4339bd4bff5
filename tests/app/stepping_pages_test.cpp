// What the operation panel says, held against the trace's own numbers, for every router, with and without balance
// loss and mask.
#include "app/models/operation_catalogue.h"
#include "app/models/operation_formula.h"
#include "app/models/operation_motion.h"
#include "app/models/operation_numbers.h"
#include "app/models/provenance_card.h"
#include "engine/core/family.h"
#include "engine/core/settings.h"
#include "engine/train/tracer.h"
#include "engine/train/trainer.h"
#include "tests/app/calculator.h"
#include "tests/support/small_corpus.h"

#include <QtTest>

#include <set>

namespace moe::app {

namespace {

struct Traced {
    QString name;
    Trace trace;
    std::vector<QString> words;
};

Traced traced(const char* router, std::size_t experts, std::size_t k, double balance, bool mask, int steps,
              const char* activation = "relu", std::string_view family = "pooled") {
    Experiment x = test::tutorial_experiment();
    x.model.family = family;
    x.model.router = router;
    x.model.num_experts = experts, x.model.top_k = k;
    x.model.balance_loss = balance, x.model.mask_zero = mask;
    x.model.embedding_dim = 12, x.model.hidden_dim = 20;
    x.model.activation = activation;
    const auto corpus = test::tutorial_corpus();
    const auto backend = make_backend({"cpu", 1});
    x = resolve(x, *corpus, std::size_t(1) << 30);
    Trainer trainer(*backend, x, corpus);
    for (int i = 0; i < steps; ++i) trainer.step();
    Traced t;
    t.name = QString::fromUtf8(family.data(), qsizetype(family.size())) +
             QStringLiteral(" %1 %2/%3 balance %4 mask %5 step %6")
                 .arg(QString::fromLatin1(router))
                 .arg(k)
                 .arg(experts)
                 .arg(balance)
                 .arg(mask)
                 .arg(steps);
    t.trace = trace_batch(*backend, std::make_shared<const RunState>(trainer.state()), *corpus);
    t.words.push_back(QStringLiteral("(padding)"));
    for (std::size_t id = 1; id < x.model.vocabulary; ++id)
        t.words.push_back(QString::fromStdString(std::string(corpus->tokenizer().word(std::int32_t(id)))));
    return t;
}

std::vector<Traced> all() {
    std::vector<Traced> made;
    for (const FamilyInfo& family : families)
        for (const bool mask : {false, true})
            for (const double balance : {0.0, 0.3}) {
                made.push_back(traced("soft", 4, 2, balance, mask, 30, "relu", family.id));
                made.push_back(traced("top_k", 4, 1, balance, mask, 30, "relu", family.id));
                made.push_back(traced("top_k", 4, 2, balance, mask, 30, "relu", family.id));
            }
    for (const char* activation : {"linear", "gelu", "gelu_tanh", "tanh"}) {
        made.push_back(traced("soft", 4, 4, 0, false, 30, activation));
        made.push_back(traced("top_k", 4, 2, 0.3, true, 30, activation));
    }
    made.push_back(traced("top_k", 4, 2, 0.3, true, 30, "gelu", "token"));
    made.push_back(traced("top_k", 40, 2, 0.01, true, 3, "relu", "token"));
    made.push_back(traced("soft", 1, 1, 0, false, 0));
    made.push_back(traced("soft", 40, 2, 0.01, false, 3));
    made.push_back(traced("top_k", 40, 2, 0.01, true, 3));
    made.push_back(traced("top_k", 40, 20, 0, false, 3));
    return made;
}

double numberOf(const Trace& trace, const NumberRef& ref) {
    const auto numbers = trace.numbers(ref.name);
    if (!numbers) return std::nan("");
    const bool by_example = trace.find(ref.name) != nullptr;
    const std::size_t size = by_example ? numbers->values.size() / trace.examples : numbers->values.size();
    if (ref.index >= size || (!by_example && ref.example)) return std::nan("");
    return double(numbers->values[(by_example ? ref.example * size : 0) + ref.index]);
}

/// Of many experts, some of them chosen, as a class sees them.
std::vector<Traced> allAndEightExperts() {
    std::vector<Traced> made = all();
    made.push_back(traced("soft", 8, 2, 0, false, 30));
    made.push_back(traced("top_k", 8, 2, 0, true, 30));
    made.push_back(traced("top_k", 8, 2, 0.1, false, 120));
    made.push_back(traced("top_k", 8, 1, 0.1, true, 120));
    return made;
}

QString plainText(const QString& markup) {
    return FormulaText(markup).plain();
}

/// Nothing where it is no number.
std::optional<double> readNumber(const QString& text, const std::string& activation = "relu") {
    test::Calculator reader(text, activation);
    const double value = reader.result();
    return reader.ok() ? std::optional(value) : std::nullopt;
}

/// The number that `shown` is, within half of its last digit and what float had left.
bool comesOut(double calculated, const QString& shown) {
    const std::optional<double> value = readNumber(shown);
    if (!value) return false;
    const double size = std::max(std::abs(calculated), std::abs(*value));
    return std::abs(calculated - *value) <= 1.0001 * test::Calculator::halfDigit(shown) + 1e-6 * size;
}

bool near(double a, double b, double size) {
    return std::abs(a - b) <= 2e-5 * size + 2e-4 * std::max(std::abs(a), std::abs(b)) + 1e-12;
}

}  // namespace

class SteppingPagesTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void everyOperationIsExplainedWithTheTracesNumbers() {
        for (const Traced& t : all()) {
            std::set<QString> questions;
            for (std::size_t op = 0; op < t.trace.ops.size(); ++op) {
                for (std::size_t n = 0; n < t.trace.examples; ++n) {
                    const OperationPage page = operationPage(t.trace, op, n, t.words);
                    const QString where = t.name + u' ' + QString::fromStdString(t.trace.ops[op].id);
                    for (const QString& text :
                         {page.title, page.question, page.formula, page.shapes, page.notice, page.keras, page.heading})
                        QVERIFY2(!text.isEmpty(), qPrintable(where));
                    if (n == 0) QVERIFY2(questions.insert(page.question).second, qPrintable(page.question));
                    QVERIFY2(operationName(t.trace.ops[op], t.trace.experiment.model) !=
                                 QString::fromStdString(t.trace.ops[op].id),
                             qPrintable(where));
                    check(t, page, where);
                    for (const QString& text :
                         {page.question, page.formula, page.shapes, page.notice, page.keras, page.aside})
                        QVERIFY2(!text.contains(u'%') || text.contains(QStringLiteral("\u00a0%")),
                                 qPrintable(where + text));
                    static const QRegularExpression one(QStringLiteral("(^|[^0-9.,])1 (words|places|largest|of the)"));
                    for (const QString& text : {page.formula, page.notice})
                        QVERIFY2(!text.contains(one), qPrintable(where + text));
                    for (const QString& line : page.worked)
                        QVERIFY2(!line.contains(QRegularExpression(QStringLiteral("%[0-9]"))), qPrintable(line));
                    QVERIFY2(!page.worked.empty(), qPrintable(where));
                    QVERIFY2(
                        FormulaText(page.worked.back()).plain().contains(traceText(page.result)) || page.result == 0,
                        qPrintable(where + FormulaText(page.worked.back()).plain() + traceText(page.result)));
                }
            }
        }
    }

    void anyNumberCanBePicked() {
        for (const Traced& t : all()) {
            for (std::size_t op = 0; op < t.trace.ops.size(); ++op) {
                const OperationPage page = operationPage(t.trace, op, 1, t.words);
                std::vector<NumberRef> refs;
                for (const OperationRow& row : page.rows)
                    for (const OperationCell& c : row.cells) {
                        if (c.ref) refs.push_back(*c.ref);
                        if (c.strip && !c.strip->values.empty()) {
                            refs.push_back(c.strip->first);
                            refs.back().index += c.strip->values.size() / 2;
                        }
                    }
                for (const ValueStrip& s : page.strips) {
                    refs.push_back(s.first);
                    refs.back().index += s.values.size() - 1;
                }
                for (const NumberRef& ref : refs)
                    check(t, operationPage(t.trace, op, 1, t.words, ref),
                          t.name + u' ' + QString::fromStdString(t.trace.ops[op].id) + QStringLiteral(" picked ") +
                              QString::fromStdString(ref.name));
            }
        }
    }

    void thePickedNumberIsTheFormulas() {
        const Traced t = traced("soft", 4, 2, 0, false, 30);
        const auto opOf = [&](const char* id) {
            for (std::size_t i = 0; i < t.trace.ops.size(); ++i)
                if (t.trace.ops[i].id == id) return i;
            return t.trace.ops.size();
        };
        for (const auto& [op, name] :
             {std::pair{"mean", "mean"}, std::pair{"gate_scores", "gate_logits"}, std::pair{"expert_output", "answers"},
              std::pair{"weighted_sum", "mixed"}, std::pair{"vocabulary_scores", "logits"},
              std::pair{"vocabulary_scores_backward", "d_logits"}, std::pair{"gate_softmax_backward", "d_gate_logits"},
              std::pair{"embedding_backward", "d_embedding_rows"}}) {
            const NumberRef ref{name, 2, 3};
            const OperationPage page = operationPage(t.trace, opOf(op), 2, t.words, ref);
            QVERIFY2(page.subject == ref, op);
            QCOMPARE(page.result, numberOf(t.trace, ref));
        }
        const NumberRef weight{"head/kernel", 0, 17};
        const OperationPage page = operationPage(t.trace, opOf("adam"), 0, t.words, weight);
        QCOMPARE(page.result, numberOf(t.trace, {"new:head/kernel", 0, 17}));
    }

    void routersAreToldApart() {
        const auto page = [](const Traced& t, const char* id) {
            for (std::size_t i = 0; i < t.trace.ops.size(); ++i)
                if (t.trace.ops[i].id == id) return operationPage(t.trace, i, 0, t.words);
            return OperationPage();
        };
        const Traced one = traced("top_k", 4, 1, 0, false, 5), balanced = traced("top_k", 4, 1, 0.1, true, 5),
                     soft = traced("soft", 4, 2, 0, false, 5);
        QVERIFY(page(one, "gate_softmax_backward").notice.contains(QStringLiteral("no gradient")));
        QVERIFY(page(balanced, "gate_softmax_backward").notice.contains(QStringLiteral("only the balance loss")));
        QVERIFY(page(soft, "gate_softmax_backward").notice.contains(QStringLiteral("4 add up to 0")));
        QCOMPARE(page(balanced, "gate_softmax_backward").result != 0, true);
        QCOMPARE(page(one, "gate_softmax_backward").result, 0.0);
        int silent = 0;
        for (const OperationRow& row : page(one, "weighted_sum_to_experts").rows)
            silent += row.note.contains(QStringLiteral("no gradient"));
        QCOMPARE(silent, 3);
        for (const OperationRow& row : page(soft, "weighted_sum_to_experts").rows) QVERIFY(row.note.isEmpty());
        const OperationPage softmax = page(soft, "gate_softmax_backward");
        double sum = 0;
        for (const OperationRow& row : softmax.rows) sum += *row.cells[3].value;
        QVERIFY(std::abs(sum) < 1e-7);
    }

    void thePagesSayTheExpertsActivation() {
        const auto said = [](const char* activation) {
            const Traced t = traced("soft", 4, 4, 0, false, 30, activation);
            QStringList lines;
            for (std::size_t i = 0; i < t.trace.ops.size(); ++i) {
                if (!t.trace.ops[i].id.starts_with("expert_hidden")) continue;
                const OperationPage page = operationPage(t.trace, i, 0, t.words);
                lines << page.title << FormulaText(page.formula).plain() << FormulaText(page.worked.front()).plain()
                      << page.question << page.keras;
            }
            return lines.join(u'\n');
        };
        const auto has = [](const QString& text, const char* part) {
            QVERIFY2(text.contains(QString::fromUtf8(part)), qPrintable(text));
        };
        const QString relu = said("relu"), linear = said("linear"), gelu = said("gelu"), by_tanh = said("gelu_tanh"),
                      tanh = said("tanh");
        has(relu, "Experts: hidden, ReLU");
        has(relu, "h_e = max( 0, x W_e + b_e )");
        has(relu, "through the ReLU?");
        has(relu, "where h_e > 0, else 0");
        has(linear, "Experts: hidden, linear");
        has(linear, "h_e = x W_e + b_e");
        has(gelu, "Experts: hidden, GELU");
        has(gelu, "h_e = a_e · Φ( a_e )");
        has(gelu, "= gelu( x · W");
        has(gelu, "Φ( a_e ) + a_e φ( a_e )");
        has(by_tanh, "Experts: hidden, GELU (tanh)");
        has(by_tanh, ".0447");
        has(by_tanh, "approximate=True");
        has(tanh, "h_e = tanh( x W_e + b_e )");
        has(tanh, "( 1 − h_e^2 )");
        for (const QString& other : {linear, gelu, by_tanh, tanh}) {
            QVERIFY(!other.contains(QStringLiteral("ReLU")));
            QVERIFY(!other.contains(QStringLiteral("max( 0")));
        }
    }

    // Of 40 experts 20 are chosen and 16 listed: the row of the others knows of the four.
    void chosenExpertsThatAreNotListedAreCounted() {
        const Traced t = traced("top_k", 40, 20, 0, false, 3);
        for (std::size_t op = 0; op < t.trace.ops.size(); ++op) {
            const std::string& id = t.trace.ops[op].id;
            if (id != "top_k" && id != "expert_hidden" && id != "weighted_sum_to_experts") continue;
            const OperationPage page = operationPage(t.trace, op, 0, t.words);
            std::size_t listed = 0;
            for (const OperationRow& row : page.rows) listed += row.expert.has_value();
            QCOMPARE(listed, std::size_t(16));
            QStringList notes;
            for (const OperationRow& row : page.rows)
                if (!row.expert && !row.note.isEmpty()) notes << row.note;
            QCOMPARE(notes, QStringList{QStringLiteral("4 chosen, with smaller weights; 20 not")});
        }
    }

    // A number whose gradient has kept its sign moves by the learning rate at the first step, not by r.
    void theUpdateSaysHowRFollows() {
        const Traced t = traced("soft", 4, 2, 0, false, 0);
        const std::size_t last = t.trace.ops.size() - 1;
        const OperationPage page = operationPage(t.trace, last, 0, t.words);
        const double rate = t.trace.experiment.train.learning_rate;
        QCOMPARE(FormulaText(page.worked.front()).plain(),
                 QStringLiteral("r = %1 · √( 1 − .999^1 ) / ( 1 − .9^1 ) = %2;  t = 1")
                     .arg(traceText(rate), traceText(rate * std::sqrt(0.001) / 0.1)));
        QVERIFY(page.notice.contains(QStringLiteral("about the learning rate")));
        const double before = numberOf(t.trace, {page.subject->name.substr(4), 0, page.subject->index}),
                     after = page.result;
        QVERIFY(std::abs(std::abs(after - before) / rate - 1) < 0.2);  // r is .32 of it
    }

    // Whoever types a formula's numbers into a calculator arrives at what stands behind the last equals sign, and at
    // what every step on the way says.
    void theWorkedLinesComeOut() {
        Tally tally;
        for (const Traced& t : allAndEightExperts())
            for (std::size_t op = 0; op < t.trace.ops.size(); ++op)
                for (std::size_t n = 0; n < t.trace.examples; ++n) {
                    const OperationPage page = operationPage(t.trace, op, n, t.words);
                    calculate(t.name, t.trace.ops[op].id, t.trace.experiment.model.activation, page, tally);
                    // Of whatever the table shows, when it is picked.
                    for (const OperationRow& row : page.rows)
                        for (const OperationCell& c : row.cells)
                            if (n == 2 && c.ref)
                                calculate(t.name, t.trace.ops[op].id, t.trace.experiment.model.activation,
                                          operationPage(t.trace, op, n, t.words, c.ref), tally);
                }
        qInfo("%zu lines, %zu steps calculated, %zu off", tally.lines, tally.steps, tally.off);
        // All but the table look-up and the ReLU's gate, which calculate nothing.
        for (const Traced& t : allAndEightExperts())
            for (const TraceOp& op : t.trace.ops)
                if (op.id != "embedding_rows" && op.id != "expert_hidden_backward")
                    QVERIFY2(tally.calculated.contains(op.id), op.id.c_str());
        // Where large numbers cancel to what float had left of them, nine digits do not say more.
        QVERIFY2(tally.off * 2000 <= tally.steps, qPrintable(tally.wrong.join(u'\n')));
    }

    // A float has no room for so small a chance: the loss is shown from the scores, as it is computed.
    void theLossOfAChanceThatIsLostComesOut() {
        Traced t = traced("soft", 4, 2, 0, false, 5);
        const auto values = [&](const char* name) -> std::vector<float>& {
            return std::ranges::find(t.trace.values, name, &TraceValue::name)->values;
        };
        const std::size_t target = std::size_t(t.trace.targets[0]), other = target == 1 ? 2 : 1;
        values("logits")[target] = -110, values("logits")[other] = 40;
        values("probs")[target] = 0, values("probs")[other] = 1;
        values("loss")[0] = 150;
        Tally tally;
        for (std::size_t op = 0; op < t.trace.ops.size(); ++op)
            if (t.trace.ops[op].id == "softmax_loss")
                calculate(t.name, "softmax_loss", "relu", operationPage(t.trace, op, 0, t.words), tally);
        QCOMPARE(tally.steps, std::size_t(2));
        QVERIFY2(tally.off == 0, qPrintable(tally.wrong.join(u'\n')));
    }

    // Cells that are the operands of another cell, calculated as they are shown.
    void theTablesComeOut() {
        std::size_t cells = 0;
        QStringList wrong;
        for (const Traced& t : allAndEightExperts())
            for (std::size_t op = 0; op < t.trace.ops.size(); ++op)
                for (std::size_t n = 0; n < t.trace.examples; ++n)
                    checkTable(t, t.trace.ops[op].id, operationPage(t.trace, op, n, t.words), cells, wrong);
        qInfo("%zu cells calculated", cells);
        QVERIFY(cells > 5000);
        QVERIFY2(wrong.isEmpty(), qPrintable(wrong.mid(0, 12).join(u'\n')));
    }

    // Every page is about one number; where it comes from is told beside it, about the same one.
    void whereFromIsAboutThePagesNumber() {
        for (const Traced& t : allAndEightExperts()) {
            const auto trace = std::make_shared<const Trace>(t.trace);
            const ProvenanceCards cards(trace, [](std::int32_t id) { return QString::number(id); });
            for (std::size_t op = 0; op < t.trace.ops.size(); ++op)
                for (std::size_t n = 0; n < t.trace.examples; n += 3) {
                    const OperationPage page = operationPage(t.trace, op, n, t.words);
                    const QString where = t.name + u' ' + QString::fromStdString(t.trace.ops[op].id);
                    QVERIFY2(page.subject && cards.has(*page.subject), qPrintable(where));
                    QCOMPARE(cards.value(*page.subject), page.result);
                    const QString shown = cards.card(*page.subject).shown;
                    QVERIFY2(plainText(page.worked.back()).contains(shown) || page.result == 0,
                             qPrintable(where + u' ' + plainText(page.worked.back()) + u' ' + shown));
                }
        }
    }

    // Unless somebody picks another one, pages are about an expert that the example went to.
    void aPagesNumberIsOfAChosenExpert() {
        std::size_t told = 0;
        for (const Traced& t : allAndEightExperts()) {
            if (t.trace.experiment.model.router == "soft") continue;
            const auto trace = std::make_shared<const Trace>(t.trace);
            const Provenance provenance(trace);
            for (std::size_t op = 0; op < t.trace.ops.size(); ++op)
                for (std::size_t n = 0; n < t.trace.examples; ++n) {
                    const OperationPage page = operationPage(t.trace, op, n, t.words);
                    if (!page.subject) continue;
                    const auto expert = provenance.place(*provenance.find(*page.subject)).expert;
                    if (!expert) continue;
                    ++told;
                    const std::size_t T = t.trace.routed_places();  // of many the last word's
                    QVERIFY2(provenance.visitOf(n * T + T - 1, *expert),
                             qPrintable(t.name + u' ' + QString::fromStdString(t.trace.ops[op].id)));
                }
        }
        QVERIFY(told > 200);
    }

    void beatsTakeTheirTime() {
        const Traced t = traced("top_k", 4, 2, 0.1, true, 1);
        for (const TraceOp& op : t.trace.ops) {
            const int ms = operationBeat(op.id);
            QVERIFY2(ms >= 300 && ms <= 600, op.id.c_str());
            QCOMPARE(operationPose(op.id, 0).appear, 0.0);
            QCOMPARE(operationPose(op.id, 1).travel, 1.0);
            QCOMPARE(operationPose(op.id, 1).appear, 1.0);
            double before = 0;
            for (int i = 0; i <= 40; ++i) {
                const OperationBeat pose = operationPose(op.id, i / 40.0);
                QVERIFY(pose.travel + pose.appear >= before);
                before = pose.travel + pose.appear;
            }
        }
    }

    void numbersReadWell() {
        QCOMPARE(traceText(0.4431), QStringLiteral(".443"));
        QCOMPARE(traceText(-0.6824), QStringLiteral("−.682"));
        QCOMPARE(traceText(0.0462, true), QStringLiteral("+.0462"));
        QCOMPARE(traceText(0), QStringLiteral("0"));
        QCOMPARE(traceText(-0.0), QStringLiteral("0"));
        QCOMPARE(traceText(2.14e-5), QStringLiteral("2.14e−5"));
        QCOMPARE(traceText(-9.996e-5), QStringLiteral("−.000100"));
        QCOMPARE(traceText(-9.994e-5), QStringLiteral("−9.99e−5"));
        QCOMPARE(briefText(-9.96e-5), QStringLiteral("−.00010"));
        QCOMPARE(traceText(12.34), QStringLiteral("12.3"));
        QCOMPARE(traceText(std::nan("")), QStringLiteral("–"));
        QCOMPARE(FormulaText(QStringLiteral("z_{e} = %1^{2}").arg(FormulaText::literal(QStringLiteral("a_{b} ~{c}"))))
                     .plain(),
                 QStringLiteral("z_e = a_{b} ~{c}^2"));
    }

    void copiesHoldEveryDigit() {
        const Traced t = traced("soft", 4, 2, 0, false, 30);
        for (std::size_t i = 0; i < t.trace.ops.size(); ++i) {
            const QString text = pageAsText(operationPage(t.trace, i, 0, t.words), t.words);
            QVERIFY(!text.contains(u'{'));
            if (t.trace.ops[i].id == "gate_softmax")
                for (const float v : t.trace.find("gate_probs")->of(0)) QVERIFY(text.contains(exactText(v)));
        }
    }

private:
    struct Tally {
        std::size_t lines = 0, steps = 0, off = 0;
        std::set<std::string> calculated;  // operations
        QStringList wrong;
    };

    static void calculate(const QString& name, const std::string& op, const std::string& activation,
                          const OperationPage& page, Tally& tally) {
        for (const QString& line : page.worked) {
            ++tally.lines;
            const QString whole = plainText(line), formula = whole.section(QStringLiteral(";  "), 0, 0);
            QStringList sides = formula.split(QStringLiteral(" = "));
            const QString result = sides.takeLast();
            QVERIFY2(readNumber(result), qPrintable(whole));
            const bool unsaid = whole.contains(QChar(0x2026));  // something is left out
            for (const QString& side : sides) {
                const std::optional<double> value = readNumber(side, activation);
                if (!value && !(unsaid && side.contains(QChar(0x2026)))) continue;  // names
                ++tally.steps;
                tally.calculated.insert(op);
                if (value && comesOut(*value, result)) continue;
                ++tally.off;
                if (tally.wrong.size() < 12) tally.wrong << name + u' ' + whole;
            }
        }
    }

    /// How many rows the balance loss counts.
    static double atGate(const Trace& trace) {
        if (trace.routed_places() == 1) return double(trace.examples);
        const auto left_out = trace.experiment.model.mask_zero ? std::ranges::count(trace.ids, 0) : 0;
        return double(trace.ids.size()) - double(left_out);
    }

    static void checkTable(const Traced& t, const std::string& id, const OperationPage& page, std::size_t& count,
                           QStringList& wrong) {
        const bool balanced = t.trace.experiment.model.balance_loss > 0;
        const auto N = double(t.trace.examples), E = double(t.trace.experiment.model.num_experts);
        const auto text = [](const OperationRow& r, std::size_t c) {
            return c < r.cells.size() ? plainText(r.cells[c].text) : QString();
        };
        const auto cell = [&](const OperationRow& r, std::size_t c) {
            return readNumber(text(r, c)).value_or(std::nan(""));
        };
        const auto expect = [&](double calculated, const OperationRow& r, std::size_t c) {
            ++count;
            if (comesOut(calculated, text(r, c))) return;
            QStringList shown;
            for (std::size_t i = 0; i < r.cells.size(); ++i) shown << text(r, i);
            wrong << t.name + u' ' + QString::fromStdString(id) + QStringLiteral(": ") + shown.join(u' ') +
                         QStringLiteral(": %1 is not column %2; ").arg(calculated).arg(c) + plainText(page.aside);
        };
        const double aside = readNumber(plainText(page.aside).section(QStringLiteral("= "), 1)).value_or(std::nan(""));
        double column = 0, chosen = 0;
        for (const OperationRow& r : page.rows) {
            if (id == "weighted_sum" && r.expert && !r.cells.empty()) column += cell(r, 2);
            if (id == "top_k" && !r.cells.empty() && r.cells[2].value) chosen += cell(r, 1);
            if (id == "mean" && &r != &page.rows.back()) {
                const qsizetype times = r.label.indexOf(QChar(0x00D7));
                column += (times < 0 ? 1 : r.label.mid(times + 1).toInt()) * cell(r, 0);
            }
        }
        for (const OperationRow& r : page.rows) {
            if (r.cells.empty()) continue;
            if (id == "gate_scores" || id == "vocabulary_scores") expect(cell(r, 0) + cell(r, 1), r, 2);
            if (id == "balance_loss" || (id == "weighted_sum" && r.expert)) expect(cell(r, 0) * cell(r, 1), r, 2);
            if (id == "gate_softmax") {
                expect(std::exp(cell(r, 0)), r, 1);
                expect(cell(r, 1) / aside, r, 2);
            }
            if (id == "top_k" && r.cells[2].value && t.trace.experts_per_token() <= 16)
                expect(cell(r, 1) / chosen, r, 2);
            if (id == "vocabulary_scores_backward") expect((cell(r, 0) - cell(r, 1)) / N, r, 2);
            if (id == "balance_to_gate") expect(aside * E * cell(r, 0) / atGate(t.trace), r, 2);
            if (id == "gate_softmax_backward") {
                if (balanced)
                    expect(cell(r, 2) + cell(r, 3), r, 4);
                else
                    expect(cell(r, 0) * cell(r, 2), r, 3);
                if (!r.cells[0].value) continue;
                const double slope = cell(r, 1) - aside;
                expect(balanced ? cell(r, 0) * slope : slope, r, 2);
            }
        }
        if (id == "weighted_sum" && t.trace.experts_per_token() <= 16) expect(column, page.rows.back(), 2);
        if (id == "mean") {
            const QString by = plainText(page.formula).section(QStringLiteral(" / "), 1).section(u' ', 0, 0);
            expect(column / by.toDouble(), page.rows.back(), 0);
        }
    }

    static void check(const Traced& t, const OperationPage& page, const QString& where) {
        double size = 0;
        for (const OperationRow& row : page.rows) {
            QVERIFY2(row.expert || !row.label.isEmpty(), qPrintable(where));
            if (row.note.isEmpty()) QCOMPARE(row.cells.size(), page.columns.size());
            for (const OperationCell& c : row.cells) {
                if (c.value) size = std::max(size, std::abs(*c.value));
                if (c.ref && c.ref->name.find(':') == std::string::npos && t.trace.find(c.ref->name))
                    QVERIFY2(c.value && near(*c.value, numberOf(t.trace, *c.ref), 0), qPrintable(where));
                if (c.strip)
                    for (std::size_t i = 0; i < c.strip->values.size(); ++i)
                        QCOMPARE(
                            double(c.strip->values[i]),
                            numberOf(t.trace, {c.strip->first.name, c.strip->first.example, c.strip->first.index + i}));
                QVERIFY2(c.text.isEmpty() || c.text != QStringLiteral("–") || !c.value, qPrintable(where));
            }
        }
        for (const ValueStrip& s : page.strips) {
            QVERIFY2(!s.values.empty(), qPrintable(where));
            for (std::size_t i = 0; i < s.values.size(); ++i)
                QCOMPARE(double(s.values[i]), numberOf(t.trace, {s.first.name, s.first.example, s.first.index + i}));
        }
        QVERIFY2(
            near(page.result, page.recomputed, std::min(size, 10.0)),
            qPrintable(QStringLiteral("%1: %2, computed anew %3").arg(where).arg(page.result).arg(page.recomputed)));
        if (page.subject) QVERIFY2(near(page.result, numberOf(t.trace, *page.subject), 0), qPrintable(where));
    }
};

}  // namespace moe::app

QTEST_MAIN(moe::app::SteppingPagesTest)
#include "stepping_pages_test.moc"
