#pragma once
#include "engine/backend/backend.h"
#include "engine/core/state.h"
#include "engine/session/snapshot.h"
#include "engine/text/corpus.h"

#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>

namespace moe {

/// A model with its corpus: what a session works on.
struct SessionSetup {
    Experiment experiment;  // vocabulary and max_seq_len may be 0: from the corpus
    std::shared_ptr<const Corpus> corpus;
    std::optional<RunState> state;           // go on from here; else fresh weights from the seed
    std::shared_ptr<const History> history;  // of that state, where known
    std::string probe;
    std::size_t focus = 0;
};

/// What undo, saving and the next session need: immutable, shared.
struct SavedRun {
    RunState state;
    std::shared_ptr<const Corpus> corpus;
    std::shared_ptr<const History> history;
    std::string probe;
    std::size_t focus = 0;
};

struct SessionOptions {
    BackendOptions backend;
    double speed_limit = 0;        // steps per second; 0: as fast as it goes
    std::size_t memory_limit = 0;  // bytes; 0: default_memory_limit()
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
    void set_target_epochs(std::uint64_t epochs);
    void set_probe(std::string text, std::size_t focus);

    /// The newest snapshot (never null), and asks for the next. GUI: once a frame.
    std::shared_ptr<const Snapshot> take();

    /// Everything, at the next step boundary.
    std::future<SavedRun> save();

    /// Waits until every command given before has been taken and training rests (ready, paused, finished, failed).
    void wait();
    /// As wait(), at most `seconds`; true when it rests.
    bool wait_for(double seconds);

    /// Called on the worker thread after each epoch; set before open(). For the command line's progress.
    void on_epoch(std::function<void(std::uint64_t epoch, const EpochRecord&)> callback);

private:
    class Worker;
    std::unique_ptr<Worker> worker_;
};

}  // namespace moe
