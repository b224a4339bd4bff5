#include "engine/backend/backend.h"
#include "engine/session/inference.h"
#include "engine/train/trainer.h"
#include "tests/lessons/lesson_files.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <sstream>

using namespace moe;
using namespace moe::test;

namespace {

std::size_t count_words(const std::string& text) {
    std::istringstream in(text);
    std::size_t n = 0;
    for (std::string word; in >> word;) ++n;
    return n;
}

std::string joined(const nlohmann::json& text) {
    if (text.is_string()) return text;
    std::string all;
    for (const std::string line : text) all += line + '\n';
    return all;
}

bool ends(const std::string& text, const std::string& with) {
    return text.size() >= with.size() && text.compare(text.size() - with.size(), with.size(), with) == 0;
}

}  // namespace

TEST_CASE("every lesson asks, lets guess, and fits the column") {
    CHECK(lesson_folders().size() >= 2);
    for (const auto& folder : lesson_folders()) {
        CAPTURE(folder.filename().string());
        const nlohmann::json lesson = read_json(folder / "lesson.json");
        const auto corpus = lesson_corpus(folder);
        const Tokenizer& words = corpus->tokenizer();
        CHECK(ends(lesson.at("question"), "?"));
        CHECK(lesson.at("steps").size() >= 5);
        CHECK(lesson.at("steps").size() <= 8);
        CHECK(std::filesystem::exists(folder / "text.md"));
        std::size_t guesses = 0, buttons = 0, looks = 0;
        for (const nlohmann::json& step : lesson.at("steps")) {
            const std::string title = step.at("title");
            CAPTURE(title);
            CHECK(ends(title, "?"));
            CHECK(count_words(joined(step.at("text"))) <= 36);  // what the column shows beside a guess
            looks += step.contains("look");
            buttons += step.contains("do") ? step.at("do").size() : 0;
            if (step.contains("phrase")) CHECK_FALSE(words.ids(std::string(step.at("phrase"))).empty());
            if (!step.contains("guess")) continue;
            ++guesses;
            const nlohmann::json& guess = step.at("guess");
            if (guess.at("kind") == "word")
                for (const std::string word : guess.at("options")) CHECK(words.id(word) > 0);
        }
        CHECK(guesses >= 5);
        CHECK(buttons >= 5);
        CHECK(looks >= 4);
        for (const std::string phrase : lesson.at("phrases")) CHECK_FALSE(words.ids(phrase).empty());
        // Its settings name a model that exists.
        const Experiment x = resolve(lesson_experiment(folder), *corpus, default_memory_limit());
        CHECK_NOTHROW(validate(x, default_memory_limit()));
    }
}

