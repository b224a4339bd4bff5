#pragma once
#include "engine/session/training_session.h"

#include <QObject>
#include <QString>
#include <QTimer>

#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <vector>

namespace moe::app {

/// The one QObject that knows TrainingSession, and the owner of the frame clock: pulls the newest snapshot 60 times a
/// second while something moves, and rests while nothing does. GUI thread.
class SessionController : public QObject {
    Q_OBJECT

public:
    using DeviceList = std::function<std::vector<DeviceInfo>()>;

    /// `devices` lists those of this machine; it is called on another thread.
    explicit SessionController(SessionOptions options = {}, QObject* parent = nullptr,
                               DeviceList devices = list_devices);
    ~SessionController() override;

    /// What is shown: the moment of the past that is looked at while there is one, else the newest. Never null; state
    /// `empty` before the first open().
    const Snapshot& snapshot() const { return *snapshot_; }
    std::shared_ptr<const Snapshot> sharedSnapshot() const { return snapshot_; }
    /// The newest that was pulled of the run, whatever is shown: what the transport and commands go by.
    const Snapshot& live() const { return *live_; }
    std::shared_ptr<const Snapshot> sharedLive() const { return live_; }
    std::shared_ptr<const Corpus> corpus() const { return corpus_; }

    /// Opens a model; `done(QString())` when it is ready, `done(sentence)` where it could not be built and the present
    /// one stays. `done` is called on the GUI thread.
    void open(SessionSetup setup, std::function<void(const QString& error)> done = {});
    /// One of the two is called on the GUI thread: `failed(sentence)` where there is no memory for a copy.
    void save(std::function<void(SavedRun)> done, std::function<void(const QString& error)> failed = {});

    /// Commands: see TrainingSession. Each wakes the frame clock.
    void play();
    void pause();
    void runSteps(std::uint64_t n);
    void runEpochs(std::uint64_t n);
    void trainOn(std::uint64_t epochs);
    void reset();
    void setSpeed(double stepsPerSecond);
    void setLearningRate(double rate);
    void setBatchSize(std::size_t batch);
    void setBalanceLoss(double weight);
    void setTargetEpochs(std::uint64_t epochs);
    void setProbe(const QString& text, std::size_t focus);
    /// The probe text as it was asked for last; the snapshot follows at the next step boundary.
    QString probeText() const { return probe_text_; }

    /// The time machine: see TrainingSession. snapshot() follows when the moment has been replayed.
    /// What lies before firstStep() is refused by momentRefused(), and the first moment is shown.
    void lookAt(std::uint64_t step);
    /// The earliest moment that can be shown.
    std::uint64_t firstStep() const { return live_->checkpoints.first_step; }
    void lookAtNow();
    std::optional<std::uint64_t> lookedAt() const { return looked_at_; }  // as asked for; nothing: the present
    std::optional<double> replayProgress() const { return replay_progress_; }
    /// Each `done` is called once, on the GUI thread, while this object lives.
    void trace(std::uint64_t step, std::function<void(Answer<Trace>)> done);
    void tracePhrase(std::uint64_t step, const QString& text, std::size_t prefix,
                     std::function<void(Answer<Trace>)> done);
    void stateAt(std::uint64_t step, std::function<void(Answer<RunState>)> done);
    void pictureAt(std::uint64_t step, const QString& text, std::size_t focus,
                   std::function<void(Answer<Snapshot>)> done);
    void norms(std::function<void(Answer<NormCurves>)> done);
    /// `done(QString())` when that moment is the present, else the sentence that says why not. Keep save() for undo.
    void continueFrom(std::uint64_t step, std::function<void(const QString& error)> done);
    void setCheckpointBudget(std::size_t bytes);

    /// "auto", "cpu" or "cuda": `done(QString())` when training goes on there, else the sentence that says why not.
    void setDevice(const QString& device, std::function<void(const QString& error)> done = {});
    /// As they were last found: empty until then. Looking takes a moment where a driver has to start.
    const std::vector<DeviceInfo>& devices() const { return devices_; }
    void findDevices();
    /// Whether there is another device than the processor to train on, as far as is known.
    bool hasGpu() const;
    const BackendOptions& backend() const { return backend_; }

    /// Whether every command has been taken, nothing is being opened or saved, and the clock stands still.
    bool resting() const { return !clock_.isActive(); }
    int framesPulled() const { return frames_; }
    /// Processor time of the GUI thread from one pull to the next, smoothed: what a frame's drawing takes.
    double frameMilliseconds() const { return frame_cost_; }

    /// The prefix of the probe text that is looked at, and the expert, if one is picked out.
    std::size_t focusedPrefix() const;
    void setFocusedPrefix(std::size_t prefix);
    std::optional<std::size_t> focusedExpert() const { return focused_expert_; }
    void setFocusedExpert(std::optional<std::size_t> expert);

Q_SIGNALS:
    void structureChanged();                      // another model, corpus or probe text: rebuild layouts
    void valuesChanged();                         // a new snapshot is shown: redraw
    void liveChanged();                           // live() is another, whether it is shown or not
    void momentRefused(const QString& sentence);  // the moment asked for cannot be shown: the present is
    void devicesChanged();                        // devices() are others
    void momentChanged();                         // lookedAt() or replayProgress() is another
    void focusChanged();
    void probeEdited(const QString& before, const QString& after);  // asked for by setProbe()

private:
    struct Opening {
        std::future<std::string> future;
        std::shared_ptr<const Corpus> corpus;
        QString probe;
        std::size_t focus;
        std::function<void(const QString&)> done;
        std::optional<QString> answer = std::nullopt;  // empty: opened
        int frames = 0;                                // since the answer
    };
    struct Saving {
        std::future<SavedRun> future;
        std::function<void(SavedRun)> done;
        std::function<void(const QString&)> failed;
    };

    /// Hands `answer` to `done` on the GUI thread when it is there.
    template <class T>
    void await(std::future<T> answer, std::function<void(T)> done);

    void wake();
    void pull();
    void answerQuestions();
    void followMoment();
    void pace();
    void adopt(std::shared_ptr<const Snapshot> live, bool opened);
    void answerOpenings(const std::shared_ptr<const Snapshot>& newest);
    void answerSavings();

    BackendOptions backend_;
    DeviceList list_devices_;
    std::vector<DeviceInfo> devices_;
    bool finding_devices_ = false;
    TrainingSession session_;
    QTimer clock_;
    int quiet_frames_ = 0, frames_ = 0;
    double frame_cost_ = 0, cpu_at_last_pull_ = -1;  // milliseconds
    std::vector<Opening> openings_;                  // in the order of their commands
    std::vector<Saving> savings_;
    std::vector<std::function<bool()>> questions_;  // true: answered
    std::shared_ptr<const Snapshot> live_, snapshot_;
    std::optional<std::uint64_t> looked_at_;
    std::optional<double> replay_progress_;
    std::shared_ptr<const Corpus> corpus_;
    QString probe_text_;
    std::size_t focus_ = 0;
    std::optional<std::size_t> focused_expert_;
};

}  // namespace moe::app
