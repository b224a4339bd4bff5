#include "app/models/experiment_draft.h"

#include "app/models/text_format.h"
#include "engine/core/error.h"
#include "engine/core/numbers.h"
#include "engine/core/settings.h"

#include <algorithm>

namespace moe::app {

ExperimentDraft::ExperimentDraft(const Experiment& running, std::shared_ptr<const Corpus> corpus)
    : running_(running), draft_(running), corpus_(std::move(corpus)) {}

const std::vector<ExperimentField>& ExperimentDraft::fields() {
    using Kind = ExperimentField::Kind;
    static const std::vector<ExperimentField> all = [] {
        std::vector<ExperimentField> f = {
            {"family", Kind::family, tr("Family"), {}, true},
            {"num_experts", Kind::whole, tr("Experts"), {}, true},
            {"router", Kind::gate, tr("Gate"), {}, true},
            {"top_k", Kind::whole, tr("Experts that run"), {}, true},
            {"embedding_dim", Kind::whole, tr("Embedding width"), {}, true},
            {"hidden_dim", Kind::whole, tr("Hidden width"), {}, true},
            {"activation", Kind::activation, tr("Activation"), {}, true},
            {"mask_zero", Kind::truth, tr("Leave padding out"), {}, true},
            {"learning_rate", Kind::real, tr("Learning rate"), {}, false},
            {"batch_size", Kind::whole, tr("Batch"), {}, false},
            {"balance_loss", Kind::real, tr("Balance loss"), {}, false},
            {"epochs", Kind::whole, tr("Epochs"), {}, false},
        };
        for (ExperimentField& field : f) {
            const Setting& s = find_setting(field.key);
            field.needs_new_model = s.needs_new_model;
            field.help = QStringLiteral("%1 (%2)").arg(QString::fromUtf8(s.help.data(), qsizetype(s.help.size())),
                                                       QString::fromUtf8(s.range.data(), qsizetype(s.range.size())));
            field.help[0] = field.help[0].toUpper();
        }
        return f;
    }();
    return all;
}

QString ExperimentDraft::value(const char* key) const {
    return QString::fromStdString(find_setting(key).get(draft_));
}

QString ExperimentDraft::set(const char* key, const QString& value) {
    try {
        apply_setting(draft_, key, value.trimmed().toStdString());
        return {};
    } catch (const Error& e) {
        return QString::fromUtf8(e.what());
    }
}

bool ExperimentDraft::needsNewModel() const {
    return std::any_of(settings().begin(), settings().end(),
                       [&](const Setting& s) { return s.needs_new_model && s.get(draft_) != s.get(running_); });
}

Experiment ExperimentDraft::resolved() const {
    return corpus_ ? resolvedFor(draft_, *corpus_) : draft_;
}

QString ExperimentDraft::problem() const {
    try {
        validate(resolved(), default_memory_limit());
        return {};
    } catch (const Error& e) {
        return QString::fromUtf8(e.what());
    }
}

ExperimentCost ExperimentDraft::cost() const {
    return corpus_ ? costOf(draft_, *corpus_) : ExperimentCost();
}

QString ExperimentDraft::balanceText(double weight) {
    return weight > 0 ? QString::fromStdString(to_text(weight)) : tr("off");
}

Experiment resolvedFor(Experiment experiment, const Corpus& corpus) {
    if (experiment.model.vocabulary == 0) experiment.model.vocabulary = corpus.tokenizer().vocabulary();
    if (experiment.model.max_seq_len == 0)
        experiment.model.max_seq_len = std::clamp<std::size_t>(corpus.longest_prefix(), 1, max_sequence_length);
    return experiment;
}

ExperimentCost costOf(const Experiment& experiment, const Corpus& corpus) {
    const Experiment full = resolvedFor(experiment, corpus);
    ExperimentCost cost;
    cost.vocabulary = full.model.vocabulary;
    cost.examples = corpus.examples();
    cost.longest_prefix = corpus.longest_prefix();
    cost.max_seq_len = full.model.max_seq_len;
    cost.parameters = parameter_count(full.model);
    cost.bytes = required_bytes(full);
    const std::size_t batch = std::max<std::size_t>(1, full.train.batch_size);
    cost.steps_per_epoch = (cost.examples + batch - 1) / batch;
    return cost;
}

QString corpusSentence(const Corpus& corpus) {
    const auto tr = [](const char* text) { return QCoreApplication::translate("CorpusFacts", text); };
    const auto counted = [](std::size_t n, const QString& one, const QString& many) {
        return n == 1 ? one : many.arg(countText(n));
    };
    return tr("%1, %2, %3. The longest phrase to go on from has %4.")
        .arg(counted(corpus.lines(), tr("1 line"), tr("%1 lines")),
             counted(corpus.tokenizer().vocabulary() - 1, tr("1 word"), tr("%1 different words")),
             counted(corpus.examples(), tr("1 example"), tr("%1 examples")),
             counted(corpus.longest_prefix(), tr("1 word"), tr("%1 words")));
}

Experiment withoutCorpus(Experiment experiment) {
    experiment.model.vocabulary = 0;
    experiment.model.max_seq_len = 0;
    return experiment;
}

}  // namespace moe::app
