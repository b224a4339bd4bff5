#pragma once
// What reads models, with the program moelab-h5 that was built beside the tests.
#include "engine/formats/legacy_h5.h"

namespace moe {

/// A sanitizer takes more address space than the child's limit on memory would leave it: it then has none.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool h5_has_memory_limit = false;
#else
inline constexpr bool h5_has_memory_limit = true;
#endif

/// With time enough for a busy machine.
inline H5Program h5_program() {
    return {MOE_H5_PROGRAM, 60, 60};
}

inline SavedModel read_keras(std::string_view bytes, const std::string& name) {
    return read_keras(bytes, name, h5_program());
}

inline SavedModel read_legacy_h5(std::string_view image, const std::string& name) {
    return read_legacy_h5(image, name, h5_program());
}

inline SavedModel load_model(const std::filesystem::path& folder_or_file) {
    return load_model(folder_or_file, h5_program());
}

}  // namespace moe
