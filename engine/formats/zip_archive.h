#pragma once
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace moe {

struct ZipMember {
    std::string name, bytes;
};

/// A zip archive in memory: members in this order, stored, with one fixed time, so that equal members give equal bytes.
std::string write_zip(const std::vector<ZipMember>& members);

/// A zip archive that is read member by member: its table is checked when it is opened, and nothing large is allocated
/// before it is known to be wanted. Nothing but the archive is touched on the disk. One thread at a time.
class ZipReader {
public:
    /// In memory; `bytes` is read where it lies and must outlive this. Throws Error naming `name` where the bytes are
    /// no whole archive, or a member is twice there, is a link, lies in another one, leads out of its folder (`..`,
    /// absolute), or is larger than an honest file of this size can hold.
    static ZipReader in_memory(std::string_view bytes, std::string name);
    /// From the disk: the table alone is read. Throws Error as above.
    static ZipReader on_disk(const std::filesystem::path& file, std::string name);
    ~ZipReader();
    ZipReader(ZipReader&&) noexcept;
    ZipReader& operator=(ZipReader&&) = delete;

    const std::string& name() const { return name_; }
    std::vector<std::string> members() const;  // in the order of their names
    bool has(std::string_view member) const;
    std::size_t size(std::string_view member) const;    // unpacked; 0 where there is none
    std::size_t packed(std::string_view member) const;  // the bytes that it takes in the archive

    /// The member, stored or deflated. Throws Error where it is missing, damaged, encrypted, or larger than `most`
    /// bytes: nothing is allocated then.
    std::string read(std::string_view member, std::size_t most) const;

private:
    struct Table;
    explicit ZipReader(std::string name);
    void read_table(std::size_t archive_bytes,
                    const std::function<std::string(std::uint64_t offset, std::size_t bytes)>& read_bytes);

    std::unique_ptr<Table> table_;
    std::string name_;
};

/// Members of a zip archive in memory whose name `wanted` accepts. Throws Error as ZipReader does.
std::map<std::string, std::string> read_zip(std::string_view bytes, const std::string& name,
                                            const std::function<bool(std::string_view)>& wanted);

}  // namespace moe
