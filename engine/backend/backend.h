#pragma once
// C++17: the CUDA module is compiled from this header too.
#include "engine/backend/tensor.h"
#include "engine/core/activation.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace moe {

/// What an op trains in one go: a parameter, the place of its gradient, and Adam's moments. All of one shape.
template <class T>
struct Trained {
    Tensor<T> value, gradient, m, v;
};

/// One whole training step, recorded: what plan_step() returns. The same ops to the same bits as issued one by one.
class StepPlan {
public:
    virtual ~StepPlan() = default;
    virtual void run() = 0;  // waits
};

/// The ops that layers are written in. Every op is ordered on the backend's stream and returns nothing; only download()
/// waits. Gradients are written (`=`), unless an op says otherwise. Ops allocate nothing. Wrong shapes are an Error
/// that names the op and the sizes. One thread at a time. Letters: N examples, T tokens of one, V vocabulary, D width,
/// H expert width, E experts, K experts of an example, R = N*K rows, an example's visit to an expert each.
template <class T>
class Backend {
public:
    virtual ~Backend() = default;

    /// For people: "CPU · AVX-512".
    virtual std::string name() const = 0;
    /// As --device names it. Of any but "cpu" an op may throw DeviceFailure.
    virtual const char* device() const { return "cpu"; }

    virtual Tensor<T> allocate(Shape shape) = 0;  // zeroed, 64-byte aligned; lives as long as the backend
    virtual Ids allocate_ids(Shape shape) = 0;
    virtual void upload(Tensor<T> to, const T* from) = 0;
    virtual void upload(Ids to, const std::int32_t* from) = 0;
    virtual void download(Tensor<T> from, T* to) = 0;  // waits
    virtual void download(Ids from, std::int32_t* to) = 0;
    /// The numbers of this moment, there after finish_downloads(), until when `to` must live; what is computed meanwhile
    /// need not wait for them.
    virtual void download_later(Tensor<T> from, T* to) { download(from, to); }
    virtual void download_later(Ids from, std::int32_t* to) { download(from, to); }
    virtual void finish_downloads() {}
    virtual void fill(Tensor<T> x, T value) = 0;

    /// y[n] = mean over t of table[ids[n][t]]; with `mask` over the t whose id is not 0 (a row without any gives
    /// zeros). ids (N,T), table (V,D) -> y (N,D)
    virtual void embedding_mean(Tensor<T> y, Ids ids, Tensor<T> table, bool mask) = 0;
    /// dtable[ids[n][t]] += dy[n] / count for each place (n, t) that the mean counts.
    virtual void embedding_mean_backward(Tensor<T> dtable, Tensor<T> dy, Ids ids, bool mask) = 0;
    /// squares[ids[n][t]] += (dy[n] / count)^2 for each place (n, t) that the mean counts. squares (V,D)
    virtual void embedding_mean_squares(Tensor<T> squares, Tensor<T> dy, Ids ids, bool mask) = 0;

    /// y[n] = mean over t of x[n*T + t]; with `mask` over the t whose id is not 0 (an example without any gives zeros).
    /// ids (N,T), x (N*T,D) -> y (N,D)
    virtual void mean_tokens(Tensor<T> y, Tensor<T> x, Ids ids, bool mask) = 0;
    /// dx[n*T + t] = dy[n] / count for each t that the mean counts, 0 for the others.
    virtual void mean_tokens_backward(Tensor<T> dx, Tensor<T> dy, Ids ids, bool mask) = 0;

    /// y = x w + b.                                             x (N,I), w (I,O), b (O) -> y (N,O)
    virtual void dense(Tensor<T> y, Tensor<T> x, Tensor<T> w, Tensor<T> b) = 0;
    /// dx may be an empty tensor: then it is not computed.
    virtual void dense_backward(Tensor<T> dx, Tensor<T> dw, Tensor<T> db, Tensor<T> dy, Tensor<T> x, Tensor<T> w) = 0;

    /// Rows [offsets[e], offsets[e+1]) through w[e] and b[e].   x (R,I), w (E,I,O), b (E,O), offsets (E+1) -> y (R,O)
    virtual void grouped_dense(Tensor<T> y, Tensor<T> x, Tensor<T> w, Tensor<T> b, Ids offsets) = 0;
    /// Experts without rows get zeros.
    virtual void grouped_dense_backward(Tensor<T> dx, Tensor<T> dw, Tensor<T> db, Tensor<T> dy, Tensor<T> x,
                                        Tensor<T> w, Ids offsets) = 0;

