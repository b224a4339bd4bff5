#include "app/models/provenance.h"

#include "engine/core/family.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace moe::app {

namespace {

using Form = Derivation::Form;
using Term = Derivation::Term;
using Why = Derivation::Why;
using Q = Quantity;
using P = ParameterId;

constexpr std::size_t first_sum = std::size_t(Q::batch_loss), first_array = std::size_t(Q::parameter);
constexpr std::size_t parameters = 9;

constexpr std::array<std::string_view, first_array> value_names = {
    "embedding_rows",
    "mean",
    "gate_logits",
    "gate_probs",
    "expert_weights",
    "hidden_sums",
    "hidden",
    "answers",
    "mixed",
    "logits",
    "probs",
    "loss",
    "d_logits",
    "d_mixed",
    "d_answers",
    "d_expert_weights",
    "d_gate_probs_balance",
    "d_gate_logits_task",
    "d_gate_logits_balance",
    "d_gate_logits",
    "d_hidden",
    "d_hidden_sums",
    "d_mean_experts",
    "d_mean_gate",
    "d_mean",
    "d_rows_experts",
    "d_rows_gate",
    "d_embedding_rows",
    "batch_loss",
    "balance",
    "target",
};
constexpr std::array<std::string_view, parameters> parameter_names = {
    "embedding",           "gate/kernel",           "gate/bias",           "experts/hidden/kernel",
    "experts/hidden/bias", "experts/output/kernel", "experts/output/bias", "head/kernel",
    "head/bias",
};
// Of NumberRef::name, from Quantity::parameter on.
constexpr std::array<std::string_view, 7> prefixes = {"", "d:", "m:", "v:", "new:", "new_m:", "new_v:"};

const std::vector<NamedArray>* arraysOf(const Trace& trace, Q what) {
    switch (what) {
        case Q::parameter:
            return trace.state ? &trace.state->parameters : nullptr;
        case Q::gradient:
            return &trace.gradients;
        case Q::momentum:
            return trace.state && trace.backward() ? &trace.state->momentum : nullptr;
        case Q::velocity:
            return trace.state && trace.backward() ? &trace.state->velocity : nullptr;
        case Q::new_parameter:
            return &trace.new_parameters;
        case Q::new_momentum:
            return &trace.new_momentum;
        case Q::new_velocity:
            return &trace.new_velocity;
        default:
            return nullptr;
    }
}

}  // namespace

Provenance::Provenance(std::shared_ptr<const Trace> trace) : trace_(std::move(trace)) {
    const ModelSpec& m = trace_->experiment.model;
    N_ = trace_->examples, D_ = m.embedding_dim, H_ = m.hidden_dim, E_ = m.num_experts, V_ = m.vocabulary;
    T_ = N_ ? trace_->ids.size() / N_ : 0, K_ = trace_->experts_per_token();
    activation_ = activation_named(m.activation).id;
    tokens_ = routes_tokens(m);
    values_.resize(first_sum);
    for (std::size_t i = 0; i < first_sum; ++i)
        if (const TraceValue* v = trace_->find(value_names[i])) values_[i] = v->values;
    arrays_.resize(prefixes.size() * parameters);
    for (std::size_t f = 0; f < prefixes.size(); ++f) {
        const std::vector<NamedArray>* all = arraysOf(*trace_, Q(first_array + f));
        if (!all) continue;
        for (std::size_t p = 0; p < parameters; ++p)
            for (const NamedArray& a : *all)
                if (a.name == parameter_names[p]) arrays_[f * parameters + p] = a.values;
    }
    for (const std::int32_t id : trace_->targets) targets_.push_back(float(id));
    sums_[0] = float(trace_->loss), sums_[1] = float(trace_->balance);

    choices_.resize(E_);
    const std::span<const float> logits = values_[std::size_t(Q::gate_logits)];
    for (std::size_t n = 0; n < routedRows(); ++n) {
        if (outOfBalance(n)) continue;
        ++balanced_;
        if (chooses()) {
            for (std::size_t k = 0; k < K_; ++k) ++choices_[expertOf(n, k)];
        } else if (logits.size() == routedRows() * E_) {
            const auto row = logits.subspan(n * E_, E_);
            ++choices_[std::size_t(std::max_element(row.begin(), row.end()) - row.begin())];
        }
    }
}

