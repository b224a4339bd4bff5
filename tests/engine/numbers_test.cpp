#include "engine/core/numbers.h"
#include "engine/core/checked.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

using namespace moe;

TEST_CASE("numbers survive the way through text") {
    for (const double value : {0.1, -1e-300, 12345.678, 1e22, 0.0}) {
        double back = 1;
        CHECK(parse_number(to_text(value), back));
        CHECK(back == value);
    }
    CHECK(to_fixed(0.3839, 2) == "0.38");
    CHECK(with_commas(0) == "0");
    CHECK(with_commas(1234567) == "1,234,567");
    double untouched = 7;
    for (const char* text : {"", "1,5", "1.5 ", "x", "1e"}) CHECK_FALSE(parse_number(text, untouched));
    CHECK(untouched == 7);
}

TEST_CASE("sizes never wrap around") {
    CHECK(checked_product("a", {3, 4, 5}) == 60);
    CHECK_THROWS_AS(checked_product("The bank", {std::size_t(1) << 40, std::size_t(1) << 40}), Error);
    CHECK_THROWS_AS(checked_sum("The bank", {std::numeric_limits<std::size_t>::max(), 1}), Error);
    CHECK(format_bytes(1536) == "1.5 KiB");
    CHECK(format_bytes(12) == "12 bytes");
}
