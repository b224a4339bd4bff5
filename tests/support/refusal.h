#pragma once
#include "engine/core/error.h"

#include <doctest/doctest.h>

#include <functional>
#include <string>

namespace moe {

/// What was said to bad input: one sentence (or two), one line, not empty; "read" where nothing was refused.
inline std::string refusal(const std::function<void()>& act) {
    try {
        act();
    } catch (const Error& error) {
        const std::string said = error.what();
        CHECK(said.find('\n') == std::string::npos);
        CHECK(said.size() > 20);
        CHECK(said.size() < 500);
        CHECK(said.back() == '.');
        return said;
    }
    return "read";
}

inline void must_say(const std::string& text, const std::string& part) {
    CAPTURE(text);
    CAPTURE(part);
    CHECK(text.find(part) != std::string::npos);
}

}  // namespace moe
