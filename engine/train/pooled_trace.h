#pragma once
#include "engine/layers/parameters.h"
#include "engine/routing/router.h"
#include "engine/train/trace_recorder.h"

#include <memory>

namespace moe {

/// The pooled family's step, op by op: the one place that says which values an op reads and leaves. The same ops in the
/// same order as PooledModel's, in a workspace planned for max_examples. One thread at a time.
class PooledTrace {
public:
    /// Values of a trace of N examples, with their shapes and without their numbers.
    static std::vector<TraceValue> plan(const ModelSpec& spec, std::size_t N, bool backward);

    /// `parameters` are trained where backward() is to be called.
    PooledTrace(Backend<float>& backend, const Parameters<float>& parameters, const ModelSpec& spec,
                std::size_t max_examples, bool backward);

    /// Fills the trace's forward values, and the loss where there are targets. ids (N, T) and targets (N) are read from
    /// the trace. `spec` may differ from the constructor's in its balance loss.
    void forward(TraceRecorder& record, Trace& trace, const ModelSpec& spec);
    /// After forward() with targets: the gradients of all values, and in `parameters` those of all parameters, which
    /// have to be 0 before.
    void backward(TraceRecorder& record, const Trace& trace, const ModelSpec& spec);

private:
    void route_backward(TraceRecorder& record, const Trace& trace, bool balance);
    void trace_rows(TraceRecorder& record, const Trace& trace, const ModelSpec& spec);

    Backend<float>& backend_;
    Parameters<float>::Entry table_, gate_kernel_, gate_bias_, hidden_kernel_, hidden_bias_, output_kernel_,
        output_bias_, head_kernel_, head_bias_;
    bool chooses_;  // the router picks experts
    Activation activation_;
    std::unique_ptr<Router<float>> router_;
    Routing<float> routing_;  // of the last forward()

    // Letters as in design.md section 3; R = N*K rows sorted by expert.
    Ids ids_, flat_ids_, targets_, offsets_, row_tokens_, positions_;   // (N,T) (N*T) (N) (E+1) (R) (N,K)
    Tensor<float> token_rows_, mean_, gate_logits_;                     // (N*T,D) (N,D) (N,E)
    Tensor<float> rows_, sums_, hidden_, answers_, mixed_;              // (R,D) (R,H) (R,H) (R,D) (N,D)
    Tensor<float> logits_, probs_, loss_, correct_, balance_;           // (N,V) (N,V) (1) (1) (1)
    Tensor<float> dmixed_, danswers_, dweights_, dprobs_, dlogits_;     // (N,D) (R,D) (N,K) (N,E) (N,E)
    Tensor<float> dhidden_, drows_, dmean_, dmean_gate_, dtoken_rows_;  // (R,H) (R,D) (N,D) (N,D) (1+N*T,D)
};

}  // namespace moe
