#pragma once
#include "app/session/session_controller.h"

#include <QObject>

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace moe::app {

/// Walks through one batch operation by operation, forwards and backwards, and from batch to batch. It shows the trace
/// of the batch that follows the moment shown; weights change by the session's own steps alone: past the last operation
/// at the present one batch is really trained, in the past the moment that is looked at moves on. GUI thread.
class Stepper : public QObject {
    Q_OBJECT

public:
    explicit Stepper(SessionController& session, QObject* parent = nullptr);

    bool active() const { return active_; }
    /// Null until the first one has come; stays while the next one is under way.
    const std::shared_ptr<const Trace>& trace() const { return trace_; }
    std::size_t operation() const { return operation_; }
    std::size_t example() const { return example_; }
    /// The words by id; [0] is padding. Never null.
    const std::shared_ptr<const std::vector<QString>>& words() const { return words_; }
    bool waiting() const { return asked_ || training_; }
    bool trainsEpoch() const { return training_ && epoch_; }
    /// Why there is nothing to step through; empty where there is.
    const QString& problem() const { return problem_; }

    /// Where the next and the previous operation would lead nowhere: the run is finished, or at its very beginning.
    bool atEnd() const;
    bool atStart() const;

    /// Pauses training. Comes back to the operation that was left, where the moment is still the same.
    void enter();
    void leave();

    /// An operation on or back; past the batch's ends the batch after or before. Outside of stepping: enters.
    void nextOperation();
    void previousOperation();
    /// A batch or an epoch on, while stepping: trained at the present, looked at in the past. The operation stays.
    void nextBatch();
    void nextEpoch();
    /// Back to an earlier moment, in and outside of stepping: looked at.
    void previousBatch();
    void previousEpoch();

    void setOperation(std::size_t operation);
    void setExample(std::size_t example);
    void replay() { Q_EMIT beatAsked(); }

Q_SIGNALS:
    void activeChanged(bool active);
    void changed();    // trace, operation, example, waiting or problem
    void beatAsked();  // another operation, or the same once more

private:
    enum class Land { first, last, same };

    std::uint64_t present() const;  // the moment shown
    bool finished() const;
    bool sameRun() const;  // whether the trace is of the moment shown
    void want();
    void ask(Land land);
    void go(std::uint64_t step, Land land);
    void train(bool epoch, Land land);
    void follow();
    void takeWords();

    SessionController& session_;
    bool active_ = false, asked_ = false, training_ = false, epoch_ = false, pausing_ = false;
    std::uint64_t generation_ = 0, branch_ = 0;  // of the trace
    std::uint64_t wanted_ = 0;                   // the moment, as it was asked for last
    Experiment wanted_experiment_;
    std::uint64_t wanted_branch_ = 0;
    std::uint64_t question_ = 0;                           // the newest; answers to older ones are not taken
    std::uint64_t trained_from_ = 0, trained_branch_ = 0;  // while training_: the step before
    Land land_ = Land::first;                              // where the trace under way is entered
    std::shared_ptr<const Trace> trace_;
    std::shared_ptr<const std::vector<QString>> words_ = std::make_shared<const std::vector<QString>>();
    std::shared_ptr<const Corpus> corpus_;
    std::size_t operation_ = 0, example_ = 0;
    QString problem_;
};

}  // namespace moe::app
