#pragma once
#include "engine/core/spec.h"
#include "engine/session/training_session.h"

#include <QCoreApplication>
#include <QString>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace moe::app {

/// A setting as people meet it.
struct ExperimentField {
    enum class Kind { whole, real, family, gate, activation, truth };

    const char* key;  // of engine/core/settings.h
    Kind kind;
    QString label;
    QString help;  // with its range
    bool needs_new_model;
};

/// What a model costs before it is trained.
struct ExperimentCost {
    std::size_t vocabulary = 0, examples = 0, longest_prefix = 0, max_seq_len = 0;
    std::size_t parameters = 0, bytes = 0;
    std::uint64_t steps_per_epoch = 0;
};

/// An experiment that is being edited: the engine checks every value, so that its sentences are what is shown.
class ExperimentDraft {
    Q_DECLARE_TR_FUNCTIONS(moe::app::ExperimentDraft)

public:
    ExperimentDraft() = default;
    ExperimentDraft(const Experiment& running, std::shared_ptr<const Corpus> corpus);

    static const std::vector<ExperimentField>& fields();

    /// As people write it; numbers by std::to_chars.
    QString value(const char* key) const;
    /// The engine's sentence where the value is refused, which then stays out; empty where it is taken.
    QString set(const char* key, const QString& value);

    const Experiment& experiment() const { return draft_; }
    /// Whether it differs from the running one in something that needs a new model.
    bool needsNewModel() const;
    /// The engine's sentence where the values do not fit together (K > E, too large for this machine); else empty.
    QString problem() const;
    /// Throws Error where the sizes leave 64 bits.
    ExperimentCost cost() const;

    /// "0.01", or "off" for none.
    static QString balanceText(double weight);

private:
    Experiment resolved() const;

    Experiment running_, draft_;
    std::shared_ptr<const Corpus> corpus_;
};

/// Vocabulary and longest prefix from the corpus, where the experiment leaves them at 0.
Experiment resolvedFor(Experiment experiment, const Corpus& corpus);

/// Throws Error where the sizes leave 64 bits.
ExperimentCost costOf(const Experiment& experiment, const Corpus& corpus);

/// "4 lines, 10 different words, 12 examples. The longest phrase to go on from has 4 words."
QString corpusSentence(const Corpus& corpus);

/// A running model's experiment without what its corpus gave it: for another corpus.
Experiment withoutCorpus(Experiment experiment);

}  // namespace moe::app