TEST_CASE("lesson 1: what its answers claim") {
    const auto folder = lessons_folder() / "01-meet-the-mixture";
    const auto corpus = lesson_corpus(folder);
    const Experiment x = resolve(lesson_experiment(folder), *corpus, default_memory_limit());
    CHECK(corpus->lines() == 4);
    CHECK(corpus->tokenizer().vocabulary() == 11);  // ten words, and padding
    CHECK(corpus->examples() == 12);
    CHECK(corpus->best_correct(x.model.max_seq_len, x.model.mask_zero) == 11);
    CHECK(x.model.max_seq_len == 4);  // "four places"

    const auto backend = make_backend({"cpu", 1});
    Trainer trainer(*backend, x, corpus);
    while (trainer.epoch() < x.train.epochs) trainer.step();
    CHECK(trainer.steps() == 200);
    const nlohmann::json lesson = read_json(folder / "lesson.json");
    CHECK(double(trainer.steps()) / double(lesson.at("speed")) == doctest::Approx(20));  // seconds

    // Of leaving padding out the page says: "the loss falls faster".
    Experiment masked = x;
    masked.model.mask_zero = true;
    Trainer without_padding(*backend, masked, corpus);
    while (without_padding.epoch() < x.train.epochs) without_padding.step();
    CHECK(without_padding.epochs().back().loss < 0.8 * trainer.epochs().back().loss);

    Predictor model(trainer.state(), corpus->tokenizer());
    const auto last_gate = [&](const char* text) {
        const ProbeForward f = model.run(text);
        return std::vector<float>(f.gate_weights.end() - 4, f.gate_weights.end());
    };
    const auto word = [&](const char* text) { return model.run(text).focused.top.at(0).word; };
    const auto same = [](const std::vector<float>& a, const std::vector<float>& b) {
        for (std::size_t i = 0; i < a.size(); ++i)
            if (std::abs(a[i] - b[i]) > 1e-5f) return false;
        return true;
    };
    // A bag of words; unknown words vanish; other phrases do differ.
    CHECK(same(last_gate("how are"), last_gate("are how")));
    CHECK(word("how are") == word("are how"));
    CHECK(same(last_gate("hello robot how"), last_gate("hello how")));
    CHECK_FALSE(same(last_gate("hello how"), last_gate("how are")));

    // "A quarter": three paddings and hello.
    const std::vector<float> pooled = model.run("hello").focused.pooled;
    const RunState state = trainer.state();
    const NamedArray& table = state.parameters.at(0);
    REQUIRE(table.name == "embedding");
    const std::size_t D = x.model.embedding_dim, hello = std::size_t(corpus->tokenizer().id("hello"));
    for (std::size_t d = 0; d < D; ++d)
        CHECK(
            pooled[d] ==
            doctest::Approx(0.75 * double(table.values[d]) + 0.25 * double(table.values[hello * D + d])).epsilon(1e-4));
}

TEST_CASE("lesson 3: what its answers claim") {
    const auto folder = lessons_folder() / "03-who-is-faster";
    const auto corpus = lesson_corpus(folder);
    const Experiment x = resolve(lesson_experiment(folder), *corpus, default_memory_limit());
    const std::vector<std::string> lines = read_lines(folder / "corpus.txt");
    CHECK(std::set<std::string>(lines.begin(), lines.end()).size() == lines.size());
    CHECK(corpus->lines() == 32);  // as its page says
    // "2,048 multiplications", four times as many at twice the width: an expert's weights without its biases.
    const auto multiplications = [&](std::size_t width) {
        ModelSpec one = x.model;
        one.embedding_dim = one.hidden_dim = width;
        ModelSpec two = one;
        one.num_experts = 1, two.num_experts = 2;
        return parameter_count(two) - parameter_count(one) - (width + 1) - 2 * width;  // gate, biases
    };
    CHECK(x.model.embedding_dim == 32);
    CHECK(x.model.hidden_dim == 32);
    CHECK(multiplications(32) == 2048);
    CHECK(multiplications(64) == 8192);
    CHECK(multiplications(1024) == 4096 * multiplications(16));
    // The batches that it compares are whole ones.
    CHECK(x.train.batch_size == 16);
    CHECK(corpus->examples() >= 128);
    // What its made-up times come to, and the batch of the last measurements is not the one that was tried before.
    const nlohmann::json steps = read_json(folder / "lesson.json").at("steps");
    const auto answer = [&](std::size_t step) -> std::string {
        const nlohmann::json& guess = steps.at(step).at("guess");
        return guess.at("options").at(std::size_t(guess.at("answer")) - 1);
    };
    CHECK(answer(2) == std::to_string(90 + 2 * 10) + " µs");
    CHECK(answer(4) == "11,000");
    CHECK(std::lround(1e6 / (30 * 3) / 1000) == 11);
    for (const nlohmann::json& button : steps.at(6).at("do"))
        if (button.contains("set")) CHECK(button.at("set").value("batch_size", 0) == 16);
    // At full speed it trains for longer than a speed takes to be measured.
    CHECK(double(read_json(folder / "lesson.json").at("speed")) == 0);
    CHECK(x.train.epochs * ((corpus->examples() + 15) / 16) >= 50000);
}

