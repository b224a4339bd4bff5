#pragma once
#include "engine/text/tokenizer.h"

#include <functional>
#include <utility>

namespace moe {

/// keras text_to_word_sequence for many texts, without an allocation a word. Single-threaded.
class WordSplitter {
public:
    /// Throws Error where `split` is empty and words are wanted.
    explicit WordSplitter(const TokenizerOptions& options);

    /// Valid until the next call.
    const std::vector<std::string_view>& split(std::string_view text);

private:
    void prepare(std::string_view text);

    TokenizerOptions options_;
    bool bytewise_ = false;     // filters and split are single ASCII bytes: `table_` says all
    char table_[128] = {};      // [byte]: lower-cased if wanted, filters already the split
    std::string wide_filters_;  // filter characters beyond ASCII
    std::string buffer_;
    std::vector<std::string_view> words_;
};

/// Counts words as Keras's fit_on_texts does: in order of first appearance.
class WordCounter {
public:
    /// Adds one text's words; appends to `ids` the position of each among the words in order of first appearance.
    void add(const std::vector<std::string_view>& words, std::vector<std::int32_t>& ids);

    std::uint64_t documents() const { return documents_; }
    std::vector<WordCount> take_counts() { return std::move(counts_); }

private:
    struct Hash {
        using is_transparent = void;
        std::size_t operator()(std::string_view word) const { return std::hash<std::string_view>{}(word); }
    };

    std::unordered_map<std::string, std::int32_t, Hash, std::equal_to<>> positions_;
    std::vector<WordCount> counts_;
    std::vector<std::uint64_t> last_document_;
    std::uint64_t documents_ = 0;
};

}  // namespace moe
