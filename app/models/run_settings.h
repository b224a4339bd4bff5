#pragma once
#include "engine/session/snapshot.h"

#include <QString>

#include <vector>

namespace moe::app {

/// A setting as people say it.
struct RunSetting {
    QString name, value;  // "learning rate", "0.001"
};

/// What made the numbers of this snapshot: corpus, gate, sizes, seed, learning rate, and how far it has trained.
std::vector<RunSetting> runSettings(const Snapshot& snapshot, const QString& corpusName);

/// The experiment of the snapshot with the number of epochs that it runs to at that moment.
Experiment presentExperiment(const Snapshot& snapshot);

/// "soft (all run)", "top 2 of 4".
QString gateName(const ModelSpec& spec);

/// "ReLU", "GELU (tanh)".
QString activationName(const ModelSpec& spec);

/// From 9 experts on, pictures have no room for every colour and line.
inline constexpr std::size_t max_coloured_experts = 8;

/// The experts that a picture with room for `room` of them shows: all in their order while they fit, else the heaviest
/// by `load` (E), heaviest first, always with `keep` where it is given (it takes the last place).
std::vector<std::size_t> shownExperts(const std::vector<float>& load, std::size_t room, const std::size_t* keep);

/// Load of the last point of the history where the snapshot has none yet.
std::vector<float> presentLoad(const Snapshot& snapshot);

}  // namespace moe::app
