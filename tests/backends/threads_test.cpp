#include "tests/backends/backends_under_test.h"

#include "engine/core/float_mode.h"
#include "engine/core/thread_pool.h"
#include "engine/train/trainer.h"

#include <xmmintrin.h>
#include <cfloat>
#include <cstdlib>

using namespace moe;
using namespace moe::ops;

TEST_CASE("the pool runs every part once, whatever the numbers") {
    for (const std::size_t threads : {1u, 2u, 3u, 4u, 8u}) {
        ThreadPool pool(threads);
        CHECK(pool.threads() == threads);
        for (const std::size_t parts : {0u, 1u, 2u, 7u, 8u, 100u}) {
            std::vector<std::atomic<int>> runs(parts);
            for (int again = 0; again < 20; ++again) pool.run(parts, [&](std::size_t i) { ++runs[i]; });
            for (const auto& r : runs) CHECK(r == 20);
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(2));  // parked by now
        std::atomic<int> woken{0};
        pool.run(threads, [&](std::size_t) { ++woken; });
        CHECK(woken == int(threads));
    }
}

TEST_CASE("a thread that is kept busy delays nobody") {
    ThreadPool pool(2);
    std::atomic<int> others{0};
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    bool in_time = false;
    pool.run(100, [&](std::size_t i) {
        if (i != 0) {
            ++others;
            return;
        }
        while (others < 99 && std::chrono::steady_clock::now() < end) std::this_thread::yield();
        in_time = others == 99;
    });
    CHECK(in_time);
}

TEST_CASE("every thread of the pool flushes denormals, and the caller's mode comes back") {
    constexpr unsigned control = 0xFFC0;  // without the sticky flags
    const unsigned before = _mm_getcsr() & control;
    ThreadPool pool(3);
    {
        const FlushDenormals outer;
        {
            const FlushDenormals inner;
            CHECK((_mm_getcsr() & 0x8040) == 0x8040);
        }
        CHECK((_mm_getcsr() & 0x8040) == 0x8040);
        // Each part waits for the others, so that every thread must take one.
        std::atomic<int> flushing{0}, arrived{0};
        pool.run(3, [&](std::size_t) {
            for (++arrived; arrived < 3;) std::this_thread::yield();
            flushing += (_mm_getcsr() & 0x8040) == 0x8040;
        });
        CHECK(flushing == 3);
        volatile float tiny = FLT_MIN;
        tiny = tiny * 0.5f;
        CHECK(tiny == 0.0f);
    }
    CHECK((_mm_getcsr() & control) == before);
    volatile float tiny = FLT_MIN;
    tiny = tiny * 0.5f;
    CHECK(tiny > 0.0f);
}

TEST_CASE("every op gives the same bits on 1, 2, 3, 4 and 8 threads") {
    for (const Isa isa : {Isa::baseline, Isa::v3, Isa::v4}) {
        if (!isa_supported(isa)) continue;
        // Wide enough that every op which can be cut is, with parts that do not come out even.
        const Sizes sizes{"wide",
                          {{'N', 300}, {'T', 9}, {'V', 4099}, {'D', 200}, {'I', 70}, {'O', 4099}, {'E', 13}, {'K', 3}}};
        const Sizes deep{"deep",
                         {{'N', 33}, {'T', 9}, {'V', 9001}, {'D', 64}, {'I', 64}, {'O', 9001}, {'E', 5}, {'K', 2}}};
        // Whole lines of more gradients than are kept in caches, and more experts to choose from than one thread's
        // work.
        const Sizes far{"far",
                        {{'N', 120}, {'T', 9}, {'V', 40}, {'D', 24}, {'I', 64}, {'O', 4096}, {'E', 9}, {'K', 2}}};
        const Sizes many{"many",
                         {{'N', 2000}, {'T', 2}, {'V', 40}, {'D', 8}, {'I', 8}, {'O', 16}, {'E', 1700}, {'K', 2}}};
        // One part of columns, but enough work for threads.
        const Sizes narrow{"narrow",
                           {{'N', 90}, {'T', 2}, {'V', 40}, {'D', 8}, {'I', 900}, {'O', 300}, {'E', 4}, {'K', 2}}};
        std::vector<std::unique_ptr<Backend<float>>> backends;
        for (const std::size_t threads : {1u, 2u, 3u, 4u, 8u}) backends.push_back(make_cpu_backend(isa, threads));
        for (const Sizes& s : {sizes, deep, far, many, narrow})
            for (const Row& row : table()) {
                if (s.name == "far" && row.name != "grouped_dense") continue;
                if (s.name == "many" && row.name != "top_k") continue;
                if (s.name == "narrow" && !row.name.starts_with("dense_update")) continue;
                CAPTURE(isa_name(isa));
                CAPTURE(row.name);
                std::map<std::string, std::vector<float>> expected;
                for (const auto& backend : backends) {
                    Io<float> io(*backend, row.args, s, 11);
                    row.forward(io);
                    if (row.backward) row.backward(io);
                    for (const Arg& arg : row.args) {
                        std::vector<float> found;
                        if (is_ids(arg.content))
                            for (const std::int32_t id : io.get_ids(arg.name)) found.push_back(float(id));
                        else
                            found = io.get(arg.name);
                        const auto [first, fresh] = expected.insert({arg.name, found});
                        CAPTURE(arg.name);
                        if (!fresh) CHECK(std::memcmp(first->second.data(), found.data(), 4 * found.size()) == 0);
                    }
                }
            }
    }
}

TEST_CASE("training gives the same bits on 1, 2, 3, 4 and 8 threads") {
    std::string text;
    Rng rng(4);
    for (int line = 0; line < 60; ++line, text += '\n')
        for (int i = 0; i < 13; ++i) text += "w" + std::to_string(rng.below(3000)) + ' ';
    for (const FamilyInfo& family : families)
        for (const std::string router : {"soft", "top_k"}) {
            std::vector<NamedArray> expected;
            for (const int threads : {1, 2, 3, 4, 8}) {
                Experiment e;
                e.model.family = family.id;
                e.model.router = router;
                e.model.vocabulary = 5000;
                e.model.embedding_dim = e.model.hidden_dim = 64;
                e.train.batch_size = family.routes_tokens ? 24 : 128;
                e.model.balance_loss = 0.01;
                const auto corpus = Corpus::from_text("test", text);
                const auto backend = make_backend({"cpu", threads});
                Trainer trainer(*backend, resolve(e, *corpus, std::size_t(1) << 32), corpus);
                for (int i = 0; i < 12; ++i) trainer.step();
                const RunState state = trainer.state();
                if (threads == 1) expected = state.parameters;
                CHECK(state.parameters == expected);
            }
        }
}

TEST_CASE("MOELAB_ISA forces a set of kernels") {
    const auto restore = [] { unsetenv("MOELAB_ISA"); };
    for (const Isa isa : {Isa::baseline, Isa::v3, Isa::v4}) {
        if (!isa_supported(isa)) continue;
        setenv("MOELAB_ISA", isa_name(isa), 1);
        CHECK(make_backend({"cpu", 1})->name() == std::string("CPU · ") + kernels_for(isa).title);
    }
    setenv("MOELAB_ISA", "sse9", 1);
    CHECK_THROWS_AS(make_backend({"cpu", 1}), Error);
    setenv("MOELAB_ISA", "", 1);
    CHECK_NOTHROW(make_backend({"cpu", 1}));
    restore();
}
