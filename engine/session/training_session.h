#pragma once
#include "engine/backend/backend.h"
#include "engine/core/state.h"
#include "engine/core/trace.h"
#include "engine/session/snapshot.h"
#include "engine/session/timeline.h"
#include "engine/text/corpus.h"

#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>

namespace moe {

class Replayer;
class Viewer;
struct ViewFeed;

/// A model with its corpus: what a session works on.
struct SessionSetup {
    Experiment experiment;  // vocabulary and max_seq_len may be 0: from the corpus
    std::shared_ptr<const Corpus> corpus;
    std::optional<RunState> state;           // go on from here; else fresh weights from the seed
    std::shared_ptr<const History> history;  // of that state, where known
    /// Its past; one that does not lead to the state is left out, and the past begins there.
    std::shared_ptr<const Timeline> timeline;
    std::string probe;
    std::size_t focus = 0;
};

/// What undo, saving and the next session need: immutable, shared.
struct SavedRun {
    RunState state;
    std::shared_ptr<const Corpus> corpus;
    std::shared_ptr<const History> history;
    std::shared_ptr<const Timeline> timeline;
    std::string probe;
    std::size_t focus = 0;
};

struct SessionOptions {
    BackendOptions backend;
    double speed_limit = 0;        // steps per second; 0: as fast as it goes
    std::size_t memory_limit = 0;  // bytes; 0: default_memory_limit()
    bool gives_way = false;        // its threads let a window's own run first where cores are short
    double patience = 5;           // seconds that a curve over the whole run may be replayed for; then checkpoints do
};

/// The app's only door to training. A worker thread owns the model alone; commands are values in a queue, drained
/// between steps; the newest snapshot waits in one slot. All members may be called from any thread and return at once,
/// unless they say that they wait.
class TrainingSession {
public:
    explicit TrainingSession(SessionOptions options = {});
    ~TrainingSession();  // stops after the present step and waits
    TrainingSession(const TrainingSession&) = delete;
    TrainingSession& operator=(const TrainingSession&) = delete;

    /// Replaces the model: its state is then ready, or that of the given state, and the future holds an empty string.
    /// What cannot be built (K > E, too large, a vocabulary that does not fit) leaves the present model as it is, and
    /// the future holds the sentence that says why (no exception crosses threads).
    [[nodiscard]] std::future<std::string> try_open(SessionSetup setup);

    /// As try_open(), but waits. Throws Error.
    void open(SessionSetup setup);

    void play();  // until the target epoch; from "finished": does nothing before train_on()
    void pause();
    void run_steps(std::uint64_t n);      // then pauses; after what an earlier run_ call has still to do
    void run_epochs(std::uint64_t n);     // to the n-th next end of an epoch, then pauses; adds up as run_steps() does
    void train_on(std::uint64_t epochs);  // moves the target to that many epochs from now, and plays
    void reset();                         // the same initial weights (the seed's, or those that were opened), step 0
    void set_speed(double steps_per_second);  // 0: as fast as it goes
    void set_learning_rate(double rate);      // from the next step on; part of the run
    void set_batch_size(std::size_t batch);   // from the next step on
    void set_balance_loss(double weight);
    /// "auto", "cpu" or "cuda": the same run goes on there, from the same state. Its past is replayed there too, to the
    /// bits of that device: the numbers of what was trained elsewhere may differ in the last digits. The future holds an
    /// empty string, or the sentence that says why not; then it stays where it is. A device that fails later is left for
    /// the CPU by itself, from a state at most a second or a step old, and not taken again before this asks for it:
    /// Snapshot::notice.
    [[nodiscard]] std::future<std::string> set_device(std::string device);
    void set_target_epochs(std::uint64_t epochs);
    void set_probe(std::string text, std::size_t focus);

    /// The newest snapshot (never null), and asks for the next. GUI: once a frame.
    std::shared_ptr<const Snapshot> take();

    /// Everything, at the next step boundary. The future throws Error where there is no model.
    std::future<SavedRun> save();

    /// The time machine: a second thread goes to that moment by checkpoint and replay, to the same bits, also while
    /// training goes on. Clamps to what was trained and published; a newer request ends the replay of an older one.
    /// Opening a model, reset() and continue_from() lead back to the present.
    void look_at(std::uint64_t step);
    void look_at_now();
    /// The moment asked for: state paused (ready at step 0), the present probe text under that moment's weights, and
    /// the whole run's history. While another moment is being replayed it is still the one before; null at the present
    /// and until the first is there.
    std::shared_ptr<const Snapshot> looked_at();
    std::optional<double> replay_progress();  // 0..1 while a replay takes longer than a moment
    std::string look_failure();               // why the moment asked for cannot be shown, where it cannot
    bool replaying();                         // whether a moment, or an answer about one, is still to come

    /// Of the batch that follows `step` trained steps, under the settings that held then (of a past step, those with
    /// which it was trained). Answers come in the order of the questions, a look before them.
    std::future<Answer<Trace>> trace(std::uint64_t step);
    /// The forward pass of a text's first known words, up to and including number `prefix`.
    std::future<Answer<Trace>> trace_phrase(std::uint64_t step, std::string text, std::size_t prefix);
    std::future<Answer<RunState>> state_at(std::uint64_t step);  // what save() would have given then
    /// As look_at() would show it, with this text; what is shown stays as it is.
    std::future<Answer<Snapshot>> picture_at(std::uint64_t step, std::string text, std::size_t focus);
    std::future<Answer<NormCurves>> norms();  // after everything else that is asked
    /// Pauses, and makes that moment the present, with its settings: what came after is gone. The future holds an empty
    /// string, or the sentence that says why not. save() before it and open() bring everything back.
    std::future<std::string> continue_from(std::uint64_t step);
    void set_checkpoint_budget(std::size_t bytes);  // 256 MiB at first; Snapshot::checkpoints tells

    /// Waits until every command given before has been taken and training rests (ready, paused, finished, failed).
    void wait();
    /// As wait(), at most `seconds`; true when it rests.
    bool wait_for(double seconds);

    /// Called on the worker thread after each epoch; set before open(). For the command line's progress.
    void on_epoch(std::function<void(std::uint64_t epoch, const EpochRecord&)> callback);

private:
    template <class T>
    std::future<Answer<T>> ask(std::function<T(Viewer&, const ViewFeed&)> question, bool patient = false);
    template <class T>
    std::future<Answer<T>> ask(std::uint64_t step, std::function<T(const ViewFeed&, Replayer&)> question);

    class Worker;
    std::unique_ptr<Worker> worker_;
};

}  // namespace moe
