#include "app/models/provenance_card.h"

#include "app/models/run_settings.h"
#include "app/models/text_format.h"
#include "app/models/theme.h"
#include "engine/core/numbers.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace moe::app {

namespace {

using Form = Derivation::Form;
using Q = Quantity;
using P = ParameterId;

constexpr std::size_t inline_terms = 2;  // of a sum that stands in one line
constexpr double largest_plain_score = 8;

}  // namespace

QString NumberName::text() const {
    QStringList parts{symbol};
    if (expert) parts << (marked ? expertName(*expert) : ProvenanceCards::tr("expert %1").arg(expertName(*expert)));
    if (!detail.isEmpty()) parts << detail;
    return parts.join(u' ');
}

ProvenanceCards::ProvenanceCards(std::shared_ptr<const Trace> trace, WordOf word_of)
    : provenance_(std::move(trace)), word_of_(std::move(word_of)) {}

double ProvenanceCards::value(const NumberRef& ref) const {
    const auto number = provenance_.find(ref);
    return number ? provenance_.value(*number) : std::nan("");
}

NumberName ProvenanceCards::name(const NumberRef& ref) const {
    const auto number = provenance_.find(ref);
    return number ? name(*number) : NumberName{};
}

ProvenancePart ProvenanceCards::part(TraceNumber n, int digits) const {
    return {valueText(provenance_.value(n), digits), provenance_.ref(n)};
}

// The largest exponent of a softmax where it is too large to be written out; taken from all of them.
double ProvenanceCards::shiftOf(const Derivation& d) const {
    if (d.form != Form::softmax && d.form != Form::log_of_sum) return 0;
    double top = -INFINITY;
    for (const auto& t : d.terms) top = std::max(top, provenance_.value(t.a));
    return std::abs(top) > largest_plain_score ? top : 0;
}

// The formula with its numbers; nothing where it is a sum of more terms than stand in a line.
std::optional<Shown> ProvenanceCards::arithmetic(const Derivation& d) const {
    const auto raw = [&](TraceNumber n) { return provenance_.value(n); };
    const auto linked = [&](TraceNumber n) { return Shown::number(raw(n), provenance_.ref(n)); };
    const auto over = [&](Shown of) { return d.divisor > 1 ? std::move(of) / Shown::exact(d.divisor) : of; };
    const auto a = [&](std::size_t i) { return linked(d.terms[i].a); };
    const double shift = shiftOf(d);
    double inner = 0;  // the sum inside the formula, where it has one
    if (d.form == Form::softmax_gradient)
        for (const auto& t : d.terms) inner += raw(t.a) * raw(t.b);
    if (d.form == Form::softmax || d.form == Form::log_of_sum)
        for (const auto& t : d.terms) inner += std::exp(raw(t.a) - shift);
    switch (d.form) {
        case Form::given:
            return {};
        case Form::zero:
            return Shown::exact(0);
        case Form::sum: {
            if (d.terms.size() > inline_terms || d.terms.empty()) return {};
            const auto term = [&](const Derivation::Term& t) {
                return t.b.what == Q::none ? linked(t.a) : linked(t.a) * linked(t.b);
            };
            Shown sum = term(d.terms[0]);
            for (std::size_t i = 1; i < d.terms.size(); ++i) sum = std::move(sum) + term(d.terms[i]);
            return over(sum);
        }
        case Form::softmax:
            return Shown::exp(shift != 0 ? a(d.own) - Shown::number(shift) : a(d.own)) / Shown::number(inner);
        case Form::softmax_gradient:
            return a(d.own) * (linked(d.terms[d.own].b) - Shown::number(inner));
        case Form::relu:
            return Shown::activated(Activation::relu, a(0));
        case Form::relu_gradient:
            return a(0);
        case Form::activation:
            return Shown::activated(d.activation, a(0));
        case Form::activation_slope:
            return a(0) * Shown::slope(d.activation, linked(d.terms[0].b));
        case Form::negative_log:
            return Shown::minusLn(a(0));
        case Form::log_of_sum: {
            const Shown log = Shown::ln(Shown::number(inner));
            return (shift != 0 ? log + Shown::number(shift) : log) - a(d.own);
        }
        case Form::softmax_minus_one:
            return over(a(0) - Shown::exact(d.is_target ? 1 : 0));
        case Form::balance_share: {
            const QString share = QStringLiteral("%1/%2").arg(d.choices).arg(d.visits);
            return Shown::number(d.weight) * Shown::exact(provenance_.experts()) *
                   Shown::exact(share, double(d.choices) / double(d.visits)) / Shown::exact(provenance_.balancedRows());
        }
        case Form::momentum:
            return a(0) + (a(1) - a(0)) * Shown::exact(QStringLiteral(".1"), momentum_share);
        case Form::velocity:
            return a(0) + (Shown::squared(a(1)) - a(0)) * Shown::exact(QStringLiteral(".001"), velocity_share);
        case Form::velocity_of_places: {
            double squares = 0;
            for (std::size_t i = 1; i < d.terms.size(); ++i) squares += raw(d.terms[i].a) * raw(d.terms[i].a);
            return a(0) + (Shown::number(squares) - a(0)) * Shown::exact(QStringLiteral(".001"), velocity_share);
        }
        case Form::update:
            return a(0) - Shown::number(d.rate) * a(1) /
                              (Shown::root(a(2)) + Shown::exact(QStringLiteral("1e−7"), adam_shown_epsilon));
    }
    return {};
}

