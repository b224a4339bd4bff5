// A file for each rule: what is said to it, how long that takes and how much memory. The table is printed. What a child
// takes is not in it: its limit is tested with it.
#include "engine/core/atomic_file.h"
#include "engine/formats/json_text.h"
#include "engine/formats/keras_graph.h"
#include "engine/formats/safetensors.h"
#include "engine/formats/tokenizer_pickle.h"
#include "engine/formats/zip_archive.h"
#include "tests/support/read_models.h"
#include "tests/support/refusal.h"
#include "tests/support/thorough.h"

#include <doctest/doctest.h>

#include <malloc.h>

#include <chrono>
#include <cstring>
#include <fstream>

using namespace moe;

namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool memory_is_ours = false;  // a sanitizer's shadow is counted as well
#else
constexpr bool memory_is_ours = true;
#endif

const std::string data = MOE_TEST_DATA "/data/";

// The process's memory in bytes, now or at most since forget_peak().
std::size_t resident(const std::string& key) {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);)
        if (line.starts_with(key)) return std::size_t(std::atoll(line.c_str() + key.size())) * 1024;
    return 0;
}
bool forget_peak() {
    malloc_trim(0);  // what earlier cases left would hide a rise
    std::ofstream file("/proc/self/clear_refs");
    return bool(file << "5" << std::flush);
}

struct Hostile {
    const char* name;
    std::string bytes;
    std::function<void(const std::string& bytes)> read;
    const char* rule;
};

void keras(const std::string& bytes) {
    read_keras(bytes, "m.keras");
}
void pickle(const std::string& bytes) {
    read_tokenizer_pickle(bytes, "t.pkl");
}
void tokenizer(const std::string& bytes) {
    read_tokenizer_json(bytes, "t.json");
}
void json(const std::string& bytes) {
    parse_json(bytes, "c.json");
}
void safetensors(const std::string& bytes) {
    SafetensorsReader(bytes, "h.safetensors");
}

std::string weights(const std::string& name) {
    return read_file(data + "weights/" + name + ".h5");
}

// The small model of Keras's with other weights.
std::string with_weights(const std::string& image) {
    std::vector<ZipMember> members;
    for (const auto& [name, bytes] :
         read_zip(read_file(data + "keras/masked/init.keras"), "m", [](std::string_view) { return true; }))
        members.push_back({name, name == "model.weights.h5" ? image : bytes});
    return write_zip(members);
}

void put(std::string& bytes, std::size_t at, std::uint64_t value, std::size_t count) {
    std::memcpy(bytes.data() + at, &value, count);
}

std::string repeated(const std::string& text, std::size_t times) {
    std::string all;
    all.reserve(text.size() * times);
    for (std::size_t i = 0; i < times; ++i) all += text;
    return all;
}

// The first entry of the archive's table.
std::size_t table_of(const std::string& zip) {
    return zip.find("PK\1\2");
}

std::string link_archive() {
    std::string zip = write_zip({{"config.json", "/etc/hostname"}});
    const std::size_t entry = table_of(zip);
    zip[entry + 5] = 3;  // made by Unix
    put(zip, entry + 38, std::uint64_t(0120777) << 16, 4);
    return zip;
}

enum class With { nothing, wide_entry, end_behind, two_ends };

// "a" holds the whole record of "b", and the table names both; with what might keep a reader from seeing the table.
std::string overlapping_archive(With with = With::nothing) {
    const std::string inner = write_zip({{"b", "four"}}), record = inner.substr(0, table_of(inner));
    std::string zip = write_zip({{"a", record}});
    const std::size_t first = table_of(zip), end = zip.rfind("PK\5\6"), inner_end = inner.rfind("PK\5\6");
    std::string second = inner.substr(table_of(inner), inner_end - table_of(inner));
    put(second, 42, first - record.size(), 4);
    put(zip, end + 8, 2, 2), put(zip, end + 10, 2, 2);
    put(zip, end + 12, end - first + second.size(), 4);
    zip.insert(end, second);
    if (with == With::wide_entry) {  // what "b" is packed in stands in the field of the 64-bit form
        const std::size_t entry = end, fields = entry + 46 + 1;
        std::string field(12, '\0');
        put(field, 0, 1, 2), put(field, 2, 8, 2), put(field, 4, 4, 8);
        put(zip, entry + 20, 0xFFFFFFFF, 4), put(zip, entry + 30, field.size(), 2);
        zip.insert(fields, field);
        const std::size_t last = zip.rfind("PK\5\6");
        put(zip, last + 12, last - first, 4);
    }
    if (with == With::end_behind || with == With::two_ends) {
        const std::string comment = "PK\5\6" + std::string(with == With::two_ends ? 18 : 40, '\0');
        put(zip, zip.rfind("PK\5\6") + 20, comment.size(), 2);
        zip += comment;
    }
    return zip;
}

