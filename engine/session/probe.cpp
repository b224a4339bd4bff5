#include "engine/session/probe.h"

#include <algorithm>
#include <numeric>

namespace moe {

namespace {

constexpr std::size_t max_prefixes = 512, rows_at_once = 64;

}  // namespace

Probe::Probe(Backend<float>& backend, const Parameters<float>& parameters, const ModelSpec& spec,
             const Tokenizer& tokenizer)
    : backend_(backend),
      spec_(spec),
      tokenizer_(tokenizer),
      columns_(column_spec(spec)),
      routing_(backend, parameters, columns_, rows_at_once, ModelUse::route),
      serving_(backend, parameters, spec, 1, ModelUse::predict),
      ids_(backend.allocate_ids({{rows_at_once, columns_.max_seq_len, 1}})),
      row_(backend.allocate_ids({{1, spec.max_seq_len, 1}})),
      softmax_(backend.allocate({{1, spec.vocabulary, 1}})) {}

void Probe::set_text(std::string text) {
    text_ = std::move(text);
    words_.clear();
    prefix_words_.clear();
    std::vector<std::int32_t> known;
    const std::vector<std::string> cut = tokenizer_.words(text_);
    const std::vector<std::int32_t> ids = tokenizer_.ids_with_unknown(text_);
    for (std::size_t i = 0; i < cut.size(); ++i) {
        words_.push_back({cut[i], ids[i]});
        if (ids[i] <= 0) continue;
        known.push_back(ids[i]);
        prefix_words_.push_back(i);
    }
    const std::size_t skipped = known.size() > max_prefixes ? known.size() - max_prefixes : 0;
    prefix_words_.erase(prefix_words_.begin(), prefix_words_.begin() + std::ptrdiff_t(skipped));

    const auto pad = [&](std::vector<std::int32_t>& rows, std::size_t T) {
        rows.assign(prefix_words_.size() * T, 0);
        for (std::size_t p = 0; p < prefix_words_.size(); ++p)
            pad_pre(std::span(known).first(skipped + p + 1), std::span(rows).subspan(p * T, T));
    };
    pad(rows_, spec_.max_seq_len);
    pad(column_ids_, columns_.max_seq_len);
}

std::span<const std::int32_t> Probe::row(std::size_t prefix) const {
    return std::span(rows_).subspan(prefix * spec_.max_seq_len, spec_.max_seq_len);
}

void Probe::route(std::size_t first, std::size_t count) {
    backend_.upload(ids_.first(count), column_ids_.data() + first * columns_.max_seq_len);
    context_ = routing_.route(ids_.first(count));
}

// Into weights_ and indices_, (P, K), after the next finish_downloads().
void Probe::keep_gate(std::size_t first, std::size_t count) {
    const auto& routing = context_.mixture.routing;
    const std::size_t K = routing.expert_indices.dim(1);
    weights_.resize(prefixes() * K);
    indices_.resize(prefixes() * K);
    backend_.download_later(routing.expert_weights.first(count), weights_.data() + first * K);
    backend_.download_later(routing.expert_indices.first(count), indices_.data() + first * K);
}

void Probe::spread_gate(std::vector<float>& to) const {
    const std::size_t P = prefixes(), E = spec_.num_experts, K = P == 0 ? 0 : indices_.size() / P;
    to.assign(P * E, 0.0f);
    for (std::size_t i = 0; i < P * K; ++i) to[i / K * E + std::size_t(indices_[i])] = weights_[i];
}

void Probe::gate_weights(std::vector<float>& to) {
    const std::size_t P = prefixes();
    for (std::size_t first = 0; first < P; first += rows_at_once) {
        const std::size_t n = std::min(rows_at_once, P - first);
        route(first, n);
        keep_gate(first, n);
    }
    backend_.finish_downloads();
    spread_gate(to);
}

ProbeForward Probe::run(std::size_t focus, std::size_t top_n) {
    ProbeForward f;
    f.text = text_;
    f.words = words_;
    f.prefix_words = prefix_words_;
    const std::size_t P = prefixes(), D = spec_.embedding_dim, E = spec_.num_experts;
    if (P == 0) return f;
    f.pooled.resize(P * D);
    f.gate_probs.resize(P * E);
    for (std::size_t first = 0; first < P; first += rows_at_once) {
        const std::size_t n = std::min(rows_at_once, P - first);
        route(first, n);
        keep_gate(first, n);
        backend_.download_later(context_.embedding.mean, f.pooled.data() + first * D);
        backend_.download_later(context_.mixture.routing.probs, f.gate_probs.data() + first * E);
    }
    backend_.finish_downloads();
    spread_gate(f.gate_weights);
    f.focus = std::min(focus, P - 1);
    f.focused = serve(row(f.focus), top_n);
    return f;
}

FocusedForward Probe::serve(std::span<const std::int32_t> row, std::size_t top_n) {
    FocusedForward f;
    const std::size_t T = spec_.max_seq_len, D = spec_.embedding_dim, E = spec_.num_experts;
    f.row.resize(T);
    pad_pre(row, f.row);
    backend_.upload(row_, f.row.data());
    const auto c = serving_.forward(row_);
    const auto& mixture = c.mixture;
    backend_.softmax(softmax_, c.head.output);
    const std::size_t last = c.embedding.mean.dim(0) - 1;  // the phrase; where tokens are routed, its last word
    const std::size_t K = mixture.routing.expert_indices.dim(1);
    std::vector<std::int32_t> indices(K), positions(K);
    std::vector<float> weights(K);
    f.pooled.resize(D), f.gate_logits.resize(E), f.mixed.resize(D);
    f.gate_weights.assign(E, 0.0f);
    f.outputs.assign(E * D, 0.0f);
    probabilities_.resize(spec_.vocabulary);
    // All room is there by now: nothing may come between asking and having.
    backend_.download_later(mixture.routing.expert_indices.rows(last, 1), indices.data());
    backend_.download_later(mixture.positions.rows(last, 1), positions.data());
    backend_.download_later(mixture.routing.expert_weights.rows(last, 1), weights.data());
    backend_.download_later(c.embedding.mean.rows(last, 1), f.pooled.data());
    backend_.download_later(mixture.gate.output.rows(last, 1), f.gate_logits.data());
    backend_.download_later(c.phrase, f.mixed.data());
    backend_.download_later(softmax_, probabilities_.data());
    backend_.finish_downloads();
    for (std::size_t k = 0; k < K; ++k) f.gate_weights[std::size_t(indices[k])] = weights[k];
    for (std::size_t k = 0; k < K; ++k)
        backend_.download_later(mixture.experts.outputs.rows(std::size_t(positions[k]), 1),
                                f.outputs.data() + std::size_t(indices[k]) * D);
    backend_.finish_downloads();

    std::vector<std::int32_t> order(probabilities_.size());
    std::iota(order.begin(), order.end(), 0);
    const std::size_t shown = std::min(top_n, order.size());
    std::partial_sort(order.begin(), order.begin() + std::ptrdiff_t(shown), order.end(),
                      [&](std::int32_t a, std::int32_t b) {
                          const float pa = probabilities_[std::size_t(a)], pb = probabilities_[std::size_t(b)];
                          return pa != pb ? pa > pb : a < b;
                      });
    for (std::size_t i = 0; i < shown; ++i) {
        const std::int32_t id = order[i];
        // A model may have more rows than its tokenizer has words.
        const bool known = id > 0 && std::size_t(id) < tokenizer_.vocabulary();
        f.top.push_back({id,
                         known     ? tokenizer_.word(id)
                         : id == 0 ? "(padding)"
                                   : "(no word)",
                         probabilities_[std::size_t(id)]});
    }
    return f;
}

}  // namespace moe
