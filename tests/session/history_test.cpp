#include "engine/session/history_builder.h"
#include "tests/support/thorough.h"

#include <doctest/doctest.h>

#include <cmath>

using namespace moe;

namespace {

// Figures that differ from step to step, in batches of different sizes.
StepResult step_result(std::uint64_t step) {
    StepResult r;
    r.examples = 1 + step % 7;
    r.correct = step % r.examples;
    r.loss = 2 + std::sin(double(step));
    r.balance = 0.1 * double(step % 3);
    return r;
}

std::vector<float> step_load(std::uint64_t step) {
    const float n = float(step_result(step).examples), a = n * float(step % 5) / 5;
    return {a, n - a};
}

}  // namespace

TEST_CASE("every point is the mean over the examples of its own steps, however often it was joined") {
    HistoryBuilder builder;
    builder.start(2);
    constexpr std::uint64_t steps = 5003;
    for (std::uint64_t s = 1; s <= steps; ++s) builder.add(s, step_result(s), step_load(s));
    const History h = builder.publish();
    CHECK(h.points.size() <= 1024);
    CHECK(h.points.size() > 512);
    std::uint64_t first = 1;
    for (std::size_t i = 0; i < h.points.size(); ++i) {
        const HistoryPoint& p = h.points[i];
        double loss = 0, examples = 0, steps_in = 0, load = 0;
        for (std::uint64_t s = first; s <= p.step; ++s) {
            const StepResult r = step_result(s);
            loss += r.loss * double(r.examples), examples += double(r.examples), steps_in += 1;
            load += double(step_load(s)[0]);
        }
        CHECK(double(p.steps) == steps_in);
        CHECK(double(p.loss) == doctest::Approx(loss / examples).epsilon(1e-5));
        CHECK(double(h.load[2 * i]) == doctest::Approx(load / examples).epsilon(1e-4));
        first = p.step + 1;
    }
    CHECK(h.points.back().step == steps);
}

TEST_CASE("a resumed history goes on where it was, and a rewound one forgets") {
    HistoryBuilder builder;
    builder.start(2);
    for (std::uint64_t s = 1; s <= 300; ++s) builder.add(s, step_result(s), step_load(s));
    HistoryBuilder resumed;
    resumed.resume(builder.publish());
    for (std::uint64_t s = 301; s <= 400; ++s) resumed.add(s, step_result(s), step_load(s));
    CHECK(resumed.publish().points.size() == 400);
    CHECK(resumed.publish().points.back().step == 400);
    resumed.rewind(128, {});
    CHECK(resumed.publish().points.back().step == 128);
    CHECK(resumed.publish().load.size() == 256);
}

TEST_CASE("a marked step can be gone back to without losing a step, wherever points were closed or joined since" *
          doctest::skip(!moe::test::without_tsan)) {
    for (const std::size_t experts : {std::size_t(2), std::size_t(2048)})
        for (std::uint64_t there = 1; there < 600; there += 7)
            for (const std::uint64_t further : {0, 1, 5, 63}) {
                HistoryBuilder builder, straight;
                builder.start(experts), straight.start(experts);
                const auto add = [&](HistoryBuilder& to, std::uint64_t s) {
                    std::vector<float> load = step_load(s);
                    load.resize(experts);
                    to.add(s, step_result(s), load);
                };
                for (std::uint64_t s = 1; s <= there; ++s) add(builder, s), add(straight, s);
                builder.mark(there);
                for (std::uint64_t s = there + 1; s <= there + further; ++s) add(builder, s);
                builder.rewind(there, {});
                for (std::uint64_t s = there + 1; s <= there + 90; ++s) add(builder, s), add(straight, s);
                const History a = builder.publish(), b = straight.publish();
                std::uint64_t steps = 0, examples = 0, expected = 0;
                double loss = 0, expected_loss = 0;
                for (const HistoryPoint& p : a.points)
                    steps += p.steps, examples += p.examples, loss += double(p.loss) * double(p.examples);
                for (const HistoryPoint& p : b.points)
                    expected += p.examples, expected_loss += double(p.loss) * double(p.examples);
                CAPTURE(there);
                CAPTURE(further);
                CHECK(steps == there + 90);
                CHECK(examples == expected);
                CHECK(loss == doctest::Approx(expected_loss).epsilon(1e-5));
                CHECK(a.load.size() == a.points.size() * experts);
            }
}

