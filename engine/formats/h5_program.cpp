#include "engine/formats/h5_program.h"

#include "engine/core/checked.h"
#include "engine/core/numbers.h"
#include "engine/formats/strangers_text.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <utility>

extern char** environ;

namespace moe {

namespace {

using Clock = std::chrono::steady_clock;

class PipeEnd {
public:
    explicit PipeEnd(int number) : number_(number) {}
    PipeEnd(PipeEnd&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
    PipeEnd& operator=(PipeEnd&&) = delete;
    ~PipeEnd() { close(); }

    int number() const { return number_; }
    bool valid() const { return number_ >= 0; }
    void close() {
        if (number_ >= 0) ::close(std::exchange(number_, -1));
    }

private:
    int number_;
};

// The child's own standard descriptors are 0 to 2; ours must be none of those.
PipeEnd beyond_standard(PipeEnd given) {
    if (given.number() > STDERR_FILENO || !given.valid()) return given;
    return PipeEnd(fcntl(given.number(), F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
}

[[noreturn]] void cannot_start(const std::string& name, const char* what) {
    throw Error("'" + name + "' cannot be read now: " + what + " (" + std::strerror(errno) +
                "); close some programs and open it again.");
}

// The bytes as a file that is in memory alone and that nobody can change any more.
PipeEnd sealed(std::string_view image, const std::string& name) {
    PipeEnd file = beyond_standard(PipeEnd(memfd_create("weights", MFD_CLOEXEC | MFD_ALLOW_SEALING)));
    if (!file.valid()) cannot_start(name, "there is no memory to hand it over in");
    for (std::size_t at = 0; at < image.size();) {
        const ssize_t written = write(file.number(), image.data() + at, image.size() - at);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) cannot_start(name, "it does not fit into the memory");
        at += std::size_t(written);
    }
    if (fcntl(file.number(), F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
        cannot_start(name, "its copy in memory cannot be locked");
    return file;
}

struct Actions {
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    Actions() {
        posix_spawn_file_actions_init(&files);
        posix_spawnattr_init(&attributes);
    }
    ~Actions() {
        posix_spawn_file_actions_destroy(&files);
        posix_spawnattr_destroy(&attributes);
    }
    Actions(const Actions&) = delete;
    Actions& operator=(const Actions&) = delete;
};

// A running moelab-h5: it never outlives this.
class Child {
public:
    Child(const H5Program& program, std::string_view image, const std::string& name)
        : name_(name), program_(program), file_bytes_(image.size()), output_(-1) {
        const PipeEnd file = sealed(image, name);
        int ends[2];
        if (pipe2(ends, O_CLOEXEC) != 0) cannot_start(name, "there is no pipe");
        output_.emplace(beyond_standard(PipeEnd(ends[0])));
        const PipeEnd input = beyond_standard(PipeEnd(ends[1]));
        if (!output_->valid() || !input.valid()) cannot_start(name, "there is no pipe");
        fcntl(output_->number(), F_SETPIPE_SZ, 1 << 20);  // fewer turns; without it the pipe is as it was
        start(file.number(), input.number());
        until_ = after(program.start_seconds);
    }
    ~Child() {
        if (id_ > 0) kill(id_, SIGKILL), ended();
    }
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;

    std::map<std::string, H5Object> read() {
        char greeting[sizeof h5_greeting - 1];
        take(greeting, sizeof greeting);
        if (std::string_view(greeting, sizeof greeting) != h5_greeting) misunderstood("another greeting");
        greeted_ = true;
        seconds_ = program_.read_seconds > 0 ? program_.read_seconds : h5_seconds(file_bytes_);
        until_ = after(seconds_);
        H5Contents contents;
        try {
            contents = read_h5_records([this](void* into, std::size_t bytes) { take(into, bytes); }, file_bytes_);
        } catch (const Stopped&) {
            throw;
        } catch (const Error& error) {
            misunderstood(error.what());
        }
        if (contents.refused) say(*contents.refused);
        return std::move(contents.objects);
    }

private:
    // A whole sentence, apart from the few words of read_h5_records().
    struct Stopped : Error {
        using Error::Error;
    };

    static Clock::time_point after(double seconds) {
        return Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
    }

    void start(int file, int output) {
        Actions actions;
        sigset_t all, none;
        sigfillset(&all);
        sigemptyset(&none);
        posix_spawn_file_actions_adddup2(&actions.files, file, STDIN_FILENO);
        posix_spawn_file_actions_adddup2(&actions.files, output, STDOUT_FILENO);
        posix_spawn_file_actions_addopen(&actions.files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
        // A group of its own: Ctrl-C is for the program that was started, which ends its child itself.
        posix_spawnattr_setpgroup(&actions.attributes, 0);
        posix_spawnattr_setsigdefault(&actions.attributes, &all);
        posix_spawnattr_setsigmask(&actions.attributes, &none);
        posix_spawnattr_setflags(&actions.attributes,
                                 POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
        std::string path = program_.file.string();
        char* arguments[] = {path.data(), nullptr};
        const int failed = posix_spawn(&id_, path.c_str(), &actions.files, &actions.attributes, arguments, environ);
        if (failed == 0) return;
        id_ = 0;
        if (failed == EAGAIN || failed == ENOMEM) {
            errno = failed;
            cannot_start(name_, "the program that reads it does not start");
        }
        throw Error("'" + name_ + "' cannot be read: the program '" + path +
                    "', which reads such files, is missing or does not start; install MoE Lab again.");
    }

    void take(void* into, std::size_t bytes) {
        for (char* at = static_cast<char*>(into); bytes > 0;) {
            wait_for_output();
            const ssize_t count = ::read(output_->number(), at, bytes);
            if (count < 0 && (errno == EINTR || errno == EAGAIN)) continue;
            if (count <= 0) stopped_early();
            at += count;
            bytes -= std::size_t(count);
        }
    }

    void wait_for_output() {
        for (;;) {
            const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until_ - Clock::now()).count();
            pollfd ready{output_->number(), POLLIN, 0};
            const int count = left <= 0 ? 0 : poll(&ready, 1, int(std::min<long long>(left + 1, 1000)));
            if (count > 0) return;
            if (count == 0 && left <= 0) took_too_long();
        }
    }

    // The child's end, waited for; it was told to end or has closed its output.
    int ended() {
        int status = 0;
        rusage used{};
        while (wait4(id_, &status, 0, &used) < 0 && errno == EINTR) {
        }
        id_ = 0;
        const auto seconds = [](const timeval& time) { return double(time.tv_sec) + 1e-6 * double(time.tv_usec); };
        computed_ = seconds(used.ru_utime) + seconds(used.ru_stime);
        return status;
    }

    // Either the file leads in circles, or other programs took the processor.
    [[noreturn]] void took_too_long() {
        if (!greeted_)
            throw Stopped("'" + name_ + "' cannot be read now: the program '" + program_.file.string() +
                          "', which reads such files, did not start in time; close some programs and open it again.");
        if (id_ > 0) kill(id_, SIGKILL), ended();
        if (computed_ < 0.5 * seconds_)
            throw Stopped("'" + name_ + "': reading its weights was stopped after " + to_fixed(seconds_, 1) +
                          " s, of which it had the processor for " + to_fixed(computed_, 1) +
                          " s; open it again when the computer is less busy.");
        throw Stopped(
            "'" + name_ +
            "': reading its weights takes longer than it can, so it was stopped; the file is damaged, copy it "
            "again from where it came.");
    }

    [[noreturn]] void stopped_early() {
        // One that closed its output and goes on is ended; one that has ended has its own status.
        siginfo_t info{};
        if (waitid(P_PID, id_t(id_), &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0) {
            pollfd none{-1, 0, 0};
            poll(&none, 1, 20);  // between the end of its output and its end lies a moment
            kill(id_, SIGKILL);
        }
        const int status = ended();
        if (WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU) computed_ = seconds_, took_too_long();
        if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
            throw Stopped("'" + name_ + "' cannot be read: the program '" + program_.file.string() +
                          "', which reads such files, does not start; install MoE Lab again.");
        if (!greeted_)
            throw Stopped("'" + name_ + "' cannot be read: the program '" + program_.file.string() +
                          "', which reads such files, could not shut itself in here (it ended with " +
                          std::to_string(WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status)) +
                          "); nothing of the file was read.");
        throw Stopped("'" + name_ +
                      "': its weights are damaged in a way that stopped the program that reads them; copy the file "
                      "again from where it came.");
    }

    [[noreturn]] void misunderstood(const std::string& what) const {
        throw Stopped("'" + name_ + "' cannot be read: '" + program_.file.string() +
                      "' answered what is no list of "
                      "weights (" +
                      what + "); copy the file again, or install MoE Lab again.");
    }

    [[noreturn]] void say(const H5Refused& refused) const;

    const std::string& name_;
    const H5Program& program_;
    std::size_t file_bytes_;
    std::optional<PipeEnd> output_;
    pid_t id_ = 0;
    Clock::time_point until_;
    bool greeted_ = false;
    double seconds_ = 0, computed_ = 0;  // that reading may take by the clock; that the child had of the processor
};

void Child::say(const H5Refused& refused) const {
    const std::string path = refused.path.empty() ? "/" : strangers_text(refused.path), file = "'" + name_ + "'",
                      weights = file + ": its weights (" + path + ") ";
    switch (refused.rule) {
        case H5Rule::damaged_file:
            throw Stopped(file + ": its weights are damaged or cut off; copy it again from where it came.");
        case H5Rule::link:
            throw Stopped(file + " has a link in place of weights (" + path + "); it is not safe to open.");
        case H5Rule::external_storage:
            throw Stopped(weights + "lie in another file; save the model again, whole.");
        case H5Rule::virtual_storage:
            throw Stopped(weights + "lie in another place than the file; save the model again, whole.");
        case H5Rule::filter:
            throw Stopped(weights + "are packed in a way that is not read here; only gzip and shuffle are.");
        case H5Rule::too_large:
            throw Stopped(weights + "say that they take " + format_bytes(std::size_t(refused.bytes)) +
                          ", which the file cannot hold.");
        case H5Rule::twice:
            throw Stopped(weights + "stand under two names, as in a loop; it is not safe to open.");
        case H5Rule::deep:
            throw Stopped(weights + "lie deeper than the " + std::to_string(h5_most_depth) +
                          " groups that a model has.");
        case H5Rule::long_path:
            throw Stopped(weights + "have a name longer than the " + with_commas(h5_most_path) +
                          " bytes that a model's have.");
        case H5Rule::many:
            throw Stopped(weights + "are one array or group more than a file of its size holds.");
        case H5Rule::memory:
            throw Stopped(file + ": its weights take more memory than a file of its size can hold.");
        default:
            throw Stopped(weights + "are damaged; copy it again from where it came.");
    }
}

}  // namespace

H5Program h5_program_beside(const std::filesystem::path& program) {
    return {program.parent_path() / "moelab-h5"};
}

std::map<std::string, H5Object> read_h5(const H5Program& program, std::string_view image, const std::string& name) {
    if (!image.starts_with("\x89HDF\r\n\x1a\n"))
        throw Error("'" + name + "': its weights are no HDF5 file; copy it again from where it came.");
    if (!program.file.is_absolute())  // never a program of the folder that somebody happens to be in
        throw Error("'" + name +
                    "' cannot be read: where the program 'moelab-h5' lies, which reads such files, is not "
                    "known here; start MoE Lab with its whole path.");
    return Child(program, image, name).read();
}

}  // namespace moe
