#pragma once
#include "engine/backend/backend.h"
#include "engine/backend/cuda/device_queue.h"
#include "engine/backend/cuda/id_ledger.h"

#include <set>
#include <vector>

namespace moe::cuda {

/// The ops as launches of Kernels on a device's queue. They run one after the other; what an op is asked for is checked
/// on the host before anything is launched. Deterministic: every sum has one order, for a GPU of given size. Throws
/// DeviceFailure where the device fails; it is of no use then.
class CudaBackend final : public Backend<float> {
public:
    using T = float;

    /// Throws Error with the reason where the device cannot be used.
    /// `precision`: of large products alone, by tensor cores; takes compute capability 8.0.
    explicit CudaBackend(std::shared_ptr<Device> device, Precision precision = Precision::float32);
    ~CudaBackend() override;

    std::string name() const override;
    const char* device() const override { return "cuda"; }
    const std::string& device_name() const { return queue_.name(); }

    Tensor<T> allocate(Shape shape) override;
    Ids allocate_ids(Shape shape) override;
    void upload(Tensor<T> to, const T* from) override;
    void upload(Ids to, const std::int32_t* from) override;
    void download(Tensor<T> from, T* to) override;
    void download(Ids from, std::int32_t* to) override;
    void download_later(Tensor<T> from, T* to) override;
    void download_later(Ids from, std::int32_t* to) override;
    void finish_downloads() override;
    void fill(Tensor<T> x, T value) override;

    void embedding_mean(Tensor<T> y, Ids ids, Tensor<T> table, bool mask) override;
    void embedding_mean_backward(Tensor<T> dtable, Tensor<T> dy, Ids ids, bool mask) override;
    void embedding_mean_squares(Tensor<T> squares, Tensor<T> dy, Ids ids, bool mask) override;
    void mean_tokens(Tensor<T> y, Tensor<T> x, Ids ids, bool mask) override;
    void mean_tokens_backward(Tensor<T> dx, Tensor<T> dy, Ids ids, bool mask) override;
    void dense(Tensor<T> y, Tensor<T> x, Tensor<T> w, Tensor<T> b) override;
    void dense_backward(Tensor<T> dx, Tensor<T> dw, Tensor<T> db, Tensor<T> dy, Tensor<T> x, Tensor<T> w) override;
    void grouped_dense(Tensor<T> y, Tensor<T> x, Tensor<T> w, Tensor<T> b, Ids offsets) override;
    void grouped_dense_backward(Tensor<T> dx, Tensor<T> dw, Tensor<T> db, Tensor<T> dy, Tensor<T> x, Tensor<T> w,
                                Ids offsets) override;
    void experts(Tensor<T> sums, Tensor<T> hidden, Tensor<T> y, Tensor<T> x, Tensor<T> w1, Tensor<T> b1, Tensor<T> w2,
                 Tensor<T> b2, Ids offsets, Activation f) override;
    void experts_backward(Tensor<T> dx, Tensor<T> dhidden, Tensor<T> dw1, Tensor<T> db1, Tensor<T> dw2, Tensor<T> db2,
                          Tensor<T> dy, Tensor<T> x, Tensor<T> sums, Tensor<T> hidden, Tensor<T> w1, Tensor<T> w2,
                          Ids offsets, Activation f) override;
    void add(Tensor<T> y, Tensor<T> x) override;
    void activate(Tensor<T> y, Tensor<T> x, Activation f) override;
    void activate_backward(Tensor<T> dy, Tensor<T> x, Tensor<T> y, Activation f) override;
    void softmax(Tensor<T> probs, Tensor<T> logits) override;
    void softmax_backward(Tensor<T> dlogits, Tensor<T> dprobs, Tensor<T> probs) override;
    void top_k(Ids indices, Tensor<T> logits) override;
    void all_experts(Ids indices) override;
    void select(Tensor<T> y, Tensor<T> x, Ids indices) override;
    void select_backward(Tensor<T> dx, Tensor<T> dy, Ids indices) override;
    void dispatch(Ids offsets, Ids row_tokens, Ids positions, Ids indices) override;
    void gather_rows(Tensor<T> rows, Tensor<T> x, Ids row_tokens) override;
    void gather_rows_backward(Tensor<T> dx, Tensor<T> drows, Ids positions) override;
    void combine(Tensor<T> y, Tensor<T> weights, Tensor<T> rows, Ids positions) override;
    void combine_backward(Tensor<T> dweights, Tensor<T> drows, Tensor<T> dy, Tensor<T> weights, Tensor<T> rows,
                          Ids positions) override;
    void balance_loss(Tensor<T> loss, Tensor<T> dprobs, Tensor<T> probs, Ids indices, T weight, Ids words) override;
    void expert_load(Tensor<T> load, Tensor<T> weights, Ids indices, Ids words) override;
    void softmax_cross_entropy(Tensor<T> loss, Tensor<T> correct, Tensor<T> logits, Ids targets) override;
    void adam(Tensor<T> w, Tensor<T> g, Tensor<T> m, Tensor<T> v, Tensor<T> rate) override;
    void adam_of_squares(Tensor<T> w, Tensor<T> g, Tensor<T> squares, Tensor<T> m, Tensor<T> v,
                         Tensor<T> rate) override;
    void dense_update(Tensor<T> dx, const Trained<T>& w, const Trained<T>& b, Tensor<T> dy, Tensor<T> x,
                      Tensor<T> rate) override;
    void grouped_dense_update(Tensor<T> dx, const Trained<T>& w, const Trained<T>& b, Tensor<T> dy, Tensor<T> x,
                              Ids offsets, Tensor<T> rate) override;
    void experts_update(Tensor<T> dx, Tensor<T> dhidden, const Trained<T>& w1, const Trained<T>& b1,
                        const Trained<T>& w2, const Trained<T>& b2, Tensor<T> dy, Tensor<T> x, Tensor<T> sums,
                        Tensor<T> hidden, Ids offsets, Activation f, Tensor<T> rate) override;
    void embedding_mean_update(const Trained<T>& table, Tensor<T> dy, Ids ids, bool mask, Tensor<T> rate) override;

