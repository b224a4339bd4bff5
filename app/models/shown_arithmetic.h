#pragma once
#include "app/models/number_ref.h"
#include "engine/core/activation.h"

#include <QCoreApplication>
#include <QString>

#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace moe::app {

/// Part of a line; with a link it is a number to go to.
struct ShownPart {
    QString text;
    std::optional<NumberRef> link = std::nullopt;
    bool gradient = false;  // in the colour of gradients
};

inline constexpr int usual_digits = 3, most_digits = 9;

/// Whether a reader who arrives at `calculated` finds `result` as it is shown. Exactly between two roundings he may end
/// on either side.
bool readsAs(double calculated, double result, int digits = usual_digits);

/// Arithmetic that is shown with its numbers: written once, it is set as text and calculated, so that both have the
/// same operands, rounded as they are shown. Immutable and cheap to copy.
class Shown {
    Q_DECLARE_TR_FUNCTIONS(moe::app::Shown)

public:
    enum class Notation { card, page };  // "e^z ÷ 2.1", "exp( z ) / 2.1"

    /// Rounded to the line's digits.
    static Shown number(double value, std::optional<NumberRef> link = std::nullopt);
    static Shown gradient(double value);
    /// Stands as it is written: "8", "1e−7".
    static Shown exact(const QString& text, double value);
    static Shown exact(std::size_t whole);
    static Shown exp(Shown of);
    static Shown ln(Shown of);
    static Shown minusLn(Shown of);
    static Shown root(Shown of);
    static Shown squared(Shown of);
    static Shown activated(Activation f, Shown of);  // "max( 0, a )", "tanh( a )"; of a linear one a itself
    static Shown slope(Activation f, Shown of);      // "gelu′( a )"
    /// "( 12 more: .03 )": the terms of a sum that are not listed.
    static Shown more(std::size_t count, double value);

    friend Shown operator+(Shown a, Shown b) { return Shown::sum(std::move(a), std::move(b), false); }
    friend Shown operator-(Shown a, Shown b) { return Shown::sum(std::move(a), std::move(b), true); }
    friend Shown operator*(Shown a, Shown b);
    friend Shown operator/(Shown a, Shown b);

    /// Calculated from the operands as they are shown.
    double value(int digits) const;
    std::vector<ShownPart> parts(int digits, Notation notation) const;
    QString markup(int digits) const;  // of operation_formula.h, as a page has it

    struct Digits {
        int operands = most_digits, result = usual_digits;
    };
    /// The fewest digits of the operands with which each is calculated to the number beside it. Where no number of
    /// digits does, as where large terms cancel and float's rounding is what remains, the result shows fewer.
    static Digits digitsFor(const std::vector<std::pair<Shown, double>>& results);

private:
    enum class Kind { number, exact, more, sum, product, quotient, exp, ln, minus_ln, root, squared, activated, slope };
    struct Node {
        Kind kind;
        double value = 0;
        QString text = {};
        std::optional<NumberRef> link = std::nullopt;
        bool gradient = false;
        std::size_t count = 0;
        Activation activation = Activation::relu;
        std::vector<Shown> of = {};
        std::vector<bool> taken = {};  // of a sum's: with a minus
    };
    explicit Shown(Node node) : node_(std::make_shared<const Node>(std::move(node))) {}
    static Shown sum(Shown a, Shown b, bool taken);
    static Shown with(Kind kind, std::vector<Shown> of);
    void write(std::vector<ShownPart>& out, int digits, Notation notation) const;
    void writeSum(std::vector<ShownPart>& out, int digits, Notation notation) const;
    void writeIn(std::vector<ShownPart>& out, int digits, Notation notation, bool brackets) const;
    void writeNumber(std::vector<ShownPart>& out, int digits, bool turned) const;
    bool isSum() const { return node_->kind == Kind::sum; }
    bool isNumber() const { return node_->kind == Kind::number; }
    bool isAtom() const { return node_->kind == Kind::number || node_->kind == Kind::exact; }

    std::shared_ptr<const Node> node_;
};

}  // namespace moe::app