TEST_CASE("lesson 2: corpus, held-out sentences and subjects") {
    const auto folder = lessons_folder() / "02-divide-the-work";
    const nlohmann::json plan = read_json(folder / "measured.json");
    const auto corpus = lesson_corpus(folder);
    const std::vector<std::string> lines = read_lines(folder / "corpus.txt");
    const std::vector<std::string> held_out = read_lines(folder / std::string(plan.at("held_out")));
    CHECK(corpus->lines() >= 300);
    CHECK(corpus->lines() == lines.size());
    CHECK(corpus->tokenizer().vocabulary() - 1 >= 1000);
    CHECK(held_out.size() >= 80);
    CHECK(plan.at("subjects").size() == 4);

    std::set<std::vector<std::string>> seen;
    const auto check_line = [&](const std::string& line) {
        CAPTURE(line);
        const std::vector<std::string> words = corpus->tokenizer().words(line);
        CHECK(words.size() >= 5);
        CHECK(words.size() <= 12);
        CHECK(line.front() >= 'A');
        CHECK(line.front() <= 'Z');
        CHECK(line.back() == '.');
        CHECK(seen.insert(words).second);  // no line twice, none held out that was learned
    };
    for (const std::string& line : lines) check_line(line);
    for (const std::string& line : held_out) check_line(line);

    // Each line belongs to one subject, and the subjects to their lines in order.
    for (const auto& [where, count] : {std::pair{"corpus", lines.size()}, std::pair{"held_out", held_out.size()}}) {
        std::size_t next = 1;
        for (const nlohmann::json& subject : plan.at("subjects")) {
            CHECK(std::size_t(subject.at(where).at(0)) == next);
            next = std::size_t(subject.at(where).at(1)) + 1;
            CHECK(next - std::size_t(subject.at(where).at(0)) >= 20);
        }
        CHECK(next == count + 1);
    }

    // New combinations of words that are known: else nothing would be measured.
    std::size_t words = 0, known = 0;
    for (const std::string& line : held_out) {
        words += corpus->tokenizer().words(line).size();
        known += corpus->tokenizer().ids(line).size();
    }
    CHECK(double(known) > 0.98 * double(words));
    const std::string text = read_text(folder / "lesson.json");
    CHECK(text.find("1,191 sentences") != std::string::npos);
    CHECK(lines.size() == 1191);
    CHECK(known > 570);  // "over 570 beginnings"
    CHECK(known < 580);

    // "No sentence of the corpus tells of them."
    for (const std::string& line : lines) {
        const auto words_of = corpus->tokenizer().words(line);
        const auto has = [&](const char* word) {
            return std::find(words_of.begin(), words_of.end(), word) != words_of.end();
        };
        CHECK_FALSE((has("sailors") && (has("bake") || has("bread") || has("butter"))));
    }
}

TEST_CASE("lesson 2: its own seed gives each subject an expert, and phrases change hands") {
    const auto folder = lessons_folder() / "02-divide-the-work";
    const auto corpus = lesson_corpus(folder);
    const Experiment x = resolve(lesson_experiment(folder), *corpus, default_memory_limit());
    const auto backend = make_backend({"cpu", 1});
    Trainer trainer(*backend, x, corpus);
    while (trainer.epoch() < x.train.epochs) trainer.step();
    const nlohmann::json lesson = read_json(folder / "lesson.json");
    CHECK(double(trainer.steps()) / double(lesson.at("speed")) == doctest::Approx(20).epsilon(0.1));  // seconds

    Predictor model(trainer.state(), corpus->tokenizer());
    const auto expert_of = [&](const std::string& text) {
        const ProbeForward f = model.run(text);
        return std::max_element(f.gate_weights.end() - 4, f.gate_weights.end()) - (f.gate_weights.end() - 4);
    };
    std::set<std::ptrdiff_t> experts;
    for (const nlohmann::json& button : lesson.at("steps").at(1).at("do"))
        experts.insert(expert_of(button.at("probe")));
    CHECK(experts.size() == 4);
    CHECK(expert_of("sailors") != expert_of("sailors bake fresh bread with butter"));
    CHECK(expert_of("sailors") != expert_of("sailors watch planets orbit stars"));
}
