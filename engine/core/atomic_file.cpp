#include "engine/core/atomic_file.h"

#include "engine/core/checked.h"
#include "engine/core/rng.h"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <limits>
#include <optional>
#include <system_error>
#include <utility>

namespace moe {

namespace {

std::string cause(int code) {
    switch (code) {
        case ENOSPC:
        case EDQUOT:
            return "the disk is full; free some space or choose another folder";
        case EROFS:
            return "the disk is read-only; choose another folder";
        case EACCES:
        case EPERM:
            return "the folder is read-only; choose another folder";
        case ENOENT:
            return "its folder does not exist; create it or choose another one";
        case ENOTDIR:
            return "a part of the path is a file, not a folder; choose another path";
        case ENAMETOOLONG:
            return "the name is too long; choose a shorter one";
        case EFBIG:
            return "the file is larger than is allowed here; choose another folder";
        case EIO:
            return "the disk reports an error; choose another disk";
        case EMFILE:
        case ENFILE:
            return "too many files are open; close some programs";
        default:
            return "the system says: " + std::generic_category().message(code);
    }
}

[[noreturn]] void cannot(const char* verb, const std::filesystem::path& path, const std::string& why) {
    throw Error("Cannot " + std::string(verb) + " '" + path.string() + "': " + why + ".");
}

[[noreturn]] void cannot_save(const std::filesystem::path& path, int code) {
    cannot("save", path, cause(code));
}

// Closed once, whatever happens; close() itself can report a full disk.
class Descriptor {
public:
    explicit Descriptor(int number) : number_(number) {}
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    ~Descriptor() {
        if (number_ >= 0) ::close(number_);
    }

    int number() const { return number_; }
    int close() { return ::close(std::exchange(number_, -1)); }

private:
    int number_;
};

// Removed unless it was renamed.
struct Temporary {
    std::filesystem::path path;
    bool renamed = false;

    ~Temporary() {
        if (!renamed && !path.empty()) ::unlink(path.c_str());
    }
};

// errno of the failure, 0 where every byte is written.
int write_all(int descriptor, std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t written = ::write(descriptor, bytes.data(), std::min(bytes.size(), std::size_t(1) << 30));
        if (written < 0) {
            if (errno == EINTR) continue;
            return errno;
        }
        if (written == 0) return EIO;
        bytes.remove_prefix(std::size_t(written));
    }
    return 0;
}

std::filesystem::path follow_links(std::filesystem::path path) {
    std::error_code error;
    for (int links = 0; std::filesystem::is_symlink(path, error); ++links) {
        if (links == 40) cannot("save", path, "its links lead round in a circle; choose another path");
        const std::filesystem::path target = std::filesystem::read_symlink(path, error);
        if (error) cannot_save(path, error.value());
        path = target.is_absolute() ? target : path.parent_path() / target;
    }
    return path;
}

// A name that no other writer has, in any process: two that save to one path never share a temporary.
std::string unique_name() {
    std::uint64_t number = 0;
    if (::getrandom(&number, sizeof number, 0) != ssize_t(sizeof number))
        number = Rng(std::uint64_t(::getpid()), std::uint64_t(::time(nullptr))).next();
    constexpr char digits[] = "0123456789abcdef";
    std::string name = ".moelab-";
    for (int shift = 60; shift >= 0; shift -= 4) name += digits[number >> shift & 15];
    return name + ".tmp";
}

// A device or a pipe is written to as it stands: replacing it by a file would break it for everybody.
void write_special(const std::filesystem::path& path, std::string_view bytes) {
    Descriptor file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    if (file.number() < 0) cannot_save(path, errno);
    if (const int error = write_all(file.number(), bytes)) cannot_save(path, error);
    if (file.close() != 0) cannot_save(path, errno);
}

}  // namespace

