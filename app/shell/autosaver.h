#pragma once
#include "app/shell/workbench.h"
#include "engine/session/autosave.h"

#include <QElapsedTimer>
#include <QTimer>

#include <utility>

namespace moe::app {

struct AutosaveOptions {
    std::filesystem::path root;                                                // empty: no autosave
    int look = 500, after_edit = 3000, after_training = 7000, touch = 60'000;  // milliseconds
};

/// Keeps what would be lost in a crash: looks twice a second whether the session differs from what a file, a lesson's
/// play button or the last autosave gives, and writes it in the background. At most 10 s of training and 5 s of edits
/// are lost. GUI thread; files on another one.
class Autosaver : public QObject {
    Q_OBJECT

public:
    Autosaver(Workbench& bench, AutosaveOptions options, QObject* parent = nullptr);
    /// Waits for what is being written. What is kept stays, unless leaveInPeace() was called.
    ~Autosaver() override;

    /// The window is closed by its user: nothing needs to be kept.
    void leaveInPeace() { in_peace_ = true; }
    /// Goes on in the place of a session that was restored from it.
    void adopt(std::unique_ptr<AutosaveSlot> slot);
    /// Bytes and milliseconds of the last autosave, for tests.
    int written() const { return written_count_; }

Q_SIGNALS:
    void failed(const QString& sentence);  // once, until it works again

private:
    /// What makes one session differ from another; compared twice a second.
    struct Mark {
        std::uint64_t generation = 0, step = 0;
        Experiment experiment;
        std::shared_ptr<const Corpus> corpus;
        QString probe;
        std::size_t focus = 0;
        SessionScene scene;

        bool operator==(const Mark&) const = default;
    };
    Mark present() const;
    void look();
    void write(const Mark& mark);
    void clear();
    void run(std::function<void(AutosaveSlot*)> work, bool makes_slot, std::function<void()> done);
    void refuse(const QString& sentence);

    Workbench& bench_;
    AutosaveOptions options_;
    QTimer timer_;
    QElapsedTimer since_change_, since_write_, since_touch_;
    std::optional<Mark> settled_, kept_;  // nothing to lose; what the slot holds
    std::optional<std::uint64_t> settled_step_;
    std::optional<std::pair<int, Mark>> begun_;  // the last save that was asked for
    std::shared_ptr<AutosaveSlot> slot_;         // while working_, the other thread's
    std::shared_ptr<AutosaveSlot> adopted_;
    bool working_ = false, in_peace_ = false, told_ = false;
    int written_count_ = 0;
    std::unique_ptr<Background> background_;
};

}  // namespace moe::app
