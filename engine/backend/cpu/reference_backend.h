#pragma once
#include "engine/backend/backend.h"

#include <memory>
#include <vector>

namespace moe {

/// Plain loops, float and double, one thread: what every other backend and every gradient is held against. A faster CPU
/// backend derives from it and overrides the ops where speed shows.
template <class T>
class ReferenceBackend : public Backend<T> {
public:
    std::string name() const override { return "CPU · reference"; }

    Tensor<T> allocate(Shape shape) override;
    Ids allocate_ids(Shape shape) override;
    void upload(Tensor<T> to, const T* from) override;
    void upload(Ids to, const std::int32_t* from) override;
    void download(Tensor<T> from, T* to) override;
    void download(Ids from, std::int32_t* to) override;
    void fill(Tensor<T> x, T value) override;

    void embedding_mean(Tensor<T> y, Ids ids, Tensor<T> table, bool mask) override;
    void embedding_mean_backward(Tensor<T> dtable, Tensor<T> dy, Ids ids, bool mask) override;
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
    void embedding_mean_squares(Tensor<T> squares, Tensor<T> dy, Ids ids, bool mask) override;
    void adam_of_squares(Tensor<T> w, Tensor<T> g, Tensor<T> squares, Tensor<T> m, Tensor<T> v,
                         Tensor<T> rate) override;
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
    void mean_tokens(Tensor<T> y, Tensor<T> x, Ids ids, bool mask) override;
    void mean_tokens_backward(Tensor<T> dx, Tensor<T> dy, Ids ids, bool mask) override;
    void softmax_cross_entropy(Tensor<T> loss, Tensor<T> correct, Tensor<T> logits, Ids targets) override;
    void dense_update(Tensor<T> dx, const Trained<T>& w, const Trained<T>& b, Tensor<T> dy, Tensor<T> x,
                      Tensor<T> rate) override;
    void grouped_dense_update(Tensor<T> dx, const Trained<T>& w, const Trained<T>& b, Tensor<T> dy, Tensor<T> x,
                              Ids offsets, Tensor<T> rate) override;
    void experts_update(Tensor<T> dx, Tensor<T> dhidden, const Trained<T>& w1, const Trained<T>& b1,
                        const Trained<T>& w2, const Trained<T>& b2, Tensor<T> dy, Tensor<T> x, Tensor<T> sums,
                        Tensor<T> hidden, Ids offsets, Activation f, Tensor<T> rate) override;
    void embedding_mean_update(const Trained<T>& table, Tensor<T> dy, Ids ids, bool mask, Tensor<T> rate) override;
    void adam(Tensor<T> w, Tensor<T> g, Tensor<T> m, Tensor<T> v, Tensor<T> rate) override;

private:
    struct Free {
        void operator()(void* memory) const;
    };
    void* take(std::size_t count, std::size_t size);

    std::vector<std::unique_ptr<void, Free>> buffers_;
};

}  // namespace moe
