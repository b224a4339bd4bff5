#include "engine/train/trainer.h"

#include "engine/core/checked.h"
#include "engine/core/numbers.h"
#include "engine/core/settings.h"

#include <algorithm>
#include <cmath>
#include <string_view>

namespace moe {

namespace {

constexpr std::uint64_t good_interval = 64;  // steps between copies of a good state: at most 2 % of a step's traffic
constexpr double largest_loss = 1e6;         // guessing costs ln V, at most 17

}  // namespace

Experiment resolve(Experiment experiment, const Corpus& corpus, std::size_t memory_limit) {
    ModelSpec& model = experiment.model;
    if (model.vocabulary == 0) model.vocabulary = corpus.tokenizer().vocabulary();
    if (model.vocabulary < corpus.tokenizer().vocabulary())
        throw Error("The model knows " + with_commas(model.vocabulary - 1) + " words but " + corpus.name() + " has " +
                    with_commas(corpus.tokenizer().vocabulary() - 1) +
                    "; train on the model's own text, or start a new model.");
    if (model.max_seq_len == 0) model.max_seq_len = std::min(corpus.longest_prefix(), max_sequence_length);
    validate(experiment, memory_limit);
    if (corpus.examples() == 0)
        throw Error(corpus.name() +
                    " holds no two neighbouring words that the model knows, so there is nothing to learn.");
    return experiment;
}

Trainer::Trainer(Backend<float>& backend, Experiment experiment, std::shared_ptr<const Corpus> corpus)
    : backend_(backend),
      experiment_(std::move(experiment)),
      corpus_(std::move(corpus)),
      parameters_(backend),
      model_((add_parameters(parameters_, experiment_), backend), parameters_, experiment_.model,
             experiment_.train.batch_size, ModelUse::train) {
    const std::size_t B = experiment_.train.batch_size, T = experiment_.model.max_seq_len;
    ids_ = backend.allocate_ids({{B, T, 1}});
    targets_ = backend.allocate_ids({{B, 1, 1}});
    rate_ = backend.allocate({});
    load_sum_ = backend.allocate({{experiment_.model.num_experts, 1, 1}});
    load_.assign(experiment_.model.num_experts, 0.0f);
    load_sums_.assign(experiment_.model.num_experts, 0.0);
    host_ids_.resize(B * T);
    host_targets_.resize(B);
    good_ = std::make_shared<Checkpoint>();
    good_->load_sums = load_sums_;
    epochs_.reserve();
    for (auto* shares : {&epoch_load_, &good_->load}) shares->reserve(experiment_.model.num_experts);
    good_->values.resize(3 * parameter_count(experiment_.model));
    upload_parameters(backend_, parameters_, initial_parameters(experiment_.model, experiment_.train.seed));
    start_epoch();
    keep_start();
}

Trainer::Trainer(Backend<float>& backend, const RunState& state, std::shared_ptr<const Corpus> corpus)
    : Trainer(backend, state.experiment, std::move(corpus)) {
    upload_state(backend_, parameters_, state);
    step_ = state.step, epoch_ = state.epoch, next_example_ = state.next_example;
    initial_ = state.initial;
    sums_ = state.sums;
    if (state.load_sums.size() == load_sums_.size()) load_sums_ = state.load_sums;
    if (state.load.size() == load_.size()) epoch_load_ = state.load;
    epochs_ = state.epochs;
    if (!epochs_.empty()) last_epoch_ = epochs_.back();
    if (next_example_ >= corpus_->examples()) {  // another corpus than the state's own
        next_example_ = 0;
        sums_ = {};
        std::ranges::fill(load_sums_, 0.0);
    }
    start_epoch();
    keep_start();
}

std::uint64_t Trainer::steps_per_epoch() const {
    const std::size_t B = experiment_.train.batch_size;
    return (corpus_->examples() + B - 1) / B;
}

void Trainer::start_epoch() {
    epoch_order(order_, experiment_.train, epoch_, corpus_->examples());
}

LanguageModel<float>::Context Trainer::forward(std::size_t n) {
    backend_.upload(ids_.first(n), host_ids_.data());
    backend_.upload(targets_.first(n), host_targets_.data());
    const auto context = model_.forward(ids_.first(n));
    model_.loss(context, targets_.first(n));
    backend_.download(model_.cross_entropy(), &exchange_.loss);
    backend_.download(context.mixture.balance_loss, &exchange_.balance);
    backend_.download(model_.correct(), &exchange_.correct);
    return context;
}

void Trainer::sum_load(const LanguageModel<float>::Context& context) {
    const Routing<float>& routing = context.mixture.routing;
    backend_.expert_load(load_sum_, routing.expert_weights, routing.expert_indices, context.words);
    backend_.download(load_sum_, load_.data());
}

void Trainer::backward(const LanguageModel<float>::Context& context) {
    backend_.upload(rate_, &exchange_.rate);
    model_.backward(context, rate_);
}

StepPlan* Trainer::plan_for(std::size_t n) {
    if (!records_steps_) return nullptr;
    for (const auto& [examples, plan] : plans_)
        if (examples == n) return plan.get();
    std::unique_ptr<StepPlan> made = backend_.plan_step([&] {
        const auto context = forward(n);
        sum_load(context);
        backward(context);
    });
    records_steps_ = made != nullptr;
    return made == nullptr ? nullptr : plans_.emplace_back(n, std::move(made)).second.get();
}

StepResult Trainer::step() {
    const std::size_t n = fill_batch(*corpus_, order_, next_example_, experiment_.train.batch_size,
                                     experiment_.model.max_seq_len, host_ids_, host_targets_);
    exchange_.rate = adam_rate(experiment_.train.learning_rate, step_ + 1);
    LanguageModel<float>::Context context;
    StepPlan* const plan = plan_for(n);
    const bool keeps = good_is_due(plan != nullptr);
    if (plan == nullptr) {
        context = forward(n);
    } else {  // the weights are updated before anybody sees the loss: what was before is kept aside
        if (keeps) keep_good_later();
        plan->run();
        if (keeps) backend_.finish_downloads();
    }

    StepResult result;
    result.examples = n;
    result.loss = exchange_.loss, result.balance = exchange_.balance, result.correct = std::size_t(exchange_.correct);
    if (!(std::abs(result.loss) <= largest_loss) || !(std::abs(result.balance) <= largest_loss)) {
        const std::uint64_t failed = step_ + 1;
        restore_good();
        throw Divergence("Training stopped at step " + with_commas(failed) + ": the loss " +
                         (std::isfinite(result.loss) ? "grew to " + to_text(exchange_.loss) : "is no longer a number") +
                         " (learning rate " + to_text(experiment_.train.learning_rate) + "); the state of step " +
                         with_commas(step_) + " is kept, a smaller learning rate helps.");
    }
    if (keeps) plan == nullptr ? keep_good() : take_good();
    settings_changed_ = wanted_ = false;

    if (plan == nullptr) {
        sum_load(context);
        backward(context);
    }
    count_in_examples(n);
    ++step_;

    sums_.loss += result.loss * double(n);
    sums_.balance += result.balance * double(n);
    sums_.correct += result.correct;
    sums_.examples += n;
    for (std::size_t e = 0; e < load_.size(); ++e) load_sums_[e] += double(load_[e]);
    next_example_ += n;
    if (next_example_ >= corpus_->examples()) {
        const double seen = double(sums_.examples);
        last_epoch_ = EpochRecord{sums_.loss / seen, double(sums_.correct) / seen, sums_.balance / seen};
        epochs_.push_back(*last_epoch_);
        epoch_load_.resize(load_.size());
        for (std::size_t e = 0; e < load_.size(); ++e) epoch_load_[e] = float(load_sums_[e] / seen);
        std::ranges::fill(load_sums_, 0.0);
        sums_ = {};
        next_example_ = 0;
        ++epoch_;
        start_epoch();
        result.epoch_ended = true;
    }
    return result;
}

// A step's load adds up to its examples, however many tokens of them were routed.
void Trainer::count_in_examples(std::size_t examples) {
    const ModelSpec& model = experiment_.model;
    if (!routes_tokens(model)) return;
    const auto end = host_ids_.begin() + std::ptrdiff_t(examples * model.max_seq_len);
    const auto padding = model.mask_zero ? std::count(host_ids_.begin(), end, 0) : 0;
    const auto routed = double(end - host_ids_.begin() - padding);
    for (float& weight : load_)
        if (routed > 0) weight = float(double(weight) * double(examples) / routed);
}

void Trainer::begin_keep(Checkpoint& to) const {
    to.step = step_, to.epoch = epoch_, to.next_example = next_example_;
    to.sums = sums_;
    to.last = last_epoch_;
    to.load_sums = load_sums_, to.load = epoch_load_;
    std::size_t count = 0;
    for (const auto& p : parameters_.entries()) count += p.value.count();
    to.values.resize(3 * count);
    float* at = to.values.data();
    for (const auto& p : parameters_.entries()) {
        backend_.download_later(p.value, at);
        backend_.download_later(p.m, at + count);
        backend_.download_later(p.v, at + 2 * count);
        at += p.value.count();
    }
}

void Trainer::keep(Checkpoint& to) const {
    begin_keep(to);
    backend_.finish_downloads();
}

std::size_t Trainer::checkpoint_size() const {
    return sizeof(Checkpoint) + 3 * parameter_count(experiment_.model) * sizeof(float) +
           experiment_.model.num_experts * (sizeof(double) + sizeof(float));
}

void Trainer::take(const Checkpoint& moment) {
    const std::size_t count = parameter_count(experiment_.model), E = experiment_.model.num_experts;
    if (!moment.values.empty() && moment.values.size() != 3 * count)
        throw Error("The checkpoint of step " + with_commas(moment.step) + " is another model's.");
    if (moment.next_example >= corpus_->examples())
        throw Error("The checkpoint of step " + with_commas(moment.step) + " is another text's: " + corpus_->name() +
                    " has only " + with_commas(corpus_->examples()) + " examples.");
    if (moment.values.empty()) {
        upload_parameters(backend_, parameters_, initial_parameters(experiment_.model, experiment_.train.seed));
        for (const auto& p : parameters_.entries()) backend_.fill(p.m, 0.0f), backend_.fill(p.v, 0.0f);
    }
    const float* at = moment.values.data();
    for (const auto& p : parameters_.entries()) {
        if (moment.values.empty()) break;
        backend_.upload(p.value, at);
        backend_.upload(p.m, at + count);
        backend_.upload(p.v, at + 2 * count);
        at += p.value.count();
    }
    step_ = moment.step, epoch_ = moment.epoch, next_example_ = moment.next_example;
    sums_ = moment.sums;
    last_epoch_ = moment.last;
    load_sums_ = moment.load_sums, epoch_load_ = moment.load;
    load_sums_.resize(E);
    if (epoch_load_.size() != E) epoch_load_.clear();
    start_epoch();
}

void Trainer::restore(const Checkpoint& moment, EpochCurve epochs) {
    take(moment);
    epochs_ = std::move(epochs);
    has_good_ = false;
    if (may_fail()) start_ = std::make_shared<const Checkpoint>(moment);
}

bool Trainer::may_fail() const {
    return std::string_view(backend_.device()) != "cpu";
}

void Trainer::keep_start() {
    if (!may_fail()) return;
    auto start = std::make_shared<Checkpoint>();
    keep(*start);
    start_ = std::move(start);
}

bool Trainer::good_is_due(bool recorded) const {
    if (!has_good_ || settings_changed_) return true;
    if (!recorded) return step_ % good_interval == 0;
    // Copies from a device take longer than many steps; a loss of the device may cost a second, and not more.
    const double age = std::chrono::duration<double>(std::chrono::steady_clock::now() - good_since_).count();
    return age > 0.5 || (age > 0.25 && step_ % good_interval == 0) || (age > 0.05 && wanted_);
}

void Trainer::keep_good() {
    if (good_.use_count() > 1) {  // somebody holds it
        auto fresh = std::make_shared<Checkpoint>();
        keep(*fresh);
        good_ = std::move(fresh);
    } else {
        has_good_ = false;  // until it is whole
        keep(*good_);
    }
    has_good_ = true;
}

void Trainer::keep_good_later() {
    if (!next_good_ || next_good_.use_count() > 1) next_good_ = std::make_shared<Checkpoint>();
    begin_keep(*next_good_);
    good_since_ = std::chrono::steady_clock::now();
}

void Trainer::take_good() {
    std::swap(good_, next_good_);
    has_good_ = true;
    start_.reset();
}

void Trainer::restore_good() {
    const std::shared_ptr<const Checkpoint> back = fallback();
    if (!back) return;
    epochs_.truncate(epochs_.finished() - (epoch_ - back->epoch), back->last);
    take(*back);
}

std::vector<float> Trainer::load() const {
    if (!epoch_load_.empty() || sums_.examples == 0) return epoch_load_;
    std::vector<float> shares;
    for (const double sum : load_sums_) shares.push_back(float(sum / double(sums_.examples)));
    return shares;
}

RunState Trainer::state() const {
    RunState s;
    s.experiment = experiment_;
    s.initial = initial_;
    s.step = step_, s.epoch = epoch_, s.next_example = next_example_;
    s.sums = sums_;
    s.load_sums = load_sums_, s.load = epoch_load_;
    s.epochs = epochs_;
    s.parameters = download_all(backend_, parameters_, experiment_.model, &Parameters<float>::Entry::value);
    s.momentum = download_all(backend_, parameters_, experiment_.model, &Parameters<float>::Entry::m);
    s.velocity = download_all(backend_, parameters_, experiment_.model, &Parameters<float>::Entry::v);
    return s;
}

void Trainer::set_learning_rate(double rate) {
    experiment_.train.learning_rate = rate;
    settings_changed_ = true;
}

void Trainer::set_balance_loss(double weight) {
    experiment_.model.balance_loss = weight;
    settings_changed_ = true;
    model_.set_balance_weight(weight);
    plans_.clear();  // the weight is recorded in them
}

}  // namespace moe
