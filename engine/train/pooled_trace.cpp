#include "engine/train/pooled_trace.h"

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

std::vector<TraceValue> PooledTrace::plan(const ModelSpec& s, std::size_t N, bool backward) {
    const std::size_t V = s.vocabulary, D = s.embedding_dim, H = s.hidden_dim, E = s.num_experts, T = s.max_seq_len,
                      K = experts_per_token(s);
    std::vector<TraceValue> values = {
        {"embedding_rows", {N, T, D}, {}},
        {"mean", {N, D}, {}},
        {"gate_logits", {N, E}, {}},
        {"gate_probs", {N, E}, {}},
        {"expert_weights", {N, K}, {}},
        {"hidden_sums", {N, K, H}, {}},
        {"hidden", {N, K, H}, {}},
        {"answers", {N, K, D}, {}},
        {"mixed", {N, D}, {}},
        {"logits", {N, V}, {}},
        {"probs", {N, V}, {}},
    };
    if (!backward) return values;
    for (TraceValue& value : std::vector<TraceValue>{
             {"loss", {N}, {}},
             {"d_logits", {N, V}, {}},
             {"d_mixed", {N, D}, {}},
             {"d_answers", {N, K, D}, {}},
             {"d_expert_weights", {N, K}, {}},
             {"d_gate_probs_balance", {N, E}, {}},
             {"d_gate_logits_task", {N, E}, {}},
             {"d_gate_logits_balance", {N, E}, {}},
             {"d_gate_logits", {N, E}, {}},
             {"d_hidden", {N, K, H}, {}},
             {"d_hidden_sums", {N, K, H}, {}},
             {"d_mean_experts", {N, D}, {}},
             {"d_mean_gate", {N, D}, {}},
             {"d_mean", {N, D}, {}},
             {"d_embedding_rows", {N, T, D}, {}},
         })
        values.push_back(std::move(value));
    return values;
}

PooledTrace::PooledTrace(Backend<float>& backend, const Parameters<float>& parameters, const ModelSpec& s,
                         std::size_t N, bool backward)
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
      activation_(activation_named(s.activation).id),
      router_(make_router<float>(backend, s, N)) {
    const std::size_t V = s.vocabulary, D = s.embedding_dim, H = s.hidden_dim, E = s.num_experts, T = s.max_seq_len,
                      K = router_->experts_per_token(), R = N * K;
    ids_ = backend.allocate_ids({{N, T, 1}});
    flat_ids_ = backend.allocate_ids({{N * T, 1, 1}});
    targets_ = backend.allocate_ids({{N, 1, 1}});
    offsets_ = backend.allocate_ids({{E + 1, 1, 1}});
    row_tokens_ = backend.allocate_ids({{R, 1, 1}});
    positions_ = backend.allocate_ids({{N, K, 1}});
    token_rows_ = backend.allocate({{N * T, D, 1}});
    mean_ = backend.allocate({{N, D, 1}});
    gate_logits_ = backend.allocate({{N, E, 1}});
    rows_ = backend.allocate({{R, D, 1}});
    sums_ = backend.allocate({{R, H, 1}});
    hidden_ = backend.allocate({{R, H, 1}});
    answers_ = backend.allocate({{R, D, 1}});
    mixed_ = backend.allocate({{N, D, 1}});
    logits_ = backend.allocate({{N, V, 1}});
    probs_ = backend.allocate({{N, V, 1}});
    if (!backward) return;
    for (Tensor<float>* scalar : {&loss_, &correct_, &balance_}) *scalar = backend.allocate({});
    for (Tensor<float>* nd : {&dmixed_, &dmean_, &dmean_gate_}) *nd = backend.allocate({{N, D, 1}});
    for (Tensor<float>* ne : {&dprobs_, &dlogits_}) *ne = backend.allocate({{N, E, 1}});
    for (Tensor<float>* rd : {&danswers_, &drows_}) *rd = backend.allocate({{R, D, 1}});
    dweights_ = backend.allocate({{N, K, 1}});
    dhidden_ = backend.allocate({{R, H, 1}});
    dtoken_rows_ = backend.allocate({{N * T + 1, D, 1}});
}

