#pragma once
#include "app/models/number_text.h"
#include "app/models/provenance.h"
#include "app/models/shown_arithmetic.h"

#include <QCoreApplication>
#include <QString>

#include <functional>
#include <optional>
#include <vector>

namespace moe::app {

using ProvenancePart = ShownPart;

/// One term of a sum.
struct ProvenanceRow {
    QString label;                      // "dim 3", "“hello”"
    std::optional<std::size_t> expert;  // its mark stands before the label
    std::vector<ProvenancePart> parts;  // ".39 · −.21"
    bool marked = true;                 // as in NumberName
    QString result;                     // "−.082"
    double shown = 0;                   // what `result` says
};

/// A sum, largest terms first; what is shown adds up exactly to what is shown as its total.
struct ProvenanceSum {
    std::vector<ProvenanceRow> rows;
    std::size_t smaller = 0;  // terms that are not listed
    QString rest;             // of them all together; where all are listed, what rounding leaves, or empty
    QString total;
    double shown_rest = 0, shown_total = 0;
    int exponent = 0;  // rows, rest and total are in units of ten to this
};

/// What a number is called.
struct NumberName {
    QString symbol;                                    // "∂L/∂z"
    std::optional<std::size_t> expert = std::nullopt;  // its mark and letter follow
    QString detail;                                    // "“hello”, dim 3"
    bool marked = true;                                // few experts: each has its colour and shape

    QString text() const;  // in one line, the expert by its letter
};

/// One number with where it comes from, ready to be drawn and copied.
struct ProvenanceCard {
    NumberRef ref;
    NumberName name;
    double value = 0;
    QString shown;                       // the value
    bool gradient = false;               // a derivative: vermilion
    QString formula;                     // "g · ( ∂L/∂g − Σ g · ∂L/∂g )"
    std::vector<ProvenancePart> values;  // ".390 · ( −.682 + .305 )"; empty where only `sum` has them
    std::optional<ProvenanceSum> sum;
    QString example;  // "hello → world"; empty where it is of the whole batch, or there is but one
    QString note;     // "Not chosen: no gradient."
    QString keras;    // the line that computes it in Keras, to copy
    std::optional<NumberRef> next;
};

/// Cards for the numbers of one trace.
class ProvenanceCards {
    Q_DECLARE_TR_FUNCTIONS(moe::app::ProvenanceCards)

public:
    using WordOf = std::function<QString(std::int32_t id)>;  // of the vocabulary, plain

    ProvenanceCards(std::shared_ptr<const Trace> trace, WordOf word_of);

    const Provenance& provenance() const { return provenance_; }
    bool has(const NumberRef& ref) const { return provenance_.find(ref).has_value(); }
    NumberName name(const NumberRef& ref) const;
    double value(const NumberRef& ref) const;
    /// Throws nothing; a card without a name for a number that the trace has not. At most `terms` of a sum are listed;
    /// 0: the sum is left out.
    ProvenanceCard card(const NumberRef& ref, std::size_t terms = 5) const;
    /// The card of `ref` and those that it comes from, each the main one of the one before, at most `most`.
    std::vector<ProvenanceCard> chain(const NumberRef& ref, std::size_t terms = 5, std::size_t most = 16) const;
    /// "hello → world".
    QString exampleText(std::size_t example) const;
    QString wordText(std::size_t id) const;  // in quotes; the padding's own name

    /// The lines for the clipboard: name, formula, values, sum, result.
    static QString text(const ProvenanceCard& card);

private:
    NumberName name(TraceNumber number) const;
    QString formula(TraceNumber number, const Derivation& d) const;
    QString note(TraceNumber number, const Derivation& d) const;
    QString keras(TraceNumber number) const;
    ProvenancePart part(TraceNumber number, int digits) const;
    double shiftOf(const Derivation& d) const;
    std::optional<Shown> arithmetic(const Derivation& d) const;
    std::vector<ProvenancePart> values(const Derivation& d, int digits) const;
    std::optional<ProvenanceSum> sum(TraceNumber number, const Derivation& d, std::size_t terms) const;
    void label(ProvenanceRow& row, TraceNumber of, const Derivation::Term& term) const;
    QString phraseText(std::size_t example) const;

    Provenance provenance_;
    WordOf word_of_;
};

}  // namespace moe::app
