// The CUDA backend's host side and kernels, on an emulated device.
#include "engine/backend/cpu/reference_backend.h"
#include "engine/backend/cuda/module_loader.h"
#include "engine/core/family.h"
#include "engine/core/rng.h"
#include "engine/core/settings.h"
#include "engine/routing/router.h"
#include "engine/train/trainer.h"
#include "engine/verify/op_table.h"
#include "tests/support/cuda_emulator.h"
#include "tests/support/refusal.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

using namespace moe;
using moe::cuda::emulator;
using moe::cuda::make_emulated_backend;

namespace {

/// The emulator's settings are back to normal where a test ends.
struct Emulated {
    explicit Emulated(int processors = 4) {
        emulator.reset();
        emulator.processors = processors;
    }
    ~Emulated() { emulator.reset(); }
};

std::vector<float> numbers(std::size_t count, std::uint64_t stream) {
    Rng rng(11, stream);
    std::vector<float> values(count);
    for (float& v : values) v = float(2 * rng.uniform() - 1);
    return values;
}

Tensor<float> on(Backend<float>& b, Shape shape, const std::vector<float>& values) {
    const Tensor<float> t = b.allocate(shape);
    b.upload(t, values.data());
    return t;
}

std::vector<float> off(Backend<float>& b, Tensor<float> t) {
    std::vector<float> values(t.count());
    b.download(t, values.data());
    return values;
}

double worst_difference(const std::vector<float>& a, const std::vector<double>& b) {
    double worst = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        const double d = std::abs(double(a[i]) - b[i]);
        if (!(d <= worst)) worst = d;
    }
    return worst;
}

Experiment small_experiment(std::string_view family, std::string_view router) {
    Experiment e;
    e.model.family = family, e.model.router = router;
    e.model.embedding_dim = 9, e.model.hidden_dim = 11;
    e.model.balance_loss = 0.01;
    e.train.batch_size = 7;
    return e;
}

std::shared_ptr<const Corpus> text() {
    return Corpus::from_text("a text",
                             "the cat sat on the mat\nthe dog sat on the log\na cat and a dog met on a mat\n");
}

std::unique_ptr<Trainer> trainer_on(Backend<float>& backend, const Experiment& e) {
    const auto corpus = text();
    return std::make_unique<Trainer>(backend, resolve(e, *corpus, default_memory_limit()), corpus);
}

std::vector<float> weights_after(Trainer& trainer, int steps) {
    for (int i = 0; i < steps; ++i) trainer.step();
    Checkpoint end;
    trainer.keep(end);
    return end.values;
}

}  // namespace

