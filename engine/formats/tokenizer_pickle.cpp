#include "engine/formats/tokenizer_pickle.h"

#include "engine/core/error.h"
#include "engine/core/numbers.h"
#include "engine/formats/model_files.h"
#include "engine/text/utf8.h"

#include <algorithm>
#include <cstdint>
#include <deque>
#include <functional>
#include <limits>
#include <numeric>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

namespace moe {

namespace {

// A million words take about 60 MB. A tokenizer has six dictionaries, one inside the other.
constexpr std::size_t largest_file = std::size_t(1) << 26, most_dictionaries = 64, deepest_marks = 16;
constexpr std::uint32_t largest_value = 1 << 28;
static_assert(largest_file < largest_value);
constexpr std::size_t most_on_stack = 65536, most_wide_numbers = 65536;  // Python puts 1,000 entries down at a time
constexpr std::uint32_t nothing = std::numeric_limits<std::uint32_t>::max();
// A reference to a value is its place, or with this bit the whole number itself: five dictionaries in six hold those.
constexpr std::uint32_t immediate = std::uint32_t(1) << 31;

enum class Kind : std::uint8_t { none, truth, whole, text, tuple, dictionary, class_name, tokenizer };
enum class Class : std::uint8_t { tokenizer, ordered_dict, default_dict, integer };

// A value of the file. Texts are looked up where they lie in it; the rest refers to other values by their number, so
// that nothing here is ever walked deeper than a tokenizer is.
struct Value {
    Value(Kind of, std::size_t bytes, std::size_t what)
        : kind(of), size(bytes & (largest_value - 1)), number(std::uint32_t(what)) {}

    Kind kind : 4;
    std::uint32_t size : 28;  // of a text, in bytes; how many elements a tuple has
    std::uint32_t number;     // where a text starts; which wide number, dictionary, tuple's only element, or class
};
static_assert(sizeof(Value) == 8, "a large file has millions");

// Both grow without a copy of what they hold: a stranger's file may be nothing but values or entries.
using Values = std::deque<Value>;
using Dictionary = std::deque<std::pair<std::uint32_t, std::uint32_t>>;

bool is_tokenizer_module(std::string_view module) {
    return module.ends_with("preprocessing.text") &&
           (module.starts_with("keras") || module.starts_with("tensorflow.") || module.starts_with("tf_keras."));
}

class PickleReader {
public:
    PickleReader(std::string_view bytes, const std::string& name) : bytes_(bytes), name_(name) {}

    Tokenizer read() {
        if (bytes_.size() > largest_file)
            throw Error("'" + name_ + "' holds " + format_size() +
                        ", more than a tokenizer's pickle may; save tokenizer.to_json() instead.");
        // Protocols 0 and 1 are another language; nobody has written them for fifteen years.
        if (bytes_.size() < 2 || bytes_[0] != '\x80' || bytes_[1] < 2 || bytes_[1] > 5)
            throw Error("'" + name_ +
                        "' is no pickle of protocol 2 to 5; give the file that pickle.dump(tokenizer, file) wrote.");
        while (!stopped_) step();
        if (at_ != bytes_.size()) refuse("goes on after its end");
        if (stack_.size() != 1 || !marks_.empty() || value(stack_[0]).kind != Kind::tokenizer)
            refuse("holds something else than one Keras Tokenizer");
        return tokenizer(value(stack_[0]));
    }

private:
    [[noreturn]] void refuse(const std::string& why) const {
        throw Error("'" + name_ + "' is not read as a tokenizer: the pickle " + why + " at byte " +
                    with_commas(std::min(at_, bytes_.size())) +
                    "; nothing in a pickle is executed here, so save tokenizer.to_json() instead.");
    }

    std::string format_size() const { return with_commas(bytes_.size()) + " bytes"; }

    // --- the bytes ---

    std::string_view take(std::size_t count) {
        if (count > bytes_.size() - at_) refuse("is cut off");
        at_ += count;
        return bytes_.substr(at_ - count, count);
    }

