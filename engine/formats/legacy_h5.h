#pragma once
#include "engine/formats/model_files.h"

#include <string>
#include <string_view>

namespace moe {

/// Whether these bytes, a file's first, are those of an HDF5 file.
bool is_hdf5(std::string_view start);

/// Keras's legacy format, one HDF5 file: model and optimizer as attributes, weights keyed by layer name. Both forms of
/// read_keras() are read, by the same rules. Throws Error in one sentence naming `name`. Any thread.
SavedModel read_legacy_h5(std::string_view image, const std::string& name, const H5Program& program);

}  // namespace moe
