#pragma once
#include "engine/core/state.h"
#include "engine/session/moment.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace moe {

/// What training reached on a device.
struct DeviceSpeed {
    std::string device;  // "cpu", "cuda"
    std::string title;   // "CPU · AVX-512"
    double steps_per_second = 0;
};

enum class SessionState { empty, ready, running, paused, finished, failed };

/// One point of the run's curves: a step, or the mean over the steps that thinning joined.
struct HistoryPoint {
    std::uint64_t step = 0;      // the last step in it
    std::uint32_t steps = 1;     // how many it joins
    std::uint64_t examples = 0;  // and how many examples they trained on
    float loss = 0;              // cross-entropy, mean per example
    float balance = 0;           // weighted load-balancing loss
    float accuracy = 0;          // share of examples whose next word was right
};

/// The run so far, thinned by pairs: at most 1,024 points, fewer where there are very many experts.
/// Point 0 is the first step. Arrays of numbers go point by point.
struct History {
    std::vector<HistoryPoint> points;
    std::size_t num_experts = 0;
    std::vector<float> load;  // (points, E): share of the gate weight that each expert got in the point's steps
    std::uint64_t steps_per_point = 1;

    /// Gate weights of every prefix of the probe text, from the step where that text was entered.
    std::string gate_probe;
    std::vector<std::uint64_t> gate_steps;
    std::size_t prefixes = 0;
    std::vector<float> gate;  // (gate_steps, prefixes, E)

    EpochCurve epochs;  // the finished ones; thinned in a very long run
};

/// A word of the probe text.
struct ProbeWord {
    std::string text;     // as the tokenizer cut it
    std::int32_t id = 0;  // 0: unknown to the vocabulary, and left out of what the model reads
};

struct WordProbability {
    std::int32_t id = 0;
    std::string word;  // "(padding)" for id 0, which has a probability too
    float probability = 0;
};

/// What the focused prefix meets on its way through the model, every number as computed. Where tokens are routed
/// (family=token), gate and answers are those of its last word; `mixed` and `top` of all its words.
struct FocusedForward {
    std::vector<std::int32_t> row;     // (T) ids as served, padded on the left
    std::vector<float> pooled;         // (D) mean of the embedding rows; token: the last word's own row
    std::vector<float> gate_logits;    // (E)
    std::vector<float> gate_weights;   // (E) with what the answers are mixed; zero where not chosen
    std::vector<float> outputs;        // (E, D) each chosen expert's answer; zeros for experts that were not chosen
    std::vector<float> mixed;          // (D) sum of gate weight * answer; token: the mean of these over the words
    std::vector<WordProbability> top;  // most probable first, at most 10
};

/// The probe text under the present weights. Prefix p is the words up to and including known word p; where tokens are
/// routed, its gate and what meets it are that word's alone.
struct ProbeForward {
    std::string text;
    std::vector<ProbeWord> words;           // all of them, the unknown too
    std::vector<std::size_t> prefix_words;  // (P) for each prefix the index of its last word in `words`
    std::vector<float> pooled;              // (P, D)
    std::vector<float> gate_probs;          // (P, E) softmax over all experts
    std::vector<float> gate_weights;        // (P, E) with what the experts are weighed: zero where not chosen
    std::size_t focus = 0;                  // prefix
    FocusedForward focused;                 // empty vectors where P is 0
};

/// What is drawn. Immutable once published: any thread.
struct Snapshot {
    SessionState state = SessionState::empty;
    std::string message;           // the cause, where failed
    std::uint64_t generation = 0;  // counts opened models: a larger one means that the structure changed
    std::uint64_t branch = 0;      // counts opened models, and going back to train on: what came after was replaced
    Experiment experiment;         // as it is now, sizes resolved
    std::uint64_t step = 0, epoch = 0;  // trained steps; finished epochs
    std::uint64_t newest_step = 0;      // of the run; larger than `step` where a moment of the past is shown
    std::uint64_t steps_per_epoch = 0, next_example = 0, examples = 0;
    std::uint64_t target_epochs = 0;  // where "finished" is
    double steps_per_second = 0;      // measured over the last half second; 0 when not running
    double speed_limit = 0;           // steps per second; 0: as fast as it goes
    double loss = 0, accuracy = 0;    // of the last finished epoch; NaN before the first
    double balance = 0;
    std::size_t best_correct = 0;  // of `examples`: what the corpus allows
    std::vector<float>
        load;  // (E) share of gate weight in the last finished epoch, else so far; empty before the first step
    std::size_t parameters = 0;
    std::string device;     // "CPU · AVX-512"
    std::string device_id;  // "cpu", "cuda"; empty where there is no model
    /// What this model last reached on each device that it was trained on at full speed, the present one last.
    std::vector<DeviceSpeed> speeds;
    /// Why training goes on elsewhere than it was told to, in sentences; empty: it does not. `notices` counts them.
    std::string notice;
    std::uint64_t notices = 0;
    ProbeForward probe;
    std::shared_ptr<const History> history;  // of the whole run
    CheckpointUse checkpoints;
};

}  // namespace moe
