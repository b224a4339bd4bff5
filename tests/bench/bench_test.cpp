#include "engine/bench/bench.h"
#include "engine/core/family.h"

#include "engine/bench/measure.h"
#include "engine/bench/seed_step.h"
#include "engine/core/error.h"
#include "engine/core/median.h"

#include <doctest/doctest.h>

#include <xmmintrin.h>
#include <cmath>
#include <cstdlib>
#include <memory>

using namespace moe;

TEST_CASE("the counter sees malloc, aligned memory and new, and only while it lives") {
    if (!AllocationCount::supported()) {
        MESSAGE("skipped: the sanitizers bring their own malloc");
        return;
    }
    std::size_t seen = 0;
    {
        const AllocationCount count;
        void* volatile a = std::malloc(10);
        CHECK(count.value() == 1);
        void* volatile b = std::aligned_alloc(64, 64);
        CHECK(count.value() == 2);
        void* volatile c = std::calloc(3, 3);
        void* volatile d = std::realloc(c, 4000);
        CHECK(count.value() == 4);
        void* volatile e = nullptr;
        void* taken = nullptr;
        CHECK(posix_memalign(&taken, 64, 100) == 0);
        e = taken;
        CHECK(count.value() == 5);
        const auto f = std::make_unique<int>(3);
        seen = count.value();
        std::free(a);
        std::free(b);
        std::free(d);
        std::free(e);
    }
    CHECK(seen == 6);
}

TEST_CASE("a training step allocates nothing") {
    if (!AllocationCount::supported()) {
        MESSAGE("skipped: the sanitizers bring their own malloc");
        return;
    }
    struct Shape {
        std::size_t V, B;
        const char* router;
    };
    // Batches that need several tiles, a short last batch, an epoch's end, one thread and several.
    for (const Shape shape :
         {Shape{11, 8, "soft"}, Shape{2000, 32, "soft"}, Shape{700, 300, "soft"}, Shape{300, 32, "top_k"}})
        for (const int threads : {1, 2}) {
            CAPTURE(shape.V);
            CAPTURE(threads);
            const auto backend = make_backend({"cpu", threads});
            const auto trainer = SeedStep{shape.V, shape.B, shape.router}.trainer(*backend);
            for (int i = 0; i < 2; ++i) trainer->step();
            const std::uint64_t steps = std::min<std::uint64_t>(trainer->steps_per_epoch() + 3, 100);
            const AllocationCount count;
            for (std::uint64_t i = 0; i < steps; ++i) trainer->step();
            CHECK(count.value() == 0);
        }
}

TEST_CASE("a step of every family allocates nothing, on one thread and several") {
    if (!AllocationCount::supported()) return;
    for (const FamilyInfo& family : families)
        for (const char* router : {"soft", "top_k"})
            for (const bool mask : {false, true})
                for (const int threads : {1, 2}) {
                    CAPTURE(family.id);
                    CAPTURE(router);
                    const SeedStep seed{300, 16, router};
                    Experiment x = seed.experiment();
                    x.model.family = family.id, x.model.mask_zero = mask, x.model.balance_loss = 0.01;
                    x.model.vocabulary = 0;
                    const auto corpus = seed.corpus();
                    const auto backend = make_backend({"cpu", threads});
                    Trainer trainer(*backend, resolve(x, *corpus, std::size_t(1) << 32), corpus);
                    for (int i = 0; i < 2; ++i) trainer.step();
                    const std::uint64_t steps = std::min<std::uint64_t>(trainer.steps_per_epoch() + 3, 60);
                    const AllocationCount count;
                    for (std::uint64_t i = 0; i < steps; ++i) trainer.step();
                    CHECK(count.value() == 0);
                }
}

TEST_CASE("a text known by heart trains as fast as a new one: denormals are flushed") {
    constexpr unsigned control = 0xFFC0;  // without the sticky flags
    const unsigned mode = _mm_getcsr() & control;
    const auto backend = make_backend({"cpu", 1});
    const auto trainer = memorising_trainer(*backend, 2000, 8);
    constexpr int steps = 5000, window = 500, slice = 20;
    std::vector<double> first, last;
    double loss = 1;
    for (int i = 0; i < steps; i += slice) {
        const double start = thread_seconds();
        for (int j = 0; j < slice; ++j) loss = trainer->step().loss;
        if (i < window) first.push_back(thread_seconds() - start);
        if (i >= steps - window) last.push_back(thread_seconds() - start);
    }
    CHECK(loss < 1e-3);
    CHECK(median(last) < 1.5 * median(first));
    // Some processors are fast with denormals: there must be none.
    const RunState state = trainer->state();
    std::size_t denormals = 0, zeros = 0;
    for (const auto* arrays : {&state.parameters, &state.momentum, &state.velocity})
        for (const NamedArray& a : *arrays)
            for (const float x : a.values) {
                denormals += std::fpclassify(x) == FP_SUBNORMAL;
                zeros += x == 0;
            }
    CHECK(denormals == 0);
    CHECK(zeros > 0);
    CHECK((_mm_getcsr() & control) == mode);
}

TEST_CASE("cases by name") {
    BenchOptions options;
    std::vector<BenchRow> rows;
    options.on_row = [&](const BenchRow& row) { rows.push_back(row); };
    options.cases = {"peak"};
    run_bench(options);
    REQUIRE(!rows.empty());
    for (const BenchRow& row : rows) {
        CHECK(row.value > 0.5);   // GFLOP/s of any x86-64
        CHECK(row.value < 2000);  // and of none
        CHECK(row.unit == (row.name.starts_with("memory") ? "GB/s" : "GFLOP/s"));
        CHECK(row.met);
    }
    for (const std::string& name : bench_cases()) CHECK(!bench_case_help(name).empty());
    options.cases = {"peak", "nothing"};
    rows.clear();
    CHECK_THROWS_AS(run_bench(options), UsageError);
    CHECK(rows.empty());
}

TEST_CASE("a step of 2000x32 is 31 MFLOP") {
    CHECK(SeedStep{2000, 32}.flop() == doctest::Approx(30.9e6).epsilon(0.01));
}
