// Every number of a trace against plain loops in double; every gradient against differences of these loops, which know
// no backward formula.
#include "engine/core/family.h"
#include "engine/core/rng.h"
#include "engine/core/settings.h"
#include "engine/model/language_model.h"
#include "engine/routing/router.h"
#include "engine/train/tracer.h"
#include "engine/train/trainer.h"
#include "tests/support/small_corpus.h"
#include "tests/support/thorough.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <map>

using namespace moe;
using namespace moe::test;

namespace {

constexpr double bound = 1e-10;  // normalised mean squared error: five digits of each array
constexpr double step = 1e-4;    // of the differences

using Numbers = std::vector<double>;

/// A model in plain loops: the loss as a function of every number on the way. `moved` is one number of one array that
/// is nudged where it is read. G rows stand at the gate: the N phrases' means, or all tokens.
struct Loops {
    std::map<std::string, Numbers> parameters, values;
    const Trace& trace;
    std::size_t N, T, V, D, H, E, K, G;
    bool tokens, mask;
    std::vector<std::size_t> chosen;  // (G, K)
    Numbers fractions;                // (E) of the assignments: constants of the gradient
    double cross_entropy = 0, balance = 0;

    std::string moved;
    std::size_t place = 0;
    double by = 0;

    explicit Loops(const Trace& t) : trace(t) {
        const ModelSpec& s = t.experiment.model;
        N = t.examples, T = s.max_seq_len, V = s.vocabulary, D = s.embedding_dim, H = s.hidden_dim;
        E = s.num_experts, K = s.router == "soft" ? E : s.top_k;
        tokens = s.family == "token", mask = s.mask_zero, G = tokens ? N * T : N;
        for (const NamedArray& p : t.state->parameters) parameters[p.name].assign(p.values.begin(), p.values.end());
        run();
        fractions.assign(E, 0.0);
        for (std::size_t n = 0; n < G; ++n) {
            const double* z = &values.at("gate_logits")[n * E];
            std::vector<std::size_t> order(E);
            for (std::size_t e = 0; e < E; ++e) order[e] = e;
            std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return z[a] > z[b]; });
            const std::size_t counted = s.router == "soft" ? 1 : K;
            for (std::size_t k = 0; k < counted && in_balance(n); ++k)
                fractions[order[k]] += 1.0 / (balanced_rows() * double(counted));
            if (s.router == "soft") std::sort(order.begin(), order.end());
            chosen.insert(chosen.end(), order.begin(), order.begin() + std::ptrdiff_t(K));
        }
        run();
    }

    /// A mask keeps padding that stands at the gate out of the balance loss.
    bool in_balance(std::size_t g) const { return !(tokens && mask) || trace.ids[g] != 0; }
    double balanced_rows() const {
        double rows = 0;
        for (std::size_t g = 0; g < G; ++g) rows += in_balance(g);
        return rows;
    }

    double unit(double a) const {
        const std::string& f = trace.experiment.model.activation;
        if (f == "linear") return a;
        if (f == "tanh") return 2 / (1 + std::exp(-2 * a)) - 1;
        if (f == "gelu") return a * (1 + std::erf(a / std::sqrt(2.0))) / 2;
        if (f == "gelu_tanh") return a / (1 + std::exp(-1.5957691216057308 * (a + 0.044715 * a * a * a)));
        REQUIRE(f == "relu");
        return std::max(0.0, a);
    }

    double loss() {
        run();
        return cross_entropy + balance;
    }

    /// Which hidden units are on: between two patterns the loss has a kink, where the activation has one.
    std::vector<bool> pattern() const {
        std::vector<bool> on;
        if (trace.experiment.model.activation != "relu") return on;
        for (const double h : values.at("hidden_sums")) on.push_back(h > 0);
        return on;
    }

    void run() {
        const auto parameter = parameters.find(moved);
        if (parameter == parameters.end()) return forward();
        double& number = parameter->second[place];
        const double kept = number;
        number += by;
        forward();
        number = kept;
    }

    void forward() {
        const Numbers& table = parameters.at("embedding");
        const Numbers& gate_bias = parameters.at("gate/bias");
        const Numbers& gate_kernel = parameters.at("gate/kernel");
        const Numbers& hidden_bias = parameters.at("experts/hidden/bias");
        const Numbers& hidden_kernel = parameters.at("experts/hidden/kernel");
        const Numbers& output_bias = parameters.at("experts/output/bias");
        const Numbers& output_kernel = parameters.at("experts/output/kernel");
        const Numbers& head_bias = parameters.at("head/bias");
        const Numbers& head_kernel = parameters.at("head/kernel");
        Numbers& rows = fresh("embedding_rows", N * T * D);
        for (std::size_t i = 0; i < N * T; ++i)
            for (std::size_t d = 0; d < D; ++d)
                if (!(tokens && mask) || trace.ids[i] != 0) rows[i * D + d] = table[std::size_t(trace.ids[i]) * D + d];
        nudge("embedding_rows");
        if (!tokens) mean_of(rows);
        const std::string routed = tokens ? "embedding_rows" : "mean", short_name = tokens ? "rows" : "mean";
        Numbers& to_gate = copy(short_name + "_gate", routed);
        Numbers& to_experts = copy(short_name + "_experts", routed);
        Numbers& z = fresh("gate_logits", G * E);
        for (std::size_t n = 0; n < G; ++n)
            for (std::size_t e = 0; e < E; ++e) {
                z[n * E + e] = gate_bias[e];
                for (std::size_t d = 0; d < D; ++d) z[n * E + e] += to_gate[n * D + d] * gate_kernel[d * E + e];
            }
        nudge("gate_logits");
        if (chosen.empty()) return;  // the choice is made by now, and stays
        Numbers& probs = softmax("gate_probs", copy("gate_logits_balance", "gate_logits"), G, E);
        Numbers& counted = copy("gate_probs_balance", "gate_probs");
        const Numbers& answering = copy("gate_logits_task", "gate_logits");
        Numbers picked(G * K);
        for (std::size_t i = 0; i < G * K; ++i) picked[i] = answering[i / K * E + chosen[i]];
        Numbers& weights = softmax("expert_weights", picked, G, K);
        nudge("expert_weights");

        Numbers& sums = fresh("hidden_sums", G * K * H);
        for (std::size_t i = 0; i < G * K; ++i)
            for (std::size_t h = 0; h < H; ++h) {
                sums[i * H + h] = hidden_bias[chosen[i] * H + h];
                for (std::size_t d = 0; d < D; ++d)
                    sums[i * H + h] += to_experts[i / K * D + d] * hidden_kernel[(chosen[i] * D + d) * H + h];
            }
        nudge("hidden_sums");
        Numbers& hidden = fresh("hidden", G * K * H);
        for (std::size_t i = 0; i < hidden.size(); ++i) hidden[i] = unit(sums[i]);
        nudge("hidden");
        Numbers& answers = fresh("answers", G * K * D);
        for (std::size_t i = 0; i < G * K; ++i)
            for (std::size_t d = 0; d < D; ++d) {
                answers[i * D + d] = output_bias[chosen[i] * D + d];
                for (std::size_t h = 0; h < H; ++h)
                    answers[i * D + d] += hidden[i * H + h] * output_kernel[(chosen[i] * H + h) * D + d];
            }
        nudge("answers");
        Numbers& mixed = fresh("mixed", G * D);
        for (std::size_t i = 0; i < G * K; ++i)
            for (std::size_t d = 0; d < D; ++d) mixed[i / K * D + d] += weights[i] * answers[i * D + d];
        nudge("mixed");
        const Numbers& phrase = tokens ? mean_of(mixed) : mixed;
        Numbers& logits = fresh("logits", N * V);
        for (std::size_t n = 0; n < N; ++n)
            for (std::size_t v = 0; v < V; ++v) logits[n * V + v] = head_bias[v];
        for (std::size_t n = 0; n < N; ++n)
            for (std::size_t d = 0; d < D; ++d)
                for (std::size_t v = 0; v < V; ++v) logits[n * V + v] += phrase[n * D + d] * head_kernel[d * V + v];
        nudge("logits");
        const Numbers& words = softmax("probs", logits, N, V);

        Numbers& losses = fresh("loss", N);
        cross_entropy = balance = 0;
        for (std::size_t n = 0; n < N && !trace.targets.empty(); ++n) {
            losses[n] = -std::log(words[n * V + std::size_t(trace.targets[n])]);
            cross_entropy += losses[n] / double(N);
        }
        const double weight = trace.experiment.model.balance_loss;
        for (std::size_t n = 0; n < G; ++n)
            for (std::size_t e = 0; e < E && in_balance(n); ++e)
                balance += weight * double(E) * fractions[e] * counted[n * E + e] / balanced_rows();
        static_cast<void>(probs);
    }

    Numbers& mean_of(const Numbers& rows) {
        Numbers& mean = fresh("mean", N * D);
        for (std::size_t n = 0; n < N; ++n) {
            double count = 0;
            for (std::size_t t = 0; t < T; ++t) count += !mask || trace.ids[n * T + t] != 0;
            for (std::size_t t = 0; t < T; ++t)
                for (std::size_t d = 0; d < D; ++d)
                    if (!mask || trace.ids[n * T + t] != 0) mean[n * D + d] += rows[(n * T + t) * D + d] / count;
        }
        nudge("mean");
        return mean;
    }

    Numbers& fresh(const std::string& name, std::size_t size) {
        Numbers& numbers = values[name];
        numbers.assign(size, 0.0);
        return numbers;
    }
    Numbers& copy(const std::string& name, const std::string& from) {
        values[name] = values.at(from);
        nudge(name);
        return values[name];
    }
    Numbers& softmax(const std::string& name, const Numbers& scores, std::size_t rows, std::size_t columns) {
        Numbers& probs = fresh(name, rows * columns);
        for (std::size_t n = 0; n < rows; ++n) {
            const auto begin = scores.begin() + std::ptrdiff_t(n * columns);
            const double top = *std::max_element(begin, begin + std::ptrdiff_t(columns));
            double sum = 0;
            for (std::size_t i = 0; i < columns; ++i)
                sum += probs[n * columns + i] = std::exp(begin[std::ptrdiff_t(i)] - top);
            for (std::size_t i = 0; i < columns; ++i) probs[n * columns + i] /= sum;
        }
        return probs;
    }
    void nudge(const std::string& name) {
        if (moved == name) values.at(name)[place] += by;
    }
};

