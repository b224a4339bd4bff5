#include "engine/core/epoch_curve.h"
#include "engine/core/error.h"

#include <doctest/doctest.h>

using namespace moe;

namespace {

EpochRecord record(std::uint64_t epoch) {
    return {double(epoch), 1 / double(epoch), 0};
}

EpochCurve curve(std::uint64_t epochs) {
    EpochCurve c;
    for (std::uint64_t e = 1; e <= epochs; ++e) c.push_back(record(e));
    return c;
}

void check_true(const EpochCurve& c, std::uint64_t epochs) {
    CAPTURE(epochs);
    REQUIRE(c.finished() == epochs);
    REQUIRE(c.back() == record(epochs));
    CHECK(c.epoch(c.size() - 1) == epochs);
    std::size_t i = 0;
    bool all = true;
    for (const EpochRecord& r : c) all &= r == record(c.epoch(i++));
    CHECK(all);
    CHECK(i == c.size());
    for (const std::uint64_t e : {std::uint64_t(1), epochs / 3 + 1, epochs})
        CHECK((c.epoch(c.index(e)) <= e || c.index(e) == 0));
    CHECK(c.epoch(c.index(epochs)) == epochs);
}

}  // namespace

TEST_CASE("every epoch is kept up to a number, then every second one, and the last always") {
    for (const std::uint64_t epochs : {1, 2, 255, 256, 257, 10000, 16383, 16384, 16385, 16386, 50001, 1000000}) {
        const EpochCurve c = curve(epochs);
        check_true(c, epochs);
        CHECK(c.size() <= EpochCurve::most);
        if (epochs < EpochCurve::most) CHECK(c.size() == epochs);
    }
    CHECK(curve(1000000).spacing() == 64);
}

TEST_CASE("copies go their own ways") {
    const EpochCurve whole = curve(1000);
    EpochCurve other = whole;
    other.truncate(700, record(700));
    check_true(other, 700);
    for (std::uint64_t e = 701; e <= 1000; ++e) other.push_back(record(e));
    CHECK(other == whole);
    other.truncate(3);
    other.push_back({9, 9, 9});
    check_true(whole, 1000);
    CHECK(other.back() == EpochRecord{9, 9, 9});
    CHECK_FALSE(other == whole);
}

TEST_CASE("a thinned curve that is cut back ends where it is told") {
    EpochCurve c = curve(40000);
    REQUIRE(c.spacing() == 4);
    c.truncate(9999, record(9999));
    check_true(c, 9999);
    for (std::uint64_t e = 10000; e <= 40000; ++e) c.push_back(record(e));
    check_true(c, 40000);
    c.truncate(0);
    CHECK(c.empty());
}

TEST_CASE("a curve comes back from its records, and from no others") {
    for (const std::uint64_t epochs : {0, 5, 16384, 16385, 40001}) {
        const EpochCurve c = curve(epochs);
        std::vector<EpochRecord> records;
        for (const EpochRecord& r : c) records.push_back(r);
        CHECK(EpochCurve::restored(records, c.spacing(), epochs) == c);
        CHECK_THROWS_AS(EpochCurve::restored(records, c.spacing(), epochs + 1 + c.spacing()), Error);
    }
    CHECK_THROWS_AS(EpochCurve::restored({}, 0, 0), Error);
    CHECK_THROWS_AS(EpochCurve::restored({{}}, 3, 3), Error);
}