TEST_CASE("products of every tile, in one part and in several, by offsets that leave experts empty") {
    struct Case {
        int processors;
        std::size_t R, I, O, E;
    };
    // Of small, middle and large tiles, each with edges; a deep sum in parts.
    for (const Case& c : {Case{1, 150, 100, 130, 1}, Case{2, 330, 67, 65, 3}, Case{4, 300, 129, 257, 1},
                          Case{64, 33, 700, 40, 1}, Case{64, 600, 40, 9, 1}, Case{200, 90, 300, 31, 4}}) {
        const Emulated emulated(c.processors);
        CAPTURE(c.processors);
        CAPTURE(c.R);
        const auto b = make_emulated_backend();
        const std::vector<float> x = numbers(c.R * c.I, 1), w = numbers(c.E * c.I * c.O, 2),
                                 bias = numbers(c.E * c.O, 3), dy = numbers(c.R * c.O, 4);
        std::vector<std::int32_t> offsets(c.E + 1, 0);
        for (std::size_t e = 1; e <= c.E; ++e)
            offsets[e] = e == c.E ? std::int32_t(c.R) : e == 2 ? offsets[1] : std::int32_t(c.R / 3 + 5);
        std::vector<double> y(c.R * c.O), dx(c.R * c.I), dw(w.size()), db(bias.size());
        for (std::size_t e = 0; e < c.E; ++e)
            for (auto r = std::size_t(offsets[e]); r < std::size_t(offsets[e + 1]); ++r)
                for (std::size_t o = 0; o < c.O; ++o) {
                    double sum = double(bias[e * c.O + o]);
                    for (std::size_t i = 0; i < c.I; ++i) {
                        const std::size_t at = (e * c.I + i) * c.O + o;
                        sum += double(x[r * c.I + i]) * double(w[at]);
                        dx[r * c.I + i] += double(dy[r * c.O + o]) * double(w[at]);
                        dw[at] += double(x[r * c.I + i]) * double(dy[r * c.O + o]);
                    }
                    y[r * c.O + o] = sum;
                    db[e * c.O + o] += double(dy[r * c.O + o]);
                }
        const auto tx = on(*b, {{c.R, c.I, 1}}, x), tw = on(*b, {{c.E, c.I, c.O}}, w),
                   tb = on(*b, {{c.E, c.O, 1}}, bias), tdy = on(*b, {{c.R, c.O, 1}}, dy),
                   ty = b->allocate({{c.R, c.O, 1}}), tdx = b->allocate({{c.R, c.I, 1}}),
                   tdw = b->allocate({{c.E, c.I, c.O}}), tdb = b->allocate({{c.E, c.O, 1}});
        const Ids to = b->allocate_ids({{c.E + 1, 1, 1}});
        b->upload(to, offsets.data());
        b->grouped_dense(ty, tx, tw, tb, to);
        b->grouped_dense_backward(tdx, tdw, tdb, tdy, tx, tw, to);
        CHECK(worst_difference(off(*b, ty), y) < 2e-4);
        CHECK(worst_difference(off(*b, tdx), dx) < 2e-4);
        CHECK(worst_difference(off(*b, tdw), dw) < 2e-4);
        CHECK(worst_difference(off(*b, tdb), db) < 2e-4);
    }
}