    std::uint64_t little_endian(std::size_t count) {
        std::uint64_t number = 0;
        const std::string_view part = take(count);
        for (std::size_t i = count; i > 0; --i) number = number << 8 | static_cast<unsigned char>(part[i - 1]);
        return number;
    }

    std::string_view line() {
        const std::size_t end = bytes_.substr(at_, 200).find('\n');
        if (end == std::string_view::npos) refuse("has a name that does not end");
        const std::string_view found = take(end + 1);
        return found.substr(0, end);
    }

    // --- the values ---

    Value value(std::uint32_t reference) const {
        return reference & immediate ? Value{Kind::whole, 0, 0} : values_[reference];
    }

    std::int64_t whole_number(std::uint32_t reference) const {
        return reference & immediate ? std::int64_t(reference & ~immediate) : wide_[values_[reference].number];
    }

    void push_reference(std::uint32_t reference) {
        if (stack_.size() >= most_on_stack) refuse("puts more aside than a tokenizer needs");
        stack_.push_back(reference);
    }

    void push(Value made) {
        if (values_.size() > bytes_.size() / 4) refuse("holds more values than a tokenizer has");
        push_reference(std::uint32_t(values_.size()));
        values_.push_back(made);
    }

    void push_whole(std::int64_t number) {
        if (number >= 0 && number < std::int64_t(nothing & ~immediate)) {
            push_reference(std::uint32_t(number) | immediate);
            return;
        }
        if (wide_.size() == most_wide_numbers) refuse("holds more large numbers than a tokenizer has");
        push({Kind::whole, 0, wide_.size()});
        wide_.push_back(number);
    }

    void push_text(std::size_t size) {
        const std::size_t start = at_;
        const std::string_view text = take(size);
        if (find_bad_utf8(text) != std::string_view::npos) refuse("has a text that is no UTF-8");
        push({Kind::text, size, start});
    }

    void push_dictionary() {
        if (dictionaries_.size() == most_dictionaries) refuse("holds more dictionaries than a tokenizer has");
        push({Kind::dictionary, 0, dictionaries_.size()});
        dictionaries_.emplace_back();
    }

    std::string_view text(std::uint32_t index) const {
        const Value found = value(index);
        if (found.kind != Kind::text) refuse("has something else where a text belongs");
        return bytes_.substr(std::size_t(found.number), found.size);
    }

    // What stands above the last mark belongs to one instruction; nothing may be taken from below it.
    std::size_t floor() const { return marks_.empty() ? 0 : marks_.back(); }

    std::uint32_t pop() {
        if (stack_.size() <= floor()) refuse("takes more than it has");
        const std::uint32_t top = stack_.back();
        stack_.pop_back();
        return top;
    }

    std::uint32_t top() const {
        if (stack_.size() <= floor()) refuse("takes more than it has");
        return stack_.back();
    }

    Dictionary& dictionary_at_top() {
        const Value found = value(top());
        if (found.kind != Kind::dictionary) refuse("puts entries into something that is no dictionary");
        return dictionaries_[std::size_t(found.number)];
    }

    // --- the instructions ---

