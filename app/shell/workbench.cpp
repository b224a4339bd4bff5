#include "app/shell/workbench.h"

#include "app/lessons/loader.h"
#include "app/models/experiment_draft.h"
#include "app/shell/undo_commands.h"
#include "engine/core/error.h"
#include "engine/core/settings.h"
#include "engine/formats/model_files.h"

#include <algorithm>

namespace moe::app {

namespace {

constexpr int undo_steps = 50;

std::size_t bytesOf(const KeptRun& run) {
    std::size_t bytes = 0;
    for (const auto* arrays : {&run.saved.state.parameters, &run.saved.state.momentum, &run.saved.state.velocity})
        for (const NamedArray& a : *arrays) bytes += a.values.size() * sizeof(float);
    if (run.saved.timeline)
        for (const auto& moment : run.saved.timeline->checkpoints) bytes += checkpoint_bytes(*moment);
    return bytes;
}

SessionSetup setupOf(const SavedRun& run) {
    SessionSetup setup;
    setup.experiment = run.state.experiment;
    setup.corpus = run.corpus;
    setup.state = run.state;
    setup.history = run.history;
    setup.timeline = run.timeline;
    setup.probe = run.probe;
    setup.focus = run.focus;
    return setup;
}

/// Words that the model knows, to begin with.
std::string firstPhrase(const Corpus& corpus) {
    const std::string& text = corpus.text();
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = std::min(text.find('\n', at), text.size());
        const std::vector<std::string> words = corpus.tokenizer().words(std::string_view(text).substr(at, end - at));
        if (words.size() >= 2) {
            std::string phrase;
            for (std::size_t w = 0; w < std::min<std::size_t>(words.size() - 1, 4); ++w)
                phrase += (w ? " " : "") + words[w];
            return phrase;
        }
        at = end + 1;
    }
    return {};
}

/// The prefix that is the whole phrase.
std::size_t lastPrefix(const Corpus& corpus, const std::string& phrase) {
    return std::max<std::size_t>(corpus.tokenizer().ids(phrase).size(), 1) - 1;
}

QString fileNameOf(const std::filesystem::path& path) {
    return QString::fromStdString(path.filename().string());
}

}  // namespace

Experiment presentExperiment(const Snapshot& snapshot) {
    Experiment experiment = snapshot.experiment;
    if (snapshot.target_epochs > 0) experiment.train.epochs = snapshot.target_epochs;
    return experiment;
}

Workbench::Workbench(SessionController& session, QObject* parent) : QObject(parent), session_(session) {
    undo_.setUndoLimit(undo_steps);
    connect(&session, &SessionController::probeEdited, this, &Workbench::probeEdited);
}

bool Workbench::hasUnsavedTraining() const {
    const Snapshot& s = session_.live();
    // A lesson's run, and any that nothing was saved or brought in for, is had again by its seed.
    const bool own = !identity_.file.empty() || !identity_.lesson;
    return own && s.step != identity_.saved_step && s.step > 0;
}

void Workbench::openLesson(const Lesson& lesson) {
    SessionSetup setup;
    try {
        setup.corpus = loadCorpus(lesson);
    } catch (const Error& e) {
        Q_EMIT refused(QString::fromUtf8(e.what()));
        return;
    }
    setup.experiment = lesson.experiment;
    setup.probe = lesson.probe.toStdString();
    setup.focus = std::size_t(std::max(0, lesson.focus));
    session_.setSpeed(lesson.speed);
    RunIdentity identity;
    identity.name = lesson.title;
    identity.lesson = &lesson;
    start(std::move(setup), identity, tr("opening of a lesson"), {});
}

void Workbench::restart(const Experiment& experiment, std::function<void(const QString&)> done) {
    SessionSetup setup;
    setup.experiment = experiment;
    setup.corpus = session_.corpus();
    setup.probe = session_.probeText().toStdString();
    setup.focus = session_.focusedPrefix();
    RunIdentity identity = identity_;
    identity.file.clear();
    identity.saved_step = 0;
    start(std::move(setup), identity, tr("start of a new model"), std::move(done));
}

void Workbench::useCorpus(std::shared_ptr<const Corpus> corpus, std::function<void(const QString&)> done) {
    SessionSetup setup;
    setup.experiment = withoutCorpus(session_.live().experiment);
    setup.probe = firstPhrase(*corpus);
    setup.focus = lastPrefix(*corpus, setup.probe);
    setup.corpus = std::move(corpus);
    RunIdentity identity;
    identity.name = QString::fromStdString(setup.corpus->name());
    start(std::move(setup), identity, tr("another text"), std::move(done));
}