std::string unknown_packing() {
    std::string zip = write_zip({{"config.json", "{}"}});
    put(zip, 8, 12, 2);
    put(zip, table_of(zip) + 10, 12, 2);
    return zip;
}

std::string twice_archive() {
    std::string zip = write_zip({{"config.json", "{}"}, {"confih.json", "{}"}});
    for (std::size_t at = zip.find("confih"); at != std::string::npos; at = zip.find("confih")) zip[at + 5] = 'g';
    return zip;
}

// The end of an archive in the 64-bit form, and then the short one, which says nothing but where that is.
std::string with_wide_end(std::string zip) {
    const std::size_t end = zip.rfind("PK\5\6");
    std::uint32_t size = 0, begin = 0;
    std::uint16_t members = 0;
    std::memcpy(&members, zip.data() + end + 10, 2);
    std::memcpy(&size, zip.data() + end + 12, 4), std::memcpy(&begin, zip.data() + end + 16, 4);
    std::string wide(56 + 20, '\0');
    wide.replace(0, 4, "PK\6\6");
    put(wide, 4, 44, 8), put(wide, 12, 45, 2), put(wide, 14, 45, 2);
    put(wide, 24, members, 8), put(wide, 32, members, 8), put(wide, 40, size, 8), put(wide, 48, begin, 8);
    wide.replace(56, 4, "PK\6\7");
    put(wide, 64, end, 8), put(wide, 72, 1, 4);
    put(zip, end + 8, 0xFFFF, 2), put(zip, end + 10, 0xFFFF, 2);
    put(zip, end + 12, 0xFFFFFFFF, 4), put(zip, end + 16, 0xFFFFFFFF, 4);
    zip.insert(end, wide);
    return zip;
}

// Names that fall together in libzip's table of names: each is compared with all before it.
std::string names_that_collide() {
    std::vector<ZipMember> many;
    for (unsigned i = 0; i < 40000; ++i) {
        std::string name;
        for (unsigned bit = 0; bit < 16; ++bit) name += i >> bit & 1 ? "Aa" : "BB";
        many.push_back({name, ""});
    }
    return write_zip(many);
}