std::string_view Provenance::name(Quantity what) {
    return std::size_t(what) < first_array ? value_names[std::size_t(what)] : std::string_view();
}
std::string_view Provenance::name(ParameterId parameter) {
    return parameter_names[std::size_t(parameter)];
}

std::span<const float> Provenance::array(TraceNumber n) const {
    const auto q = std::size_t(n.what);
    if (n.isParameter()) return arrays_[(q - first_array) * parameters + std::size_t(n.parameter)];
    if (q < first_sum) return values_[q];
    if (n.what == Q::target) return targets_;
    if (n.what == Q::batch_loss && N_ > 0 && !targets_.empty()) return {sums_, 1};
    if (n.what == Q::balance && trace_->backward()) return {sums_ + 1, 1};
    return {};
}

std::size_t Provenance::count(Quantity what, ParameterId parameter) const {
    // Adam's moments are left out of a state where all are zero; the weights have them all the same.
    if ((what == Q::momentum || what == Q::velocity) && trace_->backward()) what = Q::parameter;
    return array({what, parameter, 0}).size();
}

double Provenance::value(TraceNumber n) const {
    const std::span<const float> numbers = array(n);
    return n.at < numbers.size() ? double(numbers[n.at]) : 0.0;
}

std::size_t Provenance::stride(Quantity what) const {
    const auto q = std::size_t(what);
    if (what == Q::target) return 1;
    return q < first_sum && N_ ? values_[q].size() / N_ : 0;
}

std::optional<TraceNumber> Provenance::find(const NumberRef& ref) const {
    std::optional<TraceNumber> found;
    for (std::size_t i = 0; i < first_array && !found; ++i)
        if (ref.name == value_names[i]) {
            const Q what = Q(i);
            const bool of_batch = what == Q::batch_loss || what == Q::balance;
            if (!of_batch && (ref.example >= N_ || ref.index >= stride(what))) return {};
            found = TraceNumber{what, P::embedding, of_batch ? ref.index : ref.example * stride(what) + ref.index};
        }
    for (std::size_t f = 0; f < prefixes.size() && !found; ++f) {
        if (!ref.name.starts_with(prefixes[f])) continue;
        for (std::size_t p = 0; p < parameters && !found; ++p)
            if (std::string_view(ref.name).substr(prefixes[f].size()) == parameter_names[p])
                found = TraceNumber{Q(first_array + f), P(p), ref.index};
    }
    if (!found || found->at >= count(found->what, found->parameter)) return {};
    return found;
}

NumberRef Provenance::ref(TraceNumber n) const {
    if (n.isParameter())
        return {std::string(prefixes[std::size_t(n.what) - first_array]) + std::string(name(n.parameter)), 0, n.at};
    const std::size_t s = stride(n.what);
    if (s == 0) return {std::string(name(n.what)), 0, n.at};
    return {std::string(name(n.what)), n.at / s, n.at % s};
}

