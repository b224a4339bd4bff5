#include "engine/backend/backend.h"
#include "engine/core/atomic_file.h"
#include "engine/core/settings.h"
#include "engine/formats/model_files.h"
#include "engine/session/inference.h"
#include "engine/train/trainer.h"
#include "tests/support/read_models.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

using namespace moe;
using nlohmann::json;

namespace {

const std::string data = MOE_TEST_DATA "/data/keras/";

struct Case {
    std::string folder;
    SavedModel start;
    std::shared_ptr<const Corpus> corpus;
    json curve;

    explicit Case(std::string name)
        : folder(data + name + "/"),
          start(load_model(folder + "init.keras")),
          corpus(Corpus::from_text("corpus.txt", read_file(folder + "corpus.txt"), *start.tokenizer)),
          curve(json::parse(read_file(folder + "curve.json"))) {
        TrainSpec& train = start.state.experiment.train;
        train.batch_size = curve["batch"];
        train.learning_rate = curve["lr"];
        train.epochs = curve["epochs"];
        train.shuffle = false;
    }
};

std::string phrase(const json& row, const Tokenizer& tokenizer) {
    std::string text;
    for (const json& id : row)
        if (id != 0) text += tokenizer.word(id) + " ";
    return text;
}

// How far a run is from one of Keras's, in parts of what is allowed: in every epoch max(1e-5, 10 times the largest
// drift so far). `drift` is how far Keras on JAX and Keras on torch part from each other on the same file, because
// rounding grows along the way.
struct Distance {
    double loss = 0, of_allowed = 0, accuracy = 0, probability = 0, allowed_probability = 1e-4;
    std::size_t same_word = 0;

    bool agrees(std::size_t probes) const {
        return of_allowed <= 1 && accuracy < 1e-6 && probability <= allowed_probability && same_word == probes;
    }
};

Distance distance(const Trainer& trainer, const Case& given, const json& keras) {
    Distance d;
    double drift = 0;
    for (std::size_t e = 0; e < trainer.epochs().size(); ++e) {
        drift = std::max(drift, given.curve["drift"][e].get<double>());
        const double off = std::fabs(trainer.epochs()[e].loss / keras["loss"][e].get<double>() - 1);
        d.loss = std::max(d.loss, off);
        d.of_allowed = std::max(d.of_allowed, off / std::max(1e-5, 10 * drift));
        d.accuracy = std::max(d.accuracy, std::fabs(trainer.epochs()[e].accuracy - keras["accuracy"][e].get<double>()));
    }
    d.allowed_probability = std::max(1e-4, 10 * drift);
    Predictor predictor(trainer.state(), *given.start.tokenizer);
    for (std::size_t i = 0; i < given.curve["probe"].size(); ++i) {
        predictor.run(phrase(given.curve["probe"][i], *given.start.tokenizer));
        const std::vector<float>& p = predictor.probabilities();
        // Two words may be as probable as each other to within what is allowed.
        const float best = *std::max_element(p.begin(), p.end()),
                    theirs = p[keras["final_argmax"][i].get<std::size_t>()];
        d.same_word += double(best - theirs) <= d.allowed_probability;
        for (std::size_t w = 0; i < keras["final_prediction"].size() && w < p.size(); ++w)
            d.probability =
                std::max(d.probability, std::fabs(double(p[w]) - keras["final_prediction"][i][w].get<double>()));
    }
    return d;
}

}  // namespace

TEST_CASE("training from Keras's initial weights follows Keras's curve, epoch by epoch") {
    // The odd ones: no size a multiple of 8, a short last batch, and GELU, tanh and ReLU.
    for (const std::string name : {"tutorial", "tutorial-builtin", "masked", "top2", "words2000", "odd-relu",
                                   "odd-gelu", "odd-gelu-tanh", "odd-tanh"}) {
        CAPTURE(name);
        const Case given(name);
        if (name.starts_with("odd")) {
            CHECK(given.start.state.experiment.model.activation == given.curve["activation"].get<std::string>());
            CHECK(given.corpus->examples() % given.curve["batch"].get<std::size_t>() != 0);
        }
        const auto backend = make_backend({"cpu", 1});
        Trainer trainer(*backend, given.start.state, given.corpus);
        const std::size_t epochs = given.curve["epochs"], probes = given.curve["probe"].size();
        while (trainer.epoch() < epochs) trainer.step();
        REQUIRE(trainer.epochs().size() == epochs);

        std::vector<json> runs{given.curve};
        // In epoch 43 a pre-activation of 1e-7 falls on either side of the ReLU's kink, by rounding alone. Keras itself
        // takes one side or the other as the instruction set has it; this is its run on the other one, which is
        // float64's too. A right program follows one of the two to the end.
        if (name == "tutorial-builtin") runs.push_back(json::parse(read_file(given.folder + "curve_other.json")));
        bool agrees = false;
        for (const json& run : runs) {
            const Distance d = distance(trainer, given, run);
            agrees = agrees || d.agrees(probes);
            MESSAGE(name << " against Keras on " << run["backend"].get<std::string>()
                         << ": largest deviation of the loss " << d.loss << " (" << d.of_allowed
                         << " of what is allowed), of the accuracy " << d.accuracy << ", of a final probability "
                         << d.probability << ", same word " << d.same_word << " of " << probes);
        }
        CHECK(agrees);
    }
}

