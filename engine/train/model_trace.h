#pragma once
#include "engine/layers/parameters.h"
#include "engine/routing/router.h"
#include "engine/train/trace_recorder.h"

#include <memory>

namespace moe {

/// A model's step, op by op: the one place that says which values an op reads and leaves. The same ops in the same
/// order as LanguageModel's, in a workspace planned for max_examples. One thread at a time.
class ModelTrace {
public:
    /// Values of a trace of N examples, with their shapes and without their numbers.
    static std::vector<TraceValue> plan(const ModelSpec& spec, std::size_t N, bool backward);

    /// `parameters` are trained where backward() is to be called.
    ModelTrace(Backend<float>& backend, const Parameters<float>& parameters, const ModelSpec& spec,
               std::size_t max_examples, bool backward);

    /// Fills the trace's forward values, and the loss where there are targets. ids (N, T) and targets (N) are read from
    /// the trace. `spec` may differ from the constructor's in its balance loss.
    void forward(TraceRecorder& record, Trace& trace, const ModelSpec& spec);
    /// After forward() with targets: the gradients of all values, and in `parameters` those of all parameters.
    void backward(TraceRecorder& record, const Trace& trace, const ModelSpec& spec);

private:
    /// How many rows stand at the gate: examples, or their tokens.
    std::size_t routed_rows(const Trace& trace) const { return trace.examples * trace.routed_places(); }
    void take_mean(TraceRecorder& record, Tensor<float> of_tokens, Ids ids);
    void route_backward(TraceRecorder& record, const Trace& trace, bool balance);
    void trace_rows(TraceRecorder& record, const Trace& trace, const ModelSpec& spec);

    Backend<float>& backend_;
    Parameters<float>::Entry table_, gate_kernel_, gate_bias_, hidden_kernel_, hidden_bias_, output_kernel_,
        output_bias_, head_kernel_, head_bias_;
    bool chooses_;        // the router picks experts
    bool tokens_, mask_;  // each token is routed; padding is left out
    Activation activation_;
    std::unique_ptr<Router<float>> router_;
    Routing<float> routing_;  // of the last forward()

    // Letters as in backend.h; R = N*K rows sorted by expert. Where tokens are routed, those of what stands
    // at the gate are (N*T, ...) and routed_ is token_rows_; mean_ is what the head reads then.
    Ids ids_, flat_ids_, targets_, offsets_, row_tokens_, positions_;   // (N,T) (N*T) (N) (E+1) (R) (N,K)
    Ids words_;                                                         // flat_ids_ where a mask counts, else empty
    Tensor<float> token_rows_, mean_, routed_, gate_logits_;            // (N*T,D) (N,D) (N,D) (N,E)
    Tensor<float> rows_, sums_, hidden_, answers_, mixed_;              // (R,D) (R,H) (R,H) (R,D) (N,D)
    Tensor<float> logits_, probs_, loss_, correct_, balance_;           // (N,V) (N,V) (1) (1) (1)
    Tensor<float> dmixed_, danswers_, dweights_, dprobs_, dlogits_;     // (N,D) (R,D) (N,K) (N,E) (N,E)
    Tensor<float> dhidden_, drows_, drouted_, drouted_gate_;            // (R,H) (R,D) (N,D) (N,D)
    Tensor<float> dphrase_, dtoken_rows_;                               // (N,D) of what the head reads; (1+N*T,D)
};

}  // namespace moe
