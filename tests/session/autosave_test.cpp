#include "engine/session/autosave.h"
#include "engine/core/atomic_file.h"
#include "engine/core/error.h"
#include "tests/support/read_sessions.h"
#include "tests/support/small_corpus.h"

#include <doctest/doctest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>

using namespace moe;
using namespace moe::test;
namespace fs = std::filesystem;

namespace {

struct Root {
    fs::path path;
    Root() {
        std::string name = (fs::temp_directory_path() / "moe-autosave-XXXXXX").string();
        REQUIRE(mkdtemp(name.data()));
        path = name;
    }
    ~Root() { fs::remove_all(path); }

    std::size_t folders() const {
        return std::size_t(std::distance(fs::directory_iterator(path), fs::directory_iterator()));
    }
};

std::size_t files_in(const fs::path& folder) {
    return std::size_t(std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

fs::file_time_type long_ago() {
    return fs::file_time_type::clock::now() - std::chrono::minutes(11);
}

/// For as long as it lives no file grows beyond `bytes`. Nothing may be printed meanwhile.
struct FullDisk {
    rlimit before{};
    explicit FullDisk(std::size_t bytes) {
        std::signal(SIGXFSZ, SIG_IGN);
        getrlimit(RLIMIT_FSIZE, &before);
        const rlimit now{rlim_t(bytes), before.rlim_max};
        setrlimit(RLIMIT_FSIZE, &now);
    }
    ~FullDisk() { setrlimit(RLIMIT_FSIZE, &before); }
};

WholeSession trained(std::uint64_t steps, const std::shared_ptr<const Corpus>& corpus = tutorial_corpus()) {
    TrainingSession session(SessionOptions{{"cpu", 1}});
    SessionSetup setup;
    setup.corpus = corpus;
    setup.probe = "how are";
    session.open(setup);
    session.run_steps(steps);
    session.wait();
    WholeSession s;
    s.run = session.save().get();
    s.title = "Meet the mixture";
    s.saved_at = std::int64_t(1'000 + steps);
    s.scene.notes = "notes";
    return s;
}

/// A process that writes an autosave and then does what it is told; killed without warning.
pid_t window_process(const fs::path& root, bool keep_living) {
    const WholeSession session = trained(7);
    int ready[2];
    REQUIRE(pipe(ready) == 0);
    const pid_t child = fork();
    if (child == 0) {
        AutosaveSlot slot(root);
        slot.write(session);
        char byte = 'x';
        if (write(ready[1], &byte, 1) != 1) _exit(1);
        while (keep_living) pause();
        raise(SIGKILL);
    }
    char byte = 0;
    REQUIRE(read(ready[0], &byte, 1) == 1);
    close(ready[0]), close(ready[1]);
    if (!keep_living) REQUIRE(waitpid(child, nullptr, 0) == child);
    return child;
}

}  // namespace

TEST_CASE("what is autosaved comes back whole, the text written once") {
    const Root root;
    AutosaveSlot slot(root.path);
    CHECK_FALSE(slot.holds_session());
    const auto corpus = tutorial_corpus();
    WholeSession first = trained(20, corpus), second = trained(45, corpus);
    first.place = SavedPlace{"/x/lesson.keras", 12, 5, 6};
    slot.write(first);
    const auto text_time = fs::last_write_time(slot.folder() / "text-1.zip");
    LoadedSession back = load_session(slot.file());
    CHECK(*back.setup.state == first.run.state);
    CHECK(back.setup.corpus->text() == corpus->text());
    CHECK(back.setup.corpus->name() == corpus->name());
    CHECK(back.scene == first.scene);
    CHECK(back.place == first.place);
    slot.write(second);
    CHECK(fs::last_write_time(slot.folder() / "text-1.zip") == text_time);
    CHECK(*load_session(slot.file()).setup.state == second.run.state);
    CHECK(files_in(slot.folder()) == 3);

    const WholeSession other = trained(5, Corpus::from_text("other.txt", "one two three\n"));
    slot.write(other);
    CHECK(load_session(slot.file()).setup.corpus->name() == "other.txt");
    CHECK(files_in(slot.folder()) == 3);

    slot.clear();
    CHECK_FALSE(slot.holds_session());
    slot.write(other);
    CHECK(*load_session(slot.file()).setup.state == other.run.state);
    slot.remove();
    CHECK(root.folders() == 0);
}

TEST_CASE("only sessions of dead processes are listed, the newest first, each to one window") {
    const Root root;
    CHECK(find_leftovers(root.path / "none").empty());
    AutosaveSlot mine(root.path);
    mine.write(trained(3));
    const pid_t living = window_process(root.path, true);
    window_process(root.path, false);
    CHECK(root.folders() == 3);
    {
        auto found = find_leftovers(root.path);
        REQUIRE(found.size() == 1);
        CHECK(found[0].problem.empty());
        CHECK(found[0].summary.step == 7);
        CHECK(found[0].summary.title == "Meet the mixture");
        CHECK(found[0].summary.saved_at == 1007);
        CHECK(find_leftovers(root.path).empty());  // offered here, so not to others
    }
    kill(living, SIGKILL);
    REQUIRE(waitpid(living, nullptr, 0) == living);
    WholeSession newest = trained(9);
    {
        AutosaveSlot slot(root.path);
        slot.write(newest);
    }
    auto found = find_leftovers(root.path);
    REQUIRE(found.size() == 3);
    CHECK(found[0].summary.step == 9);
    // A window that takes one over goes on writing in its place.
    const std::unique_ptr<AutosaveSlot> taken = std::move(found[0].slot);
    const WholeSession more = trained(30);
    taken->write(more);
    CHECK(*load_session(taken->file()).setup.state == more.run.state);
    CHECK(files_in(taken->folder()) == 3);
    for (const Leftover& leftover : found)
        if (leftover.slot) leftover.slot->remove();
    taken->remove();
    CHECK(root.folders() == 1);
}

TEST_CASE("folders of dead windows with nothing in them go, damaged ones are said, another machine's wait") {
    const Root root;
    { const AutosaveSlot empty(root.path); }
    CHECK(root.folders() == 1);
    CHECK(find_leftovers(root.path).empty());
    CHECK(root.folders() == 0);

    fs::path file;
    {
        AutosaveSlot slot(root.path);
        slot.write(trained(2));
        file = slot.file();
    }
    const std::string bytes = read_file(file);
    write_file(file, bytes.substr(0, bytes.size() / 2));
    {
        const auto found = find_leftovers(root.path);
        REQUIRE(found.size() == 1);
        CHECK(found[0].problem.find("damaged or cut off") != std::string::npos);
    }
    write_file(file, bytes);
    write_file(file.parent_path() / "host.txt", "another-machine");
    CHECK(find_leftovers(root.path).empty());
    CHECK(fs::exists(file));
    fs::last_write_time(file, long_ago());
    CHECK(find_leftovers(root.path).empty());
    fs::last_write_time(file.parent_path() / "host.txt", long_ago());
    CHECK(find_leftovers(root.path).size() == 1);
}

TEST_CASE("a window on another machine that has nothing to keep yet keeps its folder") {
    const Root root;
    const fs::path folder = root.path / "window-abc123", host = folder / "host.txt";
    fs::create_directory(folder);
    CHECK(find_leftovers(root.path).empty());  // its host is not yet written
    CHECK(fs::exists(folder));
    write_file(host, "another-machine");
    CHECK(find_leftovers(root.path).empty());
    CHECK(fs::exists(host));
    fs::last_write_time(host, long_ago());
    CHECK(find_leftovers(root.path).empty());
    CHECK(root.folders() == 0);

    AutosaveSlot slot(root.path);
    fs::last_write_time(slot.folder() / "host.txt", long_ago());
    slot.touch();
    CHECK(fs::last_write_time(slot.folder() / "host.txt") > long_ago() + std::chrono::minutes(10));
}

TEST_CASE("a full disk leaves neither folders nor locks, and what was kept before") {
    const Root root;
    const auto descriptors = [] { return files_in("/proc/self/fd"); };
    const std::size_t open_before = descriptors();
    bool refused = false;
    {
        const FullDisk full(0);
        try {
            AutosaveSlot slot(root.path);
        } catch (const Error&) {
            refused = true;
        }
    }
    CHECK(refused);
    CHECK(root.folders() == 0);
    CHECK(descriptors() == open_before);

    AutosaveSlot slot(root.path);
    const WholeSession first = trained(20), other = trained(5, Corpus::from_text("other.txt", "one two three\n"));
    slot.write(first);
    for (int i = 0; i < 2; ++i) {
        refused = false;
        {
            const FullDisk full(pack_text(*other.run.corpus).size());  // enough for the text alone
            try {
                slot.write(other);
            } catch (const Error&) {
                refused = true;
            }
        }
        CHECK(refused);
        CHECK(*load_session(slot.file()).setup.state == first.run.state);
    }
    slot.write(other);
    CHECK(load_session(slot.file()).setup.corpus->name() == "other.txt");
    CHECK(files_in(slot.folder()) == 3);
}

TEST_CASE("an autosave that cannot be written says why") {
    const Root root;
    write_file(root.path / "file", "x");
    CHECK_THROWS_AS(AutosaveSlot(root.path / "file"), Error);
    AutosaveSlot slot(root.path);
    fs::remove_all(slot.folder());
    CHECK_THROWS_AS(slot.write(trained(1)), Error);
}
