#pragma once
#include "engine/formats/model_files.h"

#include <filesystem>
#include <string>
#include <string_view>

namespace moe {

/// `moe_layers.py`: the tutorial's classes, MoELayer and GatingNetwork, as KerasForm::classes needs them.
std::string_view class_module();

/// A Python program that builds this very model from Keras's built-in layers, loads its weights and the optimizer's
/// memory from the file `weights` beside it, and says the next word of a phrase. `name` is for its first line.
std::string keras_code(const SavedModel& model, const std::string& name, const std::string& weights);

/// Where save_keras_code() puts the weights of `code`: the same name with the ending .keras.
std::filesystem::path weights_beside(const std::filesystem::path& code);

/// Where save_class_model() puts the classes of `model`: moe_layers.py in its folder.
std::filesystem::path classes_beside(const std::filesystem::path& model);

/// Whether what lies there is not these classes. Throws Error where it cannot be read.
bool classes_are_foreign(const std::filesystem::path& classes);

/// `file` as keras_code() writes it, and the model at weights_beside() it, which is returned. Each is replaced
/// atomically.
std::filesystem::path save_keras_code(const std::filesystem::path& file, const SavedModel& model);

/// `file` in the tutorial's classes, and these at classes_beside() it, which is returned.
std::filesystem::path save_class_model(const std::filesystem::path& file, const SavedModel& model);

}  // namespace moe
