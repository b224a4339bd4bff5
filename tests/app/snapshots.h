#pragma once
#include "engine/session/snapshot.h"

#include <cmath>
#include <memory>
#include <string>
#include <vector>

namespace moe::app::test {

/// A smooth, different number for every index: stands for what an engine would compute.
inline float wave(std::size_t a, std::size_t b, double phase = 0) {
    return float(0.5 + 0.5 * std::sin(1.7 * double(a) + 2.9 * double(b) + phase));
}

/// Rows that add up to 1, as a softmax gives them. (rows, columns)
inline std::vector<float> shares(std::size_t rows, std::size_t columns, double sharpness = 2, double phase = 0) {
    std::vector<float> values(rows * columns);
    for (std::size_t r = 0; r < rows; ++r) {
        double sum = 0;
        for (std::size_t c = 0; c < columns; ++c) {
            const double v = std::exp(sharpness * double(wave(r, c, phase)));
            values[r * columns + c] = float(v);
            sum += v;
        }
        for (std::size_t c = 0; c < columns; ++c)
            values[r * columns + c] = float(double(values[r * columns + c]) / sum);
    }
    return values;
}

struct Shape {
    std::size_t experts = 4;
    std::vector<std::string> words{"hello", "world", "how", "are"};
    std::vector<std::size_t> unknown;  // indices of words that the vocabulary does not have
    std::size_t epochs = 87, target = 100, steps_per_epoch = 2;
    double balance_loss = 0;
};

/// A run of `epochs` epochs, as a session would publish it; 0 epochs: untrained.
inline std::shared_ptr<Snapshot> snapshot(const Shape& shape = {}) {
    auto s = std::make_shared<Snapshot>();
    const std::size_t E = shape.experts;
    s->state = shape.epochs == 0 ? SessionState::ready : SessionState::paused;
    s->generation = 1;
    s->experiment.model.vocabulary = 13;
    s->experiment.model.max_seq_len = 4;
    s->experiment.model.num_experts = E;
    s->experiment.model.balance_loss = shape.balance_loss;
    s->epoch = shape.epochs;
    s->target_epochs = shape.target;
    s->steps_per_epoch = shape.steps_per_epoch;
    s->step = shape.epochs * shape.steps_per_epoch;
    s->examples = 12;
    s->best_correct = 11;
    s->loss = s->accuracy = NAN;
    s->parameters = 12345;
    s->device = "CPU";

    ProbeForward& probe = s->probe;
    for (std::size_t i = 0; i < shape.words.size(); ++i) {
        bool unknown = false;
        for (const std::size_t u : shape.unknown) unknown = unknown || u == i;
        probe.text += (i ? " " : "") + shape.words[i];
        probe.words.push_back({shape.words[i], unknown ? 0 : std::int32_t(i % 12 + 1)});
        if (!unknown) probe.prefix_words.push_back(i);
    }
    const std::size_t P = probe.prefix_words.size();
    probe.gate_weights = probe.gate_probs = shares(P, E, shape.epochs == 0 ? 0.2 : 2.5);
    if (P > 0) {
        FocusedForward& focused = probe.focused;
        focused.row.assign(4, 0);
        for (std::size_t i = 0; i < std::min<std::size_t>(4, P); ++i)
            focused.row[3 - i] = probe.words[probe.prefix_words[P - 1 - i]].id;
        focused.gate_logits.assign(E, 0);
        const char* top[] = {"world", "again", "how", "thank", "are"};
        double rest = 1;
        for (int i = 0; i < 5; ++i) {
            const double p = i == 0 ? 0.5 : rest * 0.4;
            rest -= p;
            focused.top.push_back({i + 1, top[i], float(p)});
        }
    }

    auto history = std::make_shared<History>();
    history->num_experts = E;
    history->prefixes = P;
    history->gate_probe = probe.text;
    const auto add_gate = [&](std::size_t step, double t) {
        const auto gate = shares(P, E, 0.2 + 2.3 * t);
        history->gate_steps.push_back(step);
        history->gate.insert(history->gate.end(), gate.begin(), gate.end());
    };
    if (P > 0) add_gate(0, 0);
    for (std::size_t step = 1; step <= s->step; ++step) {
        const double t = double(step) / double(s->step);
        HistoryPoint point;
        point.step = step;
        point.loss = float(2.5 * std::exp(-2 * t) + 0.05 * double(wave(step, 1)));
        point.balance = shape.balance_loss > 0 ? float(0.2 + 0.1 * t) : 0;
        point.accuracy = float(0.9 * t);
        history->points.push_back(point);
        const auto load = shares(1, E, 2 * t, 0.3 * t);
        history->load.insert(history->load.end(), load.begin(), load.end());
        if (P > 0) add_gate(step, t);
    }
    for (std::size_t epoch = 1; epoch <= shape.epochs; ++epoch) {
        const double t = double(epoch) / double(shape.epochs);
        history->epochs.push_back(
            {2.5 * std::exp(-2 * t), std::floor(11 * t) / 12, shape.balance_loss > 0 ? 0.2 : 0.0});
    }
    if (shape.epochs > 0) {
        s->loss = history->epochs.back().loss;
        s->accuracy = history->epochs.back().accuracy;
        s->balance = history->epochs.back().balance;
        s->load = shares(1, E, 2, 0.3);
    }
    s->history = history;
    return s;
}

}  // namespace moe::app::test
