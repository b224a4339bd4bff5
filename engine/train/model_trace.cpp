#include "engine/train/model_trace.h"

#include "engine/core/family.h"
#include "engine/core/settings.h"

#include <algorithm>
#include <cmath>

namespace moe {

namespace {

bool router_chooses(const std::string& id) {
    const auto found = std::ranges::find(routers(), id, &RouterInfo::id);
    return found != routers().end() && found->chooses;
}

/// Cross-entropy of one row of scores with its probabilities, finite also where the target's probability is not: the
/// largest probability is 1 / sum of exp(score - largest).
float cross_entropy(std::span<const float> logits, std::span<const float> probs, std::size_t target) {
    const std::size_t top = std::size_t(std::ranges::max_element(logits) - logits.begin());
    return float(double(logits[top]) - double(logits[target]) - std::log(double(probs[top])));
}

}  // namespace

std::vector<TraceValue> ModelTrace::plan(const ModelSpec& s, std::size_t N, bool backward) {
    const bool tokens = routes_tokens(s);
    const std::size_t V = s.vocabulary, D = s.embedding_dim, H = s.hidden_dim, E = s.num_experts, T = s.max_seq_len,
                      visits = experts_per_token(s) * (tokens ? T : 1);
    std::vector<TraceValue> values;
    const auto add = [&](const char* name, std::vector<std::size_t> shape) {
        values.push_back({name, std::move(shape), {}});
    };
    const auto add_routed = [&](const char* name, std::size_t width) {
        add(name, tokens ? std::vector{N, T, width} : std::vector{N, width});
    };
    add("embedding_rows", {N, T, D});
    if (!tokens) add("mean", {N, D});
    add_routed("gate_logits", E);
    add_routed("gate_probs", E);
    add("expert_weights", {N, visits});
    add("hidden_sums", {N, visits, H});
    add("hidden", {N, visits, H});
    add("answers", {N, visits, D});
    add_routed("mixed", D);
    if (tokens) add("mean", {N, D});
    add("logits", {N, V});
    add("probs", {N, V});
    if (!backward) return values;
    add("loss", {N});
    add("d_logits", {N, V});
    if (tokens) add("d_mean", {N, D});
    add_routed("d_mixed", D);
    add("d_answers", {N, visits, D});
    add("d_expert_weights", {N, visits});
    for (const char* name : {"d_gate_probs_balance", "d_gate_logits_task", "d_gate_logits_balance", "d_gate_logits"})
        add_routed(name, E);
    add("d_hidden", {N, visits, H});
    add("d_hidden_sums", {N, visits, H});
    add_routed(tokens ? "d_rows_experts" : "d_mean_experts", D);
    add_routed(tokens ? "d_rows_gate" : "d_mean_gate", D);
    if (!tokens) add("d_mean", {N, D});
    add("d_embedding_rows", {N, T, D});
    return values;
}

ModelTrace::ModelTrace(Backend<float>& backend, const Parameters<float>& parameters, const ModelSpec& s, std::size_t N,
                       bool backward)
    : backend_(backend),
      table_(parameters.find("embedding")),
      gate_kernel_(parameters.find("gate/kernel")),
      gate_bias_(parameters.find("gate/bias")),
      hidden_kernel_(parameters.find("experts/hidden/kernel")),
      hidden_bias_(parameters.find("experts/hidden/bias")),
      output_kernel_(parameters.find("experts/output/kernel")),
      output_bias_(parameters.find("experts/output/bias")),
      head_kernel_(parameters.find("head/kernel")),
      head_bias_(parameters.find("head/bias")),
      chooses_(router_chooses(s.router)),
      tokens_(routes_tokens(s)),
      mask_(s.mask_zero),
      activation_(activation_named(s.activation).id),
      router_(make_router<float>(backend, s, tokens_ ? N * s.max_seq_len : N)) {
    const std::size_t V = s.vocabulary, D = s.embedding_dim, H = s.hidden_dim, E = s.num_experts, T = s.max_seq_len,
                      K = router_->experts_per_token(), G = tokens_ ? N * T : N, R = G * K;  // G at the gate
    ids_ = backend.allocate_ids({{N, T, 1}});
    flat_ids_ = backend.allocate_ids({{N * T, 1, 1}});
    targets_ = backend.allocate_ids({{N, 1, 1}});
    offsets_ = backend.allocate_ids({{E + 1, 1, 1}});
    row_tokens_ = backend.allocate_ids({{R, 1, 1}});
    positions_ = backend.allocate_ids({{G, K, 1}});
    token_rows_ = backend.allocate({{N * T, D, 1}});
    mean_ = backend.allocate({{N, D, 1}});
    routed_ = tokens_ ? token_rows_ : mean_;
    if (tokens_ && mask_) words_ = flat_ids_;
    gate_logits_ = backend.allocate({{G, E, 1}});
    rows_ = backend.allocate({{R, D, 1}});
    sums_ = backend.allocate({{R, H, 1}});
    hidden_ = backend.allocate({{R, H, 1}});
    answers_ = backend.allocate({{R, D, 1}});
    mixed_ = backend.allocate({{G, D, 1}});
    logits_ = backend.allocate({{N, V, 1}});
    probs_ = backend.allocate({{N, V, 1}});
    if (!backward) return;
    for (Tensor<float>* scalar : {&loss_, &correct_, &balance_}) *scalar = backend.allocate({});
    for (Tensor<float>* gd : {&dmixed_, &drouted_, &drouted_gate_}) *gd = backend.allocate({{G, D, 1}});
    for (Tensor<float>* ge : {&dprobs_, &dlogits_}) *ge = backend.allocate({{G, E, 1}});
    for (Tensor<float>* rd : {&danswers_, &drows_}) *rd = backend.allocate({{R, D, 1}});
    dweights_ = backend.allocate({{G, K, 1}});
    dhidden_ = backend.allocate({{R, H, 1}});
    dphrase_ = tokens_ ? backend.allocate({{N, D, 1}}) : dmixed_;
    if (!tokens_) dtoken_rows_ = backend.allocate({{N * T + 1, D, 1}});
}

void ModelTrace::take_mean(TraceRecorder& record, Tensor<float> of_tokens, Ids ids) {
    const Tensor<float> mean = mean_.first(ids.dim(0));
    record.op(TracePhase::forward, "mean", {tokens_ ? "mixed" : "embedding_rows"}, {"mean"});
    if (mask_) record.with({"ids"});
    if (tokens_)
        backend_.mean_tokens(mean, of_tokens, ids, mask_);
    else
        backend_.embedding_mean(mean, ids, table_.value, mask_);
    record.keep("mean", mean);
}

void ModelTrace::forward(TraceRecorder& record, Trace& trace, const ModelSpec& s) {
    constexpr TracePhase phase = TracePhase::forward;
    const std::size_t N = trace.examples, G = routed_rows(trace), K = router_->experts_per_token();
    const char* const at_gate = tokens_ ? "embedding_rows" : "mean";
    const bool served = trace.targets.empty();
    const Ids ids = ids_.first(N), flat_ids = flat_ids_.first(N * s.max_seq_len);
    backend_.upload(ids, trace.ids.data());
    backend_.upload(flat_ids, trace.ids.data());

    record.op(phase, "embedding_rows", {"ids", "embedding"}, {"embedding_rows"});
    const Tensor<float> token_rows = token_rows_.first(flat_ids.dim(0));
    if (tokens_)
        backend_.embedding_mean(token_rows, flat_ids, table_.value, mask_);
    else
        backend_.gather_rows(token_rows, table_.value, flat_ids);
    record.keep("embedding_rows", token_rows);

    if (!tokens_) take_mean(record, token_rows, ids);

    record.op(phase, "gate_scores", {at_gate, "gate/kernel", "gate/bias"}, {"gate_logits"});
    const Tensor<float> routed = routed_.first(G), gate_logits = gate_logits_.first(G);
    backend_.dense(gate_logits, routed, gate_kernel_.value, gate_bias_.value);
    record.keep("gate_logits", gate_logits);

    record.op(phase, "gate_softmax", {"gate_logits"}, {"gate_probs"});
    if (chooses_) record.op(phase, s.router, {"gate_logits"}, {});
    record.with({}, {"expert_indices", "assignments", "expert_weights"});
    routing_ = router_->forward(gate_logits);
    record.keep("gate_probs", routing_.probs);
    record.keep("expert_weights", routing_.expert_weights);
    trace.expert_indices = record.keep(routing_.expert_indices);
    trace.assignments = record.keep(routing_.assignments);

    record.op(phase, "expert_hidden", {at_gate, "expert_indices", "experts/hidden/kernel", "experts/hidden/bias"},
              {"hidden_sums", "hidden"});
    const Ids row_tokens = row_tokens_.first(G * K), positions = positions_.first(G);
    const Tensor<float> rows = rows_.first(G * K), sums = sums_.first(G * K), hidden = hidden_.first(G * K),
                        answers = answers_.first(G * K);
    backend_.dispatch(offsets_, row_tokens, positions, routing_.expert_indices);
    record.set_positions(positions);
    backend_.gather_rows(rows, routed, row_tokens);
    backend_.grouped_dense(sums, rows, hidden_kernel_.value, hidden_bias_.value, offsets_);
    record.keep_visits("hidden_sums", sums);
    backend_.activate(hidden, sums, activation_);
    record.keep_visits("hidden", hidden);

    record.op(phase, "expert_output", {"hidden", "expert_indices", "experts/output/kernel", "experts/output/bias"},
              {"answers"});
    backend_.grouped_dense(answers, hidden, output_kernel_.value, output_bias_.value, offsets_);
    record.keep_visits("answers", answers);

    record.op(phase, "weighted_sum", {"expert_weights", "answers"}, {"mixed"});
    const Tensor<float> mixed = mixed_.first(G);
    backend_.combine(mixed, routing_.expert_weights, answers, positions);
    record.keep("mixed", mixed);

    if (tokens_) take_mean(record, mixed, ids);

    record.op(phase, "vocabulary_scores", {tokens_ ? "mean" : "mixed", "head/kernel", "head/bias"}, {"logits"});
    const Tensor<float> logits = logits_.first(N), probs = probs_.first(N), phrase = tokens_ ? mean_.first(N) : mixed;
    backend_.dense(logits, phrase, head_kernel_.value, head_bias_.value);
    const std::vector<float>& scores = record.keep("logits", logits);

    record.op(phase, "softmax_loss", {"logits"}, {"probs"});
    backend_.softmax(probs, logits);
    const std::vector<float>& shares = record.keep("probs", probs);
    if (served) return;
    record.with({"targets"}, {"loss", "d_logits"});
    backend_.upload(targets_.first(N), trace.targets.data());
    backend_.softmax_cross_entropy(loss_, correct_, logits, targets_.first(N));
    record.keep("d_logits", logits);  // the op leaves it in the scores' place
    float correct = 0;
    backend_.download(loss_, &trace.loss);
    backend_.download(correct_, &correct);
    trace.correct = std::size_t(correct);
    std::vector<float>& losses = record.value("loss");
    for (std::size_t n = 0, V = s.vocabulary; n < N; ++n)
        losses[n] = cross_entropy(std::span(scores).subspan(n * V, V), std::span(shares).subspan(n * V, V),
                                  std::size_t(trace.targets[n]));

    backend_.fill(dprobs_.first(G), 0.0f);
    if (s.balance_loss <= 0) return;
    record.op(phase, "balance_loss", {"gate_probs", "assignments"}, {"balance"});
    const Ids words = words_ ? words_.first(G) : Ids();
    if (words) record.with({"ids"});
    backend_.balance_loss(balance_, dprobs_.first(G), routing_.probs, routing_.assignments, float(s.balance_loss),
                          words);
    backend_.download(balance_, &trace.balance);
}

void ModelTrace::backward(TraceRecorder& record, const Trace& trace, const ModelSpec& s) {
    constexpr TracePhase phase = TracePhase::backward;
    const std::size_t N = trace.examples, G = routed_rows(trace), R = G * router_->experts_per_token();
    const bool balance = s.balance_loss > 0;
    const char* const at_gate = tokens_ ? "embedding_rows" : "mean";
    const char* const from_experts = tokens_ ? "d_rows_experts" : "d_mean_experts";
    const char* const from_gate = tokens_ ? "d_rows_gate" : "d_mean_gate";
    const Ids ids = ids_.first(N), positions = positions_.first(G);
    const Tensor<float> routed = routed_.first(G), rows = rows_.first(R), hidden = hidden_.first(R),
                        answers = answers_.first(R), dmixed = dmixed_.first(G), danswers = danswers_.first(R),
                        dweights = dweights_.first(G), dlogits = dlogits_.first(G), dhidden = dhidden_.first(R),
                        drows = drows_.first(R), drouted = drouted_.first(G), drouted_gate = drouted_gate_.first(G),
                        dphrase = dphrase_.first(N), phrase = tokens_ ? mean_.first(N) : mixed_.first(N);
    const char* const at_head = tokens_ ? "mean" : "mixed";
    const char* const from_head = tokens_ ? "d_mean" : "d_mixed";

    record.op(phase, "vocabulary_scores_backward", {"d_logits", at_head, "head/kernel"},
              {from_head, "d:head/kernel", "d:head/bias"});
    backend_.dense_backward(dphrase, head_kernel_.gradient, head_bias_.gradient, logits_.first(N), phrase,
                            head_kernel_.value);
    record.keep(from_head, dphrase);

    if (tokens_) {
        record.op(phase, "mean_backward", {"d_mean"}, {"d_mixed"});
        if (mask_) record.with({"ids"});
        backend_.mean_tokens_backward(dmixed, dphrase, ids, mask_);
        record.keep("d_mixed", dmixed);
    }

    record.op(phase, "weighted_sum_to_experts", {"d_mixed", "expert_weights"}, {"d_answers"});
    record.op(phase, "weighted_sum_to_gate", {"d_mixed", "answers"}, {"d_expert_weights"});
    backend_.combine_backward(dweights, danswers, dmixed, routing_.expert_weights, answers, positions);
    record.keep_visits("d_answers", danswers);
    record.keep("d_expert_weights", dweights);

    if (balance) record.op(phase, "balance_to_gate", {"assignments"}, {"d_gate_probs_balance"});
    if (balance && words_) record.with({"ids"});
    record.keep("d_gate_probs_balance", dprobs_.first(G));

    record.op(phase, "gate_softmax_backward", {"d_expert_weights", "gate_probs"},
              {"d_gate_logits_task", "d_gate_logits"});
    if (chooses_) record.with({"expert_weights", "expert_indices"});
    if (balance) record.with({"d_gate_probs_balance"}, {"d_gate_logits_balance"});
    route_backward(record, trace, balance);

    record.op(phase, "gate_scores_backward", {"d_gate_logits", at_gate, "gate/kernel"},
              {from_gate, "d:gate/kernel", "d:gate/bias"});
    backend_.dense_backward(drouted_gate, gate_kernel_.gradient, gate_bias_.gradient, dlogits, routed,
                            gate_kernel_.value);
    record.keep(from_gate, drouted_gate);

    record.op(phase, "expert_output_backward", {"d_answers", "hidden", "expert_indices", "experts/output/kernel"},
              {"d_hidden", "d:experts/output/kernel", "d:experts/output/bias"});
    backend_.grouped_dense_backward(dhidden, output_kernel_.gradient, output_bias_.gradient, danswers, hidden,
                                    output_kernel_.value, offsets_);
    record.keep_visits("d_hidden", dhidden);

    const char* const slope_shows_in = activation_named(s.activation).needs_sums ? "hidden_sums" : "hidden";
    record.op(phase, "expert_hidden_backward",
              {"d_hidden", slope_shows_in, at_gate, "expert_indices", "experts/hidden/kernel"},
              {"d_hidden_sums", from_experts, "d:experts/hidden/kernel", "d:experts/hidden/bias"});
    backend_.activate_backward(dhidden, sums_.first(R), hidden, activation_);
    record.keep_visits("d_hidden_sums", dhidden);
    backend_.grouped_dense_backward(drows, hidden_kernel_.gradient, hidden_bias_.gradient, dhidden, rows,
                                    hidden_kernel_.value, offsets_);
    backend_.gather_rows_backward(drouted, drows, positions);
    record.keep(from_experts, drouted);

    record.op(phase, "embedding_backward", {from_experts, from_gate, "ids"}, {});
    if (!tokens_) record.with({}, {"d_mean"});
    record.with({}, {"d_embedding_rows", "d:embedding"});
    backend_.add(drouted, drouted_gate);
    record.keep(tokens_ ? "d_embedding_rows" : "d_mean", drouted);
    const Ids averaged = tokens_ ? flat_ids_.first(G) : ids;
    backend_.fill(table_.gradient, 0.0f);
    backend_.embedding_mean_backward(table_.gradient, drouted, averaged, mask_);
    if (table_.squares) backend_.fill(table_.squares, 0.0f);
    if (table_.squares) backend_.embedding_mean_squares(table_.squares, drouted, averaged, mask_);
    if (!tokens_) trace_rows(record, trace, s);
}

// Task and balance loss reach the gate by one op of the router. Each is sent through alone first: the step's own pass
// comes last, so that it leaves the step's own bits.
void ModelTrace::route_backward(TraceRecorder& record, const Trace& trace, bool balance) {
    const std::size_t G = routed_rows(trace);
    const Tensor<float> dlogits = dlogits_.first(G), dweights = dweights_.first(G), dprobs = dprobs_.first(G);
    const std::vector<float>& from_task = record.value("d_expert_weights");
    const std::vector<float>& from_balance = record.value("d_gate_probs_balance");

    backend_.fill(dprobs, 0.0f);
    router_->backward(dlogits, dweights, dprobs, routing_);
    record.keep("d_gate_logits_task", dlogits);
    if (balance) {
        backend_.fill(dweights, 0.0f);
        backend_.upload(dprobs, from_balance.data());
        router_->backward(dlogits, dweights, dprobs, routing_);
        record.keep("d_gate_logits_balance", dlogits);
        backend_.upload(dweights, from_task.data());
        backend_.upload(dprobs, from_balance.data());
        router_->backward(dlogits, dweights, dprobs, routing_);
    }
    record.keep("d_gate_logits", dlogits);
}

// The mean's backward op once more, on a table that has a row for every word of the batch instead of one for every
// word of the vocabulary: what each place of each phrase adds to its word.
void ModelTrace::trace_rows(TraceRecorder& record, const Trace& trace, const ModelSpec& s) {
    const std::size_t N = trace.examples, T = s.max_seq_len, D = s.embedding_dim;
    std::vector<std::int32_t> places(N * T);
    for (std::size_t i = 0; i < places.size(); ++i)
        places[i] = s.mask_zero && trace.ids[i] == 0 ? 0 : std::int32_t(i + 1);
    const Tensor<float> drows = dtoken_rows_.first(N * T + 1);
    backend_.upload(ids_.first(N), places.data());
    backend_.fill(drows, 0.0f);
    backend_.embedding_mean_backward(drows, drouted_.first(N), ids_.first(N), s.mask_zero);
    std::vector<float> all(drows.count());
    backend_.download(drows, all.data());
    std::copy(all.begin() + std::ptrdiff_t(D), all.end(), record.value("d_embedding_rows").begin());
}

}  // namespace moe
