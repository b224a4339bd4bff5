#pragma once
#include "app/lessons/lesson.h"
#include "app/session/session_controller.h"
#include "app/shell/background.h"
#include "engine/session/session_file.h"

#include <QObject>
#include <QStringList>
#include <QUndoStack>

#include <filesystem>
#include <map>
#include <memory>
#include <optional>

namespace moe::app {

/// What a file was when it was last read or written.
struct FileMark {
    std::filesystem::file_time_type time{};
    std::uintmax_t bytes = 0;

    bool operator==(const FileMark&) const = default;
};

/// As RunIdentity::saved_step: what the file holds is no step of this run. Small enough for every JSON reader.
inline constexpr std::uint64_t no_saved_step = (std::uint64_t(1) << 53) - 1;

/// What is known of a run besides the session: what it is called, which file it came from.
struct RunIdentity {
    QString name;                    // of the lesson or the text; of a file where there is neither
    const Lesson* lesson = nullptr;  // where the run is a lesson's own
    std::filesystem::path file;      // where Save goes; empty: not saved yet
    std::uint64_t saved_step = 0;    // up to which the file holds it
    std::optional<Experiment> saved_settings;  // as the file holds them; nothing: not known
    FileMark file_mark;
    std::uint64_t saved_as = 0;  // counts what was read or written: with the same one the same content of a file
    std::uint64_t model = 0;     // counts models that were begun or opened; trained on from the past it is the same
    std::vector<std::string> devices;  // on which it was trained before
    bool rescued = false;              // came back after a crash: worth a question, were it a lesson's own
    bool steered = false;              // settings were changed on the way: the seed alone does not bring it back
    std::uint64_t session = 0;         // counts lessons and files that were opened: its notes go with it

    /// The file's name once there is a file.
    QString title() const;
};

/// A run as undo keeps it.
struct KeptRun {
    SavedRun saved;
    RunIdentity identity;
};

/// The run on the bench: starts, restarts and undoes runs, opens and saves them. Knows no widget. GUI thread.
class Workbench : public QObject {
    Q_OBJECT

public:
    /// `h5` reads the weights of files.
    explicit Workbench(SessionController& session, H5Program h5, QObject* parent = nullptr);

    SessionController& session() { return session_; }
    QUndoStack& undoStack() { return undo_; }
    Background& background() { return background_; }
    const RunIdentity& identity() const { return identity_; }
    /// Whether a model is being opened: until then nothing else may be started, but another lesson.
    bool busy() const { return opening_ > 0 || reading_lesson_; }
    /// Whether anything (trained steps, a setting, notes) is not as the run's file holds it; where there is no file, as
    /// hasUnsavedWork(). Training on after a save makes it changed again.
    bool isChanged() const;
    /// Whether closing would lose training that cannot be had again by pressing play.
    bool hasUnsavedTraining() const;
    /// The same, or notes.
    bool hasUnsavedWork() const;

    /// What a window adds to a session: `scene` says what it shows, `lesson` finds a lesson by its id (null: none).
    void setSurroundings(std::function<SessionScene()> scene, std::function<const Lesson*(const QString& id)> lesson);
    SessionScene scene() const;
    QString notes() const;
    void setNotes(const QString& notes);
    /// The run with all that a file or an autosave holds; `place`: also which file it belongs to.
    WholeSession whole(SavedRun run, bool place) const;

    /// Reads its text on another thread. A lesson that is asked for meanwhile is opened instead.
    void openLesson(const Lesson& lesson);
    /// The present experiment with the epochs that were planned: what was trained on beyond them was this run's.
    Experiment plannedExperiment() const;
    /// Same corpus, another experiment, from step 0. Undo brings the trained model back.
    void restart(const Experiment& experiment, std::function<void(const QString& error)> done = {});
    /// Another text under the present settings.
    void useCorpus(std::shared_ptr<const Corpus> corpus, std::function<void(const QString& error)> done = {});
    /// The same initial weights, step 0. Undo brings the trained model back.
    void reset();
    /// Training (play, a batch, an epoch): at once; where the past is shown after pastTrainingAsked() was answered.
    void train(const std::function<void()>& command);
    /// Makes that moment the present, then calls `then`. Undo brings the run with all its steps back.
    void continueFrom(std::uint64_t step, std::function<void()> then);
    /// A setting that applies at once: learning_rate, batch_size, balance_loss, epochs.
    void setLive(const char* key, const QString& value);
    /// A lesson's own phrase: not a change that undo knows.
    void setProbeQuietly(const QString& text, std::size_t focus);
    /// Key and value as a lesson names them: live ones apply at once, the others start again.
    void applySettings(const std::vector<std::pair<std::string, std::string>>& settings);

