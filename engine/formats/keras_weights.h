#pragma once
#include "engine/core/state.h"
#include "engine/formats/hdf5_weights.h"
#include "engine/formats/keras_graph.h"

#include <string>
#include <vector>

namespace moe {

/// Dimensions of each canonical parameter, in the order of canonical_parameters(); a trailing 1 in its shape may be a
/// size.
inline constexpr std::array<std::size_t, 9> parameter_ranks = {2, 2, 1, 3, 2, 3, 2, 2, 1};

/// The number that was meant by a float: 0.001 rather than 0.0010000000474974513.
double shortest_decimal(double value);

/// `model.weights.h5` of an archive: parameters, and Adam's step, learning rate and moments where it holds them, into
/// `state`; sizes that only the weights tell, into `model.spec`. Returns sentences to say. Throws Error naming `name`
/// and the layer where a weight is missing, of another shape, no number, or unsafe to read.
std::vector<std::string> read_archive_weights(Hdf5Reader& weights, const std::string& name, KerasModel& model,
                                              RunState& state);

/// The same of a legacy `.h5`, whose weights stand under `model_weights`, keyed by layer name.
std::vector<std::string> read_legacy_weights(Hdf5Reader& weights, const std::string& name, KerasModel& model,
                                             RunState& state);

}  // namespace moe
