// The forward pass's pages. Letters: r rows, x mean, z gate scores, p gate probabilities, g gate weights, h hidden, y
// answers and their sum, s vocabulary scores, q word probabilities.
#include "app/models/operation_reader.h"
#include "app/models/text_format.h"

#include <algorithm>

namespace moe::app {

namespace {

double largestOf(const std::vector<OperationRow>& rows, std::size_t column) {
    double most = 0;
    for (const OperationRow& r : rows)
        if (column < r.cells.size() && r.cells[column].value) most = std::max(most, std::abs(*r.cells[column].value));
    return most;
}

}  // namespace

void PageBuilder::embeddingRows() {
    whole_ = true;
    page_.question = tr("Which numbers stand for each word of “%1”?").arg(elidedPhrase());
    page_.formula = formula("r_{t} = embedding[ id_{t} ]");
    shapes(tr("(%1) ids").arg(T_), QStringLiteral("(%1, %2)").arg(T_).arg(D_));
    page_.heading = tr("word");
    page_.columns = {{tr("id")}, {formula("|r_{t}|")}, {formula("r_{t}"), OperationColumn::Kind::strip}};
    const Values rows = value("embedding_rows");
    std::size_t first = phrase_.positions.empty() ? 0 : phrase_.positions.front() * D_;
    first +=
        largest(rows.subspan(std::min(first, rows.size()), std::min(D_, rows.size() - std::min(first, rows.size()))));
    const std::size_t picked = pickedIn("embedding_rows", first), t = picked / D_, d = picked % D_;
    const auto row = [&](std::size_t position, const QString& label) {
        OperationRow r;
        r.label = label;
        const Values v = rows.subspan(position * D_, D_);
        r.cells.push_back(plain(QString::number(t_.ids[example_ * T_ + position])));
        r.cells.push_back(number(lengthOf(v)));
        r.cells.push_back(stripCell(QStringLiteral("r"), "embedding_rows", position * D_, v));
        r.current = position == t;
        page_.rows.push_back(std::move(r));
    };
    if (phrase_.padding) {
        if (masked_) {
            OperationRow r;
            r.label = tr("padding × %1").arg(phrase_.padding);
            r.note = tr("left out by the mask");
            r.faint = true;
            page_.rows.push_back(std::move(r));
        } else {
            row(0, tr("padding × %1").arg(phrase_.padding));
            page_.rows.back().faint = true;
        }
    }
    for (std::size_t i = 0; i < phrase_.positions.size(); ++i) row(phrase_.positions[i], phrase_.words[i]);
    const auto id = std::size_t(t_.ids[example_ * T_ + t]);
    const double result = at(rows, picked), table = at(parameter("embedding"), id * D_ + d);
    page_.worked = {formula("r_{%1, %2} = embedding[ %3, %2 ] = %4")
                        .arg(literal(id), QString::number(d), QString::number(id), traceText(result))};
    page_.notice = tokens_            ? tr("Each word goes its own way from here: pick one and follow it.")
                   : !phrase_.padding ? tr("Each word has a row of its own; the same word has the same row everywhere.")
                   : masked_
                       ? tr("Shorter phrases are filled up with padding in front; the mask leaves it out.")
                       : tr("Shorter phrases are filled up in front with padding, id 0, which has a row as well.");
    page_.keras = QStringLiteral("rows = model.get_layer(\"embedding\")(ids)");
    finish(result, table, ref("embedding_rows", picked));
    for (OperationRow& r : page_.rows)
        if (!r.cells.empty() && r.cells.back().strip) r.current = r.cells.back().strip->first.index == t * D_;
}

void PageBuilder::mean() {
    whole_ = true;
    const char* const of = tokens_ ? "mixed" : "embedding_rows";
    const QString letter = symbolOf(of, soft_), mean_letter = symbolOf("mean", soft_, tokens_);
    page_.question = tr("What does the model keep of “%1”?").arg(elidedPhrase());
    const bool one = averaged_ == 1;
    page_.formula = formula("%1 = ( Σ_{t} %2_{t} ) / %3 %4")
                        .arg(mean_letter, letter, QString::number(averaged_),
                             masked_ ? (one ? tr("word") : tr("words"))
                             : one   ? tr("place")
                                     : tr("places"));
    shapes(QStringLiteral("(%1, %2)").arg(T_).arg(D_), QStringLiteral("(%1)").arg(D_));
    const Values rows = value(of), x = value("mean");
    const std::size_t d = pickedIn("mean");
    page_.heading = tr("word");
    page_.columns = {{formula("%1_{t, %2}").arg(letter).arg(d)},
                     {formula("%1_{t}").arg(letter), OperationColumn::Kind::strip}};
    double sum = 0;
    std::vector<Term> terms;
    std::vector<double> times_of;
    const auto add = [&](std::size_t position, const QString& label, std::size_t times) {
        OperationRow r;
        r.label = label;
        const double v = at(rows, position * D_ + d);
        r.cells.push_back(signedNumber(v, ref(of, position * D_ + d)));
        r.cells.push_back(stripCell(letter, of, position * D_, rows.subspan(position * D_, D_)));
        r.faint = times > 1 || (phrase_.padding && position < phrase_.padding);
        page_.rows.push_back(std::move(r));
        sum += double(times) * v;
        terms.emplace_back(times > 1 ? Shown::exact(times) * Shown::number(v) : Shown::number(v), double(times) * v);
        times_of.push_back(double(times));
    };
    if (phrase_.padding && !masked_) add(0, tr("padding × %1").arg(phrase_.padding), phrase_.padding);
    for (std::size_t i = 0; i < phrase_.positions.size(); ++i) add(phrase_.positions[i], phrase_.words[i], 1);
    OperationRow r;
    r.label = tr("mean");
    r.cells.push_back(signedNumber(at(x, d), ref("mean", d)));
    r.cells.back().strong = true;
    r.cells.push_back(stripCell(mean_letter, "mean", 0, x));
    page_.rows.push_back(std::move(r));
    std::vector<OperationCell*> column;
    for (std::size_t i = 0; i < times_of.size(); ++i) column.push_back(&page_.rows[i].cells[0]);
    settle(column, [&] {
        double together = 0;
        for (std::size_t i = 0; i < column.size(); ++i) together += times_of[i] * shown(*column[i]);
        return gives(together / double(averaged_), page_.rows.back().cells[0]);
    });
    page_.worked = {line(formula("%1_{%2}").arg(mean_letter).arg(d),
                         {sumOf(terms, 4, at(x, d) * double(averaged_)) / Shown::exact(averaged_)}, at(x, d))};
    page_.notice =
        tokens_ && !masked_ && phrase_.padding == 1
            ? tr("One of the %1 places is padding: experts answer it like a word, and it is averaged in.").arg(T_)
        : tokens_ && !masked_ && phrase_.padding
            ? tr("%1 of the %2 places are padding: experts answer it like a word, and it is averaged in.")
                  .arg(phrase_.padding)
                  .arg(T_)
        : tokens_ && phrase_.words.size() == 1 ? tr("One word, nothing else: the mean is what was answered to it.")
        : !masked_ && phrase_.padding == 1
            ? tr("One of the %1 rows is padding: it is averaged in, and pulls short phrases towards the same point.")
                  .arg(T_)
        : !masked_ && phrase_.padding
            ? tr("%1 of the %2 rows are padding: it is averaged in, and pulls short phrases towards the same point.")
                  .arg(phrase_.padding)
                  .arg(T_)
        : phrase_.words.size() > 1 ? tr("The order is lost: the same words in another order have the same mean.")
                                   : tr("One word, nothing else: the mean is its row.");
    page_.keras = QStringLiteral("%1 = model.get_layer(\"mean\")(%2%3)")
                      .arg(tokens_ ? QStringLiteral("phrase") : QStringLiteral("x"),
                           tokens_ ? QStringLiteral("y") : QStringLiteral("rows"),
                           masked_ ? QStringLiteral(", mask=keras.ops.not_equal(ids, 0)") : QString());
    finish(at(x, d), sum / double(averaged_), ref("mean", d));
}

void PageBuilder::gateScores() {
    page_.question = tokens_ ? tr("How well does %1 fit each expert, in the gate's eyes?").arg(tokenText())
                             : tr("How well does the phrase fit each expert, in the gate's eyes?");
    page_.formula = formula("z_{e} = Σ_{d} x_{d} W_{d, e} + b_{e}");
    shapes(QStringLiteral("(%1)").arg(D_), QStringLiteral("(%1)").arg(E_));
    page_.heading = tr("expert");
    page_.columns = {
        {formula("x · W_{e}")}, {formula("b_{e}")}, {formula("z_{e}")}, {QString(), OperationColumn::Kind::bar}};
    const Values x = value(at_gate_), z = value("gate_logits"), W = parameter("gate/kernel"),
                 b = parameter("gate/bias");
    const std::size_t e = pickedExpert(largestExpert(z));
    for (const Visitor& v : visitors()) {
        OperationRow& r = expertRow({v.expert, 0}, false);
        r.cells.push_back(signedNumber(at(z, v.expert) - at(b, v.expert)));
        r.cells.push_back(signedNumber(at(b, v.expert), parameterRef("gate/bias", v.expert)));
        r.cells.push_back(signedNumber(at(z, v.expert), ref("gate_logits", v.expert)));
        r.cells.back().strong = true;
        settleSum(r);
    }
    const double most = largestOf(page_.rows, 2);
    for (OperationRow& r : page_.rows) r.cells.push_back(bar(*r.cells[2].value, most));
    othersRow(tr("their scores are in the strip below"));
    page_.strips = {strip(QStringLiteral("x"), at_gate_, 0, x), strip(QStringLiteral("z"), "gate_logits", 0, z)};
    page_.worked = {line(formula("z_{%1}").arg(expertLetter(e)),
                         {productsOf(x, W, e, E_, at(z, e) - at(b, e)) + Shown::number(at(b, e))}, at(z, e), true)};
    page_.notice = tr("A score may be any number; only the differences between the scores count in what follows.");
    page_.keras = QStringLiteral("gate = model.get_layer(\"gate\"); z = x @ gate.kernel + gate.bias");
    finish(at(z, e), dot(x, W, e, E_) + at(b, e), ref("gate_logits", e));
}

void PageBuilder::gateSoftmax() {
    const QString g = soft_ ? QStringLiteral("g") : QStringLiteral("p");
    page_.question = soft_     ? tr("How much does the gate trust each expert?")
                     : tokens_ ? tr("How likely would the gate send %1 to each expert?").arg(tokenText())
                               : tr("How likely would the gate send the phrase to each expert?");
    page_.formula = formula("%1_{e} = exp( z_{e} ) / Σ_{j} exp( z_{j} )").arg(g);
    shapes(QStringLiteral("(%1)").arg(E_), QStringLiteral("(%1)").arg(E_));
    page_.heading = tr("expert");
    page_.columns = {{formula("z_{e}")},
                     {formula("exp( z_{e} )")},
                     {formula("%1_{e}").arg(g)},
                     {QString(), OperationColumn::Kind::bar}};
    const Values z = value("gate_logits"), p = value("gate_probs");
    double sum = 0, shown = 0, most = 0;
    for (const float v : z) sum += std::exp(double(v));
    for (const float v : p) most = std::max(most, double(v));
    const std::size_t e = pickedExpert(largestExpert(p));
    for (const Visitor& v : visitors()) {
        OperationRow& r = expertRow({v.expert, 0}, false);
        r.cells.push_back(signedNumber(at(z, v.expert), ref("gate_logits", v.expert)));
        r.cells.push_back(number(std::exp(at(z, v.expert))));
        r.cells.push_back(number(at(p, v.expert), ref("gate_probs", v.expert)));
        r.cells.back().strong = true;
        r.cells.push_back(bar(at(p, v.expert), most));
        shown += at(p, v.expert);
    }
    OperationCell total = number(sum);
    std::vector<OperationCell*> exponentials{&total};
    for (OperationRow& r : page_.rows) exponentials.push_back(&r.cells[1]);
    settle(exponentials, [&] {
        return std::ranges::all_of(page_.rows, [&](const OperationRow& r) {
            return gives(PageBuilder::shown(r.cells[1]) / PageBuilder::shown(total), r.cells[2]);
        });
    });
    for (OperationRow& r : page_.rows)
        settle({&r.cells[0]}, [&] { return gives(std::exp(PageBuilder::shown(r.cells[0])), r.cells[1]); });
    othersRow(tr("together %1").arg(traceText(std::max(0.0, 1 - shown))));
    page_.strips = {strip(QStringLiteral("z"), "gate_logits", 0, z), strip(g, "gate_probs", 0, p)};
    page_.aside = formula("Σ = %1").arg(total.text);
    page_.worked = {line(formula("%1_{%2}").arg(g, expertLetter(e)),
                         {Shown::exp(Shown::number(at(z, e))) / Shown::number(sum),
                          Shown::number(std::exp(at(z, e))) / Shown::number(sum)},
                         at(p, e))};
    page_.notice =
        soft_ ? tr("The weights add up to 1: what one expert gains, the others lose.")
        : K_ == 1
            ? tr("The shares of all experts add up to 1; the top-k choice that follows keeps the largest.")
            : tr("The shares of all experts add up to 1; the top-k choice that follows keeps the %1 largest.").arg(K_);
    page_.keras = QStringLiteral("%1 = keras.ops.softmax(z)").arg(g);
    finish(at(p, e), std::exp(at(z, e)) / sum, ref("gate_probs", e));
}

void PageBuilder::topK() {
    page_.question = tr("Which experts are called, and with which weight?");
    page_.formula = K_ == 1 ? formula("g_{e} = p_{e} / p_{e} = 1   %1").arg(tr("for the largest p_{e}"))
                            : formula("g_{e} = p_{e} / Σ_{j} p_{j}   %1").arg(tr("j: the %1 largest").arg(K_));
    shapes(QStringLiteral("(%1)").arg(E_), QStringLiteral("(%1)").arg(K_));
    page_.heading = tr("expert");
    page_.columns = {
        {formula("z_{e}")}, {formula("p_{e}")}, {formula("g_{e}")}, {QString(), OperationColumn::Kind::bar}};
    const Values z = value("gate_logits"), p = value("gate_probs"), g = value("expert_weights");
    std::size_t k = visitOf(pickedExpert(E_));
    if (k >= K_) k = largest(g);
    double chosen = 0;
    std::vector<Term> terms;
    for (std::size_t i = 0; i < K_; ++i) {
        chosen += at(p, expertOf(i));
        terms.emplace_back(Shown::number(at(p, expertOf(i))), at(p, expertOf(i)));
    }
    for (const Visitor& v : visitors()) {
        OperationRow& r = expertRow(v, false);
        r.cells.push_back(signedNumber(at(z, v.expert), ref("gate_logits", v.expert)));
        r.cells.push_back(number(at(p, v.expert), ref("gate_probs", v.expert)));
        if (v.visit) {
            r.cells.push_back(number(at(g, *v.visit), ref("expert_weights", *v.visit)));
            r.cells.back().strong = true;
            r.cells.push_back(bar(at(g, *v.visit), 1));
        } else {
            r.cells.push_back(plain(QStringLiteral("–")));
            r.cells.push_back(bar(0, 1));
        }
    }
    // The chosen ones' weights follow from what the table shows of them, where it lists them all.
    std::vector<OperationRow*> chosen_rows;
    std::vector<OperationCell*> shares;
    for (OperationRow& r : page_.rows)
        if (r.cells[2].value) chosen_rows.push_back(&r), shares.push_back(&r.cells[1]);
    if (shares.size() == K_)
        settle(shares, [&] {
            double sum = 0;
            for (const OperationCell* share : shares) sum += shown(*share);
            return std::ranges::all_of(
                chosen_rows, [&](const OperationRow* r) { return gives(shown(r->cells[1]) / sum, r->cells[2]); });
        });
    othersRow();
    page_.strips = {strip(QStringLiteral("p"), "gate_probs", 0, p)};
    page_.worked = {line(formula("g_{%1}").arg(expertLetter(expertOf(k))),
                         {Shown::number(at(p, expertOf(k))) / sumOf(terms, 4, chosen)}, at(g, k))};
    page_.notice =
        K_ == 1
            ? tr("One expert answers and its weight is always 1, however sure the gate is.")
            : tr("The weights of the %1 chosen add up to 1. The others do no work: that is what saves the computing.")
                  .arg(K_);
    page_.keras = QStringLiteral("best, chosen = keras.ops.top_k(z, k=%1); g = keras.ops.softmax(best)").arg(K_);
    finish(at(g, k), at(p, expertOf(k)) / chosen, ref("expert_weights", k));
}

void PageBuilder::expertHidden() {
    page_.question = tr("Which of its hidden units does each expert use?");
    const bool relu = activation_ == Activation::relu;
    page_.formula = activationFormula();
    shapes(QStringLiteral("(%1)").arg(D_), QStringLiteral("(%1, %2)").arg(K_).arg(H_));
    page_.heading = tr("expert");
    page_.columns = {{relu ? tr("units at work") : tr("units above 0")},
                     {formula("|h_{e}|")},
                     {formula("h_{e}"), OperationColumn::Kind::strip}};
    const Values x = value(at_gate_), all = value("hidden"), W = parameter("experts/hidden/kernel"),
                 b = parameter("experts/hidden/bias");
    const std::size_t picked = pickedIn("hidden", pickedIn("hidden_sums", largest(all))), k = picked / H_,
                      j = picked % H_;
    std::size_t working = 0;
    for (const Visitor& v : visitors()) {
        OperationRow& r = expertRow(v, true);
        if (!v.visit) continue;
        const Values h = value("hidden", *v.visit);
        const auto on = std::size_t(std::ranges::count_if(h, [](float f) { return f > 0; }));
        working += on;
        r.cells.push_back(plain(tr("%1 of %2").arg(on).arg(H_)));
        r.cells.push_back(number(lengthOf(h)));
        r.cells.push_back(stripCell(formula("h_{%1}").arg(expertLetter(v.expert)), "hidden", *v.visit * H_, h));
    }
    othersRow();
    page_.strips = {strip(QStringLiteral("x"), at_gate_, 0, x)};
    const std::size_t e = expertOf(k);
    const double product = dot(x, W, e * D_ * H_ + j, H_), bias = at(b, e * H_ + j),
                 sum = at(value("hidden_sums"), picked);
    const QString unit = QStringLiteral("%1, %2").arg(expertLetter(e), QString::number(j));
    page_.worked = {
        line(formula("h_{%1} = ").arg(unit) + activationOf(formula("x · W_{%1} + b").arg(unit)),
             {Shown::activated(activation_, productsOf(x, W, e * D_ * H_ + j, H_, sum - bias) + Shown::number(bias))},
             at(all, picked))};
    page_.notice = activationNotice();
    page_.keras = (activation_ == Activation::gelu_tanh
                       ? QStringLiteral("h = keras.ops.gelu(model.get_layer(\"experts_hidden\")(x), approximate=True)")
                       : QStringLiteral("h = model.get_layer(\"experts_hidden\")(x)")) +
                  (soft_ ? QString() : QStringLiteral("  # ") + tr("there for all experts"));
    finish(at(all, picked), activated(activation_, product + bias), ref("hidden", picked));
    markVisit(k);
}

void PageBuilder::expertOutput() {
    page_.question = tr("What does each expert answer?");
    page_.formula = formula("y_{e} = h_{e} V_{e} + c_{e}");
    shapes(QStringLiteral("(%1, %2)").arg(K_).arg(H_), QStringLiteral("(%1, %2)").arg(K_).arg(D_));
    page_.heading = tr("expert");
    page_.columns = {{formula("|h_{e}|")}, {formula("|y_{e}|")}, {formula("y_{e}"), OperationColumn::Kind::strip}};
    const Values all = value("answers"), W = parameter("experts/output/kernel"), b = parameter("experts/output/bias");
    const std::size_t picked = pickedIn("answers"), k = picked / D_, d = picked % D_;
    for (const Visitor& v : visitors()) {
        OperationRow& r = expertRow(v, true);
        if (!v.visit) continue;
        const Values y = value("answers", *v.visit);
        r.cells.push_back(number(lengthOf(value("hidden", *v.visit))));
        r.cells.push_back(number(lengthOf(y)));
        r.cells.push_back(stripCell(formula("y_{%1}").arg(expertLetter(v.expert)), "answers", *v.visit * D_, y));
    }
    othersRow();
    const std::size_t e = expertOf(k);
    const double product = dot(value("hidden", k), W, e * H_ * D_ + d, D_), bias = at(b, e * D_ + d);
    page_.worked = {
        line(formula("y_{%1, %2} = h_{%1} · V_{%2} + c").arg(expertLetter(e), QString::number(d)),
             {productsOf(value("hidden", k), W, e * H_ * D_ + d, D_, at(all, picked) - bias) + Shown::number(bias)},
             at(all, picked))};
    page_.notice = soft_ ? (tokens_ ? tr("Every expert answers every word; how much an answer counts is the gate's "
                                         "decision.")
                                    : tr("Every expert answers every phrase; how much an answer counts is the gate's "
                                         "decision."))
                         : tr("Only the chosen experts compute an answer.");
    page_.keras = QStringLiteral("answers = model.get_layer(\"experts\")(h)");
    finish(at(all, picked), product + bias, ref("answers", picked));
    markVisit(k);
}

void PageBuilder::weightedSum() {
    page_.question = K_ == 1 ? tr("What becomes of the one answer?") : tr("How do the answers become one?");
    page_.formula = formula("y = Σ_{e} g_{e} y_{e}");
    shapes(QStringLiteral("(%1), (%1, %2)").arg(K_).arg(D_), QStringLiteral("(%1)").arg(D_));
    const Values g = value("expert_weights"), all = value("answers"), y = value("mixed");
    const std::size_t d = pickedIn("mixed");
    page_.heading = tr("expert");
    page_.columns = {{formula("g_{e}")},
                     {formula("y_{e, %1}").arg(d)},
                     {formula("g_{e} · y_{e, %1}").arg(d)},
                     {formula("y_{e}"), OperationColumn::Kind::strip}};
    double sum = 0, most = 0, total = 0;
    std::size_t strongest = 0;
    std::vector<Term> terms;
    for (std::size_t k = 0; k < K_; ++k) {
        const double part = at(g, k) * at(all, k * D_ + d), size = at(g, k) * lengthOf(value("answers", k));
        sum += part;
        total += size;
        if (size > most) most = size, strongest = expertOf(k);
        terms.emplace_back(Shown::number(at(g, k)) * Shown::number(at(all, k * D_ + d)), part);
    }
    for (const Visitor& v : visitors()) {
        OperationRow& r = expertRow(v, true);
        if (!v.visit) continue;
        const std::size_t k = *v.visit;
        r.cells.push_back(number(at(g, k), ref("expert_weights", k)));
        r.cells.push_back(signedNumber(at(all, k * D_ + d), ref("answers", k * D_ + d)));
        r.cells.push_back(signedNumber(at(g, k) * at(all, k * D_ + d)));
        r.cells.push_back(
            stripCell(formula("y_{%1}").arg(expertLetter(v.expert)), "answers", k * D_, value("answers", k)));
    }
    othersRow();
    OperationRow r;
    r.label = tr("sum");
    r.cells = {plain({}), plain({}), signedNumber(at(y, d), ref("mixed", d)),
               stripCell(QStringLiteral("y"), "mixed", 0, y)};
    r.cells[2].strong = true;
    page_.rows.push_back(std::move(r));
    std::vector<OperationRow*> parts;
    std::vector<OperationCell*> column;
    for (OperationRow& row : page_.rows)
        if (row.expert && !row.cells.empty()) parts.push_back(&row), column.push_back(&row.cells[2]);
    if (column.size() == K_)
        settle(column, [&] {
            double together = 0;
            for (const OperationCell* cell : column) together += shown(*cell);
            return gives(together, page_.rows.back().cells[2]);
        });
    for (OperationRow* row : parts) settleProduct(*row);
    page_.worked = {line(formula("y_{%1}").arg(d), {sumOf(terms, 4, at(y, d))}, at(y, d))};
    page_.notice = K_ == 1 ? tr("With one chosen expert and a weight of 1 the sum is its answer.")
                           : tr("Weight times length: %1 of what is added comes from expert %2.")
                                 .arg(percentText(total > 0 ? most / total : 0), expertLetter(strongest));
    page_.keras = weightedSumInKeras(tokens_, soft_ ? std::nullopt : std::optional(K_));
    finish(at(y, d), sum, ref("mixed", d));
}

QString weightedSumInKeras(bool tokens, std::optional<std::size_t> chosen) {
    const QString sum = QStringLiteral("y = keras.ops.einsum(\"%1\", g, %2)");
    const QString answers = QStringLiteral("answers");
    if (!chosen) return sum.arg(tokens ? QStringLiteral("bte,bted->btd") : QStringLiteral("be,bed->bd"), answers);
    // The bank answers for every expert: those that were chosen are picked out.
    const QString picked =
        QStringLiteral("keras.ops.take_along_axis(answers, keras.ops.top_k(z, k=%1)[1][%2, None], axis=%3)")
            .arg(QString::number(*chosen), tokens ? QStringLiteral(":, :, :") : QStringLiteral(":, :"),
                 tokens ? QStringLiteral("2") : QStringLiteral("1"));
    return sum.arg(tokens ? QStringLiteral("btk,btkd->btd") : QStringLiteral("bk,bkd->bd"), picked);
}

void PageBuilder::vocabularyScores() {
    page_.question = tr("How well does each word of the vocabulary fit as the next one?");
    page_.formula = formula("s_{w} = %1 · U_{w} + c_{w}").arg(head_letter_);
    shapes(QStringLiteral("(%1)").arg(D_), QStringLiteral("(%1)").arg(V_));
    page_.heading = tr("word");
    page_.columns = {{formula("%1 · U_{w}").arg(head_letter_)},
                     {formula("c_{w}")},
                     {formula("s_{w}")},
                     {QString(), OperationColumn::Kind::bar}};
    const Values y = value(at_head_), s = value("logits"), U = parameter("head/kernel"), c = parameter("head/bias");
    const std::size_t w = pickedIn("logits", targetOr(largest(s)));
    for (const std::size_t i : listedWords()) {
        wordRow(i);
        OperationRow& r = page_.rows.back();
        r.cells.push_back(signedNumber(at(s, i) - at(c, i)));
        r.cells.push_back(signedNumber(at(c, i), parameterRef("head/bias", i)));
        r.cells.push_back(signedNumber(at(s, i), ref("logits", i)));
        r.cells.back().strong = true;
        settleSum(r);
    }
    const double most = largestOf(page_.rows, 2);
    for (OperationRow& r : page_.rows) r.cells.push_back(bar(*r.cells[2].value, most));
    page_.strips = {strip(head_letter_, at_head_, 0, y), strip(QStringLiteral("s"), "logits", 0, s)};
    const double product = dot(y, U, w, V_);
    page_.worked = {line(formula("s_{%1} = %2 · U_{%1} + c_{%1}").arg(literal(w), head_letter_),
                         {productsOf(y, U, w, V_, at(s, w) - at(c, w)) + Shown::number(at(c, w))}, at(s, w), true)};
    page_.notice = tr("The highest score is the prediction. Every one of the %1 words gets a score; "
                      "the strip shows them all.")
                       .arg(countText(V_));
    page_.keras = QStringLiteral("head = model.get_layer(\"next_word\"); s = %1 @ head.kernel + head.bias")
                      .arg(tokens_ ? QStringLiteral("phrase") : QStringLiteral("y"));
    finish(at(s, w), product + at(c, w), ref("logits", w));
}

void PageBuilder::softmaxLoss() {
    const bool trained = !t_.targets.empty();
    const Values s = value("logits"), q = value("probs");
    const std::size_t target = targetOr(largest(q)), w = pickedIn("probs", target);
    page_.question = trained ? tr("How surprised is the model by “%1”?").arg(shownText(elidedWord(word(target))))
                             : tr("How likely is each word?");
    page_.formula = formula("q_{w} = exp( s_{w} ) / Σ_{v} exp( s_{v} )");
    if (trained) page_.formula += formula("     L = −ln q_{target}");
    shapes(QStringLiteral("(%1)").arg(V_),
           trained ? QStringLiteral("(%1), 1").arg(V_) : QStringLiteral("(%1)").arg(V_));
    page_.heading = tr("word");
    page_.columns = {{formula("s_{w}")}, {formula("q_{w}")}, {QString(), OperationColumn::Kind::bar}};
    if (trained) page_.columns.push_back({QString(), OperationColumn::Kind::words});
    for (const std::size_t i : listedWords()) {
        wordRow(i);
        OperationRow& r = page_.rows.back();
        r.cells = {signedNumber(at(s, i), ref("logits", i)), number(at(q, i), ref("probs", i)), bar(at(q, i), 1)};
        r.cells[1].strong = true;
        if (trained) r.cells.push_back(plain(i == target ? tr("the right word") : QString()));
    }
    page_.strips = {strip(QStringLiteral("q"), "probs", 0, q)};
    double most = -INFINITY, sum = 0;
    for (const float v : s) most = std::max(most, double(v));
    for (const float v : s) sum += std::exp(double(v) - most);
    const double total = std::exp(most) * sum, probability = std::exp(at(s, w) - most) / sum;
    page_.worked = {line(formula("q_{%1}").arg(literal(w)),
                         {Shown::exp(Shown::number(at(s, w))) / Shown::number(total)}, at(q, w))};
    const double loss = trained ? at(value("loss"), 0) : 0;
    if (trained) {
        page_.worked.push_back(at(q, target) > least_probability
                                   ? line(formula("L = −ln q_{%1}").arg(literal(target)),
                                          {Shown::minusLn(Shown::number(at(q, target)))}, loss)
                                   : line(formula("L = ln Σ_{v} exp( s_{v} ) − s_{%1}").arg(literal(target)),
                                          {Shown::ln(Shown::number(total)) - Shown::number(at(s, target))}, loss));
        page_.aside = tr("batch: mean L = %1").arg(traceText(t_.loss));
        page_.notice = tr("0 would be certainty. Guessing among %1 words costs ln %1 = %2.")
                           .arg(countText(V_), traceText(std::log(double(V_))));
    } else {
        page_.notice = tr("The probabilities of all %1 words add up to 1.").arg(countText(V_));
    }
    page_.keras =
        trained ? QStringLiteral("loss = keras.losses.sparse_categorical_crossentropy(target, s, from_logits=True)")
                : QStringLiteral("q = keras.ops.softmax(s)");
    if (trained && w == target)
        finish(loss, -std::log(std::exp(at(s, target) - most) / sum), ref("loss", 0));
    else
        finish(at(q, w), probability, ref("probs", w));
    for (OperationRow& r : page_.rows) r.current = r.cells[1].ref && r.cells[1].ref->index == w;
}

void PageBuilder::balanceLoss() {
    countBalance();
    const double alpha = t_.experiment.model.balance_loss;
    const QString p = soft_ ? QStringLiteral("g") : QStringLiteral("p");
    page_.question = tr("Are the experts used alike by the batch's %1?").arg(balancedText());
    page_.formula = formula("B = α E Σ_{e} f_{e} P_{e}");
    page_.shapes = tr("batch (%1, %2) · out 1").arg(std::size_t(balance_rows_)).arg(E_);
    page_.heading = tr("expert");
    page_.columns = {
        {formula("f_{e}")}, {formula("P_{e}")}, {formula("f_{e} P_{e}")}, {QString(), OperationColumn::Kind::bar}};
    std::vector<double> parts(E_);
    std::vector<Term> terms;
    double sum = 0, most = 0;
    for (std::size_t e = 0; e < E_; ++e) {
        const double f = balanceShare(e), P = meanProbability(e);
        parts[e] = f * P;
        sum += parts[e];
        most = std::max(most, parts[e]);
        if (parts[e] > 0) terms.emplace_back(Shown::number(f) * Shown::number(P), parts[e]);
    }
    for (const Visitor& v : visitors()) {
        OperationRow& r = expertRow({v.expert, 0}, false);
        r.cells = {number(balanceShare(v.expert)), number(meanProbability(v.expert)), number(parts[v.expert]),
                   bar(parts[v.expert], most)};
        settleProduct(r);
    }
    othersRow(tr("counted in B as well"));
    page_.strips = {strip(p, "gate_probs", 0, value("gate_probs"))};
    page_.worked = {line(QStringLiteral("B"), {Shown::number(alpha) * Shown::exact(E_) * sumOf(terms, 4, sum)},
                         double(t_.balance))};
    page_.aside = formula("α = %1").arg(traceText(alpha));
    page_.notice = tr("f: share of the choices, P: mean of %1, both over the whole batch. Used alike, B is α = %2; all "
                      "on one expert, up to α E = %3.")
                       .arg(p, traceText(alpha), traceText(alpha * double(E_)));
    page_.keras = QStringLiteral("B = %1 * %2 * keras.ops.sum(f * keras.ops.mean(%3, axis=%4))")
                      .arg(exactText(float(alpha)), QString::number(E_), p,
                           tokens_ ? QStringLiteral("(0, 1)") : QStringLiteral("0"));
    finish(t_.balance, alpha * double(E_) * sum, NumberRef{"balance", 0, 0});
}

}  // namespace moe::app