TEST_CASE("tensor cores: products of rounded numbers, summed in float") {
    const auto round_to = [](float x, int dropped) {  // by arithmetic, not by bits
        int exponent = 0;
        const double mantissa = std::frexp(double(x), &exponent), unit = std::ldexp(1.0, dropped - 24);
        return std::ldexp(std::nearbyint(mantissa / unit) * unit, exponent);
    };
    struct Case {
        cuda::Precision precision;
        int dropped;  // bits of the mantissa
        int processors;
        std::size_t R, I, O, E;
    };
    using P = cuda::Precision;
    for (const Case& c : {Case{P::tf32, 13, 4, 90, 70, 65, 1}, Case{P::bf16, 16, 4, 90, 70, 65, 1},
                          Case{P::tf32, 13, 1, 260, 130, 129, 1}, Case{P::bf16, 16, 1, 300, 100, 140, 2},
                          Case{P::tf32, 13, 2, 500, 64, 96, 3}}) {
        const Emulated emulated(c.processors);
        CAPTURE(c.dropped);
        CAPTURE(c.R);
        cuda::CudaBackend b(std::make_shared<cuda::Device>(cuda::emulator_module()), c.precision);
        CHECK(b.name().ends_with(c.precision == P::tf32 ? "TF32" : "BF16"));
        const std::vector<float> x = numbers(c.R * c.I, 1), w = numbers(c.E * c.I * c.O, 2),
                                 bias = numbers(c.E * c.O, 3), dy = numbers(c.R * c.O, 4);
        std::vector<std::int32_t> offsets(c.E + 1, 0);
        for (std::size_t e = 1; e <= c.E; ++e) offsets[e] = std::int32_t(c.R * e / c.E);
        std::vector<double> y(c.R * c.O), dx(c.R * c.I), dw(w.size()), db(bias.size());
        double error = 0, scale = 0;  // of the rounding itself
        for (std::size_t e = 0; e < c.E; ++e)
            for (auto r = std::size_t(offsets[e]); r < std::size_t(offsets[e + 1]); ++r)
                for (std::size_t o = 0; o < c.O; ++o) {
                    double sum = double(bias[e * c.O + o]), exact = sum;
                    const double slope = round_to(dy[r * c.O + o], c.dropped);
                    for (std::size_t i = 0; i < c.I; ++i) {
                        const std::size_t at = (e * c.I + i) * c.O + o;
                        const double left = round_to(x[r * c.I + i], c.dropped), right = round_to(w[at], c.dropped);
                        sum += left * right;
                        exact += double(x[r * c.I + i]) * double(w[at]);
                        dx[r * c.I + i] += slope * right;
                        dw[at] += left * slope;
                    }
                    y[r * c.O + o] = sum;
                    db[e * c.O + o] += double(dy[r * c.O + o]);  // no product: not rounded
                    error += (sum - exact) * (sum - exact), scale += exact * exact;
                }
        const auto tx = on(b, {{c.R, c.I, 1}}, x), tw = on(b, {{c.E, c.I, c.O}}, w), tb = on(b, {{c.E, c.O, 1}}, bias),
                   tdy = on(b, {{c.R, c.O, 1}}, dy), ty = b.allocate({{c.R, c.O, 1}}),
                   tdx = b.allocate({{c.R, c.I, 1}}), tdw = b.allocate({{c.E, c.I, c.O}}),
                   tdb = b.allocate({{c.E, c.O, 1}});
        const Ids to = b.allocate_ids({{c.E + 1, 1, 1}});
        b.upload(to, offsets.data());
        b.grouped_dense(ty, tx, tw, tb, to);
        b.grouped_dense_backward(tdx, tdw, tdb, tdy, tx, tw, to);
        // Halves are rounded another way by nearbyint: one in thousands of numbers.
        CHECK(worst_difference(off(b, ty), y) < 2e-3);
        CHECK(worst_difference(off(b, tdx), dx) < 2e-3);
        CHECK(worst_difference(off(b, tdw), dw) < 2e-3);
        CHECK(worst_difference(off(b, tdb), db) < 2e-4);
        const double nmse = error / scale;
        CHECK(nmse > (c.precision == P::tf32 ? 1e-9 : 1e-7));  // it is rounded, and by as much as it says
        CHECK(nmse < (c.precision == P::tf32 ? 1e-6 : 1e-4));
    }
    const Emulated emulated;
    emulator.tensor_cores = false;
    CHECK(refusal([] {
              cuda::CudaBackend(std::make_shared<cuda::Device>(cuda::emulator_module()), P::bf16);
          }).find("compute capability 8.0") != std::string::npos);
    CHECK(refusal([] {
              make_backend({"cpu", 1, {}, "tf32"});
          }) ==
          "The precision tf32 takes a GPU's tensor cores, and the CPU was chosen; choose the device cuda, or leave the "
          "precision out.");
    CHECK(refusal([] {
              make_backend({"cpu", 1, {}, "half"});
          }) == "--precision is \"half\", but it takes float32, tf32 or bf16.");
}

TEST_CASE("training in tf32 and bf16 follows the run in float32") {
    const auto corpus = text();
    std::vector<double> losses[3];
    for (const auto precision : {cuda::Precision::float32, cuda::Precision::tf32, cuda::Precision::bf16}) {
        const Emulated emulated;
        cuda::CudaBackend b(std::make_shared<cuda::Device>(cuda::emulator_module()), precision);
        Experiment e = small_experiment("token", "top_k");  // enough rows for the tensor cores
        e.model.embedding_dim = e.model.hidden_dim = 64;
        e.train.batch_size = 14;
        const auto trainer = trainer_on(b, e);
        for (int i = 0; i < 40; ++i) losses[int(precision)].push_back(trainer->step().loss);
    }
    CHECK(losses[1] != losses[0]);
    CHECK(losses[2] != losses[0]);
    for (std::size_t i = 0; i < 40; ++i) {
        CHECK(losses[1][i] == doctest::Approx(losses[0][i]).epsilon(0.01));
        CHECK(losses[2][i] == doctest::Approx(losses[0][i]).epsilon(0.05));
    }
}

