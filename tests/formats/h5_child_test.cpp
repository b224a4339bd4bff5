// What the program moelab-h5 may do to the one that reads by it: nothing but end it with one sentence.
#include "engine/core/atomic_file.h"
#include "engine/core/rng.h"
#include "engine/formats/hdf5_weights.h"
#include "engine/formats/zip_archive.h"
#include "tests/support/read_models.h"
#include "tests/support/refusal.h"

#include <doctest/doctest.h>

#include <fcntl.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstring>
#include <fstream>
#include <map>
#include <sstream>

using namespace moe;
namespace fs = std::filesystem;

namespace {

std::string image(const std::string& name) {
    return read_file(MOE_TEST_DATA "/data/weights/" + name + ".h5");
}

// A program in place of moelab-h5: these lines of the shell.
struct Impostor {
    fs::path folder;
    H5Program program;
    explicit Impostor(const std::string& lines) {
        std::string name = (fs::temp_directory_path() / "moe-h5-XXXXXX").string();
        REQUIRE(mkdtemp(name.data()));
        folder = name;
        program.file = folder / "moelab-h5";
        write_file(program.file, "#!/bin/sh\n" + lines + "\n");
        REQUIRE(chmod(program.file.c_str(), 0755) == 0);
    }
    ~Impostor() { fs::remove_all(folder); }
    std::string said() const {
        return refusal([&] { Hdf5Reader(image("plain"), "m.keras", program); });
    }
    // std::string&& is refused by the reader: the bytes must stay.
    static void Hdf5Reader(const std::string& bytes, const std::string& name, const H5Program& program) {
        const moe::Hdf5Reader reader(bytes, name, program);
    }
};

const std::string greet = "printf 'moelab-h5 1\\n'\n";
constexpr const char* stopped = "its weights are damaged in a way that stopped the program that reads them";
constexpr const char* no_start = "which reads such files, could not shut itself in here";
constexpr const char* too_long = "takes longer than it can";

template <class T>
std::string number(T value) {
    return {reinterpret_cast<const char*>(&value), sizeof value};
}

std::string record(char kind, const std::string& path, std::uint64_t address = 0) {
    return kind + number(std::uint16_t(path.size())) + path + number(address);
}

std::string array(const std::string& path, const std::vector<std::uint64_t>& shape, std::size_t floats) {
    std::string bytes = record('f', path) + char(shape.size());
    for (const std::uint64_t size : shape) bytes += number(size);
    return bytes + std::string(4 * floats, '\0');
}

std::string end(std::uint64_t records) {
    return 'e' + number(records);
}

H5Contents parsed(std::string_view bytes, std::size_t file_bytes = 100000) {
    return read_h5_records(
        [&bytes](void* into, std::size_t count) {
            if (count > bytes.size()) throw Error("it ended");
            if (count > 0) std::memcpy(into, bytes.data(), count);
            bytes.remove_prefix(count);
        },
        file_bytes);
}

// How a thing ended: the first words of its sentence, without names and numbers.
std::string kind_of(std::string said) {
    for (const char* known :
         {"are damaged or cut off", "stopped the program", "takes longer", "has a link", "another file",
          "another place", "packed in a way", "cannot hold", "under two names", "deeper than", "longer than the",
          "one array or group more", "more memory", "are damaged"})
        if (said.find(known) != std::string::npos) return known;
    return said;
}

void mutate(const std::string& name, const std::string& whole, std::uint64_t seed, int mutants) {
    Rng rng(seed);
    std::map<std::string, int> ends;
    for (int i = 0; i < mutants; ++i) {
        std::string damaged = whole;
        for (std::uint64_t k = rng.below(4) + 1; k > 0; --k) {
            const std::size_t at = rng.below(rng.below(2) ? std::min<std::size_t>(whole.size(), 4096) : whole.size());
            switch (rng.below(4)) {
                case 0:
                    damaged[at] = static_cast<char>(rng.below(256));
                    break;
                case 1:
                    damaged[at] = static_cast<char>(damaged[at] ^ char(1 << rng.below(8)));
                    break;
                case 2:  // a whole offset or size
                    for (std::size_t b = at; b < std::min(at + 8, damaged.size()); ++b) damaged[b] = '\xff';
                    break;
                default:
                    for (std::size_t b = at; b < std::min(at + 8, damaged.size()); ++b)
                        damaged[b] = damaged[(b + 64) % damaged.size()];
            }
        }
        CAPTURE(i);
        ++ends[kind_of(refusal([&] { read_h5(h5_program(), damaged, "m.keras"); }))];
    }
    std::string table;
    for (const auto& [kind, count] : ends) table += "\n  " + std::to_string(count) + "  " + kind;
    MESSAGE(mutants << " mutants of " << name << " (seed " << seed << "):" << table);
    CHECK(ends.size() > 2);
}

}  // namespace