    void step() {
        const auto code = static_cast<unsigned char>(take(1)[0]);
        switch (code) {
            case 0x80:  // PROTO
                if (at_ != 1) refuse("starts twice");
                take(1);
                break;
            case 0x95:  // FRAME
                if (little_endian(8) > bytes_.size() - at_) refuse("is cut off");
                break;
            case '.':
                stopped_ = true;
                break;
            case '(':
                if (marks_.size() == deepest_marks) refuse("nests deeper than a tokenizer does");
                marks_.push_back(stack_.size());
                break;
            case 'N':
                push({Kind::none, 0, 0});
                break;
            case 0x88:
                push({Kind::truth, 0, 1});
                break;
            case 0x89:
                push({Kind::truth, 0, 0});
                break;
            case 'K':
                push_whole(std::int64_t(little_endian(1)));
                break;
            case 'M':
                push_whole(std::int64_t(little_endian(2)));
                break;
            case 'J':
                push_whole(std::int32_t(std::uint32_t(little_endian(4))));
                break;
            case 0x8A:
                push_long();
                break;
            case 'X':
                push_text(std::size_t(little_endian(4)));
                break;
            case 0x8C:
                push_text(std::size_t(little_endian(1)));
                break;
            case ')':
                push({Kind::tuple, 0, nothing});
                break;
            case 0x85: {  // TUPLE1
                const std::uint32_t element = pop();
                push({Kind::tuple, 1, element});
                break;
            }
            case '}':
                push_dictionary();
                break;
            case 's': {
                const std::uint32_t entry = pop(), key = pop();
                dictionary_at_top().emplace_back(key, entry);
                break;
            }
            case 'u':
                set_items();
                break;
            case 'q':
                remember(std::size_t(little_endian(1)));
                break;
            case 'r':
                remember(std::size_t(little_endian(4)));
                break;
            case 0x94:
                remember(memo_.size());
                break;  // MEMOIZE
            case 'h':
                recall(std::size_t(little_endian(1)));
                break;
            case 'j':
                recall(std::size_t(little_endian(4)));
                break;
            case 'c': {
                const std::string_view module = line();
                push_class(module, line());
                break;
            }
            case 0x93: {  // STACK_GLOBAL
                const std::uint32_t attribute = pop(), module = pop();
                push_class(text(module), text(attribute));
                break;
            }
            case 'R':
                call();
                break;
            case 0x81:
                make_object();
                break;
            case 'b':
                build();
                break;
            default:
                --at_;
                refuse("has an instruction that no Keras tokenizer needs");
        }
    }

    void push_long() {
        const std::size_t size = std::size_t(little_endian(1));
        if (size > 8) refuse("has a number that is too large");
        std::uint64_t number = little_endian(size);
        if (size > 0 && size < 8 && (number >> (8 * size - 1) & 1)) number |= ~std::uint64_t(0) << (8 * size);
        push_whole(static_cast<std::int64_t>(number));
    }

    void set_items() {
        if (marks_.empty()) refuse("takes more than it has");
        const std::size_t start = marks_.back();
        if ((stack_.size() - start) % 2 != 0) refuse("has a key without a value");
        const std::vector<std::uint32_t> entries(stack_.begin() + std::ptrdiff_t(start), stack_.end());
        stack_.resize(start);
        marks_.pop_back();
        Dictionary& dictionary = dictionary_at_top();
        for (std::size_t i = 0; i < entries.size(); i += 2) dictionary.emplace_back(entries[i], entries[i + 1]);
    }

    // Python numbers the memo from 0 without gaps; a number far out would only cost memory.
    void remember(std::size_t place) {
        if (place > memo_.size()) refuse("leaves a gap in what it remembers");
        if (place == memo_.size() && place > values_.size()) refuse("remembers more than it holds");
        if (place == memo_.size())
            memo_.push_back(top());
        else
            memo_[place] = top();
    }

    void recall(std::size_t place) {
        if (place >= memo_.size()) refuse("recalls what it did not remember");
        push_reference(memo_[place]);
    }

    void push_class(std::string_view module, std::string_view attribute) {
        const auto is = [&](const char* m, const char* a) { return module == m && attribute == a; };
        std::optional<Class> found;
        if (attribute == "Tokenizer" && is_tokenizer_module(module)) found = Class::tokenizer;
        if (is("collections", "OrderedDict")) found = Class::ordered_dict;
        if (is("collections", "defaultdict")) found = Class::default_dict;
        // Protocol 2 calls Python 3's int by its Python 2 names.
        if (is("builtins", "int") || is("__builtin__", "int") || is("__builtin__", "long")) found = Class::integer;
        if (!found) {
            std::string shown(module.substr(0, 60));
            shown += "." + std::string(attribute.substr(0, 60));
            for (char& c : shown)
                if (static_cast<unsigned char>(c) < 32 || static_cast<unsigned char>(c) > 126) c = '?';
            refuse("names '" + shown + "', where only Tokenizer, OrderedDict, defaultdict and int are known,");
        }
        push({Kind::class_name, 0, std::size_t(*found)});
    }

    bool is_class(std::uint32_t index, Class wanted) const {
        return value(index).kind == Kind::class_name && value(index).number == std::uint32_t(wanted);
    }

