#include "app/cli/commands.h"
#include "app/cli/terminal.h"
#include "app/export/export_figure.h"
#include "engine/core/atomic_file.h"
#include "engine/core/error.h"
#include "engine/core/settings.h"
#include "engine/formats/model_files.h"
#include "engine/formats/strangers_text.h"
#include "engine/session/inference.h"

#include <QGuiApplication>

#include <cstdlib>

namespace moe::app {

namespace {

constexpr std::size_t most_text = 1 << 20;

std::string textOf(const Arguments& a) {
    if (a.has("--text") == a.has("--probe"))
        throw UsageError("heatmap needs a text: either --text FILE or --probe TEXT.");
    if (a.has("--probe")) {
        const std::string text = *a.value("--probe");
        checkUtf8(text, "The text");
        return text;
    }
    const std::string file = *a.value("--text"), text = read_file(file, most_text);
    try {
        checkUtf8(text, file);
    } catch (const UsageError& e) {
        throw Error(e.what());  // the command line is right, its file is not
    }
    return text;
}

/// An ending that is none of the four is the command line's fault.
FigureFormat formatOf(const std::filesystem::path& out) {
    try {
        return figureFormat(out);
    } catch (const Error& e) {
        throw UsageError(e.what());
    }
}

/// What a picture of a saved model shows: the session's snapshot without a session.
Snapshot snapshotOf(const SavedModel& model, ProbeForward probe) {
    Snapshot s;
    s.state = SessionState::paused;
    s.experiment = model.state.experiment;
    s.step = model.state.step;
    s.epoch = model.state.epoch;
    s.target_epochs = model.state.target_epochs ? model.state.target_epochs : model.state.experiment.train.epochs;
    s.parameters = parameter_count(model.state.experiment.model);
    if (!model.state.epochs.empty()) {
        s.loss = model.state.epochs.back().loss;
        s.accuracy = model.state.epochs.back().accuracy;
        s.balance = model.state.epochs.back().balance;
    }
    s.probe = std::move(probe);
    auto history = std::make_shared<History>();
    history->epochs = model.state.epochs;
    history->num_experts = model.state.experiment.model.num_experts;
    s.history = std::move(history);
    return s;
}

/// Remarks of the platform's ("XDG_RUNTIME_DIR not set") help nobody who asked for a picture.
void onlyFailures(QtMsgType type, const QMessageLogContext&, const QString& message) {
    if (type == QtCriticalMsg || type == QtFatalMsg) say("moelab: " + message.toStdString());
}

int run(const Arguments& a) {
    const std::filesystem::path out = a.required("--out");
    const FigureFormat format = formatOf(out);
    const std::string path = a.required("--model"), text = textOf(a);
    SavedModel model = load_model(path, h5Program());
    for (const std::string& remark : model.remarks) say(strangers_text(remark, 1024));
    if (!model.tokenizer)
        throw Error(path + " holds no tokenizer, so its words are not known; put its tokenizer.json beside it.");
    Predictor predictor(model.state, *model.tokenizer);
    const Snapshot snapshot = snapshotOf(model, predictor.run(text));

    FigureOptions options;
    options.corpusName = QString::fromStdString(model.corpus_name);
    if (format == FigureFormat::csv) {
        exportFigure(FigureKind::heatmap, snapshot, out, options);
    } else {
        // Pictures need fonts but no display: the same picture everywhere.
        if (std::getenv("QT_QPA_PLATFORM") == nullptr) qputenv("QT_QPA_PLATFORM", "offscreen");
        int argc = 1;
        char name[] = "moelab";
        char* argv[] = {name, nullptr};
        qInstallMessageHandler(onlyFailures);
        const QGuiApplication application(argc, argv);
        exportFigure(FigureKind::heatmap, snapshot, out, options);
    }
    say("Wrote " + out.string() + ".");
    return 0;
}

}  // namespace

Command heatmapCommand() {
    return {"heatmap",
            "which expert reads which word, as a picture or a table",
            "--model DIR|FILE (--text FILE | --probe TEXT) --out FILE.png|svg|pdf|csv",
            "",
            {model_option,
             {"--text", "FILE", "a UTF-8 text of at most 1 MiB"},
             {"--probe", "TEXT", "the text itself"},
             {"--out", "FILE", "its ending says what is written: .png, .svg, .pdf or .csv"}},
            "Rows are experts, a column is the prefix that ends at its token; the value is the weight with which the\n"
            "expert's answer is mixed in; with family=token the column is that token alone. In the CSV lines that "
            "start with # say which model and settings made it.\n",
            run};
}

}  // namespace moe::app
