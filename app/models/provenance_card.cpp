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

constexpr int usual_digits = 3, most_digits = 9;
constexpr std::size_t inline_terms = 2;  // of a sum that stands in one line
constexpr double largest_plain_score = 8;

int decimalsFor(double value, int digits) {
    if (value == 0 || !std::isfinite(value)) return 0;
    const int exponent = int(std::floor(std::log10(std::abs(value)))), decimals = digits - 1 - exponent;
    // .9996 is 1.00 and not 1.000.
    const bool next_power = std::abs(value) * std::pow(10, -exponent - 1) >= 1 - 0.5 * std::pow(10, -digits);
    return std::max(0, decimals - (next_power ? 1 : 0));
}

QString withMinus(std::string text) {
    QString shown = QString::fromStdString(text);
    const bool negative = shown.startsWith(u'-');
    if (negative) shown.remove(0, 1);
    if (shown.startsWith(u"0.")) shown.remove(0, 1);
    return negative ? QChar(0x2212) + shown : shown;
}

QString fixedText(double value, int decimals) {
    if (!std::isfinite(value)) return QStringLiteral("–");
    std::string text = to_fixed(value, decimals);
    if (text.find_first_not_of("-0.") == std::string::npos) text = to_fixed(0, decimals);  // no "-0.00"
    return withMinus(text);
}

QString signedText(const QString& text) {
    return text.startsWith(QChar(0x2212)) || text == u"–" || text == u"0" ? text : u'+' + text;
}

}  // namespace

QString valueText(double value, int digits) {
    if (!std::isfinite(value)) return QStringLiteral("–");
    if (value == 0) return QStringLiteral("0");
    const double size = std::abs(value);
    if (size >= 1e6 || size < 1e-4) {
        int exponent = int(std::floor(std::log10(size)));
        std::string mantissa = to_fixed(value / std::pow(10, exponent), digits - 1);
        if (mantissa.find("10.") != std::string::npos)
            mantissa = to_fixed(value / std::pow(10, ++exponent), digits - 1);
        return withMinus(mantissa) + u'e' + (exponent < 0 ? QString(QChar(0x2212)) : QString()) +
               QString::number(std::abs(exponent));
    }
    return fixedText(value, std::min(decimalsFor(value, digits), digits + 4));
}

QString signedValueText(double value, int digits) {
    return signedText(valueText(value, digits));
}

QString powerText(int exponent) {
    return QStringLiteral("1e") + (exponent < 0 ? QString(QChar(0x2212)) : QString()) +
           QString::number(std::abs(exponent));
}

double shownValue(double value, int digits) {
    QString text = valueText(value, digits);
    text.replace(QChar(0x2212), u'-');
    if (text.startsWith(u'.')) text.prepend(u'0');
    if (text.startsWith(u"-.")) text.insert(1, u'0');
    double number = value;
    parse_number(text.toStdString(), number);
    return number;
}

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