    // OrderedDict() and defaultdict(int): both are dictionaries here.
    void call() {
        const std::uint32_t arguments = pop(), callee = pop();
        if (value(arguments).kind != Kind::tuple) refuse("makes a call that no Keras tokenizer needs");
        const Value tuple = value(arguments);
        const bool ordered = is_class(callee, Class::ordered_dict) && tuple.size == 0;
        const bool counting =
            is_class(callee, Class::default_dict) && tuple.size == 1 && is_class(tuple.number, Class::integer);
        if (!ordered && !counting) refuse("makes a call that no Keras tokenizer needs");
        push_dictionary();
    }

    void make_object() {
        const std::uint32_t arguments = pop(), made = pop();
        if (!is_class(made, Class::tokenizer) || value(arguments).kind != Kind::tuple || value(arguments).size != 0)
            refuse("makes an object that is no Keras Tokenizer");
        push({Kind::tokenizer, 0, nothing});
    }

    void build() {
        const std::uint32_t state = pop();
        if (value(state).kind != Kind::dictionary || value(top()).kind != Kind::tokenizer ||
            value(top()).number != nothing)
            refuse("fills an object that is no Keras Tokenizer");
        values_[top()].number = value(state).number;
    }

    // --- the tokenizer ---

    [[noreturn]] void damaged(const std::string& key, const char* what) const {
        throw Error("'" + name_ + "': the tokenizer's " + key + ' ' + what + '.');
    }

    std::uint64_t whole(std::uint32_t index, std::uint64_t most, const std::string& key) const {
        if (value(index).kind != Kind::whole || whole_number(index) < 0 || std::uint64_t(whole_number(index)) > most)
            damaged(key, "is not a whole number in range");
        return std::uint64_t(whole_number(index));
    }

    const Dictionary& dictionary(std::uint32_t index, const std::string& key) const {
        if (value(index).kind != Kind::dictionary) damaged(key, "is no dictionary");
        return dictionaries_[std::size_t(value(index).number)];
    }

    // A dictionary's entries in the order of their text. Sorted, because no choice of words makes that slow, and a
    // table of hashes would take ten times as much of a file that is large already.
    class Words {
    public:
        Words(const PickleReader& reader, const Dictionary& entries)
            : reader_(reader), entries_(entries), order_(entries.size()) {
            std::iota(order_.begin(), order_.end(), std::uint32_t(0));
            std::ranges::sort(order_, [this](std::uint32_t a, std::uint32_t b) {
                return !same(word(a), word(b)) && word(a) < word(b);
            });
        }

        bool twice() const {
            const auto equal = [this](std::uint32_t a, std::uint32_t b) {
                return same(word(a), word(b)) || word(a) == word(b);
            };
            return std::ranges::adjacent_find(order_, equal) != order_.end();
        }

        /// The entry whose word this is; nothing where there is none.
        std::uint32_t find(std::string_view wanted) const {
            const auto at =
                std::ranges::lower_bound(order_, wanted, {}, [this](std::uint32_t entry) { return word(entry); });
            return at != order_.end() && word(*at) == wanted ? *at : nothing;
        }

    private:
        std::string_view word(std::uint32_t entry) const { return reader_.text(entries_[entry].first); }
        // One text that a file names again and again is not read again and again.
        static bool same(std::string_view a, std::string_view b) {
            return a.data() == b.data() && a.size() == b.size();
        }

        const PickleReader& reader_;
        const Dictionary& entries_;
        std::vector<std::uint32_t> order_;
    };

    // Its words, none twice, with whole numbers up to `most`.
    Words words_of(const Dictionary& entries, const std::string& key, std::uint64_t most) const {
        for (const auto& [word, number] : entries) {
            if (value(word).kind != Kind::text) damaged(key, "has a word that is no text");
            whole(number, most, "number in " + key);
        }
        Words words(*this, entries);
        if (words.twice()) damaged(key, "has a word twice");
        return words;
    }

