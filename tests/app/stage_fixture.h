#pragma once
#include "engine/session/snapshot.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

namespace moe::test {

/// A snapshot of a model that was never trained, by formula: `words` with "?" in front are unknown.
struct StageCase {
    std::vector<std::string> words;
    std::size_t num_experts = 4, top_k = 0;  // 0: soft
    std::size_t dim = 32;
    bool trained = true;
    double phase = 0;
};

inline std::vector<std::string> phrase(std::size_t count) {
    static const std::vector<std::string> some = {"hello", "world",  "how",  "are", "you",   "today", "my",   "dear",
                                                  "old",   "friend", "from", "the", "north", "where", "rain", "falls"};
    std::vector<std::string> words;
    for (std::size_t i = 0; i < count; ++i) words.push_back(some[i % some.size()]);
    return words;
}

inline std::shared_ptr<Snapshot> snapshotOf(const StageCase& c) {
    auto s = std::make_shared<Snapshot>();
    s->state = SessionState::paused;
    s->generation = 1;
    auto& model = s->experiment.model;
    model.num_experts = c.num_experts, model.embedding_dim = c.dim, model.vocabulary = 21, model.max_seq_len = 8;
    model.router = c.top_k ? "top_k" : "soft", model.top_k = c.top_k ? c.top_k : 2;
    const std::size_t e = c.num_experts;
    const auto softmax = [&](double from, double sharp) {
        std::vector<double> p(e);
        double sum = 0;
        for (std::size_t i = 0; i < e; ++i) sum += p[i] = std::exp(sharp * std::sin(from + double(i) * 1.9));
        for (double& v : p) v /= sum;
        return p;
    };
    if (c.trained)
        for (double v : softmax(c.phase + 4.1, 0.6)) s->load.push_back(float(v));
    ProbeForward& probe = s->probe;
    for (std::size_t w = 0; w < c.words.size(); ++w) {
        const bool unknown = c.words[w].starts_with('?');
        probe.text += (w ? " " : "") + c.words[w].substr(unknown);
        probe.words.push_back({c.words[w].substr(unknown), unknown ? 0 : std::int32_t(w % 20 + 1)});
        if (unknown) continue;
        const std::size_t p = probe.prefix_words.size();
        probe.prefix_words.push_back(w);
        for (std::size_t i = 0; i < c.dim; ++i)
            probe.pooled.push_back(
                float(std::sin(c.phase + double(p) * 0.4 + double(i * i) * 1.3) / (1 + 0.2 * double(p % 8))));
        auto chances = softmax(c.phase + 4.6 + double(p % 16) * 0.35, 1.1);
        std::vector<double> sorted = chances;
        std::sort(sorted.rbegin(), sorted.rend());
        const double least = c.top_k ? sorted[c.top_k - 1] : 0;
        double kept = 0;
        for (double v : chances) kept += v >= least ? v : 0;
        for (double v : chances) {
            probe.gate_probs.push_back(float(v));
            probe.gate_weights.push_back(v >= least ? float(v / kept) : 0.0f);
        }
    }
    if (probe.prefix_words.empty()) return s;
    probe.focused.outputs.resize(e * c.dim);
    for (std::size_t i = 0; i < probe.focused.outputs.size(); ++i)
        probe.focused.outputs[i] = float(std::sin(double(i)));
    probe.focused.mixed.assign(c.dim, 0.25f);
    const std::vector<std::pair<std::string, float>> top = {
        {"world", 0.913f}, {"again", 0.03f}, {"how", 0.02f},  {"thank", 0.012f}, {"are", 0.01f},
        {"rain", 0.005f},  {"you", 0.004f},  {"old", 0.003f}, {"my", 0.002f},    {"from", 0.001f}};
    for (std::size_t i = 0; i < top.size(); ++i)
        probe.focused.top.push_back({std::int32_t(i + 1), top[i].first, top[i].second});
    return s;
}

}  // namespace moe::test