std::vector<ProvenancePart> ProvenanceCards::values(const Derivation& d, int digits) const {
    if (d.form == Form::relu_gradient) {
        const ProvenancePart sum = part(d.terms[0].b, usual_digits);
        if (!(provenance_.value(d.terms[0].b) > 0)) return {{tr("0, as a = ")}, sum, {QStringLiteral(" ≤ 0")}};
        return {part(d.terms[0].a, usual_digits), {tr(", as a = ")}, sum, {QStringLiteral(" > 0")}};
    }
    const std::optional<Shown> line = arithmetic(d);
    if (!line) return {};
    return line->parts(digits, Shown::Notation::card);
}

std::optional<ProvenanceSum> ProvenanceCards::sum(TraceNumber number, const Derivation& d, std::size_t terms) const {
    const bool exponents = d.form == Form::softmax || d.form == Form::log_of_sum;
    if (d.form != Form::sum && d.form != Form::softmax_gradient && !exponents) return {};
    if (d.form == Form::sum && d.terms.size() <= inline_terms) return {};
    const auto raw = [&](TraceNumber n) { return provenance_.value(n); };
    const double shift = shiftOf(d);
    std::vector<double> parts(d.terms.size());
    double total = 0, most = 0;
    for (std::size_t i = 0; i < parts.size(); ++i) {
        const auto& t = d.terms[i];
        parts[i] = exponents ? std::exp(raw(t.a) - shift) : raw(t.a) * (t.b.what == Q::none ? 1.0 : raw(t.b));
        total += parts[i];
        most = std::max(most, std::abs(parts[i]));
    }
    // The total that the card shows is the stored number's; what float lost on the way belongs to the small terms.
    if (d.form == Form::sum) total = provenance_.value(number) * double(d.divisor);
    ProvenanceSum sum;
    if (!std::isfinite(total) || !std::isfinite(most)) {
        sum.smaller = parts.size();
        sum.rest = sum.total = QStringLiteral("–");
        return sum;
    }
    std::vector<std::size_t> order(parts.size());
    std::iota(order.begin(), order.end(), std::size_t(0));
    std::size_t listed = std::min(terms, order.size());
    if (order.size() == listed + 1) ++listed;  // "and 1 smaller" says no less than the term itself
    std::partial_sort(order.begin(), order.begin() + std::ptrdiff_t(listed), order.end(),
                      [&](std::size_t a, std::size_t b) {
                          const double x = std::abs(parts[a]), y = std::abs(parts[b]);
                          return x > y || (x == y && a < b);
                      });

    const double size = std::max(most, std::abs(total));
    if (size > 0 && (size < 1e-3 || size >= 1e5)) sum.exponent = int(std::floor(std::log10(size) / 3)) * 3;
    const double unit = std::pow(10, -sum.exponent);
    const int least = decimalsFor(most * unit, usual_digits);
    const int decimals = total == 0 ? least : std::clamp(decimalsFor(total * unit, usual_digits), least, least + 3);
    const double places = std::pow(10, decimals);
    const auto rounded = [&](double v) { return std::llround(v * unit * places); };
    const auto text = [&](long long units) { return signedText(fixedText(double(units) / places, decimals)); };
    long long rest = rounded(total);
    sum.shown_total = double(rest) / places;
    sum.total = text(rest);
    for (std::size_t i = 0; i < listed; ++i) {
        const auto& t = d.terms[order[i]];
        ProvenanceRow row;
        label(row, number, t);
        row.marked = provenance_.experts() <= max_coloured_experts;
        const long long units = rounded(parts[order[i]]);
        rest -= units;
        row.result = text(units);
        row.shown = double(units) / places;
        int digits = usual_digits;
        const auto shown = [&](TraceNumber n) { return n.what == Q::none ? 1.0 : shownValue(raw(n), digits); };
        for (; digits < most_digits; ++digits) {
            const double result =
                exponents ? std::exp(shown(t.a) - shownValue(shift, digits)) : shown(t.a) * shown(t.b);
            if (rounded(result) == units) break;
        }
        if (exponents) {
            row.parts.push_back({shift != 0 ? QStringLiteral("e^( ") : QStringLiteral("e^")});
            row.parts.push_back(part(t.a, digits));
            if (shift != 0)
                row.parts.push_back({(shift < 0 ? QStringLiteral(" + ") : QStringLiteral(" − ")) +
                                     valueText(std::abs(shift), digits) + QStringLiteral(" )")});
        } else {
            row.parts.push_back(part(t.a, digits));
            if (t.b.what != Q::none) {
                row.parts.push_back({QStringLiteral(" · ")});
                row.parts.push_back(part(t.b, digits));
            }
        }
        sum.rows.push_back(std::move(row));
    }
    sum.smaller = order.size() - listed;
    sum.shown_rest = double(rest) / places;
    if (sum.smaller > 0 || rest != 0) sum.rest = text(rest);
    return sum;
}

