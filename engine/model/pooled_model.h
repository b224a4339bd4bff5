#pragma once
#include "engine/core/state.h"
#include "engine/layers/embedding_mean.h"
#include "engine/layers/mixture.h"

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

/// The tutorial's model: phrase -> embedding mean -> mixture of experts -> dense -> softmax over the next word.
/// A workspace planned for max_examples over parameters that others may share (a probe beside the training batch).
template <class T>
class PooledModel {
public:
    struct Context {
        typename EmbeddingMean<T>::Context pooling;
        typename Mixture<T>::Context mixture;
        typename Dense<T>::Context head;  // output: logits (N, V)
    };

    PooledModel(Backend<T>& backend, const Parameters<T>& parameters, const ModelSpec& spec, std::size_t max_examples,
                ModelUse use)
        : backend_(backend),
          pooling_(backend, parameters, max_examples, spec.mask_zero),
          mixture_(backend, parameters, spec, max_examples, use),
          loss_(backend.allocate({})),
          correct_(backend.allocate({})) {
        if (use != ModelUse::route) head_.emplace(backend, parameters, "head", max_examples, use == ModelUse::train);
    }

    void set_balance_weight(double weight) { mixture_.set_balance_weight(weight); }

    /// ids (N, T), N at most max_examples.
    Context forward(Ids ids) {
        Context c;
        c.pooling = pooling_.forward(ids);
        c.mixture = mixture_.forward(c.pooling.mean);
        c.head = head_->forward(c.mixture.output);
        return c;
    }

    /// The mean and its routing, without experts and head.
    Context route(Ids ids) {
        Context c;
        c.pooling = pooling_.forward(ids);
        c.mixture = mixture_.route(c.pooling.mean);
        return c;
    }

    /// Mean cross-entropy over the batch; leaves its gradient in the context's logits. targets (N).
    void loss(const Context& c, Ids targets) {
        backend_.softmax_cross_entropy(loss_, correct_, c.head.output, targets);
    }
    Tensor<T> cross_entropy() const { return loss_; }  // (1) of the last loss()
    Tensor<T> correct() const { return correct_; }     // (1) examples whose most probable word was the target

    /// After loss(): adds every parameter's gradient. With a rate (1) updates every parameter instead.
    void backward(const Context& c, Tensor<T> rate = {}) {
        const Tensor<T> doutput = head_->backward(c.head.output, c.head, rate);
        pooling_.backward(mixture_.backward(doutput, c.mixture, rate), c.pooling, rate);
    }

private:
    Backend<T>& backend_;
    EmbeddingMean<T> pooling_;
    Mixture<T> mixture_;
    std::optional<Dense<T>> head_;
    Tensor<T> loss_, correct_;
};

}  // namespace moe
