#include "engine/train/specialisation.h"

#include "engine/core/error.h"
#include "engine/core/median.h"
#include "tests/lessons/lesson_files.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <set>

using namespace moe;
using namespace moe::test;

namespace {

const std::filesystem::path& folder() {
    static const std::filesystem::path path = lessons_folder() / "02-divide-the-work";
    return path;
}

/// The subject of every line, by the ranges of measured.json ("corpus" or "held_out").
std::vector<std::uint32_t> subjects_of_lines(const nlohmann::json& subjects, const char* where, std::size_t lines) {
    std::vector<std::uint32_t> of(lines, ~0u);
    for (std::uint32_t s = 0; s < subjects.size(); ++s) {
        const std::size_t first = subjects[s].at(where).at(0), last = subjects[s].at(where).at(1);
        REQUIRE(first >= 1);
        REQUIRE(last <= lines);
        for (std::size_t i = first - 1; i < last; ++i) {
            CHECK(of[i] == ~0u);  // no line in two subjects
            of[i] = s;
        }
    }
    CHECK(std::count(of.begin(), of.end(), ~0u) == 0);
    return of;
}

struct Figures {
    std::vector<double> purity, information, shuffled_purity, shuffled_information, least_share;
    std::size_t all_different = 0;  // runs in which each expert has a subject of its own
};

/// Trains the lesson with `set` on top of its settings, from each seed, and measures on the held-out lines.
Figures measure(const nlohmann::json& set, std::size_t seeds) {
    const nlohmann::json plan = read_json(folder() / "measured.json");
    const std::vector<std::string> held_out = read_lines(folder() / std::string(plan.at("held_out")));
    const auto subjects = subjects_of_lines(plan.at("subjects"), "held_out", held_out.size());
    const auto corpus = lesson_corpus(folder());
    Experiment x = lesson_experiment(folder());
    apply_settings(x, set);
    x = resolve(x, *corpus, default_memory_limit());

    Figures f;
    for (x.train.seed = 1; x.train.seed <= seeds; ++x.train.seed) {
        const auto backend = make_backend({"cpu", 1});
        Trainer trainer(*backend, x, corpus);
        while (trainer.epoch() < x.train.epochs) trainer.step();
        const RoutedPrefixes routed = route_prefixes(*backend, trainer, held_out);
        const Specialisation s = specialisation(routed.weights, x.model.num_experts, routed.lines, subjects);
        f.purity.push_back(s.purity);
        f.information.push_back(s.mutual_information);
        f.shuffled_purity.push_back(s.shuffled_purity);
        f.shuffled_information.push_back(s.shuffled_information);
        f.least_share.push_back(*std::min_element(s.share.begin(), s.share.end()));
        f.all_different += std::set<std::uint32_t>(s.majority.begin(), s.majority.end()).size() == s.majority.size();
    }
    return f;
}

double lowest(const std::vector<double>& values) {
    return *std::min_element(values.begin(), values.end());
}

}  // namespace

TEST_CASE("purity and mutual information of divisions that are known") {
    const std::vector<std::uint32_t> lines{0, 0, 1, 1, 2, 2, 3, 3}, subjects{0, 1, 2, 3};
    const auto one_hot = [](std::vector<std::size_t> experts) {
        std::vector<float> weights(experts.size() * 4, 0.1f);
        for (std::size_t i = 0; i < experts.size(); ++i) weights[i * 4 + experts[i]] = 0.7f;
        return weights;
    };
    const Specialisation perfect = specialisation(one_hot({2, 2, 0, 0, 3, 3, 1, 1}), 4, lines, subjects);
    CHECK(perfect.purity == 1);
    CHECK(perfect.mutual_information == doctest::Approx(2));  // log2 of four equal subjects
    CHECK(perfect.majority == std::vector<std::uint32_t>{1, 3, 0, 2});
    CHECK(perfect.share == std::vector<double>(4, 0.25));

    // One expert for all: every label would do as well. Equal weights go to the lower index.
    for (const auto& weights : {one_hot({1, 1, 1, 1, 1, 1, 1, 1}), std::vector<float>(32, 0.25f)}) {
        const Specialisation none = specialisation(weights, 4, lines, subjects);
        CHECK(none.purity == 0.25);
        CHECK(none.mutual_information == doctest::Approx(0));
        CHECK(none.shuffled_purity == 0.25);
    }

    // Two subjects an expert, by hand: purity 1/2, and 1 bit of 2.
    const Specialisation half = specialisation(one_hot({0, 0, 0, 0, 3, 3, 3, 3}), 4, lines, subjects);
    CHECK(half.purity == 0.5);
    CHECK(half.mutual_information == doctest::Approx(1));
    CHECK(half.assignments == std::vector<std::size_t>{2, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 2});

    CHECK_THROWS_AS(specialisation(std::vector<float>(31), 4, lines, subjects), Error);
    CHECK_THROWS_AS(specialisation({}, 4, {}, subjects), Error);
}

TEST_CASE("shuffled labels show what chance gives, and keep lines together") {
    // 40 lines of 5 prefixes, the expert a function of the line alone and unrelated to the subject.
    std::vector<std::uint32_t> lines, subjects;
    std::vector<float> weights;
    for (std::uint32_t line = 0; line < 40; ++line) {
        subjects.push_back(line / 10);
        for (int i = 0; i < 5; ++i) {
            lines.push_back(line);
            for (std::uint32_t e = 0; e < 4; ++e) weights.push_back(e == line % 4 ? 0.9f : 0.03f);
        }
    }
    const Specialisation s = specialisation(weights, 4, lines, subjects);
    CHECK(s.purity < s.shuffled_purity);
    CHECK(s.mutual_information < s.shuffled_information);
    // Labels shuffled prefix by prefix would hardly pass 0.35 here; whole lines do.
    CHECK(s.shuffled_purity > 0.4);
    CHECK(s.shuffled_purity < 0.6);
}

