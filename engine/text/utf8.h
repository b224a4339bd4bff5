#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace moe {

/// The character that starts at `position`, and its length in bytes; length 0 where the bytes are no UTF-8 (overlong
/// forms and surrogates are none, as in Python's strict decoder).
struct Utf8Char {
    char32_t value = 0;
    std::size_t length = 0;
};

inline Utf8Char decode_utf8(std::string_view text, std::size_t position) {
    const auto byte = [&](std::size_t i) { return std::uint32_t(static_cast<unsigned char>(text[position + i])); };
    const std::uint32_t first = byte(0);
    if (first < 0x80) return {char32_t(first), 1};
    const std::size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
    if (first < 0xC2 || first > 0xF4 || text.size() - position < length) return {};
    std::uint32_t value = first & (0xFFu >> (length + 1));
    for (std::size_t i = 1; i < length; ++i) {
        if ((byte(i) & 0xC0) != 0x80) return {};
        value = value << 6 | (byte(i) & 0x3F);
    }
    constexpr std::uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    if (value < smallest[length] || value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF)) return {};
    return {char32_t(value), length};
}

inline void append_utf8(std::string& out, char32_t value) {
    const auto put = [&](std::uint32_t byte) { out += static_cast<char>(byte); };
    const std::uint32_t v = value;
    if (v < 0x80) {
        put(v);
    } else if (v < 0x800) {
        put(0xC0 | v >> 6), put(0x80 | (v & 0x3F));
    } else if (v < 0x10000) {
        put(0xE0 | v >> 12), put(0x80 | (v >> 6 & 0x3F)), put(0x80 | (v & 0x3F));
    } else {
        put(0xF0 | v >> 18), put(0x80 | (v >> 12 & 0x3F)), put(0x80 | (v >> 6 & 0x3F)), put(0x80 | (v & 0x3F));
    }
}

/// No byte above 127.
inline bool is_ascii(std::string_view text) {
    unsigned char all = 0;
    for (const char c : text) all = static_cast<unsigned char>(all | static_cast<unsigned char>(c));
    return all < 0x80;
}

/// Offset of the first byte that is no UTF-8; npos where all is well.
inline std::size_t find_bad_utf8(std::string_view text) {
    for (std::size_t i = 0; i < text.size();) {
        while (text.size() - i >= 64 && is_ascii(text.substr(i, 64))) i += 64;
        if (i == text.size()) break;
        const std::size_t length = decode_utf8(text, i).length;
        if (length == 0) return i;
        i += length;
    }
    return std::string_view::npos;
}

}  // namespace moe
