#pragma once
#include "engine/core/spec.h"
#include "engine/text/corpus.h"

#include <memory>

namespace moe::test {

inline constexpr const char* tutorial_text =
    "hello world how are you\nhow are you doing today\nhello world again\nfine thank you\n";

inline std::shared_ptr<const Corpus> tutorial_corpus() {
    return Corpus::from_text("tutorial", tutorial_text);
}

/// The tutorial's own sizes, resolved.
inline Experiment tutorial_experiment() {
    Experiment x;
    x.model.vocabulary = 11;
    x.model.max_seq_len = 4;
    return x;
}

}  // namespace moe::test