TEST_CASE("no op depends on the order of blocks, nor of threads between two barriers") {
    std::size_t compared = 0;
    for (const int processors : {1, 300})
        for (const ops::Row& row : ops::table())
            for (const ops::Sizes& sizes : ops::all_sizes()) {
                if (sizes.name == "the seed model" && processors == 1) continue;  // seconds, and the other has it
                std::vector<std::vector<float>> found[2];
                for (const bool backwards : {false, true}) {
                    const Emulated emulated(processors);
                    emulator.backwards = backwards;
                    const auto b = make_emulated_backend();
                    ops::Io<float> io(*b, row.args, sizes, 5);
                    row.forward(io);
                    if (row.backward) row.backward(io);
                    for (const ops::Arg& arg : row.args)
                        if (!ops::is_ids(arg.content)) found[backwards].push_back(io.get(arg.name));
                }
                CAPTURE(row.name);
                CAPTURE(sizes.name);
                for (std::size_t i = 0; i < found[0].size(); ++i)
                    if (!found[0][i].empty())
                        CHECK(std::memcmp(found[0][i].data(), found[1][i].data(), 4 * found[0][i].size()) == 0);
                compared += found[0].size();
            }
    CHECK(compared > 3000);
}

TEST_CASE("dispatch is a stable sort for any number of visits and experts") {
    for (const std::size_t visits :
         {std::size_t(1), std::size_t(33), std::size_t(4096), std::size_t(4097), std::size_t(9000)})
        for (const std::size_t E :
             {std::size_t(1), std::size_t(5), std::size_t(256), std::size_t(257), std::size_t(2048)}) {
            const Emulated emulated;
            const auto b = make_emulated_backend();
            Rng rng(3, visits * E);
            std::vector<std::int32_t> indices(visits), offsets(E + 1), tokens(visits), positions(visits);
            for (auto& i : indices) i = std::int32_t(rng.below(E));
            const Ids ti = b->allocate_ids({{visits, 1, 1}}), to = b->allocate_ids({{E + 1, 1, 1}}),
                      tt = b->allocate_ids({{visits, 1, 1}}), tp = b->allocate_ids({{visits, 1, 1}});
            b->upload(ti, indices.data());
            b->dispatch(to, tt, tp, ti);
            b->download(to, offsets.data());
            b->download(tt, tokens.data());
            b->download(tp, positions.data());
            std::vector<std::int32_t> order(visits);
            for (std::size_t i = 0; i < visits; ++i) order[i] = std::int32_t(i);
            std::ranges::stable_sort(order, {}, [&](std::int32_t i) { return indices[std::size_t(i)]; });
            CHECK(tokens == order);  // one visit an example
            bool right = offsets[0] == 0 && offsets[E] == std::int32_t(visits);
            for (std::size_t i = 0; i < visits; ++i) {
                right &= order[std::size_t(positions[i])] == std::int32_t(i);
                right &= offsets[std::size_t(indices[i])] <= positions[i] &&
                         positions[i] < offsets[std::size_t(indices[i]) + 1];
            }
            CHECK(right);
        }
}

