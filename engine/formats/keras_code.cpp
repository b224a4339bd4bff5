#include "engine/formats/keras_code.h"

#include "engine/core/atomic_file.h"
#include "engine/core/error.h"
#include "engine/core/family.h"
#include "engine/core/numbers.h"
#include "engine/formats/keras_graph.h"

namespace moe {

namespace {

/// A Python literal of this text. JSON's would be one, too, but for what lies beyond 16 bits.
std::string quoted(const std::string& text) {
    std::string literal = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') literal += '\\';
        literal += static_cast<unsigned char>(c) < 32 ? '?' : c;  // no file's name that anybody means
    }
    return literal + '"';
}

/// For a comment or a line of the module's own text: one line that ends nothing.
std::string plain(std::string text) {
    for (char& c : text)
        if (c == '"' || c == '\\' || static_cast<unsigned char>(c) < 32) c = ' ';
    return text;
}

std::string sizes(const SavedModel& model, const std::string& weights) {
    const ModelSpec& s = model.state.experiment.model;
    const auto whole = [](std::size_t value) { return std::to_string(value); };
    std::string text = "WEIGHTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), " + quoted(weights) +
                       ")\n\nVOCABULARY = " + whole(s.vocabulary) +
                       "  # words that the model knows, and id 0 for padding\n"
                       "WORDS = " +
                       (s.max_seq_len ? whole(s.max_seq_len) : std::string("None")) +
                       "  # words of a phrase that it reads: longer ones keep their end\n"
                       "WIDTH = " +
                       whole(s.embedding_dim) +
                       "  # numbers that stand for a word, and in an expert's answer\nHIDDEN = " + whole(s.hidden_dim) +
                       "  # hidden units of an expert\nEXPERTS = " + whole(s.num_experts) + "\n";
    if (s.router == "top_k")
        text += "CHOSEN = " + whole(s.top_k) + "  # experts whose answers count for a " +
                (routes_tokens(s) ? "word" : "phrase") + "\n";
    return text + "LEARNING_RATE = " + to_text(model.state.experiment.train.learning_rate) + "\n";
}

constexpr std::string_view top_k_gate = R"PY(

def top_k_gate(scores):
    """The softmax over the CHOSEN largest scores, and 0 for the others.

    Layers alone: they take the largest of what is left, CHOSEN times. The constants matter; others predict the same
    and train wrong.
    """
    rest, chosen = scores, []
    for k in range(CHOSEN):
        best = layers.GlobalMaxPooling1D(KEEPDIMS)(rest)
        gap = layers.Subtract()([rest, best])  # 0 for the best, below 0 for the others
        chosen.append(layers.ReLU(max_value=1.0)(layers.Rescaling(STEEP, 2.0)(gap)))  # 1 for the best, else 0
        if k + 1 < CHOSEN:
            rest = layers.Add()([rest, layers.Rescaling(FAR_BELOW)(chosen[-1])])
    all_chosen = layers.Add()(chosen) if CHOSEN > 1 else chosen[0]
    unchosen = layers.ReLU()(layers.Rescaling(-1.0, 1.0)(all_chosen))
    return layers.Softmax(axis=AXIS, name="gate_weights")(layers.Add()([scores, layers.Rescaling(FAR_BELOW)(unchosen)]))
)PY";

std::string with(std::string text, std::string_view place, std::string_view value) {
    return text.replace(text.find(place), place.size(), value);
}

// Over the experts: of a column (b, e, 1), or of tokens (b, t, e), there the last axis.
std::string gate_function(bool tokens) {
    return with(with(std::string(top_k_gate), "KEEPDIMS",
                     tokens ? "data_format=\"channels_first\", keepdims=True" : "keepdims=True"),
                "AXIS", tokens ? "2" : "1");
}

std::string mean_code(const ModelSpec& s, const char* result, const char* rows) {
    return std::string(s.mask_zero ? "    # Padding is left out of the mean.\n"
                                   : "    # Padding counts in the mean.\n") +
           "    " + result + " = layers.GlobalAveragePooling1D(name=\"mean\")(" + rows +
           (s.mask_zero ? ", mask=ops.not_equal(tokens, 0))\n" : ")\n");
}

std::string bank_code(const KerasBank& form, bool tokens, const char* width) {
    return "layers.EinsumDense(\"" + std::string(tokens ? form.of_tokens : form.of_phrases) + "\", output_shape=[" +
           (tokens ? "None, " : "") + "EXPERTS, " + width + "], bias_axes=\"" + form.bias_axes + "\"";
}

