#include "engine/bench/seed_step.h"

#include "engine/core/rng.h"
#include "engine/core/settings.h"

#include <string>

namespace moe {

namespace {

constexpr std::size_t width = 64, experts = 4, phrase = 20;

Experiment sized(std::size_t V, std::size_t B) {
    Experiment e;
    e.model.vocabulary = V;
    e.model.max_seq_len = phrase;
    e.model.embedding_dim = e.model.hidden_dim = width;
    e.model.num_experts = experts;
    e.train.batch_size = B;
    return e;
}

std::string word(std::size_t i) {
    return "w" + std::to_string(i);
}

std::unique_ptr<Trainer> train(Backend<float>& backend, Experiment e, const std::shared_ptr<const Corpus>& corpus) {
    return std::make_unique<Trainer>(backend, resolve(std::move(e), *corpus, default_memory_limit()), corpus);
}

}  // namespace

double SeedStep::flop() const {
    const double head = double(width * V), bank = double(experts * 2 * width * width), gate = double(width * experts);
    return 3 * 2 * double(B) * (head + bank + gate);
}

Experiment SeedStep::experiment() const {
    Experiment e = sized(V, B);
    e.model.router = router;
    return e;
}

std::shared_ptr<const Corpus> SeedStep::corpus() const {
    Rng rng(99);
    const std::size_t words = V - 1, lines = 64 + words / phrase;
    std::string text;
    std::size_t next = 0;  // every word once, then by chance
    for (std::size_t line = 0; line < lines; ++line, text += '\n')
        for (std::size_t i = 0; i <= phrase; ++i, ++next)
            text += word(next < words ? next : std::size_t(rng.below(words))) + ' ';
    return Corpus::from_text("The bench's text", text);
}

std::unique_ptr<Trainer> SeedStep::trainer(Backend<float>& backend) const {
    return train(backend, experiment(), corpus());
}

std::unique_ptr<Trainer> memorising_trainer(Backend<float>& backend, std::size_t V, std::size_t B) {
    std::string text;
    for (std::size_t line = 0; line < 4; ++line, text += '\n')
        for (std::size_t i = 0; i <= phrase; ++i) text += word(line * 100 + i) + ' ';
    Experiment e = sized(V, B);
    e.model.router = "soft";
    e.train.learning_rate = 0.01;
    return train(backend, std::move(e), Corpus::from_text("The bench's text", text));
}

}  // namespace moe