void PooledTrace::forward(TraceRecorder& record, Trace& trace, const ModelSpec& s) {
    constexpr TracePhase phase = TracePhase::forward;
    const std::size_t N = trace.examples, K = router_->experts_per_token();
    const bool served = trace.targets.empty();
    const Ids ids = ids_.first(N), flat_ids = flat_ids_.first(N * s.max_seq_len);
    backend_.upload(ids, trace.ids.data());
    backend_.upload(flat_ids, trace.ids.data());

    record.op(phase, "embedding_rows", {"ids", "embedding"}, {"embedding_rows"});
    const Tensor<float> token_rows = token_rows_.first(flat_ids.dim(0));
    backend_.gather_rows(token_rows, table_.value, flat_ids);
    record.keep("embedding_rows", token_rows);

    record.op(phase, "mean", {"embedding_rows"}, {"mean"});
    if (s.mask_zero) record.with({"ids"});
    const Tensor<float> mean = mean_.first(N);
    backend_.embedding_mean(mean, ids, table_.value, s.mask_zero);
    record.keep("mean", mean);

    record.op(phase, "gate_scores", {"mean", "gate/kernel", "gate/bias"}, {"gate_logits"});
    const Tensor<float> gate_logits = gate_logits_.first(N);
    backend_.dense(gate_logits, mean, gate_kernel_.value, gate_bias_.value);
    record.keep("gate_logits", gate_logits);

    record.op(phase, "gate_softmax", {"gate_logits"}, {"gate_probs"});
    if (chooses_) record.op(phase, s.router, {"gate_logits"}, {});
    record.with({}, {"expert_indices", "assignments", "expert_weights"});
    routing_ = router_->forward(gate_logits);
    record.keep("gate_probs", routing_.probs);
    record.keep("expert_weights", routing_.expert_weights);
    trace.expert_indices = record.keep(routing_.expert_indices);
    trace.assignments = record.keep(routing_.assignments);

    record.op(phase, "expert_hidden", {"mean", "expert_indices", "experts/hidden/kernel", "experts/hidden/bias"},
              {"hidden_sums", "hidden"});
    const Ids row_tokens = row_tokens_.first(N * K), positions = positions_.first(N);
    const Tensor<float> rows = rows_.first(N * K), sums = sums_.first(N * K), hidden = hidden_.first(N * K),
                        answers = answers_.first(N * K);
    backend_.dispatch(offsets_, row_tokens, positions, routing_.expert_indices);
    record.set_positions(positions);
    backend_.gather_rows(rows, mean, row_tokens);
    backend_.grouped_dense(sums, rows, hidden_kernel_.value, hidden_bias_.value, offsets_);
    record.keep_visits("hidden_sums", sums);
    backend_.activate(hidden, sums, activation_);
    record.keep_visits("hidden", hidden);

    record.op(phase, "expert_output", {"hidden", "expert_indices", "experts/output/kernel", "experts/output/bias"},
              {"answers"});
    backend_.grouped_dense(answers, hidden, output_kernel_.value, output_bias_.value, offsets_);
    record.keep_visits("answers", answers);

    record.op(phase, "weighted_sum", {"expert_weights", "answers"}, {"mixed"});
    const Tensor<float> mixed = mixed_.first(N);
    backend_.combine(mixed, routing_.expert_weights, answers, positions);
    record.keep("mixed", mixed);

    record.op(phase, "vocabulary_scores", {"mixed", "head/kernel", "head/bias"}, {"logits"});
    const Tensor<float> logits = logits_.first(N), probs = probs_.first(N);
    backend_.dense(logits, mixed, head_kernel_.value, head_bias_.value);
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

    backend_.fill(dprobs_.first(N), 0.0f);
    if (s.balance_loss <= 0) return;
    record.op(phase, "balance_loss", {"gate_probs", "assignments"}, {"balance"});
    backend_.balance_loss(balance_, dprobs_.first(N), routing_.probs, routing_.assignments, float(s.balance_loss));
    backend_.download(balance_, &trace.balance);
}