std::string build_function(const ModelSpec& s) {
    const bool sparse = s.router == "top_k", apart = s.activation == "gelu_tanh", tokens = routes_tokens(s);
    std::string text =
        "\n\ndef build():\n    \"\"\"Two models over the same layers: phrase -> next word, and phrase -> "
        "weights of the experts";
    text += tokens ? " for each word.\"\"\"\n" : ".\"\"\"\n";
    text += "    tokens = keras.Input((WORDS,), dtype=\"int32\", name=\"tokens\")\n";
    if (tokens)
        text +=
            "    # Each word has a row of the embedding, and its row alone decides which experts answer to it.\n"
            "    x = layers.Embedding(VOCABULARY, WIDTH, name=\"embedding\")(tokens)\n";
    else
        text +=
            "    # Each word has a row of the embedding. What stands for the phrase is the mean of its rows: word "
            "order is lost.\n    rows = layers.Embedding(VOCABULARY, WIDTH, name=\"embedding\")(tokens)\n" +
            mean_code(s, "x", "rows");
    const std::string gate = sparse ? "    scores = layers.Dense(EXPERTS, name=\"gate\")(x)\n"
                                    : "layers.Dense(EXPERTS, activation=\"softmax\", name=\"gate\")(x)\n";
    text += sparse ? "    # The gate: a score for each expert, and weights for the best CHOSEN of them.\n" + gate
                   : "    # The gate: a weight for each expert; all together they are 1.\n";
    const std::string column = "layers.Reshape((EXPERTS, 1), name=\"gate_column\")(";
    if (sparse)
        text += "    g = top_k_gate(" + (tokens ? std::string("scores") : column + "scores)") + ")\n";
    else
        text += tokens ? "    g = " + gate : "    gate = " + gate + "    g = " + column + "gate)\n";
    text += "    # The experts, two layers each, side by side: axis 0 of a kernel is the expert. Keras computes " +
            std::string(sparse ? "all of them, also\n    # those whose weight is 0.\n" : "all of them.\n");
    text += "    h = " + bank_code(hidden_bank, tokens, "HIDDEN") + ", activation=\"" +
            (apart ? std::string("linear") : s.activation) +
            "\",\n                           name=\"experts_hidden\")(x)\n";
    if (apart) text += "    h = ops.gelu(h, approximate=True)\n";
    text += "    answers = " + bank_code(output_bank, tokens, "WIDTH") +
            (tokens ? ",\n                                 name=\"experts\")(h)\n" : ", name=\"experts\")(h)\n");
    if (tokens)
        text +=
            "    # The weighted sum of their answers to each word, and the mean of these: word order is lost.\n"
            "    mixed = ops.einsum(\"" +
            std::string(token_mix) + "\", g, answers)\n" + mean_code(s, "y", "mixed") +
            "    # From it a probability for each word to be the next.\n";
    else
        text +=
            "    # The weighted sum of their answers, and from it a probability for each word to be the next.\n"
            "    y = layers.Flatten(name=\"mixture\")(layers.Dot(axes=[1, 1], name=\"mix\")([g, answers]))\n";
    text +=
        "    words = layers.Dense(VOCABULARY, activation=\"softmax\", name=\"next_word\")(y)\n"
        "    return keras.Model(tokens, words, name=\"moe_lab\"), keras.Model(tokens, ";
    // Of tokens the last word's, as everywhere here.
    return text + (tokens ? "g[:, -1])\n" : "layers.Flatten()(g))\n") + R"PY(

def trained():
    """The model with its weights, ready to predict and to train on: Adam's memory comes along."""
    model, gate = build()
    model.compile(optimizer=keras.optimizers.Adam(LEARNING_RATE), loss="sparse_categorical_crossentropy",
                  metrics=["accuracy"])
    model.optimizer.build(model.trainable_variables)
    model.load_weights(WEIGHTS)
    return model, gate


def padded(ids):
    """A row of WORDS ids: the end of the phrase, with 0 for padding in front."""
    ids = ids[-WORDS:] if WORDS else ids
    return np.array([[0] * ((WORDS or len(ids)) - len(ids)) + ids], "int32")
)PY";
}

constexpr std::string_view with_words = R"PY(

def tokenizer():
    """The settings of Keras's Tokenizer and the number of each word: they ride in the file of the weights."""
    with zipfile.ZipFile(WEIGHTS) as archive:
        config = json.loads(archive.read("moe-lab/tokenizer.json"))["config"]
    return config, json.loads(config["word_index"])


def ids_of(phrase):
    """A phrase as the numbers of its words, as texts_to_sequences does it: unknown words are left out."""
    config, index = tokenizer()
    if config["lower"]:
        phrase = phrase.lower()
    if config["char_level"]:
        words = list(phrase)
    else:
        for sign in config["filters"]:
            phrase = phrase.replace(sign, config["split"])
        words = [word for word in phrase.split(config["split"]) if word]
    unknown = index.get(config["oov_token"])
    ids = [index.get(word, unknown) for word in words]
    if config["num_words"]:
        ids = [unknown if i is not None and i >= config["num_words"] else i for i in ids]
    return [i for i in ids if i is not None]


