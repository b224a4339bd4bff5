#include "engine/session/session_file.h"
#include "engine/core/atomic_file.h"
#include "engine/core/error.h"
#include "engine/core/settings.h"
#include "engine/formats/model_files.h"
#include "engine/formats/zip_archive.h"
#include "tests/support/read_sessions.h"
#include "tests/support/refusal.h"
#include "tests/support/small_corpus.h"
#include "tests/support/thorough.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <optional>
#include <thread>

using namespace moe;
using namespace moe::test;
namespace fs = std::filesystem;

namespace {

const std::string data = MOE_TEST_DATA "/data/keras/";

struct Folder {
    fs::path path;
    Folder() {
        std::string name = (fs::temp_directory_path() / "moe-session-XXXXXX").string();
        REQUIRE(mkdtemp(name.data()));
        path = name;
    }
    ~Folder() { fs::remove_all(path); }
};

SessionOptions cpu() {
    SessionOptions options;
    options.backend = {"cpu", 1};
    return options;
}

SessionSetup tutorial(const std::string& router = "soft") {
    SessionSetup setup;
    setup.corpus = tutorial_corpus();
    setup.experiment.model.router = router;
    setup.probe = "hello world how";
    setup.focus = 1;
    return setup;
}

/// Some training, a setting changed on the way, in the middle of an epoch.
void train(TrainingSession& session) {
    session.run_steps(37);
    session.wait();
    session.set_learning_rate(0.004);
    session.run_steps(50);
    session.wait();
    session.set_probe("how are you", 1);
    session.set_batch_size(5);
    session.run_steps(14);
    session.wait();
    while (session.replaying()) std::this_thread::yield();  // the late text's lines
    session.wait();
}

WholeSession whole(TrainingSession& session) {
    WholeSession s;
    s.run = session.save().get();
    s.title = "Meet the “mixture”";
    s.devices = {session.take()->device};
    s.saved_at = 1'800'000'000;
    s.scene.lesson = "01-meet-the-mixture";
    s.scene.lesson_step = 2;
    s.scene.guesses = {1, {}, 0};
    s.scene.speed = 12.5;
    s.scene.expert = 3;
    s.scene.looked_at = 40;
    s.scene.stepping = SteppingPlace{40, "gate_softmax", 2};
    s.scene.notes = "Ask first: who reads “how”?\nThen play.\n";
    s.scene.arrangement = std::string("\0\xff\x01 docks", 9);
    return s;
}

std::vector<ZipMember> members_of(const std::string& bytes) {
    std::vector<ZipMember> members;
    for (const auto& [name, content] : read_zip(bytes, "s", [](std::string_view) { return true; }))
        members.push_back({name, content});
    return members;
}

/// The archive with one member changed; nothing: without it.
std::string changed(const std::string& archive, const std::string& member,
                    const std::function<std::optional<std::string>(const std::string&)>& change) {
    std::vector<ZipMember> members;
    bool found = false;
    for (ZipMember& m : members_of(archive)) {
        const bool this_one = m.name == member;
        found |= this_one;
        std::optional<std::string> bytes = this_one ? change(m.bytes) : m.bytes;
        if (bytes) members.push_back({m.name, std::move(*bytes)});
    }
    REQUIRE(found);
    return write_zip(members);
}

/// The smallest model that has all of a session.
WholeSession small_session() {
    TrainingSession session(cpu());
    SessionSetup setup = tutorial("top_k");
    setup.corpus = Corpus::from_text("ab", "a b\n");
    setup.experiment.model.embedding_dim = setup.experiment.model.hidden_dim = setup.experiment.model.num_experts = 2;
    setup.experiment.model.top_k = 1;
    setup.probe = "a";
    session.open(setup);
    session.run_steps(3);
    session.wait();
    return whole(session);
}

bool same(const History& a, const History& b) {
    const auto points = [](const HistoryPoint& x, const HistoryPoint& y) {
        return x.step == y.step && x.steps == y.steps && x.examples == y.examples && x.loss == y.loss &&
               x.balance == y.balance && x.accuracy == y.accuracy;
    };
    return std::ranges::equal(a.points, b.points, points) && a.num_experts == b.num_experts && a.load == b.load &&
           a.steps_per_point == b.steps_per_point && a.gate_probe == b.gate_probe && a.gate_steps == b.gate_steps &&
           a.prefixes == b.prefixes && a.gate == b.gate && a.epochs == b.epochs;
}

std::uint32_t crc(const std::string& bytes) {  // as zip has it
    std::uint32_t sum = ~0u;
    for (const char c : bytes) {
        sum ^= static_cast<unsigned char>(c);
        for (int bit = 0; bit < 8; ++bit) sum = sum >> 1 ^ (sum & 1 ? 0xEDB88320u : 0u);
    }
    return ~sum;
}

bool same(const Timeline& a, const Timeline& b) {
    return std::ranges::equal(a.checkpoints, b.checkpoints, [](const auto& x, const auto& y) { return *x == *y; }) &&
           a.interval == b.interval && a.log == b.log;
}

double milliseconds(const std::function<void()>& act) {
    const auto start = std::chrono::steady_clock::now();
    act();
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

TEST_CASE("a session comes back whole and trains on to the same bits") {
    for (const char* router : {"soft", "top_k"}) {
        CAPTURE(router);
        const Folder folder;
        const fs::path file = folder.path / "lesson.keras";
        TrainingSession session(cpu());
        session.open(tutorial(router));
        train(session);
        const WholeSession before = whole(session);
        save_session(file, before);
        CHECK(pack_session(before) == read_file(file));

        const LoadedSession after = load_session(file);
        CHECK(after.whole);
        CHECK(after.remarks.empty());
        CHECK(after.scene == before.scene);
        CHECK(after.title == before.title);
        CHECK(after.devices == before.devices);
        CHECK(after.saved_at == before.saved_at);
        CHECK_FALSE(after.place);
        REQUIRE(after.setup.state);
        CHECK(*after.setup.state == before.run.state);
        CHECK(after.setup.corpus->text() == before.run.corpus->text());
        CHECK(after.setup.corpus->name() == "tutorial");
        CHECK(after.setup.corpus->tokenizer() == before.run.corpus->tokenizer());
        CHECK(after.setup.probe == "how are you");
        CHECK(after.setup.focus == 1);
        REQUIRE(after.setup.timeline);
        CHECK(after.setup.timeline->log == before.run.timeline->log);
        CHECK(after.setup.timeline->start == before.run.timeline->start);
        CHECK(after.setup.timeline->start_target == before.run.timeline->start_target);
        CHECK(same(*after.setup.timeline, *before.run.timeline));
        REQUIRE(after.setup.history);
        CHECK(same(*after.setup.history, *before.run.history));

        TrainingSession reopened(cpu());
        reopened.open(after.setup);
        const auto shown = reopened.take(), was = session.take();
        CHECK(shown->step == 101);
        CHECK(shown->probe.gate_weights == was->probe.gate_weights);
        CHECK(shown->probe.focused.outputs == was->probe.focused.outputs);
        CHECK(shown->load == was->load);
        CHECK(shown->best_correct == was->best_correct);
        CHECK(shown->experiment == was->experiment);
        CHECK(same(*shown->history, *was->history));
        for (TrainingSession* s : {&session, &reopened}) {
            s->run_steps(83);
            s->wait();
        }
        CHECK(reopened.save().get().state == session.save().get().state);
        CHECK(reopened.take()->history->points.size() == session.take()->history->points.size());
    }
}

TEST_CASE("the past can be looked at after opening, whatever was thinned, and trained on from" * doctest::skip(!without_tsan)) {
    const Folder folder;
    const fs::path file = folder.path / "long.keras";
    TrainingSession session(cpu());
    SessionSetup setup = tutorial();
    setup.experiment.train.epochs = 100'000;
    session.open(setup);
    for (const double rate : {0.004, 0.0005, 0.001}) {
        session.run_steps(1'700);
        session.wait();
        session.set_learning_rate(rate);
        session.set_balance_loss(rate);
    }
    session.run_steps(233);
    session.wait();
    WholeSession before = whole(session);
    CHECK(before.run.timeline->checkpoints.size() == 6);
    CHECK(before.run.timeline->log.size() == 6);
    const std::size_t one = checkpoint_bytes(*before.run.timeline->checkpoints.back());
    for (const std::size_t kept : {std::size_t(100), std::size_t(3), std::size_t(0)}) {
        if (!thorough && kept != 3) continue;
        CAPTURE(kept);
        write_file(file, pack_session(before, kept * one));
        const LoadedSession after = load_session(file);
        REQUIRE(after.setup.timeline);
        CHECK(after.setup.timeline->checkpoints.size() <= std::max<std::size_t>(kept, 1));
        CHECK(after.setup.timeline->log == before.run.timeline->log);
        TrainingSession reopened(cpu());
        reopened.open(after.setup);
        for (const std::uint64_t step : {0, 1, 1'699, 1'700, 2'900, 5'333}) {
            CAPTURE(step);
            const auto was = session.state_at(step).get(), is = reopened.state_at(step).get();
            REQUIRE(was.value);
            REQUIRE(is.value);
            CHECK(*is.value == *was.value);
        }
        CHECK(reopened.continue_from(2'900).get().empty());
        reopened.run_steps(10);
        reopened.wait();
        CHECK(reopened.save().get().state == *session.state_at(2'910).get().value);
        if (kept == 0) CHECK(fs::file_size(file) < 600'000);
    }
}

TEST_CASE("a session is a model too, and a model alone opens as one") {
    const Folder folder;
    const fs::path file = folder.path / "session.keras";
    TrainingSession session(cpu());
    session.open(tutorial());
    train(session);
    const WholeSession before = whole(session);
    save_session(file, before);
    const SavedModel model = load_model(file);
    CHECK(model.state == before.run.state);
    CHECK(model.tokenizer == before.run.corpus->tokenizer());

    save_model_file(folder.path / "model.keras", model);
    const LoadedSession alone = load_session(folder.path / "model.keras");
    CHECK_FALSE(alone.whole);
    CHECK(alone.remarks.empty());
    CHECK(alone.scene == SessionScene());
    CHECK(*alone.setup.state == before.run.state);
    const LoadedSession foreign = load_session(data + "masked/init.keras", tutorial_corpus());
    CHECK_FALSE(foreign.whole);
    CHECK(foreign.setup.state->parameters.size() == 9);
}

TEST_CASE("equal sessions are equal files, and no file names a path unless it is asked to") {
    TrainingSession session(cpu());
    session.open(tutorial());
    train(session);
    WholeSession s = whole(session);
    CHECK(pack_session(s) == pack_session(s));
    CHECK(pack_session(s).find("\"place\"") == std::string::npos);
    s.place = SavedPlace{"/somewhere/lesson.keras", 12, -5, 99};
    const Folder folder;
    save_session(folder.path / "s.keras", s);
    CHECK(load_session(folder.path / "s.keras").place == s.place);
}

TEST_CASE("a session file cut off at any byte is one sentence" * doctest::skip(!without_tsan)) {
    const Folder folder;
    const fs::path file = folder.path / "cut.keras";
    const std::string bytes = pack_session(small_session());
    write_file(file, bytes);
    CHECK(load_session(file).whole);
    // In place, from the end: each truncation is a system call, not a new file.
    const int descriptor = open(file.c_str(), O_WRONLY | O_CLOEXEC);
    REQUIRE(descriptor >= 0);
    std::size_t refused = 0;
    for (std::size_t end = bytes.size(); end-- > 0;) {
        REQUIRE(ftruncate(descriptor, off_t(end)) == 0);
        try {
            load_session(file);
        } catch (const Error& e) {
            const std::string said = e.what();
            if (said.find('\n') == std::string::npos && said.back() == '.' && said.size() < 500) ++refused;
        }
    }
    close(descriptor);
    CHECK(refused == bytes.size());
    MESSAGE(bytes.size() << " places");
}

TEST_CASE("files that are something else, or put together from two, are one sentence") {
    const Folder folder;
    const auto said = [&](const std::string& bytes) {
        write_file(folder.path / "x.keras", bytes);
        return refusal([&] { load_session(folder.path / "x.keras", tutorial_corpus()); });
    };
    must_say(said("hello world\n"), "a text file");
    must_say(said(std::string(100'000, 'x') + "\xC3"), "a text file");
    must_say(said("PK\x03\x04 and then nothing"), "damaged or cut off");
    must_say(said(read_file(data + "masked/tokenizer.json")), "a JSON file");
    must_say(refusal([&] { load_session(folder.path / "gone.keras"); }), "there is no such file");

    TrainingSession session(cpu());
    session.open(tutorial());
    train(session);
    const std::string bytes = pack_session(whole(session)), other = pack_session(small_session());
    const auto with = [&](const std::string& member, const std::function<void(std::string&)>& change) {
        std::vector<ZipMember> members = members_of(bytes);
        for (ZipMember& m : members)
            if (m.name == member) change(m.bytes);
        return said(write_zip(members));
    };
    const auto from_other = [&](const std::string& member) {
        return with(member, [&](std::string& content) {
            for (const ZipMember& m : members_of(other))
                if (m.name == member) content = m.bytes;
        });
    };
    must_say(from_other("moe-lab/history.safetensors"), "contradicts itself");
    must_say(from_other("moe-lab/checkpoints.safetensors"), "contradicts itself");
    must_say(from_other("moe-lab/commands.json"), "contradicts itself");
    must_say(with("moe-lab/commands.json",
                  [](std::string& b) { b.replace(b.find("\"version\": 1"), 12, "\"version\": 9"); }),
             "in version 9 of the format");
    must_say(from_other("model.weights.h5"), "are of the shape");
    must_say(from_other("moe-lab/tokenizer.json"), "belong to different models");
    must_say(with("moe-lab/history.safetensors", [](std::string& b) { b.resize(b.size() - 4); }),
             "an offset is not a whole number from 0 to");
    must_say(with("moe-lab/history.safetensors", [](std::string& b) { b[3] = '\x7f'; }), "its header says");
    must_say(with("moe-lab/session.json", [](std::string& b) { b = "[]"; }), "no \"version\"");
    must_say(with("moe-lab/session.json",
                  [](std::string& b) { b.replace(b.find("\"probe\": \""), 10, "\"probe\": 5, \"x\": \""); }),
             "its \"probe\" is not what belongs there");
}

TEST_CASE("a file of a future version is refused in one sentence that names both") {
    const Folder folder;
    std::vector<ZipMember> members = members_of(pack_session(small_session()));
    for (ZipMember& m : members)
        if (m.name == "moe-lab/session.json")
            m.bytes = R"({"written_by": "MoE Lab 7.5", "version": 3, "unknown": [1, {"x": 2}]})";
    for (ZipMember& m : members)
        if (m.name == "config.json") m.bytes = R"({"class_name": "Whatever"})";
    write_file(folder.path / "future.keras", write_zip(members));
    const std::string said = refusal([&] { load_session(folder.path / "future.keras"); });
    must_say(said, "was written by MoE Lab 7.5 in version 3 of the format");
    must_say(said, "this MoE Lab 0.");
    must_say(said, "reads up to version 1");
    CHECK(refusal([&] { load_model(folder.path / "future.keras"); }) == said);
}

TEST_CASE("a file without its text opens as a model only, says so, and has no past of another text") {
    const Folder folder;
    const fs::path file = folder.path / "bare.keras";
    TrainingSession session(cpu());
    SessionSetup setup = tutorial();
    setup.experiment.train.epochs = 100'000;
    session.open(setup);
    session.run_steps(2'000);
    session.wait();
    train(session);
    const WholeSession before = whole(session);
    REQUIRE(before.run.timeline->checkpoints.size() == 3);
    REQUIRE(before.run.state.next_example > 0);
    write_file(file, changed(pack_session(before), "moe-lab/corpus.txt", [](const auto&) { return std::nullopt; }));
    must_say(refusal([&] { load_session(file); }), "carries no text; open the text that it was trained on first");
    for (const char* text : {"how are you\nhello mars\n", "how are you doing today hello world\nfine how you are\n"}) {
        CAPTURE(text);
        const LoadedSession loaded = load_session(file, Corpus::from_text("mine.txt", text));
        CHECK_FALSE(loaded.whole);
        REQUIRE(loaded.remarks.size() == 1);
        must_say(loaded.remarks[0],
                 "'bare.keras' carries no text, so it opens as a model alone, on the present text (mine.txt)");
        CHECK(loaded.setup.corpus->tokenizer() == before.run.corpus->tokenizer());
        CHECK(loaded.setup.probe.empty());
        CHECK_FALSE(loaded.setup.timeline);
        CHECK_FALSE(loaded.setup.history);
        CHECK(loaded.setup.state->parameters == before.run.state.parameters);
        TrainingSession reopened(cpu());
        reopened.open(loaded.setup);
        const auto shown = reopened.take();
        CHECK(shown->step == 2'101);
        CHECK(shown->history->points.empty());
        // The run begins here: no step before it can be had.
        for (const std::uint64_t step : {0, 1'000, 1'030, 2'101}) {
            CAPTURE(step);
            const Answer<RunState> answer = reopened.state_at(step).get();
            REQUIRE_MESSAGE(answer.value, answer.error);
            CHECK(answer.value->step == 2'101);
            CHECK(answer.value->parameters == before.run.state.parameters);
            reopened.look_at(step);
            while (reopened.replaying()) std::this_thread::yield();
            REQUIRE(reopened.looked_at());
            CHECK(reopened.looked_at()->step == 2'101);
        }
        reopened.look_at_now();
        // Its first epoch counts this text's examples alone.
        const std::uint64_t epochs = reopened.save().get().state.epochs.finished();
        reopened.run_epochs(1);
        reopened.wait();
        CHECK(reopened.save().get().state.epochs.finished() == epochs + 1);
        CHECK(reopened.take()->step == 2'101 + (loaded.setup.corpus->examples() + 4) / 5);
    }
}

TEST_CASE("a past that its text or its settings cannot have is one sentence") {
    const Folder folder;
    TrainingSession session(cpu());
    SessionSetup setup = tutorial();
    setup.experiment.train.epochs = 100'000;
    session.open(setup);
    session.run_steps(1'100);
    session.wait();
    session.set_batch_size(5);
    session.set_target_epochs(200'000);
    session.run_steps(3);
    session.wait();
    const WholeSession before = whole(session);
    REQUIRE(before.run.timeline->checkpoints.size() == 2);
    const std::string bytes = pack_session(before);
    const auto said = [&](const std::string& archive) {
        write_file(folder.path / "x.keras", archive);
        return refusal([&] { load_session(folder.path / "x.keras"); });
    };
    CHECK(said(bytes) == "read");

    enum Column { at_step, at_epoch, at_example };  // of the first array, which lies right behind the header
    const auto with_place = [&](std::size_t checkpoint, Column column, std::uint64_t value) {
        return said(changed(bytes, "moe-lab/checkpoints.safetensors", [&](std::string content) {
            REQUIRE(content.find("\"step_epoch_example\"") != std::string::npos);
            REQUIRE(content.find("\"step_epoch_example\"") < content.find("data_offsets"));
            std::uint64_t header = 0;
            std::memcpy(&header, content.data(), sizeof header);
            std::memcpy(content.data() + 8 + header + 8 * (3 * checkpoint + column), &value, sizeof value);
            return content;
        }));
    };
    const Checkpoint& last = *before.run.timeline->checkpoints.back();
    CHECK(with_place(1, at_example, last.next_example) == "read");
    const std::size_t examples = before.run.corpus->examples();
    for (const std::uint64_t example : {std::uint64_t(examples), ~std::uint64_t(0)})
        must_say(with_place(1, at_example, example), "a checkpoint is beyond the end of its text");
    must_say(with_place(1, at_epoch, before.run.state.epoch + 1), "a checkpoint is of another epoch than its step");
    must_say(with_place(0, at_epoch, 1), "a checkpoint is of another epoch than its step");
    must_say(with_place(1, at_step, before.run.state.step + 1), "its past does not lead to its present");

    const auto with_command = [&](const std::string& was, const std::string& is) {
        return said(changed(bytes, "moe-lab/commands.json", [&](std::string content) {
            const std::size_t at = content.find(was);
            REQUIRE(at != std::string::npos);
            return content.replace(at, was.size(), is);
        }));
    };
    const std::string batch = "\"batch_size\", 5]", target = "\"epochs\", 2e+05]";
    CHECK(with_command(batch, "\"batch_size\", 65536]") == "read");
    CHECK(with_command(target, "\"epochs\", 1e5]") == "read");
    CHECK(with_command(target, "\"epochs\", 18446744073709551615]") == "read");
    for (const char* value : {"0", "65537", "1e17", "2.5", "-1", "\"nan\"", "\"inf\""}) {
        CAPTURE(value);
        must_say(with_command(batch, std::string("\"batch_size\", ") + value + "]"), "it takes 1 to 65536");
    }
    must_say(with_command(batch, "\"learning_rate\", 2e12]"), "it takes a number from 0 to 1e12");
    must_say(with_command(batch, "\"balance_loss\", 1001]"), "it takes 0 to 1000");
    must_say(with_command(batch, "\"seed\", 3]"), "cannot be changed while a model is trained");
    must_say(with_command(target, "\"epochs\", -5]"), "a command of its past cannot be read");
}

TEST_CASE("what is saved can be opened: the limits of the reader hold for the writer" * doctest::skip(!without_tsan)) {
    const Folder folder;
    const fs::path file = folder.path / "s.keras";
    constexpr std::size_t most_notes = std::size_t(1) << 22, most_window = std::size_t(1) << 16;
    WholeSession s = small_session();
    s.scene.notes.assign(most_notes, 'n');
    s.scene.arrangement.assign(most_window, 'w');
    save_session(file, s);
    CHECK(load_session(file).scene == s.scene);
    s.scene.notes += 'n';
    const std::string before = read_file(file);
    must_say(refusal([&] { save_session(file, s); }),
             "its notes would take 4,194,305 bytes where a file holds 4,194,304; shorten them");
    CHECK(read_file(file) == before);
    s.scene.notes.clear();
    s.scene.arrangement += 'w';  // the default one, then
    save_session(file, s);
    CHECK(load_session(file).scene.arrangement.empty());
    s.run.probe.assign(std::size_t(1) << 24, 'p');
    must_say(refusal([&] { save_session(file, s); }), "where a file holds 16,777,216; look at a shorter phrase");
    s.run.probe = "a";

    // More checkpoints of a tiny model than a header lists, more commands than a list holds.
    auto timeline = std::make_shared<Timeline>(*s.run.timeline);
    Checkpoint tiny;
    tiny.values.assign(timeline->checkpoints.front()->values.size(), 0.5f);
    tiny.values.resize(3 * parameter_count(timeline->start.model));
    constexpr std::uint64_t spacing = 1024;
    for (std::uint64_t i = 1; i <= 40'000; ++i) {
        tiny.step = i * spacing;
        timeline->checkpoints.push_back(std::make_shared<Checkpoint>(tiny));
    }
    s.run.state.step = tiny.step;
    s.run.timeline = timeline;
    save_session(file, s);
    const LoadedSession thinned = load_session(file);
    REQUIRE(thinned.setup.timeline);
    CHECK(thinned.setup.timeline->checkpoints.size() > 5'000);
    CHECK(thinned.setup.timeline->checkpoints.size() < 17'000);
    timeline->checkpoints.resize(1);
    for (std::uint64_t i = 0; i < 600'000; ++i) timeline->log.push_back({i, "learning_rate", double(i % 2)});
    save_session(file, s);
    const LoadedSession without = load_session(file);
    CHECK(without.whole);
    CHECK_FALSE(without.setup.timeline);
}

TEST_CASE("a gigabyte is refused by its sizes, at once") {
    constexpr off_t gigabyte = off_t(1) << 30;
    const Folder folder;
    const fs::path file = folder.path / "big.keras";
    const std::string bytes = pack_session(small_session());
    const auto grown = [&](const std::string& start, off_t size, const std::string& end) {
        const int descriptor = open(file.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        REQUIRE(descriptor >= 0);
        REQUIRE(pwrite(descriptor, start.data(), start.size(), 0) == ssize_t(start.size()));
        REQUIRE(ftruncate(descriptor, size + off_t(end.size())) == 0);
        REQUIRE(pwrite(descriptor, end.data(), end.size(), size) == ssize_t(end.size()));
        close(descriptor);
        std::string said;
        const double took = milliseconds([&] { said = refusal([&] { load_session(file, tutorial_corpus()); }); });
        CHECK(took < 1000);  // less than a gigabyte takes to read; a child starts twice
        MESSAGE(took << " ms: " << said);
        return said;
    };
    must_say(grown("", gigabyte, ""), "does not start as a zip archive does");
    must_say(grown(bytes, gigabyte, ""), "damaged or cut off");

    // A whole archive whose member is a gigabyte of zeros, by hand: local header, hole, table, end.
    const auto put = [](std::string& to, std::uint64_t value, int count) {
        for (int i = 0; i < count; ++i) to += char((i < 8 ? value >> (8 * i) : 0) & 255);
    };
    for (const char* name : {"config.json", "moe-lab/session.json", "model.weights.h5", "moe-lab/commands.json",
                             "moe-lab/checkpoints.safetensors", "moe-lab/history.safetensors", "moe-lab/notes.txt",
                             "moe-lab/window.json"}) {
        CAPTURE(name);
        std::string start, end;
        std::vector<std::pair<std::string, std::uint64_t>> table;
        std::vector<std::uint64_t> sizes, crcs;
        const auto entry = [&](const std::string& member, const std::string& content, std::uint64_t size) {
            table.emplace_back(member, start.size());
            sizes.push_back(size), crcs.push_back(crc(content));
            put(start, 0x04034b50, 4), put(start, 20, 2), put(start, 0, 2), put(start, 0, 2), put(start, 0x210000, 4);
            put(start, crc(content), 4), put(start, size, 4), put(start, size, 4), put(start, member.size(), 2),
                put(start, 0, 2);
            start += member + content;
        };
        for (const ZipMember& m : members_of(bytes))
            if (m.name != name) entry(m.name, m.bytes, m.bytes.size());
        entry(name, "", std::uint64_t(gigabyte));
        const off_t at = off_t(start.size()) + gigabyte;
        for (std::size_t i = 0; i < table.size(); ++i) {
            put(end, 0x02014b50, 4), put(end, 20, 2), put(end, 20, 2), put(end, 0, 2), put(end, 0, 2);
            put(end, 0x210000, 4), put(end, crcs[i], 4), put(end, sizes[i], 4), put(end, sizes[i], 4);
            put(end, table[i].first.size(), 2), put(end, 0, 2 + 2 + 2 + 2 + 4), put(end, table[i].second, 4);
            end += table[i].first;
        }
        const std::size_t directory = end.size();
        put(end, 0x06054b50, 4), put(end, 0, 4), put(end, table.size(), 2), put(end, table.size(), 2);
        put(end, directory, 4), put(end, std::uint64_t(at), 4), put(end, 0, 2);
        const std::string said = grown(start, at, end);
        must_say(said, std::string(name) + "' of 1.0 GiB where at most");
    }
}

TEST_CASE("other instruction sets are said in words") {
    CHECK(device_remark({}, "CPU · AVX2").empty());
    CHECK(device_remark({"CPU · AVX2"}, "CPU · AVX2").empty());
    CHECK(device_remark({"CPU · AVX-512", "CPU · AVX2", "CPU · AVX-512"}, "CPU · AVX2") ==
          "This run was trained on CPU · AVX-512, and this is CPU · AVX2: what is replayed or trained here may differ "
          "from it in the last bits.");
}