TEST_CASE("a child that is missing, crashes, hangs or talks nonsense is one sentence") {
    must_say(
        refusal([&] { Impostor::Hdf5Reader(image("plain"), "m.keras", {"/nowhere/moelab-h5"}); }),
        "'m.keras' cannot be read: the program '/nowhere/moelab-h5', which reads such files, is missing or does not "
        "start; install MoE Lab again.");
    for (const std::string& before : {std::string(), greet}) {
        CAPTURE(before);
        const char* ended = before.empty() ? no_start : stopped;
        must_say(Impostor(before + "exit 0").said(), ended);
        must_say(Impostor(before + "exit 3").said(), ended);
        must_say(Impostor(before + "kill -SEGV $$").said(), ended);
        must_say(Impostor(before + "kill -KILL $$").said(), ended);
        must_say(Impostor(before + "kill -XCPU $$").said(), before.empty() ? "did not start in time" : too_long);
        must_say(Impostor(before + "exec >&-; sleep 60").said(), ended);
    }
    must_say(Impostor("exit 3").said(), "(it ended with 3)");
    must_say(refusal([&] { Impostor::Hdf5Reader(image("plain"), "m.keras", {"moelab-h5"}); }),
             "where the program 'moelab-h5' lies, which reads such files, is not known here");
    must_say(Impostor("exec cat /dev/zero").said(), "answered what is no list of weights (another greeting)");
    must_say(Impostor(greet + "exec cat /dev/zero").said(), "answered what is no list of weights (an unknown record)");
    must_say(Impostor(greet + "yes g").said(), "answered what is no list of weights (a path too long)");
    for (const char* lines : {"sleep 60", "while :; do :; done"}) {
        Impostor before(lines), after(greet + lines);
        before.program.start_seconds = after.program.read_seconds = 0.2;
        must_say(before.said(), "did not start in time; close some programs");
        const bool sleeps = std::string_view(lines).starts_with("sleep");
        const std::string said = after.said();
        // On a busy machine it may not have had half of the processor.
        CHECK((said.find(sleeps ? "s; open it again when the computer is less busy" : too_long) != std::string::npos ||
               (!sleeps && said.find("less busy") != std::string::npos)));
    }
    // A byte now and then does not hold the parent up, either.
    Impostor drips(greet + "while :; do printf g; sleep 0.05; done");
    drips.program.read_seconds = 0.3;
    CHECK(drips.said() != "read");
}

TEST_CASE("what hangs is given up within two seconds, and no process of it is left") {
    const Impostor hangs(greet + "echo $$ >\"$(dirname \"$0\")/id\"; while :; do sleep 1; done");
    const auto start = std::chrono::steady_clock::now();
    must_say(hangs.said(), "was stopped after 1.5 s, of which it had the processor for");
    MESSAGE("a child that hangs is given up after "
            << std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() << " s");
    CHECK(h5_seconds(1 << 20) < 2);
    const std::string id = read_file(hangs.folder / "id");
    CHECK(kill(pid_t(std::atoi(id.c_str())), 0) == -1);
    CHECK(errno == ESRCH);
}

TEST_CASE("what a child sends is held against its bounds before anything is allocated") {
    const auto said = [](const std::string& bytes, std::size_t file_bytes = 100000) {
        try {
            parsed(bytes, file_bytes);
        } catch (const Error& error) {
            return std::string(error.what());
        }
        return std::string("read");
    };
    const std::string root = record('g', "") + number(std::uint64_t(2));
    const H5Contents good = parsed(root + array("a", {2, 3}, 6) + record('i', "b", 99) + number(std::int64_t(-5)) +
                                   record('o', "c") + '\1' + array("d", {}, 1) + array("e", {0, ~0ull}, 0) + end(6));
    CHECK_FALSE(good.refused);
    CHECK(good.objects.size() == 6);
    CHECK(good.objects.at("").links == 2);
    CHECK(good.objects.at("a").shape == std::vector<std::size_t>{2, 3});
    CHECK(good.objects.at("a").values.size() == 6);
    CHECK(good.objects.at("b").integer == -5);
    CHECK(good.objects.at("b").address == 99);
    CHECK(good.objects.at("c").other == H5Other::type);
    const H5Contents refused = parsed(root + "r" + number(std::uint16_t(1)) + "a" + '\6' + number(std::uint64_t(7)));
    REQUIRE(refused.refused);
    CHECK(refused.refused->rule == H5Rule::too_large);
    CHECK(refused.refused->bytes == 7);
    CHECK(refused.objects.empty());

    const std::string whole = root + array("a", {2, 3}, 6) + end(2);
    for (std::size_t size = 0; size < whole.size(); ++size) CHECK(said(whole.substr(0, size)) == "it ended");
    CHECK(said(root + end(2)) == "another number of records");
    CHECK(said(root + root) == "a path twice");
    CHECK(said("x" + number(std::uint16_t(0)) + number(std::uint64_t(0))) == "an unknown record");
    CHECK(said("g\xff\xff") == "a path too long");
    CHECK(said(record('g', "", 100000)) == "an address outside of the file");
    CHECK(said(record('o', "c") + '\2') == "an unknown reason");
    CHECK(said("r" + number(std::uint16_t(0)) + '\x0d') == "an unknown rule");
    CHECK(said(array("a", {1, 1, 1, 1}, 1)) == "an unknown rank");
    CHECK(said(array("a", {1ull << 40}, 0)) == "more values than the file can hold");
    CHECK(said(array("a", {1ull << 32, 1ull << 32}, 0)).find("larger than any computer's memory") != std::string::npos);
    CHECK(said(array("a", {1ull << 62}, 0)).find("larger than any computer's memory") != std::string::npos);
    CHECK(said(array("a", {h5_most_bytes(64) / 4 + 1}, 0), 64) == "more values than the file can hold");
    CHECK(said(root + record('g', "a") + number(std::uint64_t(0)), 64) == "too many records");
}