def main():
    model, gate = trained()
    word_of = {number: word for word, number in tokenizer()[1].items()}
    ids = ids_of(" ".join(sys.argv[1:]))
    if not ids:
        raise SystemExit("None of these words is one that the model knows.")
    row = padded(ids)
    probabilities = np.asarray(model.predict(row, verbose=0))[0]
    weights = np.asarray(gate.predict(row, verbose=0))[0]
    for number in np.argsort(-probabilities, kind="stable")[:5]:
        print("%-20s %.3f" % (word_of.get(int(number), "(padding)"), probabilities[number]))
    print("gate", "  ".join("%.3f" % weight for weight in weights))
)PY";

constexpr std::string_view with_ids = R"PY(

def main():
    model, gate = trained()
    if len(sys.argv) < 2:
        raise SystemExit("Which words? Their numbers, please: 3 1.")
    row = padded([int(number) for number in sys.argv[1:]])
    probabilities = np.asarray(model.predict(row, verbose=0))[0]
    weights = np.asarray(gate.predict(row, verbose=0))[0]
    for number in np.argsort(-probabilities, kind="stable")[:5]:
        print("word %-6d %.3f" % (number, probabilities[number]))
    print("gate", "  ".join("%.3f" % weight for weight in weights))
)PY";

std::string what_it_is(const SavedModel& model) {
    const ModelSpec& s = model.state.experiment.model;
    std::string text = "A mixture of " + with_commas(s.num_experts) + (s.num_experts == 1 ? " expert" : " experts");
    text += s.router == "top_k" ? ", of which the gate chooses " + with_commas(s.top_k) +
                                      (routes_tokens(s) ? " for each word" : " for each phrase")
                                : std::string(", all weighed by the gate") + (routes_tokens(s) ? ", word by word" : "");
    text += ", trained " + with_commas(model.state.step) + (model.state.step == 1 ? " step" : " steps");
    if (!model.corpus_name.empty()) text += " on " + plain(model.corpus_name);
    return text + ".\nBuilt from Keras's own layers.";
}

}  // namespace

std::string keras_code(const SavedModel& model, const std::string& name, const std::string& weights) {
    const ModelSpec& s = model.state.experiment.model;
    const bool words = model.tokenizer.has_value();
    std::string text =
        "\"\"\"" + what_it_is(model) + "\n\n    python " + plain(name) +
        (words ? " how are\n\nsays the next word of a phrase" : " 3 1\n\nsays the next word after the words 3 and 1") +
        ", and how much each expert's answer " + (routes_tokens(s) ? "to its last word " : "") +
        "counted.\nThe weights are in " + plain(weights) +
        " beside this file. To train on: trained()[0].fit(rows, next_words).\n" +
        (s.balance_loss > 0
             ? std::string("What fit() does not know is the loss that balances the experts: here its weight was ") +
                   to_text(s.balance_loss) + ".\n"
             : std::string()) +
        "The variable KERAS_BACKEND says what computes: jax, tensorflow or torch.\n\"\"\"\n";
    if (words) text += "import json\n";
    text += "import os\nimport sys\n";
    if (words) text += "import zipfile\n";
    text += "\nimport keras\nimport numpy as np\nfrom keras import layers";
    if (s.mask_zero || s.activation == "gelu_tanh" || routes_tokens(s)) text += ", ops";
    text += "\n\n" + sizes(model, weights);
    if (s.router == "top_k") text += "STEEP, FAR_BELOW = " + to_text(steep) + ", " + to_text(far_below) + "\n";
    if (s.router == "top_k") text += gate_function(routes_tokens(s));
    text += build_function(s);
    text += words ? with_words : with_ids;
    return text + "\n\nif __name__ == \"__main__\":\n    main()\n";
}

std::filesystem::path weights_beside(const std::filesystem::path& code) {
    return std::filesystem::path(code).replace_extension(".keras");
}

std::filesystem::path classes_beside(const std::filesystem::path& model) {
    return model.parent_path() / "moe_layers.py";
}

bool classes_are_foreign(const std::filesystem::path& classes) {
    std::error_code none;
    return std::filesystem::exists(classes, none) &&
           read_file_part(classes, 0, class_module().size() + 1) != class_module();
}

std::filesystem::path save_keras_code(const std::filesystem::path& file, const SavedModel& model) {
    const std::filesystem::path weights = weights_beside(file);
    const std::string code = keras_code(model, file.filename().string(), weights.filename().string());
    save_model_file(weights, model);
    write_file(file, code);
    return weights;
}

std::filesystem::path save_class_model(const std::filesystem::path& file, const SavedModel& model) {
    const std::filesystem::path module = classes_beside(file);
    save_model_file(file, model, KerasForm::classes);
    write_file(module, class_module());
    return module;
}

}  // namespace moe
