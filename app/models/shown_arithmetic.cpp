#include "app/models/shown_arithmetic.h"

#include "app/models/number_text.h"

#include <algorithm>
#include <cmath>

namespace moe::app {

namespace {

QString nameOf(Activation f, bool slope) {
    if (f == Activation::relu) return slope ? QStringLiteral("max′( 0, ") : QStringLiteral("max( 0, ");
    const QString name = f == Activation::tanh ? QStringLiteral("tanh") : QStringLiteral("gelu");
    return name + (slope ? QStringLiteral("′( ") : QStringLiteral("( "));
}

}  // namespace

bool readsAs(double calculated, double result, int digits) {
    return valueText(calculated, digits) == valueText(result, digits) ||
           std::abs(calculated - result) <= 1e-6 * std::abs(result);
}

Shown Shown::number(double value, std::optional<NumberRef> link) {
    Node n{Kind::number};
    n.value = value, n.link = std::move(link);
    return Shown(std::move(n));
}

Shown Shown::gradient(double value) {
    Node n{Kind::number};
    n.value = value, n.gradient = true;
    return Shown(std::move(n));
}

Shown Shown::exact(const QString& text, double value) {
    Node n{Kind::exact};
    n.value = value, n.text = text;
    return Shown(std::move(n));
}

Shown Shown::exact(std::size_t whole) {
    return exact(QString::number(whole), double(whole));
}

Shown Shown::more(std::size_t count, double value) {
    Node n{Kind::more};
    n.value = value, n.count = count;
    return Shown(std::move(n));
}

Shown Shown::with(Kind kind, std::vector<Shown> of) {
    Node n{kind};
    n.of = std::move(of);
    return Shown(std::move(n));
}

Shown Shown::exp(Shown of) {
    return with(Kind::exp, {std::move(of)});
}

Shown Shown::ln(Shown of) {
    return with(Kind::ln, {std::move(of)});
}

Shown Shown::minusLn(Shown of) {
    return with(Kind::minus_ln, {std::move(of)});
}

Shown Shown::root(Shown of) {
    return with(Kind::root, {std::move(of)});
}

Shown Shown::squared(Shown of) {
    return with(Kind::squared, {std::move(of)});
}

Shown Shown::activated(Activation f, Shown of) {
    if (f == Activation::linear) return of;
    Node n{Kind::activated};
    n.activation = f, n.of = {std::move(of)};
    return Shown(std::move(n));
}

Shown Shown::slope(Activation f, Shown of) {
    Node n{Kind::slope};
    n.activation = f, n.of = {std::move(of)};
    return Shown(std::move(n));
}

Shown operator*(Shown a, Shown b) {
    return Shown::with(Shown::Kind::product, {std::move(a), std::move(b)});
}

Shown operator/(Shown a, Shown b) {
    return Shown::with(Shown::Kind::quotient, {std::move(a), std::move(b)});
}

Shown Shown::sum(Shown a, Shown b, bool taken) {
    Node n{Kind::sum};
    if (a.isSum())
        n.of = a.node_->of, n.taken = a.node_->taken;
    else
        n.of = {std::move(a)}, n.taken = {false};
    n.of.push_back(std::move(b));
    n.taken.push_back(taken);
    return Shown(std::move(n));
}

double Shown::value(int digits) const {
    const Node& n = *node_;
    const auto of = [&](std::size_t i) { return n.of[i].value(digits); };
    switch (n.kind) {
        case Kind::number:
        case Kind::more:
            return shownValue(n.value, digits);
        case Kind::exact:
            return n.value;
        case Kind::sum: {
            double sum = 0;
            for (std::size_t i = 0; i < n.of.size(); ++i) sum += n.taken[i] ? -of(i) : of(i);
            return sum;
        }
        case Kind::product:
            return of(0) * of(1);
        case Kind::quotient:
            return of(0) / of(1);
        case Kind::exp:
            return std::exp(of(0));
        case Kind::ln:
            return std::log(of(0));
        case Kind::minus_ln:
            return -std::log(of(0));
        case Kind::root:
            return std::sqrt(of(0));
        case Kind::squared:
            return of(0) * of(0);
        case Kind::activated:
            return moe::activated(n.activation, of(0));
        case Kind::slope:
            return activation_slope(n.activation, of(0));
    }
    return 0;
}

Shown::Digits Shown::digitsFor(const std::vector<std::pair<Shown, double>>& results) {
    for (Digits d{usual_digits, usual_digits}; d.result > 0; --d.result)
        for (d.operands = usual_digits; d.operands <= most_digits; ++d.operands)
            if (std::ranges::all_of(
                    results, [&](const auto& r) { return readsAs(r.first.value(d.operands), r.second, d.result); }))
                return d;
    return {};
}

void Shown::writeNumber(std::vector<ShownPart>& out, int digits, bool turned) const {
    out.push_back({valueText(turned ? -node_->value : node_->value, digits), node_->link, node_->gradient});
}

void Shown::writeIn(std::vector<ShownPart>& out, int digits, Notation notation, bool brackets) const {
    if (brackets) out.push_back({QStringLiteral("( ")});
    write(out, digits, notation);
    if (brackets) out.push_back({QStringLiteral(" )")});
}

// "a − .305": a number's own minus becomes the sign of the term.
void Shown::writeSum(std::vector<ShownPart>& out, int digits, Notation notation) const {
    const Node& n = *node_;
    n.of[0].write(out, digits, notation);
    for (std::size_t i = 1; i < n.of.size(); ++i) {
        const Shown& term = n.of[i];
        const bool turned = term.isNumber() && term.node_->value < 0;
        out.push_back({n.taken[i] != turned ? QStringLiteral(" − ") : QStringLiteral(" + ")});
        if (turned)
            term.writeNumber(out, digits, true);
        else
            term.writeIn(out, digits, notation, term.isSum());
    }
}

void Shown::write(std::vector<ShownPart>& out, int digits, Notation notation) const {
    const Node& n = *node_;
    const bool page = notation == Notation::page;
    const auto say = [&](const QString& text) { out.push_back({text}); };
    const auto of = [&](std::size_t i, bool brackets) { n.of[i].writeIn(out, digits, notation, brackets); };
    switch (n.kind) {
        case Kind::number:
            writeNumber(out, digits, false);
            break;
        case Kind::exact:
            say(n.text);
            break;
        case Kind::more:
            say(tr("( %1 more: ").arg(n.count));
            writeNumber(out, digits, false);
            say(QStringLiteral(" )"));
            break;
        case Kind::sum:
            writeSum(out, digits, notation);
            break;
        case Kind::product:
            of(0, n.of[0].isSum());
            say(QStringLiteral(" · "));
            of(1, n.of[1].isSum());
            break;
        case Kind::quotient:
            of(0, n.of[0].isSum());
            say(page ? QStringLiteral(" / ") : QStringLiteral(" ÷ "));
            of(1, n.of[1].isSum() || n.of[1].node_->kind == Kind::product || n.of[1].node_->kind == Kind::quotient);
            break;
        case Kind::exp:
            say(page ? QStringLiteral("exp") : QStringLiteral("e^"));
            of(0, page || !n.of[0].isAtom());
            break;
        case Kind::ln:
        case Kind::minus_ln:
            say(n.kind == Kind::ln ? QStringLiteral("ln ") : QStringLiteral("−ln "));
            of(0, !n.of[0].isAtom());
            break;
        case Kind::root:
            say(QStringLiteral("√"));
            of(0, !n.of[0].isAtom());
            break;
        case Kind::squared: {
            const bool brackets = !n.of[0].isAtom() || n.of[0].node_->value < 0;
            of(0, brackets);
            say(QStringLiteral("²"));
            break;
        }
        case Kind::activated:
        case Kind::slope:
            say(nameOf(n.activation, n.kind == Kind::slope));
            of(0, false);
            say(QStringLiteral(" )"));
            break;
    }
}

std::vector<ShownPart> Shown::parts(int digits, Notation notation) const {
    std::vector<ShownPart> out;
    write(out, digits, notation);
    return out;
}

QString Shown::markup(int digits) const {
    QString text;
    for (const ShownPart& part : parts(digits, Notation::page))
        text += part.gradient ? QStringLiteral("~{") + part.text + u'}' : part.text;
    return text;
}

}  // namespace moe::app
