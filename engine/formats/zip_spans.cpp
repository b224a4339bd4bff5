#include "engine/formats/zip_spans.h"

#include <algorithm>
#include <string_view>

namespace moe {

namespace {

constexpr std::size_t end_size = 22, wide_end_size = 56, locator_size = 20, entry_size = 46, local_size = 30,
                      most_comment = 65535;
constexpr std::uint64_t in_64_bits = 0xFFFFFFFF, largest_table = std::uint64_t(1) << 24;

std::uint64_t number(std::string_view bytes, std::size_t at, std::size_t count) {
    std::uint64_t value = 0;
    for (std::size_t i = count; i > 0; --i) value = value << 8 | static_cast<unsigned char>(bytes[at + i - 1]);
    return value;
}

using Read = std::function<std::string(std::uint64_t, std::size_t)>;

/// What a record of an archive's end says.
struct End {
    std::uint64_t at, members, table_size, table_begin;
};

/// Calls `each(end)` for every record of the archive's end whose comment reaches the end, the last first, until it is
/// true. A record in the comment of another one is none, but which of them that is, is for `each` to find. Where the
/// 64-bit form's locator stands before a record, its own record counts, as for libzip.
template <class Each>
void for_ends(const Read& read, std::uint64_t archive_bytes, const Each& each) {
    const auto tail_size = std::size_t(std::min<std::uint64_t>(archive_bytes, locator_size + end_size + most_comment));
    const std::uint64_t tail_begin = archive_bytes - tail_size;
    const std::string tail = read(tail_begin, tail_size);
    if (tail.size() < end_size) return;
    for (std::size_t at = tail.size() - end_size;; --at) {
        if (tail.compare(at, 4, "PK\5\6") == 0 && at + end_size + number(tail, at + 20, 2) == tail.size()) {
            End end{tail_begin + at, number(tail, at + 10, 2), number(tail, at + 12, 4), number(tail, at + 16, 4)};
            bool whole = true;
            if (at >= locator_size && tail.compare(at - locator_size, 4, "PK\6\7") == 0) {
                const std::uint64_t begin = number(tail, at - locator_size + 8, 8);
                const std::string wide =
                    begin <= end.at && end.at - begin >= wide_end_size ? read(begin, wide_end_size) : std::string();
                const auto agrees = [&](std::uint64_t& narrow, std::uint64_t none, std::size_t place) {
                    const std::uint64_t value = number(wide, place, 8);
                    const bool same = narrow == none || narrow == value;
                    narrow = value;
                    return same;
                };
                whole = wide.size() == wide_end_size && wide.compare(0, 4, "PK\6\6") == 0 &&
                        agrees(end.members, 0xFFFF, 32) && agrees(end.table_size, in_64_bits, 40) &&
                        agrees(end.table_begin, in_64_bits, 48);
                end.at = begin;
            }
            if (whole && each(end)) return;
        }
        if (at == 0) return;
    }
}

// The bytes of the table of members, of the last end that counts as many.
std::optional<std::string> table_of(const Read& read, std::uint64_t archive_bytes, std::size_t members) {
    std::optional<std::string> table;
    for_ends(read, archive_bytes, [&](const End& end) {
        if (end.members != members || end.table_size > largest_table || end.table_begin > end.at ||
            end.table_size > end.at - end.table_begin)
            return false;
        table = read(end.table_begin, std::size_t(end.table_size));
        if (table->size() != end.table_size) table.reset();
        return table.has_value();
    });
    return table;
}

// The 64-bit form's field of an entry: of its sizes and its place those that do not fit into 32 bits, in this order.
bool widen(std::string_view extra, std::uint64_t unpacked, std::uint64_t& packed, std::uint64_t& begin) {
    if (packed != in_64_bits && begin != in_64_bits) return true;
    for (std::size_t at = 0; at + 4 <= extra.size();) {
        const std::size_t id = number(extra, at, 2), size = number(extra, at + 2, 2), end = at + 4 + size;
        if (end > extra.size()) return false;
        at += 4;
        if (id == 1) {
            if (unpacked == in_64_bits) at += 8;
            for (std::uint64_t* value : {&packed, &begin}) {
                if (*value != in_64_bits) continue;
                if (at + 8 > end) return false;
                *value = number(extra, at, 8);
                at += 8;
            }
            return true;
        }
        at = end;
    }
    return false;
}

}  // namespace

std::uint64_t zip_claimed_members(const Read& read, std::uint64_t archive_bytes) {
    std::uint64_t most = 0;
    for_ends(read, archive_bytes, [&](const End& end) {
        most = std::max(most, end.members);
        return false;
    });
    return most;
}

std::optional<std::vector<ZipSpan>> zip_spans(const Read& read, std::uint64_t archive_bytes, std::size_t members) {
    const std::optional<std::string> table = table_of(read, archive_bytes, members);
    if (!table) return {};
    std::vector<ZipSpan> spans;
    for (std::size_t at = 0; at + entry_size <= table->size();) {
        if (table->compare(at, 4, "PK\1\2") != 0) return {};
        std::uint64_t packed = number(*table, at + 20, 4), begin = number(*table, at + 42, 4);
        const std::uint64_t name = number(*table, at + 28, 2), extra = number(*table, at + 30, 2),
                            comment = number(*table, at + 32, 2);
        const std::uint64_t fields = at + entry_size + name;
        if (fields + extra > table->size() ||
            !widen(std::string_view(*table).substr(std::size_t(fields), std::size_t(extra)), number(*table, at + 24, 4),
                   packed, begin) ||
            begin > archive_bytes || packed > archive_bytes)
            return {};
        // The local header may have another extra field: without one the span is no longer than it is.
        spans.emplace_back(begin, begin + local_size + name + packed);
        at = std::size_t(fields + extra + comment);
    }
    if (spans.size() != members) return {};
    return spans;
}

bool zip_spans_overlap(std::vector<ZipSpan>& spans) {
    std::ranges::sort(spans);
    const auto overlap = [](const ZipSpan& a, const ZipSpan& b) { return a.second > b.first; };
    return std::ranges::adjacent_find(spans, overlap) != spans.end();
}

}  // namespace moe