void Workbench::reset() {
    if (busy() || session_.live().state == SessionState::empty || session_.live().step == 0) return;
    session_.save([this, identity = identity_](SavedRun before) {
        pushRun(tr("reset"), {std::move(before), identity});
    });
    session_.reset();
    if (planned_epochs_ > 0) session_.setTargetEpochs(planned_epochs_);  // "train on" was for the run before
    identity_.saved_step = 0;
    Q_EMIT identityChanged();
}

void Workbench::start(SessionSetup setup, RunIdentity identity, const QString& undo_text,
                      std::function<void(const QString&)> done) {
    if (busy()) return;
    auto before = std::make_shared<std::optional<KeptRun>>();
    if (session_.live().state != SessionState::empty)
        session_.save([before, now = identity_](SavedRun run) { *before = KeptRun{std::move(run), now}; });
    open(std::move(setup), std::move(identity), [this, before, undo_text, done](const QString& error) {
        if (error.isEmpty() && *before) pushRun(undo_text, **before);
        if (done) done(error);
    });
}

void Workbench::swap(const KeptRun& run, const std::shared_ptr<std::optional<KeptRun>>& keep) {
    const KeptRun wanted = run;  // `keep` may own it
    session_.save([keep, now = identity_](SavedRun present) { *keep = KeptRun{std::move(present), now}; });
    open(setupOf(wanted.saved), wanted.identity, {});
}

void Workbench::open(SessionSetup setup, RunIdentity identity, std::function<void(const QString&)> done) {
    ++opening_;
    Q_EMIT busyChanged();
    session_.open(std::move(setup), [this, identity = std::move(identity), done](const QString& error) {
        --opening_;
        if (error.isEmpty()) {
            identity_ = identity;
            planned_epochs_ = session_.live().experiment.train.epochs;
        }
        if (done) done(error);
        Q_EMIT busyChanged();
        if (!error.isEmpty()) {
            if (!done) Q_EMIT refused(error);
            return;
        }
        Q_EMIT identityChanged();
        Q_EMIT opened();
    });
}

void Workbench::pushRun(const QString& text, const KeptRun& before) {
    // Undo keeps as many models as an eighth of the memory holds, at least the last one.
    if (bytesOf(before) * std::size_t(undo_.count() + 1) > default_memory_limit() / 6) undo_.clear();
    undo_.push(new RunCommand(*this, text, before));
}

void Workbench::setLive(const char* key, const QString& value) {
    const QString before = ExperimentDraft(presentExperiment(session_.live()), nullptr).value(key);
    if (before != value) undo_.push(new LiveCommand(*this, key, before, value));
}

void Workbench::applyLive(const char* key, const QString& value) {
    ExperimentDraft draft(presentExperiment(session_.live()), nullptr);
    if (!draft.set(key, value).isEmpty()) return;
    const Experiment& x = draft.experiment();
    const std::string_view k = key;
    if (k == "learning_rate") session_.setLearningRate(x.train.learning_rate);
    if (k == "batch_size") session_.setBatchSize(x.train.batch_size);
    if (k == "balance_loss") session_.setBalanceLoss(x.model.balance_loss);
    if (k == "epochs") session_.setTargetEpochs(planned_epochs_ = x.train.epochs);
}

void Workbench::applySettings(const std::vector<std::pair<std::string, std::string>>& wanted) {
    Experiment experiment = presentExperiment(session_.live());
    bool fresh = false;
    std::vector<std::pair<const char*, QString>> live;
    try {
        for (const auto& [key, value] : wanted) {
            const Setting& setting = find_setting(key);
            const std::string before = setting.get(experiment);
            setting.set(experiment, value);
            if (setting.get(experiment) == before) continue;
            fresh |= setting.needs_new_model;
            live.emplace_back(setting.key.data(), QString::fromStdString(setting.get(experiment)));
        }
    } catch (const Error& e) {
        Q_EMIT refused(QString::fromUtf8(e.what()));
        return;
    }
    if (fresh) {
        restart(experiment, [this](const QString& error) {
            if (!error.isEmpty()) Q_EMIT refused(error);
        });
        return;
    }
    for (const auto& [key, value] : live) setLive(key, value);
}

