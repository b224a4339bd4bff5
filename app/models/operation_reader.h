#pragma once
#include "app/models/operation_catalogue.h"
#include "app/models/operation_formula.h"
#include "app/models/operation_numbers.h"
#include "app/models/provenance.h"
#include "app/models/run_settings.h"
#include "app/models/shown_arithmetic.h"
#include "engine/core/activation.h"

#include <QCoreApplication>

#include <cmath>
#include <functional>

namespace moe::app {

/// Markup of operation_formula.h, in UTF-8.
inline QString formula(const char* utf8) {
    return QString::fromUtf8(utf8);
}

/// Builds the pages of operation_catalogue.h: reads a trace for one example. Flat indices as trace.h and state.h have
/// them.
class PageBuilder {
    Q_DECLARE_TR_FUNCTIONS(moe::app::PageBuilder)

public:
    PageBuilder(const Trace& trace, std::size_t op, std::size_t example, const std::vector<QString>& words,
                const std::optional<NumberRef>& picked, std::optional<std::size_t> token);
    OperationPage build();

private:
    using Values = std::span<const float>;
    struct Visitor {
        std::size_t expert;
        std::optional<std::size_t> visit;  // k, where it was chosen
    };

    // operation_forward.cpp
    void embeddingRows();
    void mean();
    void gateScores();
    void gateSoftmax();
    void topK();
    void expertHidden();
    void expertOutput();
    void weightedSum();
    void vocabularyScores();
    void softmaxLoss();
    void balanceLoss();
    // operation_backward.cpp
    void vocabularyScoresBackward();
    void weightedSumToExperts();
    void weightedSumToGate();
    void balanceToGate();
    void gateSoftmaxBackward();
    void settleSlopes(OperationCell& sum);
    void gateScoresBackward();
    void expertOutputBackward();
    void expertHiddenBackward();
    void embeddingBackward();
    void meanBackward();
    // operation_update.cpp
    void adam();
    std::size_t largestOfTheGate(Values kernel) const;
    // operation_activation.cpp: markup and sentences about the experts' activation
    QString activationFormula() const;
    QString activationOf(const QString& sum) const;  // "max( 0, sum )"
    QString activationNotice() const;
    QString slopeFormula() const;
    QString slopeNotice() const;

    Values value(const char* name) const;                     // of this example; of its token where it has one for each
    Values value(const char* name, std::size_t visit) const;  // of one visit
    Values parameter(const char* name) const;                 // all of it, before the step
    Values gradient(const char* name) const;                  // of the whole batch
    static double at(Values values, std::size_t index);       // NaN where there is none
    static double dot(Values a, Values b, std::size_t b_first = 0, std::size_t b_step = 1);
    static std::size_t largest(Values values);  // by magnitude
    /// The expert with the largest of (E) numbers, by magnitude; a router's among those that it chose.
    std::size_t largestExpert(Values values) const;
    std::size_t visitOf(std::size_t expert) const;  // K where not chosen
    std::size_t expertOf(std::size_t visit) const;
    /// The experts of the tables: all up to 16, else the chosen ones, by weight.
    std::vector<Visitor> visitors() const;
    /// The words of the tables: the most probable and the target, by probability.
    std::vector<std::size_t> listedWords() const;
    /// f_e and P_e of the balance loss, over the whole batch.
    void countBalance();
    /// Whether a mask keeps this row at the gate out of the balance loss.
    bool outOfBalance(std::size_t row) const { return tokens_ && masked_ && t_.ids[row] == 0; }
    QString balancedText() const;  // "8 examples", "23 tokens"
    /// Where tokens are routed: the numbers of `name` that come before those of the page's token.
    std::size_t before(const char* name) const;
    bool hasTokens(std::string_view name) const;  // one array for each token, of which the page shows one
    QString tokenText() const;                    // “are”
    double balanceShare(std::size_t expert) const { return shares_[expert]; }
    double meanProbability(std::size_t expert) const { return probabilities_[expert]; }

