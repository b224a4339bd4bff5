#pragma once
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace moe {

struct ZipMember {
    std::string name, bytes;
};

/// A zip archive in memory: members in this order, stored, with one fixed time, so that equal members give equal bytes.
std::string write_zip(const std::vector<ZipMember>& members);

/// Members of a zip archive in memory whose name `wanted` accepts, stored or deflated. Nothing touches the disk. Throws
/// Error naming `name` where the bytes are no whole archive, or a member is damaged, encrypted, twice there, outside
/// its folder (`..`, absolute), or larger than an honest file of this size can hold.
std::map<std::string, std::string> read_zip(std::string_view bytes, const std::string& name,
                                            const std::function<bool(std::string_view)>& wanted);

}  // namespace moe
