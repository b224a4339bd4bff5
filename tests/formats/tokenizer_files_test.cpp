#include "engine/core/atomic_file.h"
#include "engine/core/error.h"
#include "engine/core/rng.h"
#include "engine/formats/json_text.h"
#include "engine/formats/model_files.h"
#include "engine/formats/tokenizer_pickle.h"

#include <doctest/doctest.h>

#include <functional>

using namespace moe;

namespace {

const std::string data = MOE_TEST_DATA "/data/";

// splitmix64, and texts of it, as tests/support/make_tokenizer_random.py has them.
class Generator {
public:
    Generator(std::uint64_t seed, const Json& alphabets) : state_(seed), alphabets_(alphabets) {}

    std::size_t below(std::size_t bound) {
        std::uint64_t z = state_ += 0x9E3779B97F4A7C15u;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
        return std::size_t((z ^ (z >> 31)) % bound);
    }

    std::string text() {
        const std::size_t own = below(alphabets_.size()), parts = below(25);
        std::string made;
        for (std::size_t i = 0; i < parts; ++i) {
            const Json& alphabet = alphabets_[below(5) ? own : below(alphabets_.size())];
            made += alphabet[below(alphabet.size())].get<std::string>();
        }
        return made;
    }

private:
    std::uint64_t state_;
    const Json& alphabets_;
};

std::string fnv(const std::string& text) {
    std::uint64_t h = 0xCBF29CE484222325u;
    for (const char c : text) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001B3u;
    std::string hex;
    for (int shift = 60; shift >= 0; shift -= 4) hex += "0123456789abcdef"[h >> shift & 15];
    return hex;
}

TokenizerOptions options_of(const Json& given) {
    TokenizerOptions options;
    const auto set = [&](const char* key) { return given.contains(key) && !given[key].is_null(); };
    if (set("num_words")) options.num_words = given["num_words"].get<std::size_t>();
    if (set("oov_token")) options.oov_token = given["oov_token"].get<std::string>();
    if (set("lower")) options.lower = given["lower"].get<bool>();
    if (set("char_level")) options.char_level = given["char_level"].get<bool>();
    if (set("filters")) options.filters = given["filters"].get<std::string>();
    if (set("split")) options.split = given["split"].get<std::string>();
    return options;
}

std::string describe(const Tokenizer& tokenizer) {
    std::string text;
    for (const WordCount& word : tokenizer.word_counts())
        text += word.word + '\0' + std::to_string(word.count) + '\0' + std::to_string(word.documents) + '\n';
    for (std::int32_t id = 1; id < std::int32_t(tokenizer.index_end()); ++id)
        if (tokenizer.id(tokenizer.word(id)) == id) text += std::to_string(id) + '\0' + tokenizer.word(id) + '\n';
    return text;
}

std::string unbase64(const std::string& text) {
    const std::string digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string bytes;
    unsigned bits = 0, count = 0;
    for (const char c : text) {
        if (c == '=') break;
        bits = (bits << 6 | unsigned(digits.find(c))) & 0xFFFFFF;
        if ((count += 6) >= 8) bytes += static_cast<char>(bits >> (count -= 8) & 0xFF);
    }
    return bytes;
}

// One sentence (or two), one line; "read" where nothing was refused.
std::string refusal(const std::string& bytes) {
    try {
        read_tokenizer_pickle(bytes, "t.pkl");
    } catch (const Error& error) {
        const std::string said = error.what();
        CHECK(said.find('\n') == std::string::npos);
        CHECK(said.size() > 20);
        CHECK(said.size() < 500);
        CHECK(said.back() == '.');
        return said;
    }
    return "read";
}

void expect(const std::string& bytes, const std::string& rule) {
    const std::string said = refusal(bytes);
    CAPTURE(said);
    CAPTURE(rule);
    CHECK(said.find(rule) != std::string::npos);
}

// The tutorial's tokenizer as protocol 4 writes it.
std::string tutorial_pickle() {
    return read_file(data + "keras/files-3.16/tokenizer.pkl");
}

std::string with(const std::string& from, const std::string& to) {
    std::string bytes = tutorial_pickle();
    const std::size_t at = bytes.find(from);
    REQUIRE(at != std::string::npos);
    bytes.erase(2, 9);  // the frame says a length
    return bytes.replace(at - 9, from.size(), to);
}

}  // namespace

