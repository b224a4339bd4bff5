#include "engine/formats/json_text.h"
#include "engine/formats/model_files.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace moe {

namespace {

constexpr std::uint64_t most_words = std::numeric_limits<std::uint32_t>::max();

// {"a": 1, "b": 2} as Python's json.dumps writes it.
class Object {
public:
    void add(std::string_view key, std::string_view value) {
        text_ += (text_.size() > 1 ? ", " : "") + json_quote(key) + ": ";
        text_ += value;
    }
    std::string text() const { return text_ + "}"; }

private:
    std::string text_ = "{";
};

using WordNumbers = std::vector<std::pair<std::string, std::uint64_t>>;

// A list of words with their numbers, which Keras writes as a string holding JSON; an object that stands there as it is
// will do. It is then gone from where it stood. Not through a document: of millions of words that takes several times
// their bytes.
WordNumbers taken(Json& config, const char* key, std::uint64_t most, const std::string& name) {
    json_field(config, key, name);
    const Json field = std::exchange(config[key], nullptr);
    const std::string what = "a number in " + std::string(key);
    WordNumbers words;
    if (field.is_string())
        words = parse_number_list(field.get_ref<const std::string&>(), name + ": " + key);
    else if (field.is_object())
        for (const auto& [word, number] : field.items())
            words.emplace_back(word, json_whole(number, json_any_whole, what, name));
    else
        throw Error("'" + name + "': its " + std::string(key) + " is no JSON object.");
    for (const auto& [word, number] : words)
        if (number > most) json_whole(Json(number), most, what, name);
    return words;
}

// An option of the tokenizer: of another type than Keras's it would be guessed at, so it is refused.
bool has_option(const Json& config, const char* key, bool right_type, const char* type, const std::string& name) {
    if (!config.contains(key) || config[key].is_null()) return false;
    if (!right_type) throw Error("'" + name + "': the tokenizer's " + key + " is not " + type + ".");
    return true;
}

void truth(const Json& config, const char* key, bool& into, const std::string& name) {
    if (has_option(config, key, config.contains(key) && config[key].is_boolean(), "true or false", name))
        into = config[key].get<bool>();
}

bool text(const Json& config, const char* key, std::string& into, const std::string& name) {
    const bool given = has_option(config, key, config.contains(key) && config[key].is_string(), "a text", name);
    if (given) into = config[key].get<std::string>();
    return given;
}

}  // namespace

std::string write_tokenizer_json(const Tokenizer& tokenizer) {
    Object counts, docs, index_docs, index_word, word_index;
    for (const WordCount& word : tokenizer.word_counts()) {
        const std::string documents = std::to_string(word.documents);
        counts.add(word.word, std::to_string(word.count));
        docs.add(word.word, documents);
        if (const std::int32_t id = tokenizer.id(word.word)) index_docs.add(std::to_string(id), documents);
    }
    for (std::size_t id = 1; id < tokenizer.index_end(); ++id) {
        const std::string& word = tokenizer.word(std::int32_t(id));
        if (tokenizer.id(word) != std::int32_t(id)) continue;  // a hole: no word has this number
        index_word.add(std::to_string(id), json_quote(word));
        word_index.add(word, std::to_string(id));
    }
    const TokenizerOptions& options = tokenizer.options();
    Object config;
    config.add("num_words", options.num_words ? std::to_string(*options.num_words) : "null");
    config.add("filters", json_quote(options.filters));
    config.add("lower", options.lower ? "true" : "false");
    config.add("split", json_quote(options.split));
    config.add("char_level", options.char_level ? "true" : "false");
    config.add("oov_token", options.oov_token ? json_quote(*options.oov_token) : "null");
    config.add("document_count", std::to_string(tokenizer.document_count()));
    config.add("word_counts", json_quote(counts.text()));
    config.add("word_docs", json_quote(docs.text()));
    config.add("index_docs", json_quote(index_docs.text()));
    config.add("index_word", json_quote(index_word.text()));
    config.add("word_index", json_quote(word_index.text()));
    Object file;
    file.add("class_name", json_quote("Tokenizer"));
    file.add("config", config.text());
    return file.text();
}

Tokenizer read_tokenizer_json(std::string_view json, const std::string& name) {
    Json file = parse_json(json, name);
    for (int level = 0; level < 4 && file.is_string(); ++level) {
        const std::string inner = file.get<std::string>();
        file = parse_json(inner, name);
    }
    const auto class_name = file.is_object() ? file.find("class_name") : file.end();
    if (!file.is_object() || class_name == file.end() || *class_name != "Tokenizer")
        throw Error("'" + name + "' is not a Keras tokenizer; give the file that tokenizer.to_json() wrote.");
    json_field(file, "config", name);
    Json& config = file["config"];
    if (!config.is_object()) throw Error("'" + name + "': the tokenizer's config is no JSON object.");

    TokenizerOptions options;
    if (config.contains("num_words") && !config["num_words"].is_null())
        options.num_words = json_whole(config["num_words"], most_words, "num_words", name);
    if (config.contains("filters") && config["filters"].is_null()) options.filters.clear();
    text(config, "filters", options.filters, name);
    truth(config, "lower", options.lower, name);
    text(config, "split", options.split, name);
    truth(config, "char_level", options.char_level, name);
    if (std::string token; text(config, "oov_token", token, name)) options.oov_token = std::move(token);
    if (options.split.empty() && !options.char_level)
        throw Error("'" + name + "': the tokenizer's split is empty, so it cannot find words.");
    const std::uint64_t documents = config.contains("document_count")
                                        ? json_whole(config["document_count"], most_words, "document_count", name)
                                        : 0;

    // One list at a time: of a large file each takes several times its bytes.
    for (const char* unused : {"index_docs", "index_word"}) config.erase(unused);
    WordNumbers docs;
    if (config.contains("word_docs")) docs = taken(config, "word_docs", most_words, name);
    std::ranges::sort(docs);  // and not a table of hashes, which a stranger's words can make slow
    std::vector<WordCount> words;
    for (auto& [word, count] : taken(config, "word_counts", most_words, name)) {
        const auto found = std::ranges::lower_bound(docs, word, {}, &WordNumbers::value_type::first);
        const bool known = found != docs.end() && found->first == word;
        words.push_back({std::move(word), count, known ? found->second : 0});
    }
    docs = {};
    std::unordered_map<std::string, std::int32_t> numbers;
    for (auto& [word, id] : taken(config, "word_index", INT32_MAX, name))
        numbers.emplace(std::move(word), std::int32_t(id));
    file = nullptr;
    try {
        return Tokenizer::from_counts(std::move(options), std::move(words), documents, std::move(numbers));
    } catch (const Error& error) {
        throw Error("'" + name + "': " + error.what());
    }
}

}  // namespace moe