TEST_CASE("a word's gradient sums all its places, in large batches and vocabularies too") {
    struct Case {
        std::size_t N, T, V;
    };
    for (const Case& c : {Case{40, 50, 30}, Case{3, 7, 70'000}, Case{600, 3, 300}}) {
        const Emulated emulated;
        constexpr std::size_t D = 37;
        const auto b = make_emulated_backend();
        Rng rng(5, c.V);
        std::vector<std::int32_t> ids(c.N * c.T);
        for (auto& id : ids) id = rng.uniform() < 0.4 ? 0 : std::int32_t(rng.below(c.V));
        const std::vector<float> dy = numbers(c.N * D, 8);
        for (const bool mask : {false, true}) {
            std::vector<double> sums(c.V * D), squares(c.V * D);
            for (std::size_t n = 0; n < c.N; ++n) {
                std::size_t count = 0;
                for (std::size_t t = 0; t < c.T; ++t) count += !mask || ids[n * c.T + t] != 0;
                for (std::size_t t = 0; t < c.T; ++t)
                    for (std::size_t d = 0; d < D && (!mask || ids[n * c.T + t] != 0); ++d) {
                        const double part = double(dy[n * D + d]) / double(count);
                        sums[std::size_t(ids[n * c.T + t]) * D + d] += part;
                        squares[std::size_t(ids[n * c.T + t]) * D + d] += part * part;
                    }
            }
            const Ids ti = b->allocate_ids({{c.N, c.T, 1}});
            b->upload(ti, ids.data());
            const auto tdy = on(*b, {{c.N, D, 1}}, dy), table = b->allocate({{c.V, D, 1}}),
                       of_squares = b->allocate({{c.V, D, 1}});
            b->embedding_mean_backward(table, tdy, ti, mask);
            b->embedding_mean_squares(of_squares, tdy, ti, mask);
            CHECK(worst_difference(off(*b, table), sums) < 1e-4);
            CHECK(worst_difference(off(*b, of_squares), squares) < 1e-4);
        }
    }
}

TEST_CASE("a recorded step leaves the bits of the ops issued one by one") {
    for (const FamilyInfo& family : families)
        for (const RouterInfo& router : routers()) {
            const Emulated emulated;
            CAPTURE(std::string(family.id));
            CAPTURE(std::string(router.id));
            const Experiment e = small_experiment(family.id, router.id);
            const auto recorded = make_emulated_backend(), issued = make_emulated_backend();
            const auto trainer = trainer_on(*recorded, e);
            const std::vector<float> found = weights_after(*trainer, 30);
            {  // what runs aside may come at once or late
                emulator.aside_late = true;
                const auto late = make_emulated_backend();
                const auto other = trainer_on(*late, e);
                CHECK(weights_after(*other, 30) == found);
                CHECK(other->load() == trainer->load());
                CHECK(other->last_epoch()->loss == trainer->last_epoch()->loss);
                emulator.aside_late = false;
            }

            // The same layers and batches, op by op.
            const auto corpus = text();
            const Experiment x = resolve(e, *corpus, default_memory_limit());
            Parameters<float> parameters(*issued);
            add_parameters(parameters, x);
            upload_parameters(*issued, parameters, initial_parameters(x.model, x.train.seed));
            LanguageModel<float> model(*issued, parameters, x.model, x.train.batch_size, ModelUse::train);
            const Ids ids = issued->allocate_ids({{x.train.batch_size, x.model.max_seq_len, 1}}),
                      targets = issued->allocate_ids({{x.train.batch_size, 1, 1}});
            const Tensor<float> rate = issued->allocate({});
            std::vector<std::int32_t> host_ids(ids.count()), host_targets(targets.count());
            std::vector<std::uint32_t> order;
            std::uint64_t epoch = 0, at = 0;
            epoch_order(order, x.train, epoch, corpus->examples());
            for (std::uint64_t t = 1; t <= 30; ++t) {
                const std::size_t n =
                    fill_batch(*corpus, order, at, x.train.batch_size, x.model.max_seq_len, host_ids, host_targets);
                issued->upload(ids.first(n), host_ids.data());
                issued->upload(targets.first(n), host_targets.data());
                const auto context = model.forward(ids.first(n));
                model.loss(context, targets.first(n));
                const float now = adam_rate(x.train.learning_rate, t);
                issued->upload(rate, &now);
                model.backward(context, rate);
                at += n;
                if (at >= corpus->examples()) at = 0, epoch_order(order, x.train, ++epoch, corpus->examples());
            }
            std::vector<float> wanted;
            for (auto member :
                 {&Parameters<float>::Entry::value, &Parameters<float>::Entry::m, &Parameters<float>::Entry::v})
                for (const auto& p : parameters.entries()) {
                    const std::vector<float> values = off(*issued, p.*member);
                    wanted.insert(wanted.end(), values.begin(), values.end());
                }
            REQUIRE(found.size() == wanted.size());
            CHECK(std::memcmp(found.data(), wanted.data(), 4 * found.size()) == 0);
        }
}

TEST_CASE("a step is as few launches as it can be: each costs a GPU more than a small one's work") {
    struct Case {
        const char *family, *router;
        std::size_t most, most_in_a_row;
    };
    for (const Case& c :
         {Case{"pooled", "soft", 31, 25}, Case{"pooled", "top_k", 35, 29}, Case{"token", "top_k", 37, 31}}) {
        const Emulated emulated(132);
        const auto b = make_emulated_backend();
        Experiment e = small_experiment(c.family, c.router);
        e.model.embedding_dim = e.model.hidden_dim = 64, e.model.vocabulary = 2000, e.model.balance_loss = 0;
        e.train.batch_size = 32;
        trainer_on(*b, e)->step();
        MESSAGE(std::string(c.family), ", ", std::string(c.router), ": ", emulator.recorded.size(), " launches, ",
                emulator.recorded_aside, " aside");
        CHECK(emulator.recorded.size() <= c.most);
        CHECK(emulator.recorded.size() - emulator.recorded_aside <= c.most_in_a_row);
    }
}

TEST_CASE("a recorded step follows rate and balance weight, and diverges as others do") {
    const Emulated emulated;
    const auto gpu = make_emulated_backend();
    const auto cpu = make_reference_backend<float>();
    const Experiment e = small_experiment("pooled", "top_k");
    const auto a = trainer_on(*gpu, e), b = trainer_on(*cpu, e);
    for (int i = 0; i < 40; ++i) {
        if (i == 10) a->set_learning_rate(0.01), b->set_learning_rate(0.01);
        if (i == 20) a->set_balance_loss(0.2), b->set_balance_loss(0.2);
        const StepResult x = a->step(), y = b->step();
        CHECK(x.loss == doctest::Approx(y.loss).epsilon(1e-4));
        CHECK(x.balance == doctest::Approx(y.balance).epsilon(1e-4));
        CHECK(x.correct == y.correct);
        CHECK(x.examples == y.examples);
        for (std::size_t k = 0; k < a->step_load().size(); ++k)
            CHECK(a->step_load()[k] == doctest::Approx(b->step_load()[k]).epsilon(1e-4));
    }
    a->set_learning_rate(1e30);
    CHECK_THROWS_AS(
        [&] {
            for (int i = 0; i < 10; ++i) a->step();
        }(),
        Divergence);
    const std::uint64_t back = a->steps();
    CHECK(back >= 40);
    a->set_learning_rate(0.001);
    CHECK(std::isfinite(a->step().loss));
    CHECK(a->steps() == back + 1);
}

TEST_CASE("a first step that diverges leaves the weights as they were") {
    const Emulated emulated;
    const auto gpu = make_emulated_backend();
    const auto cpu = make_reference_backend<float>();
    for (Backend<float>* backend : {gpu.get(), cpu.get()}) {
        const auto trainer = trainer_on(*backend, small_experiment("pooled", "soft"));
        Checkpoint start, after;
        trainer->keep(start);
        for (float& value : start.values) value *= 1e9f;
        trainer->restore(start);
        CHECK_THROWS_AS(trainer->step(), Divergence);
        CHECK(trainer->steps() == 0);
        trainer->keep(after);
        CHECK(after.values == start.values);
    }
}

TEST_CASE("a slider that makes steps anew takes no more memory each time") {
    const Emulated emulated;
    const auto b = make_emulated_backend();
    const auto trainer = trainer_on(*b, small_experiment("pooled", "soft"));
    const auto pinned = [] { return (*emulator.queues.begin())->pinned.size(); };
    for (int i = 0; i < 10; ++i) trainer->step();
    const std::size_t before = pinned();
    for (int i = 0; i < 50; ++i) {
        trainer->set_balance_loss(0.001 * i);
        for (int k = 0; k < 5; ++k) trainer->step();
    }
    CHECK(pinned() <= before);
}

TEST_CASE("numbers for later come at once where there is no room for them, and take none again and again") {
    const Emulated emulated;
    const auto b = make_emulated_backend();
    const std::vector<float> numbers_there = numbers(1000, 6);
    const Tensor<float> t = on(*b, {{1000, 1, 1}}, numbers_there);
    emulator.no_pinned = true;
    const auto taken = [] { return (*emulator.queues.begin())->memory.size(); };
    std::size_t once = 0;
    for (int i = 0; i < 5; ++i) {
        std::vector<float> found(1000);
        b->download_later(t, found.data());
        b->finish_downloads();
        CHECK(found == numbers_there);
        if (i == 0) once = taken();
    }
    CHECK(taken() == once);
}

TEST_CASE("ids outside their table are refused in a recorded step as well, before anything runs") {
    const Emulated emulated;
    const auto b = make_emulated_backend();
    const Ids ids = b->allocate_ids({{2, 2, 1}});
    const Tensor<float> table = b->allocate({{5, 3, 1}}), y = b->allocate({{2, 3, 1}});
    std::vector<std::int32_t> host = {1, 2, 3, 4};
    const auto plan = b->plan_step([&] {
        b->upload(ids, host.data());
        b->embedding_mean(y, ids, table, false);
    });
    plan->run();
    host[3] = 5;
    const std::int64_t calls = emulator.calls;
    CHECK(refusal([&] { plan->run(); }).find("[embedding_mean] ids holds 5 at row 1") == 0);
    CHECK(emulator.calls == calls);
}

TEST_CASE("after a failure no call reaches the device, whatever is still asked of it") {
    // Each call of a short run fails in its turn.
    std::int64_t calls = 0;
    const auto run = [&] {
        const auto device = std::make_shared<cuda::Device>(cuda::emulator_module());
        cuda::CudaBackend backend(device), beside(device);
        const auto trainer = trainer_on(backend, small_experiment("pooled", "soft"));
        for (int i = 0; i < 3; ++i) trainer->step();
        Checkpoint end;
        trainer->keep(end);
        beside.allocate({});
        calls = emulator.calls;
    };
    {
        const Emulated emulated;
        run();
        CHECK(emulator.calls > calls);  // memory is given back where all went well
    }
    REQUIRE(calls > 60);
    const std::int64_t all = calls;
    for (std::int64_t at = 1; at <= all; ++at) {
        const Emulated emulated;
        emulator.fail_at = at;
        CAPTURE(at);
        CHECK_THROWS_AS(run(), DeviceFailure);
        CHECK(emulator.has_failed);
        CHECK(emulator.calls_after_failure == 0);
    }
}

TEST_CASE("no memory left is said with its size, and is no loss of the device") {
    const Emulated emulated;
    const auto device = std::make_shared<cuda::Device>(cuda::emulator_module());
    cuda::CudaBackend backend(device);
    emulator.fail_at = 1, emulator.failure = cuda::out_of_memory;
    CHECK(refusal([&] {
              backend.allocate({{1 << 20, 3, 1}});
          }) == "The GPU (emulator) has no memory for 12.0 MiB more; choose smaller sizes, or train on the CPU.");
    CHECK(!device->lost());
    CHECK(backend.allocate({{10, 1, 1}}));
    CHECK(refusal([&] {
              backend.allocate({{std::size_t(1) << 33, 1, 1}});
          }).find("more than the 4294967295") != std::string::npos);
}

TEST_CASE("why there is no GPU is said in a sentence") {
    const auto why = [](const std::string& path) { return cuda::open_module(path).why_not; };
    CHECK(why("") == "This program was built without the CUDA module.");
    CHECK(why("/nowhere/libmoe_cuda.so") == "There is no CUDA module at /nowhere/libmoe_cuda.so.");
    CHECK(why(MOE_TEST_DATA "/CMakeLists.txt").find("The CUDA module cannot be loaded: ") == 0);
    const Emulated emulated;
    emulator.why_not = "The NVIDIA driver sees no GPU.";
    CHECK(refusal([] { make_emulated_backend(); }) == "The NVIDIA driver sees no GPU.");
    emulator.why_not.clear();
    const auto good = make_emulated_backend();
    cuda::check_arithmetic(*good);
    struct Wrong : ReferenceBackend<float> {
        void dense(Tensor<float> y, Tensor<float>, Tensor<float>, Tensor<float>) override { fill(y, 1); }
    } wrong;
    CHECK(refusal([&] { cuda::check_arithmetic(wrong); }) ==
          "CPU · reference does not multiply as it should, so it is not used.");
}
