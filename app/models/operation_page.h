#pragma once
#include "app/models/number_ref.h"
#include "engine/core/trace.h"

#include <QString>

#include <optional>
#include <span>
#include <vector>

namespace moe::app {

/// The Keras line of the experts' weighted sum, for a tensor of phrases or of their words; `chosen`: the K whose
/// answers are picked out, none for all experts.
QString weightedSumInKeras(bool tokens, std::optional<std::size_t> chosen);

/// A row of numbers as a picture: values brown to teal, gradients as vermilion bars. Number i is
/// {name, example, first + i}.
struct ValueStrip {
    QString title;  // markup of operation_formula.h: "x", "∂L/∂x"
    NumberRef first;
    std::span<const float> values;
    bool gradient = false;
    bool words = false;    // a number a word of the vocabulary: labels are words
    bool experts = false;  // a number an expert
};

struct OperationCell {
    QString text;                  // markup
    std::optional<double> value;   // the number that the text rounds
    std::optional<NumberRef> ref;  // and which one of the trace it is
    int digits = 3;                // with which the text shows it
    bool gradient = false, strong = false, sign = false;
    std::optional<double> bar;        // from -1 to 1: a bar from the middle instead of the text
    std::optional<ValueStrip> strip;  // a strip instead of the text
};

struct OperationColumn {
    QString title;  // markup
    enum class Kind { number, words, bar, strip } kind = Kind::number;
    bool gradient_bar = false;
};

struct OperationRow {
    std::optional<std::size_t> expert;  // shown with its shape, colour and name
    QString label;                      // else this, plain
    QString note;                       // in place of the cells: "not chosen: no gradient"
    bool faint = false, current = false;
    std::vector<OperationCell> cells;
};

/// What the operation panel says of one operation for one example. Texts are this program's; numbers the trace's.
struct OperationPage {
    QString title;                // "Gate softmax, backward"
    QString shapes;               // "in (4) · out (4)", of one example
    QString question;             // one sentence
    QString formula;              // markup
    std::vector<QString> worked;  // markup, a line each: the formula with this example's numbers
    QString aside;                // markup, at the right of the formula: "Σ = −.305"
    QString heading;              // over the rows' names: "expert", "word"
    std::vector<OperationColumn> columns;
    std::vector<OperationRow> rows;
    std::vector<ValueStrip> strips;
    QString notice;  // what to see in it
    QString keras;   // the line of Keras that does the same
    /// The number that `worked` ends with: as the trace has it, and computed anew from what `worked` names.
    double result = 0, recomputed = 0;
    std::optional<NumberRef> subject;  // that number
};

}  // namespace moe::app