std::vector<ProvenancePart> ProvenanceCards::values(TraceNumber number, const Derivation& d) const {
    const auto raw = [&](TraceNumber n) { return provenance_.value(n); };
    const double value = provenance_.value(number);
    const QString target = valueText(value);
    const auto own_a = [&] { return d.terms[d.own].a; };
    const auto own_b = [&] { return d.terms[d.own].b; };
    double inner = 0, shift = 0;  // the sum inside the formula, where it has one
    if (d.form == Form::softmax_gradient)
        for (const auto& t : d.terms) inner += raw(t.a) * raw(t.b);
    if (d.form == Form::softmax || d.form == Form::log_of_sum) {
        double top = -INFINITY;
        for (const auto& t : d.terms) top = std::max(top, raw(t.a));
        shift = std::abs(top) > largest_plain_score ? top : 0;
        for (const auto& t : d.terms) inner += std::exp(raw(t.a) - shift);
    }
    // As many digits as it takes that a reader who calculates with them arrives at the same result.
    int digits = usual_digits;
    const auto arrives = [&](double result) {
        return valueText(result) == target || std::abs(result - value) <= 1e-6 * std::abs(value);
    };
    for (; digits < most_digits; ++digits) {
        const auto shown = [&](double v) { return shownValue(v, digits); };
        if (d.form == Form::softmax) {
            if (arrives(std::exp(shown(raw(own_a())) - shown(shift)) / shown(inner))) break;
        } else if (d.form == Form::softmax_gradient) {
            if (arrives(shown(raw(own_a())) * (shown(raw(own_b())) - shown(inner)))) break;
        } else if (d.form == Form::log_of_sum) {
            if (arrives(std::log(shown(inner)) + shown(shift) - shown(raw(own_a())))) break;
        } else if (d.form == Form::sum && d.terms.size() > inline_terms) {
            break;
        } else {
            Derivation rounded = d;
            rounded.rate = shown(d.rate);
            if (arrives(Provenance::recompute(rounded, [&](TraceNumber n) { return shown(raw(n)); }))) break;
        }
    }
    std::vector<ProvenancePart> out;
    const auto say = [&](const QString& text) { out.push_back({text}); };
    const auto link = [&](TraceNumber n) { out.push_back(part(n, digits)); };
    const auto plain = [&](double v) { say(valueText(v, digits)); };
    // "− .305" after a term, with the sign of what is taken away turned.
    const auto minus = [&](double v) {
        say((v < 0 ? QStringLiteral(" + ") : QStringLiteral(" − ")) + valueText(std::abs(v), digits));
    };
    const QString minus_sign = QStringLiteral(" − ");
    switch (d.form) {
        case Form::given:
            break;
        case Form::zero:
            say(QStringLiteral("0"));
            break;
        case Form::sum: {
            if (d.terms.size() > inline_terms) return {};
            const bool many = d.terms.size() > 1 && d.divisor > 1;
            if (many) say(QStringLiteral("( "));
            for (std::size_t i = 0; i < d.terms.size(); ++i) {
                const bool taken = i > 0 && d.terms[i].b.what == Q::none && raw(d.terms[i].a) < 0;
                if (i > 0) say(taken ? minus_sign : QStringLiteral(" + "));
                if (taken)
                    out.push_back({valueText(-raw(d.terms[i].a), digits), provenance_.ref(d.terms[i].a)});
                else
                    link(d.terms[i].a);
                if (d.terms[i].b.what == Q::none) continue;
                say(QStringLiteral(" · "));
                link(d.terms[i].b);
            }
            if (many) say(QStringLiteral(" )"));
            if (d.divisor > 1) say(QStringLiteral(" ÷ %1").arg(d.divisor));
            break;
        }
        case Form::softmax:
            say(shift != 0 ? QStringLiteral("e^( ") : QStringLiteral("e^"));
            link(own_a());
            if (shift != 0) minus(shift), say(QStringLiteral(" )"));
            say(QStringLiteral(" ÷ "));
            plain(inner);
            break;
        case Form::softmax_gradient:
            link(own_a());
            say(QStringLiteral(" · ( "));
            link(own_b());
            minus(inner);
            say(QStringLiteral(" )"));
            break;
        case Form::relu:
            say(tr("max( 0, "));
            link(d.terms[0].a);
            say(QStringLiteral(" )"));
            break;
        case Form::relu_gradient:
            link(provenance_.value(d.terms[0].b) > 0 ? d.terms[0].a : d.terms[0].b);
            if (provenance_.value(d.terms[0].b) > 0) {
                say(tr(", as a = "));
                link(d.terms[0].b);
                say(QStringLiteral(" > 0"));
            } else {
                out.insert(out.begin(), {tr("0, as a = ")});
                say(QStringLiteral(" ≤ 0"));
            }
            break;
        case Form::negative_log:
            say(tr("−ln "));
            link(d.terms[0].a);
            break;
        case Form::log_of_sum:
            say(tr("ln "));
            plain(inner);
            if (shift != 0) say(QStringLiteral(" + ")), plain(shift);
            say(minus_sign);
            link(own_a());
            break;
        case Form::softmax_minus_one:
            say(QStringLiteral("( "));
            link(d.terms[0].a);
            say(d.is_target ? QStringLiteral(" − 1 )") : QStringLiteral(" − 0 )"));
            if (d.divisor > 1) say(QStringLiteral(" ÷ %1").arg(d.divisor));
            break;
        case Form::balance_share:
            say(QStringLiteral("%1 · %2 · %3/%4 ÷ %5")
                    .arg(valueText(d.weight, digits), QString::number(provenance_.experts()),
                         QString::number(d.choices), QString::number(d.visits),
                         QString::number(provenance_.examples())));
            break;
        case Form::momentum:
        case Form::velocity: {
            const double old = provenance_.value(d.terms[0].a);
            link(d.terms[0].a);
            say(QStringLiteral(" + ( "));
            const bool squared = d.form == Form::velocity, in_brackets = squared && provenance_.value(d.terms[1].a) < 0;
            if (in_brackets) say(QStringLiteral("( "));
            link(d.terms[1].a);
            if (squared) say(in_brackets ? QStringLiteral(" )²") : QStringLiteral("²"));
            say(old < 0 ? QStringLiteral(" + ") : minus_sign);
            out.push_back({valueText(std::abs(old), digits), provenance_.ref(d.terms[0].a)});
            say(d.form == Form::momentum ? QStringLiteral(" ) · .1") : QStringLiteral(" ) · .001"));
            break;
        }
        case Form::update:
            link(d.terms[0].a);
            say(minus_sign);
            plain(d.rate);
            say(QStringLiteral(" · "));
            link(d.terms[1].a);
            say(QStringLiteral(" ÷ ( √"));
            link(d.terms[2].a);
            say(QStringLiteral(" + 1e−7 )"));
            break;
    }
    return out;
}

std::optional<ProvenanceSum> ProvenanceCards::sum(TraceNumber number, const Derivation& d, std::size_t terms) const {
    const bool exponents = d.form == Form::softmax || d.form == Form::log_of_sum;
    if (d.form != Form::sum && d.form != Form::softmax_gradient && !exponents) return {};
    if (d.form == Form::sum && d.terms.size() <= inline_terms) return {};
    const auto raw = [&](TraceNumber n) { return provenance_.value(n); };
    double shift = 0;
    if (exponents) {
        double top = -INFINITY;
        for (const auto& t : d.terms) top = std::max(top, raw(t.a));
        shift = std::abs(top) > largest_plain_score ? top : 0;
    }
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
    card.shown = card.gradient ? signedValueText(card.value) : valueText(card.value);
    if (number->what == Quantity::target) card.shown = wordText(*provenance_.place(*number).word);
    card.formula = formula(*number, d);
    card.values = values(*number, d);
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
