#include "engine/formats/zip_archive.h"

#include "engine/core/atomic_file.h"
#include "engine/core/checked.h"
#include "engine/core/numbers.h"
#include "engine/formats/strangers_text.h"
#include "engine/formats/zip_spans.h"

#include <zip.h>

#include <algorithm>
#include <memory>

namespace moe {

namespace {

constexpr zip_uint16_t first_of_january_1980 = 1 << 5 | 1;
constexpr std::size_t most_members = 4096;
// A member of a model unpacks to so many times its size at most, above a mebibyte.
constexpr std::size_t most_unpacked = 32, small_member = std::size_t(1) << 15;

struct ErrorText {
    zip_error_t error;
    ErrorText() { zip_error_init(&error); }
    ~ErrorText() { zip_error_fini(&error); }
    std::string text() { return zip_error_strerror(&error); }
};

struct Discard {
    void operator()(zip_t* archive) const { zip_discard(archive); }
};
using Archive = std::unique_ptr<zip_t, Discard>;

struct FreeSource {
    void operator()(zip_source_t* source) const { zip_source_free(source); }
};

struct CloseFile {
    void operator()(zip_file_t* file) const { zip_fclose(file); }
};

[[noreturn]] void cannot_write(const std::string& why) {
    throw Error("The archive cannot be made in memory (" + why + "); close some programs and save again.");
}

bool leaves_its_folder(std::string_view member) {
    if (member.empty() || member.front() == '/' || member.find('\\') != std::string_view::npos ||
        member.find(':') != std::string_view::npos)
        return true;
    for (std::size_t start = 0; start <= member.size();) {
        const std::size_t end = std::min(member.find('/', start), member.size());
        if (member.substr(start, end - start) == "..") return true;
        start = end + 1;
    }
    return false;
}

}  // namespace

std::string write_zip(const std::vector<ZipMember>& members) {
    ErrorText error;
    std::unique_ptr<zip_source_t, FreeSource> buffer(zip_source_buffer_create(nullptr, 0, 0, &error.error));
    if (!buffer) cannot_write(error.text());
    Archive archive(zip_open_from_source(buffer.get(), ZIP_TRUNCATE, &error.error));
    if (!archive) cannot_write(error.text());
    zip_source_keep(buffer.get());  // the archive owns one reference, `buffer` the other
    for (const ZipMember& member : members) {
        zip_source_t* source = zip_source_buffer(archive.get(), member.bytes.data(), member.bytes.size(), 0);
        if (!source) cannot_write(zip_strerror(archive.get()));
        const zip_int64_t index = zip_file_add(archive.get(), member.name.c_str(), source, ZIP_FL_ENC_UTF_8);
        if (index < 0) {
            zip_source_free(source);
            cannot_write(zip_strerror(archive.get()));
        }
        const auto at = zip_uint64_t(index);
        if (zip_set_file_compression(archive.get(), at, ZIP_CM_STORE, 0) != 0 ||
            zip_file_set_dostime(archive.get(), at, 0, first_of_january_1980, 0) != 0)
            cannot_write(zip_strerror(archive.get()));
    }
    if (zip_close(archive.get()) != 0) cannot_write(zip_strerror(archive.get()));
    (void)archive.release();

    if (zip_source_open(buffer.get()) != 0) cannot_write("it does not open again");
    zip_stat_t status;
    zip_stat_init(&status);
    std::string bytes;
    if (zip_source_stat(buffer.get(), &status) == 0) bytes.resize(status.size);
    std::size_t filled = 0;
    while (filled < bytes.size()) {
        const zip_int64_t count = zip_source_read(buffer.get(), bytes.data() + filled, bytes.size() - filled);
        if (count <= 0) break;
        filled += std::size_t(count);
    }
    zip_source_close(buffer.get());
    if (filled == 0 || filled != bytes.size()) cannot_write("it does not read back");
    return bytes;
}

struct ZipReader::Table {
    Archive archive;
    struct Place {
        zip_uint64_t index = 0;
        std::size_t size = 0, packed = 0;
        bool readable = true;  // stored or deflated
    };
    std::map<std::string, Place, std::less<>> places;
};

namespace {

[[noreturn]] void refuse_archive(const std::string& name, const std::string& why) {
    throw Error("'" + name + "' " + why);
}

[[noreturn]] void damaged_archive(const std::string& name, const std::string& why) {
    refuse_archive(name, "is damaged or cut off (" + why + "); copy it again from where it came.");
}

void check_claimed_members(const std::string& name, std::uint64_t members) {
    if (members > most_members)
        refuse_archive(name, "has more members than the " + with_commas(most_members) + " that a model file may have.");
}

Archive open_archive(zip_source_t* source, ErrorText& error, const std::string& name) {
    if (!source) damaged_archive(name, error.text());
    Archive archive(zip_open_from_source(source, ZIP_RDONLY | ZIP_CHECKCONS, &error.error));
    if (archive) return archive;
    zip_source_free(source);
    if (zip_error_code_zip(&error.error) == ZIP_ER_EXISTS)
        refuse_archive(name, "has a member twice; it is not safe to open.");
    damaged_archive(name, error.text());
}

}  // namespace

ZipReader::ZipReader(std::string name) : table_(std::make_unique<Table>()), name_(std::move(name)) {}
ZipReader::~ZipReader() = default;
ZipReader::ZipReader(ZipReader&&) noexcept = default;

ZipReader ZipReader::in_memory(std::string_view bytes, std::string name) {
    ZipReader reader(std::move(name));
    const auto read = [bytes](std::uint64_t offset, std::size_t count) {
        return std::string(bytes.substr(std::min<std::size_t>(std::size_t(offset), bytes.size()), count));
    };
    check_claimed_members(reader.name_, zip_claimed_members(read, bytes.size()));
    ErrorText error;
    reader.table_->archive =
        open_archive(zip_source_buffer_create(bytes.data(), bytes.size(), 0, &error.error), error, reader.name_);
    reader.read_table(bytes.size(), read);
    return reader;
}

ZipReader ZipReader::on_disk(const std::filesystem::path& file, std::string name) {
    ZipReader reader(std::move(name));
    std::error_code none;
    const std::uintmax_t bytes = std::filesystem::file_size(file, none);
    if (none) damaged_archive(reader.name_, "it has no size");
    const auto read = [&file](std::uint64_t offset, std::size_t count) { return read_file_part(file, offset, count); };
    check_claimed_members(reader.name_, zip_claimed_members(read, bytes));
    ErrorText error;
    reader.table_->archive =
        open_archive(zip_source_file_create(file.c_str(), 0, -1, &error.error), error, reader.name_);
    reader.read_table(std::size_t(bytes), read);
    return reader;
}

void ZipReader::read_table(std::size_t archive_bytes,
                           const std::function<std::string(std::uint64_t, std::size_t)>& read_bytes) {
    zip_t* archive = table_->archive.get();
    const zip_int64_t entries = zip_get_num_entries(archive, 0);
    check_claimed_members(name_, entries < 0 ? most_members + 1 : std::uint64_t(entries));
    // A member's honest size is near its packed one; this stops archives that unpack to a thousand times their size.
    const std::size_t limit =
        checked_sum("The archive", {checked_product("The archive", {8, archive_bytes}), 64u << 20});
    std::size_t total = 0, packed = 0;
    for (zip_uint64_t i = 0; i < zip_uint64_t(entries); ++i) {
        zip_stat_t status;
        zip_stat_init(&status);
        if (zip_stat_index(archive, i, 0, &status) != 0) damaged_archive(name_, zip_strerror(archive));
        constexpr zip_uint64_t needed = ZIP_STAT_NAME | ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD;
        if ((status.valid & needed) != needed) damaged_archive(name_, "a member has no size");
        const std::string member = status.name;
        if (leaves_its_folder(member))
            refuse_archive(name_, "has a member whose name leads out of the archive; it is not safe to open.");
        zip_uint8_t system = 0;
        zip_uint32_t attributes = 0;
        constexpr zip_uint32_t kind_of_file = 0170000, link = 0120000;  // of Unix, in the upper half
        if (zip_file_get_external_attributes(archive, i, 0, &system, &attributes) == 0 && system == ZIP_OPSYS_UNIX &&
            (attributes >> 16 & kind_of_file) == link)
            refuse_archive(name_,
                           "has the member '" + strangers_text(member) + "' that is a link; it is not safe to open.");
        const bool readable = status.comp_method == ZIP_CM_STORE || status.comp_method == ZIP_CM_DEFLATE;
        if (!table_->places
                 .emplace(member, Table::Place{i, std::size_t(status.size), std::size_t(status.comp_size), readable})
                 .second)
            refuse_archive(name_, "has the member '" + strangers_text(member) + "' twice; it is not safe to open.");
        total = checked_sum("The archive", {total, std::size_t(status.size)});
        packed = checked_sum("The archive", {packed, std::size_t(status.comp_size)});
        if (total > limit || packed > archive_bytes)
            refuse_archive(name_, "says that it holds " + format_bytes(std::max(total, packed)) + ", which a file of " +
                                      format_bytes(archive_bytes) + " cannot; it is not safe to open.");
    }
    std::optional<std::vector<ZipSpan>> spans = zip_spans(read_bytes, archive_bytes, std::size_t(entries));
    if (!spans) damaged_archive(name_, "its table of members is not where it belongs");
    if (zip_spans_overlap(*spans)) refuse_archive(name_, "has members that lie in each other; it is not safe to open.");
}

std::vector<std::string> ZipReader::members() const {
    std::vector<std::string> names;
    for (const auto& [member, place] : table_->places) names.push_back(member);
    return names;
}

bool ZipReader::has(std::string_view member) const {
    return table_->places.find(member) != table_->places.end();
}

std::size_t ZipReader::size(std::string_view member) const {
    const auto found = table_->places.find(member);
    return found == table_->places.end() ? 0 : found->second.size;
}

std::size_t ZipReader::packed(std::string_view member) const {
    const auto found = table_->places.find(member);
    return found == table_->places.end() ? 0 : found->second.packed;
}

std::string ZipReader::read(std::string_view wanted, std::size_t most) const {
    const std::string member(wanted);
    const auto found = table_->places.find(wanted);
    if (found == table_->places.end())
        refuse_archive(name_, "has no member " + member + ", so it is not a whole Keras model; save it again.");
    const Table::Place& place = found->second;
    if (!place.readable)
        refuse_archive(name_, "has the member '" + member +
                                  "' packed in a way that is not read here; only stored and deflated are.");
    if (place.size / most_unpacked > place.packed + small_member)
        refuse_archive(name_, "has the member '" + member + "' of " + format_bytes(place.size) + " in " +
                                  format_bytes(place.packed) + ", as no model has; it is not safe to open.");
    if (place.size > most)
        refuse_archive(name_, "has the member '" + member + "' of " + format_bytes(place.size) + " where at most " +
                                  format_bytes(most) + " belong; it is not safe to open.");
    const std::unique_ptr<zip_file_t, CloseFile> file(zip_fopen_index(table_->archive.get(), place.index, 0));
    if (!file) damaged_archive(name_, member + ": " + zip_strerror(table_->archive.get()));
    std::string content(place.size, '\0');
    std::size_t filled = 0;
    while (filled < content.size()) {
        const zip_int64_t count = zip_fread(file.get(), content.data() + filled, content.size() - filled);
        if (count <= 0) break;
        filled += std::size_t(count);
    }
    char beyond = 0;  // reading past the end makes libzip compare the checksum
    if (filled != content.size() || zip_fread(file.get(), &beyond, 1) != 0)
        damaged_archive(name_, "its member " + member);
    return content;
}

std::map<std::string, std::string> read_zip(std::string_view bytes, const std::string& name,
                                            const std::function<bool(std::string_view)>& wanted) {
    const ZipReader reader = ZipReader::in_memory(bytes, name);
    std::map<std::string, std::string> members;
    for (const std::string& member : reader.members())
        if (wanted(member)) members.emplace(member, reader.read(member, reader.size(member)));
    return members;
}

}  // namespace moe
