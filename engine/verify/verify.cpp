#include "engine/verify/verify.h"

#include "engine/core/float_mode.h"
#include "engine/core/settings.h"
#include "engine/model/language_model.h"
#include "engine/verify/op_table.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace moe {

namespace {

constexpr double gradient_bound = 1e-8, loss_bound = 1e-3, value_bound = 1e-10, choice_gap = 1e-5;
constexpr double step = 1e-3;  // of the differences: 4 points err by step^4, rounding by 1e-16 / step

constexpr std::size_t most_checked = 500;  // of one tensor that are checked; each costs four forward passes

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

/// max() that keeps NaN: a broken number must not pass as a small one.
double worse(double a, double b) {
    return std::isnan(a) || std::isnan(b) ? nan : std::max(a, b);
}

template <class T>
std::vector<double> host(Backend<T>& backend, Tensor<T> tensor) {
    std::vector<T> values(tensor.count());
    backend.download(tensor, values.data());
    return {values.begin(), values.end()};
}

std::vector<std::int32_t> host(auto& backend, Ids tensor) {
    std::vector<std::int32_t> values(tensor.count());
    backend.download(tensor, values.data());
    return values;
}

/// What a gradient check needs of the thing that it checks.
struct Differentiable {
    std::function<double()> value;                      // runs the forward pass
    std::function<std::vector<std::int32_t>()> pieces;  // which piece of a piecewise function the last value() was on
};

/// Largest deviation of `analytic` from differences by `variable`, absolute; counts what it skips.
struct Deviation {
    double worst = 0, largest = 0;  // deviation; gradient
    std::size_t numbers = 0, skipped = 0;
};

Deviation deviation(Backend<double>& backend, Tensor<double> variable, const std::vector<double>& analytic,
                    const Differentiable& f) {
    Deviation d;
    std::vector<double> x = host(backend, variable);
    const auto at = [&](double& number, double value) {
        number = value;
        backend.upload(variable, x.data());
        return f.value();
    };
    const std::size_t stride = x.size() / most_checked + 1;
    for (std::size_t i = 0; i < x.size(); i += stride) {
        const double centre = x[i];
        ++d.numbers;
        if (f.pieces) {
            at(x[i], centre - 10 * step);
            const auto below = f.pieces();
            at(x[i], centre + 10 * step);
            if (f.pieces() != below) {
                ++d.skipped;
                at(x[i], centre);
                continue;
            }
        }
        const double numeric = (at(x[i], centre - 2 * step) - 8 * at(x[i], centre - step) +
                                8 * at(x[i], centre + step) - at(x[i], centre + 2 * step)) /
                               (12 * step);
        at(x[i], centre);
        d.worst = worse(d.worst, std::abs(numeric - analytic[i]));
        d.largest = worse(d.largest, std::abs(numeric));
    }
    return d;
}

VerifyRow gradient_row(std::string name, const std::vector<Deviation>& tensors) {
    VerifyRow row{std::move(name), "relative error of the gradient", 0, gradient_bound, false, {}};
    double largest = 0;
    std::size_t numbers = 0, skipped = 0;
    for (const Deviation& d : tensors) largest = worse(largest, d.largest);
    for (const Deviation& d : tensors) {
        // A gradient that is zero by its nature has no scale of its own: it is held against the largest one's.
        row.worst = worse(row.worst, d.worst / std::max(d.largest, 1e-3 * largest));
        numbers += d.numbers, skipped += d.skipped;
    }
    row.ok = largest > 0 && row.worst <= row.bound && skipped * 5 <= numbers;
    row.detail = std::to_string(numbers) + " numbers";
    if (skipped > 0) row.detail += ", " + std::to_string(skipped) + " skipped near a kink";
    return row;
}

/// One op over all the table's sizes that differences can afford.
VerifyRow op_gradient(const ops::Row& row) {
    std::vector<Deviation> tensors;
    for (const ops::Sizes& sizes : ops::all_sizes()) {
        if (sizes.of('V') * sizes.of('N') > 1000) continue;  // each number costs four forward passes
        const auto backend = make_reference_backend<double>();
        ops::Io<double> io(*backend, row.args, sizes, 5);
        std::vector<std::vector<double>> before, analytic;
        for (const ops::Wrt& w : row.wrt) before.push_back(io.get(w.gradient));
        row.forward(io);
        row.backward(io);
        for (std::size_t i = 0; i < row.wrt.size(); ++i) {
            analytic.push_back(io.get(row.wrt[i].gradient));
            const auto arg = std::find_if(row.args.begin(), row.args.end(),
                                          [&](const ops::Arg& x) { return x.name == row.wrt[i].gradient; });
            if (arg->content == ops::Content::added_to)
                for (std::size_t j = 0; j < analytic[i].size(); ++j) analytic[i][j] -= before[i][j];
        }
        const std::vector<double> dy = io.get(row.cotangent);
        Differentiable f;
        f.value = [&] {
            row.forward(io);
            const std::vector<double> y = io.get(row.output);
            return std::inner_product(y.begin(), y.end(), dy.begin(), 0.0);
        };
        if (row.has_kink)
            f.pieces = [&] {
                std::vector<std::int32_t> on;
                for (const double y : io.get(row.output)) on.push_back(y > 0);
                return on;
            };
        for (std::size_t i = 0; i < row.wrt.size(); ++i)
            tensors.push_back(deviation(*backend, io(row.wrt[i].input), analytic[i], f));
    }
    return gradient_row(row.name, tensors);
}

/// A small model with weights large enough that every gradient shows.
template <class T>
struct SmallModel {
    static constexpr std::size_t N = 6, tokens = 4;