double square_sum(std::span<const double> x) {
    double sum = 0;
    for (const double v : x) sum += v * v;
    return sum;
}

/// `least`: the size below which the array's own scale says nothing, since it is 0 by its nature.
double nmse(std::span<const float> found, const Numbers& wanted, double least = 0) {
    REQUIRE(found.size() == wanted.size());
    double error = 0;
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        const double d = double(found[i]) - wanted[i];
        error += d * d;
    }
    if (error == 0) return 0;
    return error / std::max(square_sum(wanted), double(wanted.size()) * least * least);
}

/// Gradient of the loss by every number of `name`, by differences over four points; what lies near a kink is taken from
/// `found` and counted.
Numbers differences(Loops& f, const std::string& name, std::span<const float> found, std::size_t& skipped) {
    Numbers gradient(found.size());
    f.moved = name;
    const auto at = [&](double by) {
        f.by = by;
        return f.loss();
    };
    for (f.place = 0; f.place < found.size(); ++f.place) {
        const double far_below = at(-2 * step);
        const std::vector<bool> pattern = f.pattern();
        const double far_above = at(2 * step);
        if (pattern == f.pattern()) {
            gradient[f.place] = (far_below - 8 * at(-step) + 8 * at(step) - far_above) / (12 * step);
        } else {
            gradient[f.place] = double(found[f.place]);
            ++skipped;
        }
    }
    f.moved.clear();
    f.run();
    return gradient;
}

