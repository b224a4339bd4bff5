#include "engine/core/numbers.h"

#include "engine/core/checked.h"

#include <charconv>
#include <cmath>

namespace moe {

namespace {

template <class T>
std::string shortest(T value) {
    char text[64];
    return {text, std::to_chars(text, text + sizeof text, value).ptr};
}

template <class T>
bool parse(std::string_view text, T& value) {
    T parsed{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), parsed);
    if (error != std::errc{} || end != text.data() + text.size() || text.empty()) return false;
    value = parsed;
    return true;
}

}  // namespace

std::string to_text(double value) {
    return shortest(value);
}
std::string to_text(float value) {
    return shortest(value);
}

std::string to_fixed(double value, int digits) {
    char text[400];
    return {text, std::to_chars(text, text + sizeof text, value, std::chars_format::fixed, digits).ptr};
}

bool parse_number(std::string_view text, double& value) {
    return parse(text, value);
}
bool parse_number(std::string_view text, unsigned long long& value) {
    return parse(text, value);
}

std::string with_commas(unsigned long long value) {
    std::string text = shortest(value);
    for (std::size_t i = text.size(); i > 3; i -= 3) text.insert(i - 3, ",");
    return text;
}

std::string format_bytes(std::size_t bytes) {
    constexpr const char* units[] = {"bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double value = double(bytes);
    int unit = 0;
    while (value >= 1024 && unit < 6) value /= 1024, ++unit;
    return (unit ? to_fixed(value, 1) : with_commas(bytes)) + " " + units[unit];
}

}  // namespace moe
