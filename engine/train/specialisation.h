#pragma once
#include "engine/train/trainer.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace moe {

/// How far experts divide the work by subject, and what chance alone would show. Every item (a prefix of a held-out
/// line) goes to the expert with its largest weight; of equals the lower index.
struct Specialisation {
    double purity = 0;                     // share of items whose expert's majority subject is theirs
    double mutual_information = 0;         // between expert and subject, in bits
    double shuffled_purity = 0;            // the 95th percentile of purity where lines swap subjects at random
    double shuffled_information = 0;       // and of the mutual information
    std::vector<std::uint32_t> majority;   // (E) each expert's most frequent subject; of equals the first
    std::vector<double> share;             // (E) share of all items that the expert got
    std::vector<std::size_t> assignments;  // (E, S) items by expert and subject
};

/// weights (N, E), lines (N): the line each item was taken from; line_subjects: the subject of each line, from 0.
/// Items of one line depend on each other, so chance is measured by swapping subjects between whole lines, `shuffles`
/// times from `seed`. Throws Error where sizes do not fit. Any thread.
Specialisation specialisation(std::span<const float> weights, std::size_t num_experts,
                              std::span<const std::uint32_t> lines, std::span<const std::uint32_t> line_subjects,
                              std::size_t shuffles = 200, std::uint64_t seed = 1);

/// Every prefix of some lines, the whole line included, and where the gate sends it (family=token: its last word).
struct RoutedPrefixes {
    std::vector<float> weights;        // (N, E) expert weights, 0 where an expert was not chosen
    std::vector<std::uint32_t> lines;  // (N) index of the prefix's line
};

/// Routes lines that the trainer's present model did not learn from; unknown words are dropped, as in serving.
/// `backend` is the trainer's own. Trainer's thread.
RoutedPrefixes route_prefixes(Backend<float>& backend, const Trainer& trainer, std::span<const std::string> lines);

}  // namespace moe