    /// Reads a session, a .keras file or a folder of the tutorial's three files on another thread and opens it.
    void openModel(const std::filesystem::path& path);
    /// As openModel(), from an autosave: the run belongs to the file that it belonged to.
    void restore(const std::filesystem::path& autosave, std::function<void(const QString& error)> done);
    /// Writes the whole session as it is at the next step boundary, on another thread. With `changed`: only where the
    /// file is as this window left it, or gone; else nothing is written and `changed` is called.
    void saveModel(const std::filesystem::path& path, std::function<void()> done = {},
                   std::function<void()> changed = {});
    /// For Keras, as it is now: the Python that builds the model, or a file in the tutorial's classes. A second file
    /// goes beside each; where one of that name holds something else nothing is written and `replaces` is called with
    /// its name, unless it is empty.
    enum class KerasExport { code, classes };
    void exportForKeras(const std::filesystem::path& path, KerasExport kind,
                        std::function<void(const QString& name)> replaces);
    /// Bytes of the runs that undo keeps; beyond `bytes` it keeps the last one alone.
    std::size_t undoBytes() const;
    void limitUndo(std::size_t bytes) { undo_limit_ = bytes; }

Q_SIGNALS:
    void identityChanged();
    void workChanged();  // isChanged() may be another, without a new snapshot
    void busyChanged();
    /// Somebody wants to train while `step` of the past is shown; who answers calls continueFrom() or `command`.
    void pastTrainingAsked(std::uint64_t step, const std::function<void()>& command);
    void opened();                          // another model is on the bench
    void refused(const QString& sentence);  // the present model stays
    void working(const QString& what);      // reading or writing; empty: done
    void saved(const QString& name);
    void told(const QString& sentence);
    void fileUsed(const std::filesystem::path& path);  // opened or saved
    void settled(std::uint64_t step);  // a lesson's play button or the file opened gives the run up to this step
    void saveBegun(int number);        // the file will hold the session as it is now
    void saveKept(int number, std::uint64_t step);  // and it does, with the run up to this step
    void notesChanged();                            // another session's
    /// Before identityChanged() of a session that was opened: what it showed.
    void sceneRead(const SessionScene& scene, const Lesson* lesson, bool restored);
    void remarked(const QString& sentences);  // what must be known of a file that was opened

private:
    friend class RunCommand;
    friend class LiveCommand;

    void startLesson(const Lesson& lesson, std::shared_ptr<const Corpus> corpus);
    void start(SessionSetup setup, RunIdentity identity, const QString& undo_text,
               std::function<void(const QString&)> done);
    void continued(std::uint64_t step, const KeptRun& before, const std::function<void()>& then, const QString& error);
    void lostForUndo(const QString& error);
    /// Replaces the run by `run`; the present one goes into `keep`.
    void swap(const KeptRun& run, const std::shared_ptr<std::optional<KeptRun>>& keep);
    void open(SessionSetup setup, RunIdentity identity, std::function<void(const QString&)> done);
    void applyLive(const char* key, const QString& value);
    void pushRun(const QString& text, const KeptRun& before);
    std::vector<const KeptRun*> keptRuns() const;
    void read(const std::filesystem::path& path, bool restored, std::function<void(const QString& error)> done);
    struct ReadFile;
    void finishReading(const std::shared_ptr<ReadFile>& read, bool restored,
                       const std::function<void(const QString& error)>& done);
    bool notesAreUnsaved() const;
    void probeEdited(const QString& before, const QString& after);
    void followDevice();

    struct Notes {
        QString text, saved;
    };

    SessionController& session_;
    H5Program h5_;
    std::function<SessionScene()> scene_;
    std::function<const Lesson*(const QString&)> find_lesson_;
    std::map<std::uint64_t, Notes> notes_;  // by RunIdentity::session
    std::uint64_t sessions_ = 0;
    std::optional<SessionScene> pending_scene_;  // of the session that is being opened
    bool pending_restored_ = false;
    QUndoStack undo_;
    RunIdentity identity_;
    Background background_;
    std::size_t undo_limit_;  // bytes
    std::vector<std::function<void()>> waiting_saves_;
    bool saving_ = false;
    int opening_ = 0, saves_ = 0;
    bool reading_lesson_ = false;
    std::uint64_t lessons_asked_ = 0, models_ = 0, contents_ = 0;
    bool applying_probe_ = false;
    std::string device_;                // that the newest snapshot is of
    std::uint64_t device_model_ = 0;    // and its generation
    std::uint64_t planned_epochs_ = 0;  // where a run ends that is not trained on
};

}  // namespace moe::app
