#include "engine/bench/bench.h"

#include "engine/backend/backend.h"
#include "engine/bench/measure.h"
#include "engine/bench/mixture_step.h"
#include "engine/bench/seed_step.h"
#include "engine/core/error.h"
#include "engine/core/median.h"
#include "engine/core/numbers.h"
#include "engine/core/settings.h"
#include "engine/session/training_session.h"
#include "engine/train/tracer.h"

#include <algorithm>
#include <chrono>
#include <thread>

namespace moe {

namespace {

struct Run {
    const BenchOptions& options;
    Backend<float>& backend;

    void row(std::string name, double value, std::string unit, std::string goal = "", bool met = true) const {
        if (options.on_row) options.on_row({std::move(name), value, std::move(unit), std::move(goal), met, 0, 0});
    }
    /// One thread is measured in its own time, so that a busy machine does not matter; several, and a GPU, on the wall.
    double now() const { return on_cpu() && options.backend.threads == 1 ? thread_seconds() : wall_seconds(); }
    bool on_cpu() const { return std::string_view(backend.device()) == "cpu"; }
    int cores() const { return on_cpu() ? options.backend.threads : 0; }
    BackendOptions with_threads(int threads) const {
        BackendOptions o = options.backend;
        o.threads = threads;
        return o;
    }
    /// One thread of the CPU, for which the goals of single steps are.
    bool one_thread() const { return on_cpu() && options.backend.threads == 1; }
    double seconds_of(Trainer& trainer, std::size_t steps) const {
        const double start = now();
        for (std::size_t i = 0; i < steps; ++i) trainer.step();
        return now() - start;
    }
};

/// GFLOP/s of one core at the width that gives most: what floors are reckoned with.
double floor_peak() {
    return std::max({fma_peak(512), fma_peak(256), fma_peak(128)});
}

void peak(const Run& run) {
    for (const int bits : {128, 256, 512}) {
        std::vector<double> rounds;
        for (int i = 0; i < 15; ++i) rounds.push_back(fma_peak(bits));
        if (median(rounds) > 0)
            run.row("peak of one core, " + std::to_string(bits) + " bits", median(rounds), "GFLOP/s");
    }
    std::vector<double> rounds;
    for (int i = 0; i < 9; ++i) rounds.push_back(copy_rate());
    run.row("memory that one core copies, read and written", median(rounds), "GB/s");
}

/// A second of rounds of something that has a floor. Figures of one round belong together: a slow moment of the machine
/// hits value and floor alike.
struct Paced {
    std::function<double(std::size_t)> seconds_of;  // so many repetitions
    double flop = 0, bytes = 0;
    std::size_t repetitions = 1;
    std::vector<double> seconds, floors, ratios;