struct Setup {
    Experiment experiment;
    std::uint64_t next_example = 0;
};

/// Every family, router and K, mask, balance loss; whole and short batches; sizes from 1 on.
std::vector<Setup> setups() {
    std::vector<Setup> all;
    for (const FamilyInfo& family : families) {
        for (const RouterInfo& router : routers())
            for (const std::size_t E : {1, 2, 4, 5}) {
                if (!test::thorough && E % 2 == 0) continue;
                for (const std::size_t K : {std::size_t(1), std::size_t(2), E})
                    for (const bool mask : {false, true})
                        for (const double balance : {0.0, 0.5}) {
                            Experiment x = tutorial_experiment();
                            x.model.family = family.id, x.model.router = router.id;
                            x.model.num_experts = E, x.model.top_k = K;
                            if (K > E || experts_per_token(x.model) != K) continue;
                            x.model.mask_zero = mask, x.model.balance_loss = balance;
                            x.model.embedding_dim = 5, x.model.hidden_dim = 6;
                            x.train.batch_size = 5;
                            all.push_back({x, mask ? 10u : 5u});  // of 12: a short batch, and a whole one
                        }
            }
        for (const char* activation : {"linear", "gelu", "gelu_tanh", "tanh"})
            for (const char* router : {"soft", "top_k"}) {
                Setup s{tutorial_experiment(), 5};
                s.experiment.model.family = family.id;
                s.experiment.model.activation = activation, s.experiment.model.router = router;
                s.experiment.model.embedding_dim = 5, s.experiment.model.hidden_dim = 6;
                s.experiment.train.batch_size = 5;
                all.push_back(s);
            }
    }
    Setup tiny{tutorial_experiment(), 4};
    tiny.experiment.model.embedding_dim = tiny.experiment.model.hidden_dim = tiny.experiment.model.max_seq_len = 1;
    all.push_back(tiny);
    Setup longer{tutorial_experiment(), 0};
    longer.experiment.model.vocabulary = 13, longer.experiment.model.max_seq_len = 9;
    longer.experiment.model.embedding_dim = 3, longer.experiment.model.hidden_dim = 17;
    longer.experiment.train.batch_size = 64, longer.experiment.train.shuffle = false;
    all.push_back(longer);
    return all;
}

