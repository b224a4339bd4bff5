#include "engine/model/language_model.h"

#include "engine/core/rng.h"

#include <cmath>

namespace moe {

std::vector<NamedArray> initial_parameters(const ModelSpec& spec, std::uint64_t seed) {
    std::vector<NamedArray> parameters = canonical_parameters(spec);
    for (std::size_t i = 0; i < parameters.size(); ++i) {
        NamedArray& p = parameters[i];
        p.values.assign(p.shape[0] * p.shape[1] * p.shape[2], 0.0f);
        double limit = 0;
        if (p.name == "embedding") limit = 0.05;
        if (p.name.ends_with("/kernel")) {
            const bool bank = p.name.starts_with("experts/");
            const std::size_t fan_in = bank ? p.shape[1] : p.shape[0], fan_out = bank ? p.shape[2] : p.shape[1];
            limit = std::sqrt(6.0 / double(fan_in + fan_out));
        }
        if (limit == 0) continue;
        Rng rng(seed, i);
        for (float& value : p.values) value = float((2 * rng.uniform() - 1) * limit);
    }
    return parameters;
}

template <class T>
void upload_parameters(Backend<T>& backend, Parameters<T>& parameters, const std::vector<NamedArray>& values) {
    for (const auto& entry : parameters.entries()) {
        const NamedArray* found = nullptr;
        for (const NamedArray& v : values)
            if (v.name == entry.name) found = &v;
        if (!found) throw Error("The model's weights lack '" + entry.name + "'.");
        if (found->values.size() != entry.value.count())
            throw Error("The weights of '" + entry.name + "' are " + std::to_string(found->values.size()) +
                        " numbers, but the model has " + std::to_string(entry.value.count()) + ".");
        const std::vector<T> converted(found->values.begin(), found->values.end());
        backend.upload(entry.value, converted.data());
    }
}

template void upload_parameters(Backend<float>&, Parameters<float>&, const std::vector<NamedArray>&);
template void upload_parameters(Backend<double>&, Parameters<double>&, const std::vector<NamedArray>&);

}  // namespace moe