    /// What one expert after the other does with its rows: sums = x w1 + b1, hidden = f(sums), y = hidden w2 + b2; to
    /// the same bits as the three ops apart. `sums` may be `hidden` where activate_backward() needs no sums. x (R,D),
    /// w1 (E,D,H), b1 (E,H), w2 (E,H,D), b2 (E,D), offsets (E+1) -> sums (R,H), hidden (R,H), y (R,D)
    virtual void experts(Tensor<T> sums, Tensor<T> hidden, Tensor<T> y, Tensor<T> x, Tensor<T> w1, Tensor<T> b1,
                         Tensor<T> w2, Tensor<T> b2, Ids offsets, Activation f) = 0;
    /// dhidden (R,H) is left as the gradient of the sums. Experts without rows get zeros.
    virtual void experts_backward(Tensor<T> dx, Tensor<T> dhidden, Tensor<T> dw1, Tensor<T> db1, Tensor<T> dw2,
                                  Tensor<T> db2, Tensor<T> dy, Tensor<T> x, Tensor<T> sums, Tensor<T> hidden,
                                  Tensor<T> w1, Tensor<T> w2, Ids offsets, Activation f) = 0;

    virtual void add(Tensor<T> y, Tensor<T> x) = 0;  // y += x

    /// y = f(x), number by number. May be in place; where f needs its sums (activation.h), backward needs x as it was.
    virtual void activate(Tensor<T> y, Tensor<T> x, Activation f) = 0;
    /// dy *= f'(x), in place; a ReLU's dy is zeroed where y <= 0. y is activate()'s output, x its input; after an
    /// activate() in place both are y.
    virtual void activate_backward(Tensor<T> dy, Tensor<T> x, Tensor<T> y, Activation f) = 0;

    /// Rows to probabilities, the maximum subtracted first. May be in place.                   (N,E)
    virtual void softmax(Tensor<T> probs, Tensor<T> logits) = 0;
    /// dlogits[n][e] = probs[n][e] * (dprobs[n][e] - sum_j dprobs[n][j] probs[n][j]). May be in place on dprobs.
    virtual void softmax_backward(Tensor<T> dlogits, Tensor<T> dprobs, Tensor<T> probs) = 0;

    /// The K largest of each row, largest first; of equals the lower index first.   logits (N,E) -> indices (N,K)
    virtual void top_k(Ids indices, Tensor<T> logits) = 0;
    /// Every expert for every row: indices[n][k] = k.                                           indices (N,E)
    virtual void all_experts(Ids indices) = 0;
    /// y[n][k] = x[n][indices[n][k]].                                                   x (N,E) -> y (N,K)
    virtual void select(Tensor<T> y, Tensor<T> x, Ids indices) = 0;
    /// dx[n][indices[n][k]] += dy[n][k].
    virtual void select_backward(Tensor<T> dx, Tensor<T> dy, Ids indices) = 0;

    /// Counting sort of the N*K visits by expert, stable in (n, k) order:
    /// offsets (E+1): expert e owns rows [offsets[e], offsets[e+1]); row_tokens (R): the example of each row;
    /// positions (N,K): the row of each visit.                                                  indices (N,K)
    virtual void dispatch(Ids offsets, Ids row_tokens, Ids positions, Ids indices) = 0;
    /// rows[r] = x[row_tokens[r]].                                                       x (N,D) -> rows (R,D)
    virtual void gather_rows(Tensor<T> rows, Tensor<T> x, Ids row_tokens) = 0;
    /// dx[n] = sum over k of drows[positions[n][k]].
    virtual void gather_rows_backward(Tensor<T> dx, Tensor<T> drows, Ids positions) = 0;
    /// y[n] = sum over k of weights[n][k] * rows[positions[n][k]].    weights (N,K), rows (R,D) -> y (N,D)
    virtual void combine(Tensor<T> y, Tensor<T> weights, Tensor<T> rows, Ids positions) = 0;
    /// dweights[n][k] = dy[n] . rows[positions[n][k]];  drows[positions[n][k]] = weights[n][k] * dy[n].
    virtual void combine_backward(Tensor<T> dweights, Tensor<T> drows, Tensor<T> dy, Tensor<T> weights, Tensor<T> rows,
                                  Ids positions) = 0;

    /// loss = weight * E * sum_e f_e P_e, f_e = (assignments of `indices` to e) / (N*K), P_e = mean over n of
    /// probs[n][e] (Switch Transformer, eq. 4 to 6; f is a constant of the backward pass). dprobs[n][e] += weight * E *
    /// f_e / N. Rows whose id in `words` (N) is 0 are left out, as if they were not there; empty: all rows count.
    /// probs (N,E), indices (N,K) -> loss (1), dprobs (N,E)
    virtual void balance_loss(Tensor<T> loss, Tensor<T> dprobs, Tensor<T> probs, Ids indices, T weight,
                              Ids words = {}) = 0;

    /// load[e] = sum of the weights with which rows went to e, without those whose id in `words` (N) is 0; empty: all.
    /// weights (N,K), indices (N,K) -> load (E)
    virtual void expert_load(Tensor<T> load, Tensor<T> weights, Ids indices, Ids words = {}) = 0;