// A tokenizer that names one long word again and again.
std::string one_word_again() {
    std::string bytes = "ckeras.preprocessing.text\nTokenizer\n)\x81}X\xb";
    bytes += std::string("\0\0\0word_counts}", 15);
    std::string length(4, '\0');
    put(length, 0, std::size_t(1) << 20, 4);
    bytes += "X" + length + std::string(std::size_t(1) << 20, 'w') + std::string("q\0K\x01s", 5);
    bytes += repeated(std::string("h\0K\x01s", 5), 200'000);
    bytes += "sX\xa";
    bytes += std::string("\0\0\0word_index}sb.", 17);
    return bytes;
}

std::string many_members() {
    std::vector<ZipMember> many;
    for (int i = 0; i < 5000; ++i) many.push_back({"m" + std::to_string(i), ""});
    return write_zip(many);
}

std::string many_keys(std::size_t count) {
    std::string text;
    for (std::size_t i = 0; i < count; ++i) text += (i ? ",\"" : "\"") + std::to_string(i) + "\":0";
    return text;
}

// A tokenizer whose words are numbers.
std::string no_words() {
    std::string bytes = "ckeras.preprocessing.text\nTokenizer\n)\x81}X\xb";
    bytes += std::string("\0\0\0word_counts}", 15);
    bytes += repeated("K\x01K\x02s", std::size_t(1) << 22);
    bytes += "sX\xa";
    bytes += std::string("\0\0\0word_index}sb.", 17);
    return bytes;
}

std::string tensors(const std::string& header, std::size_t bytes) {
    std::string file(8, '\0');
    put(file, 0, header.size(), 8);
    return file + header + std::string(bytes, '\0');
}

std::string tokenizer_with(const std::string& options) {
    return "{\"class_name\": \"Tokenizer\", \"config\": {" + options +
           "\"word_counts\": \"{\\\"a\\\": 1}\", \"word_index\": \"{\\\"a\\\": 1}\"}}";
}

std::vector<Hostile> files() {
    using namespace std::string_literals;
    std::vector<Hostile> all = {
        {"zip: ..", write_zip({{"../config.json", "{}"}}), keras, "a member whose name leads out of the archive"},
        {"zip: .. inside", write_zip({{"a/../../b", "{}"}}), keras, "a member whose name leads out of the archive"},
        {"zip: absolute", write_zip({{"/etc/passwd", "{}"}}), keras, "a member whose name leads out of the archive"},
        {"zip: a drive", write_zip({{"C:\\x", "{}"}}), keras, "a member whose name leads out of the archive"},
        {"zip: link", link_archive(), keras, "has the member 'config.json' that is a link"},
        {"zip: overlap", overlapping_archive(), keras, "has members that lie in each other"},
        {"zip: twice", twice_archive(), keras, "twice"},
        {"zip: many members", many_members(), keras, "has more members than the 4,096"},
        {"zip: bomb", read_file(data + "bomb.zip"), keras, "says that it holds"},
        {"zip: unknown packing", unknown_packing(), keras, "packed in a way that is not read here"},
        {"zip: cut off", read_file(data + "keras/masked/init.keras").substr(0, 9000), keras, "damaged or cut off"},
        {"json: depth", std::string(std::size_t(1) << 24, '['), json, "more than 64 levels deep"},
        {"json: many numbers", "[" + repeated("0,", std::size_t(1) << 23) + "0]", json,
         "holds more values than a text"},
        {"json: many keys", "{" + many_keys(std::size_t(1) << 21) + "}", json, "holds more values than a text"},
        {"json: packed", read_file(data + "json_bomb.keras"), keras, "as no model has"},
        {"zip: overlap, 64 bits", overlapping_archive(With::wide_entry), keras, "has members that lie in each other"},
        {"zip: overlap, an end behind", overlapping_archive(With::end_behind), keras,
         "has members that lie in each other"},
        {"zip: overlap, two ends", overlapping_archive(With::two_ends), keras, "has members that lie in each other"},
        {"zip: overlap, a long end", with_wide_end(overlapping_archive()), keras, "has members that lie in each other"},
        {"zip: names that collide", names_that_collide(), keras, "has more members"},
        {"zip: names, a long end", with_wide_end(names_that_collide()), keras, "has more members"},
        {"pickle: one word again", "\x80\x02" + one_word_again(), pickle, "has a word twice"},
        {"pickle: no words", "\x80\x02" + no_words(), pickle, "has a word that is no text"},
        {"json: key twice", R"({"a": 1, "b": {"a": 1, "a": 2}})", json, "the key \"a\" stands twice"},
        {"json: number", "[1e999]", json, "no JSON"},
        {"json: UTF-8", "\"\xFF\"", json, "no JSON at byte 2"},
        {"tokenizer: a list", "[1, 2]", tokenizer, "is not a Keras tokenizer"},
        {"tokenizer: oov_token", tokenizer_with("\"oov_token\": 1, "), tokenizer, "oov_token is not a text"},
        {"tokenizer: lower", tokenizer_with("\"lower\": 1, "), tokenizer, "lower is not true or false"},
        {"tokenizer: num_words", tokenizer_with("\"num_words\": -1, "), tokenizer, "num_words is not a whole number"},
        {"tokenizer: word_docs", tokenizer_with("\"word_docs\": 3, "), tokenizer, "word_docs is no JSON object"},
        {"pickle: os.system",
         "\x80\x02"
         "cos\nsystem\nX\x02\0\0\0ls\x85R."s,
         pickle, "names 'os.system'"},
        {"pickle: class",
         "\x80\x02"
         "c__main__\nThing\n)\x81."s,
         pickle, "names '__main__.Thing'"},
        {"pickle: opcode",
         "\x80\x02N"
         "i",
         pickle, "an instruction that no Keras tokenizer needs at byte 3"},
        {"pickle: memo far out", "\x80\x02N"s + "r\xff\xff\xff\x7f.", pickle, "leaves a gap in what it remembers"},
        {"pickle: memo", "\x80\x04N" + std::string(std::size_t(1) << 25, '\x94'), pickle,
         "remembers more than it holds"},
        {"pickle: nesting", "\x80\x02" + std::string(std::size_t(1) << 25, '('), pickle, "nests deeper"},
        {"pickle: values", "\x80\x02" + std::string(std::size_t(1) << 25, 'N'), pickle, "puts more aside"},
        {"pickle: entries", "\x80\x02}" + repeated("K\x01K\x02s", std::size_t(1) << 22), pickle, "is cut off"},
        {"pickle: texts", "\x80\x04}" + repeated("\x8c\x01wK\x02s", std::size_t(1) << 22), pickle, "is cut off"},
        {"pickle: too long", "\x80\x02X\xff\xff\xff\xffhello.", pickle, "is cut off"},
        {"safetensors: header", "\xff\xff\xff\xff\xff\xff\xff\x7f{}"s, safetensors, "its header says that it is"},
        {"safetensors: overlap",
         tensors(
             R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}})",
             12),
         safetensors, "leave a hole or overlap"},
        {"safetensors: hole", tensors(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}})", 12), safetensors,
         "leave a hole or overlap"},
        {"safetensors: huge", tensors(R"({"a":{"dtype":"F64","shape":[8,8,8,8],"data_offsets":[0,8]}})", 8),
         safetensors, "is of another size"},
        {"safetensors: twice",
         tensors(
             R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})",
             1),
         safetensors, "the key \"a\" stands twice"},
    };
    const std::pair<const char*, const char*> hdf5[] = {
        {"soft_link", "has a link in place of weights (a/w)"},
        {"external_link", "has a link in place of weights (a/w)"},
        {"external_storage", "its weights (a/w) lie in another file"},
        {"virtual", "its weights (a/w) lie in another place than the file"},
        {"petabytes", "its weights (a/w) say that they take 4.0 PiB"},
        {"huge_chunk", "its weights (a/w) say that they take 1.0 GiB"},
        {"packed_bomb", "its weights (a/w) say that they take 64.0 MiB"},
        {"many_large", "its weights (a/w4) say that they take 40.0 MiB"},
        {"lying_chunk", "its weights (a/w) are damaged"},
        {"looping", "its weights (a/back) stand under two names"},
        {"deep", "lie deeper than the 24 groups"},
        {"long_name", "have a name longer than the 1,024 bytes"},
        {"lzf", "its weights (a/w) are packed in a way that is not read here"},
    };
    for (const auto& [name, rule] : hdf5) {
        if (!h5_has_memory_limit && std::string_view(name) == "lying_chunk") continue;  // that is what stops it
        all.push_back({name, with_weights(weights(name)), keras, rule});
    }
    return all;
}

}  // namespace

