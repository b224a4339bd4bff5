#pragma once
#include <string>
#include <string_view>

namespace moe {

/// Shortest text that reads back to the same bits, whatever the locale.
std::string to_text(double value);
std::string to_text(float value);

/// Fixed digits after the point, for people ("0.384").
std::string to_fixed(double value, int digits);

/// The whole of `text` as a number; false where it is none, or has anything after it. Whatever the locale.
bool parse_number(std::string_view text, double& value);
bool parse_number(std::string_view text, unsigned long long& value);

/// 12345 -> "12,345", for people.
std::string with_commas(unsigned long long value);

}  // namespace moe
