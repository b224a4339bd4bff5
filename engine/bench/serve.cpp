#include "engine/bench/serve.h"

#include "engine/bench/measure.h"
#include "engine/bench/mixture_step.h"
#include "engine/bench/seed_step.h"
#include "engine/core/error.h"
#include "engine/core/numbers.h"
#include "engine/formats/strangers_text.h"

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

class ServedMixture final : public ServedWork {
public:
    ServedMixture(const BackendOptions& options, std::size_t D, std::size_t E, std::size_t N)
        : ServedWork(options), layer_(*backend_, D, E, N) {
        steps(2);
    }
    void steps(std::size_t count) override { layer_.run(count); }
    double loss() override { return layer_.loss(); }

private:
    MixtureStep layer_;
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
    // Larger texts take longer to make than anybody waits for an answer.
    constexpr std::size_t largest_batch_served = 65536, most_words_served = 262'144;
    if (line.words[0] == "seed")
        return std::make_unique<ServedSeedStep>(options, line.number(1, "V", 2, most_words_served),
                                                line.number(2, "B", 1, largest_batch_served));
    const std::size_t D = line.number(1, "D", 1, largest_width / 4), E = line.number(2, "E", 2, max_experts);
    return std::make_unique<ServedMixture>(options, D, E, line.number(3, "N", 1, largest_batch_served));
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
