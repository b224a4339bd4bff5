#include "app/models/serving_path.h"

#include "app/models/text_format.h"

#include <QCoreApplication>
#include <QStringList>

namespace moe::app {

namespace {

QString inPath(const char* text) {
    return QCoreApplication::translate("ServingPath", text);
}

/// "0 × 509  12 7 3": the padding counted, not written out.
QString rowText(const std::vector<std::int32_t>& row) {
    std::size_t zeros = 0;
    while (zeros < row.size() && row[zeros] == 0) ++zeros;
    QStringList parts;
    if (zeros > 4)
        parts << QStringLiteral("0 × %1").arg(zeros);
    else
        for (std::size_t i = 0; i < zeros; ++i) parts << QStringLiteral("0");
    for (std::size_t i = zeros; i < row.size(); ++i) parts << QString::number(row[i]);
    return parts.join(u' ');
}

}  // namespace

std::vector<ServingStage> servingPath(const Snapshot& snapshot, std::size_t prefix) {
    const ProbeForward& probe = snapshot.probe;
    std::vector<ServingStage> path;
    if (prefix >= probe.prefix_words.size() || probe.focused.top.empty()) return path;
    QStringList tokens, ids;
    for (std::size_t i = 0; i <= probe.prefix_words[prefix]; ++i) {
        const ProbeWord& word = probe.words[i];
        tokens << (word.id == 0 ? inPath("%1 (unknown)").arg(shownText(word.text)) : shownText(word.text));
        ids << (word.id == 0 ? QStringLiteral("–") : QString::number(word.id));
    }
    const WordProbability& best = probe.focused.top.front();
    path.push_back({inPath("text"), u'“' + shownText(probe.text) + u'”'});
    path.push_back({inPath("tokens"), tokens.join(QStringLiteral(" · "))});
    path.push_back({inPath("ids"), ids.join(QStringLiteral(" · "))});
    path.push_back({inPath("padded row"), rowText(probe.focused.row)});
    path.push_back({inPath("probabilities"),
                    inPath("%1 numbers, sum 1, largest %2")
                        .arg(countText(snapshot.experiment.model.vocabulary), gateText(double(best.probability), 3))});
    path.push_back({inPath("argmax id"), QString::number(best.id)});
    path.push_back({inPath("word"), shownText(best.word)});
    return path;
}

}  // namespace moe::app
