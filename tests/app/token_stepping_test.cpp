// Stepping and inspecting a model that routes each word.
#include "app/models/inspection.h"
#include "app/models/provenance_card.h"
#include "app/session/stepper.h"
#include "app/shell/stepping_control.h"
#include "app/shell/stepping_page.h"
#include "app/shell/workbench.h"
#include "app/views/operation_view.h"
#include "app/views/trace_stage.h"
#include "engine/train/tracer.h"
#include "engine/train/trainer.h"
#include "tests/support/small_corpus.h"
#include "window_fixture.h"

#include <cmath>
#include <set>

namespace moe::app {

namespace {

bool settle(Stepper& stepper) {
    return QTest::qWaitFor([&] { return stepper.trace() && !stepper.waiting(); }, 10000);
}

}  // namespace

class TokenSteppingTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    // Where each word is routed, a click on one follows it, from operation to operation, until another example comes.
    void aWordIsFollowed() {
        WindowFixture fixture;
        const auto window = fixture.window();
        window->resize(1280, 720);
        window->bench().applySettings({{"family", "token"}, {"router", "top_k"}});
        QTRY_COMPARE(window->session().snapshot().experiment.model.family, std::string("token"));
        window->session().runSteps(3);
        QTRY_VERIFY(window->session().live().step == 3 && window->session().resting());
        Stepper& stepper = window->stepping().stepper();
        stepper.enter();
        QVERIFY(settle(stepper));
        SteppingPage* page = window->stepping().page();
        auto* stage = page->findChild<TraceStage*>();
        std::size_t example = 0;
        while (examplePhrase(*stepper.trace(), example, *stepper.words()).words.size() < 3) ++example;
        stepper.setExample(example);
        const ExamplePhrase phrase = examplePhrase(*stepper.trace(), example, *stepper.words());
        const auto at = [&](const char* id) {
            for (std::size_t i = 0; i < stepper.trace()->ops.size(); ++i)
                if (stepper.trace()->ops[i].id == id) stepper.setOperation(i);
            QTest::qWait(5);
            stage->grab();
        };
        at("gate_scores");
        QCOMPARE(stage->scene().token(), phrase.positions.back());
        QVERIFY(page->operation()->page().shapes.contains(u'“' + phrase.words.back() + u'”'));
        const auto logits = stepper.trace()->find("gate_logits")->of(example);
        QCOMPARE(page->operation()->page().subject->index / 4, phrase.positions.back());
        QCOMPARE(float(page->operation()->page().result), logits[page->operation()->page().subject->index]);

        // One number has one Keras line, here and on its card.
        at("weighted_sum");
        const OperationPage sum = page->operation()->page();
        const ProvenanceCards cards(stepper.trace(), [](std::size_t) { return QString(); });
        QVERIFY(sum.keras.contains(QStringLiteral("btk,btkd->btd")));
        QCOMPARE(sum.keras, cards.card(*sum.subject).keras);

        // A dimension of the strip below the rows stands under itself.
        at("weighted_sum_to_experts");
        auto* table = page->findChild<OperationTable*>();
        table->grab();
        const OperationPage experts = page->operation()->page();
        NumberRef below = experts.strips.front().first, above;
        for (const OperationRow& row : experts.rows)
            for (const OperationCell& cell : row.cells)
                if (cell.strip) above = cell.strip->first;
        for (std::size_t dimension = 0; dimension < experts.strips.front().values.size(); ++dimension) {
            NumberRef lower = below, upper = above;
            lower.index += dimension, upper.index += dimension;
            QVERIFY(!table->placeOf(lower).isEmpty() && !table->placeOf(upper).isEmpty());
            QVERIFY(std::abs(table->placeOf(lower).left() - table->placeOf(upper).left()) < 1);
        }

        const TraceStageScene::Spot* first = nullptr;
        for (const TraceStageScene::Spot& s : stage->scene().spots())
            if (s.tip.startsWith(u'“' + phrase.words.front() + u'”') && s.ref) first = &s;
        QVERIFY(first);
        QTest::mouseClick(stage, Qt::LeftButton, {}, first->place.center().toPoint());
        for (const char* id : {"gate_scores", "expert_output", "weighted_sum", "gate_softmax_backward"}) {
            at(id);
            QCOMPARE(stage->scene().token(), phrase.positions.front());
            QVERIFY2(page->operation()->page().shapes.contains(u'“' + phrase.words.front() + u'”'), id);
        }
        stepper.setExample(example == 0 ? 1 : 0);
        QTest::qWait(5);
        QCOMPARE(stage->scene().token(), stepper.trace()->routed_places() - 1);
    }

    // What has experts is the last word's; scores and sums are there for every word.
    void theInspectorShowsTheLastWordsExperts() {
        Experiment x = test::tutorial_experiment();
        x.model.family = "token", x.model.router = "top_k", x.model.num_experts = 6;
        const auto corpus = test::tutorial_corpus();
        const auto backend = make_backend({"cpu", 1});
        Trainer trainer(*backend, x, corpus);
        const std::vector<std::int32_t> row = {0, 1, 2, 3};
        const Trace phrase = trace_row(*backend, std::make_shared<const RunState>(trainer.state()), row);
        const auto word_of = [&](std::int32_t id) { return QString::fromStdString(corpus->tokenizer().word(id)); };
        const std::size_t T = 4, K = 2, E = 6, D = x.model.embedding_dim;
        const std::set<std::size_t> last{std::size_t(phrase.expert_indices[(T - 1) * K]),
                                         std::size_t(phrase.expert_indices[(T - 1) * K + 1])};
        for (std::size_t e = 0; e < E; ++e)
            for (const InspectedArray& a : Inspection::arrays({InspectedPart::expert, e}, x.model, &phrase)) {
                if (a.weights) continue;
                QCOMPARE(a.missing.isEmpty(), last.contains(e));
                if (a.quantity != Quantity::answers || !a.missing.isEmpty()) continue;
                const std::size_t k = std::size_t(phrase.expert_indices[(T - 1) * K]) == e ? 0 : 1;
                QCOMPARE(Inspection::read(a, phrase.find("answers")->values)[3],
                         phrase.find("answers")->of(0, (T - 1) * K + k)[3]);
            }
        for (const InspectedArray& a : Inspection::arrays({InspectedPart::gate, 0}, x.model, &phrase)) {
            if (a.quantity == Quantity::gate_logits) QCOMPARE(a.rows, T);
            if (a.quantity != Quantity::expert_weights) continue;
            QCOMPARE(Inspection::read(a, phrase.find("expert_weights")->values),
                     std::vector<float>(phrase.find("expert_weights")->values.end() - K,
                                        phrase.find("expert_weights")->values.end()));
            QVERIFY(Inspection::meaning(a, 0, &phrase, word_of)
                        .contains(expertName(std::size_t(phrase.expert_indices[(T - 1) * K]))));
        }
        std::size_t seen = 0;
        for (const InspectedArray& a : Inspection::arrays({InspectedPart::sum, 0}, x.model, &phrase)) {
            const TraceValue* whole = phrase.find(Provenance::name(a.quantity));
            QVERIFY(whole);
            QCOMPARE(Inspection::read(a, whole->values).size(), a.count());
            if (a.quantity == Quantity::mean) QCOMPARE(a.count(), D);
            ++seen;
        }
        QCOMPARE(seen, std::size_t(4));
    }
};

}  // namespace moe::app

QTEST_MAIN(moe::app::TokenSteppingTest)
#include "token_stepping_test.moc"
