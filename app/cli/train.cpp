#include "app/cli/commands.h"
#include "app/cli/find_lesson.h"
#include "app/cli/terminal.h"
#include "engine/core/atomic_file.h"
#include "engine/core/checked.h"
#include "engine/core/error.h"
#include "engine/core/numbers.h"
#include "engine/core/settings.h"
#include "engine/formats/model_files.h"
#include "engine/formats/strangers_text.h"
#include "engine/session/session_file.h"
#include "engine/session/training_session.h"

#include <unistd.h>

#include <chrono>
#include <iostream>
#include <limits>
#include <mutex>

namespace moe::app {

namespace {

namespace fs = std::filesystem;

struct Plan {
    Experiment experiment;
    std::shared_ptr<const Corpus> corpus;
    std::optional<RunState> state;
};

std::shared_ptr<const Corpus> corpusOf(const Arguments& a, const std::optional<Lesson>& lesson,
                                       const std::optional<SavedModel>& init) {
    const bool own = init && init->tokenizer;
    if (lesson) {
        std::shared_ptr<const Corpus> corpus = loadCorpus(*lesson);
        return own ? Corpus::from_text(corpus->name(), corpus->text(), *init->tokenizer) : corpus;
    }
    const fs::path file = *a.value("--corpus");
    const std::string text = read_file(file, std::size_t(1) << 31), name = file.filename().string();
    return own ? Corpus::from_text(name, text, *init->tokenizer) : Corpus::from_text(name, text);
}

void applySettings(const Arguments& a, Experiment& experiment) {
    for (const std::string& given : a.values("--set")) {
        const std::size_t equals = given.find('=');
        if (equals == std::string::npos)
            throw UsageError("--set takes key=value, and '" + given + "' has no equals sign.");
        apply_setting(experiment, given.substr(0, equals), given.substr(equals + 1));
    }
    if (const auto seed = a.value("--seed")) apply_setting(experiment, "seed", *seed);
    if (const auto epochs = a.value("--epochs")) apply_setting(experiment, "epochs", *epochs);
    if (a.has("--no-shuffle")) experiment.train.shuffle = false;
}

/// A model that goes on must keep its shapes: --set may change how it is trained, not what it is made of.
void checkFits(const RunState& state, const Experiment& changed, const Corpus& corpus, bool own_tokenizer,
               const std::string& file) {
    const std::vector<NamedArray> wanted = canonical_parameters(changed.model);
    for (std::size_t i = 0; i < wanted.size(); ++i)
        if (i >= state.parameters.size() || wanted[i].shape != state.parameters[i].shape)
            throw Error("The model in " + file + " has another shape than --set asks for (" + wanted[i].name +
                        " would change); leave that setting out, or train a new model without --init.");
    if (!own_tokenizer && corpus.tokenizer().vocabulary() != state.experiment.model.vocabulary)
        throw Error(file + " has no tokenizer and knows " + with_commas(state.experiment.model.vocabulary - 1) +
                    " words, but " + corpus.name() + " has " + with_commas(corpus.tokenizer().vocabulary() - 1) +
                    " different ones; train on the model's own text, or put its tokenizer.json beside it.");
}

/// A run keeps the seed that it began with: under another one it could not be had again.
void checkSeed(const SavedModel& init, const Experiment& changed, const std::string& file) {
    if (init.complete && changed.train.seed != init.state.experiment.train.seed)
        throw Error("The run in " + file + " began with seed " + std::to_string(init.state.experiment.train.seed) +
                    " and keeps it, so that it can be had again; leave the seed out, or train a new model without "
                    "--init.");
}

Plan planOf(const Arguments& a) {
    if (a.has("--lesson") == a.has("--corpus"))
        throw UsageError(a.has("--lesson") ? "train takes --lesson or --corpus, not both."
                                           : "train needs a text: either --lesson ID or --corpus FILE.");
    if (a.has("--epochs") && a.has("--steps")) throw UsageError("train takes --epochs or --steps, not both.");

    Plan plan;
    std::optional<Lesson> lesson;
    if (a.has("--lesson")) {
        lesson = findLesson(lessonsOf(a), *a.value("--lesson"));
        plan.experiment = lesson->experiment;
    }
    applySettings(a, plan.experiment);  // a wrong setting is said before a large text is read
    std::optional<SavedModel> init;
    if (a.has("--init")) {
        init = load_model(*a.value("--init"), h5Program());
        for (const std::string& remark : init->remarks) say(strangers_text(remark, 1024));
        plan.experiment = init->state.experiment;
        applySettings(a, plan.experiment);
        checkSeed(*init, plan.experiment, *a.value("--init"));
    }
    plan.corpus = corpusOf(a, lesson, init);
    if (init) {
        checkFits(init->state, plan.experiment, *plan.corpus, init->tokenizer.has_value(), *a.value("--init"));
        plan.state = std::move(init->state);
        plan.state->experiment = plan.experiment;
    }
    return plan;
}

/// Hours of training must not end in a folder that cannot be written.
void checkFolder(const fs::path& folder) {
    make_folder(folder);
    if (access(folder.c_str(), W_OK) != 0)
        throw Error("The folder " + folder.string() + " is read-only; choose another one with --out.");
}

/// What the worker reports after each epoch, until the main thread prints it.
class EpochLog {
public:
    void add(std::uint64_t epoch, const EpochRecord& record) {
        const std::scoped_lock lock(mutex_);
        fresh_.emplace_back(epoch, record);
    }
    std::vector<std::pair<std::uint64_t, EpochRecord>> take() {
        const std::scoped_lock lock(mutex_);
        return std::exchange(fresh_, {});
    }

private:
    std::mutex mutex_;
    std::vector<std::pair<std::uint64_t, EpochRecord>> fresh_;
};

std::string epochLine(std::uint64_t epoch, const EpochRecord& record, bool balanced) {
    std::string line = "epoch " + std::to_string(epoch) + "  loss " + to_fixed(record.loss, 4) + "  accuracy " +
                       to_fixed(record.accuracy, 4);
    if (balanced) line += "  balance loss " + to_fixed(record.balance, 4);
    return line;
}

void sayWhatIsTrained(const Corpus& corpus, const Snapshot& s) {
    for (const std::string& note : corpus.notes()) say(corpus.name() + ": " + note);
    const std::size_t T = s.experiment.model.max_seq_len;
    if (corpus.longest_prefix() > T)
        say(corpus.name() + ": Prefixes of more than " + counted(T, "word") + " keep their last " + std::to_string(T) +
            ".");
    say(corpus.name() + ": " + counted(corpus.lines(), "line") + ", " +
        counted(corpus.tokenizer().vocabulary() - 1, "different word") + ", " + counted(corpus.examples(), "example") +
        "; " + counted(s.parameters, "parameter") + ", " + format_bytes(required_bytes(s.experiment)) + ", on " +
        s.device);
}

int run(const Arguments& a) {
    const bool json = a.has("--json");
    SessionOptions options;
    options.backend = backendOptions(a);
    const std::optional<unsigned long long> steps =
        a.whole("--steps", 1, std::numeric_limits<unsigned long long>::max() / 2);
    const fs::path out = a.required("--out");
    Plan plan = planOf(a);

    const StopSignals signals;
    EpochLog log;
    TrainingSession session(options);
    session.on_epoch([&log](std::uint64_t epoch, const EpochRecord& record) { log.add(epoch, record); });
    const std::shared_ptr<const Corpus> corpus = plan.corpus;
    const bool further = plan.state.has_value();
    SessionSetup setup;
    setup.experiment = plan.experiment;
    setup.corpus = corpus;
    setup.state = std::move(plan.state);
    session.open(std::move(setup));
    session.wait();
    checkFolder(out);  // makes it: of a model that cannot be there is none
    const std::shared_ptr<const Snapshot> start = session.take();
    sayWhatIsTrained(*corpus, *start);

    const auto began = std::chrono::steady_clock::now();
    const std::uint64_t epochs = start->experiment.train.epochs;
    const std::uint64_t first_epoch = start->epoch, first_step = start->step;
    if (steps) {
        session.set_target_epochs(std::numeric_limits<std::uint64_t>::max());
        session.run_steps(*steps);
    } else if (further) {
        session.train_on(epochs);
    } else {
        session.play();
    }

    nlohmann::ordered_json loss = nlohmann::ordered_json::array(), accuracy = nlohmann::ordered_json::array();
    Progress progress("training");
    const bool balanced = start->experiment.model.balance_loss > 0;
    const double wanted = steps ? double(*steps) : double(epochs) * double(start->steps_per_epoch);
    const auto report = [&] {
        const auto fresh = log.take();
        if (!fresh.empty()) progress.clear();
        for (const auto& [epoch, record] : fresh) {
            loss.push_back(record.loss);
            accuracy.push_back(record.accuracy);
            if (!json) std::cout << epochLine(epoch, record, balanced) << '\n';
        }
        if (!fresh.empty()) std::cout.flush();
    };
    bool stopped = false;
    std::uint64_t notices = 0;
    const auto tellNotice = [&](const Snapshot& s) {
        if (std::exchange(notices, s.notices) == s.notices || s.notice.empty()) return;
        progress.clear();
        say(s.notice);
    };
    tellNotice(*start);
    while (!session.wait_for(0.05)) {
        report();
        if (StopSignals::received() != 0 && !std::exchange(stopped, true)) session.pause();
        const std::shared_ptr<const Snapshot> s = session.take();
        tellNotice(*s);
        progress.show(double(s->step - first_step) / wanted,
                      "epoch " + std::to_string(s->epoch) + ", " + with_commas(s->step) + " steps, " +
                          with_commas(static_cast<unsigned long long>(s->steps_per_second)) + " steps/s");
    }
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
    report();
    progress.clear();

    const std::shared_ptr<const Snapshot> end = session.take();
    tellNotice(*end);
    const std::uint64_t done = end->step - first_step;
    const bool failed = end->state == SessionState::failed;
    save_model_folder(out, model_of(session.save().get()));

    const double rate = seconds > 0 ? double(done) / seconds : 0;
    if (json)
        printJson({{"steps", done},
                   {"epochs", end->epoch - first_epoch},
                   {"loss", loss},
                   {"accuracy", accuracy},
                   {"steps_per_second", rate},
                   {"parameters", end->parameters},
                   {"device", end->device}});
    if (failed) throw Error(end->message + " That last good state is in " + out.string() + ".");
    if (stopped)
        say("Stopped after " + counted(done, "step") + "; what was learned is in " + out.string() + ".");
    else
        say("Trained " + counted(done, "step") + " in " +
            (seconds < 1 ? to_fixed(seconds * 1000, 1) + " ms (" : to_fixed(seconds, 1) + " s (") +
            with_commas(static_cast<unsigned long long>(rate)) + " steps/s); wrote " + (out / "model.keras").string() +
            ", tokenizer.json and max_seq_len.txt.");
    return stopped ? 128 + StopSignals::received() : 0;
}

std::string notes() {
    std::string text =
        R"(Writes the tutorial's three files into DIR, each replaced as a whole: model.keras (with the optimizer's state),
tokenizer.json, max_seq_len.txt. Prints loss and accuracy of each epoch; with --json at the end, of this run,
  {"steps", "epochs", "loss": [one per epoch], "accuracy": [...], "steps_per_second", "parameters", "device"}
Ctrl-C writes what was learned (exit 130); where training diverges the last good state is written (exit 1).
With --init (a model, a folder, or a session that the window saved) the tokenizer is the file's, else the one beside
it, else the text's; --set wins over the file, but a run keeps its seed.

Settings:
)";
    const Experiment defaults;
    for (const Setting& s : settings())
        text += padded("  " + std::string(s.key) + "=" + s.get(defaults), 25) + std::string(s.help) + " (" +
                std::string(s.range) + ")\n";
    return text;
}

}  // namespace

Command trainCommand() {
    static const std::string text = notes();
    return {"train",
            "trains a model and writes it",
            "(--lesson ID | --corpus FILE) --out DIR [--set key=value]... [--seed N]\n"
            "                    [--epochs N | --steps N] [--device auto|cpu|cuda]\n"
            "                    [--precision float32|tf32|bf16] [--threads N] [--init FILE.keras] [--no-shuffle] "
            "[--lessons DIR] [--json]",
            "",
            {{"--lesson", "ID", "the text and the settings of this lesson"},
             {"--corpus", "FILE", "a UTF-8 text to learn from, a sentence a line"},
             {"--out", "DIR", "folder for the three files; made where it is missing"},
             {"--set", "key=value", "a setting, see below", true},
             {"--seed", "N", "of initial weights and of the order of examples"},
             {"--epochs", "N", "passes over the text; with --init, further ones"},
             {"--steps", "N", "steps instead"},
             device_option,
             precision_option,
             threads_option,
             {"--init", "FILE.keras", "go on from this model (a file or a folder)"},
             {"--no-shuffle", "", "the text's own order in every epoch"},
             lessons_option,
             json_option},
            text,
            run};
}

}  // namespace moe::app
