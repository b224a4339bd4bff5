#include "app/shell/workbench.h"

#include "app/lessons/loader.h"
#include "app/models/experiment_draft.h"
#include "app/models/run_settings.h"
#include "app/models/text_format.h"
#include "app/shell/undo_commands.h"
#include "engine/core/error.h"
#include "engine/core/settings.h"
#include "engine/formats/keras_code.h"
#include "engine/session/history_builder.h"

#include <algorithm>
#include <chrono>
#include <set>

namespace moe::app {

namespace {

constexpr int undo_steps = 50;

std::size_t bytesOf(const RunState& state) {
    std::size_t bytes = 0;
    for (const auto* arrays : {&state.parameters, &state.momentum, &state.velocity})
        for (const NamedArray& a : *arrays) bytes += a.values.size() * sizeof(float);
    return bytes;
}

/// Of all of them together: what several runs share counts once.
std::size_t bytesOf(const std::vector<const KeptRun*>& runs) {
    std::size_t bytes = 0;
    std::set<const void*> counted;
    const auto add = [&](const auto& shared, auto bytes_of) {
        if (shared && counted.insert(shared.get()).second) bytes += bytes_of(*shared);
    };
    for (const KeptRun* run : runs) {
        bytes += bytesOf(run->saved.state);
        add(run->saved.state.initial, [](const RunState& state) { return bytesOf(state); });
        add(run->saved.history, history_bytes);
        if (!run->saved.timeline) continue;
        for (const auto& moment : run->saved.timeline->checkpoints) add(moment, checkpoint_bytes);
    }
    return bytes;
}

Experiment experimentOf(const RunState& state) {
    Experiment experiment = state.experiment;
    if (state.target_epochs > 0) experiment.train.epochs = state.target_epochs;
    return experiment;
}

/// Nothing where there is no such file.
std::optional<FileMark> markOf(const std::filesystem::path& path) {
    std::error_code error;
    FileMark mark{std::filesystem::last_write_time(path, error), 0};
    if (error) return std::nullopt;
    const std::uintmax_t bytes = std::filesystem::file_size(path, error);
    if (!error) mark.bytes = bytes;
    return mark;
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

/// A file that was read, and what it was then.
struct Workbench::ReadFile {
    LoadedSession loaded;
    std::filesystem::path path;  // absolute
    bool folder = false;
    FileMark mark;
};

QString RunIdentity::title() const {
    return file.empty() ? name : fileNameOf(file);
}

// Undo keeps as many models as an eighth of the memory holds, at least the last one.
Workbench::Workbench(SessionController& session, H5Program h5, QObject* parent)
    : QObject(parent), session_(session), h5_(std::move(h5)), undo_limit_(default_memory_limit() / 6) {
    undo_.setUndoLimit(undo_steps);
    connect(&session, &SessionController::probeEdited, this, &Workbench::probeEdited);
    connect(&session, &SessionController::liveChanged, this, &Workbench::followDevice);
}

// A run that goes on elsewhere was trained on both.
void Workbench::followDevice() {
    const Snapshot& live = session_.live();
    std::vector<std::string>& devices = identity_.devices;
    if (live.generation == device_model_ && live.device != device_ && live.step > 0 &&
        std::ranges::find(devices, device_) == devices.end())
        devices.push_back(device_);
    device_ = live.device;
    device_model_ = live.generation;
}

bool Workbench::hasUnsavedTraining() const {
    const Snapshot& s = session_.live();
    // A lesson's run is had again by its seed and settings, unless these were others for a part of it.
    const bool own = !identity_.file.empty() || !identity_.lesson || identity_.rescued || identity_.steered;
    return own && s.step != identity_.saved_step && s.step > 0;
}

bool Workbench::hasUnsavedWork() const {
    return hasUnsavedTraining() || notesAreUnsaved();
}

bool Workbench::notesAreUnsaved() const {
    const auto found = notes_.find(identity_.session);
    return found != notes_.end() && found->second.text != found->second.saved;
}

bool Workbench::isChanged() const {
    if (identity_.file.empty()) return hasUnsavedWork();
    const Snapshot& s = session_.live();
    const std::optional<Experiment>& saved = identity_.saved_settings;
    return s.step != identity_.saved_step || notesAreUnsaved() || (saved && presentExperiment(s) != *saved);
}

void Workbench::setSurroundings(std::function<SessionScene()> scene,
                                std::function<const Lesson*(const QString&)> lesson) {
    scene_ = std::move(scene);
    find_lesson_ = std::move(lesson);
}

SessionScene Workbench::scene() const {
    SessionScene scene = scene_ ? scene_() : SessionScene();
    scene.notes = notes().toStdString();
    return scene;
}

QString Workbench::notes() const {
    const auto found = notes_.find(identity_.session);
    return found == notes_.end() ? QString() : found->second.text;
}

void Workbench::setNotes(const QString& notes) {
    notes_[identity_.session].text = notes;
    Q_EMIT workChanged();
}

WholeSession Workbench::whole(SavedRun run, bool place) const {
    WholeSession session;
    session.run = std::move(run);
    session.scene = scene();
    session.title = identity_.title().toStdString();
    session.devices = identity_.devices;
    const std::string here = session_.live().device;
    if (session.devices.empty() || session.devices.back() != here) session.devices.push_back(here);
    session.saved_at =
        std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
    if (place)
        session.place = SavedPlace{identity_.file.string(), identity_.saved_step,
                                   std::int64_t(identity_.file_mark.time.time_since_epoch().count()),
                                   std::uint64_t(identity_.file_mark.bytes)};
    return session;
}

void Workbench::openLesson(const Lesson& lesson) {
    if (opening_ > 0) return;
    const std::uint64_t asked = ++lessons_asked_;
    const bool another = std::exchange(reading_lesson_, true);
    if (!another) Q_EMIT busyChanged();
    Q_EMIT working(tr("Reading %1 …").arg(lesson.title));
    background_.run(
        [this, asked, lesson = &lesson, copy = lesson]() -> Background::Finish {
            return [this, asked, lesson, corpus = loadCorpus(copy)] {
                if (asked != lessons_asked_) return;
                Q_EMIT working({});
                reading_lesson_ = false;
                startLesson(*lesson, corpus);
            };
        },
        [this, asked](const QString& sentence) {
            if (asked != lessons_asked_) return;
            Q_EMIT working({});
            reading_lesson_ = false;
            Q_EMIT busyChanged();
            Q_EMIT refused(sentence);
        });
}

void Workbench::startLesson(const Lesson& lesson, std::shared_ptr<const Corpus> corpus) {
    SessionSetup setup;
    setup.corpus = std::move(corpus);
    setup.experiment = lesson.experiment;
    setup.probe = lesson.probe.toStdString();
    setup.focus = std::size_t(std::max(0, lesson.focus));
    session_.setSpeed(lesson.speed);
    RunIdentity identity;
    identity.name = lesson.title;
    identity.lesson = &lesson;
    identity.session = ++sessions_;
    start(std::move(setup), identity, tr("opening of a lesson"), [this](const QString& error) {
        if (!error.isEmpty()) return void(Q_EMIT refused(error));
        Q_EMIT settled(0);
    });
}

Experiment Workbench::plannedExperiment() const {
    Experiment experiment = presentExperiment(session_.live());
    if (planned_epochs_ > 0) experiment.train.epochs = planned_epochs_;
    return experiment;
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
    identity.saved_settings.reset();
    identity.saved_as = 0;
    identity.devices.clear();
    identity.rescued = identity.steered = false;
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
    identity.session = identity_.session;  // the notes stay
    start(std::move(setup), identity, tr("another text"), std::move(done));
}

void Workbench::reset() {
    if (busy() || session_.live().state == SessionState::empty || session_.live().step == 0) return;
    session_.save(
        [this, identity = identity_](SavedRun before) {
            pushRun(tr("reset"), {std::move(before), identity});
        },
        [this](const QString& error) { lostForUndo(error); });
    session_.reset();
    if (planned_epochs_ > 0) session_.setTargetEpochs(planned_epochs_);  // "train on" was for the run before
    identity_.saved_step = identity_.file.empty() ? 0 : no_saved_step;
    identity_.rescued = identity_.steered = false;
    Q_EMIT identityChanged();
}

void Workbench::train(const std::function<void()>& command) {
    if (const std::optional<std::uint64_t> step = session_.lookedAt())
        Q_EMIT pastTrainingAsked(*step, command);
    else
        command();
}

void Workbench::continueFrom(std::uint64_t step, std::function<void()> then) {
    if (busy()) return;
    ++opening_;
    Q_EMIT busyChanged();
    session_.pause();
    session_.save(
        [this, step, then, now = identity_](SavedRun before) {
            session_.continueFrom(step, [this, step, then, kept = KeptRun{std::move(before), now}](
                                            const QString& error) { continued(step, kept, then, error); });
        },
        [this, step](const QString& error) { continued(step, {}, {}, error); });
}

void Workbench::continued(std::uint64_t step, const KeptRun& before, const std::function<void()>& then,
                          const QString& error) {
    --opening_;
    if (error.isEmpty()) {
        pushRun(tr("training on from step %1").arg(countText(step)), before);
        // What comes now is another way than the one that the file holds.
        if (!identity_.file.empty() && step < identity_.saved_step) identity_.saved_step = no_saved_step;
        Q_EMIT workChanged();
    }
    Q_EMIT busyChanged();
    if (!error.isEmpty())
        Q_EMIT refused(error);
    else if (then)
        then();
}

void Workbench::lostForUndo(const QString& error) {
    Q_EMIT refused(tr("Undo cannot bring back the model from before this. %1").arg(error));
}

void Workbench::start(SessionSetup setup, RunIdentity identity, const QString& undo_text,
                      std::function<void(const QString&)> done) {
    if (busy()) return;
    identity.model = ++models_;
    auto before = std::make_shared<std::optional<KeptRun>>();
    if (session_.live().state != SessionState::empty)
        session_.save(
            [before, now = identity_](SavedRun run) {
                *before = KeptRun{std::move(run), now};
            },
            [this](const QString& error) { lostForUndo(error); });
    open(std::move(setup), std::move(identity), [this, before, undo_text, done](const QString& error) {
        if (error.isEmpty() && *before) pushRun(undo_text, **before);
        if (done) done(error);
    });
}

void Workbench::swap(const KeptRun& run, const std::shared_ptr<std::optional<KeptRun>>& keep) {
    const KeptRun wanted = run;  // `keep` may own it
    session_.save(
        [keep, now = identity_](SavedRun present) {
            *keep = KeptRun{std::move(present), now};
        },
        [this](const QString& error) { lostForUndo(error); });
    RunIdentity identity = wanted.identity;
    // The same model: it was saved since, and that file is its own now, with another way or another moment in it.
    if (identity.model == identity_.model && identity.saved_as != identity_.saved_as) {
        identity.file = identity_.file;
        identity.file_mark = identity_.file_mark;
        identity.saved_as = identity_.saved_as;
        identity.saved_settings = identity_.saved_settings;
        identity.saved_step = no_saved_step;
    }
    open(setupOf(wanted.saved), std::move(identity), {});
}

void Workbench::open(SessionSetup setup, RunIdentity identity, std::function<void(const QString&)> done) {
    ++opening_;
    Q_EMIT busyChanged();
    session_.open(std::move(setup), [this, identity = std::move(identity), done](const QString& error) {
        --opening_;
        if (error.isEmpty()) {
            identity_ = identity;
            planned_epochs_ = session_.live().experiment.train.epochs;
            if (pending_scene_) Q_EMIT sceneRead(*pending_scene_, identity_.lesson, pending_restored_);
        }
        if (done) done(error);
        Q_EMIT busyChanged();
        if (!error.isEmpty()) {
            if (!done) Q_EMIT refused(error);
            return;
        }
        Q_EMIT identityChanged();
        Q_EMIT notesChanged();
        Q_EMIT opened();
    });
}

std::vector<const KeptRun*> Workbench::keptRuns() const {
    std::vector<const KeptRun*> runs;
    for (int i = 0; i < undo_.index(); ++i)  // what could be redone goes with the next push
        if (const auto* command = dynamic_cast<const RunCommand*>(undo_.command(i))) command->addRuns(runs);
    return runs;
}

std::size_t Workbench::undoBytes() const {
    return bytesOf(keptRuns());
}

void Workbench::pushRun(const QString& text, const KeptRun& before) {
    std::vector<const KeptRun*> runs = keptRuns();
    runs.push_back(&before);
    if (bytesOf(runs) > undo_limit_) undo_.clear();
    undo_.push(new RunCommand(*this, text, before));
}

void Workbench::setLive(const char* key, const QString& value) {
    ExperimentDraft draft(presentExperiment(session_.live()), nullptr);
    const QString before = draft.value(key);
    if (before == value) return;
    QString problem = draft.set(key, value);
    if (problem.isEmpty()) problem = draft.problem();
    if (!problem.isEmpty()) {
        Q_EMIT refused(problem);
        return;
    }
    undo_.push(new LiveCommand(*this, key, before, value));
}

void Workbench::applyLive(const char* key, const QString& value) {
    ExperimentDraft draft(presentExperiment(session_.live()), nullptr);
    if (!draft.set(key, value).isEmpty()) return;
    const Experiment& x = draft.experiment();
    const std::string_view k = key;
    if (k != "epochs" && session_.live().step > 0) identity_.steered = true;
    if (k == "learning_rate") session_.setLearningRate(x.train.learning_rate);
    if (k == "batch_size") session_.setBatchSize(x.train.batch_size);
    if (k == "balance_loss") session_.setBalanceLoss(x.model.balance_loss);
    if (k == "epochs") session_.setTargetEpochs(planned_epochs_ = x.train.epochs);
}

void Workbench::applySettings(const std::vector<std::pair<std::string, std::string>>& wanted) {
    Experiment experiment = presentExperiment(session_.live());
    const std::uint64_t epochs = experiment.train.epochs;
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
        // "Train on" was for the run before.
        if (planned_epochs_ > 0 && experiment.train.epochs == epochs) experiment.train.epochs = planned_epochs_;
        restart(experiment, [this](const QString& error) {
            if (!error.isEmpty()) Q_EMIT refused(error);
        });
        return;
    }
    for (const auto& [key, value] : live) setLive(key, value);
}

void Workbench::openModel(const std::filesystem::path& path) {
    read(path, false, [this](const QString& error) {
        if (!error.isEmpty()) Q_EMIT refused(error);
    });
}

void Workbench::restore(const std::filesystem::path& autosave, std::function<void(const QString&)> done) {
    read(autosave, true, std::move(done));
}

void Workbench::read(const std::filesystem::path& path, bool restored, std::function<void(const QString&)> done) {
    if (busy()) {  // the window's first lesson is still being opened: the file comes after it
        connect(
            this, &Workbench::busyChanged, this, [this, path, restored, done] { read(path, restored, done); },
            Qt::SingleShotConnection);
        return;
    }
    Q_EMIT working(restored ? tr("Restoring the session …") : tr("Reading %1 …").arg(fileNameOf(path)));
    const std::shared_ptr<const Corpus> present = session_.corpus();
    const auto failed = [this, done](const QString& sentence) {
        Q_EMIT working({});
        done(sentence);
    };
    background_.run(
        [this, path, h5 = h5_, present, restored, done]() -> Background::Finish {
            const auto file = std::make_shared<ReadFile>();
            file->loaded = load_session(path, h5, present);
            SessionSetup& setup = file->loaded.setup;
            if (!file->loaded.whole) {
                setup.probe = firstPhrase(*setup.corpus);
                setup.focus = lastPrefix(*setup.corpus, setup.probe);
            }
            std::error_code none;
            file->path = std::filesystem::absolute(path, none);
            file->folder = std::filesystem::is_directory(path, none);
            file->mark = markOf(path).value_or(FileMark{});
            return [this, file, restored, done] {
                Q_EMIT working({});
                finishReading(file, restored, done);
            };
        },
        failed);
}

void Workbench::finishReading(const std::shared_ptr<ReadFile>& read, bool restored,
                              const std::function<void(const QString&)>& done) {
    if (busy()) {  // a lesson was opened while the file was read
        connect(
            this, &Workbench::busyChanged, this, [this, read, restored, done] { finishReading(read, restored, done); },
            Qt::SingleShotConnection);
        return;
    }
    LoadedSession* loaded = &read->loaded;
    RunIdentity identity;
    identity.session = ++sessions_;
    identity.devices = loaded->devices;
    identity.lesson =
        loaded->whole && find_lesson_ ? find_lesson_(QString::fromStdString(loaded->scene.lesson)) : nullptr;
    const std::uint64_t step = loaded->setup.state->step;
    identity.name = identity.lesson ? identity.lesson->title
                    : restored      ? QString::fromStdString(loaded->title)
                                    : fileNameOf(read->path);
    identity.saved_as = ++contents_;
    identity.rescued = restored;
    if (!restored) {
        if (!read->folder) identity.file = read->path;
        identity.saved_step = step;
        identity.file_mark = read->mark;
    } else if (loaded->place) {
        using Time = std::filesystem::file_time_type;
        identity.file = loaded->place->file;
        identity.saved_step = loaded->place->step;
        identity.file_mark = {Time(Time::duration(loaded->place->time)), std::uintmax_t(loaded->place->bytes)};
    }
    const QString notes = QString::fromStdString(loaded->scene.notes);
    notes_[identity.session] = {notes, restored ? QString() : notes};
    pending_scene_ = loaded->whole ? std::optional(loaded->scene) : std::nullopt;
    pending_restored_ = restored;
    start(std::move(loaded->setup), identity, restored ? tr("restoring of a session") : tr("opening of a model"),
          [this, read, restored, step, done](const QString& error) {
              pending_scene_.reset();
              if (error.isEmpty() && !restored) identity_.saved_settings = presentExperiment(session_.live());
              if (error.isEmpty() && !(restored && read->loaded.place)) {
                  Q_EMIT fileUsed(read->path);
                  Q_EMIT settled(step);
              }
              done(error);
              if (!error.isEmpty()) return;
              std::vector<std::string> remarks = read->loaded.remarks;
              const std::string devices = device_remark(read->loaded.devices, session_.live().device);
              if (!devices.empty()) remarks.push_back(devices);
              QStringList sentences;
              for (const std::string& remark : remarks) sentences << QString::fromStdString(remark);
              if (!sentences.isEmpty()) Q_EMIT remarked(sentences.join(u' '));
          });
}

void Workbench::saveModel(const std::filesystem::path& path, std::function<void()> done,
                          std::function<void()> changed) {
    if (session_.live().state == SessionState::empty) return;
    // One after another: each looks at what the one before it left on the disk.
    if (saving_) return waiting_saves_.push_back([=, this] { saveModel(path, done, changed); });
    saving_ = true;
    const auto over = [this] {
        saving_ = false;
        if (waiting_saves_.empty()) return;
        const std::function<void()> next = waiting_saves_.front();
        waiting_saves_.erase(waiting_saves_.begin());
        next();
    };
    Q_EMIT working(tr("Saving %1 …").arg(fileNameOf(path)));
    // What a file holds is what the window showed when it was asked for; the run may be another one when it is written.
    const int number = ++saves_;
    const auto session = std::make_shared<WholeSession>(whole({}, false));
    const std::uint64_t saved_session = identity_.session, generation = session_.live().generation,
                        branch = session_.live().branch;
    const auto failed = [this, over](const QString& sentence) {
        Q_EMIT working({});
        Q_EMIT refused(sentence);
        over();
    };
    Q_EMIT saveBegun(number);
    session_.save(
        [this, path, done, changed, left = identity_.file_mark, number, session, saved_session, generation, branch,
         over, failed](SavedRun run) {
            session->run = std::move(run);
            background_.run(
                [=, this]() -> Background::Finish {
                    if (const auto present = markOf(path); changed && present && *present != left)
                        return [this, changed, over] {
                            Q_EMIT working({});
                            changed();
                            over();
                        };
                    save_session(path, *session);
                    std::error_code none;
                    const std::filesystem::path file = std::filesystem::absolute(path, none);
                    return [=, this, mark = markOf(path).value_or(FileMark{})] {
                        const std::uint64_t step = session->run.state.step;
                        Q_EMIT working({});
                        // Else another one was opened meanwhile, or begun anew: the file is not its own.
                        if (identity_.session == saved_session && session_.live().generation == generation) {
                            identity_.file = file;
                            // What was trained on from the past meanwhile is not in it, whichever step it comes to.
                            identity_.saved_step = session_.live().branch == branch ? step : no_saved_step;
                            identity_.saved_settings = experimentOf(session->run.state);
                            identity_.file_mark = mark;
                            identity_.saved_as = ++contents_;
                            notes_[saved_session].saved = QString::fromStdString(session->scene.notes);
                            Q_EMIT identityChanged();
                            Q_EMIT saveKept(number, step);
                        }
                        Q_EMIT fileUsed(file);
                        Q_EMIT saved(fileNameOf(file));
                        if (done) done();
                        over();
                    };
                },
                failed);
        },
        failed);
}

void Workbench::exportForKeras(const std::filesystem::path& path, KerasExport kind,
                               std::function<void(const QString&)> replaces) {
    if (session_.live().state == SessionState::empty) return;
    const bool code = kind == KerasExport::code;
    const std::filesystem::path beside = code ? weights_beside(path) : classes_beside(path);
    const auto failed = [this](const QString& sentence) {
        Q_EMIT working({});
        Q_EMIT refused(sentence);
    };
    Q_EMIT working(tr("Writing %1 …").arg(fileNameOf(path)));
    session_.save(
        [=, this, own = identity_.file](const SavedRun& run) {
            background_.run(
                [=, this]() -> Background::Finish {
                    std::error_code none;
                    for (const std::filesystem::path& file : {path, beside})
                        if (!own.empty() && std::filesystem::equivalent(file, own, none))
                            throw Error("This would take the place of " + own.filename().string() +
                                        ", which holds the whole session; give it another name.");
                    const bool there = code ? std::filesystem::exists(beside, none) : classes_are_foreign(beside);
                    if (there && replaces)
                        return [=, this] {
                            Q_EMIT working({});
                            replaces(fileNameOf(beside));
                        };
                    const SavedModel model = model_of(run);
                    if (code)
                        save_keras_code(path, model);
                    else
                        save_class_model(path, model);
                    return [=, this, step = model.state.step] {
                        Q_EMIT working({});
                        Q_EMIT told(tr("Wrote %1 and %2, at step %3.")
                                        .arg(fileNameOf(path), fileNameOf(beside), countText(step)));
                    };
                },
                failed);
        },
        failed);
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
