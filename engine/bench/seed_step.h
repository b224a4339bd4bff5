#pragma once
#include "engine/backend/backend.h"
#include "engine/train/trainer.h"

#include <cstdint>
#include <memory>

namespace moe {

/// The model that speed is measured on: embedding 64, 4 experts of 64, phrases of 20 words, dense Adam; V words and B
/// examples a batch, on a text whose words come by chance.
struct SeedStep {
    std::size_t V = 2000, B = 32;
    const char* router = "soft";

    /// Multiplications and additions of a soft step's matrix products, forward and backward: the floor under any
    /// program.
    double flop() const;
    Experiment experiment() const;
    std::shared_ptr<const Corpus> corpus() const;
    std::unique_ptr<Trainer> trainer(Backend<float>& backend) const;
};

/// A few lines in a vocabulary of V: soon known by heart, after which gradients and moments of unused words decay
/// towards denormals.
std::unique_ptr<Trainer> memorising_trainer(Backend<float>& backend, std::size_t V, std::size_t B);

}  // namespace moe
