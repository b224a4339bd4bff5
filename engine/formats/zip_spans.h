#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace moe {

/// The most members that an archive's end says it has, in either form of the format: what is too many is refused before
/// libzip reads their names. 0 where there is no end. Any thread.
std::uint64_t zip_claimed_members(const std::function<std::string(std::uint64_t offset, std::size_t bytes)>& read,
                                  std::uint64_t archive_bytes);

/// Where in a zip archive each member lies by its table, from its local header to the end of its packed bytes; libzip
/// does not tell. `read` gives so many bytes from an offset, all of them or none. Nothing where no table of `members`
/// entries is found. Any thread.
using ZipSpan = std::pair<std::uint64_t, std::uint64_t>;  // begin, end
std::optional<std::vector<ZipSpan>> zip_spans(
    const std::function<std::string(std::uint64_t offset, std::size_t bytes)>& read, std::uint64_t archive_bytes,
    std::size_t members);

/// Whether two of them share a byte; sorts them.
bool zip_spans_overlap(std::vector<ZipSpan>& spans);

}  // namespace moe