TEST_CASE("with embedding_squares=per_occurrence training follows Keras on TensorFlow, and without it does not") {
    for (const std::string name : {"tutorial", "tutorial-builtin"}) {
        CAPTURE(name);
        const json theirs = json::parse(read_file(data + name + "/curve_tensorflow.json"));
        for (const bool per_occurrence : {true, false}) {
            Case given(name);
            if (per_occurrence) apply_setting(given.start.state.experiment, "embedding_squares", "per_occurrence");
            const auto backend = make_backend({"cpu", 1});
            Trainer trainer(*backend, given.start.state, given.corpus);
            while (trainer.epoch() < theirs["loss"].size()) trainer.step();
            double worst = 0;
            for (std::size_t e = 0; e < theirs["loss"].size(); ++e)
                worst = std::max(worst, std::fabs(trainer.epochs()[e].loss / theirs["loss"][e].get<double>() - 1));
            MESSAGE(name << std::string(per_occurrence ? ", each place squared" : ", the whole squared")
                         << ": largest deviation of the loss " << worst);
            if (per_occurrence)
                CHECK(worst <= 1e-3);
            else
                CHECK(worst > 0.02);
        }
    }
}

TEST_CASE("predictions of Keras's trained weights are Keras's") {
    for (const std::string name : {"tutorial", "tutorial-builtin", "masked", "top2"}) {
        CAPTURE(name);
        const Case given(name);
        const SavedModel trained = load_model(given.folder + "final.keras");
        Predictor predictor(trained.state, *trained.tokenizer);
        double worst = 0;
        for (std::size_t i = 0; i < given.curve["final_prediction"].size(); ++i) {
            predictor.run(phrase(given.curve["probe"][i], *trained.tokenizer));
            for (std::size_t w = 0; w < predictor.probabilities().size(); ++w)
                worst = std::max(worst, std::fabs(double(predictor.probabilities()[w]) -
                                                  given.curve["final_prediction"][i][w].get<double>()));
        }
        CHECK(worst <= 1e-6);
        MESSAGE(name << ": largest deviation of a probability " << worst);
    }
}

TEST_CASE("models that several versions of Keras saved, in other words of the same form, predict the same") {
    std::string text;
    for (int i = 1; i < 20; ++i) text += "w" + std::to_string(i) + " ";
    const Tokenizer tokenizer = Tokenizer::fit(std::vector<std::string>{text});
    for (const std::string name :
         {"implicit_mask-3.3.3", "implicit_mask-3.15.1", "sparse_masked-3.3.3", "sparse_masked-3.15.1"}) {
        CAPTURE(name);
        const SavedModel model = load_model(data + "forms/" + name + ".keras");
        CHECK(model.state.experiment.model.mask_zero);
        CHECK(model.state.experiment.model.router == (name[0] == 'i' ? "soft" : "top_k"));
        CHECK(model.state.step == 15);
        CHECK(model.state.momentum.size() == 9);
        const json expected = json::parse(read_file(data + "forms/" + name + ".json"));
        Predictor predictor(model.state, tokenizer);
        for (std::size_t i = 0; i < expected["rows"].size(); ++i) {
            predictor.run(phrase(expected["rows"][i], tokenizer));
            for (std::size_t w = 0; w < 20; ++w)
                CHECK(std::fabs(double(predictor.probabilities()[w]) - expected["predictions"][i][w].get<double>()) <
                      1e-6);
        }
    }
}

TEST_CASE("a saved run trains on to the bits of one that was never interrupted") {
    for (const std::string name : {"masked", "top2"}) {
        Case given(name);
        given.start.state.experiment.train.shuffle = true;
        const auto backend = make_backend({"cpu", 1});
        Trainer whole(*backend, given.start.state, given.corpus);
        for (int i = 0; i < 40; ++i) whole.step();
        SavedModel model{whole.state(), given.corpus->tokenizer(), "corpus.txt", given.corpus->text(), true};
        const SavedModel back = read_keras(write_keras(model), name);
        CHECK(back == model);
        Trainer resumed(*backend, back.state, Corpus::from_text(back.corpus_name, back.corpus_text, *back.tokenizer));
        for (int i = 0; i < 40; ++i) {
            whole.step();
            resumed.step();
        }
        CHECK(resumed.state() == whole.state());
    }
}
