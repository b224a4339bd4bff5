#include "app/models/operation_catalogue.h"

#include "app/models/number_text.h"
#include "app/models/operation_reader.h"
#include "app/models/text_format.h"
#include "app/models/theme.h"
#include "engine/core/family.h"

#include <algorithm>
#include <array>

namespace moe::app {

QString ExamplePhrase::text() const {
    QStringList list;
    for (const QString& w : words) list << w;
    return list.join(u' ');
}

QString ExamplePhrase::arrowed() const {
    return target.isEmpty() ? text() : text() + QStringLiteral(" → ") + target;
}

ExamplePhrase examplePhrase(const Trace& trace, std::size_t example, const std::vector<QString>& words) {
    ExamplePhrase phrase;
    const std::size_t T = trace.examples ? trace.ids.size() / trace.examples : 0;
    const auto name = [&](std::int32_t id) {
        return id >= 0 && std::size_t(id) < words.size() ? words[std::size_t(id)] : QString::number(id);
    };
    for (std::size_t t = 0; t < T; ++t) {
        const std::int32_t id = trace.ids[example * T + t];
        if (id == 0) {
            ++phrase.padding;
            continue;
        }
        phrase.positions.push_back(t);
        phrase.words.push_back(name(id));
    }
    if (!trace.targets.empty()) phrase.target = name(trace.targets[example]);
    return phrase;
}

QString phaseName(TracePhase phase) {
    switch (phase) {
        case TracePhase::forward:
            return PageBuilder::tr("Forward");
        case TracePhase::backward:
            return PageBuilder::tr("Backward");
        default:
            return PageBuilder::tr("Update");
    }
}

QString operationName(const TraceOp& op, const ModelSpec& model) {
    static const std::array names = {
        std::pair{"embedding_rows", QT_TRANSLATE_NOOP("moe::app::PageBuilder", "Embedding rows")},
        std::pair{"mean", QT_TRANSLATE_NOOP("moe::app::PageBuilder", "Mean over the phrase")},
        std::pair{"gate_scores", QT_TRANSLATE_NOOP("moe::app::PageBuilder", "Gate scores")},
        std::pair{"gate_softmax", QT_TRANSLATE_NOOP("moe::app::PageBuilder", "Gate softmax")},
        std::pair{"top_k", QT_TRANSLATE_NOOP("moe::app::PageBuilder", "Top-k choice")},
        std::pair{"expert_hidden", QT_TRANSLATE_NOOP("moe::app::PageBuilder", "Experts: hidden, %1")},
        std::pair{"expert_output", QT_TRANSLATE_NOOP("moe::app::PageBuilder", "Experts: outputs")},
        std::pair{"weighted_sum", QT_TRANSLATE_NOOP("moe::app::PageBuilder", "Weighted sum")},
        std::pair{"vocabulary_scores", QT_TRANSLATE_NOOP("moe::app::PageBuilder", "Vocabulary scores")},
        std::pair{"softmax_loss", QT_TRANSLATE_NOOP("moe::app::PageBuilder", "Softmax and loss")},
        std::pair{"balance_loss", QT_TRANSLATE_NOOP("moe::app::PageBuilder", "Balance loss")},
        std::pair{"vocabulary_scores_backward", QT_TRANSLATE_NOOP("moe::app::PageBuilder", "Vocabulary scores")},
        std::pair{"weighted_sum_to_experts", QT_TRANSLATE_NOOP("moe::app::PageBuilder", "Weighted sum → experts")},
        std::pair{"weighted_sum_to_gate", QT_TRANSLATE_NOOP("moe::app::PageBuilder", "Weighted sum → gate")},
        std::pair{"balance_to_gate", QT_TRANSLATE_NOOP("moe::app::PageBuilder", "Balance loss → gate")},
        std::pair{"gate_softmax_backward", QT_TRANSLATE_NOOP("moe::app::PageBuilder", "Gate softmax")},
        std::pair{"gate_scores_backward", QT_TRANSLATE_NOOP("moe::app::PageBuilder", "Gate scores")},
        std::pair{"expert_output_backward", QT_TRANSLATE_NOOP("moe::app::PageBuilder", "Experts: outputs")},
        std::pair{"expert_hidden_backward", QT_TRANSLATE_NOOP("moe::app::PageBuilder", "Experts: hidden, %1")},
        std::pair{"mean_backward", QT_TRANSLATE_NOOP("moe::app::PageBuilder", "Mean over the phrase")},
        std::pair{"embedding_backward", QT_TRANSLATE_NOOP("moe::app::PageBuilder", "Mean, embedding rows")},
        std::pair{"adam", QT_TRANSLATE_NOOP("moe::app::PageBuilder", "Adam: every parameter")},
    };
    if (op.id == "embedding_backward" && routes_tokens(model)) return PageBuilder::tr("Embedding rows");
    for (const auto& [id, name] : names)
        if (op.id == id) return PageBuilder::tr(name).replace(QStringLiteral("%1"), activationName(model));
    return QString::fromStdString(op.id);
}

PageBuilder::PageBuilder(const Trace& trace, std::size_t op, std::size_t example, const std::vector<QString>& words,
                         const std::optional<NumberRef>& picked, std::optional<std::size_t> token)
    : t_(trace),
      op_(trace.ops[op]),
      example_(example),
      words_(words),
      picked_(picked),
      phrase_(examplePhrase(trace, example, words)) {
    const ModelSpec& m = trace.experiment.model;
    N_ = trace.examples, E_ = m.num_experts, K_ = trace.experts_per_token(), D_ = m.embedding_dim, H_ = m.hidden_dim;
    V_ = m.vocabulary, T_ = N_ ? trace.ids.size() / N_ : 0;
    activation_ = activation_named(m.activation).id;
    soft_ = m.router == "soft", masked_ = m.mask_zero, balanced_ = m.balance_loss > 0;
    averaged_ = std::max<std::size_t>(1, masked_ ? phrase_.positions.size() : T_);
    tokens_ = routes_tokens(m);
    at_gate_ = tokens_ ? "embedding_rows" : "mean";
    at_head_ = tokens_ ? "mean" : "mixed";
    from_gate_ = tokens_ ? "d_rows_gate" : "d_mean_gate";
    from_experts_ = tokens_ ? "d_rows_experts" : "d_mean_experts";
    from_head_ = tokens_ ? "d_mean" : "d_mixed";
    head_letter_ = symbolOf(at_head_, soft_, tokens_);
    token_ = followedToken(trace, example, picked, token);
}

std::size_t followedToken(const Trace& trace, std::size_t example, const std::optional<NumberRef>& picked,
                          std::optional<std::size_t> before) {
    const std::size_t T = trace.routed_places();
    if (T > 1 && picked && picked->example == example && valueOfTokens(picked->name))
        if (const TraceValue* v = trace.find(picked->name); v && picked->index < v->of(example).size())
            return picked->index / (v->of(example).size() / T);
    return std::min(before.value_or(T - 1), T - 1);
}

bool valueOfTokens(std::string_view name) {
    constexpr std::array<std::string_view, 6> of_phrases = {"mean", "logits", "probs", "loss", "d_logits", "d_mean"};
    return std::ranges::find(of_phrases, name) == of_phrases.end();
}

bool PageBuilder::hasTokens(std::string_view name) const {
    return tokens_ && !whole_ && valueOfTokens(name);
}

std::size_t PageBuilder::before(const char* name) const {
    const TraceValue* v = t_.find(name);
    return v && hasTokens(name) ? token_ * (v->of(example_).size() / T_) : 0;
}

QString PageBuilder::tokenText() const {
    const auto id = std::size_t(t_.ids[example_ * T_ + token_]);
    return id == 0 ? tr("padding") : u'“' + shownText(elidedWord(word(id))) + u'”';
}

QString PageBuilder::balancedText() const {
    return tokens_ ? tr("%1 tokens").arg(std::size_t(balance_rows_)) : tr("%1 examples").arg(N_);
}

OperationPage PageBuilder::build() {
    static const std::array fills = {
        std::pair{"embedding_rows", &PageBuilder::embeddingRows},
        std::pair{"mean", &PageBuilder::mean},
        std::pair{"gate_scores", &PageBuilder::gateScores},
        std::pair{"gate_softmax", &PageBuilder::gateSoftmax},
        std::pair{"top_k", &PageBuilder::topK},
        std::pair{"expert_hidden", &PageBuilder::expertHidden},
        std::pair{"expert_output", &PageBuilder::expertOutput},
        std::pair{"weighted_sum", &PageBuilder::weightedSum},
        std::pair{"vocabulary_scores", &PageBuilder::vocabularyScores},
        std::pair{"softmax_loss", &PageBuilder::softmaxLoss},
        std::pair{"balance_loss", &PageBuilder::balanceLoss},
        std::pair{"vocabulary_scores_backward", &PageBuilder::vocabularyScoresBackward},
        std::pair{"weighted_sum_to_experts", &PageBuilder::weightedSumToExperts},
        std::pair{"weighted_sum_to_gate", &PageBuilder::weightedSumToGate},
        std::pair{"balance_to_gate", &PageBuilder::balanceToGate},
        std::pair{"gate_softmax_backward", &PageBuilder::gateSoftmaxBackward},
        std::pair{"gate_scores_backward", &PageBuilder::gateScoresBackward},
        std::pair{"expert_output_backward", &PageBuilder::expertOutputBackward},
        std::pair{"expert_hidden_backward", &PageBuilder::expertHiddenBackward},
        std::pair{"embedding_backward", &PageBuilder::embeddingBackward},
        std::pair{"mean_backward", &PageBuilder::meanBackward},
        std::pair{"adam", &PageBuilder::adam},
    };
    const QString name = operationName(op_, t_.experiment.model);
    page_.title = op_.phase == TracePhase::backward ? tr("%1, backward").arg(name) : name;
    for (const auto& [id, fill] : fills)
        if (op_.id == id) (this->*fill)();
    return std::move(page_);
}

PageBuilder::Values PageBuilder::value(const char* name) const {
    const TraceValue* v = t_.find(name);
    if (!v) return {};
    const Values all = v->of(example_);
    return hasTokens(name) ? all.subspan(before(name), all.size() / T_) : all;
}

PageBuilder::Values PageBuilder::value(const char* name, std::size_t visit) const {
    const TraceValue* v = t_.find(name);
    return v && visit < K_ ? v->of(example_, (tokens_ ? token_ * K_ : 0) + visit) : Values();
}

PageBuilder::Values PageBuilder::parameter(const char* name) const {
    const NamedArray* a = t_.parameter(name);
    return a ? Values(a->values) : Values();
}

PageBuilder::Values PageBuilder::gradient(const char* name) const {
    const NamedArray* a = t_.gradient(name);
    return a ? Values(a->values) : Values();
}

double PageBuilder::at(Values values, std::size_t index) {
    return index < values.size() ? double(values[index]) : std::nan("");
}

double PageBuilder::dot(Values a, Values b, std::size_t b_first, std::size_t b_step) {
    double sum = 0;
    for (std::size_t i = 0; i < a.size(); ++i) sum += double(a[i]) * at(b, b_first + i * b_step);
    return sum;
}

std::size_t PageBuilder::largest(Values values) {
    std::size_t best = 0;
    for (std::size_t i = 1; i < values.size(); ++i)
        if (std::abs(values[i]) > std::abs(values[best])) best = i;
    return best;
}

std::size_t PageBuilder::largestExpert(Values values) const {
    if (soft_) return largest(values);
    std::size_t best = expertOf(0);
    for (std::size_t k = 1; k < K_; ++k)
        if (std::abs(at(values, expertOf(k))) > std::abs(at(values, best))) best = expertOf(k);
    return best;
}

std::size_t PageBuilder::expertOf(std::size_t visit) const {
    return std::size_t(t_.expert_indices[(tokens_ ? example_ * T_ + token_ : example_) * K_ + visit]);
}

std::size_t PageBuilder::visitOf(std::size_t expert) const {
    for (std::size_t k = 0; k < K_; ++k)
        if (expertOf(k) == expert) return k;
    return K_;
}

std::vector<PageBuilder::Visitor> PageBuilder::visitors() const {
    constexpr std::size_t most = 16;
    std::vector<Visitor> found;
    if (E_ <= most) {
        for (std::size_t e = 0; e < E_; ++e) {
            const std::size_t k = visitOf(e);
            found.push_back({e, k < K_ ? std::optional(k) : std::nullopt});
        }
        return found;
    }
    for (std::size_t k = 0; k < K_; ++k) found.push_back({expertOf(k), k});
    const Values weights = value("expert_weights");
    std::stable_sort(found.begin(), found.end(),
                     [&](const Visitor& a, const Visitor& b) { return at(weights, *a.visit) > at(weights, *b.visit); });
    if (found.size() > most) found.resize(most);
    const std::size_t wanted = pickedExpert(E_);
    if (wanted < E_ && std::ranges::find(found, wanted, &Visitor::expert) == found.end()) {
        const std::size_t k = visitOf(wanted);
        found.push_back({wanted, k < K_ ? std::optional(k) : std::nullopt});
    }
    return found;
}

std::vector<std::size_t> PageBuilder::listedWords() const {
    constexpr std::size_t most = 5;
    const Values scores = value("logits");
    std::vector<std::size_t> order(scores.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
    const std::size_t n = std::min(most, order.size());
    std::partial_sort(order.begin(), order.begin() + std::ptrdiff_t(n), order.end(), [&](std::size_t a, std::size_t b) {
        return scores[a] != scores[b] ? scores[a] > scores[b] : a < b;
    });
    order.resize(n);
    const auto add = [&](std::size_t id) {
        if (id < scores.size() && std::ranges::find(order, id) == order.end()) order.push_back(id);
    };
    if (!t_.targets.empty()) add(std::size_t(t_.targets[example_]));
    for (const char* name : {"logits", "probs", "d_logits"})
        if (picked_ && picked_->name == name && picked_->example == example_) add(picked_->index);
    return order;
}

void PageBuilder::countBalance() {
    shares_.assign(E_, 0.0);
    probabilities_.assign(E_, 0.0);
    const std::size_t rows = N_ * t_.routed_places(), choices = rows ? t_.assignments.size() / rows : 0;
    balance_rows_ = 0;
    for (std::size_t row = 0; row < rows; ++row) balance_rows_ += !outOfBalance(row);
    const double counted = std::max(1.0, balance_rows_);
    for (std::size_t i = 0; i < t_.assignments.size(); ++i)
        if (!outOfBalance(i / choices)) shares_[std::size_t(t_.assignments[i])] += 1 / (counted * double(choices));
    const TraceValue* probs = t_.find("gate_probs");
    for (std::size_t i = 0; probs && i < probs->values.size(); ++i)
        if (!outOfBalance(i / E_)) probabilities_[i % E_] += double(probs->values[i]) / counted;
}

std::size_t PageBuilder::pickedIn(const char* name, std::optional<std::size_t> otherwise) const {
    const Values values = value(name);
    if (picked_ && picked_->name == name && picked_->example == example_ && picked_->index >= before(name) &&
        picked_->index - before(name) < values.size())
        return picked_->index - before(name);
    return otherwise ? *otherwise : largest(values);
}

std::size_t PageBuilder::pickedExpert(std::size_t otherwise) const {
    if (!picked_ || picked_->example != example_) return otherwise;
    const TraceValue* v = t_.find(picked_->name);
    if (!v || v->shape.size() < 2) return otherwise;
    for (const char* by_expert : {"gate_logits", "gate_probs", "d_gate_probs_balance", "d_gate_logits_task",
                                  "d_gate_logits_balance", "d_gate_logits"})
        if (v->name == by_expert && picked_->index < v->of(example_).size()) return picked_->index % E_;
    for (const char* by_visit : {"expert_weights", "d_expert_weights", "hidden_sums", "hidden", "answers", "d_answers",
                                 "d_hidden", "d_hidden_sums"}) {
        if (v->name != by_visit) continue;
        const std::size_t width = v->shape.size() > 2 ? v->shape[2] : 1;
        if (width && picked_->index < v->of(example_).size()) return expertOf(picked_->index / width % K_);
    }
    return otherwise;
}

OperationCell PageBuilder::number(double v, std::optional<NumberRef> r) const {
    OperationCell c;
    c.text = traceText(v);
    c.value = v;
    c.ref = std::move(r);
    return c;
}

OperationCell PageBuilder::signedNumber(double v, std::optional<NumberRef> r) const {
    OperationCell c = number(v, std::move(r));
    c.text = traceText(v, true);
    c.sign = true;
    return c;
}

OperationCell PageBuilder::gradientNumber(double v, std::optional<NumberRef> r, bool strong) const {
    OperationCell c = signedNumber(v, std::move(r));
    c.gradient = true;
    c.strong = strong;
    return c;
}

OperationCell PageBuilder::plain(const QString& text) const {
    OperationCell c;
    c.text = text;
    return c;
}

OperationCell PageBuilder::bar(double v, double scale) const {
    OperationCell c;
    c.bar = scale > 0 && std::isfinite(v) ? std::clamp(v / scale, -1.0, 1.0) : 0.0;
    return c;
}

ValueStrip PageBuilder::strip(const QString& title, const char* name, std::size_t first, Values values) const {
    ValueStrip s;
    s.title = title;
    s.first = ref(name, first);
    s.values = values;
    s.gradient = std::string_view(name).starts_with("d_");
    const std::string_view n = name;
    s.words = n == "logits" || n == "probs" || n == "d_logits";
    s.experts = n == "gate_logits" || n == "gate_probs" || n == "d_gate_logits" || n == "d_gate_probs_balance" ||
                n == "d_expert_weights";
    return s;
}

OperationCell PageBuilder::stripCell(const QString& title, const char* name, std::size_t first, Values values) const {
    OperationCell c;
    c.strip = strip(title, name, first, values);
    return c;
}

OperationRow& PageBuilder::expertRow(const Visitor& visitor, bool none_if_unchosen, const QString& note) {
    OperationRow row;
    row.expert = visitor.expert;
    row.faint = !visitor.visit;
    if (!visitor.visit && none_if_unchosen) row.note = note.isEmpty() ? notChosen() : note;
    page_.rows.push_back(std::move(row));
    return page_.rows.back();
}

void PageBuilder::othersRow(const QString& note) {
    const std::vector<Visitor> listed = visitors();
    if (listed.size() >= E_) return;
    const std::size_t rest = E_ - listed.size();
    const std::size_t chosen =
        K_ - std::size_t(std::ranges::count_if(listed, [](const Visitor& v) { return v.visit.has_value(); }));
    OperationRow row;
    row.faint = true;
    row.label = tr("%1 more").arg(countText(rest));
    row.note = !note.isEmpty()  ? note
               : chosen == rest ? tr("with smaller weights")
               : chosen         ? tr("%1 chosen, with smaller weights; %2 not").arg(chosen).arg(rest - chosen)
                                : notChosen();
    page_.rows.push_back(std::move(row));
}

void PageBuilder::wordRow(std::size_t id) {
    OperationRow row;
    row.label = word(id);
    page_.rows.push_back(std::move(row));
}

void PageBuilder::markVisit(std::size_t visit) {
    for (OperationRow& r : page_.rows) r.current = r.expert && visit < K_ && *r.expert == expertOf(visit);
}

std::size_t PageBuilder::targetOr(std::size_t otherwise) const {
    return t_.targets.empty() ? otherwise : std::size_t(t_.targets[example_]);
}

// Long phrases lose their middle: their ends say which one it is.
QString PageBuilder::elidedPhrase() const {
    QStringList list;
    for (const QString& w : phrase_.words) list << elidedWord(w);
    if (list.size() > 6) list = list.mid(0, 2) + QStringList{QStringLiteral("…")} + list.mid(list.size() - 3);
    return list.join(u' ');
}

QString PageBuilder::elidedWord(const QString& word) {
    return word.size() > 18 ? word.left(17) + QStringLiteral("…") : word;
}

QString PageBuilder::expertLetter(std::size_t expert) const {
    return expertName(expert);
}

QString PageBuilder::word(std::size_t id) const {
    return id < words_.size() ? words_[id] : QString::number(id);
}

QString PageBuilder::literal(std::size_t id) const {
    return FormulaText::literal(word(id), 12);
}

QString PageBuilder::notChosen() const {
    return op_.phase == TracePhase::backward ? tr("not chosen: no gradient") : tr("not chosen: does no work");
}

QString PageBuilder::ofTheBatch() const {
    return tr("The batch's loss is the mean over its %1 examples, so each counts 1/%1.").arg(N_);
}

Shown PageBuilder::sumOf(std::vector<Term> terms, std::size_t shown, double total) {
    if (terms.empty()) return Shown::exact(0);
    const std::size_t all = terms.size();
    if (all > shown + 1) {  // one more says no less than the term itself
        std::stable_sort(terms.begin(), terms.end(),
                         [](const Term& a, const Term& b) { return std::abs(a.second) > std::abs(b.second); });
        terms.erase(terms.begin() + std::ptrdiff_t(shown), terms.end());
    }
    Shown sum = terms.front().first;
    for (std::size_t i = 1; i < terms.size(); ++i) sum = std::move(sum) + terms[i].first;
    if (terms.size() == all) return sum;
    // What float lost on the way belongs to the small terms.
    for (const Term& term : terms) total -= term.second;
    return std::move(sum) + Shown::more(all - terms.size(), total);
}

Shown PageBuilder::productsOf(Values a, Values b, std::size_t b_first, std::size_t b_step, double total) {
    std::vector<Term> terms;
    for (std::size_t i = 0; i < a.size(); ++i) {
        const double of_a = double(a[i]), of_b = at(b, b_first + i * b_step);
        terms.emplace_back(Shown::number(of_a) * Shown::number(of_b), of_a * of_b);
    }
    return sumOf(std::move(terms), 2, total);
}

QString PageBuilder::lineOf(const QString& name, const std::vector<Shown>& steps, double result, bool sign,
                            const QString& markup) {
    std::vector<std::pair<Shown, double>> results;
    for (const Shown& step : steps) results.emplace_back(step, result);
    const Shown::Digits digits = Shown::digitsFor(results);
    QString text = name;
    for (const Shown& step : steps) text += QStringLiteral(" = ") + step.markup(digits.operands);
    return text + QStringLiteral(" = ") + markup.arg(traceText(result, sign, digits.result));
}

QString PageBuilder::line(const QString& name, const std::vector<Shown>& steps, double result, bool sign) {
    return lineOf(name, steps, result, sign, QStringLiteral("%1"));
}

QString PageBuilder::gradientLine(const QString& name, const std::vector<Shown>& steps, double result) {
    return lineOf(name, steps, result, true, QStringLiteral("~{%1}"));
}

void PageBuilder::settle(const std::vector<OperationCell*>& operands, const std::function<bool()>& computes,
                         const std::vector<OperationCell*>& results) {
    const auto show = [](const std::vector<OperationCell*>& cells, int digits) {
        for (OperationCell* cell : cells) {
            cell->digits = digits;
            cell->text = traceText(*cell->value, cell->sign, digits);
        }
    };
    for (int of_results = usual_digits; of_results > 0; --of_results) {
        if (!results.empty()) show(results, of_results);
        for (int digits = usual_digits; digits <= most_digits; ++digits) {
            show(operands, digits);
            if (computes()) return;
        }
        if (results.empty()) return;
    }
    show(results, usual_digits);
}

void PageBuilder::settleSum(OperationRow& row) {
    auto& c = row.cells;
    settle({&c[0], &c[1]}, [&] { return gives(shown(c[0]) + shown(c[1]), c[2]); }, {&c[2]});
}

void PageBuilder::settleProduct(OperationRow& row) {
    auto& c = row.cells;
    settle({&c[0], &c[1]}, [&] { return gives(shown(c[0]) * shown(c[1]), c[2]); });
}

double PageBuilder::shown(const OperationCell& cell) {
    return shownValue(*cell.value, cell.digits);
}

bool PageBuilder::gives(double calculated, const OperationCell& result) {
    return readsAs(calculated, *result.value, result.digits);
}

void PageBuilder::shapes(const QString& in, const QString& out) {
    page_.shapes = tr("in %1 · out %2").arg(in, out);
    const bool of_token = std::ranges::any_of(op_.outputs, [&](const std::string& n) { return hasTokens(n); });
    if (of_token && t_.find(op_.outputs.front())) page_.shapes = tr("word %1 · %2").arg(tokenText(), page_.shapes);
}

void PageBuilder::finish(double result, double recomputed, std::optional<NumberRef> subject) {
    page_.result = result;
    page_.recomputed = recomputed;
    // What the table lists in full needs no strip beside it.
    if (visitors().size() >= E_ || (op_.id == "weighted_sum_to_gate" && visitors().size() >= K_))
        std::erase_if(page_.strips, [](const ValueStrip& s) { return s.experts; });
    page_.subject = std::move(subject);
    for (OperationRow& row : page_.rows)
        for (const OperationCell& c : row.cells) row.current |= c.ref && page_.subject && *c.ref == *page_.subject;
}

OperationPage operationPage(const Trace& trace, std::size_t op, std::size_t example, const std::vector<QString>& words,
                            const std::optional<NumberRef>& picked, std::optional<std::size_t> token) {
    return PageBuilder(trace, op, example, words, picked, token).build();
}

QString stripLabel(const ValueStrip& strip, std::size_t index, const std::vector<QString>& words) {
    const std::size_t i = strip.first.index + index;
    if (strip.words) return i < words.size() ? words[i] : QString::number(i);
    if (strip.experts) return expertName(index);  // all of them, of an example or a token
    return QString::number(index);
}

QString pageAsText(const OperationPage& page, const std::vector<QString>& words) {
    QStringList lines{page.title, page.shapes, FormulaText(page.formula).plain()};
    for (const QString& line : page.worked) lines << FormulaText(line).plain();
    const auto numbers = [](const ValueStrip& s) {
        QStringList list;
        for (const float v : s.values) list << exactText(v);
        return list.join(u'\t');
    };
    if (!page.rows.empty()) {
        QStringList head{page.heading};
        for (const OperationColumn& c : page.columns)
            if (c.kind != OperationColumn::Kind::bar) head << FormulaText(c.title).plain();
        lines << QString() << head.join(u'\t');
    }
    for (const OperationRow& row : page.rows) {
        QStringList cells{row.expert ? expertName(*row.expert) : row.label};
        if (!row.note.isEmpty()) cells << row.note;
        for (const OperationCell& c : row.cells)
            if (c.strip)
                cells << numbers(*c.strip);
            else if (!c.bar)
                cells << (c.value ? exactText(float(*c.value)) : FormulaText(c.text).plain());
        lines << cells.join(u'\t');
    }
    for (const ValueStrip& s : page.strips) {
        QStringList labels;
        for (std::size_t i = 0; i < s.values.size(); ++i) labels << stripLabel(s, i, words);
        lines << QString() << FormulaText(s.title).plain() + u'\t' + labels.join(u'\t') << u'\t' + numbers(s);
    }
    return lines.join(u'\n').replace(QChar(0x2212), u'-') + u'\n';
}

}  // namespace moe::app
