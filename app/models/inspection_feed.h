#pragma once
#include "app/session/session_controller.h"

#include <QElapsedTimer>
#include <QObject>
#include <QTimer>

#include <memory>
#include <optional>

namespace moe::app {

/// Weights, traces and norms of the moment that is shown, asked for only while somebody looks, and while training runs
/// only so often that it costs training next to nothing. What was there stays until the next is. GUI thread.
class InspectionFeed : public QObject {
    Q_OBJECT

public:
    /// What is looked at now; the rest is not asked for.
    struct Wanted {
        bool weights = false, phrase = false, batch = false, norms = false;
        bool before = false;  // the batch before this moment: whose update made the weights
        std::optional<std::uint64_t> step = std::nullopt;  // of the traces; else the moment that is shown

        bool operator==(const Wanted&) const = default;
    };

    explicit InspectionFeed(SessionController& session, QObject* parent = nullptr);

    void want(const Wanted& wanted);
    bool active() const { return wanted_ != Wanted{}; }

    /// Null until they are there; of the step that they say. Another model makes them null.
    const std::shared_ptr<const RunState>& state() const { return state_; }
    const std::shared_ptr<const Trace>& phrase() const { return phrase_.value; }
    const std::shared_ptr<const Trace>& batch() const { return batch_.value; }
    const std::shared_ptr<const Trace>& before() const { return before_.value; }
    /// Whether the run knows the batch that made this moment's weights: an opened model's first moment has none.
    bool knowsBefore() const { return before_.value && before_.value->step + 1 == before_.of.step; }
    const std::shared_ptr<const NormCurves>& norms() const { return norms_.value; }
    /// Why there is none of each; empty where there is one or none was asked for.
    const std::string& stateError() const { return state_error_; }
    const std::string& phraseError() const { return phrase_.error; }
    const std::string& batchError() const { return batch_.error; }
    const std::string& beforeError() const { return before_.error; }
    /// Whether what is there belongs to the step that is shown, or it is on its way there.
    bool fresh() const { return !asking_ && !stale(); }
    int asked() const { return asked_; }  // questions so far

Q_SIGNALS:
    void arrived();

private:
    struct Moment {
        std::uint64_t generation = 0, branch = 0, step = 0;
        QString text;
        std::size_t prefix = 0;
        Experiment settings;  // with which its batch is trained

        bool operator==(const Moment&) const = default;
    };
    template <class T>
    struct Kept {
        Moment of;
        std::shared_ptr<const T> value;
        std::string error;    // why there is no value
        bool asked = false;   // for `of`
        QElapsedTimer since;  // the answer
        qint64 took = 0;      // milliseconds
    };

    Moment present() const;
    Moment traced() const;
    bool running() const;
    bool stale() const;
    void look();
    void askNext();
    void finished();
    template <class T>
    std::function<void(Answer<T>)> keeper(Kept<T> InspectionFeed::*kept, Moment moment);

    SessionController& session_;
    Wanted wanted_;
    std::shared_ptr<const RunState> state_;
    Moment state_of_;
    bool state_asked_ = false;
    Kept<Trace> phrase_, batch_, before_;
    Kept<NormCurves> norms_;
    std::string state_error_;
    std::uint64_t generation_ = 0;
    bool asking_ = false;
    QElapsedTimer question_, since_state_;
    qint64 state_took_ = 0;  // milliseconds
    QTimer later_;
    int asked_ = 0;
};

}  // namespace moe::app
