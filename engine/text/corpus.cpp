#include "engine/text/corpus.h"

#include "engine/core/error.h"
#include "engine/core/numbers.h"
#include "engine/text/utf8.h"
#include "engine/text/word_splitter.h"

#include <algorithm>
#include <numeric>

namespace moe {

namespace {

__extension__ using Hash128 = unsigned __int128;

[[noreturn]] void refuse(const std::string& name, const std::string& what) {
    throw Error(name + " " + what);
}

std::string hex(unsigned char byte) {
    constexpr char digits[] = "0123456789ABCDEF";
    return {'0', 'x', digits[byte >> 4], digits[byte & 15]};
}

// The text without byte order mark and carriage returns; what was taken off is added to `notes`.
std::string clean_text(const std::string& name, std::string_view bytes, std::vector<std::string>& notes) {
    if (bytes.empty()) refuse(name, "is empty; write at least one line of two words.");
    if (bytes.size() >= std::size_t(1) << 31) refuse(name, "is larger than 2 GiB; use a shorter text.");
    if (bytes.starts_with("\xFF\xFE") || bytes.starts_with("\xFE\xFF"))
        refuse(name, "is UTF-16 text; save it as UTF-8 and open it again.");
    if (const std::size_t nul = bytes.find('\0'); nul != std::string_view::npos)
        refuse(name, "is not a text file (a NUL byte at offset " + with_commas(nul) + "); open a plain UTF-8 text.");
    if (const std::size_t bad = find_bad_utf8(bytes); bad != std::string_view::npos) {
        const auto line = 1 + std::count(bytes.begin(), bytes.begin() + std::ptrdiff_t(bad), '\n');
        refuse(name, "is not UTF-8: line " + with_commas(static_cast<unsigned long long>(line)) + " has the byte " +
                         hex(static_cast<unsigned char>(bytes[bad])) + " at offset " + with_commas(bad) +
                         " of the file; save it as UTF-8 and open it again.");
    }
    if (bytes.starts_with("\xEF\xBB\xBF")) {
        bytes.remove_prefix(3);
        notes.push_back("A byte order mark was removed.");
    }
    std::string text(bytes);
    if (text.find('\r') != std::string::npos) {
        std::size_t out = 0;
        for (std::size_t i = 0; i < text.size(); ++i) {
            if (text[i] != '\r')
                text[out++] = text[i];
            else if (i + 1 == text.size() || text[i + 1] != '\n')
                text[out++] = '\n';
        }
        text.resize(out);
        notes.push_back("Carriage returns at line ends were removed.");
    }
    return text;
}

template <class Visit>
void for_each_line(std::string_view text, Visit&& visit) {
    for (std::size_t start = 0; start < text.size();) {
        const std::size_t end = std::min(text.find('\n', start), text.size());
        visit(text.substr(start, end - start));
        start = end + 1;
    }
}

// Two independent 64-bit mixes of a word's number (splitmix64's finaliser): sums of them tell bags of words apart.
Hash128 word_hash(std::int32_t id) {
    const auto mix = [](std::uint64_t z) {
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
        return z ^ (z >> 31);
    };
    const auto x = std::uint64_t(id) * 0x9E3779B97F4A7C15u;
    return Hash128(mix(x + 0x2545F4914F6CDD1Du)) << 64 | mix(x + 0xD1342543DE82EF95u);
}

// The words of a window that slides along a line, with the hash of their bag.
class Bag {
public:
    explicit Bag(std::size_t vocabulary) : counts_(vocabulary, 0) {}

    void add(std::int32_t id) {
        std::uint32_t& count = counts_[std::size_t(id)];
        ++count;
        once_ += count == 1 ? 1 : count == 2 ? -1 : 0;
        sum_ += word_hash(id);
    }

    void remove(std::int32_t id) {
        std::uint32_t& count = counts_[std::size_t(id)];
        --count;
        once_ += count == 1 ? 1 : count == 0 ? -1 : 0;
        sum_ -= word_hash(id);
    }

    Hash128 hash() const { return sum_; }

