#pragma once
#include "engine/core/error.h"

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace moe {

/// Runs `act` on the input. Bad input is one sentence on one line; any other end of it is a finding.
template <class Act>
int fuzz(const std::uint8_t* bytes, std::size_t size, Act act) {
    try {
        act(std::string_view(reinterpret_cast<const char*>(bytes), size));
    } catch (const Error& error) {
        const std::string_view said = error.what();
        bool one_line = said.size() > 10 && said.size() < 2000 && said.ends_with('.');
        for (const char c : said) one_line = one_line && (static_cast<unsigned char>(c) >= 32);
        if (!one_line) __builtin_trap();
    }
    return 0;
}

/// What must hold of everything that was read.
inline void must(bool holds) {
    if (!holds) __builtin_trap();
}

}  // namespace moe