/// Weights large enough that every gradient shows, and moments as training leaves them.
std::shared_ptr<const RunState> state_of(const Setup& setup, double scale) {
    auto state = std::make_shared<RunState>();
    state->experiment = setup.experiment;
    state->step = 41, state->epoch = 13, state->next_example = setup.next_example;
    state->parameters = state->momentum = state->velocity = canonical_parameters(setup.experiment.model);
    Rng rng(5);
    const auto fill = [&](std::vector<NamedArray>& arrays, double low, double high) {
        for (NamedArray& a : arrays) {
            a.values.resize(a.shape[0] * a.shape[1] * a.shape[2]);
            for (float& v : a.values) v = float(low + (high - low) * rng.uniform());
        }
    };
    fill(state->parameters, -scale, scale);
    fill(state->momentum, -0.02, 0.02);
    fill(state->velocity, 0, 0.001);
    return state;
}

std::string describe(const Setup& setup) {
    const ModelSpec& s = setup.experiment.model;
    return s.family + ", " + s.router + ", " + std::to_string(experts_per_token(s)) + " of " +
           std::to_string(s.num_experts) + (s.mask_zero ? ", mask" : "") + (s.balance_loss > 0 ? ", balance" : "") +
           ", " + s.activation;
}

void check_forward(const Trace& trace, Loops& loops) {
    for (const TraceValue& value : trace.values) {
        if (value.name.starts_with("d_")) continue;
        CAPTURE(value.name);
        const double error = nmse(value.values, loops.values.at(value.name));
        CHECK(error <= bound);
    }
    REQUIRE(trace.expert_indices.size() == loops.chosen.size());
    for (std::size_t i = 0; i < loops.chosen.size(); ++i)
        CHECK(std::size_t(trace.expert_indices[i]) == loops.chosen[i]);
}

}  // namespace

