// The backward pass's pages. L is the batch's mean loss plus the balance loss B; every gradient is of this example.
#include "app/models/number_text.h"
#include "app/models/operation_reader.h"
#include "app/models/text_format.h"

#include <algorithm>

namespace moe::app {

namespace {

using Kind = OperationColumn::Kind;

OperationColumn gradientBar() {
    return {QString(), Kind::bar, true};
}

}  // namespace

void PageBuilder::vocabularyScoresBackward() {
    const Values q = value("probs"), ds = value("d_logits"), dy = value(from_head_);
    const std::size_t target = targetOr(0), w = pickedIn("d_logits", target);
    page_.question = tr("How should each word's score move, so that “%1” becomes more likely?")
                         .arg(shownText(elidedWord(word(target))));
    page_.formula = formula("∂L/∂s_{w} = ( q_{w} − t_{w} ) / N     ∂L/∂%1 = Σ_{w} ∂L/∂s_{w} U_{w}").arg(head_letter_);
    shapes(QStringLiteral("(%1)").arg(V_), QStringLiteral("(%1)").arg(D_));
    page_.heading = tr("word");
    page_.columns = {{formula("q_{w}")},
                     {formula("t_{w}")},
                     {formula("∂L/∂s_{w}")},
                     gradientBar(),
                     {tr("the score should"), Kind::words}};
    double most = 0;
    for (const std::size_t i : listedWords()) most = std::max(most, std::abs(at(ds, i)));
    for (const std::size_t i : listedWords()) {
        wordRow(i);
        OperationRow& r = page_.rows.back();
        r.cells = {number(at(q, i), ref("probs", i)), plain(i == target ? QStringLiteral("1") : QStringLiteral("0")),
                   gradientNumber(at(ds, i), ref("d_logits", i), true), bar(at(ds, i), most),
                   plain(at(ds, i) < 0   ? tr("rise")
                         : at(ds, i) > 0 ? tr("fall")
                                         : tr("stay"))};
    }
    page_.strips = {strip(formula("∂L/∂s"), "d_logits", 0, ds),
                    strip(formula("∂L/∂%1").arg(head_letter_), from_head_, 0, dy)};
    for (OperationRow& r : page_.rows) {
        const bool right = r.cells[1].text == QStringLiteral("1");
        settle({&r.cells[0]}, [&] { return gives((shown(r.cells[0]) - right) / double(N_), r.cells[2]); },
               {&r.cells[2]});
    }
    page_.worked = {gradientLine(formula("∂L/∂s_{%1}").arg(literal(w)),
                                 {(Shown::number(at(q, w)) - Shown::exact(w == target ? 1 : 0)) / Shown::exact(N_)},
                                 at(ds, w))};
    page_.notice = tr("They add up to 0: the right word rises, the others fall.") + u' ' + ofTheBatch();
    page_.keras = QStringLiteral("ds, dy = tape.gradient(loss, [s, y])");
    finish(at(ds, w), (at(q, w) - (w == target ? 1 : 0)) / double(N_), ref("d_logits", w));
}

void PageBuilder::meanBackward() {
    whole_ = true;
    page_.question = tr("How much of the gradient does each word's sum get?");
    page_.formula = formula("∂L/∂y_{t} = ∂L/∂%1 / %2").arg(head_letter_).arg(averaged_);
    shapes(QStringLiteral("(%1)").arg(D_), QStringLiteral("(%1, %2)").arg(T_).arg(D_));
    const Values dmean = value("d_mean"), rows = value("d_mixed");
    const std::size_t t = token_, first = std::min(t * D_, rows.size() - D_);
    const std::size_t picked = pickedIn("d_mixed", first + largest(rows.subspan(first, D_))), d = picked % D_;
    page_.heading = tr("word");
    page_.columns = {{formula("|∂L/∂y_{t}|")}, {formula("∂L/∂y_{t}"), Kind::strip}};
    const auto row = [&](std::size_t position, const QString& label, bool left_out) {
        OperationRow r;
        r.label = label;
        r.faint = left_out || position < phrase_.padding;
        const Values own = rows.subspan(position * D_, D_);
        if (left_out)
            r.note = tr("left out by the mask: no gradient");
        else {
            r.cells = {gradientNumber(lengthOf(own)), stripCell(formula("∂L/∂y"), "d_mixed", position * D_, own)};
            r.cells[0].text = traceText(lengthOf(own));
        }
        r.current = position == picked / D_;
        page_.rows.push_back(std::move(r));
    };
    if (phrase_.padding) row(0, tr("padding × %1").arg(phrase_.padding), masked_);
    for (std::size_t i = 0; i < phrase_.positions.size(); ++i) row(phrase_.positions[i], phrase_.words[i], false);
    page_.strips = {strip(formula("∂L/∂%1").arg(head_letter_), "d_mean", 0, dmean)};
    const bool left_out = masked_ && picked / D_ < phrase_.padding;
    page_.worked = {gradientLine(
        formula("∂L/∂y_{%1, %2}").arg(literal(std::size_t(t_.ids[example_ * T_ + picked / D_])), QString::number(d)),
        {left_out ? Shown::exact(0) : Shown::gradient(at(dmean, d)) / Shown::exact(averaged_)}, at(rows, picked))};
    page_.notice = averaged_ == 1 ? tr("One word, nothing else: it gets all of it.")
                                  : tr("All get the same: the mean does not know which word was worth more.");
    page_.keras = QStringLiteral("dy = tape.gradient(loss, y)");
    finish(at(rows, picked), left_out ? 0 : at(dmean, d) / double(averaged_), ref("d_mixed", picked));
}

void PageBuilder::weightedSumToExperts() {
    page_.question = tr("How much of the gradient does each expert get?");
    page_.formula = formula("∂L/∂y_{e} = g_{e} · ∂L/∂y");
    shapes(QStringLiteral("(%1)").arg(D_), QStringLiteral("(%1, %2)").arg(K_).arg(D_));
    const Values g = value("expert_weights"), dy = value("d_mixed"), all = value("d_answers");
    const std::size_t picked = pickedIn("d_answers"), k = picked / D_, d = picked % D_;
    page_.heading = tr("expert");
    page_.columns = {{formula("g_{e}")}, {formula("|∂L/∂y_{e}|")}, {formula("∂L/∂y_{e}"), Kind::strip}};
    for (const Visitor& v : visitors()) {
        OperationRow& r = expertRow(v, true);
        if (!v.visit) continue;
        const Values own = value("d_answers", *v.visit);
        r.cells = {number(at(g, *v.visit), ref("expert_weights", *v.visit)), gradientNumber(lengthOf(own)),
                   stripCell(formula("∂L/∂y_{%1}").arg(expertLetter(v.expert)), "d_answers", *v.visit * D_, own)};
        r.cells[1].text = traceText(lengthOf(own));
    }
    othersRow();
    page_.strips = {strip(formula("∂L/∂y"), "d_mixed", 0, dy)};
    page_.worked = {gradientLine(formula("∂L/∂y_{%1, %2}").arg(expertLetter(expertOf(k)), QString::number(d)),
                                 {Shown::number(at(g, k)) * Shown::gradient(at(dy, d))}, at(all, picked))};
    page_.notice =
        K_ == 1
            ? (tokens_
                   ? tr("The chosen expert gets all of it; the experts that were not chosen learn nothing from this "
                        "word.")
                   : tr("The chosen expert gets all of it; the experts that were not chosen learn nothing from this "
                        "phrase."))
        : soft_   ? tr("Same direction for all, each as long as its weight: who was trusted most learns most.")
        : tokens_ ? tr("Each as long as its weight; the experts that were not chosen learn nothing from this word.")
                  : tr("Each as long as its weight; the experts that were not chosen learn nothing from this phrase.");
    page_.keras = QStringLiteral("danswers = tape.gradient(loss, answers)");
    finish(at(all, picked), at(g, k) * at(dy, d), ref("d_answers", picked));
    markVisit(k);
}

void PageBuilder::weightedSumToGate() {
    page_.question = tr("Would more of an expert's answer have helped?");
    page_.formula = formula("∂L/∂g_{e} = y_{e} · ∂L/∂y = Σ_{d} y_{e, d} ∂L/∂y_{d}");
    shapes(QStringLiteral("(%1), (%2, %1)").arg(D_).arg(K_), QStringLiteral("(%1)").arg(K_));
    const Values dy = value("d_mixed"), dg = value("d_expert_weights");
    std::size_t k = visitOf(pickedExpert(E_));
    if (k >= K_) k = largest(dg);
    page_.heading = tr("expert");
    page_.columns = {{formula("|y_{e}|")},
                     {formula("g_{e}")},
                     {formula("∂L/∂g_{e}")},
                     gradientBar(),
                     {tr("would help"), Kind::words}};
    const double most = std::abs(at(dg, largest(dg)));
    for (const Visitor& v : visitors()) {
        OperationRow& r = expertRow(v, true);
        if (!v.visit) continue;
        const double slope = at(dg, *v.visit);
        r.cells = {number(lengthOf(value("answers", *v.visit))),
                   number(at(value("expert_weights"), *v.visit), ref("expert_weights", *v.visit)),
                   gradientNumber(slope, ref("d_expert_weights", *v.visit), true), bar(slope, most),
                   plain(slope < 0   ? tr("more of it")
                         : slope > 0 ? tr("less of it")
                                     : QStringLiteral("–"))};
    }
    othersRow();
    page_.strips = {strip(formula("∂L/∂y"), "d_mixed", 0, dy), strip(formula("∂L/∂g"), "d_expert_weights", 0, dg)};
    const Values y = value("answers", k);
    std::vector<Term> terms;
    for (std::size_t d = 0; d < D_; ++d)
        terms.emplace_back(Shown::number(at(y, d)) * Shown::gradient(at(dy, d)), at(y, d) * at(dy, d));
    page_.worked = {
        gradientLine(formula("∂L/∂g_{%1}").arg(expertLetter(expertOf(k))), {sumOf(terms, 2, at(dg, k))}, at(dg, k))};
    page_.notice = K_ == 1 ? tr("It leads nowhere: with one chosen expert the weight is 1, whatever its score.")
                           : tr("Below 0: the answer points where the loss falls, so more of it would have helped.");
    page_.keras = QStringLiteral("dg = tape.gradient(loss, g)");
    finish(at(dg, k), dot(y, dy), ref("d_expert_weights", k));
}

void PageBuilder::balanceToGate() {
    countBalance();
    const double alpha = t_.experiment.model.balance_loss;
    const QString p = soft_ ? QStringLiteral("g") : QStringLiteral("p");
    page_.question = tr("Which experts does the balance loss want used less?");
    page_.formula = formula("∂B/∂%1_{e} = α E f_{e} / N").arg(p);
    shapes(tr("batch (%1, %2)").arg(std::size_t(balance_rows_)).arg(E_), QStringLiteral("(%1)").arg(E_));
    const Values db = value("d_gate_probs_balance");
    const double rows = balance_rows_;
    const bool left_out = outOfBalance(tokens_ ? example_ * T_ + token_ : example_);
    const std::size_t e = pickedExpert(largestExpert(db));
    page_.heading = tr("expert");
    page_.columns = {{formula("f_{e}")}, {formula("P_{e}")}, {formula("∂B/∂%1_{e}").arg(p)}, gradientBar()};
    const double most = std::abs(at(db, largest(db)));
    for (const Visitor& v : visitors()) {
        OperationRow& r = expertRow({v.expert, 0}, false);
        r.cells = {number(balanceShare(v.expert)), number(meanProbability(v.expert)),
                   gradientNumber(at(db, v.expert), ref("d_gate_probs_balance", v.expert), true),
                   bar(at(db, v.expert), most)};
    }
    OperationCell strength = number(alpha);
    std::vector<OperationCell*> operands{&strength};
    for (OperationRow& r : page_.rows) operands.push_back(&r.cells[0]);
    if (!left_out)
        settle(operands, [&] {
            return std::ranges::all_of(page_.rows, [&](const OperationRow& r) {
                return gives(shown(strength) * double(E_) * shown(r.cells[0]) / rows, r.cells[2]);
            });
        });
    othersRow(tr("in the strip below"));
    page_.strips = {strip(formula("∂B/∂%1").arg(p), "d_gate_probs_balance", 0, db)};
    page_.aside = formula("α = %1").arg(strength.text);
    page_.worked = {gradientLine(formula("∂B/∂%1_{%2}").arg(p, expertLetter(e)),
                                 {left_out ? Shown::exact(0)
                                           : Shown::number(alpha) * Shown::exact(E_) * Shown::number(balanceShare(e)) /
                                                 Shown::exact(std::size_t(rows))},
                                 at(db, e))};
    page_.notice =
        left_out ? tr("The mask leaves padding out: it does not count for the balance.")
        : tokens_
            ? tr("The same for every token of the batch: the more often an expert was chosen, the stronger it is "
                 "pushed down. f itself has no gradient: a count has no slope.")
            : tr("The same for every example of the batch: the more often an expert was chosen, the stronger it is "
                 "pushed down. f itself has no gradient: a count has no slope.");
    page_.keras = QStringLiteral("dp = tape.gradient(B, %1)").arg(p);
    finish(at(db, e), left_out ? 0 : alpha * double(E_) * balanceShare(e) / rows, ref("d_gate_probs_balance", e));
}

// g · ( ∂L/∂g − Σ ) from the row's own cells and from the sum beside the formula; with a balance loss the two parts add
// up to the slope. What is the one's operand is the other's result, so both are settled together.
void PageBuilder::settleSlopes(OperationCell& sum) {
    std::vector<OperationRow*> rows;
    std::vector<OperationCell*> slopes{&sum};
    const auto follows = [&](const OperationRow& r, const auto& of) {
        const double difference = of(r.cells[1]) - of(sum);
        return gives(balanced_ ? of(r.cells[0]) * difference : difference, r.cells[2]);
    };
    const auto in_full = [](const OperationCell& cell) { return shownValue(*cell.value, most_digits); };
    for (OperationRow& r : page_.rows) {
        if (r.cells.empty()) continue;
        const bool chosen = r.cells[0].value.has_value();
        if (balanced_)
            settle({&r.cells[2], &r.cells[3]},
                   [&] {
                       return gives(shown(r.cells[2]) + shown(r.cells[3]), r.cells[4]) &&
                              (!chosen || follows(r, in_full));
                   },
                   {&r.cells[4]});
        if (!chosen) continue;
        rows.push_back(&r);
        slopes.push_back(&r.cells[1]);
        if (balanced_) slopes.push_back(&r.cells[0]);
        if (!balanced_)
            settle({&r.cells[0], &r.cells[2]},
                   [&] { return gives(shown(r.cells[0]) * shown(r.cells[2]), r.cells[3]) && follows(r, in_full); },
                   {&r.cells[3]});
    }
    settle(slopes,
           [&] { return std::ranges::all_of(rows, [&](const OperationRow* r) { return follows(*r, &shown); }); });
}

void PageBuilder::gateSoftmaxBackward() {
    const Values g = value("expert_weights"), dg = value("d_expert_weights"), p = value("gate_probs"),
                 db = value("d_gate_probs_balance"), task = value("d_gate_logits_task"),
                 balance = value("d_gate_logits_balance"), dz = value("d_gate_logits");
    const bool moves = lengthOf(dz) > 0;
    page_.question = t_.targets.empty() ? QString()
                                        : tr("How should each gate score move, so that “%1” becomes more likely?")
                                              .arg(shownText(elidedWord(word(targetOr(0)))));
    page_.formula = formula("∂L/∂z_{e} = g_{e} ( ∂L/∂g_{e} − Σ_{j} g_{j} ∂L/∂g_{j} )");
    if (balanced_) {
        const QString q = soft_ ? QStringLiteral("g") : QStringLiteral("p");
        page_.formula += formula(" + %1_{e} ( ∂B/∂%1_{e} − Σ_{j} %1_{j} ∂B/∂%1_{j} )").arg(q);
    }
    shapes(QStringLiteral("(%1)").arg(K_), QStringLiteral("(%1)").arg(E_));
    page_.heading = tr("expert");
    const double mean = dot(g, dg);
    double balance_mean = 0;
    for (std::size_t e = 0; e < E_; ++e) balance_mean += at(p, e) * (balanced_ ? at(db, e) : 0);
    const std::size_t e = pickedExpert(largestExpert(dz)), k = visitOf(e);
    page_.columns = {{formula("g_{e}")}, {formula("∂L/∂g_{e}")}};
    if (balanced_) {
        page_.columns.push_back({tr("by answers")});
        page_.columns.push_back({tr("by balance")});
    } else {
        page_.columns.push_back({tr("minus Σ")});
    }
    page_.columns.push_back({formula("∂L/∂z_{e}")});
    page_.columns.push_back(gradientBar());
    page_.columns.push_back({tr("the score should"), Kind::words});
    const double most = std::abs(at(dz, largest(dz)));
    for (const Visitor& v : visitors()) {
        OperationRow& r = expertRow(v, !balanced_);
        if (!v.visit && !balanced_) continue;
        const double slope = at(dz, v.expert);
        if (v.visit) {
            r.cells.push_back(number(at(g, *v.visit), ref("expert_weights", *v.visit)));
            r.cells.push_back(gradientNumber(at(dg, *v.visit), ref("d_expert_weights", *v.visit)));
        } else {
            r.cells.push_back(plain(QStringLiteral("–")));
            r.cells.push_back(plain(QStringLiteral("–")));
        }
        if (balanced_) {
            r.cells.push_back(gradientNumber(at(task, v.expert), ref("d_gate_logits_task", v.expert)));
            r.cells.push_back(gradientNumber(at(balance, v.expert), ref("d_gate_logits_balance", v.expert)));
        } else {
            r.cells.push_back(signedNumber(at(dg, *v.visit) - mean));
        }
        r.cells.push_back(gradientNumber(slope, ref("d_gate_logits", v.expert), true));
        r.cells.push_back(bar(slope, most));
        r.cells.push_back(plain(slope < 0 ? tr("rise") : slope > 0 ? tr("fall") : tr("stay")));
    }
    OperationCell sum = number(mean);
    settleSlopes(sum);
    othersRow(balanced_ ? tr("in the strip below") : QString());
    page_.strips = {strip(formula("∂L/∂z"), "d_gate_logits", 0, dz)};
    page_.aside = formula("Σ = %1").arg(sum.text);
    const double by_answers = k < K_ ? at(g, k) * (at(dg, k) - mean) : 0,
                 by_balance = balanced_ ? at(p, e) * (at(db, e) - balance_mean) : 0;
    const QString letter = expertLetter(e);
    if (k < K_)
        page_.worked = {gradientLine(balanced_ ? tr("by answers") : formula("∂L/∂z_{%1}").arg(letter),
                                     {Shown::number(at(g, k)) * (Shown::gradient(at(dg, k)) - Shown::number(mean))},
                                     at(task, e))};
    if (balanced_)
        page_.worked.push_back(gradientLine(formula("∂L/∂z_{%1}").arg(letter),
                                            {Shown::gradient(at(task, e)) + Shown::gradient(at(balance, e))},
                                            at(dz, e)));
    if (page_.worked.empty()) page_.worked = {formula("∂L/∂z_{%1} = 0").arg(letter)};
    if (K_ == 1)
        page_.notice =
            balanced_ && moves
                ? tr("One chosen expert has the weight 1 and a softmax of one has no slope: the answers leave "
                     "the gate no gradient, only the balance loss moves it.")
                : tr("One chosen expert has the weight 1 and a softmax of one has no slope: the answers leave "
                     "the gate no gradient, so it does not learn whom to choose.");
    else
        page_.notice = soft_
                           ? tr("The %1 add up to 0: a softmax can only move trust from one expert to another.").arg(E_)
                           : tr("By the answers the %1 chosen add up to 0: trust moves among them alone.").arg(K_);
    if (balanced_ && K_ > 1) {
        const double a = lengthOf(task), b = lengthOf(balance);
        if (a + b > 0)
            page_.notice +=
                u' ' +
                tr("Two parts add up to it: through the answers, %1 long, and from the balance loss, %2 long; they "
                   "may point against each other.")
                    .arg(traceText(a), traceText(b));
    }
    page_.keras = QStringLiteral("dz = tape.gradient(loss%1, z)").arg(balanced_ ? QStringLiteral(" + B") : QString());
    finish(at(dz, e), by_answers + by_balance, ref("d_gate_logits", e));
    for (OperationRow& r : page_.rows) r.current = r.expert == e;
}

void PageBuilder::gateScoresBackward() {
    page_.question = tr("What should the gate see differently?");
    page_.formula = formula("∂L/∂x^{gate} = Σ_{e} ∂L/∂z_{e} W_{e}     ∂L/∂W_{d, e} = Σ_{%1} x_{d} ∂L/∂z_{e}")
                        .arg(tokens_ ? QStringLiteral("n, t") : QStringLiteral("n"));
    shapes(QStringLiteral("(%1)").arg(E_), QStringLiteral("(%1)").arg(D_));
    const Values x = value(at_gate_), dz = value("d_gate_logits"), dx = value(from_gate_), W = parameter("gate/kernel"),
                 dW = gradient("gate/kernel"), db = gradient("gate/bias");
    const std::size_t d = pickedIn(from_gate_);
    page_.heading = tr("expert");
    page_.columns = {{formula("∂L/∂z_{e}")},
                     {formula("∂L/∂z_{e} · W_{%1, e}").arg(d)},
                     {formula("|∂L/∂W_{e}|")},
                     {formula("∂L/∂b_{e}")}};
    double sum = 0;
    std::vector<Term> terms;
    for (std::size_t e = 0; e < E_; ++e) {
        const double w = at(W, d * E_ + e);
        sum += at(dz, e) * w;
        if (at(dz, e) != 0) terms.emplace_back(Shown::gradient(at(dz, e)) * Shown::number(w), at(dz, e) * w);
    }
    for (const Visitor& v : visitors()) {
        OperationRow& r = expertRow(v, false);
        double column = 0;
        for (std::size_t i = 0; i < D_; ++i) column += std::pow(at(dW, i * E_ + v.expert), 2);
        r.cells = {gradientNumber(at(dz, v.expert), ref("d_gate_logits", v.expert)),
                   gradientNumber(at(dz, v.expert) * at(W, d * E_ + v.expert)), gradientNumber(std::sqrt(column)),
                   gradientNumber(at(db, v.expert), parameterRef("d:gate/bias", v.expert))};
        r.cells[2].text = traceText(std::sqrt(column));
    }
    othersRow(tr("in the strip below"));
    page_.strips = {strip(formula("∂L/∂z"), "d_gate_logits", 0, dz), strip(formula("∂L/∂x^{gate}"), from_gate_, 0, dx)};
    page_.worked = {gradientLine(formula("∂L/∂x^{gate}_{%1}").arg(d), {sumOf(terms, 4, at(dx, d))}, at(dx, d))};
    page_.notice =
        tr("The two columns at the right are what W and b learn: summed over the batch's %1 examples.").arg(N_);
    page_.keras = QStringLiteral("dW, db = tape.gradient(%1, [gate.kernel, gate.bias])")
                      .arg(balanced_ ? QStringLiteral("loss + B") : QStringLiteral("loss"));
    finish(at(dx, d), sum, ref(from_gate_, d));
}

void PageBuilder::expertOutputBackward() {
    page_.question = tr("What should each expert's hidden units do?");
    page_.formula = formula("∂L/∂h_{e} = V_{e} ∂L/∂y_{e}");
    shapes(QStringLiteral("(%1, %2)").arg(K_).arg(D_), QStringLiteral("(%1, %2)").arg(K_).arg(H_));
    const Values all = value("d_hidden"), V = parameter("experts/output/kernel"),
                 dV = gradient("experts/output/kernel");
    const std::size_t picked = pickedIn("d_hidden"), k = picked / H_, j = picked % H_;
    page_.heading = tr("expert");
    page_.columns = {{formula("|∂L/∂y_{e}|")},
                     {formula("|∂L/∂V_{e}|")},
                     {formula("|∂L/∂h_{e}|")},
                     {formula("∂L/∂h_{e}"), Kind::strip}};
    for (const Visitor& v : visitors()) {
        OperationRow& r = expertRow(v, true);
        if (!v.visit) continue;
        const Values own = value("d_hidden", *v.visit);
        const auto length = [&](Values values) {
            OperationCell c = gradientNumber(lengthOf(values));
            c.text = traceText(*c.value);
            return c;
        };
        r.cells = {length(value("d_answers", *v.visit)),
                   length(dV.empty() ? Values() : dV.subspan(v.expert * H_ * D_, H_ * D_)), length(own),
                   stripCell(formula("∂L/∂h_{%1}").arg(expertLetter(v.expert)), "d_hidden", *v.visit * H_, own)};
    }
    othersRow();
    const std::size_t e = expertOf(k);
    const Values dy = value("d_answers", k);
    std::vector<Term> terms;
    double sum = 0;
    for (std::size_t d = 0; d < D_; ++d) {
        const double v = at(V, (e * H_ + j) * D_ + d);
        sum += v * at(dy, d);
        terms.emplace_back(Shown::number(v) * Shown::gradient(at(dy, d)), v * at(dy, d));
    }
    page_.worked = {gradientLine(formula("∂L/∂h_{%1, %2}").arg(expertLetter(e), QString::number(j)),
                                 {sumOf(terms, 2, at(all, picked))}, at(all, picked))};
    page_.notice = tr("|∂L/∂V| is what the expert's output weights learn from the whole batch of %1 examples.").arg(N_);
    page_.keras = QStringLiteral("dh = tape.gradient(loss, h)");
    finish(at(all, picked), sum, ref("d_hidden", picked));
    markVisit(k);
}

void PageBuilder::expertHiddenBackward() {
    const bool relu = activation_ == Activation::relu;
    page_.question = activation_ == Activation::linear
                         ? tr("What passes back through the hidden units?")
                         : tr("What passes back through the %1?").arg(activationName(t_.experiment.model));
    page_.formula = formula("∂L/∂a_{e} = ∂L/∂h_{e} %1     ∂L/∂x^{experts} = Σ_{e} W_{e} ∂L/∂a_{e}")
                        .arg(relu ? tr("where h_{e} > 0, else 0") : slopeFormula());
    shapes(QStringLiteral("(%1, %2)").arg(K_).arg(H_), QStringLiteral("(%1)").arg(D_));
    const Values all = value("d_hidden_sums"), h = value("hidden"), dh = value("d_hidden"), dx = value(from_experts_);
    const std::size_t picked = pickedIn("d_hidden_sums"), k = picked / H_, j = picked % H_;
    page_.heading = tr("expert");
    page_.columns = {{relu ? tr("units open") : tr("units above 0")},
                     {formula("|∂L/∂h_{e}|")},
                     {formula("|∂L/∂a_{e}|")},
                     {formula("∂L/∂a_{e}"), Kind::strip}};
    for (const Visitor& v : visitors()) {
        OperationRow& r = expertRow(v, true);
        if (!v.visit) continue;
        const Values own = value("d_hidden_sums", *v.visit), units = value("hidden", *v.visit);
        const auto open = std::size_t(std::ranges::count_if(units, [](float f) { return f > 0; }));
        const auto length = [&](Values values) {
            OperationCell c = gradientNumber(lengthOf(values));
            c.text = traceText(*c.value);
            return c;
        };
        r.cells = {plain(tr("%1 of %2").arg(open).arg(H_)), length(value("d_hidden", *v.visit)), length(own),
                   stripCell(formula("∂L/∂a_{%1}").arg(expertLetter(v.expert)), "d_hidden_sums", *v.visit * H_, own)};
    }
    othersRow();
    page_.strips = {strip(formula("∂L/∂x^{experts}"), from_experts_, 0, dx)};
    const QString letter = expertLetter(expertOf(k));
    const double slope = activation_slope(activation_, at(value("hidden_sums"), picked));
    page_.worked = {
        !relu ? gradientLine(formula("∂L/∂a_{%1, %2}").arg(letter, QString::number(j)),
                             {Shown::gradient(at(dh, picked)) * Shown::number(slope)}, at(all, picked))
        : at(h, picked) > 0
            ? formula("∂L/∂a_{%1, %2} = ∂L/∂h_{%1, %2} = ~{%3}   h_{%1, %2} = %4 > 0")
                  .arg(letter, QString::number(j), traceText(at(all, picked), true), traceText(at(h, picked)))
            : formula("∂L/∂a_{%1, %2} = 0   h_{%1, %2} = 0").arg(letter, QString::number(j))};
    page_.notice =
        relu ? tr("Units that were 0 on the way forward get no gradient on the way back; the others pass it on to x.")
             : slopeNotice();
    page_.keras = QStringLiteral("dx = tape.gradient(loss, x)  # ") + tr("with the gate's part");
    finish(at(all, picked), relu ? (at(h, picked) > 0 ? at(dh, picked) : 0) : at(dh, picked) * slope,
           ref("d_hidden_sums", picked));
    markVisit(k);
}

void PageBuilder::embeddingBackward() {
    whole_ = true;
    page_.question = tr("What does each word's row of the embedding learn?");
    page_.formula = tokens_
                        ? formula("∂L/∂r_{t} = ∂L/∂r_{t}^{experts} + ∂L/∂r_{t}^{gate}")
                        : formula("∂L/∂x = ∂L/∂x^{experts} + ∂L/∂x^{gate}     ∂L/∂r_{t} = ∂L/∂x / %1").arg(averaged_);
    shapes(QStringLiteral("(%1)").arg(D_), QStringLiteral("(%1, %2)").arg(T_).arg(D_));
    const Values rows = value("d_embedding_rows"), experts = value(from_experts_), gate = value(from_gate_),
                 table = gradient("embedding");
    std::size_t first = tokens_ ? token_ * D_ : phrase_.positions.empty() ? 0 : phrase_.positions.back() * D_;
    if (first + D_ <= rows.size()) first += largest(rows.subspan(first, D_));
    const std::size_t picked = pickedIn("d_embedding_rows", first), t = picked / D_, d = picked % D_,
                      part = tokens_ ? picked : d, places = tokens_ ? 1 : averaged_;  // of the two gradients
    const auto own = [&](Values v) { return tokens_ ? v.subspan(std::min(t * D_, v.size() - D_), D_) : v; };
    page_.heading = tr("word");
    page_.columns = {{formula("|∂L/∂r_{t}|")}, {tr("row, whole batch")}, {formula("∂L/∂r_{t}"), Kind::strip}};
    const auto row = [&](std::size_t position, const QString& label) {
        OperationRow r;
        r.label = label;
        const Values slopes = rows.subspan(position * D_, D_);
        const auto id = std::size_t(t_.ids[example_ * T_ + position]);
        const auto length = [&](Values values) {
            OperationCell c = gradientNumber(lengthOf(values));
            c.text = traceText(*c.value);
            return c;
        };
        r.cells = {length(slopes), length(table.size() >= (id + 1) * D_ ? table.subspan(id * D_, D_) : Values()),
                   stripCell(formula("∂L/∂r"), "d_embedding_rows", position * D_, slopes)};
        r.current = position == t;
        page_.rows.push_back(std::move(r));
    };
    if (phrase_.padding) {
        if (masked_) {
            OperationRow r;
            r.label = tr("padding × %1").arg(phrase_.padding);
            r.note = tr("left out by the mask: no gradient");
            r.faint = true;
            page_.rows.push_back(std::move(r));
        } else {
            row(0, tr("padding × %1").arg(phrase_.padding));
            page_.rows.back().faint = true;
        }
    }
    for (std::size_t i = 0; i < phrase_.positions.size(); ++i) row(phrase_.positions[i], phrase_.words[i]);
    page_.worked = {gradientLine(
        formula("∂L/∂r_{%1, %2}").arg(literal(std::size_t(t_.ids[example_ * T_ + t])), QString::number(d)),
        {tokens_ ? Shown::gradient(at(experts, part)) + Shown::gradient(at(gate, part))
                 : (Shown::gradient(at(experts, d)) + Shown::gradient(at(gate, d))) / Shown::exact(averaged_)},
        at(rows, picked))};
    page_.aside = tr("experts %1, gate %2").arg(traceText(lengthOf(own(experts))), traceText(lengthOf(own(gate))));
    page_.notice = phrase_.padding && !masked_ ? tr("Padding learns too: its row gets the gradients of all its places.")
                   : tokens_
                       ? tr("Each word gets its own; a word that stands in several places collects from all of them.")
                       : tr("All words of the phrase get the same; a word that stands in several examples collects "
                            "from all of them.");
    page_.keras = QStringLiteral("dE = tape.gradient(%1, model.get_layer(\"embedding\").embeddings)")
                      .arg(balanced_ ? QStringLiteral("loss + B") : QStringLiteral("loss"));
    finish(at(rows, picked), (at(experts, part) + at(gate, part)) / double(places), ref("d_embedding_rows", picked));
    for (OperationRow& r : page_.rows)
        if (!r.cells.empty() && r.cells.back().strip) r.current = r.cells.back().strip->first.index == t * D_;
}

}  // namespace moe::app
