#include "engine/formats/zip_spans.h"

#include <algorithm>
#include <string_view>

namespace moe {

namespace {

constexpr std::size_t end_size = 22, entry_size = 46, local_size = 30, most_comment = 65535;
constexpr std::uint64_t in_64_bits = 0xFFFFFFFF, largest_table = std::uint64_t(1) << 24;

std::uint64_t number(std::string_view bytes, std::size_t at, std::size_t count) {
    std::uint64_t value = 0;
    for (std::size_t i = count; i > 0; --i) value = value << 8 | static_cast<unsigned char>(bytes[at + i - 1]);
    return value;
}

// The bytes of the table of members: of the last record of the archive's end whose comment reaches the end and that
// counts as many members. A record in the comment of another one is none.
std::optional<std::string> table_of(const std::function<std::string(std::uint64_t, std::size_t)>& read,
                                    std::uint64_t archive_bytes, std::size_t members) {
    const auto tail_size = std::size_t(std::min<std::uint64_t>(archive_bytes, end_size + most_comment));
    const std::string tail = read(archive_bytes - tail_size, tail_size);
    if (tail.size() < end_size) return {};
    for (std::size_t end = tail.size() - end_size;; --end) {
        if (tail.compare(end, 4, "PK\5\6") == 0 && end + end_size + number(tail, end + 20, 2) == tail.size() &&
            number(tail, end + 10, 2) == members) {
            const std::uint64_t size = number(tail, end + 12, 4), offset = number(tail, end + 16, 4);
            if (size <= largest_table && offset + size <= archive_bytes - tail_size + end) {
                std::string table = read(offset, std::size_t(size));
                if (table.size() == size) return table;
            }
        }
        if (end == 0) return {};
    }
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

std::optional<std::vector<ZipSpan>> zip_spans(const std::function<std::string(std::uint64_t, std::size_t)>& read,
                                              std::uint64_t archive_bytes, std::size_t members) {
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
