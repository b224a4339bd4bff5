// What the fuzz targets begin with, from the files that the tests read.
// usage: make_seeds FOLDER
#include "engine/core/atomic_file.h"
#include "engine/core/settings.h"
#include "engine/formats/hdf5_weights.h"
#include "engine/formats/safetensors.h"
#include "engine/formats/zip_archive.h"
#include "engine/session/history_file.h"
#include "engine/session/timeline_file.h"
#include "tests/fuzz/fuzz_run.h"

#include <nlohmann/json.hpp>

#include <cstdio>

using namespace moe;
namespace fs = std::filesystem;

namespace {

const fs::path data = MOE_TEST_DATA "/data";

class Seeds {
public:
    explicit Seeds(fs::path folder) : folder_(std::move(folder)) {}
    void add(const char* target, const std::string& bytes) {
        make_folder(folder_ / target);
        write_file(folder_ / target / ("seed" + std::to_string(count_++)), bytes);
    }
    int count() const { return count_; }

private:
    fs::path folder_;
    int count_ = 0;
};

std::string unbase64(const std::string& text) {
    const std::string letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string bytes;
    unsigned bits = 0, count = 0;
    for (const char c : text) {
        const std::size_t value = letters.find(c);
        if (value == std::string::npos) break;
        bits = bits << 6 | unsigned(value), count += 6;
        if (count >= 8) bytes += char(bits >> (count -= 8) & 255);
    }
    return bytes;
}

std::string address(std::uint16_t value) {
    return {char(value >> 8), char(value & 255)};
}

void add_archives(Seeds& seeds) {
    for (const char* file : {"masked/init.keras", "top2/init.keras", "classes/gate_first-3.15.1.keras",
                             "classes/gate_first-3.12.0-deflated.keras"}) {
        const std::string bytes = read_file(data / "keras" / file);
        const auto members = read_zip(bytes, file, [](std::string_view) { return true; });
        seeds.add("config", members.at("config.json"));
        seeds.add("zip", write_zip({{"metadata.json", "{}"}, {"config.json", "{}"}}));
    }
    seeds.add("zip", read_file(data / "deflated.zip"));
}

void add_weights(Seeds& seeds) {
    for (const auto& entry : fs::directory_iterator(data / "weights")) {
        const std::string bytes = read_file(entry.path());
        if (bytes.size() > 20000) continue;
        seeds.add("h5_texts", address(96) + bytes);
    }
    const std::string legacy = read_file(data / "keras/classes/legacy_soft-3.3.3.h5");
    seeds.add("h5_texts", address(96) + legacy.substr(0, 40000));
    std::string records = address(4096);
    const auto put = [&records](const auto value) {
        records.append(reinterpret_cast<const char*>(&value), sizeof value);
    };
    const auto head = [&](char kind, const std::string& path) {
        put(kind), put(std::uint16_t(path.size())), records += path, put(std::uint64_t(96));
    };
    head('g', ""), put(std::uint64_t(3));
    head('f', "a/w"), put(std::uint8_t(2)), put(std::uint64_t(2)), put(std::uint64_t(3));
    records += std::string(24, '\1');
    head('i', "step"), put(std::int64_t(7));
    head('o', "x"), put(std::uint8_t(1));
    put('e'), put(std::uint64_t(4));
    seeds.add("h5_records", records);
    std::string refused = address(4096) + 'r' + std::string("\3\0a/w\2", 6) + std::string(8, '\0');
    seeds.add("h5_records", refused);
}

void add_tokenizers(Seeds& seeds) {
    for (const char* folder : {"masked", "top2", "files-3.16"})
        seeds.add("tokenizer", read_file(data / "keras" / folder / "tokenizer.json"));
    const auto all = nlohmann::json::parse(read_file(data / "tokenizer_pickles.json"));
    for (const auto& given : all["cases"])
        for (const auto& pickled : given["pickles"]) seeds.add("pickle", unbase64(pickled[1].get<std::string>()));
}

void add_session(Seeds& seeds) {
    const std::string history = pack_history(fuzz_history());
    seeds.add("safetensors", history);
    seeds.add("session", '\0' + history);
    std::string past = "\1";
    for (const ZipMember& member : pack_timeline(fuzz_past(), 1 << 20))
        past += (past.size() > 1 ? std::string(1, '\0') : std::string()) + member.bytes;
    seeds.add("session", past);
    seeds.add("session", "\2{\"format\": \"moe-lab session\", \"version\": 1, \"written_by\": \"x\"}");
}

void add_texts(Seeds& seeds) {
    seeds.add("corpus", "hello world how are you\r\nhow are you doing today\nhello world again\n");
    seeds.add("corpus",
              "\xEF\xBB\xBFgr\xC3\xB6\xC3\x9F"
              "er \xF0\x9F\x99\x82 \xCE\xA3\xCE\xA3\n\xD7\x90 \xD7\x91\n");
    seeds.add("settings",
              "num_experts=8\nrouter=top_k\ntop_k=2\nlearning_rate=0.01\nmask_zero=true\nseed=7\nbatch_size=3\n");
    std::string every;
    const Experiment experiment;
    for (const Setting& setting : settings()) every += std::string(setting.key) + '=' + setting.get(experiment) + '\n';
    seeds.add("settings", every);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) return 2;
    Seeds seeds(argv[1]);
    add_archives(seeds);
    add_weights(seeds);
    add_tokenizers(seeds);
    add_session(seeds);
    add_texts(seeds);
    std::printf("%d seeds\n", seeds.count());
    return 0;
}