TEST_CASE("median") {
    CHECK(median({3, 1, 2}) == 2);
    CHECK(median({4, 1, 2, 3}) == 2.5);
    CHECK_THROWS_AS(median({}), Error);
}

TEST_CASE("the second lesson divides its work as it says") {
    const nlohmann::json plan = read_json(folder() / "measured.json");
    const std::size_t seeds = plan.at("seeds");
    const bool print = std::getenv("MOE_MEASURE") != nullptr;  // what belongs into measured.json
    const bool all = print || std::getenv("MOE_ALL_SEEDS") != nullptr;

    for (const nlohmann::json& run : plan.at("runs")) {
        const std::string name = run.at("name");
        CAPTURE(name);
        const bool lesson_itself = run.at("set").empty();
        // A run of 40 epochs is left to the long form.
        if (!all && run.at("set").contains("epochs")) continue;
        const Figures f = measure(run.at("set"), all ? seeds : lesson_itself ? 5 : 2);
        if (print) {
            const auto rounded = [](double v) { return std::round(v * 1000) / 1000; };
            nlohmann::ordered_json out{{"name", name}, {"set", run.at("set")}};
            for (const double p : f.purity) out["purity_by_seed"].push_back(rounded(p));
            out["purity"] = rounded(median(f.purity));
            out["lowest_purity"] = rounded(lowest(f.purity));
            out["information"] = rounded(median(f.information));
            out["shuffled_purity"] = rounded(median(f.shuffled_purity));
            out["shuffled_information"] = rounded(median(f.shuffled_information));
            out["least_share"] = rounded(lowest(f.least_share));
            out["runs_with_a_subject_each"] = f.all_different;
            std::printf("%s\n", out.dump().c_str());
            std::fflush(stdout);
            continue;
        }

        // The file's own figures belong together.
        const std::vector<double> stated = run.at("purity_by_seed");
        REQUIRE(stated.size() == seeds);
        CHECK(double(run.at("purity")) == doctest::Approx(median(stated)).epsilon(0.002));
        CHECK(double(run.at("lowest_purity")) == lowest(stated));

        // Other kernels round otherwise, and training amplifies that: between instruction sets single runs were seen to
        // differ by 0.01, medians by 0.004.
        const std::vector<double> same_seeds(stated.begin(), stated.begin() + std::ptrdiff_t(f.purity.size()));
        CHECK(std::abs(median(f.purity) - median(same_seeds)) < 0.03);
        if (all) {
            CHECK(std::abs(median(f.information) - double(run.at("information"))) < 0.06);
            CHECK(std::abs(double(f.all_different) - double(run.at("runs_with_a_subject_each"))) <= 2);
        }
        CHECK(std::abs(median(f.shuffled_purity) - double(run.at("shuffled_purity"))) < 0.03);
        CHECK(std::abs(median(f.shuffled_information) - double(run.at("shuffled_information"))) < 0.04);

        if (lesson_itself) {
            CHECK(median(f.purity) > 0.8);
            CHECK(median(f.information) > 1.2);
            for (std::size_t i = 0; i < f.purity.size(); ++i) {
                CHECK(f.purity[i] > f.shuffled_purity[i]);
                CHECK(f.information[i] > f.shuffled_information[i]);
                CHECK(f.least_share[i] > 0.05);  // no expert idle
            }
        } else {
            CHECK(median(f.purity) < 0.8);  // what the lesson changes matters
        }
    }
}

TEST_CASE("the second lesson's text says the figures of its file") {
    const nlohmann::json plan = read_json(folder() / "measured.json");
    std::string text = read_text(folder() / "lesson.json");
    const std::string page = read_text(folder() / "text.md");
    for (std::size_t at; (at = text.find("\u00A0")) != std::string::npos;) text.replace(at, 2, " ");  // 88 % unbroken
    const auto said = [&](const std::string& words) {
        CAPTURE(words);
        CHECK(text.find(words) != std::string::npos);
        CHECK(page.find(words) != std::string::npos);
    };
    const auto percent = [](const nlohmann::json& share) {
        return std::to_string(std::lround(100 * double(share))) + " %";
    };
    const nlohmann::json &runs = plan.at("runs"), &lesson = runs.at(0);
    said(percent(lesson.at("purity")) + " in the middle run, " + percent(lesson.at("lowest_purity")) + " in the worst");
    said("below " + percent(lesson.at("shuffled_purity")));
    const std::size_t seeds = plan.at("seeds");
    for (const nlohmann::json& run : runs) {
        if (run.at("set").contains("hidden_dim")) said(percent(run.at("purity")) + " in the middle of 20 runs");
        if (run.at("set").contains("epochs"))
            said(percent(run.at("purity")) + " instead of " + percent(lesson.at("purity")));
        if (run.at("set").contains("balance_loss")) {
            const auto shared = [&](const nlohmann::json& of) {
                return std::to_string(seeds - std::size_t(of.at("runs_with_a_subject_each")));
            };
            said("in " + shared(run) + " of 20 runs; with it, in " + shared(lesson));
        }
    }
}
