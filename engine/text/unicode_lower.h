#pragma once
#include <string>
#include <string_view>

namespace moe {

/// Python's str.lower(): every character of Unicode, U+0130 becoming two, a capital sigma at the end of a word becoming
/// the final one. Bytes that are no UTF-8 stay as they are.
std::string to_lower(std::string_view text);

}  // namespace moe
