#pragma once
#include "engine/core/settings.h"
#include "engine/core/state.h"
#include "engine/session/snapshot.h"
#include "engine/session/timeline.h"

#include <memory>

namespace moe {

inline constexpr const char *fuzz_commands_member = "moe-lab/commands.json",
                            *fuzz_checkpoints_member = "moe-lab/checkpoints.safetensors";
inline constexpr std::size_t fuzz_examples = 3;

/// The present of a small run: what its past is held against.
inline RunState fuzz_present() {
    RunState state;
    ModelSpec& model = state.experiment.model;
    model.vocabulary = 3;
    model.max_seq_len = 2;
    model.embedding_dim = model.hidden_dim = model.num_experts = 2;
    model.top_k = 1;
    state.step = 10;
    state.epoch = 5;
    return state;
}

/// Its past: two moments, a rate that was changed between them.
inline Timeline fuzz_past() {
    const RunState present = fuzz_present();
    Timeline past;
    past.start = present.experiment;
    past.start_target = 100;
    past.interval = 8;
    for (const std::uint64_t step : {0u, 8u}) {
        auto moment = std::make_shared<Checkpoint>();
        moment->step = step;
        moment->epoch = step / 2;
        if (step > 0) moment->values.assign(3 * parameter_count(present.experiment.model), 0.5f);
        past.checkpoints.push_back(std::move(moment));
    }
    past.log.push_back({5, "learning_rate", 0.004});
    return past;
}

inline History fuzz_history() {
    History history;
    history.num_experts = 2;
    history.points = {{1, 1, 2, 1.1f, 0, 0.5f}, {2, 1, 2, 1.0f, 0, 0.5f}};
    history.load = {0.5f, 0.5f, 0.25f, 0.75f};
    history.gate_steps = {1, 2};
    history.prefixes = 1;
    history.gate = history.load;
    return history;
}

}  // namespace moe
