#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace moe {

/// Keras's `Tokenizer(...)` arguments, with its defaults.
struct TokenizerOptions {
    std::optional<std::size_t> num_words;                           // only indices below it are used
    std::string filters = "!\"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n";  // UTF-8; each becomes the split
    bool lower = true;
    std::string split = " ";
    bool char_level = false;
    std::optional<std::string> oov_token;  // takes index 1; without it unknown words are dropped

    bool operator==(const TokenizerOptions&) const = default;
};

/// A word as Keras counts it.
struct WordCount {
    std::string word;
    std::uint64_t count = 0;      // occurrences
    std::uint64_t documents = 0;  // lines that have it

    bool operator==(const WordCount&) const = default;
};

/// keras.preprocessing.text.Tokenizer, to the index: words by count, ties by first appearance; 0 is padding.
class Tokenizer {
public:
    Tokenizer() = default;

    /// Counts the words of `lines` (valid UTF-8). Throws Error where there is no word in them.
    static Tokenizer fit(std::span<const std::string> lines, TokenizerOptions options = {});

    /// From what a tokenizer.json holds. `words` in order of first appearance (Keras's word_counts); where `index` is
    /// not empty it gives each word's index and wins over the order by count. Throws Error where an index is no
    /// number of its own from 1 to the number of words.
    static Tokenizer from_counts(TokenizerOptions options, std::vector<WordCount> words, std::uint64_t document_count,
                                 std::unordered_map<std::string, std::int32_t> index = {});

    /// keras text_to_word_sequence: lower-cased (Python's str.lower, final sigma and all), filtered, split, no empties.
    std::vector<std::string> words(std::string_view text) const;

    /// texts_to_sequences of one text: unknown words are dropped, or become the oov index.
    std::vector<std::int32_t> ids(std::string_view text) const;

    /// One id a word of words(text): 0 where the word is unknown and would be dropped.
    std::vector<std::int32_t> ids_with_unknown(std::string_view text) const;

    /// What ids() makes of one word: its index, the oov index, or 0 where the word is dropped.
    std::int32_t sequence_id(std::string_view word) const;

    /// The largest index that ids() gives + 1, Keras's len(word_index) + 1: what an Embedding needs. At most num_words
    /// where that is set.
    std::size_t vocabulary() const;

    /// One past the largest index, whatever num_words says.
    std::size_t index_end() const { return index_word_.empty() ? 1 : index_word_.size(); }

    /// The word at `id` (1 .. len(word_index)); empty for 0, the padding.
    const std::string& word(std::int32_t id) const;
    std::int32_t id(std::string_view word) const;  // 0: unknown

    const TokenizerOptions& options() const { return options_; }
    const std::vector<WordCount>& word_counts() const { return counts_; }  // in order of first appearance
    std::uint64_t document_count() const { return documents_; }

    bool operator==(const Tokenizer&) const = default;

private:
    void build_index(std::unordered_map<std::string, std::int32_t> given);

    TokenizerOptions options_;
    std::vector<WordCount> counts_;
    std::uint64_t documents_ = 0;
    std::vector<std::string> index_word_;  // [id]; [0] is empty
    std::unordered_map<std::string, std::int32_t> word_index_;
};

/// keras pad_sequences(padding="pre", truncating="pre"): writes `length` ids, zeros first, the sequence's end last.
void pad_pre(std::span<const std::int32_t> sequence, std::span<std::int32_t> row);

}  // namespace moe
