#include "app/cli/commands.h"
#include "app/cli/terminal.h"
#include "app/models/theme.h"
#include "engine/core/error.h"
#include "engine/core/family.h"
#include "engine/core/numbers.h"
#include "engine/formats/model_files.h"
#include "engine/formats/strangers_text.h"
#include "engine/session/inference.h"

#include <iostream>

namespace moe::app {

namespace {

/// What one text was answered, as rows of words and numbers.
struct Answer {
    std::string text;
    std::vector<std::string> tokens, unknown;
    std::vector<std::int32_t> ids;  // as texts_to_sequences: without the unknown
    ProbeForward forward;
    std::vector<std::size_t> experts;  // chosen
};

Answer answer(Predictor& predictor, const Tokenizer& tokenizer, const std::string& text, std::size_t top) {
    Answer a{text, {}, {}, tokenizer.ids(text), predictor.run(text, top), {}};
    for (const ProbeWord& word : a.forward.words) {
        a.tokens.push_back(word.text);
        if (word.id == 0) a.unknown.push_back(word.text);
    }
    const std::vector<float>& gate = a.forward.focused.gate_weights;
    for (std::size_t e = 0; e < gate.size(); ++e)
        if (gate[e] > 0) a.experts.push_back(e);
    return a;
}

nlohmann::ordered_json asJson(const Answer& a) {
    const FocusedForward& f = a.forward.focused;
    nlohmann::ordered_json top = nlohmann::ordered_json::array();
    for (const WordProbability& w : f.top) top.push_back({{"word", w.word}, {"probability", w.probability}});
    return {{"text", a.text}, {"tokens", a.tokens},     {"ids", a.ids},        {"word", f.top.front().word},
            {"top", top},     {"gate", f.gate_weights}, {"experts", a.experts}};
}

void print(const Answer& a, bool tokens) {
    const FocusedForward& f = a.forward.focused;
    std::cout << a.text << " -> " << f.top.front().word << '\n';
    if (a.ids.empty()) std::cout << "  no word that the model knows: what it makes of padding alone\n";
    if (!a.unknown.empty()) {
        std::cout << "  unknown";
        for (const std::string& word : a.unknown) std::cout << "  " << word;
        std::cout << '\n';
    }
    std::cout << "  words ";
    for (const WordProbability& w : f.top) std::cout << "  " << w.word << ' ' << to_fixed(double(w.probability), 3);
    std::cout << (tokens && !a.ids.empty() ? "\n  gate of the last word" : "\n  gate  ");
    for (const std::size_t e : a.experts)
        std::cout << "  " << expertName(e).toStdString() << ' ' << to_fixed(double(f.gate_weights[e]), 3);
    std::cout << '\n';
}

int run(const Arguments& a) {
    if (a.words().empty()) throw UsageError("predict needs a text: moelab predict --model DIR \"how are\".");
    const auto top = std::size_t(a.whole("--top", 1, 16'777'216).value_or(5));
    const std::string path = a.required("--model");
    for (const std::string& text : a.words()) checkUtf8(text, "The text");
    SavedModel model = load_model(path, h5Program());
    for (const std::string& remark : model.remarks) say(strangers_text(remark, 1024));
    if (!model.tokenizer)
        throw Error(path + " holds no tokenizer, so its words are not known; put its tokenizer.json beside it.");
    const Tokenizer tokenizer = *model.tokenizer;
    Predictor predictor(model.state, tokenizer);
    const bool tokens = routes_tokens(model.state.experiment.model);

    nlohmann::ordered_json predictions = nlohmann::ordered_json::array();
    for (const std::string& text : a.words()) {
        const Answer found = answer(predictor, tokenizer, text, top);
        if (a.has("--json"))
            predictions.push_back(asJson(found));
        else
            print(found, tokens);
    }
    if (a.has("--json")) printJson({{"predictions", predictions}});
    return 0;
}

}  // namespace

Command predictCommand() {
    return {
        "predict",
        "the next word after a text",
        "--model DIR|FILE TEXT... [--top N] [--json]",
        "TEXT...",
        {model_option, {"--top", "N", "as many of the most probable words (5)"}, json_option},
        R"(Prints for each text the most probable next word, the words with their probabilities, and the weights of the
experts that were chosen. Words that the model does not know are named and left out, as Keras does; (padding) is
what stands before a phrase, and has a probability too. A model with family=token chooses experts for each word: here
they are those of the text's last word.
With --json {"predictions": [...]}, for each text
  {"text", "tokens", "ids", "word", "top": [{"word", "probability"}], "gate": [a number an expert],
   "experts": [numbers of those chosen, from 0]}; "ids" leaves out unknown words.
)",
        run};
}

}  // namespace moe::app
