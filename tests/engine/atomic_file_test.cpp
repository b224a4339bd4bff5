#include "engine/core/atomic_file.h"

#include "engine/core/error.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdarg>
#include <cstdlib>
#include <functional>
#include <thread>
#include <vector>

namespace fs = std::filesystem;

namespace {

// Failures on demand: these stand before libc's own in this program. Calls are counted only while armed.
thread_local int fail_at = -1;  // counts down; the call that reaches 0 fails
thread_local bool short_writes = false;

bool fails_now() {
    return fail_at > 0 && --fail_at == 0;
}

}  // namespace

extern "C" {
ssize_t write(int file, const void* bytes, size_t count) {
    if (fails_now()) {
        errno = ENOSPC;
        return -1;
    }
    if (short_writes && count > 1) count = count / 2;
    return syscall(SYS_write, file, bytes, count);
}
int fsync(int file) {
    if (fails_now()) {
        errno = EIO;
        return -1;
    }
    return int(syscall(SYS_fsync, file));
}
int open(const char* path, int flags, ...) {
    mode_t mode = 0;
    if (flags & O_CREAT) {
        va_list rest;
        va_start(rest, flags);
        mode = va_arg(rest, mode_t);
        va_end(rest);
    }
    if (fails_now()) {
        errno = EIO;
        return -1;
    }
    return int(syscall(SYS_openat, AT_FDCWD, path, flags, mode));
}
int close(int file) {
    const bool fails = fails_now();
    const int result = int(syscall(SYS_close, file));
    if (!fails) return result;
    errno = EIO;
    return -1;
}
int fchmod(int file, mode_t mode) noexcept {
    if (fails_now()) {
        errno = EIO;
        return -1;
    }
    return int(syscall(SYS_fchmod, file, mode));
}
int rename(const char* from, const char* to) noexcept {
    if (fails_now()) {
        errno = EIO;
        return -1;
    }
    return int(syscall(SYS_renameat, AT_FDCWD, from, AT_FDCWD, to));
}
}

using namespace moe;

namespace {

struct Folder {
    fs::path path;
    Folder() {
        std::string name = (fs::temp_directory_path() / "moe-atomic-XXXXXX").string();
        REQUIRE(mkdtemp(name.data()));
        path = name;
    }
    ~Folder() {
        fs::permissions(path, fs::perms::owner_all);
        fs::remove_all(path);
    }
    std::size_t files() const { return std::size_t(std::distance(fs::directory_iterator(path), {})); }
};

std::string message_of(const std::function<void()>& act) {
    try {
        act();
    } catch (const Error& error) {
        return error.what();
    }
    return "done";
}

// Runs `act` in a child process (its limits and rights are its own) and returns what it says.
std::string in_child(const std::function<void()>& prepare, const std::function<void()>& act) {
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    const pid_t child = fork();
    if (child == 0) {
        prepare();
        const std::string said = message_of(act);
        (void)!syscall(SYS_write, ends[1], said.data(), said.size());
        _exit(0);
    }
    close(ends[1]);
    std::string said(4096, '\0');
    const ssize_t count = read(ends[0], said.data(), said.size());
    close(ends[0]);
    int status = 0;
    waitpid(child, &status, 0);
    said.resize(count > 0 ? std::size_t(count) : 0);
    return said;
}

}  // namespace

TEST_CASE("a file is written, replaced, and read back to the byte") {
    const Folder folder;
    const fs::path file = folder.path / "a.bin";
    std::string bytes(100000, '\0');
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 31);
    write_file(file, bytes);
    CHECK(read_file(file) == bytes);
    write_file(file, "");
    CHECK(read_file(file).empty());
    short_writes = true;
    write_file(file, bytes);
    short_writes = false;
    CHECK(read_file(file) == bytes);
    CHECK(folder.files() == 1);
    CHECK(message_of([&] { read_file(file, 99999); }).find("larger than 97.7 KiB") != std::string::npos);
    CHECK(read_file(file, 100000) == bytes);
    CHECK(read_file("/proc/self/stat").size() > 10);
}

TEST_CASE("whichever call fails, the old file stays or the new one is complete, and the failure is told") {
    const Folder folder;
    const fs::path file = folder.path / "model.keras";
    write_file(file, "old");
    int failures = 0, harmless = 0;
    for (int n = 1; n < 50; ++n) {
        short_writes = true;
        fail_at = n;
        const std::string said = message_of([&] { write_file(file, "the new one"); });
        const bool reached = fail_at == 0;
        fail_at = -1;
        short_writes = false;
        if (!reached) {
            CHECK(said == "done");
            break;
        }
        CAPTURE(n);
        const std::string now = read_file(file);
        if (said == "done") {  // a folder that cannot be opened to be synced is no failure, nor is closing it again
            ++harmless;
            CHECK(now == "the new one");
        } else {
            ++failures;
            CHECK(said.starts_with("Cannot save '" + file.string() + "': the disk "));
        }
        CHECK((now == "old" || now == "the new one"));
        CHECK(folder.files() == 1);
        write_file(file, "old");
    }
    CHECK(failures >= 9);  // open, four short writes, mode, fsync, close, rename, and fsync of the folder
    CHECK(harmless <= 2);
}

