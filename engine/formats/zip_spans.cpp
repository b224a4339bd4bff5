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

// The bytes of the table of members.
std::optional<std::string> table_of(const std::function<std::string(std::uint64_t, std::size_t)>& read,
                                    std::uint64_t archive_bytes) {
    const auto tail_size = std::size_t(std::min<std::uint64_t>(archive_bytes, end_size + most_comment));
    const std::string tail = read(archive_bytes - tail_size, tail_size);
    if (tail.size() < end_size) return {};
    const std::size_t end = tail.rfind("PK\5\6", tail.size() - end_size);
    if (end == std::string::npos) return {};
    const std::uint64_t size = number(tail, end + 12, 4), offset = number(tail, end + 16, 4);
    if (size == in_64_bits || offset == in_64_bits || size > largest_table || offset + size > archive_bytes) return {};
    std::string table = read(offset, std::size_t(size));
    if (table.size() != size) return {};
    return table;
}

}  // namespace

std::optional<std::vector<ZipSpan>> zip_spans(const std::function<std::string(std::uint64_t, std::size_t)>& read,
                                              std::uint64_t archive_bytes) {
    const std::optional<std::string> table = table_of(read, archive_bytes);
    if (!table) return {};
    std::vector<ZipSpan> spans;
    for (std::size_t at = 0; at + entry_size <= table->size();) {
        if (table->compare(at, 4, "PK\1\2") != 0) return {};
        const std::uint64_t packed = number(*table, at + 20, 4), name = number(*table, at + 28, 2),
                            extra = number(*table, at + 30, 2), comment = number(*table, at + 32, 2),
                            begin = number(*table, at + 42, 4);
        if (packed == in_64_bits || begin == in_64_bits) return {};
        // The local header may have another extra field: without one the span is no longer than it is.
        spans.emplace_back(begin, begin + local_size + name + packed);
        at += entry_size + std::size_t(name + extra + comment);
    }
    return spans;
}

bool zip_spans_overlap(std::vector<ZipSpan>& spans) {
    std::ranges::sort(spans);
    const auto overlap = [](const ZipSpan& a, const ZipSpan& b) { return a.second > b.first; };
    return std::ranges::adjacent_find(spans, overlap) != spans.end();
}

}  // namespace moe
