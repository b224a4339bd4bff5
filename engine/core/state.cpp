#include "engine/core/state.h"

namespace moe {

bool RunState::operator==(const RunState& o) const {
    const bool same_start = initial == o.initial || (initial && o.initial && *initial == *o.initial);
    return same_start && experiment == o.experiment && target_epochs == o.target_epochs && step == o.step &&
           epoch == o.epoch && next_example == o.next_example && sums == o.sums && load_sums == o.load_sums &&
           load == o.load && epochs == o.epochs && parameters == o.parameters && momentum == o.momentum &&
           velocity == o.velocity;
}

std::vector<NamedArray> canonical_parameters(const ModelSpec& s) {
    const std::size_t V = s.vocabulary, D = s.embedding_dim, H = s.hidden_dim, E = s.num_experts;
    return {
        {"embedding", {V, D, 1}, {}},           {"gate/kernel", {D, E, 1}, {}},
        {"gate/bias", {E, 1, 1}, {}},           {"experts/hidden/kernel", {E, D, H}, {}},
        {"experts/hidden/bias", {E, H, 1}, {}}, {"experts/output/kernel", {E, H, D}, {}},
        {"experts/output/bias", {E, D, 1}, {}}, {"head/kernel", {D, V, 1}, {}},
        {"head/bias", {V, 1, 1}, {}},
    };
}

}  // namespace moe
