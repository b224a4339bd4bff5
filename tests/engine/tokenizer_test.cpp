#include "engine/text/tokenizer.h"

#include "engine/core/error.h"
#include "engine/text/unicode_lower.h"
#include "engine/text/utf8.h"

#include <doctest/doctest.h>

#include <fstream>
#include <nlohmann/json.hpp>

using namespace moe;
using nlohmann::json;

namespace {

json load(const std::string& name) {
    return json::parse(std::ifstream(MOE_TEST_DATA "/data/" + name));
}

TokenizerOptions options_of(const json& given) {
    TokenizerOptions options;
    if (given.contains("num_words")) options.num_words = given["num_words"].get<std::size_t>();
    if (given.contains("oov_token")) options.oov_token = given["oov_token"].get<std::string>();
    options.lower = given.value("lower", options.lower);
    options.char_level = given.value("char_level", options.char_level);
    options.filters = given.value("filters", options.filters);
    options.split = given.value("split", options.split);
    return options;
}

}  // namespace

TEST_CASE("every tokenizer that Keras made of random Unicode texts is ours, to the index") {
    std::size_t texts = 0;
    const json all = load("tokenizer_cases.json");
    for (const json& given : all["cases"]) {
        CAPTURE(given["options"].dump());
        const auto lines = given["lines"].get<std::vector<std::string>>();
        const Tokenizer tokenizer = Tokenizer::fit(lines, options_of(given["options"]));
        CHECK(tokenizer.document_count() == lines.size());
        REQUIRE(tokenizer.word_counts().size() == given["counts"].size());
        std::vector<WordCount> expected;
        for (const json& count : given["counts"]) expected.push_back({count[0], count[1], count[2]});
        CHECK(tokenizer.word_counts() == expected);
        for (const json& entry : given["index"]) {
            CHECK(tokenizer.id(entry[1].get<std::string>()) == entry[0]);
            CHECK(tokenizer.word(entry[0]) == entry[1].get<std::string>());
        }
        for (const json& probe : given["probes"]) {
            CAPTURE(probe.dump());
            const auto text = probe[0].get<std::string>();
            const auto ids = tokenizer.ids(text);
            CHECK(ids == probe[1].get<std::vector<std::int32_t>>());
            CHECK(tokenizer.ids_with_unknown(text).size() == tokenizer.words(text).size());
            for (const std::int32_t id : ids) CHECK(std::size_t(id) < tokenizer.vocabulary());
        }
        texts += lines.size() + given["probes"].size();
    }
    CHECK(texts > 2000);
}

TEST_CASE("lower case is Python's, for every character of Unicode") {
    const json all = load("tokenizer_cases.json");
    for (const json& pair : all["lowers"]) CHECK(to_lower(pair[0].get<std::string>()) == pair[1].get<std::string>());
    CHECK(to_lower("ΟΔΥΣΣΕΥΣ ΣΑΣ") == "οδυσσευς σας");
    CHECK(to_lower("İ") == "i\xCC\x87");
    CHECK(to_lower("A\xFF\xC3") == "a\xFF\xC3");
}

TEST_CASE("UTF-8 is what Python's strict decoder takes") {
    CHECK(find_bad_utf8("plain, äöü, 世界, 🙂") == std::string_view::npos);
    for (const char* bad : {"\xC0\x80", "\xE0\x80\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xF0\x80\x80\x80", "\x80",
                            "\xC3", "\xE4\xB8", "\xFF"}) {
        CAPTURE(bad);
        CHECK(find_bad_utf8(std::string("ab") + bad) == 2);
        CHECK(find_bad_utf8(std::string(200, 'x') + bad + "y") == 200);
    }
    for (char32_t c = 0; c <= 0x10FFFF; c += c < 0x3000 ? 1 : 97) {
        if (c >= 0xD800 && c <= 0xDFFF) continue;
        std::string text;
        append_utf8(text, c);
        REQUIRE(decode_utf8(text, 0).value == c);
        REQUIRE(decode_utf8(text, 0).length == text.size());
    }
}

TEST_CASE("the words of the tutorial get the tutorial's numbers") {
    const std::vector<std::string> lines = {"hello world how are you", "how are you doing today", "hello world again",
                                            "fine thank you"};
    const Tokenizer tokenizer = Tokenizer::fit(lines);
    CHECK(tokenizer.vocabulary() == 11);
    CHECK(tokenizer.ids("Hello, world! How ARE you?") == std::vector<std::int32_t>{2, 3, 4, 5, 1});
    CHECK(tokenizer.ids("hello martian") == std::vector<std::int32_t>{2});
    CHECK(tokenizer.ids_with_unknown("hello martian") == std::vector<std::int32_t>{2, 0});
    CHECK(tokenizer.word(0).empty());
    CHECK(tokenizer.word(11).empty());
    CHECK(tokenizer.word(-1).empty());
}

TEST_CASE("a tokenizer from counts is the one that was fitted; an index that is none is refused") {
    const std::vector<std::string> lines = {"b a a", "c b", "a"};
    const Tokenizer fitted = Tokenizer::fit(lines);
    CHECK(Tokenizer::from_counts({}, fitted.word_counts(), 3) == fitted);
    CHECK(Tokenizer::from_counts({}, fitted.word_counts(), 3, {{"a", 1}, {"b", 2}, {"c", 3}}) == fitted);
    const Tokenizer turned = Tokenizer::from_counts({}, fitted.word_counts(), 3, {{"c", 1}, {"b", 2}, {"a", 3}});
    CHECK(turned.ids("a b c") == std::vector<std::int32_t>{3, 2, 1});
    using Index = std::unordered_map<std::string, std::int32_t>;
    for (const Index& index : {Index{{"a", 0}}, Index{{"a", -1}}, Index{{"a", 1}, {"b", 1}}, Index{{"a", 2000000000}}})
        CHECK_THROWS_AS(Tokenizer::from_counts({}, fitted.word_counts(), 3, index), Error);
    CHECK_THROWS_AS(Tokenizer::fit(std::vector<std::string>{"...", " "}), Error);
    TokenizerOptions no_split;
    no_split.split.clear();
    CHECK_THROWS_AS(Tokenizer::fit(lines, no_split), Error);
}

TEST_CASE("padding stands before, and longer sequences keep their end") {
    std::vector<std::int32_t> row(4, 9);
    pad_pre(std::vector<std::int32_t>{1, 2}, row);
    CHECK(row == std::vector<std::int32_t>{0, 0, 1, 2});
    pad_pre(std::vector<std::int32_t>{1, 2, 3, 4, 5, 6}, row);
    CHECK(row == std::vector<std::int32_t>{3, 4, 5, 6});
    pad_pre({}, row);
    CHECK(row == std::vector<std::int32_t>{0, 0, 0, 0});
}