TEST_CASE("every value of a trace agrees with plain loops in double, every gradient with their differences") {
    const auto corpus = tutorial_corpus();
    std::size_t numbers = 0, skipped = 0;
    double worst = 0;
    for (const Setup& setup : setups()) {
        const std::string model = describe(setup);
        CAPTURE(model);
        const auto state = state_of(setup, 0.8);
        const auto backend = make_backend({"cpu", 1});
        const Trace trace = trace_batch(*backend, state, *corpus);
        REQUIRE(trace.examples == std::min(setup.experiment.train.batch_size, 12 - std::size_t(setup.next_example)));
        Loops loops(trace);
        check_forward(trace, loops);
        CHECK(double(trace.loss) == doctest::Approx(loops.cross_entropy).epsilon(1e-6));
        CHECK(double(trace.balance) == doctest::Approx(loops.balance).epsilon(1e-6));
        std::size_t correct = 0;
        for (std::size_t n = 0; n < trace.examples; ++n) {
            const auto row = loops.values.at("logits").begin() + std::ptrdiff_t(n * loops.V);
            correct += std::max_element(row, row + std::ptrdiff_t(loops.V)) - row == trace.targets[n];
        }
        CHECK(trace.correct == correct);

        // Gradients that are 0 by their nature (one expert's weight is always 1) are held against the scores' own, and
        // what the balance loss leaves where everybody is chosen against what went in.
        const auto rms = [&](const char* name) {
            const std::vector<float>& v = trace.find(name)->values;
            return std::sqrt(square_sum(Numbers(v.begin(), v.end())) / double(v.size()));
        };
        const double least = 1e-4 * rms("d_logits");
        const auto check = [&](const std::string& name, std::span<const float> found, double scale) {
            CAPTURE(name);
            const Numbers wanted = differences(loops, name, found, skipped);
            numbers += found.size();
            const double error = nmse(found, wanted, scale);
            worst = std::max(worst, error);
            CHECK(error <= bound);
        };
        for (const TraceValue& value : trace.values)
            if (value.name.starts_with("d_"))
                check(value.name.substr(2), value.values,
                      value.name == "d_gate_logits_balance" ? least + 0.01 * rms("d_gate_probs_balance") : least);
        for (const NamedArray& gradient : trace.gradients) check(gradient.name, gradient.values, least);

        const auto sum_of = [&](const char* a, const char* b) {
            Numbers sum;
            for (std::size_t i = 0; i < trace.find(a)->values.size(); ++i)
                sum.push_back(double(trace.find(a)->values[i]) + double(trace.find(b)->values[i]));
            return sum;
        };
        if (loops.tokens)
            CHECK(nmse(trace.find("d_embedding_rows")->values, sum_of("d_rows_experts", "d_rows_gate")) <= 1e-13);
        else
            CHECK(nmse(trace.find("d_mean")->values, sum_of("d_mean_experts", "d_mean_gate")) <= 1e-13);
        CHECK(nmse(trace.find("d_gate_logits")->values, sum_of("d_gate_logits_task", "d_gate_logits_balance")) <=
              1e-12);
    }
    INFO(numbers << " gradients, worst NMSE " << worst);
    CHECK(skipped * 200 <= numbers);
}

