#include "app/cli/commands.h"
#include "app/cli/terminal.h"
#include "engine/core/atomic_file.h"
#include "engine/core/error.h"
#include "engine/core/numbers.h"
#include "engine/formats/keras_code.h"
#include "engine/formats/strangers_text.h"
#include "engine/session/session_file.h"

namespace moe::app {

namespace {

namespace fs = std::filesystem;

/// The file's name says what is in it, to people and to Keras.
fs::path fileOf(const Arguments& a, const char* option, const char* ending) {
    fs::path file = a.required(option);
    if (file.extension() != ending)
        throw UsageError("The option " + std::string(option) + " cannot be '" + file.string() +
                         "': the file's name ends in " + ending + ".");
    return file;
}

/// Whether the program `code` was written here, with these weights.
bool areWeightsOf(const fs::path& code, const fs::path& weights) {
    std::error_code none;
    return fs::exists(code, none) &&
           read_file_part(code, 0, 4096).find("The weights are in " + weights.filename().string()) != std::string::npos;
}

/// The code's weights stand beside it under its name: never in the place of the model that they come from.
void checkApart(const fs::path& code, const fs::path& model) {
    std::error_code none;
    const fs::path weights = weights_beside(code);
    const fs::path folder = weights.parent_path().empty() ? "." : weights.parent_path();
    const bool own =
        fs::equivalent(weights, model, none) || (fs::is_directory(model, none) && fs::exists(weights, none) &&
                                                 !areWeightsOf(code, weights) && fs::equivalent(folder, model, none));
    if (own)
        throw Error("The weights of " + code.string() + " would take the place of " + weights.string() +
                    ", the model itself; give the code another name.");
}

/// Never in the place of a session: its history would be lost.
void checkNoSession(const fs::path& file) {
    std::error_code none;
    if (!fs::exists(file, none)) return;
    try {
        summarize_session(file);
    } catch (const Error&) {
        return;  // something else
    }
    throw Error(file.string() +
                " holds a whole session, which an export would take the place of; choose another name.");
}

/// Nor in the place of the weights of a program that --keras-code wrote.
void checkNoWeights(const fs::path& file) {
    std::error_code none;
    const fs::path code = fs::path(file).replace_extension(".py");
    if (fs::exists(file, none) && areWeightsOf(code, file))
        throw Error(file.string() + " holds the weights of " + code.string() + " beside it; choose another name.");
}

/// What --keras-code writes beside FILE.py takes the place of nothing but what an earlier FILE.py wrote there.
void checkOwnWeights(const fs::path& code) {
    const fs::path weights = weights_beside(code);
    std::error_code none;
    if (fs::exists(weights, none) && !areWeightsOf(code, weights))
        throw Error(weights.string() + " is there already, and the weights of " + code.filename().string() +
                    " need that name; choose another one.");
}

int run(const Arguments& a) {
    const bool code = a.has("--keras-code");
    if (code == a.has("--keras"))
        throw UsageError(code ? "export takes --keras or --keras-code, not both."
                              : "export needs what to write: either --keras FILE.keras or --keras-code FILE.py.");
    if (code && a.has("--classes"))
        throw UsageError("The option --classes goes with --keras: the code has no classes.");
    const fs::path out = code ? fileOf(a, "--keras-code", ".py") : fileOf(a, "--keras", ".keras");
    if (code) checkApart(out, a.required("--model"));
    checkNoSession(code ? weights_beside(out) : out);
    if (!code) checkNoWeights(out);
    if (code) checkOwnWeights(out);
    if (const fs::path classes = classes_beside(out); a.has("--classes") && classes_are_foreign(classes))
        throw Error(classes.string() + " is there already and holds something else, and " + out.string() +
                    " needs a file of that name beside it; choose another folder.");
    const SavedModel model = load_model(a.required("--model"), h5Program());
    for (const std::string& remark : model.remarks) say(strangers_text(remark, 1024));

    if (model.state.experiment.model.balance_loss > 0)
        say("Keras trains it on without the loss that balances the experts (its weight here is " +
            to_text(model.state.experiment.model.balance_loss) + ").");
    if (code) {
        say("Wrote " + out.string() + " and " + save_keras_code(out, model).string() + ", its weights.");
    } else if (a.has("--classes")) {
        say("Wrote " + out.string() + " and " + save_class_model(out, model).string() + ", its classes.");
    } else {
        save_model_file(out, model);
        say("Wrote " + out.string() + ".");
    }
    return 0;
}

}  // namespace

Command exportCommand() {
    return {"export",
            "a model for Keras, or the code that builds it",
            "--model DIR|FILE (--keras-code FILE.py | --keras FILE.keras [--classes])",
            "",
            {model_option,
             {"--keras-code", "FILE.py", "Python that builds the model from Keras's layers; its weights beside it"},
             {"--keras", "FILE.keras", "the model in Keras's own layers, with the optimizer's state"},
             {"--classes", "", "in the tutorial's classes, with moe_layers.py beside it"}},
            "Keras 3 opens FILE.keras; in the tutorial's classes after \"import moe_layers\". FILE.py says the next\n"
            "word: python FILE.py how are. What Keras does not know (tokenizer, text, settings) rides along inside.\n",
            run};
}

}  // namespace moe::app