void write_file(const std::filesystem::path& wanted, std::string_view bytes) {
    if (wanted.empty()) throw Error("Cannot save to a file without a name; give it one.");
    const std::filesystem::path path = follow_links(wanted);
    struct stat existing {};
    std::optional<mode_t> mode;
    if (::stat(path.c_str(), &existing) == 0) {
        if (S_ISDIR(existing.st_mode)) cannot("save", wanted, "there is a folder of this name; choose another name");
        if (!S_ISREG(existing.st_mode)) return write_special(path, bytes);
        if (::access(path.c_str(), W_OK) != 0 && errno == EACCES)
            cannot("save", wanted, "the file is read-only; choose another name");
        mode = existing.st_mode & 07777;
    } else if (errno != ENOENT) {
        cannot_save(wanted, errno);
    }
    if (!path.has_filename()) cannot("save", wanted, "this is the name of a folder; add the name of a file");
    const std::filesystem::path folder = path.has_parent_path() ? path.parent_path() : ".";

    const Descriptor directory(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    Temporary temporary;
    int number = -1;
    for (int attempt = 0; attempt < 100 && number < 0; ++attempt) {
        const std::filesystem::path candidate = folder / unique_name();
        number = ::open(candidate.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (number >= 0)
            temporary.path = candidate;
        else if (errno != EEXIST)
            cannot_save(wanted, errno);
    }
    Descriptor file(number);
    if (file.number() < 0) cannot_save(wanted, EEXIST);
    if (const int error = write_all(file.number(), bytes)) cannot_save(wanted, error);
    if (mode && ::fchmod(file.number(), *mode) != 0) cannot_save(wanted, errno);
    if (::fsync(file.number()) != 0) cannot_save(wanted, errno);
    if (file.close() != 0) cannot_save(wanted, errno);
    if (::rename(temporary.path.c_str(), path.c_str()) != 0) cannot_save(wanted, errno);
    temporary.renamed = true;
    // Some file systems cannot sync a folder, and a folder may be writable without being readable: no failure.
    if (directory.number() >= 0 && ::fsync(directory.number()) != 0 && errno != EINVAL && errno != ENOTSUP)
        cannot_save(wanted, errno);
}

namespace {

/// At most `most` bytes from `offset` on; with `limit`, a file that holds more is refused.
std::string read_bytes(const std::filesystem::path& path, std::uint64_t offset, std::size_t most,
                       std::optional<std::size_t> limit) {
    const auto refuse = [&](int code) {
        if (code == ENOENT) cannot("open", path, "there is no such file");
        if (code == EACCES || code == EPERM) cannot("open", path, "you are not allowed to read it");
        cannot("open", path, cause(code));
    };
    Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (file.number() < 0) refuse(errno);
    struct stat status {};
    if (::fstat(file.number(), &status) != 0) refuse(errno);
    if (S_ISDIR(status.st_mode)) cannot("open", path, "it is a folder, not a file");
    const auto too_large = [&] { cannot("open", path, "it is larger than " + format_bytes(*limit)); };
    const bool regular = S_ISREG(status.st_mode);
    if (limit && regular && std::uint64_t(status.st_size) > *limit) too_large();
    if (offset > 0 && ::lseek(file.number(), off_t(offset), SEEK_SET) < 0) refuse(errno);

    std::string bytes;
    std::size_t filled = 0;
    bytes.resize(std::min(most, regular ? std::size_t(status.st_size) + 1 : 65536));
    while (filled < most) {
        if (filled == bytes.size()) bytes.resize(std::min(most, bytes.size() * 2));
        const std::size_t room = std::min(bytes.size() - filled, std::size_t(1) << 30);
        const ssize_t count = ::read(file.number(), bytes.data() + filled, room);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) refuse(errno);
        if (count == 0) break;
        filled += std::size_t(count);
        if (limit && filled > *limit) too_large();
    }
    bytes.resize(filled);
    return bytes;
}

}  // namespace

std::string read_file(const std::filesystem::path& path, std::size_t limit) {
    return read_bytes(path, 0, std::numeric_limits<std::size_t>::max(), limit);
}

std::string read_file_part(const std::filesystem::path& path, std::uint64_t offset, std::size_t count) {
    return read_bytes(path, offset, count, {});
}

void make_folder(const std::filesystem::path& path) {
    if (path.empty()) throw Error("Cannot make a folder without a name; give it one.");
    std::error_code error;
    std::filesystem::create_directories(path, error);
    std::error_code ignored;
    if (std::filesystem::is_directory(path, ignored)) return;
    if (!error || error == std::errc::file_exists || error == std::errc::not_a_directory)
        cannot("make the folder", path,
               "a file of this name, or of a folder above it, is in the way; choose another name");
    cannot("make the folder", path, cause(error.value()));
}

}  // namespace moe
