#include "app/models/operation_page.h"
#include "app/models/provenance_card.h"

#include "app/models/operation_numbers.h"
#include "app/models/run_settings.h"
#include "app/models/text_format.h"
#include "engine/core/numbers.h"

#include <QStringList>

namespace moe::app {

namespace {

using Form = Derivation::Form;
using Q = Quantity;
using P = ParameterId;

}  // namespace

QString ProvenanceCards::wordText(std::size_t id) const {
    if (id == 0) return tr("(padding)");
    return u'“' + shownText(word_of_(std::int32_t(id))).left(24) + u'”';
}

QString ProvenanceCards::phraseText(std::size_t example) const {
    QStringList words;
    for (std::size_t t = 0; t < provenance_.tokens(); ++t)
        if (const std::int32_t id = provenance_.wordId(example, t)) words << shownText(word_of_(id));
    const QString text = words.isEmpty() ? tr("(padding)") : words.join(u' ');
    return text.size() > 32 ? u'…' + text.right(31) : text;
}

QString ProvenanceCards::exampleText(std::size_t example) const {
    const auto& targets = provenance_.trace().targets;
    if (example >= targets.size()) return phraseText(example);
    return phraseText(example) + QStringLiteral(" → ") + shownText(word_of_(targets[example])).left(24);
}

NumberName ProvenanceCards::name(TraceNumber n) const {
    const NumberPlace p = provenance_.place(n);
    NumberName name;
    name.expert = p.expert;
    name.marked = provenance_.experts() <= max_coloured_experts;
    QStringList details;
    if (n.isParameter()) {
        QString array;
        switch (n.parameter) {
            case P::embedding:
                array = tr("embedding");
                break;
            case P::gate_kernel:
                array = tr("gate kernel");
                break;
            case P::gate_bias:
                array = tr("gate bias");
                break;
            case P::hidden_kernel:
                array = tr("hidden kernel");
                break;
            case P::hidden_bias:
                array = tr("hidden bias");
                break;
            case P::output_kernel:
                array = tr("output kernel");
                break;
            case P::output_bias:
                array = tr("output bias");
                break;
            case P::head_kernel:
                array = tr("head kernel");
                break;
            case P::head_bias:
                array = tr("head bias");
                break;
        }
        switch (n.what) {
            case Q::gradient:
                name.symbol = tr("∂L/∂ %1").arg(array);
                break;
            case Q::momentum:
                name.symbol = tr("m of %1").arg(array);
                break;
            case Q::velocity:
                name.symbol = tr("v of %1").arg(array);
                break;
            case Q::new_parameter:
                name.symbol = tr("new %1").arg(array);
                break;
            case Q::new_momentum:
                name.symbol = tr("new m of %1").arg(array);
                break;
            case Q::new_velocity:
                name.symbol = tr("new v of %1").arg(array);
                break;
            default:
                name.symbol = array;
                break;
        }
        const bool into_unit = n.parameter == P::hidden_kernel, into_dim = n.parameter == P::output_kernel;
        if (into_unit) details << tr("dim %1 → unit %2").arg(*p.dimension).arg(*p.unit);
        if (into_dim) details << tr("unit %1 → dim %2").arg(*p.unit).arg(*p.dimension);
        if (p.word && n.parameter != P::head_kernel) details << wordText(*p.word);
        if (!into_unit && !into_dim) {
            if (p.dimension) details << tr("dim %1").arg(*p.dimension);
            if (p.unit) details << tr("unit %1").arg(*p.unit);
        }
        if (n.parameter == P::head_kernel) details << wordText(*p.word);
        name.detail = details.join(u' ');
        return name;
    }
    const QString gate = symbolOf("gate_probs", !provenance_.chooses());
    const QString mean = symbolOf("mean", false, provenance_.routesTokens());
    const QString score = symbolOf("logits", false), probability = symbolOf("probs", false);
    const auto by = [](const QString& of) { return QStringLiteral("∂L/∂") + of; };
    switch (n.what) {
        case Q::embedding_rows:
            name.symbol = tr("row");
            break;
        case Q::mean:
            name.symbol = mean;
            break;
        case Q::gate_logits:
            name.symbol = QStringLiteral("z");
            break;
        case Q::gate_probs:
            name.symbol = gate;
            break;
        case Q::expert_weights:
            name.symbol = QStringLiteral("g");
            break;
        case Q::hidden_sums:
            name.symbol = QStringLiteral("a");
            break;
        case Q::hidden:
            name.symbol = QStringLiteral("h");
            break;
        case Q::answers:
            name.symbol = tr("answer");
            break;
        case Q::mixed:
            name.symbol = QStringLiteral("y");
            break;
        case Q::logits:
            name.symbol = score;
            break;
        case Q::probs:
            name.symbol = probability;
            break;
        case Q::loss:
            name.symbol = tr("loss");
            break;
        case Q::d_logits:
            name.symbol = by(score);
            break;
        case Q::d_mixed:
            name.symbol = by(QStringLiteral("y"));
            break;
        case Q::d_answers:
            name.symbol = by(tr("answer"));
            break;
        case Q::d_expert_weights:
            name.symbol = by(QStringLiteral("g"));
            break;
        case Q::d_gate_probs_balance:
            name.symbol = tr("%1, balance").arg(by(gate));
            break;
        case Q::d_gate_logits_task:
            name.symbol = tr("%1, task").arg(by(QStringLiteral("z")));
            break;
        case Q::d_gate_logits_balance:
            name.symbol = tr("%1, balance").arg(by(QStringLiteral("z")));
            break;
        case Q::d_gate_logits:
            name.symbol = by(QStringLiteral("z"));
            break;
        case Q::d_hidden:
            name.symbol = by(QStringLiteral("h"));
            break;
        case Q::d_hidden_sums:
            name.symbol = by(QStringLiteral("a"));
            break;
        case Q::d_mean_experts:
            name.symbol = tr("%1, experts").arg(by(QStringLiteral("x")));
            break;
        case Q::d_mean_gate:
            name.symbol = tr("%1, gate").arg(by(QStringLiteral("x")));
            break;
        case Q::d_mean:
            name.symbol = by(mean);
            break;
        case Q::d_rows_experts:
            name.symbol = tr("%1, experts").arg(by(tr("row")));
            break;
        case Q::d_rows_gate:
            name.symbol = tr("%1, gate").arg(by(tr("row")));
            break;
        case Q::d_embedding_rows:
            name.symbol = by(tr("row"));
            break;
        case Q::batch_loss:
            name.symbol = tr("loss of the batch");
            break;
        case Q::balance:
            name.symbol = tr("balance loss");
            break;
        case Q::target:
            name.symbol = tr("target");
            break;
        default:
            break;
    }
    if (p.word)
        details << wordText(*p.word);
    else if (p.token)
        details << wordText(std::size_t(provenance_.wordId(*p.example, *p.token)));
    if (p.dimension) details << tr("dim %1").arg(*p.dimension);
    if (p.unit) details << tr("unit %1").arg(*p.unit);
    if (n.what == Q::loss) details << exampleText(*p.example);
    name.detail = details.join(u' ');
    return name;
}

QString ProvenanceCards::formula(TraceNumber n, const Derivation& d) const {
    const bool tokens = provenance_.routesTokens();
    const QString at_gate = tokens ? tr("row") : QStringLiteral("x"),
                  at_head = tokens ? symbolOf("mean", false, true) : QStringLiteral("y");
    if (n.what == Q::gradient) {
        switch (n.parameter) {
            case P::embedding:
                return tr("Σ ∂L/∂row, wherever the word stands");
            case P::gate_kernel:
                return tokens ? tr("Σ row · ∂L/∂z, over the batch's tokens") : tr("Σ x · ∂L/∂z, over the batch");
            case P::gate_bias:
                return tokens ? tr("Σ ∂L/∂z, over the batch's tokens") : tr("Σ ∂L/∂z, over the batch");
            case P::hidden_kernel:
                return tokens ? tr("Σ row · ∂L/∂a, over the tokens that came")
                              : tr("Σ x · ∂L/∂a, over the examples that came");
            case P::hidden_bias:
                return tokens ? tr("Σ ∂L/∂a, over the tokens that came") : tr("Σ ∂L/∂a, over the examples that came");
            case P::output_kernel:
                return tokens ? tr("Σ h · ∂L/∂answer, over the tokens that came")
                              : tr("Σ h · ∂L/∂answer, over the examples that came");
            case P::output_bias:
                return tokens ? tr("Σ ∂L/∂answer, over the tokens that came")
                              : tr("Σ ∂L/∂answer, over the examples that came");
            case P::head_kernel:
                return tr("Σ %1 · ∂L/∂s, over the batch").arg(at_head);
            case P::head_bias:
                return tr("Σ ∂L/∂s, over the batch");
        }
    }
    switch (n.what) {
        case Q::embedding_rows:
            return tr("row of the embedding");
        case Q::mean:
            return tokens ? tr("Σ y ÷ %1").arg(d.divisor) : tr("Σ rows ÷ %1").arg(d.divisor);
        case Q::gate_logits:
            return tr("%1 · gate kernel + bias").arg(at_gate);
        case Q::gate_probs:
            return tr("e^z ÷ Σ e^z");
        case Q::expert_weights:
            return provenance_.chooses() ? tr("e^z ÷ Σ e^z, over the chosen") : tr("e^z ÷ Σ e^z");
        case Q::hidden_sums:
            return tr("%1 · hidden kernel + bias").arg(at_gate);
        case Q::hidden:
            switch (d.activation) {
                case Activation::relu:
                    return tr("max( 0, a )");
                case Activation::linear:
                    return QStringLiteral("a");
                case Activation::gelu:
                    return QStringLiteral("gelu( a ) = a · Φ( a )");
                case Activation::gelu_tanh:
                    return tr("gelu( a ), with tanh");
                case Activation::tanh:
                    return QStringLiteral("tanh( a )");
            }
            return {};
        case Q::answers:
            return tr("h · output kernel + bias");
        case Q::mixed:
            return tr("Σ g · answer");
        case Q::logits:
            return tr("%1 · head kernel + bias").arg(at_head);
        case Q::probs:
            return tr("e^s ÷ Σ e^s");
        case Q::loss:
            return d.form == Form::negative_log ? tr("−ln q") : tr("ln Σ e^s − s");
        case Q::d_logits:
            return tr("( q − target ) ÷ %1").arg(d.divisor);
        case Q::d_mixed:
            return tokens ? tr("∂L/∂%1 ÷ %2").arg(at_head).arg(d.divisor) : tr("head kernel · ∂L/∂s");
        case Q::d_answers:
            return tr("g · ∂L/∂y");
        case Q::d_expert_weights:
            return tr("∂L/∂y · answer");
        case Q::d_gate_probs_balance:
            return tr("weight · experts · share of choices ÷ %1").arg(provenance_.balancedRows());
        case Q::d_gate_logits_task:
            return tr("g · ( ∂L/∂g − Σ g · ∂L/∂g )");
        case Q::d_gate_logits_balance:
            return provenance_.chooses() ? tr("p · ( ∂L/∂p − Σ p · ∂L/∂p )") : tr("g · ( ∂L/∂g − Σ g · ∂L/∂g )");
        case Q::d_gate_logits:
            return d.form == Form::sum ? tr("through the answers + balance") : tr("g · ( ∂L/∂g − Σ g · ∂L/∂g )");
        case Q::d_hidden:
            return tr("output kernel · ∂L/∂answer");
        case Q::d_hidden_sums:
            switch (d.activation) {
                case Activation::relu:
                    return tr("∂L/∂h where a > 0, else 0");
                case Activation::linear:
                    return QStringLiteral("∂L/∂h");
                case Activation::tanh:
                    return QStringLiteral("∂L/∂h · tanh′( a )");
                default:
                    return QStringLiteral("∂L/∂h · gelu′( a )");
            }
        case Q::d_mean_experts:
        case Q::d_rows_experts:
            return tr("Σ hidden kernel · ∂L/∂a");
        case Q::d_mean_gate:
        case Q::d_rows_gate:
            return tr("Σ gate kernel · ∂L/∂z");
        case Q::d_mean:
            return tokens ? tr("head kernel · ∂L/∂s") : tr("through the experts + gate");
        case Q::d_embedding_rows:
            return tokens ? tr("through the experts + gate") : tr("∂L/∂x ÷ %1").arg(d.divisor);
        case Q::batch_loss:
            return tr("Σ loss ÷ %1").arg(d.divisor);
        case Q::balance:
            return provenance_.chooses() ? tr("Σ ∂L/∂p · p") : tr("Σ ∂L/∂g · g");
        case Q::new_momentum:
            return tr("m + ( ∂L/∂w − m ) · .1");
        case Q::new_velocity:
            return d.form == Form::velocity_of_places ? tr("v + ( Σ ∂L/∂row² − v ) · .001, over the word's places")
                                                      : tr("v + ( ∂L/∂w² − v ) · .001");
        case Q::new_parameter:
            return tr("w − rate · m ÷ ( √v + 1e−7 )");
        default:
            return {};
    }
}

QString ProvenanceCards::note(TraceNumber n, const Derivation& d) const {
    const Trace& trace = provenance_.trace();
    switch (d.why) {
        case Derivation::Why::not_chosen:
            return n.isParameter() ? tr("No example of the batch came to this expert: no gradient.")
                                   : tr("The gate did not choose this expert: no gradient from the task.");
        case Derivation::Why::padding:
            return n.what == Q::embedding_rows ? tr("Padding is masked: zeros stand in its place.")
                                               : tr("Padding is masked: no gradient.");
        case Derivation::Why::no_words:
            return n.isParameter() ? tr("The word is not in this batch: no gradient.")
                                   : tr("There is no word in this row: the mean is 0.");
        case Derivation::Why::balance_off:
            return tr("The balance loss is off.");
        case Derivation::Why::none:
            break;
    }
    if (n.what == Q::target)
        return tr("%1: the word that comes next in the text.").arg(wordText(*provenance_.place(n).word));
    if (n.what == Q::parameter && trace.step > 0)
        return tr("A weight, as %1 updates have left it.").arg(countText(trace.step));
    if (n.what == Q::parameter) return tr("A weight, as the run began.");
    if (n.what == Q::momentum) return tr("Adam's mean of the gradients before this batch.");
    if (n.what == Q::velocity) return tr("Adam's mean of their squares before this batch.");
    if (d.form == Form::relu_gradient)
        return provenance_.value(d.terms[0].b) > 0 ? tr("The unit is on: the gradient passes.")
                                                   : tr("The unit is off: no gradient passes.");
    if (d.form == Form::softmax_gradient && d.terms.size() == 1 && provenance_.chooses())
        return tr("With one chosen expert its weight is always 1: no gradient.");
    return {};
}

void ProvenanceCards::label(ProvenanceRow& row, TraceNumber of, const Derivation::Term& term) const {
    const NumberPlace p = provenance_.place(term.a);
    if (of.what == Q::gradient || of.what == Q::batch_loss) {
        row.label = exampleText(*p.example);
        if (provenance_.routesTokens() && p.token)
            row.label = wordText(std::size_t(provenance_.wordId(*p.example, *p.token))) + u' ' + row.label;
        return;
    }
    const bool of_parts = term.a.what == Q::d_gate_logits_task || term.a.what == Q::d_gate_logits_balance;
    const bool rows = of.what == Q::d_mean || of.what == Q::d_embedding_rows,
               two = term.a.what == Q::d_mean_experts || term.a.what == Q::d_mean_gate ||
                     term.a.what == Q::d_rows_experts || term.a.what == Q::d_rows_gate;
    if ((rows && two) || (of.what == Q::d_gate_logits && of_parts)) {
        const bool first = term.a.what == Q::d_mean_experts || term.a.what == Q::d_rows_experts ||
                           term.a.what == Q::d_gate_logits_task;
        row.label = rows ? (first ? tr("experts") : tr("gate")) : (first ? tr("task") : tr("balance"));
        return;
    }
    if (term.a.what == Q::parameter) {
        row.label = tr("bias");
        return;
    }
    switch (of.what) {
        case Q::mixed:
        case Q::gate_probs:
        case Q::expert_weights:
        case Q::d_gate_logits:
        case Q::d_gate_logits_task:
        case Q::d_gate_logits_balance:
        case Q::d_mean_gate:
        case Q::d_rows_gate:
            row.expert = p.expert;
            break;
        case Q::d_mean_experts:
        case Q::d_rows_experts:
            row.expert = p.expert;
            row.label = tr("unit %1").arg(*p.unit);
            break;
        case Q::balance:
            row.expert = p.expert;
            row.label =
                p.token ? wordText(std::size_t(provenance_.wordId(*p.example, *p.token))) : exampleText(*p.example);
            break;
        case Q::mean:
        case Q::probs:
        case Q::loss:
        case Q::d_mixed:
        case Q::d_mean:
            if (p.word || p.token)
                row.label = wordText(p.word ? *p.word : std::size_t(provenance_.wordId(*p.example, *p.token)));
            else if (p.dimension)
                row.label = tr("dim %1").arg(*p.dimension);
            break;
        default:
            if (p.unit)
                row.label = tr("unit %1").arg(*p.unit);
            else if (p.dimension)
                row.label = tr("dim %1").arg(*p.dimension);
            break;
    }
}

QString ProvenanceCards::keras(TraceNumber n) const {
    const auto layer = [](P id) {
        switch (id) {
            case P::embedding:
                return "embedding";
            case P::gate_kernel:
            case P::gate_bias:
                return "gate";
            case P::hidden_kernel:
            case P::hidden_bias:
                return "experts_hidden";
            case P::output_kernel:
            case P::output_bias:
                return "experts";
            default:
                return "next_word";
        }
    };
    if (n.isParameter()) {
        const bool bias = Provenance::name(n.parameter).ends_with("bias");
        const QString weight =
            QStringLiteral("model.get_layer(\"%1\").%2")
                .arg(QLatin1String(layer(n.parameter)), n.parameter == P::embedding ? QStringLiteral("embeddings")
                                                        : bias                      ? QStringLiteral("bias")
                                                                                    : QStringLiteral("kernel"));
        // Keras keeps step and learning rate first, then m and v of each weight in turn.
        const int first = 2 + 2 * int(n.parameter);
        switch (n.what) {
            case Q::gradient:
                return QStringLiteral("tape.gradient(loss, %1)").arg(weight);
            case Q::momentum:
            case Q::new_momentum:
                return QStringLiteral("m = model.optimizer.variables[%1]").arg(first);
            case Q::velocity:
            case Q::new_velocity:
                return QStringLiteral("v = model.optimizer.variables[%1]").arg(first + 1);
            case Q::new_parameter:
                return QStringLiteral("model.optimizer.apply([gradient], [%1])").arg(weight);
            default:
                return QStringLiteral("w = %1").arg(weight);
        }
    }
    const auto dense = [](const char* y, const char* x, const char* name) {
        return QStringLiteral("%1 = %2 @ model.get_layer(\"%3\").kernel + model.get_layer(\"%3\").bias")
            .arg(QLatin1String(y), QLatin1String(x), QLatin1String(name));
    };
    const auto bank = [](const char* y, const char* equation, const char* x, const char* name) {
        return QStringLiteral(
                   "%1 = keras.ops.einsum(\"%2\", %3, model.get_layer(\"%4\").kernel) + model.get_layer(\"%4\").bias")
            .arg(QLatin1String(y), QLatin1String(equation), QLatin1String(x), QLatin1String(name));
    };
    const auto gradient = [](const char* of) {
        return QStringLiteral("tape.gradient(loss, %1)").arg(QLatin1String(of));
    };
    const ModelSpec& spec = provenance_.trace().experiment.model;
    const bool tokens = provenance_.routesTokens();
    const char* const x = tokens ? "rows" : "x";
    const QString gate = symbolOf("gate_probs", !provenance_.chooses());
    switch (n.what) {
        case Q::embedding_rows:
            return QStringLiteral("rows = model.get_layer(\"embedding\")(ids)");
        case Q::mean:
            if (tokens)
                return spec.mask_zero
                           ? QStringLiteral("phrase = keras.layers.GlobalAveragePooling1D()(y, mask=ids != 0)")
                           : QStringLiteral("phrase = keras.ops.mean(y, axis=1)");
            return spec.mask_zero ? QStringLiteral("x = keras.layers.GlobalAveragePooling1D()(rows, mask=ids != 0)")
                                  : QStringLiteral("x = keras.ops.mean(rows, axis=1)");
        case Q::gate_logits:
            return dense("z", x, "gate");
        case Q::gate_probs:
            return QStringLiteral("%1 = keras.ops.softmax(z)").arg(gate);
        case Q::expert_weights:
            return provenance_.chooses()
                       ? QStringLiteral("g = keras.ops.softmax(keras.ops.top_k(z, k=%1)[0])").arg(spec.top_k)
                       : QStringLiteral("g = keras.ops.softmax(z)");
        case Q::hidden_sums:
            return bank("a", tokens ? "btd,edh->bteh" : "bd,edh->beh", x, "experts_hidden");
        case Q::hidden:
            switch (activation_named(spec.activation).id) {
                case Activation::linear:
                    return QStringLiteral("h = a");
                case Activation::gelu:
                    return QStringLiteral("h = keras.ops.gelu(a, approximate=False)");
                case Activation::gelu_tanh:
                    return QStringLiteral("h = keras.ops.gelu(a, approximate=True)");
                default:
                    return QStringLiteral("h = keras.ops.%1(a)").arg(QString::fromStdString(spec.activation));
            }
        case Q::answers:
            return bank("answers", tokens ? "bteh,ehd->bted" : "beh,ehd->bed", "h", "experts");
        case Q::mixed:
            return weightedSumInKeras(tokens, provenance_.chooses() ? std::optional(spec.top_k) : std::nullopt);
        case Q::logits:
            return dense("s", tokens ? "phrase" : "y", "next_word");
        case Q::probs:
            return QStringLiteral("q = keras.ops.softmax(s)");
        case Q::loss:
            return QStringLiteral("keras.losses.sparse_categorical_crossentropy(target, s, from_logits=True)");
        case Q::batch_loss:
            return QStringLiteral("keras.losses.SparseCategoricalCrossentropy(from_logits=True)(target, s)");
        case Q::d_logits:
            return gradient("s");
        case Q::d_mixed:
            return gradient("y");
        case Q::d_answers:
            return gradient("answers");
        case Q::d_expert_weights:
            return gradient("g");
        case Q::d_gate_logits_task:
        case Q::d_gate_logits:
            return gradient("z");
        case Q::d_hidden:
            return gradient("h");
        case Q::d_hidden_sums:
            return gradient("a");
        case Q::d_mean_experts:
        case Q::d_mean_gate:
            return gradient("x");
        case Q::d_mean:
            return gradient(tokens ? "phrase" : "x");
        case Q::d_rows_experts:
        case Q::d_rows_gate:
            return gradient("rows");
        case Q::d_embedding_rows:
            return gradient("rows");
        case Q::balance:
        case Q::d_gate_probs_balance:
        case Q::d_gate_logits_balance: {
            const QString made = provenance_.chooses()
                                     ? QStringLiteral("keras.ops.top_k(z, k=%1)[1]").arg(spec.top_k)
                                     : QStringLiteral("keras.ops.argmax(z, axis=%1)").arg(tokens ? 2 : 1);
            const QString loss =
                QStringLiteral(
                    "balance = %1 * %2 * keras.ops.sum(keras.ops.mean(keras.ops.one_hot("
                    "keras.ops.reshape(%3, (-1,)), %2), axis=0) * keras.ops.mean(%4, axis=%5))")
                    .arg(QString::fromStdString(to_text(spec.balance_loss)), QString::number(spec.num_experts), made,
                         gate, tokens ? QStringLiteral("(0, 1)") : QStringLiteral("0"));
            return n.what == Q::balance                ? loss
                   : n.what == Q::d_gate_probs_balance ? QStringLiteral("tape.gradient(balance, %1)").arg(gate)
                                                       : QStringLiteral("tape.gradient(balance, z)");
        }
        case Q::target:
            return QStringLiteral("target = ids_of_line[position]");
        default:
            return {};
    }
}

}  // namespace moe::app
