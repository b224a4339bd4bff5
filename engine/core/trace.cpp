#include "engine/core/trace.h"

#include "engine/core/family.h"

#include <algorithm>
#include <functional>
#include <numeric>

namespace moe {

namespace {

std::size_t count_of(std::span<const std::size_t> shape) {
    return std::accumulate(shape.begin(), shape.end(), std::size_t(1), std::multiplies<>());
}

const NamedArray* named(const std::vector<NamedArray>& arrays, std::string_view name) {
    const auto found = std::ranges::find(arrays, name, &NamedArray::name);
    return found == arrays.end() ? nullptr : &*found;
}

std::optional<TraceNumbers> view(const NamedArray* array) {
    if (array == nullptr) return {};
    std::vector<std::size_t> shape(array->shape.begin(), array->shape.end());
    while (shape.size() > 1 && shape.back() == 1) shape.pop_back();
    return TraceNumbers{std::move(shape), array->values, {}};
}

}  // namespace

std::span<const float> TraceValue::of(std::size_t example) const {
    if (shape.empty() || example >= shape[0]) return {};
    const std::size_t size = values.size() / shape[0];
    return std::span(values).subspan(example * size, size);
}

std::span<const float> TraceValue::of(std::size_t example, std::size_t visit) const {
    const std::span<const float> all = of(example);
    if (all.empty() || shape.size() < 2 || visit >= shape[1]) return {};
    const std::size_t size = count_of(std::span(shape).subspan(2));
    return all.subspan(visit * size, size);
}

std::size_t Trace::routed_places() const {
    return examples && routes_tokens(experiment.model) ? ids.size() / examples : 1;
}

std::size_t Trace::experts_per_token() const {
    return examples ? expert_indices.size() / (examples * routed_places()) : 0;
}

const TraceValue* Trace::find(std::string_view name) const {
    const auto found = std::ranges::find(values, name, &TraceValue::name);
    return found == values.end() ? nullptr : &*found;
}

const NamedArray* Trace::parameter(std::string_view name) const {
    return state ? named(state->parameters, name) : nullptr;
}

const NamedArray* Trace::gradient(std::string_view name) const {
    return named(gradients, name);
}

double Trace::squared_gradient(std::string_view name, std::size_t index) const {
    const TraceValue* rows = find("d_embedding_rows");
    if (name == "embedding" && squares_places() && rows) {
        const std::size_t D = experiment.model.embedding_dim;
        double sum = 0;
        for (std::size_t i = 0; i < ids.size(); ++i) {
            const double part = std::size_t(ids[i]) == index / D ? double(rows->values[i * D + index % D]) : 0.0;
            sum += part * part;
        }
        return sum;
    }
    const NamedArray* whole = gradient(name);
    const double g = whole && index < whole->values.size() ? double(whole->values[index]) : 0.0;
    return g * g;
}

std::optional<TraceNumbers> Trace::numbers(std::string_view name) const {
    if (const TraceValue* value = find(name)) return TraceNumbers{value->shape, value->values, {}};
    const auto rows = [this](const std::vector<std::int32_t>& all) -> std::optional<TraceNumbers> {
        if (all.empty() || examples == 0) return {};
        return TraceNumbers{{examples, all.size() / examples}, {}, all};
    };
    if (name == "ids") return rows(ids);
    if (name == "expert_indices") return rows(expert_indices);
    if (name == "assignments") return rows(assignments);
    if (name == "targets" && !targets.empty()) return TraceNumbers{{targets.size()}, {}, targets};
    if (name == "balance" && backward()) return TraceNumbers{{1}, {&balance, 1}, {}};

    const std::size_t colon = name.find(':');
    if (colon == std::string_view::npos) return view(parameter(name));
    const std::string_view kind = name.substr(0, colon), of = name.substr(colon + 1);
    if (kind == "d") return view(gradient(of));
    if (kind == "m" && state) return view(named(state->momentum, of));
    if (kind == "v" && state) return view(named(state->velocity, of));
    if (kind == "new") return view(named(new_parameters, of));
    if (kind == "new_m") return view(named(new_momentum, of));
    if (kind == "new_v") return view(named(new_velocity, of));
    return {};
}

}  // namespace moe
