#include "engine/text/unicode_lower.h"

#include "engine/text/unicode_table.h"
#include "engine/text/utf8.h"

#include <algorithm>
#include <iterator>

namespace moe {

namespace {

using unicode::ClassRun;
using unicode::LowerRun;

enum class CaseClass { neither, cased, ignorable };

template <class Run, std::size_t size>
const Run* find_run(const Run (&runs)[size], char32_t c) {
    const Run* run = std::upper_bound(std::begin(runs), std::end(runs), std::uint32_t(c),
                                      [](std::uint32_t value, const Run& r) { return value < r.first; });
    return run != std::begin(runs) && c <= (--run)->last ? run : nullptr;
}

char32_t lower_char(char32_t c) {
    const LowerRun* run = find_run(unicode::lower_runs, c);
    if (!run || (c - run->first) % std::uint32_t(run->step) != 0) return c;
    return char32_t(std::int64_t(c) + run->delta);
}

CaseClass case_class(char32_t c) {
    const ClassRun* run = find_run(unicode::class_runs, c);
    return run ? static_cast<CaseClass>(run->kind) : CaseClass::neither;
}

// The nearest character before or after `position` that is not case-ignorable is a cased one.
bool cased_before(std::string_view text, std::size_t position) {
    while (position > 0) {
        std::size_t start = position - 1;
        while (start > 0 && position - start < 4 && (static_cast<unsigned char>(text[start]) & 0xC0) == 0x80) --start;
        const CaseClass found = case_class(decode_utf8(text, start).value);
        if (found != CaseClass::ignorable) return found == CaseClass::cased;
        position = start;
    }
    return false;
}

bool cased_after(std::string_view text, std::size_t position) {
    while (position < text.size()) {
        const Utf8Char c = decode_utf8(text, position);
        const CaseClass found = c.length ? case_class(c.value) : CaseClass::neither;
        if (found != CaseClass::ignorable) return found == CaseClass::cased;
        position += c.length;
    }
    return false;
}

}  // namespace

std::string to_lower(std::string_view text) {
    std::string lowered;
    lowered.reserve(text.size() + 8);
    for (std::size_t i = 0; i < text.size();) {
        const char byte = text[i];
        if (static_cast<unsigned char>(byte) < 0x80) {
            lowered += byte >= 'A' && byte <= 'Z' ? static_cast<char>(byte + 32) : byte;
            ++i;
            continue;
        }
        const Utf8Char c = decode_utf8(text, i);
        if (c.length == 0) {
            lowered += byte;
            ++i;
            continue;
        }
        if (c.value == 0x3A3) {
            const bool at_end = cased_before(text, i) && !cased_after(text, i + c.length);
            append_utf8(lowered, at_end ? char32_t(0x3C2) : char32_t(0x3C3));
        } else if (c.value == 0x130) {
            lowered += "i\xCC\x87";
        } else {
            const char32_t low = lower_char(c.value);
            if (low == c.value)
                lowered += text.substr(i, c.length);
            else
                append_utf8(lowered, low);
        }
        i += c.length;
    }
    return lowered;
}

}  // namespace moe
