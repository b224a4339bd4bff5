#include "engine/session/autosave.h"

#include "engine/core/atomic_file.h"
#include "engine/core/error.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <system_error>
#include <utility>

namespace moe {

namespace fs = std::filesystem;

namespace {

constexpr const char *session_name = "session.keras", *host_name = "host.txt";
// Written every few seconds: a little of the past is enough to have all of it again by replay.
constexpr std::size_t checkpoint_budget = std::size_t(2) << 20;
constexpr std::chrono::minutes other_machine_is_dead{10};

std::string this_host() {
    std::array<char, 256> name{};
    return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

/// A descriptor of the folder with the lock on it; -1 where another holds it or it is gone.
int lock_folder(const fs::path& folder) {
    const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0) return -1;
    struct stat locked {
    }, there{};
    // Whoever removed the folder between the two calls leaves a lock on nothing.
    if (::flock(descriptor, LOCK_EX | LOCK_NB) == 0 && ::fstat(descriptor, &locked) == 0 &&
        ::stat(folder.c_str(), &there) == 0 && locked.st_ino == there.st_ino && locked.st_dev == there.st_dev)
        return descriptor;
    ::close(descriptor);
    return -1;
}

/// Locks on a shared folder may not reach other machines: their windows touch what they keep.
bool may_live_elsewhere(const fs::path& folder) {
    std::string host;
    fs::file_time_type touched = fs::file_time_type::min();
    const auto look = [&touched](const fs::path& at) {
        std::error_code missing;
        const fs::file_time_type time = fs::last_write_time(at, missing);
        if (!missing) touched = std::max(touched, time);
    };
    try {
        host = read_file(folder / host_name, 256);
        look(folder / host_name), look(folder / session_name);
    } catch (const Error&) {
        look(folder);  // perhaps it is just being made
    }
    return host != this_host() && touched > fs::file_time_type::clock::now() - other_machine_is_dead;
}

}  // namespace

AutosaveSlot::Taken AutosaveSlot::new_folder(const fs::path& root) {
    make_folder(root);
    for (int attempt = 0; attempt < 10; ++attempt) {
        std::string name = (root / "window-XXXXXX").string();
        if (!::mkdtemp(name.data()))
            throw Error("Cannot make a folder for the autosave in '" + root.string() +
                        "': " + std::generic_category().message(errno) + ".");
        if (const int lock = lock_folder(name); lock >= 0) return {name, lock};
        ::rmdir(name.c_str());
    }
    throw Error("Cannot lock a folder for the autosave in '" + root.string() + "'.");
}

AutosaveSlot::AutosaveSlot(const fs::path& root) : AutosaveSlot(new_folder(root)) {
    try {
        write_file(folder_ / host_name, this_host());
    } catch (...) {
        remove();
        throw;  // the destructor unlocks
    }
}

AutosaveSlot::AutosaveSlot(Taken taken) : folder_(std::move(taken.folder)), lock_(taken.lock) {}

AutosaveSlot::~AutosaveSlot() {
    if (lock_ >= 0) ::close(lock_);
}

fs::path AutosaveSlot::file() const {
    return folder_ / session_name;
}

bool AutosaveSlot::holds_session() const {
    std::error_code none;
    return fs::exists(file(), none);
}

void AutosaveSlot::write(const WholeSession& session) {
    if (session.run.corpus && session.run.corpus != text_) {
        std::error_code none;
        std::string name;
        do name = "text-" + std::to_string(++texts_) + ".zip";
        while (fs::exists(folder_ / name, none));
        write_file(folder_ / name, pack_text(*session.run.corpus));
        text_name_ = name;
        text_ = session.run.corpus;
    }
    write_file(file(), pack_session(session, checkpoint_budget, text_name_));
    // Only now does nothing that is kept need the text before.
    std::error_code none;
    if (std::exchange(kept_text_, text_name_) != text_name_)
        for (const auto& entry : fs::directory_iterator(folder_, none)) {
            const std::string name = entry.path().filename().string();
            if (name.starts_with("text-") && name != text_name_) fs::remove(entry.path(), none);
        }
}

void AutosaveSlot::clear() {
    std::error_code error;
    fs::remove(file(), error);
    if (error) throw Error("Cannot remove '" + file().string() + "': " + error.message() + ".");
}

void AutosaveSlot::touch() {
    std::error_code none;
    fs::last_write_time(folder_ / host_name, fs::file_time_type::clock::now(), none);
}

void AutosaveSlot::remove() {
    std::error_code none;
    fs::remove(file(), none);  // first: what is half removed is no session
    fs::remove_all(folder_, none);
}

std::vector<Leftover> find_leftovers(const fs::path& root) {
    std::vector<Leftover> found;
    std::error_code none;
    for (const auto& entry : fs::directory_iterator(root, none)) {
        if (!entry.path().filename().string().starts_with("window-") || !entry.is_directory(none)) continue;
        const int lock = lock_folder(entry.path());
        if (lock < 0) continue;
        Leftover leftover;
        leftover.slot.reset(new AutosaveSlot(AutosaveSlot::Taken{entry.path(), lock}));
        if (may_live_elsewhere(entry.path())) continue;
        if (!leftover.slot->holds_session()) {
            leftover.slot->remove();
            continue;
        }
        try {
            leftover.summary = summarize_session(leftover.slot->file());
        } catch (const std::exception& e) {
            leftover.problem = e.what();
        }
        found.push_back(std::move(leftover));
    }
    std::stable_sort(found.begin(), found.end(),
                     [](const Leftover& a, const Leftover& b) { return a.summary.saved_at > b.summary.saved_at; });
    return found;
}

}  // namespace moe