TEST_CASE("10,000 random texts are what Keras's Tokenizer makes of them, with every option") {
    const Json all = parse_json(read_file(data + "tokenizer_random.json"), "cases");
    std::size_t texts = 0, ids = 0;
    for (const Json& given : all["cases"]) {
        CAPTURE(given.dump());
        Generator generator(given[0].get<std::uint64_t>(), all["alphabets"]);
        std::vector<std::string> lines, probes;
        for (std::size_t i = 0; i < all["lines"]; ++i) lines.push_back(generator.text());
        probes = lines;
        for (std::size_t i = 0; i < all["probes"]; ++i) probes.push_back(generator.text());
        const Tokenizer tokenizer = Tokenizer::fit(lines, options_of(given[1]));
        CHECK(fnv(describe(tokenizer)) == given[2].get<std::string>());
        std::string sequences;
        std::size_t count = 0;
        for (const std::string& probe : probes) {
            const std::vector<std::int32_t> sequence = tokenizer.ids(probe);
            for (std::size_t i = 0; i < sequence.size(); ++i) sequences += (i ? " " : "") + std::to_string(sequence[i]);
            sequences += '\n';
            count += sequence.size();
        }
        CHECK(count == given[4]);
        CHECK(fnv(sequences) == given[3].get<std::string>());
        CHECK(read_tokenizer_json(write_tokenizer_json(tokenizer), "ours") == tokenizer);
        texts += probes.size();
        ids += count;
    }
    CHECK(texts == 10000);
    CHECK(texts == all["texts"]);
    MESSAGE(texts << " texts, " << ids << " ids, " << all["cases"].size() << " tokenizers of Keras "
                  << all["keras"].get<std::string>());
}

TEST_CASE("tokenizers that Python pickled are those that Keras wrote as JSON, protocols 2 to 5") {
    const Json all = parse_json(read_file(data + "tokenizer_pickles.json"), "cases");
    std::size_t pickles = 0;
    for (const Json& given : all["cases"]) {
        const Tokenizer expected = read_tokenizer_json(given["json"].get_ref<const std::string&>(), "json");
        for (const Json& pickled : given["pickles"]) {
            CAPTURE(pickled[0].dump());
            const std::string bytes = unbase64(pickled[1].get<std::string>());
            CHECK(int(bytes[1]) == pickled[0].get<int>());
            CHECK(read_tokenizer_pickle(bytes, "t.pkl") == expected);
            CHECK(read_tokenizer(bytes, "t.pkl") == expected);
            ++pickles;
        }
    }
    CHECK(pickles == 26);
    for (const std::string version : {"3.3.3", "3.16"}) {
        const std::string folder = data + "keras/files-" + version + "/";
        CHECK(read_tokenizer(read_file(folder + "tokenizer.pkl"), "pkl") ==
              read_tokenizer(read_file(folder + "tokenizer.json"), "json"));
    }
}

