#pragma once
#include "app/models/operation_page.h"

namespace moe::app {

/// The name of an operation in a list: "Gate softmax".
QString operationName(const TraceOp& op, const ModelSpec& model);
QString phaseName(TracePhase phase);

/// The example's words in order, padding left out, and how many places of padding stand before them.
struct ExamplePhrase {
    std::vector<std::size_t> positions;  // in 0 .. T-1
    std::vector<QString> words;
    std::size_t padding = 0;
    QString target;  // empty for a phrase that is only served

    QString text() const;     // "hello world"
    QString arrowed() const;  // "hello world → how"
};
ExamplePhrase examplePhrase(const Trace& trace, std::size_t example, const std::vector<QString>& words);

/// Whether a value of a trace whose tokens are routed has an array for each token of an example, not one for the
/// phrase.
bool valueOfTokens(std::string_view name);
/// Which token of the example pages and stage follow where each is routed: that of the picked number, else the one that
/// was followed before, else the last word.
std::size_t followedToken(const Trace& trace, std::size_t example, const std::optional<NumberRef>& picked,
                          std::optional<std::size_t> before = std::nullopt);

/// Title, formula, numbers and tables of operation `op` for `example`. `words`: by id, [0] is padding. `picked`: the
/// number that the worked formula is about, where it belongs to this operation; else the largest. `token`: which one is
/// followed where no number of another is picked.
OperationPage operationPage(const Trace& trace, std::size_t op, std::size_t example, const std::vector<QString>& words,
                            const std::optional<NumberRef>& picked = std::nullopt,
                            std::optional<std::size_t> token = std::nullopt);

/// The page as text with tabs: formula, numbers and tables, for the clipboard.
QString pageAsText(const OperationPage& page, const std::vector<QString>& words);

/// What number i of a strip is called: "world", "B", "5".
QString stripLabel(const ValueStrip& strip, std::size_t index, const std::vector<QString>& words);

}  // namespace moe::app