NumberPlace Provenance::place(TraceNumber n) const {
    NumberPlace p;
    std::size_t at = n.at;
    const auto take = [&at](std::size_t size) {
        const std::size_t i = at % size;
        at /= size;
        return i;
    };
    if (n.isParameter()) {
        switch (n.parameter) {
            case P::embedding:
                p.dimension = take(D_), p.word = at;
                break;
            case P::gate_kernel:
                p.expert = take(E_), p.dimension = at;
                break;
            case P::gate_bias:
                p.expert = at;
                break;
            case P::hidden_kernel:
                p.unit = take(H_), p.dimension = take(D_), p.expert = at;
                break;
            case P::hidden_bias:
                p.unit = take(H_), p.expert = at;
                break;
            case P::output_kernel:
                p.dimension = take(D_), p.unit = take(H_), p.expert = at;
                break;
            case P::output_bias:
                p.dimension = take(D_), p.expert = at;
                break;
            case P::head_kernel:
                p.word = take(V_), p.dimension = at;
                break;
            case P::head_bias:
                p.word = at;
                break;
        }
        return p;
    }
    const auto routed = [&] {  // what stood at the gate
        if (!tokens_) return void(p.example = at);
        p.token = take(T_), p.example = at;
    };
    const auto visit = [&] {
        p.visit = take(K_);
        p.expert = expertOf(at, *p.visit);
        routed();
    };
    switch (n.what) {
        case Q::embedding_rows:
        case Q::d_embedding_rows:
            p.dimension = take(D_), p.token = take(T_), p.example = at;
            p.word = std::size_t(wordId(at, *p.token));
            break;
        case Q::mean:
        case Q::d_mean_experts:
        case Q::d_mean_gate:
        case Q::d_mean:
            p.dimension = take(D_), p.example = at;
            break;
        case Q::mixed:
        case Q::d_mixed:
        case Q::d_rows_experts:
        case Q::d_rows_gate:
            p.dimension = take(D_), routed();
            break;
        case Q::gate_logits:
        case Q::gate_probs:
        case Q::d_gate_probs_balance:
        case Q::d_gate_logits_task:
        case Q::d_gate_logits_balance:
        case Q::d_gate_logits:
            p.expert = take(E_), routed();
            break;
        case Q::expert_weights:
        case Q::d_expert_weights:
            visit();
            break;
        case Q::hidden_sums:
        case Q::hidden:
        case Q::d_hidden:
        case Q::d_hidden_sums:
            p.unit = take(H_), visit();
            break;
        case Q::answers:
        case Q::d_answers:
            p.dimension = take(D_), visit();
            break;
        case Q::logits:
        case Q::probs:
        case Q::d_logits:
            p.word = take(V_), p.example = at;
            break;
        case Q::target:
            p.example = at, p.word = std::size_t(trace_->targets[at]);
            break;
        case Q::loss:
            p.example = at;
            break;
        default:
            break;
    }
    return p;
}

std::optional<std::size_t> Provenance::visitOf(std::size_t routed, std::size_t expert) const {
    for (std::size_t k = 0; k < K_; ++k)
        if (expertOf(routed, k) == expert) return k;
    return {};
}

// A mask keeps padding that stands at the gate out of the balance loss.
bool Provenance::outOfBalance(std::size_t routed) const {
    return tokens_ && trace_->experiment.model.mask_zero && trace_->ids[routed] == 0;
}

std::size_t Provenance::tokensInMean(std::size_t example) const {
    if (!trace_->experiment.model.mask_zero) return T_;
    const auto* row = trace_->ids.data() + example * T_;
    return T_ - std::size_t(std::count(row, row + T_, 0));
}

// The visits of one expert, over all examples of the batch.
void Provenance::addVisits(Derivation& d, std::size_t expert,
                           const std::function<Derivation::Term(std::size_t)>& term) const {
    for (std::size_t v = 0; v < routedRows() * K_; ++v)
        if (std::size_t(trace_->expert_indices[v]) == expert) d.terms.push_back(term(v));
}

Derivation Provenance::deriveGradient(TraceNumber number) const {
    Derivation d;
    d.form = Form::sum;
    const NumberPlace p = place(number);
    const auto dim = p.dimension.value_or(0), unit = p.unit.value_or(0), word = p.word.value_or(0),
               expert = p.expert.value_or(0);
    const auto examples = [&](auto term) {
        for (std::size_t n = 0; n < N_; ++n) d.terms.push_back(term(n));
    };
    const auto at_gate = [&](auto term) {
        for (std::size_t g = 0; g < routedRows(); ++g) d.terms.push_back(term(g));
    };
    switch (number.parameter) {
        case P::embedding:
            for (std::size_t i = 0; i < N_ * T_; ++i)
                if (std::size_t(trace_->ids[i]) == word)
                    d.terms.push_back({{Q::d_embedding_rows, {}, i * D_ + dim}, {}});
            break;
        case P::gate_kernel:
            at_gate([&](std::size_t n) {
                return Term{{Q::d_gate_logits, {}, n * E_ + expert}, {atGate(), {}, n * D_ + dim}};
            });
            break;
        case P::gate_bias:
            at_gate([&](std::size_t n) { return Term{{Q::d_gate_logits, {}, n * E_ + expert}, {}}; });
            break;
        case P::hidden_kernel:
            addVisits(d, expert, [&](std::size_t v) {
                return Term{{Q::d_hidden_sums, {}, v * H_ + unit}, {atGate(), {}, v / K_ * D_ + dim}};
            });
            break;
        case P::hidden_bias:
            addVisits(d, expert, [&](std::size_t v) { return Term{{Q::d_hidden_sums, {}, v * H_ + unit}, {}}; });
            break;
        case P::output_kernel:
            addVisits(d, expert, [&](std::size_t v) {
                return Term{{Q::d_answers, {}, v * D_ + dim}, {Q::hidden, {}, v * H_ + unit}};
            });
            break;
        case P::output_bias:
            addVisits(d, expert, [&](std::size_t v) { return Term{{Q::d_answers, {}, v * D_ + dim}, {}}; });
            break;
        case P::head_kernel:
            examples([&](std::size_t n) {
                return Term{{Q::d_logits, {}, n * V_ + word}, {atHead(), {}, n * D_ + dim}};
            });
            break;
        case P::head_bias:
            examples([&](std::size_t n) { return Term{{Q::d_logits, {}, n * V_ + word}, {}}; });
            break;
    }
    if (d.terms.empty()) {  // no example of the batch came this way
        d.form = Form::zero;
        d.why = number.parameter == P::embedding ? Why::no_words : Why::not_chosen;
    }
    return d;
}

