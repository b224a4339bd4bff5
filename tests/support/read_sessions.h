#pragma once
#include "engine/session/session_file.h"
#include "tests/support/read_models.h"

namespace moe {

inline LoadedSession load_session(const std::filesystem::path& path,
                                  const std::shared_ptr<const Corpus>& present = {}) {
    return load_session(path, h5_program(), present);
}

}  // namespace moe