    static Parameters<T> parameters_of(Backend<T>& backend, const ModelSpec& spec) {
        Parameters<T> made(backend);
        add_parameters(made, spec);
        return made;
    }

    SmallModel(Backend<T>& backend, const ModelSpec& spec)
        : b(backend),
          has_kink(spec.activation == "relu"),
          parameters(parameters_of(backend, spec)),
          model(backend, parameters, spec, N, ModelUse::train) {
        Rng rng(7);
        for (const auto& entry : parameters.entries()) {
            std::vector<T> values(entry.value.count());
            for (T& value : values) value = T(float(1.6 * rng.uniform() - 0.8));
            b.upload(entry.value, values.data());
        }
        std::vector<std::int32_t> rows, next;
        for (std::size_t n = 0; n < N; ++n) {
            for (std::size_t t = 0; t < tokens; ++t)
                rows.push_back(t + n % tokens < tokens - 1 ? 0 : std::int32_t(1 + rng.below(spec.vocabulary - 1)));
            next.push_back(std::int32_t(1 + rng.below(spec.vocabulary - 1)));
        }
        ids = b.allocate_ids({{N, tokens, 1}});
        targets = b.allocate_ids({{N, 1, 1}});
        b.upload(ids, rows.data());
        b.upload(targets, next.data());
    }

    /// Cross-entropy plus balance loss: what training minimises.
    double loss() {
        context = model.forward(ids);
        model.loss(context, targets);
        return host(b, model.cross_entropy())[0] + host(b, context.mixture.balance_loss)[0];
    }

    /// Which experts were chosen and which hidden units were on: within one such pattern the loss is smooth.
    std::vector<std::int32_t> pieces() {
        std::vector<std::int32_t> pattern = host(b, context.mixture.routing.expert_indices);
        for (const std::int32_t expert : host(b, context.mixture.routing.assignments)) pattern.push_back(expert);
        if (has_kink)
            for (const double h : host(b, context.mixture.experts.hidden)) pattern.push_back(h > 0);
        return pattern;
    }