Derivation Provenance::derive(TraceNumber number) const {
    Derivation d;
    d.form = Form::sum;
    const ModelSpec& model = trace_->experiment.model;
    const NumberPlace p = place(number);
    const auto n = p.example.value_or(0), k = p.visit.value_or(0), e = p.expert.value_or(0),
               dim = p.dimension.value_or(0), unit = p.unit.value_or(0), word = p.word.value_or(0);
    const std::size_t g = tokens_ ? n * T_ + p.token.value_or(0) : n, visit = g * K_ + k;  // at the gate
    const auto parameter = [](P id, std::size_t at) { return TraceNumber{Q::parameter, id, at}; };
    const auto at = [](Q what, std::size_t place) { return TraceNumber{what, {}, place}; };
    const auto same = [&](Q what) { return TraceNumber{what, number.parameter, number.at}; };
    const auto zero = [](Why why) {
        Derivation none;
        none.form = Form::zero, none.why = why;
        return none;
    };
    const auto members = [&](Form form, std::size_t count, auto term, std::size_t own) {
        d.form = form, d.own = own;
        for (std::size_t i = 0; i < count; ++i) d.terms.push_back(term(i));
    };

    const auto to_head = [&] {  // what comes back from the head
        for (std::size_t v = 0; v < V_; ++v)
            d.terms.push_back({at(Q::d_logits, n * V_ + v), parameter(P::head_kernel, dim * V_ + v)});
    };
    switch (number.what) {
        case Q::embedding_rows:
            if (outOfBalance(g)) return zero(Why::padding);
            d.terms = {{parameter(P::embedding, word * D_ + dim), {}}};
            break;
        case Q::mean: {
            const std::size_t words = tokensInMean(n);
            if (words == 0) return zero(Why::no_words);
            d.divisor = words, d.scale = 1 / double(words);
            for (std::size_t t = 0; t < T_; ++t)
                if (!model.mask_zero || wordId(n, t) != 0)
                    d.terms.push_back({at(tokens_ ? Q::mixed : Q::embedding_rows, (n * T_ + t) * D_ + dim), {}});
            break;
        }
        case Q::gate_logits:
            for (std::size_t i = 0; i < D_; ++i)
                d.terms.push_back({at(atGate(), g * D_ + i), parameter(P::gate_kernel, i * E_ + e)});
            d.terms.push_back({parameter(P::gate_bias, e), {}});
            break;
        case Q::gate_probs:
            members(
                Form::softmax, E_,
                [&](std::size_t i) {
                    return Term{at(Q::gate_logits, g * E_ + i), {}};
                },
                e);
            break;
        case Q::expert_weights:
            if (!chooses()) return derive(at(Q::gate_probs, g * E_ + e));  // the weights are the probabilities
            members(
                Form::softmax, K_,
                [&](std::size_t i) {
                    return Term{at(Q::gate_logits, g * E_ + expertOf(g, i)), {}};
                },
                k);
            break;
        case Q::hidden_sums:
            for (std::size_t i = 0; i < D_; ++i)
                d.terms.push_back({at(atGate(), g * D_ + i), parameter(P::hidden_kernel, (e * D_ + i) * H_ + unit)});
            d.terms.push_back({parameter(P::hidden_bias, e * H_ + unit), {}});
            break;
        case Q::hidden:
            // A linear unit is its sum: the form that a sum has.
            d.activation = activation_;
            if (activation_ != Activation::linear)
                d.form = activation_ == Activation::relu ? Form::relu : Form::activation;
            d.terms = {{same(Q::hidden_sums), {}}};
            break;
        case Q::answers:
            for (std::size_t i = 0; i < H_; ++i)
                d.terms.push_back(
                    {at(Q::hidden, visit * H_ + i), parameter(P::output_kernel, (e * H_ + i) * D_ + dim)});
            d.terms.push_back({parameter(P::output_bias, e * D_ + dim), {}});
            break;
        case Q::mixed:
            for (std::size_t i = 0; i < K_; ++i)
                d.terms.push_back({at(Q::answers, (g * K_ + i) * D_ + dim), at(Q::expert_weights, g * K_ + i)});
            break;
        case Q::logits:
            for (std::size_t i = 0; i < D_; ++i)
                d.terms.push_back({at(atHead(), n * D_ + i), parameter(P::head_kernel, i * V_ + word)});
            d.terms.push_back({parameter(P::head_bias, word), {}});
            break;
        case Q::probs:
            members(
                Form::softmax, V_,
                [&](std::size_t i) {
                    return Term{at(Q::logits, n * V_ + i), {}};
                },
                word);
            break;
        case Q::loss: {
            const auto target = std::size_t(trace_->targets[n]);
            const TraceNumber chance = at(Q::probs, n * V_ + target);
            if (value(chance) > least_probability)
                members(
                    Form::negative_log, 1,
                    [&](std::size_t) {
                        return Term{chance, {}};
                    },
                    0);
            else
                members(
                    Form::log_of_sum, V_,
                    [&](std::size_t i) {
                        return Term{at(Q::logits, n * V_ + i), {}};
                    },
                    target);
            break;
        }
        case Q::d_logits:
            d.form = Form::softmax_minus_one;
            d.divisor = N_, d.scale = 1 / double(N_);
            d.is_target = std::size_t(trace_->targets[n]) == word;
            d.terms = {{same(Q::probs), {}}};
            break;
        case Q::d_mixed:
            if (tokens_) {
                const std::size_t words = tokensInMean(n);
                if (model.mask_zero && wordId(n, p.token.value_or(0)) == 0) return zero(Why::padding);
                d.divisor = words, d.scale = 1 / double(words);
                d.terms = {{at(Q::d_mean, n * D_ + dim), {}}};
            } else {
                to_head();
            }
            break;
        case Q::d_answers:
            d.terms = {{at(Q::d_mixed, g * D_ + dim), at(Q::expert_weights, visit)}};
            break;
        case Q::d_expert_weights:
            for (std::size_t i = 0; i < D_; ++i)
                d.terms.push_back({at(Q::d_mixed, g * D_ + i), at(Q::answers, visit * D_ + i)});
            break;
        case Q::d_gate_probs_balance: {
            if (!(model.balance_loss > 0)) return zero(Why::balance_off);
            if (outOfBalance(g)) return zero(Why::padding);
            d.form = Form::balance_share;
            d.visits = chooses() ? balanced_ * K_ : balanced_;
            d.choices = choices_[e];
            d.weight = model.balance_loss;
            d.scale = d.weight * double(E_) / double(balanced_);
            break;
        }
        case Q::d_gate_logits_task:
            if (!chooses()) {
                members(
                    Form::softmax_gradient, K_,
                    [&](std::size_t i) {
                        return Term{at(Q::gate_probs, g * E_ + i), at(Q::d_expert_weights, g * K_ + i)};
                    },
                    e);
            } else {
                const auto own = visitOf(g, e);
                if (!own) return zero(Why::not_chosen);
                members(
                    Form::softmax_gradient, K_,
                    [&](std::size_t i) {
                        return Term{at(Q::expert_weights, g * K_ + i), at(Q::d_expert_weights, g * K_ + i)};
                    },
                    *own);
            }
            break;
        case Q::d_gate_logits_balance:
            if (!(model.balance_loss > 0)) return zero(Why::balance_off);
            members(
                Form::softmax_gradient, E_,
                [&](std::size_t i) {
                    return Term{at(Q::gate_probs, g * E_ + i), at(Q::d_gate_probs_balance, g * E_ + i)};
                },
                e);
            break;
        case Q::d_gate_logits:
            if (!(model.balance_loss > 0)) return derive(same(Q::d_gate_logits_task));
            d.terms = {{same(Q::d_gate_logits_task), {}}, {same(Q::d_gate_logits_balance), {}}};
            break;
        case Q::d_hidden:
            for (std::size_t i = 0; i < D_; ++i)
                d.terms.push_back(
                    {at(Q::d_answers, visit * D_ + i), parameter(P::output_kernel, (e * H_ + unit) * D_ + i)});
            break;
        case Q::d_hidden_sums:
            d.activation = activation_;
            d.terms = {{same(Q::d_hidden), {}}};
            if (activation_ == Activation::linear) break;
            d.form = activation_ == Activation::relu ? Form::relu_gradient : Form::activation_slope;
            d.terms[0].b = same(Q::hidden_sums);
            break;
        case Q::d_mean_experts:
        case Q::d_rows_experts:
            for (std::size_t i = 0; i < K_; ++i)
                for (std::size_t h = 0; h < H_; ++h)
                    d.terms.push_back({at(Q::d_hidden_sums, (g * K_ + i) * H_ + h),
                                       parameter(P::hidden_kernel, (expertOf(g, i) * D_ + dim) * H_ + h)});
            break;
        case Q::d_mean_gate:
        case Q::d_rows_gate:
            for (std::size_t i = 0; i < E_; ++i)
                d.terms.push_back({at(Q::d_gate_logits, g * E_ + i), parameter(P::gate_kernel, dim * E_ + i)});
            break;
        case Q::d_mean:
            if (tokens_) {
                to_head();
                break;
            }
            d.terms = {{same(Q::d_mean_experts), {}}, {same(Q::d_mean_gate), {}}};
            break;
        case Q::d_embedding_rows: {
            const std::size_t words = tokensInMean(n);
            if (model.mask_zero && word == 0) return zero(Why::padding);
            if (tokens_) {
                d.terms = {{same(Q::d_rows_experts), {}}, {same(Q::d_rows_gate), {}}};
                break;
            }
            d.divisor = words, d.scale = 1 / double(words);
            d.terms = {{at(Q::d_mean, n * D_ + dim), {}}};
            break;
        }
        case Q::batch_loss:
            d.divisor = N_, d.scale = 1 / double(N_);
            for (std::size_t i = 0; i < N_; ++i) d.terms.push_back({at(Q::loss, i), {}});
            break;
        case Q::balance:
            if (!(model.balance_loss > 0)) return zero(Why::balance_off);
            // Each probability times what the loss changes with it: the balance loss is linear in them.
            for (std::size_t i = 0; i < routedRows() * E_; ++i)
                if (choices_[i % E_] > 0 && !outOfBalance(i / E_))
                    d.terms.push_back({at(Q::gate_probs, i), at(Q::d_gate_probs_balance, i)});
            break;
        case Q::gradient:
            return deriveGradient(number);
        case Q::new_momentum:
            d.form = Form::momentum;
            d.terms = {{same(Q::momentum), {}}, {same(Q::gradient), {}}};
            break;
        case Q::new_velocity:
            d.form = Form::velocity;
            d.terms = {{same(Q::velocity), {}}, {same(Q::gradient), {}}};
            if (number.parameter != P::embedding || !trace_->squares_places()) break;
            d = deriveGradient(number);
            if (d.form == Form::zero) d.terms.clear();
            d.form = Form::velocity_of_places, d.why = Why::none;
            d.terms.insert(d.terms.begin(), {same(Q::velocity), {}});
            break;
        case Q::new_parameter:
            d.form = Form::update;
            d.rate = double(trace_->rate);
            d.terms = {{same(Q::parameter), {}}, {same(Q::new_momentum), {}}, {same(Q::new_velocity), {}}};
            break;
        default:
            d.form = Form::given;
            break;
    }
    return d;
}