TEST_CASE("every rule about a stranger's file has a file that breaks it, one sentence, and takes little memory") {
    std::string table;
    for (const auto& [name, bytes, read, rule] : files()) {
        CAPTURE(name);
        const bool fresh = forget_peak();
        const std::size_t before = resident("VmRSS:");
        const auto start = std::chrono::steady_clock::now();
        const std::string said = refusal([&, &file = bytes, &act = read] { act(file); });
        const double took = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
        const std::size_t peak = resident("VmHWM:"), rise = peak > before ? peak - before : 0;
        must_say(said, rule);
        CHECK(took < (memory_is_ours ? 5000 : 60000));  // on a slow and busy machine; a second elsewhere
        const std::size_t most = 3 * bytes.size() + (std::size_t(64) << 20);
        if (memory_is_ours && fresh) CHECK(rise <= most - bytes.size());  // the file itself was there before
        char line[200];
        std::snprintf(line, sizeof line, "\n%-22s %9.1f KiB %8d ms %6d MiB  ", name, double(bytes.size()) / 1024,
                      int(took + 0.5), int(rise >> 20));
        table += line + said;
    }
    MESSAGE("file, its size, time, rise of memory, sentence:" << table);
}

TEST_CASE("an archive whose end is in the 64-bit form is read as any other") {
    const std::string bytes = with_wide_end(write_zip({{"config.json", "{}"}, {"b", "four"}}));
    const ZipReader zip = ZipReader::in_memory(bytes, "wide");
    CHECK(zip.read("b", 100) == "four");
    // The two ends must not contradict each other.
    std::string two = bytes;
    put(two, two.rfind("PK\5\6") + 10, 1, 2);
    CHECK(refusal([&] { ZipReader::in_memory(two, "two"); }) != "read");
}

