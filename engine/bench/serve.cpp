#include "engine/bench/serve.h"

#include "engine/bench/measure.h"
#include "engine/bench/seed_step.h"
#include "engine/core/error.h"
#include "engine/core/numbers.h"
#include "engine/core/rng.h"
#include "engine/core/settings.h"
#include "engine/formats/strangers_text.h"
#include "engine/layers/mixture.h"
#include "engine/model/pooled_model.h"

#include <istream>
#include <new>
#include <ostream>
#include <sstream>

namespace moe {

namespace {

constexpr const char* served_requests = "'seed V B dense STEPS' or 'moe D E N top2 REPEATS'";

/// What is timed, on a backend of its own: what that allocated goes with it.
class ServedWork {
public:
    explicit ServedWork(const BackendOptions& options) : backend_(make_backend(options)) {}
    virtual ~ServedWork() = default;
    virtual void steps(std::size_t count) = 0;  // returns when they are done
    virtual double loss() = 0;                  // of the last step

protected:
    std::unique_ptr<Backend<float>> backend_;
};

class ServedSeedStep final : public ServedWork {
public:
    ServedSeedStep(const BackendOptions& options, std::size_t V, std::size_t B)
        : ServedWork(options), trainer_(SeedStep{V, B}.trainer(*backend_)) {
        steps(10);
    }
    void steps(std::size_t count) override {
        for (std::size_t i = 0; i < count; ++i) loss_ = trainer_->step().loss;
    }
    double loss() override { return loss_; }

private:
    std::unique_ptr<Trainer> trainer_;
    double loss_ = 0;
};

/// The mixture's own parameters, the initial ones of a whole model.
void add_mixture_parameters(Backend<float>& backend, Parameters<float>& parameters, const Experiment& e) {
    const std::vector<NamedArray> initial = initial_parameters(e.model, e.train.seed);
    for (const NamedArray& p : initial)
        if (p.name.starts_with("gate/") || p.name.starts_with("experts/")) parameters.add(p.name, Shape{p.shape});
    upload_parameters(backend, parameters, initial);
}

class ServedMixture final : public ServedWork {
public:
    ServedMixture(const BackendOptions& options, const Experiment& e)
        : ServedWork(options),
          parameters_(*backend_),
          mixture_((add_mixture_parameters(*backend_, parameters_, e), *backend_), parameters_, e.model,
                   e.train.batch_size, ModelUse::train),
          host_gradient_(e.train.batch_size * e.model.embedding_dim) {
        Rng rng(7);
        std::vector<float> host_input(host_gradient_.size());
        for (float& x : host_input) x = float(2 * rng.uniform() - 1) * 1.7f;  // of variance 1
        for (float& x : host_gradient_) x = float(2 * rng.uniform() - 1);
        const Shape shape{{e.train.batch_size, e.model.embedding_dim, 1}};
        input_ = backend_->allocate(shape), gradient_ = backend_->allocate(shape);
        backend_->upload(input_, host_input.data());
        backend_->upload(gradient_, host_gradient_.data());
        steps(2);
    }
    void steps(std::size_t count) override {
        for (std::size_t i = 0; i < count; ++i) {
            // The layer adds to its gradients, and no Adam empties them here: that is part of an honest step.
            for (const auto& p : parameters_.entries()) backend_->fill(p.gradient, 0.0f);
            last_ = mixture_.forward(input_);
            mixture_.backward(gradient_, last_);
        }
        float balance = 0;
        backend_->download(last_.balance_loss, &balance);  // waits for all that was asked before
    }
    double loss() override {
        std::vector<float> output(host_gradient_.size());
        backend_->download(last_.output, output.data());
        double sum = 0;
        for (std::size_t i = 0; i < output.size(); ++i) sum += double(output[i]) * double(host_gradient_[i]);
        return sum / double(last_.output.dim(0));
    }

private:
    Parameters<float> parameters_;
    Mixture<float> mixture_;
    std::vector<float> host_gradient_;
    Tensor<float> input_, gradient_;
    Mixture<float>::Context last_;
};

struct ServedLine {
    std::vector<std::string> words;

    explicit ServedLine(const std::string& line) {
        std::istringstream stream(line);
        for (std::string word; stream >> word;) words.push_back(word);
    }
    bool is(std::string_view kind, std::size_t count, std::string_view variant) const {
        return words.size() == count && words[0] == kind && words[count - 2] == variant;
    }
    std::string key() const {
        std::string all;
        for (std::size_t i = 0; i + 1 < words.size(); ++i) all += words[i] + ' ';
        return all;
    }
    std::size_t number(std::size_t at, const char* name, std::size_t low, std::size_t high) const {
        unsigned long long value = 0;
        if (!parse_number(words[at], value) || value < low || value > high)
            throw UsageError(std::string(name) + " cannot be '" + strangers_text(words[at]) +
                             "': it takes a whole number from " + std::to_string(low) + " to " + std::to_string(high) +
                             ".");
        return std::size_t(value);
    }
};

std::unique_ptr<ServedWork> make_served(const ServedLine& line, const BackendOptions& options) {
    constexpr std::size_t largest_batch_served = 65536;
    if (line.words[0] == "seed")
        return std::make_unique<ServedSeedStep>(options, line.number(1, "V", 2, largest_vocabulary),
                                                line.number(2, "B", 1, largest_batch_served));
    Experiment e;
    e.model.vocabulary = 2, e.model.max_seq_len = 1;  // the mixture knows neither
    e.model.embedding_dim = line.number(1, "D", 1, largest_width / 4);
    e.model.hidden_dim = 4 * e.model.embedding_dim;
    e.model.num_experts = line.number(2, "E", 2, max_experts);
    e.model.router = "top_k";
    e.train.batch_size = line.number(3, "N", 1, largest_batch_served);
    validate(e, default_memory_limit());
    return std::make_unique<ServedMixture>(options, e);
}

/// The work of the last request.
struct Served {
    const BackendOptions& options;
    std::string key;
    std::unique_ptr<ServedWork> work;

    std::string answer(const std::string& text) {
        const ServedLine line(text);
        if (!line.is("seed", 5, "dense") && !line.is("moe", 6, "top2"))
            throw UsageError("'" + strangers_text(text) + "' is no request; expected is " + served_requests + ".");
        constexpr std::size_t most_steps = 1'000'000'000;
        const std::size_t count =
            line.number(line.words.size() - 1, line.words[0] == "seed" ? "STEPS" : "REPEATS", 1, most_steps);
        if (!work || key != line.key()) {
            key.clear();
            work.reset();  // before the next one takes its memory
            work = make_served(line, options);
            key = line.key();
        }
        const double wall = wall_seconds(), processor = process_seconds();
        work->steps(count);
        const double wall_took = wall_seconds() - wall, processor_took = process_seconds() - processor;
        return to_text(wall_took / double(count)) + ' ' + to_text(processor_took / double(count)) + ' ' +
               to_text(work->loss());
    }
};

}  // namespace

void serve_bench(std::istream& in, std::ostream& out, const BackendOptions& options) {
    make_backend(options);  // a missing device is said before anybody waits for an answer
    out << "ready" << std::endl;
    Served served{options, {}, {}};
    for (std::string line; std::getline(in, line) && line.find_first_not_of(" \t\r") != std::string::npos;) {
        try {
            out << served.answer(line) << std::endl;
        } catch (const Error& e) {
            out << "error: " << e.what() << std::endl;
        } catch (const std::bad_alloc&) {
            out << "error: The memory is used up; choose smaller sizes." << std::endl;
        }
    }
}

}  // namespace moe
