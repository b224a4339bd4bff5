#pragma once
#include "engine/session/session_file.h"

#include <memory>
#include <vector>

namespace moe {

/// Where one window keeps its unsaved session: a folder of its own below `root`, locked for as long as this lives, so
/// that others see whether its process does. Written atomically. One thread at a time; throws Error.
class AutosaveSlot {
public:
    /// Makes and locks a new folder; where that fails, none is left.
    explicit AutosaveSlot(const std::filesystem::path& root);
    /// Unlocks. What was written stays: only remove() takes it away.
    ~AutosaveSlot();
    AutosaveSlot(const AutosaveSlot&) = delete;
    AutosaveSlot& operator=(const AutosaveSlot&) = delete;

    /// Replaces what is kept. The text is written when it changes; the rest each time.
    void write(const WholeSession& session);
    /// Nothing to lose at present: what is kept goes, the folder stays.
    void clear();
    /// Says to other machines that share the folder that this window lives, every few minutes, also with nothing kept.
    void touch();
    /// The window is closed in peace: the folder goes.
    void remove();
    bool holds_session() const;

    const std::filesystem::path& folder() const { return folder_; }
    std::filesystem::path file() const;

private:
    friend std::vector<struct Leftover> find_leftovers(const std::filesystem::path& root);
    struct Taken {
        std::filesystem::path folder;
        int lock = -1;
    };
    explicit AutosaveSlot(Taken taken);
    static Taken new_folder(const std::filesystem::path& root);

    std::filesystem::path folder_;
    int lock_ = -1;
    std::shared_ptr<const Corpus> text_;  // whose pack_text() lies in text_name_
    std::string text_name_, kept_text_;   // the last one's; the one that file() names
    std::uint64_t texts_ = 0;
};

/// A session whose program ended without saying so.
struct Leftover {
    std::unique_ptr<AutosaveSlot> slot;  // locked: no other window is offered it meanwhile
    SessionSummary summary;
    std::string problem;  // the sentence where it cannot be read; else empty
};

/// All leftovers below `root`, the newest first. Those of living processes are not listed, nor those of another
/// machine that shares the folder until they have been still for ten minutes; empty folders of dead ones are removed.
/// Any thread. A root that is missing has none.
std::vector<Leftover> find_leftovers(const std::filesystem::path& root);

}  // namespace moe