double Provenance::recompute(const Derivation& derivation) const {
    return recompute(derivation, [this](TraceNumber n) { return value(n); });
}

double Provenance::recompute(const Derivation& d, const std::function<double(TraceNumber)>& value_of) {
    const auto a = [&](std::size_t i) { return value_of(d.terms[i].a); };
    const auto b = [&](std::size_t i) { return value_of(d.terms[i].b); };
    const auto sum_exp = [&](double shift) {
        double sum = 0;
        for (std::size_t i = 0; i < d.terms.size(); ++i) sum += std::exp(a(i) - shift);
        return sum;
    };
    const auto largest = [&] {
        double most = -std::numeric_limits<double>::infinity();
        for (std::size_t i = 0; i < d.terms.size(); ++i) most = std::max(most, a(i));
        return most;
    };
    switch (d.form) {
        case Form::given:
        case Form::zero:
            return 0;
        case Form::sum: {
            double sum = 0;
            for (const Term& t : d.terms) sum += t.factor * value_of(t.a) * (t.b.what == Q::none ? 1.0 : value_of(t.b));
            return d.scale * sum;
        }
        case Form::softmax: {
            const double top = largest();
            return std::exp(a(d.own) - top) / sum_exp(top);
        }
        case Form::softmax_gradient: {
            double dot = 0;
            for (std::size_t i = 0; i < d.terms.size(); ++i) dot += a(i) * b(i);
            return a(d.own) * (b(d.own) - dot);
        }
        case Form::relu:
            return std::max(0.0, a(0));
        case Form::relu_gradient:
            return b(0) > 0 ? a(0) : 0.0;
        case Form::activation:
            return activated(d.activation, a(0));
        case Form::activation_slope:
            return a(0) * moe::activation_slope(d.activation, b(0));
        case Form::negative_log:
            return -std::log(a(0));
        case Form::log_of_sum: {
            const double top = largest();
            return std::log(sum_exp(top)) + top - a(d.own);
        }
        case Form::softmax_minus_one:
            return d.scale * (a(0) - (d.is_target ? 1 : 0));
        case Form::balance_share:
            return d.scale * double(d.choices) / double(d.visits);
        case Form::momentum:
            return a(0) + (a(1) - a(0)) * momentum_share;
        case Form::velocity:
            return a(0) + (a(1) * a(1) - a(0)) * velocity_share;
        case Form::velocity_of_places: {
            double squares = 0;
            for (std::size_t i = 1; i < d.terms.size(); ++i) squares += a(i) * a(i);
            return a(0) + (squares - a(0)) * velocity_share;
        }
        case Form::update:
            return a(0) - d.rate * a(1) / (std::sqrt(a(2)) + adam_shown_epsilon);
    }
    return 0;
}

std::optional<TraceNumber> Provenance::next(const Derivation& d) const {
    switch (d.form) {
        case Form::given:
        case Form::zero:
        case Form::balance_share:
            return {};
        case Form::softmax:
        case Form::log_of_sum:
            return d.terms[d.own].a;
        case Form::softmax_gradient:
            return d.terms[d.own].b;
        case Form::momentum:
        case Form::velocity:
        case Form::update:
            return d.terms[1].a;
        case Form::velocity_of_places:
            return d.terms[d.terms.size() > 1 ? 1 : 0].a;
        case Form::sum: {
            // The largest; a weight ends the chain, so that it is followed only where there is nothing else.
            const Term* best = nullptr;
            double most = -1;
            for (const Term& t : d.terms) {
                const double size = std::abs(t.factor * value(t.a) * (t.b.what == Q::none ? 1.0 : value(t.b)));
                const bool weight = t.a.what == Q::parameter;
                if (best && (weight || size <= most)) continue;
                best = &t;
                most = weight ? -1 : size;
            }
            return best ? std::optional(best->a) : std::nullopt;
        }
        default:
            return d.terms.empty() ? std::nullopt : std::optional(d.terms[0].a);
    }
}

}  // namespace moe::app
