#pragma once
#include "engine/session/snapshot.h"

#include <QString>

#include <vector>

namespace moe::app {

/// A stage on the way from the text to the next word.
struct ServingStage {
    QString name, value;  // "ids", "3 · 7 · –"
};

/// What serving does with the phrase up to `prefix`: text, tokens, ids, padded row, probabilities, argmax id, word.
/// Empty where the phrase has no word that the model knows.
std::vector<ServingStage> servingPath(const Snapshot& snapshot, std::size_t prefix);

}  // namespace moe::app