    void prepare() {
        constexpr double round = 0.06;
        seconds_of(2);
        repetitions = std::max<std::size_t>(1, std::size_t(round / std::max(seconds_of(2) / 2, 1e-7)));
    }
    /// Without cores there is no floor: what a GPU can do is not known here.
    void round(double cores) {
        const double before = cores > 0 ? floor_peak() : 0, took = seconds_of(repetitions) / double(repetitions);
        seconds.push_back(took);
        if (cores == 0) return;
        const double rate = cores * std::max(before, floor_peak()) * 1e9;
        const double memory = bytes > 0 && cores == 1 ? bytes / (copy_rate() * 1e9) : 0;  // of several: not known
        const double floor = std::max(flop / rate, memory);
        floors.push_back(floor), ratios.push_back(took / floor);
    }
    /// `unit` of `scale` to a second; `most`: of the floor, 0 without a goal.
    void tell(const Run& run, const std::string& name, const char* unit, double scale, double most) const {
        const double over = ratios.empty() ? 0 : median(ratios);
        BenchRow row{name,
                     median(seconds) * scale,
                     unit,
                     most > 0 ? "at most " + to_text(most) + " x" : "",
                     most == 0 || over <= most,
                     floors.empty() ? 0 : median(floors) * scale,
                     over};
        if (run.options.on_row) run.options.on_row(row);
    }
};
constexpr int rounds_a_second = 15;

/// How far above its floor a seed step may be: where 512 bits give more than 256, their floor is half as high, and what
/// is not multiplication weighs twice.
double step_goal(std::size_t B) {
    static const bool wider_is_faster = [] {
        std::vector<double> gains;
        for (int i = 0; i < 9; ++i) gains.push_back(fma_peak(512) / std::max(fma_peak(256), 1e-9));
        return median(gains) > 1.5;
    }();
    return wider_is_faster ? 2.0 : B >= 128 ? 1.5 : 1.8;
}

std::string seed_name(const SeedStep& seed) {
    return "seed step " + std::to_string(seed.V) + "x" + std::to_string(seed.B);
}

void step(const Run& run) {
    constexpr SeedStep sizes[] = {{11, 8}, {500, 32}, {2000, 32}, {2000, 128}, {8000, 32}, {8000, 128}};
    std::vector<std::unique_ptr<Trainer>> trainers;
    std::vector<Paced> all;
    for (const SeedStep& seed : sizes) {
        Trainer& trainer = *trainers.emplace_back(seed.trainer(run.backend));
        Paced& p = all.emplace_back();
        p.seconds_of = [&run, &trainer](std::size_t steps) { return run.seconds_of(trainer, steps); };
        p.flop = seed.flop();
        p.prepare();
    }
    for (int i = 0; i < rounds_a_second; ++i)
        for (Paced& p : all) p.round(run.cores());
    const bool one = run.one_thread();
    for (std::size_t i = 0; i < all.size(); ++i) {
        const double us = median(all[i].seconds) * 1e6;
        if (!run.on_cpu() && sizes[i].V == 2000 && sizes[i].B == 32)  // the goal is for a GPU of an H100's class
            run.row(seed_name(sizes[i]), us, "us", "at most 30 us on an H100", us <= 30);
        else
            all[i].tell(run, seed_name(sizes[i]), "us", 1e6, one && sizes[i].B >= 32 ? step_goal(sizes[i].B) : 0);
    }
}

/// The model that a new user meets, as it is trained there.
void tutorial(const Run& run) {
    const auto corpus = Corpus::from_text("tutorial",
                                          "hello world how are you\nhow are you doing today\n"
                                          "hello world again\nfine thank you\n");
    std::vector<double> milliseconds;
    std::uint64_t steps = 0;
    for (int i = 0; i < 51; ++i) {
        Trainer trainer(run.backend, resolve(Experiment{}, *corpus, default_memory_limit()), corpus);
        const std::uint64_t epochs = trainer.experiment().train.epochs;
        const double start = run.now();
        while (trainer.epoch() < epochs) trainer.step();
        milliseconds.push_back((run.now() - start) * 1e3);
        steps = trainer.steps();
    }
    const double took = median(milliseconds);
    run.row("the tutorial's 100 epochs, " + std::to_string(steps) + " steps", took, "ms", "at most 10", took <= 10);
}

/// Several threads against one, on the wall.
void threads(const Run& run) {
    const int most = std::min(2, int(std::thread::hardware_concurrency()));
    if (most < 2) return;
    struct Shared {
        SeedStep seed;
        double goal;
    };
    for (const Shared& s : {Shared{{2000, 32}, 1.5}, Shared{{8000, 128}, 1.75}}) {
        const auto alone = make_backend(run.with_threads(1)), both = make_backend(run.with_threads(most));
        const auto one = s.seed.trainer(*alone), two = s.seed.trainer(*both);
        const auto wall = [](Trainer& trainer, std::size_t steps) {
            const double start = wall_seconds();
            for (std::size_t i = 0; i < steps; ++i) trainer.step();
            return wall_seconds() - start;
        };
        wall(*one, 5), wall(*two, 5);
        const std::size_t steps = std::max<std::size_t>(2, std::size_t(0.03 / (wall(*one, 5) / 5)));
        std::vector<double> ratios;
        for (int i = 0; i < rounds_a_second; ++i) {
            const double early = wall(i % 2 ? *two : *one, steps), late = wall(i % 2 ? *one : *two, steps);
            ratios.push_back(i % 2 ? late / early : early / late);
        }
        const double gain = median(ratios);
        run.row(seed_name(s.seed) + ": two threads over one", gain, "x", "at least " + to_text(s.goal), gain >= s.goal);
    }
}

void mixture(const Run& run) {
    constexpr std::size_t tokens = 2048;
    struct Layer {
        std::size_t D, E;
        double share;  // of the floor's speed that is asked for, in percent; 0: none
    };
    const auto measured = [&](std::size_t D, std::size_t E) {
        const auto backend = make_backend(run.options.backend);  // frees the layer's memory
        MixtureStep layer(*backend, D, E, tokens);
        Paced p;
        p.seconds_of = [&](std::size_t steps) {
            const double start = run.now();
            layer.run(steps);
            return run.now() - start;
        };
        p.flop = layer.flop(), p.bytes = layer.weight_bytes();
        p.prepare();
        for (int i = 0; i < rounds_a_second; ++i) p.round(run.cores());
        return p;
    };
    const bool one = run.one_thread();
    for (const Layer& l : {Layer{256, 8, 80}, Layer{256, 64, 70}}) {
        const Paced p = measured(l.D, l.E);
        const std::string name = "mixture of width " + std::to_string(l.D) + ", " + std::to_string(l.E) + " experts";
        p.tell(run, name, "ms", 1e3, 0);
        if (p.ratios.empty()) continue;
        std::vector<double> shares;
        for (std::size_t i = 0; i < p.ratios.size(); ++i) shares.push_back(100 / p.ratios[i]);
        const double share = median(shares);
        run.row(name + ": of the floor's speed", share, "%", one ? "at least " + to_text(l.share) : "",
                !one || share >= l.share);
    }
    for (const std::size_t E : {8, 32, 64, 256, 1024, 2048}) {
        const std::size_t rows = 2 * tokens / E;
        measured(64, E).tell(run, "mixture of width 64, " + with_commas(E) + " experts", "ms", 1e3,
                             !one          ? 0
                             : rows >= 128 ? 1.5
                                           : 2);
    }
}

void allocations(const Run& run) {
    if (!AllocationCount::supported()) return;
    const auto trainer = SeedStep{}.trainer(run.backend);
    run.seconds_of(*trainer, 3);
    const std::size_t steps = std::size_t(trainer->steps_per_epoch()) + 10;  // over an epoch's end as well
    std::size_t calls = 0;
    {
        const AllocationCount count;
        run.seconds_of(*trainer, steps);
        calls = count.value();
    }
    run.row("heap allocations in " + std::to_string(steps) + " steps", double(calls), "calls", "0", calls == 0);
}

void memorised(const Run& run) {
    const auto trainer = memorising_trainer(run.backend, 2000, 32);
    constexpr std::size_t steps = 5000, window = 500, slice = 25;
    std::vector<double> first, last;
    for (std::size_t i = 0; i < steps; i += slice) {
        const double seconds = run.seconds_of(*trainer, slice);
        if (i < window) first.push_back(seconds);
        if (i >= steps - window) last.push_back(seconds);
    }
    const double ratio = median(last) / median(first);
    run.row("memorised text, last 500 steps over first 500", ratio, "x", "at most 1.1", ratio <= 1.1);
}

/// Processor seconds that a session takes for `steps` steps, shown to a window 60 times a second or to nobody. The
/// frames' seconds are the processor's too, so that a busy machine does not matter.
double session_seconds(TrainingSession& session, std::uint64_t steps, bool watched) {
    const double start = process_seconds();
    double next_frame = start;
    session.run_steps(steps);
    while (!session.wait_for(0.002)) {
        if (!watched || process_seconds() < next_frame) continue;
        session.take();
        next_frame = process_seconds() + 1.0 / 60;
    }
    return process_seconds() - start;
}

void watching(const Run& run) {
    struct Watched {
        const char* name;
        SessionSetup setup;
        double goal;
    };
    std::vector<Watched> all;
    const SeedStep seed{};
    SessionSetup setup;
    setup.experiment = seed.experiment();
    setup.experiment.train.epochs = 1'000'000'000;
    setup.corpus = seed.corpus();
    setup.probe = "w1 w2 w3 w4";
    all.push_back({"a probe of 4 words", setup, 1.01});
    setup.probe.clear();
    for (int i = 0; i < 512; ++i) setup.probe += "w" + std::to_string(1 + i % 1900) + ' ';
    all.push_back({"a probe of 512 words", setup, 1.03});
    for (const Watched& w : all) {
        SessionOptions options;
        options.backend = run.with_threads(1);
        TrainingSession alone(options), shown(options);
        std::uint64_t steps = 200;
        for (TrainingSession* session : {&alone, &shown}) {
            session->open(w.setup);
            session_seconds(*session, 1500, false);  // the gate's history is kept at every step at first
        }
        steps = std::uint64_t(0.3 * double(steps) / session_seconds(alone, steps, false));
        std::vector<double> ratios;
        for (int pair = 0; pair < 15; ++pair) {  // in turns, each first as often as the other
            const double early = session_seconds(pair % 2 ? shown : alone, steps, pair % 2);
            const double late = session_seconds(pair % 2 ? alone : shown, steps, !(pair % 2));
            ratios.push_back(pair % 2 ? early / late : late / early);
        }
        const double ratio = median(ratios);
        run.row(std::string("seed step 2000x32 watched 60 times a second, ") + w.name, ratio, "x",
                "at most " + to_text(w.goal), ratio <= w.goal);
    }
}

void trace(const Run& run) {
    constexpr double in_a_frame = 30;
    struct Traced {
        SeedStep seed;
        double goal;  // milliseconds; 0: none
    };
    for (const Traced& t : {Traced{{11, 8}, 1}, Traced{{2000, 32}, in_a_frame}, Traced{{2000, 32, "top_k"}, in_a_frame},
                            Traced{{8000, 32}, 0}}) {
        const auto trainer = t.seed.trainer(run.backend);
        run.seconds_of(*trainer, 3);
        const auto state = std::make_shared<const RunState>(trainer->state());
        Tracer tracer(run.options.backend);
        std::vector<double> milliseconds;
        for (int i = 0; i < 31; ++i) {
            const double start = run.now();
            const Trace made = tracer.batch(state, trainer->corpus());
            milliseconds.push_back((run.now() - start) * 1e3);
        }
        const std::string name =
            "trace of one batch " + std::to_string(t.seed.V) + "x" + std::to_string(t.seed.B) + ", " + t.seed.router;
        const auto row = [&](const std::string& which, double value, double goal) {
            run.row(name + which, value, "ms", goal > 0 ? "at most " + to_text(goal) : "", goal == 0 || value <= goal);
        };
        row(", with a new workspace", milliseconds.front(), t.goal > 0 ? in_a_frame : 0);
        row("", median(milliseconds), t.goal);
    }
}

double seconds_of(const std::function<void()>& act) {
    const double start = wall_seconds();
    act();
    return wall_seconds() - start;
}

/// The time machine, on the wall as it is waited for.
void scrub(const Run& run) {
    struct Scrubbed {
        const char* name;
        SessionSetup setup;
        std::uint64_t steps;
        double goal;  // milliseconds
    };
    std::vector<Scrubbed> all(2);
    all[0] = {"tutorial", {}, 20000, 300};
    all[0].setup.corpus = Corpus::from_text("tutorial",
                                            "hello world how are you\nhow are you doing today\n"
                                            "hello world again\nfine thank you\n");
    all[0].setup.probe = "hello world how are";
    all[1] = {"2000x32", {}, 4000, 1000};
    all[1].setup.experiment = SeedStep{}.experiment();
    all[1].setup.corpus = SeedStep{}.corpus();
    all[1].setup.probe = "w1 w2 w3 w4";
    for (Scrubbed& s : all) {
        s.setup.experiment.train.epochs = 1'000'000'000;
        const std::string name = std::string(s.name) + ", " + with_commas(s.steps) + " steps";
        SessionOptions options;
        options.backend = run.with_threads(1);
        TrainingSession session(options), without(options);
        without.set_checkpoint_budget(0);
        for (TrainingSession* each : {&session, &without}) {
            each->open(s.setup);
            session_seconds(*each, 500, false);
        }
        // The same steps with and without, in turns.
        std::vector<double> ratios;
        constexpr std::uint64_t rounds = 14;
        for (std::uint64_t round = 0; round < rounds; ++round) {
            const std::uint64_t steps = (s.steps - 500) / rounds;
            const double early = session_seconds(round % 2 ? without : session, steps, false);
            const double late = session_seconds(round % 2 ? session : without, steps, false);
            ratios.push_back(round % 2 ? late / early : early / late);
        }
        session_seconds(session, s.steps - session.take()->step, false);
        run.row(name + ": training with checkpoints over without", median(ratios), "x", "at most 1.01",
                median(ratios) <= 1.01);

        const auto look = [&](std::uint64_t step) {
            return 1e3 * seconds_of([&] {
                       session.look_at(step);
                       for (;;) {
                           const auto shown = session.looked_at();
                           if (shown && shown->step == step) return;
                           std::this_thread::sleep_for(std::chrono::microseconds(50));
                       }
                   });
        };
        look(s.steps / 2);
        std::vector<double> far, near;
        for (std::uint64_t i = 1; i <= 40; ++i) far.push_back(look(i * 7919 * 13 % s.steps));
        const std::uint64_t from = s.steps / 3;
        for (std::uint64_t i = 0; i < 60; ++i) near.push_back(look(i < 30 ? from - i : from - 60 + i));
        std::sort(far.begin(), far.end());
        std::sort(near.begin() + 1, near.end());
        run.row(name + ": a step far away", median(far), "ms");
        run.row(name + ": a step far away, slowest of 40", far.back(), "ms", "at most " + to_text(s.goal),
                far.back() <= s.goal);
        run.row(name + ": the step before or after, 9 of 10 within", near[54], "ms");
        const double traced = 1e3 * seconds_of([&] { session.trace(s.steps).get(); });
        run.row(name + ": the present batch's trace, at first", traced, "ms");
        std::vector<double> traces;
        for (int i = 0; i < 15; ++i) {
            session_seconds(session, 1, false);
            traces.push_back(1e3 * seconds_of([&] { session.trace(session.take()->step).get(); }));
        }
        run.row(name + ": the next batch's trace", median(traces), "ms", "at most 30", median(traces) <= 30);
        run.row(name + ": checkpoints", double(session.take()->checkpoints.count), "kept");
    }
}

struct BenchCase {
    const char* name;
    const char* help;
    void (*run)(const Run&);
    bool of_cpu = false;  // asks about the CPU alone
};

/// A new case is its function and a line here.
constexpr BenchCase cases[] = {
    {"peak", "fused multiply-adds that one core does, by width of register", peak, true},
    {"step", "training steps of the seed model, V words x B examples, against the floor of their FLOP at the peak",
     step},
    {"tutorial", "all epochs of the model that a new user meets", tutorial},
    {"threads", "what a second thread gains", threads, true},
    {"mixture", "the mixture layer with 8 to 2,048 experts, against the floor of its FLOP and its memory", mixture},
    {"allocations", "calls of malloc and its relatives in training steps", allocations, true},
    {"watching", "what a step costs more while a window shows the model, by the length of the probe text", watching,
     true},
    {"trace", "a batch evaluated op by op, with every value and gradient, as stepping through it shows them", trace},
    {"scrub", "the time machine: what checkpoints cost training, and how soon any step of a run is shown", scrub},
    {"memorised", "whether steps slow down once a text is known by heart (denormal numbers)", memorised},
};

const BenchCase& find(const std::string& name, const std::vector<std::string>& others = {}) {
    std::string known;
    for (const BenchCase& c : cases) {
        if (name == c.name) return c;
        known += (known.empty() ? "" : ", ") + std::string(c.name);
    }
    for (const std::string& other : others) known += ", " + other;
    throw UsageError("There is no bench case '" + name + "'; there are " + known + ".");
}

}  // namespace

std::vector<std::string> bench_cases() {
    std::vector<std::string> names;
    for (const BenchCase& c : cases) names.emplace_back(c.name);
    return names;
}

std::string bench_case_help(const std::string& name) {
    return find(name).help;
}

void run_bench(const BenchOptions& options) {
    for (const std::string& name : options.cases)  // before the first takes its time
        if (find(name, options.others).of_cpu && options.backend.device == "cuda")
            throw UsageError("The bench case '" + name +
                             "' asks about the CPU alone; leave out --device, or take cpu.");
    const auto backend = make_backend(options.backend);
    const Run run{options, *backend};
    if (options.on_device) options.on_device(backend->name());
    for (const std::string& name : options.cases.empty() ? bench_cases() : options.cases) {
        const BenchCase& c = find(name);
        if (!c.of_cpu || run.on_cpu()) c.run(run);
    }
}

}  // namespace moe