    /// Mean cross-entropy, how many rows have their largest logit at the target (of equals the first is the largest),
    /// and the gradient, (softmax - onehot) / N, in place of the logits.  logits (N,V), targets (N) -> loss (1),
    /// correct (1)
    virtual void softmax_cross_entropy(Tensor<T> loss, Tensor<T> correct, Tensor<T> logits, Ids targets) = 0;

    /// Keras's Adam with `rate` = lr * sqrt(1 - b2^t) / (1 - b1^t), a device scalar: m += (g - m)(1 - b1);
    /// v += (g^2 - v)(1 - b2); w -= rate * m / (sqrt(v) + epsilon). All of one shape; g is set to zero on the way out.
    virtual void adam(Tensor<T> w, Tensor<T> g, Tensor<T> m, Tensor<T> v, Tensor<T> rate) = 0;
    /// The same with `squares` in the place of g^2; they are set to zero, too.
    virtual void adam_of_squares(Tensor<T> w, Tensor<T> g, Tensor<T> squares, Tensor<T> m, Tensor<T> v,
                                 Tensor<T> rate) = 0;

    // An op's way back and the update of its parameters in one go, to the same bits as the two apart. Gradients have to
    // be zero before, as adam() leaves them, and are after: a backend that hands sums straight on to Adam writes none.
    /// dense_backward() with the weights as they were, then adam() of both. rate (1)
    virtual void dense_update(Tensor<T> dx, const Trained<T>& w, const Trained<T>& b, Tensor<T> dy, Tensor<T> x,
                              Tensor<T> rate) = 0;
    /// grouped_dense_backward(), then adam(); experts without rows move on by their momentum.
    virtual void grouped_dense_update(Tensor<T> dx, const Trained<T>& w, const Trained<T>& b, Tensor<T> dy, Tensor<T> x,
                                      Ids offsets, Tensor<T> rate) = 0;
    /// experts_backward() with the weights as they were, then adam() of all four. dhidden (R,H) is left as the gradient of
    /// the sums.
    virtual void experts_update(Tensor<T> dx, Tensor<T> dhidden, const Trained<T>& w1, const Trained<T>& b1,
                                const Trained<T>& w2, const Trained<T>& b2, Tensor<T> dy, Tensor<T> x, Tensor<T> sums,
                                Tensor<T> hidden, Ids offsets, Activation f, Tensor<T> rate) = 0;
    /// embedding_mean_backward(), then adam() of the whole table.
    virtual void embedding_mean_update(const Trained<T>& table, Tensor<T> dy, Ids ids, bool mask, Tensor<T> rate) = 0;

    /// Records what `issue` asks for, on a backend that gains by that (a CUDA graph); null on others, where `issue` is
    /// the step. It runs once and nothing is computed then: uploads and downloads in it are repeated by run(), from and
    /// to the same host memory, all uploads first and all downloads last, and no decision in it may rest on what a
    /// download gave. Scalars are recorded as they are.
    virtual std::unique_ptr<StepPlan> plan_step(const std::function<void()>& issue) {
        (void)issue;
        return nullptr;
    }
};

/// Adam's constants as Keras has them by default.
inline constexpr double adam_beta1 = 0.9, adam_beta2 = 0.999, adam_epsilon = 1e-7;

struct BackendOptions {
    std::string device = "auto";  // auto, cpu, cuda
    int threads = 0;              // 0: all cores but one, at least 1
    /// Makes the backend in the place of this program's devices; empty: these.
    std::function<std::unique_ptr<Backend<float>>(const BackendOptions&)> make = {};
    /// What large products are rounded to before they are multiplied, on a GPU alone: float32 (not at all), tf32, bf16.
    std::string precision = "float32";
};

/// The backend to train with: `auto` takes the GPU where there is one. Throws Error with the reason where `device` names
/// one that this machine lacks; only `auto` falls back. The environment variable MOELAB_ISA (baseline, v3, v4) forces a set of CPU kernels.
std::unique_ptr<Backend<float>> make_backend(const BackendOptions& options = {});

/// Plain loops in double or float, one thread: what every other backend and every gradient is held against.
template <class T>
std::unique_ptr<Backend<T>> make_reference_backend();

/// A device that --device takes on this machine.
struct DeviceInfo {
    std::string id;       // "cpu", "cuda"
    std::string title;    // "AVX-512, 1 thread", "NVIDIA H100"
    std::string why_off;  // a sentence where it cannot be used; empty: it can
};

/// All of them, the one that always works first. The first call looks for a GPU, which may take a moment.
std::vector<DeviceInfo> list_devices();

/// The same in lines, for `--version` and help.
std::string describe_devices();

}  // namespace moe