    Backend<T>& b;
    bool has_kink;
    Parameters<T> parameters;
    LanguageModel<T> model;
    typename LanguageModel<T>::Context context;
    Ids ids, targets;
};

ModelSpec small_spec(std::string_view family, std::string_view router, std::size_t K, bool mask, bool balance) {
    ModelSpec spec;
    spec.vocabulary = 7, spec.max_seq_len = 4;
    spec.embedding_dim = 5, spec.hidden_dim = 6;
    spec.num_experts = 4, spec.top_k = K;
    spec.family = family, spec.router = router, spec.mask_zero = mask;
    spec.balance_loss = balance ? 0.5 : 0;
    return spec;
}

std::string describe(const ModelSpec& spec) {
    std::string text = "model: " + (spec.family == "pooled" ? "" : spec.family + ", ") + spec.router;
    if (experts_per_token(spec) < spec.num_experts || spec.router != "soft")
        text += ", " + std::to_string(spec.top_k) + " of " + std::to_string(spec.num_experts);
    if (spec.mask_zero) text += ", mask";
    if (spec.balance_loss > 0) text += ", balance";
    if (spec.activation != "relu") text += ", " + spec.activation;
    return text;
}

/// Every family and router, with each of its K, with and without mask and balance loss; every other activation.
std::vector<ModelSpec> small_models() {
    std::vector<ModelSpec> specs;
    for (const FamilyInfo& family : families) {
        for (const RouterInfo& router : routers())
            for (const std::size_t K : {std::size_t(1), std::size_t(2), std::size_t(4)}) {
                const ModelSpec plain = small_spec(family.id, router.id, K, false, false);
                if (experts_per_token(plain) != K) continue;  // the router has no K to choose
                for (const bool mask : {false, true})
                    for (const bool balance : {false, true})
                        specs.push_back(small_spec(family.id, router.id, K, mask, balance));
            }
        for (const ActivationInfo& activation : activations)
            for (const std::string_view router : {"soft", "top_k"}) {
                if (activation.id == Activation::relu) continue;
                specs.push_back(small_spec(family.id, router, 2, false, false));
                specs.back().activation = activation.name;
            }
    }
    return specs;
}

VerifyRow model_gradient(const ModelSpec& spec) {
    const auto backend = make_reference_backend<double>();
    SmallModel<double> small(*backend, spec);
    small.loss();
    small.model.backward(small.context);
    std::vector<std::vector<double>> analytic;
    for (const auto& entry : small.parameters.entries()) analytic.push_back(host(*backend, entry.gradient));

    const Differentiable f{[&] { return small.loss(); }, [&] { return small.pieces(); }};
    std::vector<Deviation> tensors;
    for (std::size_t i = 0; i < analytic.size(); ++i)
        tensors.push_back(deviation(*backend, small.parameters.entries()[i].value, analytic[i], f));
    return gradient_row(describe(spec), tensors);
}

/// Normalised mean squared error; what must be zero has to be zero.
double nmse(const std::vector<float>& found, const std::vector<double>& wanted) {
    double error = 0, scale = 0;
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        const double d = double(found[i]) - wanted[i];
        error += d * d;
        scale += wanted[i] * wanted[i];
    }
    if (error == 0) return 0;
    return scale > 0 ? error / scale : std::numeric_limits<double>::infinity();
}

/// One op over all the table's sizes, at two scales of its numbers.
VerifyRow op_agreement(const MakeBackend& make, const ops::Row& row) {
    VerifyRow result{row.name, "NMSE", 0, row.slope_tolerance, false, {}};
    bool within = true;
    std::size_t others = 0;  // tensors of whole numbers that differ
    for (ops::Sizes sizes : ops::all_sizes())
        for (const double scale : {1.0, 8.0}) {
            sizes.scale = scale;
            const auto backend = make();
            const auto reference = make_reference_backend<double>();
            ops::Io<float> found(*backend, row.args, sizes, 3);
            ops::Io<double> wanted(*reference, row.args, sizes, 3);
            for (const ops::Arg& arg : row.args) {
                if (ops::is_ids(arg.content)) continue;
                const std::vector<float> rounded = found.get(arg.name);  // both start from the same bits
                wanted.set(arg.name, {rounded.begin(), rounded.end()});
            }
            for (const ops::Call& call : {row.forward, row.backward}) {
                if (!call) continue;
                call(wanted);
                call(found);
            }
            for (const ops::Arg& arg : row.args) {
                if (ops::is_ids(arg.content)) {
                    others += found.get_ids(arg.name) != wanted.get_ids(arg.name);
                    continue;
                }
                const double error = nmse(found.get(arg.name), wanted.get(arg.name));
                within &= error <= (arg.name == row.output ? value_bound : row.slope_tolerance);
                if (!(error <= result.worst)) result.detail = "worst: " + arg.name + ", " + sizes.name;
                result.worst = worse(result.worst, error);
            }
        }
    if (others > 0) result.detail = "other choices than the reference's";
    result.ok = others == 0 && within;
    return result;
}

/// The losses of 100 steps of Adam on one batch.
template <class T>
std::vector<double> training_curve(Backend<T>& backend, const ModelSpec& spec) {
    SmallModel<T> small(backend, spec);
    const Tensor<T> rate = backend.allocate({});
    std::vector<double> losses;
    for (int t = 1; t <= 100; ++t) {
        losses.push_back(small.loss());
        small.model.backward(small.context);
        backend.fill(rate, T(3e-3 * std::sqrt(1 - std::pow(adam_beta2, t)) / (1 - std::pow(adam_beta1, t))));
        for (const auto& p : small.parameters.entries()) backend.adam(p.value, p.gradient, p.m, p.v, rate);
    }
    return losses;
}

