#include "app/views/stage_bench.h"
#include "app/views/stage_view_scene.h"

#include <algorithm>
#include <chrono>
#include <cmath>

namespace moe::app {

std::shared_ptr<const Snapshot> benchSnapshot(std::size_t tokens, std::size_t num_experts, double phase) {
    constexpr std::size_t dim = 32;
    auto snapshot = std::make_shared<Snapshot>();
    snapshot->state = SessionState::running;
    snapshot->generation = 1;
    snapshot->experiment.model.num_experts = num_experts;
    snapshot->experiment.model.embedding_dim = dim;
    snapshot->experiment.model.vocabulary = tokens + 1;
    snapshot->experiment.model.max_seq_len = tokens;
    snapshot->load.resize(num_experts);
    ProbeForward& probe = snapshot->probe;
    double all = 0;
    for (std::size_t e = 0; e < num_experts; ++e) all += 2 + std::sin(phase + double(e));
    for (std::size_t e = 0; e < num_experts; ++e) snapshot->load[e] = float((2 + std::sin(phase + double(e))) / all);
    for (std::size_t p = 0; p < tokens; ++p) {
        probe.words.push_back({"word" + std::to_string(p), std::int32_t(p + 1)});
        probe.prefix_words.push_back(p);
        for (std::size_t i = 0; i < dim; ++i) probe.pooled.push_back(float(std::sin(phase + double(p * 7 + i * 3))));
        double sum = 0;
        for (std::size_t e = 0; e < num_experts; ++e)
            sum += std::exp(2 * std::sin(phase + double(p) * 0.3 + double(e) * 1.7));
        for (std::size_t e = 0; e < num_experts; ++e)
            probe.gate_weights.push_back(
                float(std::exp(2 * std::sin(phase + double(p) * 0.3 + double(e) * 1.7)) / sum));
    }
    probe.gate_probs = probe.gate_weights;
    probe.focus = 0;
    probe.focused.mixed.assign(dim, 0.5f);
    probe.focused.outputs.assign(num_experts * dim, 0.5f);
    for (std::size_t i = 0; i < 10; ++i)
        probe.focused.top.push_back(
            {std::int32_t(i + 1), "word" + std::to_string(i), float((1 + 0.5 * std::sin(phase)) / double(2 + i * i))});
    return snapshot;
}

double stageFrameMilliseconds(std::size_t tokens, QSizeF size, std::size_t num_experts) {
    constexpr int frames = 200;
    const std::array snapshots = {benchSnapshot(tokens, num_experts, 0), benchSnapshot(tokens, num_experts, 2)};
    StageScene scene;
    scene.resize(size, 1);
    scene.display(snapshots[0]);
    scene.setFocusedPrefix(tokens / 2);
    scene.settle();
    QImage screen(size.toSize(), QImage::Format_RGB32);
    std::vector<double> milliseconds;
    for (int i = 0; i < frames; ++i) {
        scene.display(snapshots[std::size_t(i / 6) % 2]);
        const auto start = std::chrono::steady_clock::now();
        scene.advance(1 / 60.0);
        const QImage& frame = scene.frame();
        QPainter(&screen).drawImage(0, 0, frame);  // as the window's paint event does
        milliseconds.push_back(
            std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
    }
    std::nth_element(milliseconds.begin(), milliseconds.begin() + frames / 2, milliseconds.end());
    return milliseconds[frames / 2];
}

}  // namespace moe::app
