#pragma once
#include "engine/formats/json_text.h"
#include "engine/formats/model_files.h"
#include "engine/formats/zip_archive.h"

namespace moe {

/// What this program calls itself in the files that it writes: "MoE Lab 0.1.0".
std::string program_name();

/// The versions of our members, each a JSON object with "version"; a larger one is a future program's.
inline constexpr std::uint64_t session_version = 1, run_version = 1, experiment_version = 1;
inline constexpr const char *session_member = "moe-lab/session.json", *corpus_member = "moe-lab/corpus.txt",
                            *tokenizer_member = "moe-lab/tokenizer.json";
inline constexpr std::size_t largest_session = std::size_t(1) << 24;  // bytes of that member
inline constexpr std::size_t largest_tokenizer = std::size_t(1) << 31, largest_corpus = std::size_t(1) << 31;

/// Throws Error where `json`, a member of the file `name`, is of a later version than `known`: the sentence names both.
void check_version(const Json& json, std::uint64_t known, const std::string& name);

/// Every setting by its key, as text: {"num_experts": "4", ...}. And back, over those of `experiment`; throws Error
/// naming the file where one is unknown or out of range.
std::string settings_json(const Experiment& experiment);
void read_settings(const Json& settings, const std::string& name, Experiment& experiment);

/// The member session.json; throws Error where it is larger than largest_session, no JSON or of a later version.
Json read_session_json(const ZipReader& archive);

/// The archive on the disk, its table alone. Throws Error where the file is something else: the sentence says what.
ZipReader open_keras_archive(const std::filesystem::path& file);

/// load_model() with the archive still open, for members that are others' to read; none of a file in the legacy format.
/// Members of later versions are refused before anything else is read.
struct ModelArchive {
    std::optional<ZipReader> archive;
    std::optional<Json> session;  // session_member, where there is one
    SavedModel model;
};
ModelArchive load_model_archive(const std::filesystem::path& folder_or_file, const H5Program& program);

/// As write_keras(), with further members under `moe-lab/` at the end.
std::string write_keras(const SavedModel& model, std::vector<ZipMember> more, KerasForm form = KerasForm::layers);

}  // namespace moe
