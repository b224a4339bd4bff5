#pragma once
#include "engine/core/state.h"
#include "engine/formats/h5_program.h"
#include "engine/text/tokenizer.h"

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace moe {

/// A model as files hold it. Written as Keras's built-in layers, so that Keras opens it without a class of ours;
/// what Keras does not know rides along under `moe-lab/` in the same archive.
struct SavedModel {
    RunState state;
    std::optional<Tokenizer> tokenizer;     // absent in a bare .keras of somebody else's
    std::string corpus_name, corpus_text;   // empty where the file carries none
    bool complete = false;                  // written by MoE Lab: step, epoch, position and history are the run's own
    std::vector<std::string> remarks = {};  // what load_model() has to say: a file beside it that was not used

    bool operator==(const SavedModel&) const = default;
};

/// Keras's built-in layers, or the classes of `moe_layers.py` (keras_code.h).
enum class KerasForm { layers, classes };

/// The bytes of a `.keras` archive. Equal models give equal bytes. Throws Error where the form cannot say what the
/// model does. Any thread.
std::string write_keras(const SavedModel& model, KerasForm form = KerasForm::layers);

/// Reads what write_keras wrote, and what Keras did, as an archive or in its legacy format: its built-in form and the
/// tutorial's own classes; sizes, soft or top-k gate, mask, Adam's state. A bare file's state is also its `initial`
/// one: a reset leads back to it. Throws Error in one sentence naming `name` for anything else: no archive, truncated,
/// a missing member, a layer that is not known, sizes that do not fit together. Weights are read by `program`. Any
/// thread.
SavedModel read_keras(std::string_view bytes, const std::string& name, const H5Program& program);

/// Keras's Tokenizer.to_json(), and back (one level or nested strings).
std::string write_tokenizer_json(const Tokenizer& tokenizer);
Tokenizer read_tokenizer_json(std::string_view json, const std::string& name);

/// The tutorial's three files, model.keras, tokenizer.json, max_seq_len.txt, each replaced atomically.
void save_model_folder(const std::filesystem::path& folder, const SavedModel& model);

/// One `.keras` file.
void save_model_file(const std::filesystem::path& file, const SavedModel& model, KerasForm form = KerasForm::layers);

/// A folder of the three files, or one .keras file (a session too) or .h5 file; the tokenizer from inside the archive,
/// else from beside it (tokenizer.json, else tokenizer.pkl). Sizes are checked before anything large is read.
/// Throws Error: missing, truncated, a tokenizer whose vocabulary does not fit the model's.
SavedModel load_model(const std::filesystem::path& folder_or_file, const H5Program& program);

}  // namespace moe