    std::unique_ptr<StepPlan> plan_step(const std::function<void()>& issue) override;

private:
    class Plan;

    void check_below(const char* op, const char* name, Ids ids, std::size_t limit, const char* owner);

    template <class K>
    void launch(const K& kernel, Index x, Index y = 1, Index z = 1);
    template <class F>
    void for_each(const F& f, std::size_t count);
    void launch_task(const Task& task, const void* kernel, std::size_t size);

    void copy_out(void* to, const void* from, std::size_t bytes);
    void copy_out_later(void* to, const void* from, std::size_t bytes);
    /// Device memory until the next op asks for some of the same kind: of what is put aside, and of the loss, whose
    /// parts are summed aside, there is some of its own.
    enum Scratch { of_op, of_aside, of_loss, scratch_kinds };
    void* scratch_bytes(std::size_t bytes, Scratch kind = of_op);

    /// While it lives, what is launched into a recorded step runs beside what follows: nothing else in the step may
    /// need it.
    struct Aside {
        explicit Aside(CudaBackend& backend) : at(backend.aside_) { at = backend.recording_ != nullptr; }
        ~Aside() { at = 0; }
        std::int32_t& at;
    };
    /// Before something reads weights: those that were updated aside in this step are waited for.
    void join_updates(const T* weights);

    struct Sorted {
        std::int32_t *keys, *places;
    };
    /// Keys below `limit` in order, with their places; stable. `room`: scratch of sort_room(n) numbers.
    Sorted sort(const std::int32_t* keys, std::size_t n, std::size_t limit, std::int32_t* room);
    static std::size_t sort_room(std::size_t n);

    void add_by_word(Tensor<T> sums, Tensor<T> dy, Ids ids, bool mask, bool square);
    void forward(Tensor<T> y, T* with_f, Tensor<T> x, const T* w, const T* b, Groups groups, Activation f);
    void inputs(Tensor<T> dx, Tensor<T> dy, const T* w, Groups groups, Tensor<T> sums = {}, Tensor<T> hidden = {},
                Activation f = Activation::linear);
    void weights(const AdamState& w, const AdamState& b, Tensor<T> x, Tensor<T> dy, Groups groups, bool update);
    Groups groups_of(const char* op, Ids offsets, std::size_t rows);

    DeviceQueue queue_;
    const Precision precision_;
    IdLedger ids_;
    Plan* recording_ = nullptr;           // where tasks go instead of the queue
    std::int32_t aside_ = 0, joins_ = 0;  // of the next launch
    std::set<const T*> updated_aside_;    // weights, in this recording
    void* scratch_[scratch_kinds] = {};
    std::size_t scratch_size_[scratch_kinds] = {};
    struct Later {
        void *shadow = nullptr, *pinned = nullptr;
        std::size_t shadow_room = 0, pinned_room = 0, bytes = 0;
        void* to = nullptr;
    };
    std::vector<Later> later_;  // the first later_count_ are on their way
    std::size_t later_count_ = 0;
};

}  // namespace moe::cuda