ProvenanceCard ProvenanceCards::card(const NumberRef& ref, std::size_t terms) const {
    ProvenanceCard card;
    card.ref = ref;
    const auto number = provenance_.find(ref);
    if (!number) return card;
    const Derivation d = provenance_.derive(*number);
    card.name = name(*number);
    card.value = provenance_.value(*number);
    card.gradient = ref.name.starts_with("d_") || ref.name.starts_with("d:");
    Shown::Digits digits;
    if (const std::optional<Shown> line = arithmetic(d)) digits = Shown::digitsFor({{*line, card.value}});
    card.shown = card.gradient ? signedValueText(card.value, digits.result) : valueText(card.value, digits.result);
    if (number->what == Quantity::target) card.shown = wordText(*provenance_.place(*number).word);
    card.formula = formula(*number, d);
    card.values = values(d, digits.operands);
    if (terms > 0) card.sum = sum(*number, d, terms);
    const auto example = provenance_.place(*number).example;
    if (example && provenance_.examples() > 1 && number->what != Quantity::loss) card.example = exampleText(*example);
    card.note = note(*number, d);
    card.keras = keras(*number);
    if (const auto next = provenance_.next(d)) card.next = provenance_.ref(*next);
    return card;
}

std::vector<ProvenanceCard> ProvenanceCards::chain(const NumberRef& ref, std::size_t terms, std::size_t most) const {
    std::vector<ProvenanceCard> cards;
    for (std::optional<NumberRef> at = ref; at && cards.size() < most; at = cards.back().next)
        cards.push_back(card(*at, cards.empty() ? terms : 0));
    return cards;
}

QString ProvenanceCards::text(const ProvenanceCard& card) {
    QStringList lines;
    lines << card.name.text() + QStringLiteral(" = ") + card.shown;
    if (!card.example.isEmpty()) lines << tr("  example: %1").arg(card.example);
    if (!card.formula.isEmpty()) lines << QStringLiteral("  = ") + card.formula;
    QString values;
    for (const ProvenancePart& part : card.values) values += part.text;
    if (!values.isEmpty()) lines << QStringLiteral("  = ") + values;
    if (card.sum) {
        const ProvenanceSum& sum = *card.sum;
        if (sum.exponent != 0) lines << tr("  in units of %1:").arg(powerText(sum.exponent));
        for (const ProvenanceRow& row : sum.rows) {
            QString factors;
            for (const ProvenancePart& part : row.parts) factors += part.text;
            QStringList head;
            if (row.expert)
                head << (row.marked ? expertName(*row.expert) : tr("expert %1").arg(expertName(*row.expert)));
            if (!row.label.isEmpty()) head << row.label;
            lines << QStringLiteral("  %1: %2 = %3").arg(head.join(u' '), factors, row.result);
        }
        if (sum.smaller > 0)
            lines << tr("  and %1 smaller: %2").arg(countText(sum.smaller), sum.rest);
        else if (!sum.rest.isEmpty())
            lines << tr("  rounding: %1").arg(sum.rest);
        lines << tr("  sum: %1").arg(sum.total);
    }
    if (!card.note.isEmpty()) lines << QStringLiteral("  ") + card.note;
    if (!card.keras.isEmpty()) lines << QStringLiteral("  Keras: ") + card.keras;
    return lines.join(u'\n') + u'\n';
}

}  // namespace moe::app
