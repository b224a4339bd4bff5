#pragma once
#include "app/lessons/lesson.h"
#include "app/session/session_controller.h"
#include "app/shell/background.h"

#include <QObject>
#include <QUndoStack>

#include <filesystem>
#include <memory>
#include <optional>

namespace moe::app {

/// What is known of a run besides the session: what it is called, which file it came from.
struct RunIdentity {
    QString name;                    // of the corpus, the lesson or the file, for the title
    const Lesson* lesson = nullptr;  // where the run is a lesson's own
    std::filesystem::path file;      // where Save goes; empty: not saved yet
    std::uint64_t saved_step = 0;
};

/// A run as undo keeps it.
struct KeptRun {
    SavedRun saved;
    RunIdentity identity;
};

/// The experiment of the snapshot with the number of epochs that it now runs to.
Experiment presentExperiment(const Snapshot& snapshot);

/// The run on the bench: starts, restarts and undoes runs, opens and saves them. Knows no widget. GUI thread.
class Workbench : public QObject {
    Q_OBJECT

public:
    explicit Workbench(SessionController& session, QObject* parent = nullptr);

    SessionController& session() { return session_; }
    QUndoStack& undoStack() { return undo_; }
    Background& background() { return background_; }
    const RunIdentity& identity() const { return identity_; }
    /// Whether a model is being opened: until then nothing else may be started.
    bool busy() const { return opening_ > 0; }
    /// Whether closing would lose training that cannot be had again by pressing play.
    bool hasUnsavedTraining() const;

    void openLesson(const Lesson& lesson);
    /// Same corpus, another experiment, from step 0. Undo brings the trained model back.
    void restart(const Experiment& experiment, std::function<void(const QString& error)> done = {});
    /// Another text under the present settings.
    void useCorpus(std::shared_ptr<const Corpus> corpus, std::function<void(const QString& error)> done = {});
    /// The same initial weights, step 0. Undo brings the trained model back.
    void reset();
    /// A setting that applies at once: learning_rate, batch_size, balance_loss, epochs.
    void setLive(const char* key, const QString& value);
    /// A lesson's own phrase: not a change that undo knows.
    void setProbeQuietly(const QString& text, std::size_t focus);
    /// Key and value as a lesson names them: live ones apply at once, the others start again.
    void applySettings(const std::vector<std::pair<std::string, std::string>>& settings);

    /// Reads a .keras file or a folder of the tutorial's three files on another thread and opens it.
    void openModel(const std::filesystem::path& path);
    /// Writes the model as it is at the next step boundary, on another thread.
    void saveModel(const std::filesystem::path& path, std::function<void()> done = {});
    /// Whether the run's file is not as this window left it.
    bool fileChangedOutside() const;

Q_SIGNALS:
    void identityChanged();
    void busyChanged();
    void opened();                          // another model is on the bench
    void refused(const QString& sentence);  // the present model stays
    void working(const QString& what);      // reading or writing; empty: done
    void saved(const QString& name);

private:
    friend class RunCommand;
    friend class LiveCommand;

    void start(SessionSetup setup, RunIdentity identity, const QString& undo_text,
               std::function<void(const QString&)> done);
    /// Replaces the run by `run`; the present one goes into `keep`.
    void swap(const KeptRun& run, const std::shared_ptr<std::optional<KeptRun>>& keep);
    void open(SessionSetup setup, RunIdentity identity, std::function<void(const QString&)> done);
    void applyLive(const char* key, const QString& value);
    void pushRun(const QString& text, const KeptRun& before);
    void rememberFile(const std::filesystem::path& path);
    void probeEdited(const QString& before, const QString& after);

    SessionController& session_;
    QUndoStack undo_;
    RunIdentity identity_;
    Background background_;
    int opening_ = 0;
    bool applying_probe_ = false;
    std::uint64_t planned_epochs_ = 0;  // where a run ends that is not trained on
    std::filesystem::file_time_type file_time_{};
    std::uintmax_t file_size_ = 0;
};

}  // namespace moe::app