TEST_CASE("a full disk") {
    CHECK(message_of([] { write_file("/dev/full", "x"); }) ==
          "Cannot save '/dev/full': the disk is full; free some space or choose another folder.");
    CHECK(fs::is_character_file("/dev/full"));

    const Folder folder;
    const fs::path file = folder.path / "model.keras";
    write_file(file, "old");
    const std::string said = in_child(
        [] {
            signal(SIGXFSZ, SIG_IGN);
            const rlimit limit{1000, 1000};
            setrlimit(RLIMIT_FSIZE, &limit);
        },
        [&] { write_file(file, std::string(5000, 'x')); });
    CHECK(said.find("larger than is allowed here") != std::string::npos);
    CHECK(read_file(file) == "old");
    CHECK(folder.files() == 1);

    const fs::path small = folder.path / "small";
    fs::create_directory(small);
    if (mount("tmpfs", small.c_str(), "tmpfs", 0, "size=64k") != 0) {
        MESSAGE("skipped: no right to mount a small file system");
        return;
    }
    write_file(small / "a", std::string(20000, 'o'));
    CHECK(message_of([&] { write_file(small / "a", std::string(200000, 'n')); }).find("the disk is full") !=
          std::string::npos);
    CHECK(read_file(small / "a") == std::string(20000, 'o'));
    CHECK(std::distance(fs::directory_iterator(small), {}) == 1);
    umount(small.c_str());
}

TEST_CASE("a read-only folder, a read-only file, a missing folder, a folder in the way") {
    const Folder folder;
    write_file(folder.path / "old", "old");
    fs::permissions(folder.path / "old", fs::perms(0444));
    const auto as_nobody = [] {
        if (geteuid() == 0 && setuid(65534) != 0) _exit(1);
    };
    fs::permissions(folder.path, fs::perms(0555));
    CHECK(in_child(as_nobody, [&] { write_file(folder.path / "new", "x"); }) ==
          "Cannot save '" + (folder.path / "new").string() + "': the folder is read-only; choose another folder.");
    fs::permissions(folder.path, fs::perms(0777));
    CHECK(in_child(as_nobody, [&] { write_file(folder.path / "old", "x"); }) ==
          "Cannot save '" + (folder.path / "old").string() + "': the file is read-only; choose another name.");
    CHECK(in_child(as_nobody, [&] { write_file(folder.path / "new", "x"); }) == "done");
    CHECK(folder.files() == 2);
    CHECK(message_of([&] { write_file(folder.path / "no" / "file", "x"); }).find("does not exist") !=
          std::string::npos);
    CHECK(message_of([&] { write_file(folder.path, "x"); }).find("a folder of this name") != std::string::npos);
    CHECK(message_of([&] { write_file("", "x"); }).find("without a name") != std::string::npos);
    CHECK(message_of([&] { read_file(folder.path / "gone"); }).find("there is no such file") != std::string::npos);
    CHECK(message_of([&] { read_file(folder.path); }).find("it is a folder") != std::string::npos);
    make_folder(folder.path / "a" / "b" / "c");
    make_folder(folder.path / "a" / "b" / "c");
    CHECK(fs::is_directory(folder.path / "a/b/c"));
    CHECK(message_of([&] { make_folder(folder.path / "old"); }).find("is in the way") != std::string::npos);
    CHECK(message_of([&] { make_folder(folder.path / "old" / "x"); }).find("is in the way") != std::string::npos);
}

TEST_CASE("links stay links, and modes stay") {
    const Folder folder;
    const fs::path real = folder.path / "real", link = folder.path / "link", dangling = folder.path / "dangling";
    write_file(real, "old");
    fs::permissions(real, fs::perms(0640));
    fs::create_symlink("real", link);
    write_file(link, "new");
    CHECK(fs::is_symlink(link));
    CHECK(read_file(real) == "new");
    CHECK(fs::status(real).permissions() == fs::perms(0640));
    fs::create_symlink(folder.path / "later", dangling);
    write_file(dangling, "made");
    CHECK(fs::is_symlink(dangling));
    CHECK(read_file(folder.path / "later") == "made");
    fs::create_symlink("loop", folder.path / "loop");
    CHECK(message_of([&] { write_file(folder.path / "loop", "x"); }).find("round in a circle") != std::string::npos);
    const mode_t old_mask = umask(027);
    write_file(folder.path / "fresh", "x");
    umask(old_mask);
    CHECK(fs::status(folder.path / "fresh").permissions() == fs::perms(0640));
}

TEST_CASE("a part of a file is read from its place") {
    const Folder folder;
    const fs::path file = folder.path / "part";
    write_file(file, "0123456789");
    CHECK(read_file_part(file, 0, 3) == "012");
    CHECK(read_file_part(file, 7, 2) == "78");
    CHECK(read_file_part(file, 8, 100) == "89");
    CHECK(read_file_part(file, 10, 1).empty());
    CHECK(read_file_part(file, 1000, 1).empty());
    CHECK_THROWS_AS(read_file_part(folder.path / "none", 0, 1), Error);
}

TEST_CASE("two writers at once never mix their bytes") {
    const Folder folder;
    const fs::path file = folder.path / "shared";
    write_file(file, std::string(1000, 'a'));
    std::atomic<bool> mixed = false, stop = false;
    std::vector<std::jthread> threads;
    for (const char letter : {'a', 'b'})
        threads.emplace_back([&file, letter] {
            for (int i = 0; i < 40; ++i) write_file(file, std::string(std::size_t(50000 + i), letter));
        });
    std::jthread reader([&] {
        while (!stop) {
            const std::string now = read_file(file);
            if (now.empty() || now.find_first_not_of(now[0]) != std::string::npos) mixed = true;
        }
    });
    threads.clear();
    stop = true;
    reader.join();
    CHECK_FALSE(mixed);
    CHECK(folder.files() == 1);
}
