#include "engine/backend/cuda/cuda_backend.h"

#include "engine/backend/cuda/cuda_plan.h"
#include "engine/backend/cuda/launch.h"
#include "engine/backend/shape_checks.h"
#include "engine/core/checked.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

namespace moe::cuda {

using std::size_t;

CudaBackend::CudaBackend(std::shared_ptr<Device> device, Precision precision)
    : queue_(std::move(device)), precision_(precision) {
    if (precision != Precision::float32 && !queue_.tensor_cores())
        throw Error("The GPU (" + queue_.name() +
                    ") has no tensor cores for tf32 and bf16, which take compute capability 8.0 (Ampere, 2020); leave "
                    "out --precision.");
}
CudaBackend::~CudaBackend() = default;

std::string CudaBackend::name() const {
    constexpr const char* suffixes[] = {"", " · TF32", " · BF16"};
    return "CUDA · " + queue_.name() + suffixes[int(precision_)];
}

// --- memory

// Bytes of a tensor, with the sentence for sizes that a kernel's index would not hold.
static size_t tensor_bytes(Shape s) {
    const size_t count = checked_product("A tensor", {s.size[0], s.size[1], s.size[2]});
    constexpr size_t most = std::numeric_limits<Index>::max();
    if (count > most)
        throw Error("A tensor of " + std::to_string(count) + " numbers is more than the " + std::to_string(most) +
                    " that one may have on the GPU; choose smaller sizes, or train on the CPU.");
    return std::max<size_t>(count, 1) * sizeof(float);
}

Tensor<float> CudaBackend::allocate(Shape s) {
    return {static_cast<float*>(queue_.allocate(tensor_bytes(s))), s};
}

Ids CudaBackend::allocate_ids(Shape s) {
    const Ids made(static_cast<std::int32_t*>(queue_.allocate(tensor_bytes(s))), s);
    ids_.add(made);
    return made;
}

void CudaBackend::upload(Tensor<T> to, const T* from) {
    if (to.count() == 0) return;
    if (recording_ != nullptr) return recording_->copy_in(to.raw(), from, to.count() * sizeof(T));
    queue_.put({Task::copy_in, 0, {}, nullptr, to.raw(), from, to.count() * sizeof(T), 0, 0});
}

void CudaBackend::upload(Ids to, const std::int32_t* from) {
    if (to.count() == 0) return;
    ids_.uploaded(to, from);
    if (recording_ != nullptr) return recording_->copy_in(to, from);
    queue_.put({Task::copy_in, 0, {}, nullptr, to.raw(), from, to.count() * sizeof(std::int32_t), 0, 0});
}

void CudaBackend::copy_out(void* to, const void* from, size_t bytes) {
    if (bytes == 0) return;
    if (recording_ != nullptr) return recording_->copy_out(to, from, bytes);
    queue_.put({Task::copy_out, 0, {}, nullptr, to, from, bytes, 0, 0});
    queue_.wait();
}

void CudaBackend::download(Tensor<T> from, T* to) {
    copy_out(to, from.raw(), from.count() * sizeof(T));
}
void CudaBackend::download(Ids from, std::int32_t* to) {
    copy_out(to, from.raw(), from.count() * sizeof(std::int32_t));
}

void CudaBackend::download_later(Tensor<T> from, T* to) {
    copy_out_later(to, from.raw(), from.count() * sizeof(T));
}
void CudaBackend::download_later(Ids from, std::int32_t* to) {
    copy_out_later(to, from.raw(), from.count() * sizeof(std::int32_t));
}

void CudaBackend::copy_out_later(void* to, const void* from, size_t bytes) {
    if (bytes == 0) return;
    try {
        if (later_count_ == later_.size()) later_.emplace_back();
        Later& later = later_[later_count_];
        // Each by itself: where only one of them has no room, the other is not taken again and again.
        if (bytes > later.shadow_room) later.shadow = queue_.allocate(bytes), later.shadow_room = bytes;
        if (bytes > later.pinned_room) later.pinned = queue_.allocate_pinned(bytes), later.pinned_room = bytes;
        queue_.copy_out_beside(later.pinned, later.shadow, from, bytes);
        later.bytes = bytes;
        later.to = to;
        ++later_count_;
    } catch (const DeviceFailure&) {
        if (queue_.lost()) {
            later_count_ = 0;  // nobody may wait for the others' places any more
            throw;
        }
        copy_out(to, from, bytes);  // no memory for a shadow: now
    }
}

void CudaBackend::finish_downloads() {
    const size_t count = std::exchange(later_count_, 0);
    if (count == 0) return;
    queue_.wait_beside();
    for (size_t i = 0; i < count; ++i) std::memcpy(later_[i].to, later_[i].pinned, later_[i].bytes);
}

void* CudaBackend::scratch_bytes(size_t bytes, Scratch kind) {
    if (bytes > scratch_size_[kind]) {  // the one before stays: recorded steps may use it
        scratch_[kind] = queue_.allocate(bytes + bytes / 2);
        scratch_size_[kind] = bytes + bytes / 2;
    }
    return scratch_[kind];
}

void CudaBackend::join_updates(const T* weights) {
    if (updated_aside_.count(weights) == 0) return;
    updated_aside_.clear();
    joins_ = 1;
}

std::unique_ptr<StepPlan> CudaBackend::plan_step(const std::function<void()>& issue) {
    auto plan = std::make_unique<Plan>(*this);
    struct Recording {
        CudaBackend& on;
        ~Recording() { on.recording_ = nullptr, on.updated_aside_.clear(), on.aside_ = on.joins_ = 0; }
    };
    {
        const Recording recording{*this};
        recording_ = plan.get();
        issue();
    }
    plan->finish();
    return plan;
}

// --- launches

void CudaBackend::launch_task(const Task& task, const void* kernel, size_t size) {
    if (recording_ != nullptr) return recording_->launch(task, kernel, size);
    Task now = task;
    now.args = kernel;
    queue_.put(now);
}

void CudaBackend::check_below(const char* op, const char* name, Ids ids, size_t limit, const char* owner) {
    ids_.check_below(op, name, ids, limit, owner);
    if (recording_ != nullptr && ids_.was_uploaded(ids)) recording_->check_below(op, name, ids, limit, owner);
}

size_t CudaBackend::sort_room(size_t n) {
    return 4 * n + size_t(digits) * ((n + sort_chunk - 1) / sort_chunk);
}

// Digits of what is below `limit`.
static int passes_for(size_t limit) {
    int passes = 1;
    while (passes < 4 && (limit - 1) >> (passes * digit_bits) != 0) ++passes;
    return passes;
}

CudaBackend::Sorted CudaBackend::sort(const std::int32_t* keys, size_t n, size_t limit, std::int32_t* room) {
    const int passes = passes_for(limit);
    std::int32_t *keys_of[2] = {room, room + n}, *places_of[2] = {room + 2 * n, room + 3 * n};
    const Index count = Index(n), chunks = (count + sort_chunk - 1) / sort_chunk;
    if (count <= most_ranked) {
        launch(SortByRank{keys_of[0], places_of[0], keys, count}, (count + RankShared::keys - 1) / RankShared::keys);
        return {keys_of[0], places_of[0]};
    }
    auto* counts = reinterpret_cast<Index*>(room + 4 * n);
    const std::int32_t *from = keys, *from_places = nullptr;
    int to = 1;
    for (int pass = 0; pass < passes; ++pass) {
        to = 1 - to;
        const int shift = pass * digit_bits;
        launch(CountDigits{counts, from, count, chunks, shift}, chunks);
        launch(PlaceDigits{counts, chunks}, 1);
        launch(MoveDigits{keys_of[to], places_of[to], from, from_places, counts, count, chunks, shift}, chunks);
        from = keys_of[to], from_places = places_of[to];
    }
    return {keys_of[to], places_of[to]};
}

// --- numbers

void CudaBackend::fill(Tensor<T> x, T value) {
    for_each(FillWith{x.raw(), value}, x.count());
}
void CudaBackend::add(Tensor<T> y, Tensor<T> x) {
    shapes::add(y, x);
    for_each(Accumulate{y.raw(), x.raw()}, y.count());
}
void CudaBackend::activate(Tensor<T> y, Tensor<T> x, Activation f) {
    shapes::activate(y, x);
    for_each(Activate{y.raw(), x.raw(), f}, y.count());
}
void CudaBackend::activate_backward(Tensor<T> dy, Tensor<T> x, Tensor<T> y, Activation f) {
    shapes::activate_backward(dy, x, y);
    for_each(ActivateBackward{dy.raw(), x.raw(), y.raw(), f}, y.count());
}

void CudaBackend::adam(Tensor<T> w, Tensor<T> g, Tensor<T> m, Tensor<T> v, Tensor<T> rate) {
    shapes::adam(w, g, m, v, rate);
    for_each(AdamOf{{w.raw(), g.raw(), m.raw(), v.raw(), rate.raw()}}, w.count());
}
void CudaBackend::adam_of_squares(Tensor<T> w, Tensor<T> g, Tensor<T> squares, Tensor<T> m, Tensor<T> v,
                                  Tensor<T> rate) {
    shapes::adam_of_squares(w, g, squares, m, v, rate);
    for_each(AdamOfSquares{{w.raw(), g.raw(), m.raw(), v.raw(), rate.raw()}, squares.raw()}, w.count());
}

// --- words

void CudaBackend::embedding_mean(Tensor<T> y, Ids ids, Tensor<T> table, bool mask) {
    shapes::embedding_mean(y, ids, table);
    check_below("embedding_mean", "ids", ids, table.dim(0), "the table");
    for_each(EmbeddingMeanOf{y.raw(), ids.raw(), table.raw(), Index(ids.dim(1)), Index(table.dim(1)), mask}, y.count());
}

void CudaBackend::add_by_word(Tensor<T> sums, Tensor<T> dy, Ids ids, bool mask, bool square) {
    const size_t N = ids.dim(0), n = ids.count();
    if (n == 0) return;
    auto* counts = static_cast<float*>(scratch_bytes((N + sort_room(n)) * sizeof(float)));
    if (mask) for_each(TokensInMean{counts, ids.raw(), Index(ids.dim(1))}, N);
    const Sorted sorted = sort(ids.raw(), n, sums.dim(0), reinterpret_cast<std::int32_t*>(counts + N));
    launch(AddByWord{sums.raw(), dy.raw(), mask ? counts : nullptr, sorted.keys, sorted.places, Index(n),
                     Index(ids.dim(1)), Index(sums.dim(1)), mask, square},
           Index(n));
}
void CudaBackend::embedding_mean_backward(Tensor<T> dtable, Tensor<T> dy, Ids ids, bool mask) {
    shapes::embedding_mean_backward(dtable, dy, ids);
    check_below("embedding_mean_backward", "ids", ids, dtable.dim(0), "the table");
    add_by_word(dtable, dy, ids, mask, false);
}
void CudaBackend::embedding_mean_squares(Tensor<T> squares, Tensor<T> dy, Ids ids, bool mask) {
    shapes::embedding_mean_squares(squares, dy, ids);
    check_below("embedding_mean_squares", "ids", ids, squares.dim(0), "squares");
    add_by_word(squares, dy, ids, mask, true);
}
void CudaBackend::embedding_mean_update(const Trained<T>& table, Tensor<T> dy, Ids ids, bool mask, Tensor<T> rate) {
    shapes::embedding_mean_update(table, dy, ids, rate);
    embedding_mean_backward(table.gradient, dy, ids, mask);
    adam(table.value, table.gradient, table.m, table.v, rate);
}

void CudaBackend::mean_tokens(Tensor<T> y, Tensor<T> x, Ids ids, bool mask) {
    shapes::mean_tokens(y, x, ids);
    for_each(MeanOfTokens{y.raw(), x.raw(), ids.raw(), Index(ids.dim(1)), Index(y.dim(1)), mask}, y.count());
}
void CudaBackend::mean_tokens_backward(Tensor<T> dx, Tensor<T> dy, Ids ids, bool mask) {
    shapes::mean_tokens_backward(dx, dy, ids);
    const Index tokens = Index(ids.dim(1)), D = Index(dy.dim(1));
    auto* counts = static_cast<float*>(scratch_bytes(std::max<size_t>(ids.dim(0), 1) * sizeof(float)));
    if (mask) for_each(TokensInMean{counts, ids.raw(), tokens}, ids.dim(0));
    for_each(MeanOfTokensBackward{dx.raw(), dy.raw(), ids.raw(), mask ? counts : nullptr, tokens, D, mask}, dx.count());
}

// --- routing

void CudaBackend::softmax(Tensor<T> probs, Tensor<T> logits) {
    shapes::softmax(probs, logits);
    const Index E = Index(logits.dim(1));
    if (probs.count() == 0) return;
    if (E <= short_row)
        for_each(SoftmaxOfShortRow{probs.raw(), logits.raw(), E}, logits.dim(0));
    else
        launch(SoftmaxOfRow{probs.raw(), logits.raw(), E}, Index(logits.dim(0)));
}
void CudaBackend::softmax_backward(Tensor<T> dlogits, Tensor<T> dprobs, Tensor<T> probs) {
    shapes::softmax_backward(dlogits, dprobs, probs);
    const Index E = Index(probs.dim(1));
    if (E <= short_row)
        for_each(SoftmaxBackwardOfShortRow{dlogits.raw(), dprobs.raw(), probs.raw(), E}, probs.dim(0));
    else
        launch(SoftmaxBackwardOfRow{dlogits.raw(), dprobs.raw(), probs.raw(), E}, Index(probs.dim(0)));
}

void CudaBackend::top_k(Ids indices, Tensor<T> logits) {
    shapes::top_k(indices, logits);
    for_each(TopK{indices.raw(), logits.raw(), Index(logits.dim(1)), Index(indices.dim(1))}, logits.count());
    ids_.written(indices, logits.dim(1));
}
void CudaBackend::all_experts(Ids indices) {
    shapes::all_experts(indices);
    for_each(EveryExpert{indices.raw(), Index(indices.dim(1))}, indices.count());
    ids_.written(indices, indices.dim(1));
}
void CudaBackend::select(Tensor<T> y, Tensor<T> x, Ids indices) {
    shapes::select(y, x, indices);
    check_below("select", "indices", indices, x.dim(1), "x");
    for_each(SelectFrom{y.raw(), x.raw(), indices.raw(), Index(x.dim(1)), Index(indices.dim(1))}, y.count());
}
void CudaBackend::select_backward(Tensor<T> dx, Tensor<T> dy, Ids indices) {
    shapes::select_backward(dx, dy, indices);
    check_below("select_backward", "indices", indices, dx.dim(1), "dx");
    for_each(SelectBackward{dx.raw(), dy.raw(), indices.raw(), Index(dx.dim(1)), Index(indices.dim(1))}, dx.dim(0));
}

void CudaBackend::dispatch(Ids offsets, Ids row_tokens, Ids positions, Ids indices) {
    shapes::dispatch(offsets, row_tokens, positions, indices);
    const size_t E = offsets.dim(0) - 1, R = indices.count();
    check_below("dispatch", "indices", indices, E, "the mixture");
    const DispatchTo to{offsets.raw(), row_tokens.raw(), positions.raw(), Index(E), Index(indices.dim(1)), Index(R)};
    if (R <= most_ranked) {
        launch(DispatchByRank{to, indices.raw()}, Index((R + E + RankShared::keys) / RankShared::keys));
    } else {
        auto* room = static_cast<std::int32_t*>(scratch_bytes(sort_room(R) * sizeof(std::int32_t)));
        const Sorted sorted = sort(indices.raw(), R, E, room);
        for_each(DispatchSorted{to, sorted.keys, sorted.places}, std::max(R, E + 1));
    }
    ids_.written(offsets, R + 1, R);
    ids_.written(row_tokens, std::max<size_t>(indices.dim(0), 1));
    ids_.written(positions, std::max<size_t>(R, 1));
}

void CudaBackend::gather_rows(Tensor<T> rows, Tensor<T> x, Ids row_tokens) {
    shapes::gather_rows(rows, x, row_tokens);
    check_below("gather_rows", "row_tokens", row_tokens, x.dim(0), "x");
    for_each(GatherRows{rows.raw(), x.raw(), row_tokens.raw(), Index(x.dim(1))}, rows.count());
}
void CudaBackend::gather_rows_backward(Tensor<T> dx, Tensor<T> drows, Ids positions) {
    shapes::gather_rows_backward(dx, drows, positions);
    check_below("gather_rows_backward", "positions", positions, drows.dim(0), "drows");
    for_each(GatherRowsBackward{dx.raw(), drows.raw(), positions.raw(), Index(positions.dim(1)), Index(dx.dim(1))},
             dx.count());
}

void CudaBackend::combine(Tensor<T> y, Tensor<T> weights, Tensor<T> rows, Ids positions) {
    shapes::combine(y, weights, rows, positions);
    check_below("combine", "positions", positions, rows.dim(0), "rows");
    for_each(Combine{y.raw(), weights.raw(), rows.raw(), positions.raw(), Index(positions.dim(1)), Index(y.dim(1))},
             y.count());
}
void CudaBackend::combine_backward(Tensor<T> dweights, Tensor<T> drows, Tensor<T> dy, Tensor<T> weights, Tensor<T> rows,
                                   Ids positions) {
    shapes::combine_backward(dweights, drows, dy, weights, rows, positions);
    check_below("combine_backward", "positions", positions, rows.dim(0), "rows");
    launch(CombineBackward{dweights.raw(), drows.raw(), dy.raw(), weights.raw(), rows.raw(), positions.raw(),
                           Index(positions.dim(1)), Index(dy.dim(1))},
           Index(positions.count()));
}

void CudaBackend::balance_loss(Tensor<T> loss, Tensor<T> dprobs, Tensor<T> probs, Ids indices, T weight, Ids words) {
    shapes::balance_loss(loss, dprobs, probs, indices, words);
    const size_t E = probs.dim(1);
    auto* parts = static_cast<double*>(scratch_bytes(E * sizeof(double)));
    launch(BalanceOfExpert{parts, dprobs.raw(), probs.raw(), indices.raw(), words.raw(), weight, Index(probs.dim(0)),
                           Index(E), Index(indices.dim(1))},
           Index(E));
    launch(SumOfParts{loss.raw(), nullptr, parts, nullptr, double(weight) * double(E), Index(E)}, 1);
}

void CudaBackend::expert_load(Tensor<T> load, Tensor<T> weights, Ids indices, Ids words) {
    shapes::expert_load(load, weights, indices, words);
    check_below("expert_load", "indices", indices, load.dim(0), "load");
    const Aside aside(*this);
    launch(LoadOfExpert{load.raw(), weights.raw(), indices.raw(), words.raw(), Index(indices.count()),
                        Index(indices.dim(1))},
           Index(load.count()));
}

void CudaBackend::softmax_cross_entropy(Tensor<T> loss, Tensor<T> correct, Tensor<T> logits, Ids targets) {
    shapes::softmax_cross_entropy(loss, correct, logits, targets);
    const size_t N = logits.dim(0), V = logits.dim(1);
    check_below("softmax_cross_entropy", "targets", targets, V, "logits");
    auto* losses =
        static_cast<double*>(scratch_bytes(std::max<size_t>(N, 1) * (sizeof(double) + sizeof(Index)), of_loss));
    auto* right = reinterpret_cast<Index*>(losses + N);
    launch(CrossEntropyOfRow{losses, right, logits.raw(), targets.raw(), Index(N), Index(V)}, Index(N));
    const Aside aside(*this);
    launch(SumOfParts{loss.raw(), correct.raw(), losses, right, N == 0 ? 0.0 : 1 / double(N), Index(N)}, 1);
}

}  // namespace moe::cuda
