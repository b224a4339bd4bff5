// The checks of script/gpu-check, a command each: what `moelab` does too, without its window and its files.
#include "engine/bench/measure.h"
#include "engine/bench/mixture_step.h"
#include "engine/bench/seed_step.h"
#include "engine/bench/serve.h"
#include "engine/core/error.h"
#include "engine/core/family.h"
#include "engine/core/numbers.h"
#include "engine/core/settings.h"
#include "engine/routing/router.h"
#include "engine/verify/op_table.h"
#include "engine/verify/verify.h"
#include "tests/gpu/gpu_bench.h"
#include "tests/gpu/gpu_products.h"

#include <charconv>
#include <cmath>
#include <cstring>
#include <iostream>
#include <new>

namespace moe::gpu_check {

namespace {

struct Request {
    std::string command;
    BackendOptions backend{"cuda", 1};
    std::size_t steps = 300;
    double seconds = 30;
    bool serve = false;
};

constexpr const char* usage =
    "usage: gpu_check COMMAND [--device auto|cpu|cuda] [--threads N]\n"
    "  devices              what this machine has\n"
    "  verify               every op and whole small models against the reference in double\n"
    "  products             products of every tile and precision against sums in double\n"
    "  run                  losses of 100 steps beside the CPU's, for every kind of model\n"
    "  weights [--steps N]  whether training twice gives the same bits, for every kind of model\n"
    "  touch [--seconds S]  a few steps and every op, for tools that watch a program\n"
    "  bench [--serve]      the device beside the CPU; --serve: `moelab bench --serve`\n";

/// "3.2e-11"
std::string scientific(double value) {
    if (std::isnan(value)) return "no number";
    char text[32];
    const auto end = std::to_chars(text, text + sizeof text, value, std::chars_format::scientific, 1);
    return {text, end.ptr};
}

int devices(const Request& request) {
    std::cout << "gpu_check\n" << describe_devices() << std::endl;
    if (request.command != "devices") return 0;
    const std::string chosen = make_backend(request.backend)->name();
    std::cout << "chosen: " << chosen << '\n';
    return 0;
}

int verify(const Request& request) {
    std::size_t total = 0, failed = 0;
    std::cout << "| " << make_backend(request.backend)->name()
              << " against the reference | measure | worst | at most | |\n|---|---|---|---|---|\n";
    verify_backend([&] { return make_backend(request.backend); },
                   [&](const VerifyRow& row) {
                       ++total, failed += !row.ok;
                       std::cout << "| " << row.name << " | " << row.measure << " | " << scientific(row.worst) << " | "
                                 << scientific(row.bound) << " | " << (row.ok ? "ok" : "FAILED, " + row.detail) << " |"
                                 << std::endl;
                   });
    std::cout << "\n" << total - failed << " of " << total << " ok\n";
    return failed == 0 ? 0 : 1;
}

int products(const Request& request) {
    std::size_t total = 0, failed = 0;
    std::vector<std::string> refusals;
    std::cout << "| " << make_backend(request.backend)->name()
              << " against sums in double | precision | worst NMSE | at most | |\n|---|---|---|---|---|\n";
    check_products(ProductShapes::all, request.backend, [&](const ProductRow& row) {
        if (!row.refusal.empty()) return refusals.push_back(row.precision + ": " + row.refusal);
        ++total, failed += !row.failure.empty();
        std::cout << "| " << row.shape << " | " << row.precision << " | " << scientific(row.worst) << " | "
                  << scientific(row.bound) << " | " << (row.failure.empty() ? "ok" : "FAILED: " + row.failure) << " |"
                  << std::endl;
    });
    std::cout << "\n" << total - failed << " of " << total << " ok\n";
    for (const std::string& refusal : refusals) std::cout << "Not checked: " << refusal << '\n';
    return failed == 0 ? 0 : 1;
}

/// A small model of the bench's text.
struct Kind {
    std::string_view family, router;
    bool plain;  // else with mask, balance loss and squares per occurrence