    /// The index that was picked in value `name` of this example, else that of its largest number.
    std::size_t pickedIn(const char* name, std::optional<std::size_t> otherwise = std::nullopt) const;
    /// The expert that was picked in anything that is told by experts; else `otherwise`.
    std::size_t pickedExpert(std::size_t otherwise) const;
    NumberRef ref(const char* name, std::size_t index) const { return {name, example_, before(name) + index}; }
    NumberRef parameterRef(const std::string& name, std::size_t index) const { return {name, 0, index}; }

    OperationCell number(double v, std::optional<NumberRef> ref = std::nullopt) const;
    OperationCell signedNumber(double v, std::optional<NumberRef> ref = std::nullopt) const;
    OperationCell gradientNumber(double v, std::optional<NumberRef> ref = std::nullopt, bool strong = false) const;
    OperationCell plain(const QString& text) const;
    OperationCell bar(double v, double scale) const;
    ValueStrip strip(const QString& title, const char* name, std::size_t first, Values values) const;
    OperationCell stripCell(const QString& title, const char* name, std::size_t first, Values values) const;
    OperationRow& expertRow(const Visitor& visitor, bool none_if_unchosen, const QString& note = {});
    void othersRow(const QString& note = {});
    void wordRow(std::size_t id);
    void markVisit(std::size_t visit);  // the row of the expert whose number the formula is about
    std::size_t targetOr(std::size_t otherwise) const;
    QString elidedPhrase() const;
    static QString elidedWord(const QString& word);
    QString expertLetter(std::size_t expert) const;
    QString word(std::size_t id) const;     // as it is, for rows
    QString literal(std::size_t id) const;  // for formulas
    QString notChosen() const;
    QString ofTheBatch() const;
    using Term = std::pair<Shown, double>;
    /// "a · b + c · d + ( 9 more: e )": the largest `shown` terms, and what is left of `total` behind them.
    static Shown sumOf(std::vector<Term> terms, std::size_t shown, double total);
    /// The products of a and a column of b, two of them shown.
    static Shown productsOf(Values a, Values b, std::size_t b_first, std::size_t b_step, double total);
    /// "name = a · b + c = d", in markup: the operands have as many digits as it takes that a reader who calculates
    /// each of `steps` arrives at the result.
    static QString line(const QString& name, const std::vector<Shown>& steps, double result, bool sign = false);
    static QString gradientLine(const QString& name, const std::vector<Shown>& steps, double result);
    /// `markup`: with %1 for the result.
    static QString lineOf(const QString& name, const std::vector<Shown>& steps, double result, bool sign,
                          const QString& markup);
    /// Gives the cells as many digits as it takes that what they show is calculated to what stands beside them; where
    /// none do, because float's rounding is much of the result, `results` show fewer.
    static void settle(const std::vector<OperationCell*>& operands, const std::function<bool()>& computes,
                       const std::vector<OperationCell*>& results = {});
    static void settleSum(OperationRow& row);      // the first two numbers' sum is the third
    static void settleProduct(OperationRow& row);  // or their product
    static double shown(const OperationCell& cell);
    static bool gives(double calculated, const OperationCell& result);
    void shapes(const QString& in, const QString& out);
    void finish(double result, double recomputed, std::optional<NumberRef> subject);

    const Trace& t_;
    const TraceOp& op_;
    std::size_t example_;
    const std::vector<QString>& words_;
    std::optional<NumberRef> picked_;
    ExamplePhrase phrase_;
    std::size_t N_, E_, K_, D_, H_, V_, T_;
    Activation activation_;
    bool soft_, masked_, balanced_;
    bool tokens_;              // each token is routed: a page about gate and experts is about one of them
    bool whole_ = false;       // but this page is about all
    std::size_t token_ = 0;    // followedToken()
    double balance_rows_ = 0;  // after countBalance()
    // What stands at the gate and at the head, and what comes back from there.
    const char *at_gate_, *at_head_, *from_gate_, *from_experts_, *from_head_;
    QString head_letter_;
    std::size_t averaged_;                        // places that the mean divides by
    std::vector<double> shares_, probabilities_;  // (E) after countBalance()
    OperationPage page_;
};

}  // namespace moe::app
