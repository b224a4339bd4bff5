#include "engine/train/tracer.h"

#include "engine/core/checked.h"
#include "engine/core/settings.h"
#include "engine/model/language_model.h"
#include "engine/train/model_trace.h"
#include "engine/train/step_parts.h"

#include <algorithm>

namespace moe {

namespace {

void check_size(const ModelSpec& spec, std::size_t examples, bool backward) {
    const std::size_t bytes = trace_bytes(spec, examples, backward);
    if (bytes > trace_memory_limit)
        throw Error(
            "A trace of this " + std::string(backward ? "batch" : "phrase") + " would take " + format_bytes(bytes) +
            ", and " + format_bytes(trace_memory_limit) + " is the limit; choose " +
            (backward ? "a smaller batch, fewer experts or smaller widths." : "smaller widths or fewer words."));
}

/// Two experiments that differ in nothing else share a workspace: sizes, and what is kept beside the gradients.
Experiment shape_of(const Experiment& given) {
    Experiment shape;
    shape.model = given.model;
    shape.model.balance_loss = 0;
    shape.train.embedding_squares = given.train.embedding_squares;
    return shape;
}

/// The state with moments where it left them empty, so that the update's inputs are all there.
std::shared_ptr<const RunState> with_moments(std::shared_ptr<const RunState> state) {
    if (!state->momentum.empty() && !state->velocity.empty()) return state;
    auto copy = std::make_shared<RunState>(*state);
    for (std::vector<NamedArray>* moments : {&copy->momentum, &copy->velocity}) {
        if (!moments->empty()) continue;
        *moments = canonical_parameters(state->experiment.model);
        for (NamedArray& a : *moments) a.values.resize(a.shape[0] * a.shape[1] * a.shape[2]);
    }
    return copy;
}

std::size_t first_example(const RunState& state, const Corpus& corpus) {
    return state.next_example < corpus.examples() ? std::size_t(state.next_example) : 0;  // another corpus's state
}

std::size_t batch_examples(const RunState& state, const Corpus& corpus) {
    return std::min(state.experiment.train.batch_size, corpus.examples() - first_example(state, corpus));
}

/// Parameters and activations of one model, for up to max_examples.
struct TraceWorkspace {
    TraceWorkspace(Backend<float>& b, const Experiment& given, std::size_t examples, bool trains)
        : backend(b),
          shape(shape_of(given)),
          max_examples(examples),
          backward(trains),
          parameters(b, trains),
          model((add(given), b), parameters, given.model, examples, trains) {
        if (trains) rate = b.allocate({});
    }

    bool serves(const Experiment& other, std::size_t examples, bool trains) const {
        return shape == shape_of(other) && examples <= max_examples && (backward || !trains);
    }

    void add(const Experiment& given) {
        if (backward)
            add_parameters(parameters, given);
        else
            add_parameters(parameters, given.model);
    }