    std::string name() const {
        return std::string(family) + ", " + std::string(router) + (plain ? "" : ", mask, balance, per occurrence");
    }
    std::unique_ptr<Trainer> trainer(Backend<float>& backend, const SeedStep& seed,
                                     const std::shared_ptr<const Corpus>& corpus, double rate = 0.001) const {
        Experiment x = seed.experiment();
        x.model.family = family, x.model.router = router;
        x.model.vocabulary = 0;
        x.train.learning_rate = rate;
        if (!plain) x.model.mask_zero = true, x.model.balance_loss = 0.01, x.train.embedding_squares = "per_occurrence";
        return std::make_unique<Trainer>(backend, resolve(std::move(x), *corpus, default_memory_limit()), corpus);
    }
    std::unique_ptr<Trainer> trainer(Backend<float>& backend, std::size_t V, std::size_t B) const {
        const SeedStep seed{V, B};
        return trainer(backend, seed, seed.corpus());
    }
    /// Of a few lines, which it soon knows by heart: of words by chance there is little to learn, and a step that did
    /// nothing would hardly show.
    std::unique_ptr<Trainer> learner(Backend<float>& backend) const {
        std::string text;
        for (std::size_t line = 0; line < 12; ++line, text += '\n')
            for (std::size_t i = 0; i <= 20; ++i) text += "w" + std::to_string((line * 37 + i * i) % 251) + ' ';
        return trainer(backend, {252, 16}, Corpus::from_text("A text to learn", text), 0.005);
    }
};

std::vector<Kind> kinds() {
    std::vector<Kind> all;
    for (const FamilyInfo& family : families)
        for (const RouterInfo& router : routers())
            for (const bool plain : {true, false}) all.push_back({family.id, router.id, plain});
    return all;
}

int losses(const Request& request) {
    constexpr int steps = 100;
    constexpr double most = 1e-3;
    std::size_t failed = 0;
    const std::string title = make_backend(request.backend)->name();
    std::cout << "| model, " << steps << " steps | loss on the CPU | on " << title
              << " | worst relative difference | at most | |\n|---|---|---|---|---|---|\n";
    for (const Kind& kind : kinds()) {
        const std::unique_ptr<Backend<float>> backends[] = {make_backend({"cpu", 1}), make_backend(request.backend)};
        const std::unique_ptr<Trainer> trainers[] = {kind.learner(*backends[0]), kind.learner(*backends[1])};
        double loss[2] = {}, worst = 0;
        bool good = true;
        for (int i = 0; i < steps; ++i) {
            for (const int side : {0, 1}) loss[side] = trainers[side]->step().loss;
            const double difference = std::abs(loss[1] - loss[0]) / std::abs(loss[0]);
            good = good && difference <= most;
            if (!(difference <= worst)) worst = difference;
        }
        failed += !good;
        std::cout << "| " << kind.name() << " | " << to_fixed(loss[0], 6) << " | " << to_fixed(loss[1], 6) << " | "
                  << scientific(worst) << " | " << scientific(most) << " | " << (good ? "ok" : "FAILED") << " |"
                  << std::endl;
    }
    return failed == 0 ? 0 : 1;
}

/// FNV-1a of every bit of weights and moments.
std::uint64_t bits_of(const RunState& state) {
    std::uint64_t hash = 14695981039346656037u;
    for (const auto* arrays : {&state.parameters, &state.momentum, &state.velocity})
        for (const NamedArray& array : *arrays)
            for (const float value : array.values) {
                std::uint32_t bits = 0;
                std::memcpy(&bits, &value, sizeof bits);
                hash = (hash ^ bits) * 1099511628211u;
            }
    return hash;
}

std::string hexadecimal(std::uint64_t value) {
    char text[17] = {};
    std::to_chars(text, text + 16, value, 16);
    return text;
}

int weights(const Request& request) {
    std::size_t wrong = 0;
    std::cout << "| model | loss | bits of weights and moments | again |\n|---|---|---|---|\n";
    for (const Kind& kind : kinds()) {
        std::uint64_t hash[2];
        double loss = 0;
        for (std::uint64_t& h : hash) {
            const auto backend = make_backend(request.backend);
            const auto trainer = kind.trainer(*backend, 300, 16);
            for (std::size_t i = 0; i < request.steps; ++i) loss = trainer->step().loss;
            h = bits_of(trainer->state());
        }
        const bool good = hash[0] == hash[1] && std::isfinite(loss);
        wrong += !good;
        std::cout << "| " << kind.name() << " | " << to_fixed(loss, 6) << " | " << hexadecimal(hash[0]) << " | "
                  << (good ? "the same" : "FAILED: " + hexadecimal(hash[1])) << " |" << std::endl;
    }
    return wrong == 0 ? 0 : 1;
}

/// Thrown by a report of verify_backend() that has seen enough.
struct Enough {};

int touch(const Request& request) {
    const double began = wall_seconds();
    constexpr int steps = 3;
    for (const auto& [V, B] : {std::pair<std::size_t, std::size_t>{60, 8}, {700, 48}})
        for (const Kind& kind : kinds()) {
            const auto backend = make_backend(request.backend);
            const auto trainer = kind.trainer(*backend, V, B);
            for (int i = 0; i < steps; ++i) trainer->step();
        }
    const auto backend = make_backend(request.backend);
    MixtureStep(*backend, 64, 16, 256).run(1);
    std::size_t rows = 0, failed = 0, products = 0, wrong = 0;
    const auto& table = ops::table();
    try {
        verify_backend([&] { return make_backend(request.backend); },
                       [&](const VerifyRow& row) {
                           failed += !row.ok;
                           if (++rows >= table.size() || wall_seconds() - began > request.seconds) throw Enough{};
                       });
    } catch (const Enough&) {
    }
    check_products(ProductShapes::few, request.backend, [&](const ProductRow& row) {
        if (!row.refusal.empty()) return;
        ++products, wrong += !row.failure.empty();
        if (!row.failure.empty()) std::cout << row.shape << " in " << row.precision << ": " << row.failure << ".\n";
    });
    std::cout << "Touched: " << steps << " steps of " << 2 * kinds().size() << " models, a layer, " << products
              << " products, " << rows << " of " << table.size() << " ops.\n";
    if (failed > 0) std::cout << failed << " of the ops differ from the reference.\n";
    return failed == 0 && wrong == 0 ? 0 : 1;
}

int bench(const Request& request) {
    if (request.serve)
        serve_bench(std::cin, std::cout, request.backend);
    else
        print_side_by_side(std::cout, request.backend);
    return 0;
}

std::size_t whole_number(std::string_view option, std::string_view text) {
    unsigned long long value = 0;
    if (!parse_number(text, value) || value == 0 || value > 1'000'000)
        throw UsageError(std::string(option) + " cannot be '" + std::string(text) +
                         "': it takes a whole number from 1 to 1,000,000.");
    return std::size_t(value);
}

Request parsed(int argc, char** argv) {
    Request request;
    if (argc > 1) request.command = argv[1];
    for (int i = 2; i < argc; ++i) {
        const std::string_view option = argv[i];
        if (option == "--serve") {
            request.serve = true;
            continue;
        }
        if (i + 1 == argc) throw UsageError("The option " + std::string(option) + " is unknown, or lacks its value.");
        const std::string_view value = argv[++i];
        if (option == "--device")
            request.backend.device = value;
        else if (option == "--threads")
            request.backend.threads = int(whole_number(option, value));
        else if (option == "--steps")
            request.steps = whole_number(option, value);
        else if (option == "--seconds")
            request.seconds = double(whole_number(option, value));
        else
            throw UsageError("There is no option " + std::string(option) + ".");
    }
    return request;
}

int run(const Request& request) {
    if (request.command == "devices" || request.command == "--version") return devices(request);
    if (request.command == "verify") return verify(request);
    if (request.command == "products") return products(request);
    if (request.command == "run") return losses(request);
    if (request.command == "weights") return weights(request);
    if (request.command == "touch") return touch(request);
    if (request.command == "bench") return bench(request);
    std::cerr << usage;
    return request.command == "--help" ? 0 : 2;
}

}  // namespace

}  // namespace moe::gpu_check

int main(int argc, char** argv) {
    try {
        return moe::gpu_check::run(moe::gpu_check::parsed(argc, argv));
    } catch (const moe::UsageError& e) {
        std::cerr << "gpu_check: " << e.what() << '\n';
        return 2;
    } catch (const moe::Error& e) {
        std::cerr << "gpu_check: " << e.what() << '\n';
    } catch (const std::bad_alloc&) {
        std::cerr << "gpu_check: The memory is used up.\n";
    }
    return 1;
}
