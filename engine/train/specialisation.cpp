#include "engine/train/specialisation.h"

#include "engine/core/error.h"
#include "engine/core/rng.h"

#include <algorithm>
#include <cmath>

namespace moe {

namespace {

struct Measure {
    double purity = 0, information = 0;
};

// counts (E, S)
Measure measure(const std::vector<std::size_t>& counts, std::size_t experts, std::size_t subjects) {
    std::vector<double> by_expert(experts), by_subject(subjects);
    double total = 0, pure = 0;
    for (std::size_t e = 0; e < experts; ++e) {
        std::size_t most = 0;
        for (std::size_t s = 0; s < subjects; ++s) {
            const std::size_t n = counts[e * subjects + s];
            by_expert[e] += double(n);
            by_subject[s] += double(n);
            most = std::max(most, n);
        }
        total += by_expert[e];
        pure += double(most);
    }
    Measure m;
    m.purity = pure / total;
    for (std::size_t e = 0; e < experts; ++e)
        for (std::size_t s = 0; s < subjects; ++s)
            if (const double n = double(counts[e * subjects + s]); n > 0)
                m.information += n / total * std::log2(n * total / (by_expert[e] * by_subject[s]));
    return m;
}

double percentile_95(std::vector<double>& values) {
    std::sort(values.begin(), values.end());
    return values[std::size_t(std::ceil(0.95 * double(values.size()))) - 1];
}

}  // namespace

Specialisation specialisation(std::span<const float> weights, std::size_t num_experts,
                              std::span<const std::uint32_t> lines, std::span<const std::uint32_t> line_subjects,
                              std::size_t shuffles, std::uint64_t seed) {
    const std::size_t N = lines.size(), E = num_experts;
    if (N == 0 || E == 0 || weights.size() != N * E || shuffles == 0)
        throw Error("Specialisation takes one row of expert weights for each of at least one item.");
    std::uint32_t subjects = 0;
    for (const std::uint32_t s : line_subjects) subjects = std::max(subjects, s + 1);
    const std::size_t S = subjects;

    std::vector<std::size_t> chosen(N);
    for (std::size_t i = 0; i < N; ++i) {
        if (lines[i] >= line_subjects.size()) throw Error("An item names a line that has no subject.");
        const auto row = weights.subspan(i * E, E);
        chosen[i] = std::size_t(std::max_element(row.begin(), row.end()) - row.begin());
    }
    const auto count = [&](std::span<const std::uint32_t> labels) {
        std::vector<std::size_t> counts(E * S);
        for (std::size_t i = 0; i < N; ++i) ++counts[chosen[i] * S + labels[lines[i]]];
        return counts;
    };

    Specialisation result;
    result.assignments = count(line_subjects);
    const Measure real = measure(result.assignments, E, S);
    result.purity = real.purity;
    result.mutual_information = real.information;
    for (std::size_t e = 0; e < E; ++e) {
        const auto row = result.assignments.begin() + std::ptrdiff_t(e * S);
        result.majority.push_back(std::uint32_t(std::max_element(row, row + std::ptrdiff_t(S)) - row));
        std::size_t sum = 0;
        for (std::size_t s = 0; s < S; ++s) sum += row[std::ptrdiff_t(s)];
        result.share.push_back(double(sum) / double(N));
    }

    std::vector<std::uint32_t> labels(line_subjects.begin(), line_subjects.end());
    std::vector<double> purities, informations;
    Rng random(seed);
    for (std::size_t k = 0; k < shuffles; ++k) {
        for (std::size_t i = labels.size(); i > 1; --i) std::swap(labels[i - 1], labels[random.below(i)]);
        const Measure by_chance = measure(count(labels), E, S);
        purities.push_back(by_chance.purity);
        informations.push_back(by_chance.information);
    }
    result.shuffled_purity = percentile_95(purities);
    result.shuffled_information = percentile_95(informations);
    return result;
}

RoutedPrefixes route_prefixes(Backend<float>& backend, const Trainer& trainer, std::span<const std::string> lines) {
    const ModelSpec spec = column_spec(trainer.experiment().model);
    const std::size_t E = spec.num_experts, T = spec.max_seq_len;
    RoutedPrefixes routed;
    std::vector<std::int32_t> rows;
    for (std::size_t line = 0; line < lines.size(); ++line) {
        const std::vector<std::int32_t> ids = trainer.corpus().tokenizer().ids(lines[line]);
        for (std::size_t n = 1; n <= ids.size(); ++n) {
            rows.resize(rows.size() + T);
            pad_pre(std::span(ids).first(n), std::span(rows).last(T));
            routed.lines.push_back(std::uint32_t(line));
        }
    }
    const std::size_t N = routed.lines.size();
    routed.weights.assign(N * E, 0.0f);
    if (N == 0) return routed;

    LanguageModel<float> model(backend, trainer.parameters(), spec, N, ModelUse::route);
    const Ids input = backend.allocate_ids({{N, T, 1}});
    backend.upload(input, rows.data());
    const auto context = model.route(input);
    const auto& routing = context.mixture.routing;
    const std::size_t K = routing.expert_indices.dim(1);
    std::vector<float> weights(N * K);
    std::vector<std::int32_t> indices(N * K);
    backend.download(routing.expert_weights, weights.data());
    backend.download(routing.expert_indices, indices.data());
    for (std::size_t i = 0; i < N * K; ++i) routed.weights[i / K * E + std::size_t(indices[i])] = weights[i];
    return routed;
}

}  // namespace moe