VerifyRow curve_agreement(const MakeBackend& make, const ModelSpec& spec) {
    const auto backend = make();
    const auto reference = make_reference_backend<double>();
    const std::vector<double> found = training_curve(*backend, spec), wanted = training_curve(*reference, spec);
    VerifyRow row{describe(spec) + ", 100 steps", "relative error of the loss", 0, loss_bound, false, {}};
    for (std::size_t i = 0; i < wanted.size(); ++i)
        row.worst = worse(row.worst, std::abs(found[i] - wanted[i]) / std::abs(wanted[i]));
    row.ok = row.worst <= row.bound;
    return row;
}

/// A gate's numbers, its logits by the backend's own product, and the experts that it chooses.
struct GateData {
    static constexpr std::size_t N = 1024, D = 96, E = 24, K = 3;
    std::vector<float> x = drawn(N * D, 1), w = drawn(D * E, 2), b = drawn(E, 3);

    static std::vector<float> drawn(std::size_t count, std::uint64_t stream) {
        Rng rng(23, stream);
        std::vector<float> numbers(count);
        for (float& number : numbers) number = float(2 * rng.uniform() - 1);
        return numbers;
    }
};

template <class T>
std::vector<std::int32_t> chosen_by(Backend<T>& backend, const GateData& gate, std::vector<double>& logits) {
    const auto on = [&](const std::vector<float>& numbers, Shape shape) {
        const std::vector<T> values(numbers.begin(), numbers.end());
        const Tensor<T> tensor = backend.allocate(shape);
        backend.upload(tensor, values.data());
        return tensor;
    };
    constexpr std::size_t N = GateData::N, D = GateData::D, E = GateData::E;
    const Tensor<T> y = backend.allocate({{N, E, 1}});
    const Ids indices = backend.allocate_ids({{N, GateData::K, 1}});
    backend.dense(y, on(gate.x, {{N, D, 1}}), on(gate.w, {{D, E, 1}}), on(gate.b, {{E, 1, 1}}));
    backend.top_k(indices, y);
    logits = host(backend, y);
    return host(backend, indices);
}

/// The same experts as the reference's, unless two logits are closer than a rounding may bring them.
VerifyRow choice_agreement(const MakeBackend& make) {
    const auto backend = make();
    const auto reference = make_reference_backend<double>();
    const GateData gate;
    std::vector<double> logits, z;
    const std::vector<std::int32_t> found = chosen_by(*backend, gate, logits), wanted = chosen_by(*reference, gate, z);
    VerifyRow row{"the experts that a gate chooses", "largest gap of another choice", 0, choice_gap, false, {}};
    std::size_t others = 0;
    for (std::size_t i = 0; i < found.size(); ++i) {
        if (found[i] == wanted[i]) continue;
        ++others;
        const double* scores = &z[i / GateData::K * GateData::E];
        row.worst = worse(row.worst, std::abs(scores[found[i]] - scores[wanted[i]]));
    }
    row.detail = std::to_string(others) + " of " + std::to_string(found.size()) + " choices differ";
    row.ok = row.worst <= row.bound;
    return row;
}

void report(std::vector<VerifyRow>& rows, const OnVerifyRow& on_row, VerifyRow row) {
    if (on_row) on_row(row);
    rows.push_back(std::move(row));
}

}  // namespace

std::vector<VerifyRow> verify_gradients(const OnVerifyRow& on_row) {
    std::vector<VerifyRow> rows;
    for (const ops::Row& row : ops::table())
        if (row.backward) report(rows, on_row, op_gradient(row));
    for (const ModelSpec& spec : small_models()) report(rows, on_row, model_gradient(spec));
    return rows;
}

std::vector<VerifyRow> verify_backend(const MakeBackend& make, const OnVerifyRow& on_row) {
    const FlushDenormals flush;
    std::vector<VerifyRow> rows;
    for (const ops::Row& row : ops::table()) report(rows, on_row, op_agreement(make, row));
    report(rows, on_row, choice_agreement(make));
    for (const ModelSpec& spec : small_models())
        // A single expert's weight is always 1: its gate's gradient is rounding noise, which Adam blows up to full
        // steps.
        if (experts_per_token(spec) > 1) report(rows, on_row, curve_agreement(make, spec));
    return rows;
}

}  // namespace moe
