#include "engine/session/live_run.h"

#include "engine/core/settings.h"

#include <utility>

namespace moe {

LiveRun::LiveRun(const SessionOptions& options, SessionSetup given, const LiveRun* before, std::size_t budget)
    : setup(std::move(given)), backend(make_backend(options.backend)) {
    if (!setup.corpus) throw Error("There is no text to learn from; open or paste one first.");
    const std::size_t limit = options.memory_limit ? options.memory_limit : default_memory_limit();
    if (setup.state) {
        setup.state->experiment = resolve(setup.state->experiment, *setup.corpus, limit);
        target_epochs = setup.state->target_epochs;
        trainer = std::make_unique<Trainer>(*backend, *setup.state, setup.corpus);
    } else {
        trainer = std::make_unique<Trainer>(*backend, resolve(setup.experiment, *setup.corpus, limit), setup.corpus);
    }
    const ModelSpec& model = trainer->experiment().model;
    probe = std::make_unique<Probe>(*backend, trainer->parameters(), model, setup.corpus->tokenizer());
    best_correct = before && before->reads_as(*this) ? before->best_correct
                                                     : setup.corpus->best_correct(model.max_seq_len, model.mask_zero);
    if (setup.history && setup.history->num_experts == model.num_experts)
        history.resume(*setup.history);
    else
        history.start(model.num_experts);
    if (!setup.history) history.set_epochs(trainer->epochs());
    if (target_epochs == 0) target_epochs = trainer->experiment().train.epochs;
    timeline.set_budget(budget);
    start_timeline();
    setup.state.reset();  // large, and read by now
    setup.history.reset();
    setup.timeline.reset();
}

void LiveRun::start_timeline() {
    checkpoint_size = trainer->checkpoint_size();
    if (setup.timeline && setup.timeline->leads_to(trainer->experiment(), trainer->steps())) {
        timeline.resume(*setup.timeline);
        timeline.note(trainer->steps(), trainer->experiment(), target_epochs);
        return;
    }
    auto first = std::make_shared<Checkpoint>();
    trainer->keep(*first);
    if (!setup.state) first->values = {};  // the seed knows them
    timeline.start(trainer->experiment(), target_epochs, std::move(first));
}

void LiveRun::keep_checkpoint() {
    if (trainer->steps() <= timeline.next() || checkpoint_size > timeline.budget()) return;
    const std::shared_ptr<const Checkpoint> good = trainer->good();
    if (good && timeline.wants(good->step)) timeline.add(good);
}

bool LiveRun::reads_as(const LiveRun& other) const {
    const ModelSpec &mine = trainer->experiment().model, &its = other.trainer->experiment().model;
    return setup.corpus == other.setup.corpus && mine.max_seq_len == its.max_seq_len && mine.mask_zero == its.mask_zero;
}

}  // namespace moe
