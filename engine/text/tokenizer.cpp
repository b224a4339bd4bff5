#include "engine/text/tokenizer.h"

#include "engine/core/error.h"
#include "engine/core/numbers.h"
#include "engine/text/word_splitter.h"

#include <algorithm>
#include <limits>

namespace moe {

Tokenizer Tokenizer::fit(std::span<const std::string> lines, TokenizerOptions options) {
    WordSplitter splitter(options);
    WordCounter counter;
    std::vector<std::int32_t> ids;
    for (const std::string& line : lines) {
        counter.add(splitter.split(line), ids);
        ids.clear();
    }
    const std::uint64_t documents = counter.documents();
    std::vector<WordCount> counts = counter.take_counts();
    if (counts.empty()) throw Error("There is no word in this text; give at least one line of two words.");
    return from_counts(std::move(options), std::move(counts), documents);
}

Tokenizer Tokenizer::from_counts(TokenizerOptions options, std::vector<WordCount> words, std::uint64_t document_count,
                                 std::unordered_map<std::string, std::int32_t> index) {
    Tokenizer tokenizer;
    tokenizer.options_ = std::move(options);
    tokenizer.counts_ = std::move(words);
    tokenizer.documents_ = document_count;
    if (tokenizer.counts_.size() >= std::size_t(std::numeric_limits<std::int32_t>::max()) - 2)
        throw Error("There are more different words than 32-bit numbers; use a shorter text.");
    tokenizer.build_index(std::move(index));
    return tokenizer;
}

void Tokenizer::build_index(std::unordered_map<std::string, std::int32_t> given) {
    if (given.empty()) {
        std::vector<const std::string*> order;
        std::vector<const WordCount*> by_count;
        for (const WordCount& word : counts_) by_count.push_back(&word);
        std::stable_sort(by_count.begin(), by_count.end(),
                         [](const WordCount* a, const WordCount* b) { return a->count > b->count; });
        if (options_.oov_token) order.push_back(&*options_.oov_token);
        for (const WordCount* word : by_count) order.push_back(&word->word);
        // Where the oov token is a word of the text as well, the later index wins, as in Keras's dict(zip(...)).
        given.reserve(order.size());
        for (std::size_t i = 0; i < order.size(); ++i) given[*order[i]] = std::int32_t(i + 1);
    }
    // Many give the padding a name; nothing else has the number 0.
    if (std::erase_if(given, [](const auto& entry) { return entry.second == 0; }) > 1 || given.empty())
        throw Error("The word index gives no word a number from 1 on, or several the number 0.");
    // One more than there are words, because Keras leaves a hole where the oov token was counted as a word too.
    const std::size_t largest = given.size() + 1;
    index_word_.assign(1, {});
    std::size_t end = 1;
    for (const auto& [word, id] : given) {
        if (id < 1 || std::size_t(id) > largest)
            throw Error("The word index gives a word a number that is not from 1 to " + with_commas(given.size()) +
                        ".");
        end = std::max(end, std::size_t(id) + 1);
    }
    index_word_.resize(end);
    std::vector<bool> taken(index_word_.size(), false);
    for (const auto& [word, id] : given) {
        if (taken[std::size_t(id)])
            throw Error("The word index gives the number " + with_commas(std::size_t(id)) + " to two words.");
        taken[std::size_t(id)] = true;
        index_word_[std::size_t(id)] = word;
    }
    word_index_ = std::move(given);
}

std::vector<std::string> Tokenizer::words(std::string_view text) const {
    WordSplitter splitter(options_);
    const auto& found = splitter.split(text);
    return {found.begin(), found.end()};
}

std::vector<std::int32_t> Tokenizer::ids(std::string_view text) const {
    std::vector<std::int32_t> ids = ids_with_unknown(text);
    std::erase(ids, 0);
    return ids;
}

std::vector<std::int32_t> Tokenizer::ids_with_unknown(std::string_view text) const {
    WordSplitter splitter(options_);
    std::vector<std::int32_t> ids;
    for (const std::string_view word : splitter.split(text)) ids.push_back(sequence_id(word));
    return ids;
}

std::size_t Tokenizer::vocabulary() const {
    const std::size_t all = std::max<std::size_t>(1, index_word_.size());
    if (options_.num_words.value_or(0) == 0) return all;
    // An oov token that is a word of the text as well may stand beyond num_words; Keras uses its number all the same.
    const std::size_t oov = options_.oov_token ? std::size_t(id(*options_.oov_token)) : 0;
    return std::min(all, std::max(*options_.num_words, oov + 1));
}

const std::string& Tokenizer::word(std::int32_t id) const {
    static const std::string none;
    return id > 0 && std::size_t(id) < index_word_.size() ? index_word_[std::size_t(id)] : none;
}

std::int32_t Tokenizer::id(std::string_view word) const {
    const auto found = word_index_.find(std::string(word));
    return found == word_index_.end() ? 0 : found->second;
}

std::int32_t Tokenizer::sequence_id(std::string_view word) const {
    const std::int32_t found = id(word);
    const std::size_t limit = options_.num_words.value_or(0);
    if (found != 0 && (limit == 0 || std::size_t(found) < limit)) return found;
    return options_.oov_token ? id(*options_.oov_token) : 0;
}

void pad_pre(std::span<const std::int32_t> sequence, std::span<std::int32_t> row) {
    const std::size_t kept = std::min(sequence.size(), row.size());
    const auto start = row.begin() + std::ptrdiff_t(row.size() - kept);
    std::fill(row.begin(), start, 0);
    std::copy(sequence.end() - std::ptrdiff_t(kept), sequence.end(), start);
}

}  // namespace moe