TEST_CASE("task and balance loss reach the gate as differences of each loss alone say") {
    const auto corpus = tutorial_corpus();
    for (const Setup& setup : setups()) {
        if (setup.experiment.model.balance_loss == 0 || experts_per_token(setup.experiment.model) < 2) continue;
        const std::string model = describe(setup);
        CAPTURE(model);
        const auto backend = make_backend({"cpu", 1});
        const Trace trace = trace_batch(*backend, state_of(setup, 0.8), *corpus);
        Loops loops(trace);
        loops.moved = "gate_logits";
        Numbers task, balance;
        for (loops.place = 0; loops.place < loops.G * loops.E; ++loops.place) {
            Numbers ce, lb;
            for (const double by : {-2 * step, -step, step, 2 * step}) {
                loops.by = by;
                loops.run();
                ce.push_back(loops.cross_entropy), lb.push_back(loops.balance);
            }
            const auto slope = [](const Numbers& at) { return (at[0] - 8 * at[1] + 8 * at[2] - at[3]) / (12 * step); };
            task.push_back(slope(ce)), balance.push_back(slope(lb));
        }
        CHECK(nmse(trace.find("d_gate_logits_task")->values, task) <= bound);
        CHECK(nmse(trace.find("d_gate_logits_balance")->values, balance,
                   loops.K == loops.E ? 0.01 * std::sqrt(square_sum(task)) : 0) <= bound);
    }
}

TEST_CASE("the update is Adam's, number by number") {
    const auto corpus = tutorial_corpus();
    const Setup setup = setups().front();
    const auto state = state_of(setup, 0.8);
    const auto backend = make_backend({"cpu", 1});
    const Trace trace = trace_batch(*backend, state, *corpus);
    const double rate =
        setup.experiment.train.learning_rate * std::sqrt(1 - std::pow(0.999, 42)) / (1 - std::pow(0.9, 42));
    CHECK(double(trace.rate) == doctest::Approx(rate).epsilon(1e-5));
    for (std::size_t p = 0; p < trace.gradients.size(); ++p) {
        CAPTURE(trace.gradients[p].name);
        CHECK(trace.gradients[p].name == state->parameters[p].name);
        Numbers w, m, v;
        for (std::size_t i = 0; i < trace.gradients[p].values.size(); ++i) {
            const double g = double(trace.gradients[p].values[i]);
            m.push_back(0.9 * double(state->momentum[p].values[i]) + 0.1 * g);
            v.push_back(0.999 * double(state->velocity[p].values[i]) + 0.001 * g * g);
            w.push_back(double(state->parameters[p].values[i]) - double(trace.rate) * m[i] / (std::sqrt(v[i]) + 1e-7));
        }
        CHECK(nmse(trace.new_parameters[p].values, w) <= bound);
        CHECK(nmse(trace.new_momentum[p].values, m) <= bound);
        CHECK(nmse(trace.new_velocity[p].values, v) <= bound);
    }
}

TEST_CASE("with embedding_squares=per_occurrence v counts the squares of each place of a word") {
    const auto corpus = tutorial_corpus();
    for (const bool mask : {false, true})
        for (const FamilyInfo& family : families) {
            Setup setup = setups().front();
            setup.experiment.model.family = family.id;
            setup.experiment.train.embedding_squares = "per_occurrence";
            setup.experiment.model.mask_zero = mask;
            const auto state = state_of(setup, 0.8);
            const auto backend = make_backend({"cpu", 1});
            const Trace trace = trace_batch(*backend, state, *corpus);
            const std::size_t D = setup.experiment.model.embedding_dim;
            const std::vector<float>& places = trace.find("d_embedding_rows")->values;
            Numbers squares(trace.gradients[0].values.size());
            for (std::size_t i = 0; i < trace.ids.size(); ++i)
                for (std::size_t d = 0; d < D; ++d)
                    squares[std::size_t(trace.ids[i]) * D + d] += std::pow(double(places[i * D + d]), 2);
            double apart = 0;
            for (std::size_t p = 0; p < trace.gradients.size(); ++p) {
                CAPTURE(trace.gradients[p].name);
                Numbers v, whole;
                for (std::size_t i = 0; i < trace.gradients[p].values.size(); ++i) {
                    const double g2 = std::pow(double(trace.gradients[p].values[i]), 2),
                                 before = 0.999 * double(state->velocity[p].values[i]);
                    whole.push_back(before + 0.001 * g2);
                    v.push_back(before + 0.001 * (p == 0 ? squares[i] : g2));
                    if (p == 0)
                        CHECK(trace.squared_gradient("embedding", i) == doctest::Approx(squares[i]).epsilon(1e-9));
                }
                CHECK(nmse(trace.new_velocity[p].values, v) <= bound);
                if (p == 0) apart = nmse(trace.new_velocity[p].values, whole);
            }
            CHECK(apart > 1e4 * bound);  // the words of the batch stand in several places

            // The step of training is the trace's.
            Trainer trainer(*backend, *state, corpus);
            trainer.step();
            const RunState after = trainer.state();
            for (std::size_t p = 0; p < trace.gradients.size(); ++p) {
                CHECK(after.velocity[p].values == trace.new_velocity[p].values);
                CHECK(after.parameters[p].values == trace.new_parameters[p].values);
            }
        }
}

