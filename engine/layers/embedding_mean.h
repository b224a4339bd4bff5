#pragma once
#include "engine/layers/parameters.h"

namespace moe {

/// Embedding and GlobalAveragePooling1D in one: y[n] = mean over t of table[ids[n][t]]. Without a mask padding (id 0)
/// is averaged in, as in Keras with mask_zero=False; with it the mean runs over the words alone.
template <class T>
class EmbeddingMean {
public:
    struct Context {
        Ids ids;         // (N, T)
        Tensor<T> mean;  // (N, D)
    };

    EmbeddingMean(Backend<T>& backend, const Parameters<T>& parameters, std::size_t max_examples, bool mask)
        : backend_(backend),
          table_(parameters.find("embedding")),
          mask_(mask),
          mean_(backend.allocate({{max_examples, table_.value.dim(1), 1}})) {}

    Context forward(Ids ids) {
        const Context c{ids, mean_.first(ids.dim(0))};
        backend_.embedding_mean(c.mean, ids, table_.value, mask_);
        return c;
    }
    /// With a rate (1) the table is updated on the way.
    void backward(Tensor<T> dmean, const Context& c, Tensor<T> rate = {}) {
        if (rate && !table_.squares) return backend_.embedding_mean_update(table_.trained(), dmean, c.ids, mask_, rate);
        backend_.embedding_mean_backward(table_.gradient, dmean, c.ids, mask_);
        if (!table_.squares) return;
        backend_.embedding_mean_squares(table_.squares, dmean, c.ids, mask_);
        if (rate) backend_.adam_of_squares(table_.value, table_.gradient, table_.squares, table_.m, table_.v, rate);
    }

private:
    Backend<T>& backend_;
    typename Parameters<T>::Entry table_;  // (V, D)
    bool mask_;
    Tensor<T> mean_;
};

}  // namespace moe