    Backend<float>& backend;
    Experiment shape;
    std::size_t max_examples;
    bool backward;
    Parameters<float> parameters;
    ModelTrace model;
    Tensor<float> rate;  // (1)
};

/// What the update will do, by the op that training uses.
void trace_update(TraceWorkspace& w, TraceRecorder& record, Trace& trace) {
    using Entry = Parameters<float>::Entry;
    const ModelSpec& spec = trace.experiment.model;
    const auto all = [&](Tensor<float> Entry::*which) { return download_all(w.backend, w.parameters, spec, which); };
    trace.gradients = all(&Entry::gradient);  // the op sets them to zero on its way out
    trace.rate = adam_rate(trace.experiment.train.learning_rate, trace.step + 1);
    w.backend.upload(w.rate, &trace.rate);
    record.op(TracePhase::update, "adam", {}, {});
    for (const Entry& p : w.parameters.entries()) {
        w.parameters.update(p, w.rate);
        record.with({p.name, "d:" + p.name, "m:" + p.name, "v:" + p.name},
                    {"new:" + p.name, "new_m:" + p.name, "new_v:" + p.name});
    }
    trace.new_parameters = all(&Entry::value);
    trace.new_momentum = all(&Entry::m);
    trace.new_velocity = all(&Entry::v);
}

Trace start(const RunState& state) {
    Trace trace;
    trace.experiment = state.experiment;
    trace.step = state.step;
    trace.epoch = state.epoch;
    return trace;
}

Trace traced_batch(TraceWorkspace& w, std::shared_ptr<const RunState> given, const Corpus& corpus,
                   std::span<const std::uint32_t> order) {
    const std::shared_ptr<const RunState> state = with_moments(std::move(given));
    Trace trace = start(*state);
    const ModelSpec& spec = trace.experiment.model;
    trace.state = state;
    trace.first_example = first_example(*state, corpus);
    trace.examples = batch_examples(*state, corpus);
    trace.ids.resize(trace.examples * spec.max_seq_len);
    trace.targets.resize(trace.examples);
    fill_batch(corpus, order, trace.first_example, trace.examples, spec.max_seq_len, trace.ids, trace.targets);

    upload_state(w.backend, w.parameters, *state);
    TraceRecorder record(w.backend, trace, ModelTrace::plan(spec, trace.examples, true));
    w.model.forward(record, trace, spec);
    w.model.backward(record, trace, spec);
    trace_update(w, record, trace);
    return trace;
}

Trace traced_row(TraceWorkspace& w, std::shared_ptr<const RunState> state, std::span<const std::int32_t> row) {
    Trace trace = start(*state);
    const ModelSpec& spec = trace.experiment.model;
    trace.first_example = state->next_example;
    trace.examples = 1;
    trace.ids.assign(row.begin(), row.end());
    upload_parameters(w.backend, w.parameters, state->parameters);
    trace.state = std::move(state);
    TraceRecorder record(w.backend, trace, ModelTrace::plan(spec, 1, false));
    w.model.forward(record, trace, spec);
    return trace;
}

void check_row(const ModelSpec& spec, std::span<const std::int32_t> row) {
    if (row.size() != spec.max_seq_len)
        throw Error("The row has " + std::to_string(row.size()) + " ids, but the model reads " +
                    std::to_string(spec.max_seq_len) + "; pad it to that length.");
}

}  // namespace

std::size_t trace_bytes(const ModelSpec& spec, std::size_t examples, bool backward) {
    // Each value once in the workspace and once in the trace. Of each parameter: value, gradient and moments on the
    // device, the gradient and what the update makes of the three in the trace, a copy on its way.
    const std::size_t values = planned_count(ModelTrace::plan(spec, examples, backward));
    const std::size_t parameters = checked_product(trace_name, {parameter_count(spec), backward ? 9u : 2u});
    return checked_product(trace_name, {sizeof(float), checked_sum(trace_name, {values, values, parameters})});
}

struct Tracer::Workspace : TraceWorkspace {
    using TraceWorkspace::TraceWorkspace;
};

Tracer::Tracer(BackendOptions options) : options_(std::move(options)) {}
Tracer::~Tracer() = default;

Tracer::Workspace& Tracer::workspace(const Experiment& experiment, std::size_t examples, bool backward) {
    if (workspace_ && workspace_->serves(experiment, examples, backward)) return *workspace_;
    check_size(experiment.model, examples, backward);
    workspace_.reset();
    backend_ = make_backend(options_);  // a backend keeps what was allocated on it
    workspace_ = std::make_unique<Workspace>(*backend_, experiment, examples, backward);
    return *workspace_;
}

std::span<const std::uint32_t> Tracer::order(const TrainSpec& spec, std::uint64_t epoch, std::size_t examples) {
    const bool known = order_spec_.seed == spec.seed && order_spec_.shuffle == spec.shuffle && order_epoch_ == epoch &&
                       order_examples_ == examples;
    if (!known) epoch_order(order_, spec, epoch, examples);
    order_spec_ = spec, order_epoch_ = epoch, order_examples_ = examples;
    return order_;
}

Trace Tracer::batch(std::shared_ptr<const RunState> state, const Corpus& corpus) {
    const RunState& s = *state;
    // For a whole batch, so that a short one at an epoch's end is no reason for a new workspace.
    const std::size_t most = std::min(s.experiment.train.batch_size, corpus.examples());
    Workspace& w = workspace(s.experiment, most, true);
    const std::span<const std::uint32_t> examples = order(s.experiment.train, s.epoch, corpus.examples());
    return traced_batch(w, std::move(state), corpus, examples);
}

Trace Tracer::row(std::shared_ptr<const RunState> state, std::span<const std::int32_t> row) {
    check_row(state->experiment.model, row);
    Workspace& w = workspace(state->experiment, 1, false);
    return traced_row(w, std::move(state), row);
}

Trace trace_batch(Backend<float>& backend, std::shared_ptr<const RunState> state, const Corpus& corpus) {
    const RunState& s = *state;
    const std::size_t examples = batch_examples(s, corpus);
    check_size(s.experiment.model, examples, true);
    TraceWorkspace w(backend, s.experiment, examples, true);
    std::vector<std::uint32_t> order;
    epoch_order(order, s.experiment.train, s.epoch, corpus.examples());
    return traced_batch(w, std::move(state), corpus, order);
}

Trace trace_row(Backend<float>& backend, std::shared_ptr<const RunState> state, std::span<const std::int32_t> row) {
    check_row(state->experiment.model, row);
    check_size(state->experiment.model, 1, false);
    TraceWorkspace w(backend, state->experiment, 1, false);
    return traced_row(w, std::move(state), row);
}

}  // namespace moe
