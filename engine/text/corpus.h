#pragma once
#include "engine/text/tokenizer.h"

#include <memory>
#include <string>
#include <vector>

namespace moe {

/// The text a model learns from: lines, their tokenizer, and the examples prefix -> next word, which are positions in
/// one token stream and never materialised (50 MB of text is 8 million prefixes). Immutable: shared between threads.
class Corpus {
public:
    /// `bytes` is any UTF-8 text; a BOM and CRs are taken off, lines without words skipped. `name` is for sentences
    /// ("notes.txt"). Throws Error in one sentence: empty, not text (NUL bytes), bad UTF-8 (at which byte and line),
    /// no words, no line with two words.
    static std::shared_ptr<const Corpus> from_text(std::string name, std::string_view bytes,
                                                   TokenizerOptions options = {});

    /// The same lines under a tokenizer that exists already (a model's own); unknown words are dropped as Keras does.
    static std::shared_ptr<const Corpus> from_text(std::string name, std::string_view bytes,
                                                   const Tokenizer& tokenizer);

    const std::string& name() const { return name_; }
    const std::string& text() const { return text_; }  // cleaned: no BOM, LF only
    const Tokenizer& tokenizer() const { return tokenizer_; }
    std::size_t lines() const { return lines_; }                    // with at least one word
    std::size_t tokens() const { return tokens_.size(); }           // words in all lines
    std::size_t examples() const { return targets_.size(); }        // every prefix of every line -> next word, in order
    std::size_t longest_prefix() const { return longest_prefix_; }  // words, before any cap
    const std::vector<std::string>& notes() const { return notes_; }  // "A byte order mark was removed.", one each

    std::int32_t target(std::size_t example) const;
    /// The example's prefix, unpadded, as the model sees it: at most `max_seq_len` ids, the end of longer ones.
    std::span<const std::int32_t> prefix(std::size_t example, std::size_t max_seq_len) const;

    /// Examples that a perfect model of this form can get right: for each bag of words that the mean pooling sees
    /// (order and, with mask_zero, common factors of the counts are lost), the count of its most frequent next word.
    std::size_t best_correct(std::size_t max_seq_len, bool mask_zero) const;

private:
    void add_line(std::span<const std::int32_t> ids);
    void check_examples() const;

    std::string name_, text_;
    Tokenizer tokenizer_;
    std::size_t lines_ = 0, longest_prefix_ = 0;
    std::vector<std::int32_t> tokens_;
    std::vector<std::uint32_t> targets_;      // [example]: position of its target in tokens_
    std::vector<std::uint32_t> line_starts_;  // [example]: position of its line's first token
    std::vector<std::string> notes_;
};

}  // namespace moe