void PooledTrace::backward(TraceRecorder& record, const Trace& trace, const ModelSpec& s) {
    constexpr TracePhase phase = TracePhase::backward;
    const std::size_t N = trace.examples, K = router_->experts_per_token(), R = N * K;
    const bool balance = s.balance_loss > 0;
    const Ids positions = positions_.first(N);
    const Tensor<float> mean = mean_.first(N), rows = rows_.first(R), hidden = hidden_.first(R),
                        answers = answers_.first(R), dmixed = dmixed_.first(N), danswers = danswers_.first(R),
                        dweights = dweights_.first(N), dlogits = dlogits_.first(N), dhidden = dhidden_.first(R),
                        drows = drows_.first(R), dmean = dmean_.first(N), dmean_gate = dmean_gate_.first(N);

    record.op(phase, "vocabulary_scores_backward", {"d_logits", "mixed", "head/kernel"},
              {"d_mixed", "d:head/kernel", "d:head/bias"});
    backend_.dense_backward(dmixed, head_kernel_.gradient, head_bias_.gradient, logits_.first(N), mixed_.first(N),
                            head_kernel_.value);
    record.keep("d_mixed", dmixed);

    record.op(phase, "weighted_sum_to_experts", {"d_mixed", "expert_weights"}, {"d_answers"});
    record.op(phase, "weighted_sum_to_gate", {"d_mixed", "answers"}, {"d_expert_weights"});
    backend_.combine_backward(dweights, danswers, dmixed, routing_.expert_weights, answers, positions);
    record.keep_visits("d_answers", danswers);
    record.keep("d_expert_weights", dweights);

    if (balance) record.op(phase, "balance_to_gate", {"assignments"}, {"d_gate_probs_balance"});
    record.keep("d_gate_probs_balance", dprobs_.first(N));

    record.op(phase, "gate_softmax_backward", {"d_expert_weights", "gate_probs"},
              {"d_gate_logits_task", "d_gate_logits"});
    if (chooses_) record.with({"expert_weights", "expert_indices"});
    if (balance) record.with({"d_gate_probs_balance"}, {"d_gate_logits_balance"});
    route_backward(record, trace, balance);

    record.op(phase, "gate_scores_backward", {"d_gate_logits", "mean", "gate/kernel"},
              {"d_mean_gate", "d:gate/kernel", "d:gate/bias"});
    backend_.dense_backward(dmean_gate, gate_kernel_.gradient, gate_bias_.gradient, dlogits, mean, gate_kernel_.value);
    record.keep("d_mean_gate", dmean_gate);

    record.op(phase, "expert_output_backward", {"d_answers", "hidden", "expert_indices", "experts/output/kernel"},
              {"d_hidden", "d:experts/output/kernel", "d:experts/output/bias"});
    backend_.grouped_dense_backward(dhidden, output_kernel_.gradient, output_bias_.gradient, danswers, hidden,
                                    output_kernel_.value, offsets_);
    record.keep_visits("d_hidden", dhidden);

    const char* const slope_shows_in = activation_named(s.activation).needs_sums ? "hidden_sums" : "hidden";
    record.op(phase, "expert_hidden_backward",
              {"d_hidden", slope_shows_in, "mean", "expert_indices", "experts/hidden/kernel"},
              {"d_hidden_sums", "d_mean_experts", "d:experts/hidden/kernel", "d:experts/hidden/bias"});
    backend_.activate_backward(dhidden, sums_.first(R), hidden, activation_);
    record.keep_visits("d_hidden_sums", dhidden);
    backend_.grouped_dense_backward(drows, hidden_kernel_.gradient, hidden_bias_.gradient, dhidden, rows,
                                    hidden_kernel_.value, offsets_);
    backend_.gather_rows_backward(dmean, drows, positions);
    record.keep("d_mean_experts", dmean);

    record.op(phase, "embedding_backward", {"d_mean_experts", "d_mean_gate", "ids"},
              {"d_mean", "d_embedding_rows", "d:embedding"});
    backend_.add(dmean, dmean_gate);
    record.keep("d_mean", dmean);
    backend_.embedding_mean_backward(table_.gradient, dmean, ids_.first(N), s.mask_zero);
    if (table_.squares) backend_.embedding_mean_squares(table_.squares, dmean, ids_.first(N), s.mask_zero);
    trace_rows(record, trace, s);
}

// Task and balance loss reach the gate by one op of the router. Each is sent through alone first: the step's own pass
// comes last, so that it leaves the step's own bits.
void PooledTrace::route_backward(TraceRecorder& record, const Trace& trace, bool balance) {
    const std::size_t N = trace.examples;
    const Tensor<float> dlogits = dlogits_.first(N), dweights = dweights_.first(N), dprobs = dprobs_.first(N);
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
void PooledTrace::trace_rows(TraceRecorder& record, const Trace& trace, const ModelSpec& s) {
    const std::size_t N = trace.examples, T = s.max_seq_len, D = s.embedding_dim;
    std::vector<std::int32_t> places(N * T);
    for (std::size_t i = 0; i < places.size(); ++i)
        places[i] = s.mask_zero && trace.ids[i] == 0 ? 0 : std::int32_t(i + 1);
    const Tensor<float> drows = dtoken_rows_.first(N * T + 1);
    backend_.upload(ids_.first(N), places.data());
    backend_.fill(drows, 0.0f);
    backend_.embedding_mean_backward(drows, dmean_.first(N), ids_.first(N), s.mask_zero);
    std::vector<float> all(drows.count());
    backend_.download(drows, all.data());
    std::copy(all.begin() + std::ptrdiff_t(D), all.end(), record.value("d_embedding_rows").begin());
}

}  // namespace moe