    /// With counts divided by their greatest common factor: the mean of "a b a b" is that of "a b".
    Hash128 reduced_hash(std::span<const std::int32_t> window) const {
        if (once_ > 0) return sum_;
        std::uint32_t factor = 0;
        for (const std::int32_t id : window) {
            factor = std::gcd(factor, counts_[std::size_t(id)]);
            if (factor == 1) return sum_;
        }
        // Sorted, every word stands in a run whose length is a multiple of `factor`.
        Hash128 sum = 0;
        std::vector<std::int32_t> words(window.begin(), window.end());
        std::sort(words.begin(), words.end());
        for (std::size_t i = 0; i < words.size(); i += factor) sum += word_hash(words[i]);
        return sum;
    }

private:
    std::vector<std::uint32_t> counts_;  // [id]
    std::int64_t once_ = 0;              // words that stand exactly once
    Hash128 sum_ = 0;
};

}  // namespace

std::shared_ptr<const Corpus> Corpus::from_text(std::string name, std::string_view bytes, TokenizerOptions options) {
    auto corpus = std::make_shared<Corpus>();
    corpus->name_ = std::move(name);
    corpus->text_ = clean_text(corpus->name_, bytes, corpus->notes_);
    WordSplitter splitter(options);
    WordCounter counter;
    std::vector<std::int32_t> positions, line_words;  // positions among the words in order of first appearance
    for_each_line(corpus->text_, [&](std::string_view line) {
        const auto& words = splitter.split(line);
        if (words.empty()) return;
        counter.add(words, positions);
        line_words.push_back(std::int32_t(words.size()));
    });
    if (positions.empty())
        refuse(corpus->name_, "has no words, only spaces and punctuation; write at least one line of two words.");
    const std::uint64_t documents = counter.documents();
    corpus->tokenizer_ = Tokenizer::from_counts(std::move(options), counter.take_counts(), documents);

    std::vector<std::int32_t> ids;  // [position]
    for (const WordCount& word : corpus->tokenizer_.word_counts())
        ids.push_back(corpus->tokenizer_.sequence_id(word.word));
    const std::int32_t* next = positions.data();
    std::vector<std::int32_t> line_ids;
    corpus->tokens_.reserve(positions.size());
    for (const std::int32_t words : line_words) {
        line_ids.clear();
        for (std::int32_t i = 0; i < words; ++i)
            if (const std::int32_t id = ids[std::size_t(*next++)]) line_ids.push_back(id);
        corpus->add_line(line_ids);
    }
    corpus->check_examples();
    return corpus;
}

std::shared_ptr<const Corpus> Corpus::from_text(std::string name, std::string_view bytes, const Tokenizer& tokenizer) {
    auto corpus = std::make_shared<Corpus>();
    corpus->name_ = std::move(name);
    corpus->text_ = clean_text(corpus->name_, bytes, corpus->notes_);
    corpus->tokenizer_ = tokenizer;
    WordSplitter splitter(tokenizer.options());
    std::vector<std::int32_t> line_ids;
    std::size_t words = 0;
    for_each_line(corpus->text_, [&](std::string_view line) {
        line_ids.clear();
        for (const std::string_view word : splitter.split(line)) {
            ++words;
            if (const std::int32_t id = tokenizer.sequence_id(word)) line_ids.push_back(id);
        }
        corpus->add_line(line_ids);
    });
    if (words == 0)
        refuse(corpus->name_, "has no words, only spaces and punctuation; write at least one line of two words.");
    if (corpus->tokens_.empty())
        refuse(corpus->name_, "has no word that the model knows; use the text it was trained on, or one like it.");
    if (corpus->tokens_.size() < words)
        corpus->notes_.push_back(with_commas(words - corpus->tokens_.size()) +
                                 " words that the model does not know were left out.");
    if (corpus->targets_.empty())
        refuse(corpus->name_,
               "has no line with two words that the model knows; use the text it was trained on, or one like it.");
    return corpus;
}

void Corpus::add_line(std::span<const std::int32_t> ids) {
    if (ids.empty()) return;
    ++lines_;
    const auto start = std::uint32_t(tokens_.size());
    tokens_.insert(tokens_.end(), ids.begin(), ids.end());
    for (std::size_t i = 1; i < ids.size(); ++i) {
        targets_.push_back(start + std::uint32_t(i));
        line_starts_.push_back(start);
    }
    longest_prefix_ = std::max(longest_prefix_, ids.size() - 1);
}

void Corpus::check_examples() const {
    if (targets_.empty())
        refuse(name_, "has no line with two words, so there is no next word to learn; write two words in a line.");
}

std::int32_t Corpus::target(std::size_t example) const {
    return tokens_[targets_[example]];
}

std::span<const std::int32_t> Corpus::prefix(std::size_t example, std::size_t max_seq_len) const {
    const std::size_t end = targets_[example];
    const std::size_t length = std::min(end - line_starts_[example], max_seq_len);
    return {tokens_.data() + end - length, length};
}

std::size_t Corpus::best_correct(std::size_t max_seq_len, bool mask_zero) const {
    struct Seen {
        Hash128 bag;
        std::int32_t target;
        auto operator<=>(const Seen&) const = default;
    };
    std::vector<Seen> seen;
    seen.reserve(examples());
    Bag bag(tokenizer_.vocabulary());
    std::span<const std::int32_t> window;
    for (std::size_t example = 0; example < examples(); ++example) {
        const auto now = prefix(example, max_seq_len);
        const bool same_line = example > 0 && line_starts_[example] == line_starts_[example - 1];
        if (!same_line) {
            for (const std::int32_t id : window) bag.remove(id);
            window = {now.data(), 0};
        }
        // The window's start and end only move right along a line.
        while (window.data() + window.size() < now.data() + now.size()) {
            bag.add(window.data()[window.size()]);
            window = {window.data(), window.size() + 1};
        }
        while (window.data() < now.data()) {
            bag.remove(window.front());
            window = window.subspan(1);
        }
        // Without a mask every row is padded to the same length, so the bag of words alone says what the mean sees.
        seen.push_back({mask_zero ? bag.reduced_hash(window) : bag.hash(), target(example)});
    }
    std::sort(seen.begin(), seen.end());
    std::size_t correct = 0, best = 0, run = 0;
    for (std::size_t i = 0; i < seen.size(); ++i) {
        run = i > 0 && seen[i] == seen[i - 1] ? run + 1 : 1;
        best = std::max(best, run);
        if (i + 1 == seen.size() || seen[i + 1].bag != seen[i].bag) {
            correct += best;
            best = 0;
        }
    }
    return correct;
}

}  // namespace moe
