#pragma once
#include "engine/formats/model_files.h"
#include "engine/session/timeline_file.h"
#include "engine/session/training_session.h"

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace moe {

/// Where a stepping through one batch stood: the batch that follows `step` trained steps, the operation by its id in
/// the trace ("gate_softmax"), and the example of the batch that was picked.
struct SteppingPlace {
    std::uint64_t step = 0;
    std::string op;
    std::size_t example = 0;

    bool operator==(const SteppingPlace&) const = default;
};

/// What a window shows besides the model itself. Plain data; nothing in it changes the training.
struct SessionScene {
    std::string lesson;                       // id; empty: none
    std::size_t lesson_step = 0;              // from 0
    std::vector<std::optional<int>> guesses;  // (steps of the lesson) the option that was said
    double speed = 0;                         // steps per second; 0: as fast as it goes
    std::optional<std::size_t> expert;        // picked out
    std::optional<std::uint64_t> looked_at;   // the moment shown, where it is not the present
    std::optional<SteppingPlace> stepping;
    std::string notes;        // the teacher's, plain text
    std::string arrangement;  // of the docks, in the window's own words; empty: the default one

    bool operator==(const SessionScene&) const = default;
};

/// Which file a run belongs to, and what that file was when it was last read or written. For autosaves alone: a file
/// that is handed on names no path.
struct SavedPlace {
    std::string file;
    std::uint64_t step = 0;  // trained steps in it
    std::int64_t time = 0;   // of its last change, in the file system's own ticks
    std::uint64_t bytes = 0;

    bool operator==(const SavedPlace&) const = default;
};

/// A whole session: the run with its past, what the window showed, and where it was computed.
struct WholeSession {
    SavedRun run;
    SessionScene scene;
    std::string title;                 // of the run, for people
    std::vector<std::string> devices;  // on which it was trained, in turn: "CPU · AVX-512"
    std::int64_t saved_at = 0;         // seconds since 1970; 0: not said
    std::optional<SavedPlace> place;
};

/// Bytes of notes that a file holds.
inline constexpr std::size_t largest_notes = std::size_t(1) << 22;

/// The run's model alone, with its text: no history, no past.
SavedModel model_of(const SavedRun& run);

/// The bytes of a `.keras` archive that Keras opens as a model; what Keras does not know rides along under `moe-lab/`.
/// Equal sessions give equal bytes. With `text_elsewhere`, the name of a file beside it that holds pack_text(), corpus
/// and tokenizer are left out: an autosave writes them once. Any thread. Throws Error where something is longer than
/// load_session() reads, notes above all.
std::string pack_session(const WholeSession& session, std::size_t checkpoint_budget = file_checkpoint_budget,
                         const std::string& text_elsewhere = {});
std::string pack_text(const Corpus& corpus);

/// pack_session() into a file, replaced atomically.
void save_session(const std::filesystem::path& file, const WholeSession& session);

/// What a file became: a setup to open, and all that goes with it.
struct LoadedSession {
    SessionSetup setup;
    SessionScene scene;
    std::string title;
    std::vector<std::string> devices;
    std::int64_t saved_at = 0;
    std::optional<SavedPlace> place;
    bool whole = false;                // a session; else a model alone, and `scene` says nothing
    std::vector<std::string> remarks;  // sentences to say: what the file did not carry
};

/// Reads a session, a `.keras` model of anybody's, or a folder of the tutorial's three files. Where the file carries no
/// text, the model is put on `present` (may be null), at the beginning of an epoch, and a remark says so; its setup
/// then has neither probe nor history nor timeline: they were another text's. Throws Error in one sentence: no such
/// file, damaged, of a later version (it names both), a text that the model cannot read. Sizes are checked before
/// anything large is read; weights are read by `program`. Any thread.
LoadedSession load_session(const std::filesystem::path& path, const H5Program& program,
                           const std::shared_ptr<const Corpus>& present = {});

/// What can be said of a session file without reading its weights.
struct SessionSummary {
    std::string title;
    std::int64_t saved_at = 0;
    std::uint64_t step = 0, epoch = 0;
};
SessionSummary summarize_session(const std::filesystem::path& file);

/// The sentence for a run that was trained on other instruction sets than `here`, as its last bits may differ when it
/// is replayed; empty where there is nothing to say.
std::string device_remark(const std::vector<std::string>& devices, const std::string& here);

}  // namespace moe