    Tokenizer tokenizer(const Value& object) const {
        if (object.number == nothing) refuse("holds an empty Tokenizer");
        std::unordered_map<std::string_view, std::uint32_t> state;
        for (const auto& [key, entry] : dictionaries_[std::size_t(object.number)])
            if (value(key).kind != Kind::text || !state.emplace(text(key), entry).second)
                refuse("has a Tokenizer whose attributes are damaged");
        const auto find = [&](std::string_view key) {
            const auto found = state.find(key);
            return found == state.end() || value(found->second).kind == Kind::none ? nothing : found->second;
        };
        const auto need = [&](const char* key) {
            const std::uint32_t found = find(key);
            if (found == nothing) damaged(key, "is missing");
            return found;
        };
        const auto string = [&](const char* key, std::string& into) {
            const std::uint32_t found = find(key);
            if (found == nothing) return;
            if (value(found).kind != Kind::text) damaged(key, "is no text");
            into = std::string(text(found));
        };
        const auto truth = [&](const char* key, bool& into) {
            const std::uint32_t found = find(key);
            if (found == nothing) return;
            if (value(found).kind != Kind::truth) damaged(key, "is neither True nor False");
            into = value(found).number != 0;
        };
        constexpr std::uint64_t most = std::numeric_limits<std::uint32_t>::max();
        if (find("analyzer") != nothing)
            damaged("analyzer", "is code of somebody's own, and nothing that a file names is executed here");
        TokenizerOptions options;
        if (const std::uint32_t found = find("num_words"); found != nothing)
            options.num_words = whole(found, most, "num_words");
        string("filters", options.filters);
        truth("lower", options.lower);
        string("split", options.split);
        truth("char_level", options.char_level);
        if (find("oov_token") != nothing) string("oov_token", options.oov_token.emplace());
        if (options.split.empty() && !options.char_level) damaged("split", "is empty, so it cannot find words");
        const std::uint32_t counted = find("document_count");
        const std::uint64_t documents = counted == nothing ? 0 : whole(counted, most, "document_count");

        std::vector<WordCount> words = counted_words(need("word_counts"), find("word_docs"), most);
        std::unordered_map<std::string, std::int32_t> index;
        {
            const Dictionary& entries = dictionary(need("word_index"), "word_index");
            words_of(entries, "word_index", INT32_MAX);
            index.reserve(entries.size());
            for (const auto& [word, id] : entries)
                index.emplace(std::string(text(word)), std::int32_t(whole_number(id)));
        }
        try {
            return Tokenizer::from_counts(std::move(options), std::move(words), documents, std::move(index));
        } catch (const Error& error) {
            throw Error("'" + name_ + "': " + error.what());
        }
    }

    // `docs` may be nothing: then no word is in any line.
    std::vector<WordCount> counted_words(std::uint32_t counts, std::uint32_t docs, std::uint64_t most) const {
        const Dictionary none;
        const Dictionary &entries = dictionary(counts, "word_counts"),
                         &lines = docs == nothing ? none : dictionary(docs, "word_docs");
        const Words lines_with = words_of(lines, "word_docs", most);
        words_of(entries, "word_counts", most);
        std::vector<WordCount> words;
        words.reserve(entries.size());
        for (const auto& [word, count] : entries) {
            const std::uint32_t line = lines_with.find(text(word));
            words.push_back({std::string(text(word)), std::uint64_t(whole_number(count)),
                             line == nothing ? 0 : std::uint64_t(whole_number(lines[line].second))});
        }
        return words;
    }

    std::string_view bytes_;
    const std::string& name_;
    std::size_t at_ = 0;
    bool stopped_ = false;
    Values values_;
    std::vector<std::int64_t> wide_;  // whole numbers that are no reference
    std::vector<Dictionary> dictionaries_;
    std::vector<std::uint32_t> stack_, memo_;
    std::vector<std::size_t> marks_;  // heights of the stack
};

}  // namespace

Tokenizer read_tokenizer_pickle(std::string_view bytes, const std::string& name) {
    return PickleReader(bytes, name).read();
}

Tokenizer read_tokenizer(std::string_view bytes, const std::string& name) {
    return bytes.starts_with('\x80') ? read_tokenizer_pickle(bytes, name) : read_tokenizer_json(bytes, name);
}

}  // namespace moe
