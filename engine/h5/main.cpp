// moelab-h5: reads one HDF5 file, which it gets as its standard input, and tells on its standard output what is in it,
// as engine/formats/h5_records.h says. What a damaged file does to libhdf5 happens here and ends with this process.
#include "engine/h5/confinement.h"
#include "engine/h5/walk.h"

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <new>
#include <optional>

using namespace moe;

namespace {

// Standard output, gathered into larger writes. A parent that went away ends the process by SIGPIPE.
class Output {
public:
    void bytes(const void* from, std::size_t count) {
        const char* bytes = static_cast<const char*>(from);
        if (buffer_.size() + count <= gathered) {
            buffer_.append(bytes, count);
            return;
        }
        flush();
        write_all(bytes, count);
    }
    template <class T>
    void number(T value) {
        bytes(&value, sizeof value);
    }
    void head(H5Record kind, const std::string& path) {
        number(kind);
        number(std::uint16_t(path.size()));
        bytes(path.data(), path.size());
    }
    void flush() {
        write_all(buffer_.data(), buffer_.size());
        buffer_.clear();
    }

private:
    void write_all(const char* from, std::size_t count) {
        while (count > 0 && !broken_) {
            const ssize_t written = write(STDOUT_FILENO, from, count);
            broken_ = written <= 0;
            if (broken_) return;
            from += written;
            count -= std::size_t(written);
        }
    }

    static constexpr std::size_t gathered = 1 << 16;
    std::string buffer_;
    bool broken_ = false;
};

void tell(Output& output, const Found& found) {
    const H5Object& object = found.object;
    output.head(object.kind, found.path);
    output.number(object.address);
    switch (object.kind) {
        case H5Record::group:
            output.number(object.links);
            break;
        case H5Record::integer:
            output.number(object.integer);
            break;
        case H5Record::floats:
            output.number(std::uint8_t(object.shape.size()));
            for (const std::size_t size : object.shape) output.number(std::uint64_t(size));
            output.bytes(object.values.data(), object.values.size() * sizeof(float));
            break;
        default:
            output.number(object.other);
    }
}

void refuse(Output& output, const H5Refused& refused) {
    output.head(H5Record::refused, refused.path);
    output.number(refused.rule);
    output.number(refused.bytes);
}

void tell_all(Output& output, std::string_view file) {
    std::optional<H5Image> image;  // closed when all is told: that may crash as well
    try {
        image.emplace(file);
        std::vector<Found> all = image->walk();
        const std::uint64_t records = all.size();
        for (Found& found : all) {
            image->read(found);
            tell(output, found);
            found = {};
        }
        output.number(H5Record::end);
        output.number(records);
    } catch (const Refusal& refusal) {
        refuse(output, refusal.what);
    } catch (const std::bad_alloc&) {
        refuse(output, {H5Rule::memory, "", 0});
    }
    output.flush();
}

}  // namespace

int main() {
    struct stat status;
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || fstat(STDIN_FILENO, &status) != 0 || status.st_size < 0) return 1;
    if (close_range(3, ~0u, 0) != 0 && errno != ENOSYS) return 1;  // before Linux 5.9; they close themselves at exec
    const auto bytes = std::size_t(status.st_size);
    void* file = bytes == 0 ? nullptr : mmap(nullptr, bytes, PROT_READ, MAP_PRIVATE, STDIN_FILENO, 0);
    if (file == MAP_FAILED) return 1;
    if (H5dont_atexit() < 0 || H5open() < 0 || H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr) < 0 ||
        H5PLset_loading_state(0) < 0)
        return 1;
    if (!confine(bytes)) return 1;
    Output output;
    output.bytes(h5_greeting, sizeof h5_greeting - 1);
    output.flush();
    tell_all(output, {static_cast<const char*>(file), bytes});
    return 0;
}
