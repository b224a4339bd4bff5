// What the stage says in words: hit testing, explanations on hover, the table behind the picture.
#include "app/models/text_format.h"
#include "app/views/stage_view_scene.h"
#include "engine/core/family.h"
#include "engine/core/numbers.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>

namespace moe::app {

namespace {

constexpr std::size_t npos = std::size_t(-1);
constexpr std::size_t listed_values = 8, listed_weights = 16;

QString fixed(double value, int digits) {
    if (!std::isfinite(value)) return QStringLiteral("–");
    return QString::fromStdString(to_fixed(value, digits));
}

// "−.044"
QString signedText(double value) {
    QString digits = fixed(std::abs(value), 3);
    if (digits.startsWith(QLatin1String("0."))) digits = digits.mid(1);
    return value < 0 && digits != QLatin1String(".000") ? QChar(0x2212) + digits : digits;
}

// ".012, −.044, ... " with how many there are.
QString values(std::span<const float> numbers) {
    QStringList shown;
    for (std::size_t i = 0; i < std::min(numbers.size(), listed_values); ++i) shown << signedText(numbers[i]);
    QString line = shown.join(QStringLiteral("  "));
    if (numbers.size() > listed_values) line += QStringLiteral("  …");
    return line;
}

double lengthOf(std::span<const float> numbers) {
    return std::sqrt(std::inner_product(numbers.begin(), numbers.end(), numbers.begin(), 0.0));
}

}  // namespace

StageHit StageScene::hit(QPointF point) const {
    const auto& captions = layout_.captions();
    for (std::size_t i = 0; i < captions.size(); ++i)
        if (captions[i].contains(point)) return {StagePart::caption, i, captions[i]};
    for (std::size_t row = 0; row < rows_.size(); ++row) {
        const FlowRow& place = rows_[row];
        if (!layout_.inSight(place) || std::abs(point.y() - place.y) > place.height / 2) continue;
        const auto band = [&](const FlowColumn& column, double right) {
            return QRectF(column.left, place.y - place.height / 2, right - column.left, place.height);
        };
        const bool known = prefix_of_row_[row] != npos;
        const QRectF word = band(layout_.phrase, known ? layout_.phrase.right : layout_.gate.left);
        if (word.contains(point)) return {known ? StagePart::word : StagePart::unknown_word, row, word};
        if (!known) break;
        if (const QRectF strip = band(layout_.strip, layout_.strip.right); strip.contains(point))
            return {StagePart::embedding, row, strip};
        if (const QRectF gate = band(layout_.gate, layout_.numbers.right); gate.contains(point))
            return {StagePart::gate, row, gate};
        break;
    }
    for (std::size_t e = 0; e < numExperts(); ++e)
        if (layout_.expertSlot(e).contains(point)) return {StagePart::expert, e, layout_.expertSlot(e)};
    if (prefixes() == 0) return {};
    const QPointF offset = point - layout_.sumCentre();
    if (std::hypot(offset.x(), offset.y()) <= layout_.sumRadius() + px(2)) {
        const QPointF r(layout_.sumRadius(), layout_.sumRadius());
        return {StagePart::sum, 0, QRectF(layout_.sumCentre() - r, layout_.sumCentre() + r)};
    }
    const std::size_t n = std::min(layout_.listedWords(), snapshot_->probe.focused.top.size());
    for (std::size_t i = 0; i < n; ++i)
        if (layout_.wordBar(i).contains(point)) return {StagePart::next_word, i, layout_.wordBar(i)};
    if (n && layout_.wordSummary().contains(point)) return {StagePart::next_word, 0, layout_.wordSummary()};
    return {};
}

// "hello world how": the known words up to here, the end of it where it is long.
QString StageScene::prefixText(std::size_t prefix) const {
    const ProbeForward& probe = snapshot_->probe;
    QStringList words;
    constexpr std::size_t most = 12;
    const std::size_t from = prefix + 1 > most ? prefix + 1 - most : 0;
    for (std::size_t i = from; i <= prefix && i < probe.prefix_words.size(); ++i)
        words << shownText(probe.words[probe.prefix_words[i]].text);
    return (from ? QStringLiteral("… ") : QString()) + words.join(QLatin1Char(' '));
}

QString StageScene::explainGate(std::size_t prefix) const {
    const ProbeForward& probe = snapshot_->probe;
    const std::size_t e = numExperts();
    const std::span weights(probe.gate_weights.data() + prefix * e, e);
    const auto chances = std::span(probe.gate_probs)
                             .subspan(probe.gate_probs.empty() ? 0 : prefix * e, probe.gate_probs.empty() ? 0 : e);
    std::vector<std::size_t> order(e);
    std::iota(order.begin(), order.end(), 0);
    if (e > listed_weights)
        std::stable_sort(order.begin(), order.end(),
                         [&](std::size_t a, std::size_t b) { return weights[a] > weights[b]; });
    const auto chosen = std::size_t(std::count_if(weights.begin(), weights.end(), [](float w) { return w > 0; }));

    QStringList lines{tr("Gate · “%1”").arg(routedText(prefix))};
    lines << (chosen < e ? tr("gate weights (%1), %2 chosen, together 1:").arg(e).arg(chosen)
                         : tr("gate weights (%1), together 1:").arg(e));
    QString line;
    double rest = 1;
    const std::size_t shown = std::min(e, listed_weights);
    for (std::size_t i = 0; i < shown; ++i) {
        const std::size_t expert = order[i];
        line += expertName(expert) + QLatin1Char(' ');
        if (weights[expert] > 0)
            line += gateText(weights[expert]);
        else if (!chances.empty())
            line += tr("not chosen (softmax %1)").arg(gateText(chances[expert]));
        else
            line += tr("not chosen");
        rest -= weights[expert];
        if (i + 1 < shown) line += (i % 4 == 3 || chosen < e) ? QStringLiteral("\n") : QStringLiteral("   ");
    }
    lines << line;
    if (shown < e) lines << tr("and %1 others, together %2").arg(e - shown).arg(gateText(std::max(0.0, rest)));
    return lines.join(QLatin1Char('\n'));
}

// What stands at the gate: the prefix, or its last word alone.
QString StageScene::routedText(std::size_t prefix) const {
    const ProbeForward& probe = snapshot_->probe;
    return routes_tokens(snapshot_->experiment.model) ? shownText(probe.words[probe.prefix_words[prefix]].text)
                                                      : prefixText(prefix);
}

QString StageScene::explainExpert(std::size_t expert) const {
    const std::array<QString, 8> shapes = {tr("circle"),   tr("triangle"), tr("square"), tr("diamond"),
                                           tr("pentagon"), tr("hexagon"),  tr("star"),   tr("cross")};
    const ProbeForward& probe = snapshot_->probe;
    const std::size_t e = numExperts(), d = snapshot_->experiment.model.embedding_dim;
    QStringList lines{tr("Expert %1 · %2").arg(expertName(expert), shapes[expert % shapes.size()])};
    lines << (snapshot_->load.empty() ? tr("load: none yet, nothing has been trained")
                                      : tr("load %1: its share of gate weight, last epoch (even: %2)")
                                            .arg(percentText(snapshot_->load[expert]),
                                                 fixed(100.0 / double(e), e > 99 ? 2 : 0) + QStringLiteral(" %")));
    if (prefixes()) {
        const double weight = probe.gate_weights[focus_ * e + expert];
        if (weight > 0) {
            lines << tr("gate weight %1 for “%2”").arg(gateText(weight), routedText(focus_));
            const std::vector<float>& outputs = probe.focused.outputs;
            if (probe.focus == focus_ && outputs.size() == e * d && d > 0) {
                const std::span answer(outputs.data() + expert * d, d);
                lines << tr("answer (%1), length %2:").arg(d).arg(fixed(lengthOf(answer), 2)) << values(answer);
            }
        } else {
            lines << tr("not chosen for “%1”: the gate keeps the top %2, this weight is not among them")
                         .arg(routedText(focus_))
                         .arg(snapshot_->experiment.model.top_k);
        }
    }
    if (e > 8 && !coloured(expert)) lines << tr("shaded by load, darkest is the busiest");
    lines << (focused_expert_ == expert ? tr("Click: let go of it") : tr("Click: pick it out"));
    return lines.join(QLatin1Char('\n'));
}

QString StageScene::explain(const StageHit& hit) const {
    // Long sentences and phrases in lines of a readable length.
    QStringList lines;
    const QFontMetricsF metrics(font(12));
    for (const QString& line : explanation(hit).split(QLatin1Char('\n'), Qt::SkipEmptyParts)) {
        if (metrics.horizontalAdvance(line) <= px(380))
            lines << line;
        else
            for (const QString& part : wrapped(metrics, line, px(380))) lines << part;
    }
    return lines.join(QLatin1Char('\n'));
}

QString StageScene::explanation(const StageHit& hit) const {
    const ProbeForward& probe = snapshot_->probe;
    QStringList lines;
    const bool tokens = routes_tokens(snapshot_->experiment.model);
    switch (hit.part) {
        case StagePart::nothing:
            return {};
        case StagePart::caption:
            switch (hit.index) {
                case 0:
                    return tr("Phrase: the words of the probe text. Each row is the prefix that ends in its word.");
                case 1:
                    if (tokens)
                        return tr(
                            "Embedding: every word has a row of numbers that training adjusts. Each word meets the "
                            "gate "
                            "by itself.\nBrown is negative, teal positive.");
                    return tr(
                        "Embedding, mean: every word has a row of numbers that training adjusts; their mean stands for "
                        "the prefix.\nBrown is negative, teal positive.");
                case 2:
                    return tokens
                               ? tr("Gate: how much the answer of each expert to this word counts. The weights of a "
                                    "word add up to 1.")
                               : tr("Gate: how much the answer of each expert counts. The weights of a prefix add up "
                                    "to 1.");
                case 3:
                    return tr("Experts: small networks. Each fills and grows with its load, its share of gate weight.");
                case 4:
                    return tokens
                               ? tr("Mean: for each word the answers of the experts, each times its gate weight, are "
                                    "added up; this is the mean over the words of the focused prefix.")
                               : tr("Sum: the answers of the experts, each times its gate weight, added up.");
                default:
                    return tr("Next word: the most probable words after the focused prefix.");
            }
        case StagePart::word: {
            const ProbeWord& word = probe.words[hit.index];
            const std::size_t prefix = prefix_of_row_[hit.index];
            lines << tr("“%1” · id %2, word %3 of %4")
                         .arg(shownText(word.text))
                         .arg(word.id)
                         .arg(hit.index + 1)
                         .arg(probe.words.size());
            lines << tr("prefix (%1): %2").arg(prefix + 1).arg(prefixText(prefix));
            lines << (prefix == focus_ ? tr("In focus: sum and next word are of this prefix")
                                       : tr("Click: focus on this prefix"));
            break;
        }
        case StagePart::unknown_word:
            lines << tr("“%1” is not in the vocabulary").arg(shownText(probe.words[hit.index].text));
            lines << tr("The model does not see it: the tokenizer leaves unknown words out.");
            break;
        case StagePart::embedding: {
            const std::size_t prefix = prefix_of_row_[hit.index], d = probe.pooled.size() / prefixes();
            const ModelSpec& model = snapshot_->experiment.model;
            const std::size_t used = std::min(prefix + 1, std::max<std::size_t>(1, model.max_seq_len));
            const std::span vector(probe.pooled.data() + prefix * d, d);
            if (tokens)
                lines << tr("Embedding · “%1”").arg(routedText(prefix)) << tr("(%1) its own row").arg(d);
            else
                lines << tr("Embedding, mean · “%1”").arg(prefixText(prefix));
            if (!tokens)
                lines << (model.mask_zero || model.max_seq_len <= used
                              ? tr("(%1) mean of %2 rows").arg(d).arg(used)
                              : tr("(%1) mean of %2 rows: %3 words, the others padding")
                                    .arg(d)
                                    .arg(model.max_seq_len)
                                    .arg(used));
            lines << values(vector);
            const double stripes = layout_.strip.width() * ratio_;
            if (double(d) > stripes)
                lines << tr("A stripe shows the strongest of %1 numbers").arg(std::ceil(double(d) / stripes));
            break;
        }
        case StagePart::gate: {
            QString line = explainGate(prefix_of_row_[hit.index]);
            if (numExperts() > 8 && prefix_of_row_[hit.index] != focus_)
                line += QLatin1Char('\n') +
                        (numExperts() > StageScene::focused_ribbons
                             ? tr("Ribbons: the two strongest; the %1 strongest when this prefix is in focus")
                                   .arg(StageScene::focused_ribbons)
                             : tr("Ribbons: the two strongest; all of them when this prefix is in focus"));
            return line;
        }
        case StagePart::expert:
            return explainExpert(hit.index);
        case StagePart::sum:
            lines << (tokens ? tr("Mean over the words of Σ gate weight × answer")
                             : tr("Sum · Σ gate weight × answer"));
            lines
                << tr("(%1), length %2:").arg(probe.focused.mixed.size()).arg(fixed(lengthOf(probe.focused.mixed), 2));
            lines << values(probe.focused.mixed);
            break;
        case StagePart::next_word: {
            const WordProbability& word = probe.focused.top[hit.index];
            lines << tr("“%1” · id %2").arg(shownText(word.word)).arg(word.id);
            lines << tr("probability %1 % after “%2”")
                         .arg(fixed(100.0 * double(word.probability), 1), prefixText(focus_));
            lines << tr("rank %1 of %2 words").arg(hit.index + 1).arg(snapshot_->experiment.model.vocabulary);
            break;
        }
    }
    return lines.join(QLatin1Char('\n'));
}

QString StageScene::summary() const {
    if (prefixes() == 0) return tr("No known word in the probe text.");
    const ProbeForward& probe = snapshot_->probe;
    QString line = explainGate(focus_);
    if (!probe.focused.top.empty())
        line += QLatin1Char('\n') +
                tr("Next word: %1, %2")
                    .arg(shownText(probe.focused.top[0].word), percentText(probe.focused.top[0].probability));
    return line;
}

Table StageScene::table() const {
    Table table;
    const ProbeForward& probe = snapshot_->probe;
    const std::size_t e = numExperts();
    table.title = tr("Routing of the probe text");
    table.notes = {tr("probe: %1").arg(QString::fromStdString(probe.text)), tr("step: %1").arg(snapshot_->step)};
    table.columns = {tr("word"), tr("id"), tr("prefix")};
    for (std::size_t i = 0; i < e; ++i) table.columns.push_back(tr("gate weight %1").arg(expertName(i)));
    table.columns.push_back(tr("next word"));
    table.columns.push_back(tr("probability"));
    for (std::size_t row = 0; row < probe.words.size(); ++row) {
        const std::size_t p = row < prefix_of_row_.size() ? prefix_of_row_[row] : npos;
        std::vector<QString> cells{shownText(probe.words[row].text)};
        cells.push_back(p == npos ? tr("unknown") : QString::number(probe.words[row].id));
        QStringList prefix;
        for (std::size_t i = 0; p != npos && i <= p; ++i) prefix << shownText(probe.words[probe.prefix_words[i]].text);
        cells.push_back(prefix.join(QLatin1Char(' ')));
        for (std::size_t i = 0; i < e; ++i)
            cells.push_back(p == npos ? QString() : QString::fromStdString(to_text(probe.gate_weights[p * e + i])));
        // Predictions are made for the focused prefix alone.
        const bool predicted = p != npos && p == probe.focus && !probe.focused.top.empty();
        cells.push_back(predicted ? shownText(probe.focused.top[0].word) : QString());
        cells.push_back(predicted ? QString::fromStdString(to_text(probe.focused.top[0].probability)) : QString());
        table.rows.push_back(std::move(cells));
    }
    return table;
}

}  // namespace moe::app
