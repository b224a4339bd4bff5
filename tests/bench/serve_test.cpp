#include "engine/bench/serve.h"

#include <doctest/doctest.h>

#include <cmath>
#include <sstream>

using namespace moe;

namespace {

std::vector<std::string> answers(const std::string& requests, int threads = 1) {
    std::istringstream in(requests);
    std::ostringstream out;
    serve_bench(in, out, {"cpu", threads});
    std::istringstream lines(out.str());
    std::vector<std::string> all;
    for (std::string line; std::getline(lines, line);) all.push_back(line);
    REQUIRE(!all.empty());
    CHECK(all.front() == "ready");
    all.erase(all.begin());
    return all;
}

struct Answer {
    double wall = -1, processor = -1, loss = NAN;
    explicit Answer(const std::string& line) {
        CAPTURE(line);
        std::istringstream stream(line);
        CHECK(bool(stream >> wall >> processor >> loss));
        CHECK(stream.peek() == EOF);
        CHECK(wall > 0);
        CHECK(wall < 60);
        CHECK(processor > 0);
    }
};

}  // namespace

TEST_CASE("the served seed step learns on while its key stays, and begins anew with another") {
    const auto lines = answers("seed 11 8 dense 1\nseed 11 8 dense 3000\nseed 50 8 dense 1\nseed 11 8 dense 1\n");
    REQUIRE(lines.size() == 4);
    const Answer first(lines[0]), later(lines[1]), other(lines[2]), again(lines[3]);
    CHECK(first.loss == doctest::Approx(std::log(11)).epsilon(0.1));
    CHECK(later.loss < first.loss - 0.05);
    CHECK(other.loss == doctest::Approx(std::log(50)).epsilon(0.1));
    CHECK(again.loss == first.loss);
}

TEST_CASE("the served mixture gives one loss, however often and on however many threads") {
    const auto lines = answers("moe 16 4 64 top2 1\nmoe 16 4 64 top2 3\nmoe 16 8 64 top2 1\n");
    REQUIRE(lines.size() == 3);
    const double loss = Answer(lines[0]).loss;
    CHECK(std::isfinite(loss));
    CHECK(loss != 0);
    CHECK(Answer(lines[1]).loss == loss);
    CHECK(Answer(lines[2]).loss != loss);
    CHECK(Answer(answers("moe 16 4 64 top2 2\n", 2).at(0)).loss == loss);
}

TEST_CASE("a line that cannot be answered is named, and the next one answered") {
    const auto lines = answers(
        "train 11 8\nseed 11 8 sparse 5\nseed 11 8 dense\nseed 1 8 dense 5\nseed 11 8 dense 0\nseed 11 x dense 5\n"
        "moe 16 4 64 top1 1\nmoe 16 1 64 top2 1\nmoe 16384 2048 64 top2 1\nseed 16777216 1 dense 1\nseed 11 8 dense "
        "2\n");
    REQUIRE(lines.size() == 11);
    for (std::size_t i = 0; i < 10; ++i) CHECK_MESSAGE(lines[i].starts_with("error: "), lines[i]);
    const auto says = [&](std::size_t i, const char* words) {
        CHECK_MESSAGE(lines[i].find(words) != std::string::npos, lines[i]);
    };
    says(0, "'train 11 8'");
    says(0, "seed V B dense STEPS");
    says(0, "moe D E N top2 REPEATS");
    says(1, "'seed 11 8 sparse 5'");
    says(3, "V cannot be '1'");
    says(4, "STEPS cannot be '0'");
    says(5, "B cannot be 'x'");
    says(7, "E cannot be '1'");
    says(8, "limit on this machine");
    says(9, "V cannot be '16777216'");
    Answer{lines[10]};
}

TEST_CASE("an empty line ends the service") {
    CHECK(answers("").empty());
    CHECK(answers("\nseed 11 8 dense 1\n").empty());
    CHECK(answers("seed 11 8 dense 1\r\n \r\nseed 11 8 dense 1\n").size() == 1);
}