TEST_CASE("a list of words may be longer than what a document may hold" * doctest::skip(!moe::test::thorough)) {
    std::string text = "{";
    for (int i = 0; i < 2'000'000; ++i) text += (i ? ", \"w" : "\"w") + std::to_string(1'000'000 + i) + "\": 1";
    text += "}";
    const auto list = parse_number_list(text, "list");
    CHECK(list.size() == 2'000'000);
    CHECK(list.back() == std::pair<std::string, std::uint64_t>{"w2999999", 1});
    must_say(refusal([&] { parse_json(text, "document"); }), "holds more values than a text");

    std::vector<WordCount> words;
    for (std::uint32_t i = 0; i < 50'000; ++i) words.push_back({"w" + std::to_string(i), 50'000 - i, 1 + i % 7});
    const Tokenizer large = Tokenizer::from_counts({}, std::move(words), 9);
    CHECK(read_tokenizer_json(write_tokenizer_json(large), "large") == large);
}

TEST_CASE("a tokenizer.json and a config.json cut off at any byte are one sentence") {
    const std::string config = read_file(data + "keras/classes/gate_first-3.15.1.keras");
    const std::string json = ZipReader::in_memory(config, "m").read("config.json", std::size_t(1) << 20);
    for (std::size_t end = 0; end < json.size(); ++end) {
        CAPTURE(end);
        CHECK(refusal([&] { read_keras_config(std::string_view(json).substr(0, end), "m"); }) != "read");
    }
    const std::string words = write_tokenizer_json(Tokenizer::fit(std::vector<std::string>{"a b c", "b c ä"}));
    for (std::size_t end = 0; end < words.size(); ++end) {
        CAPTURE(end);
        CHECK(refusal([&] { read_tokenizer_json(words.substr(0, end), "t"); }) != "read");
    }
}

TEST_CASE("a pickled tokenizer of 300,000 words takes no more than three times its size and 64 MiB") {
    const auto number = [](std::uint32_t value) {
        std::string bytes(4, '\0');
        put(bytes, 0, value, 4);
        return bytes;
    };
    const auto text = [&](const std::string& word) { return 'X' + number(std::uint32_t(word.size())) + word; };
    constexpr std::uint32_t count = 300'000, batch = 1000;
    std::string bytes =
        "\x80\x02"
        "ckeras.preprocessing.text\nTokenizer\n)\x81}";
    bytes += text("word_counts") + "ccollections\nOrderedDict\n)R";
    for (std::uint32_t i = 0; i < count; ++i) {  // the words themselves, remembered
        if (i % batch == 0) bytes += '(';
        bytes += text("word-" + std::to_string(i)) + 'r' + number(i) + 'J' + number(count - i);
        if (i % batch == batch - 1) bytes += 'u';
    }
    bytes += 's';
    for (const char* key : {"word_docs", "word_index"}) {
        bytes += text(key) + '}';
        for (std::uint32_t i = 0; i < count; ++i) {
            if (i % batch == 0) bytes += '(';
            bytes += 'j' + number(i) + 'J' + number(i + 1);
            if (i % batch == batch - 1) bytes += 'u';
        }
        bytes += 's';
    }
    bytes += "b.";
    const bool fresh = forget_peak();
    const std::size_t before = resident("VmRSS:");
    const Tokenizer read = read_tokenizer_pickle(bytes, "t.pkl");
    const std::size_t rise = resident("VmHWM:") - before, most = 3 * bytes.size() + (std::size_t(64) << 20);
    CHECK(read.vocabulary() == count + 1);
    CHECK(read.id("word-299999") == std::int32_t(count));
    CHECK(read.word_counts()[7] == WordCount{"word-7", count - 7, 8});
    MESSAGE("a pickle of " << (bytes.size() >> 20) << " MiB: " << (rise >> 20) << " MiB at most");
    if (memory_is_ours && fresh) CHECK(rise <= most - bytes.size());
}
