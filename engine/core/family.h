#pragma once
#include "engine/core/error.h"
#include "engine/core/spec.h"

#include <array>
#include <string>
#include <string_view>

namespace moe {

/// A kind of model by its `--set family=` name: where a phrase becomes one vector. All have the same parameters.
struct FamilyInfo {
    std::string_view id;           // "token"
    std::string_view title;        // for people
    std::string_view description;  // one line
    bool routes_tokens;            // every token of a phrase meets gate and experts; else their mean does, once
};

inline constexpr std::array<FamilyInfo, 2> families = {{
    {"pooled", "pooled", "the mean of a phrase's words goes through the mixture (the tutorial's model)", false},
    {"token", "token", "each word goes through the mixture, then the mean is taken", true},
}};

/// Null where `id` is none of them.
inline const FamilyInfo* find_family(std::string_view id) {
    for (const FamilyInfo& info : families)
        if (info.id == id) return &info;
    return nullptr;
}

/// Throws Error where `id` is none of them.
inline const FamilyInfo& family_named(std::string_view id) {
    if (const FamilyInfo* info = find_family(id)) return *info;
    throw Error("There is no family of models '" + std::string(id) + "'.");
}

/// Throws Error where the spec's family is none of them.
inline bool routes_tokens(const ModelSpec& spec) {
    return family_named(spec.family).routes_tokens;
}

}  // namespace moe