TEST_CASE("sizes of several tiles: values as in plain loops, gradients as the reference ops in double give them") {
    std::string text;
    Rng rng(3);
    for (int line = 0; line < 120; ++line, text += '\n')
        for (int i = 0; i < 21; ++i) text += "w" + std::to_string(rng.below(600)) + ' ';
    const auto corpus = Corpus::from_text("words", text);
    for (const FamilyInfo& family : families)
        for (const RouterInfo& router : routers())
            for (const bool mask : {false, true}) {
                Setup setup;
                ModelSpec& s = setup.experiment.model;
                s.family = family.id, s.router = router.id, s.mask_zero = mask, s.balance_loss = 0.01;
                s.vocabulary = corpus->tokenizer().vocabulary(), s.max_seq_len = 20;
                s.embedding_dim = 70, s.hidden_dim = 130, s.num_experts = 7, s.top_k = 3;
                setup.experiment.train.batch_size = family.routes_tokens ? 40 : 300;
                const std::string model = describe(setup);
                CAPTURE(model);
                const auto state = state_of(setup, 0.3);
                const auto backend = make_backend({"cpu", 2});
                const Trace trace = trace_batch(*backend, state, *corpus);
                Loops loops(trace);
                check_forward(trace, loops);

                const auto reference = make_reference_backend<double>();
                Parameters<double> parameters(*reference);
                add_parameters(parameters, s);
                upload_parameters(*reference, parameters, state->parameters);
                LanguageModel<double> whole(*reference, parameters, s, trace.examples, ModelUse::train);
                const Ids ids = reference->allocate_ids({{trace.examples, s.max_seq_len, 1}}),
                          targets = reference->allocate_ids({{trace.examples, 1, 1}});
                reference->upload(ids, trace.ids.data());
                reference->upload(targets, trace.targets.data());
                const auto context = whole.forward(ids);
                whole.loss(context, targets);
                whole.backward(context);
                for (const NamedArray& gradient : trace.gradients) {
                    CAPTURE(gradient.name);
                    Numbers wanted(gradient.values.size());
                    reference->download(parameters.find(gradient.name).gradient, wanted.data());
                    CHECK(nmse(gradient.values, wanted) <= bound);
                }
            }
}

TEST_CASE("the loss of an example stays a number where its word's probability is none") {
    const auto corpus = tutorial_corpus();
    const Setup setup{tutorial_experiment(), 0};
    auto state = std::make_shared<RunState>(*state_of(setup, 0.1));
    NamedArray& bias = state->parameters.back();
    REQUIRE(bias.name == "head/bias");
    bias.values[0] = 500;  // padding, which is nobody's next word
    const auto backend = make_backend({"cpu", 1});
    const Trace trace = trace_batch(*backend, state, *corpus);
    double mean = 0;
    for (std::size_t n = 0; n < trace.examples; ++n) {
        const double loss = double(trace.find("loss")->values[n]);
        CHECK(trace.find("probs")->of(n)[std::size_t(trace.targets[n])] == 0);
        CHECK(loss == doctest::Approx(500).epsilon(0.01));
        mean += loss / double(trace.examples);
    }
    CHECK(double(trace.loss) == doctest::Approx(mean).epsilon(1e-6));
}