TEST_CASE("a small file cut off at any byte is one sentence") {
    const std::string whole = image("plain");
#if defined(__SANITIZE_ADDRESS__)
    constexpr std::size_t step = 7;  // a sanitizer makes the start of a child slow
#else
    constexpr std::size_t step = 1;
#endif
    std::map<std::string, int> ends;
    std::size_t cuts = 0;
    for (std::size_t size = 8; size < whole.size(); size += step, ++cuts) {
        CAPTURE(size);
        const std::string said = refusal([&] { read_h5(h5_program(), whole.substr(0, size), "m.keras"); });
        CHECK(said != "read");
        ++ends[kind_of(said)];
    }
    CHECK(ends["are damaged or cut off"] > 0);
    MESSAGE(cuts << " cuts, " << ends["are damaged or cut off"] << " noticed when it was opened");
}

TEST_CASE("mutants of a file never reach the one that reads it") {
    const auto members = read_zip(read_file(MOE_TEST_DATA "/data/keras/tutorial-builtin/init.keras"), "m",
                                  [](std::string_view) { return true; });
    mutate("Keras's weights", members.at("model.weights.h5"), 11, 300);
    mutate("a packed array", image("gzip"), 12, 300);
}

TEST_CASE("the child has given up what reading does not need before it looks at the file") {
    // With nobody to read what it sends it waits, its limits on.
    const auto members = read_zip(read_file(MOE_TEST_DATA "/data/keras/tutorial-builtin/init.keras"), "m",
                                  [](std::string_view) { return true; });
    const std::string& bytes = members.at("model.weights.h5");
    std::string name = (fs::temp_directory_path() / "moe-h5-XXXXXX").string();
    REQUIRE(mkdtemp(name.data()));
    write_file(fs::path(name) / "w.h5", bytes);
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, (name + "/w.h5").c_str(), O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
    std::string program = MOE_H5_PROGRAM;
    char* arguments[] = {program.data(), nullptr};
    pid_t id = 0;
    REQUIRE(posix_spawn(&id, program.c_str(), &actions, nullptr, arguments, environ) == 0);
    char greeting[sizeof h5_greeting - 1];
    REQUIRE(read(ends[0], greeting, sizeof greeting) == ssize_t(sizeof greeting));

    const std::string proc = "/proc/" + std::to_string(id);
    std::map<std::string, std::string> limits;
    std::ifstream file(proc + "/limits");
    for (std::string line; std::getline(file, line);) {
        std::istringstream rest(line.substr(std::min<std::size_t>(26, line.size())));
        std::string soft;
        rest >> soft;
        limits[line.substr(0, line.find("  "))] = soft;
    }
    CHECK(limits["Max file size"] == "0");
    CHECK(limits["Max core file size"] == "0");
    CHECK(limits["Max open files"] == "3");
    CHECK(limits["Max processes"] == "0");
    CHECK(limits["Max cpu time"] == "2");
    std::ifstream status_file(proc + "/status");
    const std::string status(std::istreambuf_iterator<char>(status_file), {});
    CHECK(status.find("NoNewPrivs:\t1") != std::string::npos);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    CHECK(limits["Max address space"] == std::to_string(bytes.size() + h5_most_bytes(bytes.size()) + (64u << 20)));
#if defined(__x86_64__) || defined(__aarch64__)
    CHECK(status.find("Seccomp:\t2") != std::string::npos);
#endif
#endif
    // What cannot be dumped shows its descriptors to root alone.
    if (geteuid() == 0) CHECK(std::distance(fs::directory_iterator(proc + "/fd"), {}) == 3);
    kill(id, SIGKILL);
    waitpid(id, nullptr, 0);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[0]), close(ends[1]);
    fs::remove_all(name);
}