TEST_CASE("a pickle cut off anywhere is one sentence; with any byte changed it is refused or a tokenizer") {
    const Json all = parse_json(read_file(data + "tokenizer_pickles.json"), "cases");
    std::vector<std::string> wholes = {tutorial_pickle()};
    for (const Json& pickled : all["cases"][2]["pickles"]) wholes.push_back(unbase64(pickled[1].get<std::string>()));
    std::size_t cuts = 0, mutants = 0, read = 0;
    for (const std::string& whole : wholes) {
        REQUIRE(refusal(whole) == "read");
        for (std::size_t end = 0; end < whole.size(); ++end, ++cuts) {
            CAPTURE(end);
            CHECK(refusal(whole.substr(0, end)) != "read");
        }
        for (std::size_t at = 0; at < whole.size(); ++at)
            for (int byte = 0; byte < 256; byte += at % 3 ? 7 : 1, ++mutants) {
                std::string damaged = whole;
                damaged[at] = static_cast<char>(byte);
                read += refusal(damaged) == "read";
            }
    }
    Rng rng(5);
    for (int i = 0; i < 20000; ++i, ++mutants) {
        std::string damaged = wholes[i % wholes.size()];
        for (std::uint64_t k = rng.below(6) + 1; k > 0; --k) {
            const std::size_t at = rng.below(damaged.size()), length = rng.below(20);
            if (rng.below(2))
                damaged.erase(at, length);
            else
                damaged.insert(at, damaged.substr(rng.below(damaged.size()), length));
            if (damaged.empty()) damaged = "x";
        }
        read += refusal(damaged) == "read";
    }
    CHECK(read < mutants / 2);
    MESSAGE(cuts << " cuts and " << mutants << " mutants of " << wholes.size() << " pickles; " << read
                 << " of the mutants are tokenizers still");
}

TEST_CASE("a pickle that would run something, or holds something else, is refused by its rule") {
    using namespace std::string_literals;
    expect("", "no pickle of protocol 2 to 5");
    expect("{\"class_name\": 1}", "no pickle of protocol 2 to 5");
    expect("(dp0\n.", "no pickle of protocol 2 to 5");
    expect("\x80\x06N.", "no pickle of protocol 2 to 5");
    expect("\x80\x02" + "cos\nsystem\nX\x02\0\0\0ls\x85R."s, "names 'os.system'");
    expect("\x80\x04" + "\x8c\x05posix\x8c\x06system\x93\x8c\x02ls\x85R."s, "names 'posix.system'");
    expect("\x80\x02" + "cbuiltins\neval\n."s, "names 'builtins.eval'");
    expect("\x80\x02" + "cbuiltins\nint\nX\x01\0\0\0\x37\x85R."s, "makes a call that no Keras tokenizer needs");
    expect("\x80\x02" + "ccollections\nOrderedDict\n)\x81."s, "makes an object that is no Keras Tokenizer");
    expect("\x80\x02" + "ccollections\ndefaultdict\n)R."s, "makes a call that no Keras tokenizer needs");
    expect("\x80\x02" + "ckeras.evil\nTokenizer\n)\x81."s, "names 'keras.evil.Tokenizer'");
    expect("\x80\x02" + "c\x1b[31m\n\xff\n."s, "names '?[31m.?'");
    for (const char* instruction : {"P1\n",
                                    "Q",
                                    "\x82\x01",
                                    "\x83\x01\x01",
                                    "(icollections\nOrderedDict\n",
                                    "o",
                                    "\x92",
                                    "\x8b\x01\x00\x00\x00",
                                    "F1.5\n",
                                    "G",
                                    "C\x01x",
                                    "\x97",
                                    "\x8e",
                                    "]",
                                    "(l",
                                    "I1\n",
                                    "S'x'\n",
                                    "V x\n",
                                    "0",
                                    "2",
                                    "\x8f",
                                    "a",
                                    "t",
                                    "d"})
        expect("\x80\x02N" + std::string(instruction) + ".", "has an instruction that no Keras tokenizer needs");
    expect("\x80\x02" + std::string(20, '('), "nests deeper");
    expect("\x80\x02N"s + "r\xff\xff\xff\x7f.", "leaves a gap in what it remembers");
    expect("\x80\x02j\xff\xff\xff\x7f.", "recalls what it did not remember");
    expect("\x80\x02X\xff\xff\xff\xffhello.", "is cut off");
    expect("\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\xffN.", "is cut off");
    expect("\x80\x02" + std::string(1000, '}') + ".", "more dictionaries");
    expect("\x80\x02" + std::string(1000, 'N') + ".", "more values");
    expect("\x80\x02\x8a\x09\x01\x01\x01\x01\x01\x01\x01\x01\x01.", "too large");
    expect("\x80\x02N.", "holds something else than one Keras Tokenizer");
    expect("\x80\x02NN.", "holds something else than one Keras Tokenizer");
    expect("\x80\x02(N.", "holds something else than one Keras Tokenizer");
    expect("\x80\x02.", "holds something else than one Keras Tokenizer");
    expect(tutorial_pickle() + "x", "goes on after its end");
    expect("\x80\x02"s + "ckeras.preprocessing.text\nTokenizer\n)\x81.", "holds an empty Tokenizer");
    CHECK(refusal(with("keras.src.legacy.preprocessing.text", "keras.src.legacy.preprocessing.text")) == "read");
    CHECK(refusal(with("\x8c#keras.src.legacy.preprocessing.text", "\x8c\x18keras_preprocessing.text")) == "read");
    expect(with("\x8c\x08"
                "analyzer\x94N",
                "\x8c\x08"
                "analyzer\x94\x88"),
           "nothing that a file names is executed");
    expect(with("num_words\x94N", "num_words\x94J\xff\xff\xff\xff"), "num_words is not a whole number");
    expect(with("num_words\x94N", "num_words\x94\x88"), "num_words is not a whole number");
    expect(with("lower\x94\x88", "lower\x94N"), "read");
    expect(with("lower\x94\x88", "lower\x94K\x01"), "lower is neither True nor False");
    expect(with("\x8c\x05split\x94\x8c\x01 ", "\x8c\x05split\x94\x8c\x00"s), "split is empty");
    expect(with("\x8c\x05hello\x94", "\x8c\x05\xff\xfe\xfd\xfc\xfb\x94"), "a text that is no UTF-8");
    expect(with("\x8c\x05world\x94", "\x8c\x05hello\x94"), "twice");
    expect(with("\x8c\x0aword_index", "\x8c\x0aword_jndex"), "word_index is missing");
}