TEST_CASE("going back to the newest step keeps the point in the making") {
    HistoryBuilder builder;
    builder.start(2);
    for (std::uint64_t s = 1; s <= 5003; ++s) builder.add(s, step_result(s), step_load(s));
    builder.rewind(5003, {});
    CHECK(builder.publish().points.back().step == 5003);
    CHECK(builder.publish().points.back().steps == 3);
}

TEST_CASE("a history that is opened anew up to a step says from where its steps are needed") {
    HistoryBuilder builder;
    builder.start(2);
    for (std::uint64_t s = 1; s <= 5003; ++s) builder.add(s, step_result(s), step_load(s));
    const History whole = builder.publish();
    REQUIRE(whole.steps_per_point == 8);
    for (const std::uint64_t step : {0u, 7u, 8u, 4999u, 5000u, 5002u, 5003u}) {
        CAPTURE(step);
        HistoryBuilder again;
        again.reopen(whole, 0, step);
        CHECK(again.covers().value_or(0) == step / 8 * 8);
    }
    HistoryBuilder late;
    late.reopen(whole, 5002, 5003);  // steps before 5002 cannot be had again
    CHECK(late.covers() == 5003);
}

TEST_CASE("the gate's samples keep the first and stay evenly spaced") {
    HistoryBuilder builder;
    builder.start(2);
    builder.start_gate("a phrase", 3);
    std::size_t added = 0;
    for (std::uint64_t s = 50; s <= 9000; ++s) {
        if (!builder.wants_gate(s)) continue;
        builder.add_gate(s, std::vector<float>(6, float(s)));
        ++added;
    }
    const History h = builder.publish();
    REQUIRE(h.gate_steps.size() > 100);
    CHECK(h.gate_steps.size() <= 1024);
    CHECK(added < 9000);
    CHECK(h.gate_steps.front() == 50);
    const std::uint64_t spacing = h.gate_steps[1] - h.gate_steps[0];
    for (std::size_t i = 0; i < h.gate_steps.size(); ++i) {
        CHECK(h.gate_steps[i] == 50 + i * spacing);
        CHECK(h.gate[6 * i + 5] == float(h.gate_steps[i]));
    }
}

TEST_CASE("very many experts get fewer points, so that a snapshot stays small") {
    HistoryBuilder builder;
    builder.start(2048);
    const std::vector<float> load(2048, 1.0f / 2048);
    for (std::uint64_t s = 1; s <= 1000; ++s) builder.add(s, step_result(s), load);
    CHECK(builder.publish().load.size() <= std::size_t(1) << 18);
    CHECK(builder.publish().points.back().step == 1000);
}

TEST_CASE("a long probe text on very many experts stays within the memory of a picture") {
    HistoryBuilder builder;
    builder.start(2048);
    builder.start_gate("a long text", 512);
    const std::vector<float> weights(512 * 2048, 1.0f / 2048);
    for (std::uint64_t s = 0; s <= 20; ++s)
        if (builder.wants_gate(s)) builder.add_gate(s, weights);
    const History h = builder.publish();
    CHECK(h.gate_steps.front() == 0);
    CHECK(h.gate.size() == h.gate_steps.size() * weights.size());
    CHECK(h.gate.size() <= 2 * weights.size());
}

TEST_CASE("a shared history is copied only where something was added") {
    HistoryBuilder builder;
    builder.start(2);
    std::uint64_t step = 0;
    while (step < 5000) ++step, builder.add(step, step_result(step), step_load(step));
    REQUIRE(builder.publish().steps_per_point == 8);
    const auto first = builder.share(false);
    ++step, builder.add(step, step_result(step), step_load(step));  // a point in the making
    CHECK(builder.share(false) == first);
    CHECK(builder.share(true)->points.back().step == step);
    for (int i = 0; i < 8; ++i) ++step, builder.add(step, step_result(step), step_load(step));
    CHECK(builder.share(false)->points.back().step > step - 8);
    const auto second = builder.share(false);
    builder.add_epoch({});
    CHECK(builder.share(false) != second);
}
