#include "engine/core/state.h"

namespace moe {

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