TEST_CASE("options of a tokenizer.json are Keras's or refused") {
    const auto read = [](const std::string& options) {
        return read_tokenizer_json("{\"class_name\": \"Tokenizer\", \"config\": {" + options +
                                       "\"word_counts\": \"{\\\"a\\\": 1}\", \"word_index\": \"{\\\"a\\\": 1}\"}}",
                                   "tokenizer.json");
    };
    // Many give the padding a name.
    const Tokenizer padded = read_tokenizer_json(
        "{\"class_name\": \"Tokenizer\", \"config\": {\"word_counts\": \"{\\\"a\\\": 1}\", "
        "\"word_index\": \"{\\\"<pad>\\\": 0, \\\"a\\\": 1}\"}}",
        "tokenizer.json");
    CHECK(padded.vocabulary() == 2);
    CHECK(padded.id("a") == 1);
    CHECK(padded.id("<pad>") == 0);
    CHECK(read("").options() == TokenizerOptions());
    CHECK(read("\"filters\": null, ").options().filters.empty());
    CHECK(read("\"oov_token\": null, \"num_words\": null, ").options() == TokenizerOptions());
    CHECK(read("\"oov_token\": \"\", ").options().oov_token == "");
    CHECK_THROWS_WITH_AS(read("\"oov_token\": 1, "), doctest::Contains("oov_token is not a text"), Error);
    CHECK_THROWS_WITH_AS(read("\"lower\": 1, "), doctest::Contains("lower is not true or false"), Error);
    CHECK_THROWS_WITH_AS(read("\"char_level\": \"no\", "), doctest::Contains("char_level is not true or false"), Error);
    CHECK_THROWS_WITH_AS(read("\"split\": [], "), doctest::Contains("split is not a text"), Error);
    CHECK_THROWS_WITH_AS(read("\"num_words\": 2.5, "), doctest::Contains("num_words is not a whole number"), Error);
}
