#include "engine/text/corpus.h"

#include "engine/core/error.h"
#include "engine/core/rng.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <ctime>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>
#include <sstream>

using namespace moe;
using nlohmann::json;

namespace {

const std::string tutorial = "hello world how are you\nhow are you doing today\nhello world again\nfine thank you\n";

std::string slurp(const std::string& name) {
    std::stringstream text;
    text << std::ifstream(MOE_TEST_DATA "/data/" + name, std::ios::binary).rdbuf();
    return text.str();
}

std::string refusal(std::string_view bytes) {
    try {
        Corpus::from_text("notes.txt", bytes);
    } catch (const Error& error) {
        return error.what();
    }
    return "accepted";
}

std::vector<std::int32_t> row_of(const Corpus& corpus, std::size_t example, std::size_t length) {
    std::vector<std::int32_t> row(length);
    pad_pre(corpus.prefix(example, length), row);
    return row;
}

// The definition, word by word: what the mean of the padded row can tell apart, and the best guess for each.
std::size_t best_by_counting(const Corpus& corpus, std::size_t length, bool mask_zero) {
    std::map<std::map<std::int32_t, std::size_t>, std::map<std::int32_t, std::size_t>> targets;
    for (std::size_t i = 0; i < corpus.examples(); ++i) {
        std::map<std::int32_t, std::size_t> counts;
        for (const std::int32_t id : row_of(corpus, i, length)) ++counts[id];
        if (mask_zero) {
            counts.erase(0);
            std::size_t factor = 0;
            for (const auto& [id, count] : counts) factor = std::gcd(factor, count);
            for (auto& [id, count] : counts) count /= factor;
        }
        ++targets[counts][corpus.target(i)];
    }
    std::size_t correct = 0;
    for (const auto& [bag, next] : targets) {
        std::size_t best = 0;
        for (const auto& [target, count] : next) best = std::max(best, count);
        correct += best;
    }
    return correct;
}

}  // namespace

TEST_CASE("the tutorial's corpus: 12 examples, of which a perfect model gets 11") {
    const auto corpus = Corpus::from_text("tutorial.txt", tutorial);
    CHECK(corpus->lines() == 4);
    CHECK(corpus->tokens() == 16);
    CHECK(corpus->examples() == 12);
    CHECK(corpus->longest_prefix() == 4);
    CHECK(corpus->tokenizer().vocabulary() == 11);
    CHECK(corpus->best_correct(4, false) == 11);
    CHECK(corpus->notes().empty());
    CHECK(row_of(*corpus, 1, 4) == std::vector<std::int32_t>{0, 0, 2, 3});
    CHECK(corpus->target(1) == 4);
}

TEST_CASE("Keras's own tokenizers and examples of the reference corpora") {
    for (const std::string name : {"tutorial", "tutorial-builtin", "masked", "top2", "words2000"}) {
        CAPTURE(name);
        const auto corpus = Corpus::from_text("corpus.txt", slurp("keras/" + name + "/corpus.txt"));
        const json config = json::parse(slurp("keras/" + name + "/tokenizer.json"))["config"];
        const json index = json::parse(config["word_index"].get<std::string>());
        CHECK(corpus->tokenizer().vocabulary() == index.size() + 1);
        CHECK(corpus->tokenizer().document_count() == config["document_count"]);
        for (const auto& [word, id] : index.items()) CHECK(corpus->tokenizer().id(word) == id);
        const json docs = json::parse(config["word_docs"].get<std::string>());
        const auto counts = nlohmann::ordered_json::parse(config["word_counts"].get<std::string>());
        std::vector<WordCount> expected;
        for (const auto& [word, count] : counts.items()) expected.push_back({word, count, docs[word]});
        CHECK(corpus->tokenizer().word_counts() == expected);

        const json curve = json::parse(slurp("keras/" + name + "/curve.json"));
        const std::size_t length = curve["T"];
        CHECK(corpus->examples() == curve["examples"]);
        CHECK(corpus->longest_prefix() == length);
        CHECK(json::parse(slurp("keras/" + name + "/max_seq_len.txt")) == length);
        const std::size_t stride = std::max<std::size_t>(1, corpus->examples() / 16);
        for (std::size_t i = 0; i < curve["probe"].size(); ++i)
            CHECK(row_of(*corpus, i * stride, length) == curve["probe"][i].get<std::vector<std::int32_t>>());
    }
}

TEST_CASE("the best possible count equals counting bag by bag") {
    Rng rng(5);
    for (int round = 0; round < 300; ++round) {
        std::string text = "a b\n";
        const std::size_t lines = 1 + rng.below(12), words = 1 + rng.below(4);
        for (std::size_t l = 0; l < lines; ++l) {
            for (std::size_t w = rng.below(14); w > 0; --w)
                text += std::string(1, static_cast<char>('a' + rng.below(words))) + " ";
            text += "\n";
        }
        CAPTURE(text);
        const auto corpus = Corpus::from_text("random", text);
        for (const std::size_t length : {std::size_t(1), std::size_t(3), std::size_t(4), corpus->longest_prefix()})
            for (const bool mask : {false, true}) {
                CAPTURE(length);
                CAPTURE(mask);
                CHECK(corpus->best_correct(length, mask) == best_by_counting(*corpus, length, mask));
            }
    }
    // "a b a b" and "a b" have one mean without padding, and two with it.
    const auto factors = Corpus::from_text("factors", "a b x\na b a b y\n");
    CHECK(factors->best_correct(4, false) != factors->best_correct(4, true));
}

