#pragma once
#include "engine/core/error.h"

#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace moe {

using Json = nlohmann::ordered_json;

/// JSON from strangers: at most 64 levels deep, no key twice in one object, numbers whatever the locale. Throws Error
/// naming `name` and the byte offset.
Json parse_json(std::string_view text, const std::string& name);

/// {"a": 1, "b": 2} in its order, however many: a list of words takes a fifth of what it does as a document. Throws
/// Error as parse_json() does, and where a value is no whole number.
std::vector<std::pair<std::string, std::uint64_t>> parse_number_list(std::string_view text, const std::string& name);

/// The field, or Error naming `name` and the key where it is missing.
const Json& json_field(const Json& object, std::string_view key, const std::string& name);

/// As `most` of json_whole(): any that fits.
inline constexpr std::uint64_t json_any_whole = std::numeric_limits<std::uint64_t>::max();

/// A whole number from 0 to `most`; Error naming `name` and `what` otherwise.
std::uint64_t json_whole(const Json& value, std::uint64_t most, std::string_view what, const std::string& name);

/// A number, or the text "inf", "-inf", "nan" (JSON has none of these). Error naming `name` and `what` otherwise.
double json_real(const Json& value, std::string_view what, const std::string& name);

/// Quoted as Python's json.dumps does: ASCII only. `text` that is no UTF-8 gets U+FFFD.
std::string json_quote(std::string_view text);

/// A double that reads back to the same bits; "inf" and "nan" are quoted.
std::string json_number(double value);

}  // namespace moe