void Workbench::openModel(const std::filesystem::path& path) {
    if (busy()) {  // the window's first lesson is still being opened: the file comes after it
        connect(
            this, &Workbench::busyChanged, this, [this, path] { openModel(path); }, Qt::SingleShotConnection);
        return;
    }
    Q_EMIT working(tr("Reading %1 …").arg(fileNameOf(path)));
    const std::shared_ptr<const Corpus> present = session_.corpus();
    const auto failed = [this](const QString& sentence) {
        Q_EMIT working({});
        Q_EMIT refused(sentence);
    };
    background_.run(
        [this, path, present, failed]() -> Background::Finish {
            SavedModel model = load_model(path);
            auto setup = std::make_shared<SessionSetup>();
            if (!model.corpus_text.empty()) {
                setup->corpus = model.tokenizer
                                    ? Corpus::from_text(model.corpus_name, model.corpus_text, *model.tokenizer)
                                    : Corpus::from_text(model.corpus_name, model.corpus_text);
            } else if (present && model.tokenizer) {
                setup->corpus = Corpus::from_text(present->name(), present->text(), *model.tokenizer);
            } else if (present && present->tokenizer().vocabulary() == model.state.experiment.model.vocabulary) {
                setup->corpus = present;
            } else {
                throw Error(path.filename().string() +
                            " carries neither its words nor its text, and the present text has another vocabulary; "
                            "open the text that it was trained on first.");
            }
            setup->experiment = model.state.experiment;
            setup->state = std::move(model.state);
            setup->probe = firstPhrase(*setup->corpus);
            setup->focus = lastPrefix(*setup->corpus, setup->probe);
            return [this, path, setup, failed] {
                Q_EMIT working({});
                RunIdentity identity;
                identity.name = fileNameOf(path);
                std::error_code none;
                if (!std::filesystem::is_directory(path, none)) identity.file = path;
                identity.saved_step = setup->state->step;
                start(std::move(*setup), identity, tr("opening of a model"),
                      [this, path, failed](const QString& error) {
                          if (!error.isEmpty()) return failed(error);
                          rememberFile(path);
                      });
            };
        },
        failed);
}

void Workbench::saveModel(const std::filesystem::path& path, std::function<void()> done) {
    if (session_.live().state == SessionState::empty) return;
    Q_EMIT working(tr("Saving %1 …").arg(fileNameOf(path)));
    session_.save([this, path, done](SavedRun run) {
        const auto failed = [this](const QString& sentence) {
            Q_EMIT working({});
            Q_EMIT refused(sentence);
        };
        const std::uint64_t step = run.state.step;
        auto model = std::make_shared<SavedModel>();
        model->state = std::move(run.state);
        model->tokenizer = run.corpus->tokenizer();
        model->corpus_name = run.corpus->name();
        model->corpus_text = run.corpus->text();
        model->complete = true;
        background_.run(
            [this, path, done, step, model]() -> Background::Finish {
                save_model_file(path, *model);
                return [this, path, done, step] {
                    Q_EMIT working({});
                    identity_.file = path;
                    identity_.saved_step = step;
                    rememberFile(path);
                    Q_EMIT identityChanged();
                    Q_EMIT saved(fileNameOf(path));
                    if (done) done();
                };
            },
            failed);
    });
}

void Workbench::rememberFile(const std::filesystem::path& path) {
    std::error_code error;
    file_time_ = std::filesystem::last_write_time(path, error);
    file_size_ = std::filesystem::is_regular_file(path, error) ? std::filesystem::file_size(path, error) : 0;
}

bool Workbench::fileChangedOutside() const {
    if (identity_.file.empty()) return false;
    std::error_code error;
    const auto time = std::filesystem::last_write_time(identity_.file, error);
    if (error) return false;  // gone: saving makes it anew
    return time != file_time_ || std::filesystem::file_size(identity_.file, error) != file_size_;
}

void Workbench::setProbeQuietly(const QString& text, std::size_t focus) {
    applying_probe_ = true;
    session_.setProbe(text, focus);
    applying_probe_ = false;
}

void Workbench::probeEdited(const QString& before, const QString& after) {
    if (!applying_probe_) undo_.push(new ProbeCommand(*this, before, after, applying_probe_));
}

}  // namespace moe::app
