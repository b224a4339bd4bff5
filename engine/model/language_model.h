#pragma once
#include "engine/core/family.h"
#include "engine/core/state.h"
#include "engine/layers/embedding_mean.h"
#include "engine/layers/mixture.h"
#include "engine/layers/token_mean.h"

#include <optional>

namespace moe {

/// Registers the model's parameters, canonical_parameters(spec), all zero.
template <class T>
void add_parameters(Parameters<T>& parameters, const ModelSpec& spec) {
    for (const NamedArray& p : canonical_parameters(spec)) parameters.add(p.name, Shape{p.shape});
}

/// The same for training as `experiment` says.
template <class T>
void add_parameters(Parameters<T>& parameters, const Experiment& experiment) {
    add_parameters(parameters, experiment.model);
    if (experiment.train.embedding_squares == "per_occurrence") parameters.keep_squares("embedding");
}

/// Fresh weights as Keras makes them: Glorot-uniform kernels (an expert's as one Dense layer's), zero biases, an
/// embedding uniform in +-0.05. A pure function of (spec, seed), the same on every machine.
std::vector<NamedArray> initial_parameters(const ModelSpec& spec, std::uint64_t seed);

/// Host numbers into a model, by name and shape. Throws Error where one is missing or of another size.
template <class T>
void upload_parameters(Backend<T>& backend, Parameters<T>& parameters, const std::vector<NamedArray>& values);

/// The spec under which a prefix is routed where its column shows its last word: all of it or, where tokens are routed,
/// that word alone.
inline ModelSpec column_spec(ModelSpec spec) {
    if (routes_tokens(spec)) spec.max_seq_len = 1;
    return spec;
}

/// Phrase -> next word, as the spec's family has it. pooled: the mean of the words' embeddings through the mixture of
/// experts, then the head. token: each word's embedding through the mixture, then the mean, then the head.
/// A workspace planned for max_examples over parameters that others may share (a probe beside the training batch).
template <class T>
class LanguageModel {
public:
    struct Context {
        Ids ids;    // (N, T)
        Ids words;  // (N*T) where tokens are routed and a mask leaves out those that are 0; else empty
        typename EmbeddingMean<T>::Context embedding;  // what meets the gate: (N, D) or (N*T, D)
        typename Mixture<T>::Context mixture;
        Tensor<T> phrase;                 // (N, D) what meets the head
        typename Dense<T>::Context head;  // output: logits (N, V)
    };

    LanguageModel(Backend<T>& backend, const Parameters<T>& parameters, const ModelSpec& spec, std::size_t max_examples,
                  ModelUse use)
        : backend_(backend),
          routes_tokens_(routes_tokens(spec)),
          mask_(spec.mask_zero),
          embedding_(backend, parameters, max_routed(spec, max_examples), mask_),
          mixture_(backend, parameters, spec, max_routed(spec, max_examples), use),
          loss_(backend.allocate({})),
          correct_(backend.allocate({})) {
        if (use == ModelUse::route) return;
        const bool trained = use == ModelUse::train;
        head_.emplace(backend, parameters, "head", max_examples, trained);
        if (routes_tokens_) mean_.emplace(backend, max_examples, spec.max_seq_len, spec.embedding_dim, mask_, trained);
    }

    void set_balance_weight(double weight) { mixture_.set_balance_weight(weight); }

    /// ids (N, T), N at most max_examples.
    Context forward(Ids ids) {
        Context c = embed(ids);
        c.mixture = mixture_.forward(c.embedding.mean, c.words);
        c.phrase = mean_ ? mean_->forward(c.mixture.output, ids).mean : c.mixture.output;
        c.head = head_->forward(c.phrase);
        return c;
    }

    /// What meets the gate, and its routing, without experts and head.
    Context route(Ids ids) {
        Context c = embed(ids);
        c.mixture = mixture_.route(c.embedding.mean);
        return c;
    }

    /// Mean cross-entropy over the batch; leaves its gradient in the context's logits. targets (N).
    void loss(const Context& c, Ids targets) {
        backend_.softmax_cross_entropy(loss_, correct_, c.head.output, targets);
    }
    Tensor<T> cross_entropy() const { return loss_; }  // (1) of the last loss()
    Tensor<T> correct() const { return correct_; }     // (1) examples whose most probable word was the target

    /// After loss(): every parameter's gradient; the embedding's is added to. With a rate (1) updates every parameter
    /// instead.
    void backward(const Context& c, Tensor<T> rate = {}) {
        Tensor<T> d = head_->backward(c.head.output, c.head, rate);
        if (mean_) d = mean_->backward(d, {c.ids, c.phrase});
        embedding_.backward(mixture_.backward(d, c.mixture, rate), c.embedding, rate);
    }

private:
    static std::size_t max_routed(const ModelSpec& spec, std::size_t max_examples) {
        return routes_tokens(spec) ? max_examples * spec.max_seq_len : max_examples;
    }

    Context embed(Ids ids) {
        Context c;
        c.ids = ids;
        // A word's own row is the mean of a phrase of one; the mask makes padding a row of zeros that learns nothing.
        const Ids routed = routes_tokens_ ? ids.column() : ids;
        if (routes_tokens_ && mask_) c.words = routed;
        c.embedding = embedding_.forward(routed);
        return c;
    }

    Backend<T>& backend_;
    bool routes_tokens_, mask_;
    EmbeddingMean<T> embedding_;
    Mixture<T> mixture_;
    std::optional<TokenMean<T>> mean_;
    std::optional<Dense<T>> head_;
    Tensor<T> loss_, correct_;
};

}  // namespace moe