TEST_CASE("what is not a text is refused in one sentence") {
    CHECK(refusal("") == "notes.txt is empty; write at least one line of two words.");
    CHECK(refusal(" \n\t\n") ==
          "notes.txt has no words, only spaces and punctuation; write at least one line of two words.");
    CHECK(refusal("... !!!\n,,,") ==
          "notes.txt has no words, only spaces and punctuation; write at least one line of two words.");
    CHECK(refusal("hello") ==
          "notes.txt has no line with two words, so there is no next word to learn; write two words in a line.");
    CHECK(refusal("one\ntwo\nthree\n") ==
          "notes.txt has no line with two words, so there is no next word to learn; write two words in a line.");
    CHECK(refusal("fine line\nbad \xE9t\xE9\n") ==
          "notes.txt is not UTF-8: line 2 has the byte 0xE9 at offset 14 of the file; save it as UTF-8 and open it "
          "again.");
    CHECK(refusal(std::string_view("\x89PNG\r\n\x1a\n\0\0\0\rIHDR", 16)) ==
          "notes.txt is not a text file (a NUL byte at offset 8); open a plain UTF-8 text.");
    CHECK(refusal(std::string_view("\xFF\xFEh\0i\0", 6)) ==
          "notes.txt is UTF-16 text; save it as UTF-8 and open it again.");
    CHECK(refusal("\xEF\xBB\xBF") ==
          "notes.txt has no words, only spaces and punctuation; write at least one line of two words.");
}

TEST_CASE("a byte order mark and carriage returns are taken off, and said") {
    const auto plain = Corpus::from_text("notes.txt", tutorial);
    std::string windows = "\xEF\xBB\xBF";
    for (const char c : tutorial) windows += c == '\n' ? std::string("\r\n") : std::string(1, c);
    const auto cleaned = Corpus::from_text("notes.txt", windows);
    CHECK(cleaned->text() == plain->text());
    CHECK(cleaned->tokenizer() == plain->tokenizer());
    CHECK(cleaned->notes() ==
          std::vector<std::string>{"A byte order mark was removed.", "Carriage returns at line ends were removed."});
    std::string old_mac = tutorial;
    std::replace(old_mac.begin(), old_mac.end(), '\n', '\r');
    CHECK(Corpus::from_text("notes.txt", old_mac)->text() == plain->text());
}

TEST_CASE("a text under another model's tokenizer loses the words that it does not know") {
    const auto known = Corpus::from_text("tutorial.txt", tutorial);
    const auto corpus = Corpus::from_text("new.txt", "Hello martian world\nzork\nhow are\n", known->tokenizer());
    CHECK(corpus->lines() == 2);
    CHECK(corpus->examples() == 2);
    CHECK(row_of(*corpus, 0, 2) == std::vector<std::int32_t>{0, 2});
    CHECK(corpus->target(0) == 3);
    CHECK(corpus->notes() == std::vector<std::string>{"2 words that the model does not know were left out."});
    CHECK_THROWS_WITH_AS(Corpus::from_text("new.txt", "zork zork", known->tokenizer()),
                         "new.txt has no word that the model knows; use the text it was trained on, or one like it.",
                         Error);
    CHECK(Corpus::from_text("same.txt", tutorial, known->tokenizer())->examples() == known->examples());
}

TEST_CASE("a line of 100,000 words and texts of many megabytes") {
    std::string line;
    for (int i = 0; i < 100000; ++i) line += "w" + std::string(1, static_cast<char>('a' + i % 23)) + " ";
    const auto long_line = Corpus::from_text("long.txt", line);
    CHECK(long_line->examples() == 99999);
    CHECK(long_line->longest_prefix() == 99999);
    CHECK(long_line->prefix(99998, 512).size() == 512);
    CHECK(long_line->best_correct(512, false) > 0);
    CHECK(long_line->best_correct(512, true) > 0);

    Rng rng(1);
    std::string text;
    while (text.size() < 50u << 20) {
        for (int i = 0; i < 12; ++i) {
            const std::uint64_t word = rng.below(1 + rng.below(50000));
            text += static_cast<char>('a' + word % 26);
            text += std::string(1 + word % 7, static_cast<char>('a' + word / 26 % 26));
            text += static_cast<char>('a' + word / 676 % 26);
            text += i == 11 ? ".\n" : " ";
        }
    }
    // The processor's time, not the clock's: other programs may be at work.
    const auto seconds = [] { return double(std::clock()) / CLOCKS_PER_SEC; };
    const double start = seconds();
    const auto big = Corpus::from_text("big.txt", text);
    const double loaded = seconds() - start;
    const std::size_t best = big->best_correct(big->longest_prefix(), false);
    const double counted = seconds() - start - loaded;
    MESSAGE("50 MiB loaded in " << loaded << " s (" << big->examples() << " examples), best count in " << counted
                                << " s");
    CHECK(best > 0);
    CHECK(loaded < 10);
}
