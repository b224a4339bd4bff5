#pragma once
// C++17: the CUDA module is compiled from this header too.
#include "engine/backend/tensor.h"
#include "engine/core/error.h"

#include <string>

namespace moe {

/// Holds one op's tensors against its signature, letter by letter as backend.h writes it, so that every backend refuses
/// wrong shapes with the same sentence: "[dense] x is (8,32) but w is (64,11): the I of both must be equal."
/// Allocates only when it throws.
class ShapeCheck {
public:
    explicit ShapeCheck(const char* op) : op_(op) {}

    /// `signature`: a letter a dimension ("NI"), '1' for a size of one, '+' for the size of E plus one.
    template <class T>
    ShapeCheck& operator()(const char* name, const Tensor<T>& tensor, const char* signature) {
        check(name, tensor.shape(), tensor.raw() != nullptr, signature);
        return *this;
    }

    /// The size `small` is at most the size `large`; both were seen before.
    ShapeCheck& not_above(char small, char large) {
        const Seen &a = seen(small), &b = seen(large);
        if (a.size > b.size)
            fail(describe(a) + " but " + describe(b) + ": " + small + " must not be above " + large + ".");
        return *this;
    }

    /// The letter `product` is the product of the two others.
    ShapeCheck& product(char product, char left, char right) {
        const Seen &p = seen(product), &a = seen(left), &b = seen(right);
        if (p.size != a.size * b.size)
            fail(describe(p) + " but " + describe(a) + (a.name == b.name ? "" : " and " + describe(b)) + ": " +
                 product + " must be " + left + " times " + right + ".");
        return *this;
    }

private:
    struct Seen {
        char letter;
        const char* name;
        const char* signature;
        const Shape* shape;
        std::size_t size;
    };

    /// The first tensor with this letter; a fresh one where there was none.
    Seen& seen(char letter) {
        for (std::size_t i = 0; i < most_letters; ++i) {
            Seen& s = seen_[i];
            if (i == count_) {
                ++count_;
                s.letter = letter;
                s.name = nullptr;
                return s;
            }
            if (s.letter == letter) return s;
        }
        fail("has more letters than a shape check remembers.");
    }

    void check(const char* name, const Shape& shape, bool memory, const char* signature) {
        std::size_t rank = 0;
        for (; signature[rank] != '\0'; ++rank) {
            const char letter = signature[rank];
            const std::size_t size = shape.size[rank];
            if (letter == '1' || letter == '+') {
                const std::size_t wanted = letter == '1' ? 1 : seen('E').size + 1;
                if (size != wanted)
                    fail(text(name, shape, signature) + ", where it must be (" + std::to_string(wanted) + ").");
                continue;
            }
            Seen& first = seen(letter);
            if (first.name == nullptr)
                first = {letter, name, signature, &shape, size};
            else if (first.size != size)
                fail(describe(first) + " but " + text(name, shape, signature) + ": the " + letter +
                     " of both must be equal.");
        }
        for (std::size_t i = rank; i < shape.size.size(); ++i)
            if (shape.size[i] != 1)
                fail(text(name, shape, "...") + ", which has more than its " + std::to_string(rank) + " dimensions.");
        if (!memory && shape.count() != 0)
            fail(text(name, shape, signature) + " but has no memory: allocate it first.");
    }

    static std::string text(const char* name, const Shape& shape, const char* signature) {
        std::string sizes;
        for (std::size_t i = 0; signature[i] != '\0'; ++i) sizes += (i == 0 ? "" : ",") + std::to_string(shape.size[i]);
        return std::string(name) + " is (" + sizes + ")";
    }
    static std::string describe(const Seen& s) { return text(s.name, *s.shape, s.signature); }
    [[noreturn]] void fail(const std::string& what) const { throw Error("[" + std::string(op_) + "] " + what); }

    static constexpr std::size_t most_letters = 8;
    const char* op_;
    std::size_t count_ = 0;
    Seen seen_[most_letters];  // the first count_ of them
};

/// One function an op: what backend.h says about its shapes, for every backend.
namespace shapes {

template <class T>
void embedding_mean(const Tensor<T>& y, const Ids& ids, const Tensor<T>& table) {
    ShapeCheck("embedding_mean")("ids", ids, "NT")("table", table, "VD")("y", y, "ND");
}
template <class T>
void embedding_mean_backward(const Tensor<T>& dtable, const Tensor<T>& dy, const Ids& ids) {
    ShapeCheck("embedding_mean_backward")("ids", ids, "NT")("dtable", dtable, "VD")("dy", dy, "ND");
}
template <class T>
void embedding_mean_squares(const Tensor<T>& squares, const Tensor<T>& dy, const Ids& ids) {
    ShapeCheck("embedding_mean_squares")("ids", ids, "NT")("squares", squares, "VD")("dy", dy, "ND");
}
template <class T>
void mean_tokens(const Tensor<T>& y, const Tensor<T>& x, const Ids& ids) {
    ShapeCheck("mean_tokens")("ids", ids, "NT")("x", x, "RD")("y", y, "ND").product('R', 'N', 'T');
}
template <class T>
void mean_tokens_backward(const Tensor<T>& dx, const Tensor<T>& dy, const Ids& ids) {
    ShapeCheck("mean_tokens_backward")("ids", ids, "NT")("dx", dx, "RD")("dy", dy, "ND").product('R', 'N', 'T');
}
template <class T>
void dense(const Tensor<T>& y, const Tensor<T>& x, const Tensor<T>& w, const Tensor<T>& b) {
    ShapeCheck("dense")("x", x, "NI")("w", w, "IO")("b", b, "O")("y", y, "NO");
}
template <class T>
void dense_backward(const Tensor<T>& dx, const Tensor<T>& dw, const Tensor<T>& db, const Tensor<T>& dy,
                    const Tensor<T>& x, const Tensor<T>& w) {
    ShapeCheck check("dense_backward");
    check("x", x, "NI")("w", w, "IO")("dy", dy, "NO")("dw", dw, "IO")("db", db, "O");
    if (dx) check("dx", dx, "NI");
}
template <class T>
void grouped_dense(const Tensor<T>& y, const Tensor<T>& x, const Tensor<T>& w, const Tensor<T>& b, const Ids& offsets) {
    ShapeCheck("grouped_dense")("x", x, "RI")("w", w, "EIO")("b", b, "EO")("offsets", offsets, "+")("y", y, "RO");
}
template <class T>
void grouped_dense_backward(const Tensor<T>& dx, const Tensor<T>& dw, const Tensor<T>& db, const Tensor<T>& dy,
                            const Tensor<T>& x, const Tensor<T>& w, const Ids& offsets) {
    ShapeCheck check("grouped_dense_backward");
    check("x", x, "RI")("w", w, "EIO")("dy", dy, "RO")("dw", dw, "EIO")("db", db, "EO")("offsets", offsets, "+");
    if (dx) check("dx", dx, "RI");
}
template <class T>
void experts(const Tensor<T>& sums, const Tensor<T>& hidden, const Tensor<T>& y, const Tensor<T>& x,
             const Tensor<T>& w1, const Tensor<T>& b1, const Tensor<T>& w2, const Tensor<T>& b2, const Ids& offsets) {
    ShapeCheck("experts")("x", x, "RD")("w1", w1, "EDH")("b1", b1, "EH")("w2", w2, "EHD")("b2", b2, "ED")(
        "offsets", offsets, "+")("sums", sums, "RH")("hidden", hidden, "RH")("y", y, "RD");
}
template <class T>
void experts_backward(const Tensor<T>& dx, const Tensor<T>& dhidden, const Tensor<T>& dw1, const Tensor<T>& db1,
                      const Tensor<T>& dw2, const Tensor<T>& db2, const Tensor<T>& dy, const Tensor<T>& x,
                      const Tensor<T>& sums, const Tensor<T>& hidden, const Tensor<T>& w1, const Tensor<T>& w2,
                      const Ids& offsets) {
    ShapeCheck("experts_backward")("x", x, "RD")("w1", w1, "EDH")("w2", w2, "EHD")("offsets", offsets, "+")(
        "sums", sums, "RH")("hidden", hidden, "RH")("dy", dy, "RD")("dw1", dw1, "EDH")("db1", db1, "EH")(
        "dw2", dw2, "EHD")("db2", db2, "ED")("dhidden", dhidden, "RH")("dx", dx, "RD");
}
template <class T>
void add(const Tensor<T>& y, const Tensor<T>& x) {
    ShapeCheck("add")("y", y, "ABC")("x", x, "ABC");
}
template <class T>
void activate(const Tensor<T>& y, const Tensor<T>& x) {
    ShapeCheck("activate")("y", y, "ABC")("x", x, "ABC");
}
template <class T>
void activate_backward(const Tensor<T>& dy, const Tensor<T>& x, const Tensor<T>& y) {
    ShapeCheck("activate_backward")("dy", dy, "ABC")("x", x, "ABC")("y", y, "ABC");
}
template <class T>
void softmax(const Tensor<T>& probs, const Tensor<T>& logits) {
    ShapeCheck("softmax")("logits", logits, "NE")("probs", probs, "NE");
}
template <class T>
void softmax_backward(const Tensor<T>& dlogits, const Tensor<T>& dprobs, const Tensor<T>& probs) {
    ShapeCheck("softmax_backward")("probs", probs, "NE")("dprobs", dprobs, "NE")("dlogits", dlogits, "NE");
}
template <class T>
void top_k(const Ids& indices, const Tensor<T>& logits) {
    ShapeCheck("top_k")("indices", indices, "NK")("logits", logits, "NE").not_above('K', 'E');
}
inline void all_experts(const Ids& indices) {
    ShapeCheck("all_experts")("indices", indices, "NE");
}
template <class T>
void select(const Tensor<T>& y, const Tensor<T>& x, const Ids& indices) {
    ShapeCheck("select")("indices", indices, "NK")("x", x, "NE")("y", y, "NK").not_above('K', 'E');
}
template <class T>
void select_backward(const Tensor<T>& dx, const Tensor<T>& dy, const Ids& indices) {
    ShapeCheck("select_backward")("indices", indices, "NK")("dy", dy, "NK")("dx", dx, "NE").not_above('K', 'E');
}
inline void dispatch(const Ids& offsets, const Ids& row_tokens, const Ids& positions, const Ids& indices) {
    ShapeCheck("dispatch")("indices", indices, "NK")("positions", positions, "NK")("row_tokens", row_tokens, "R")
        .product('R', 'N', 'K');
    ShapeCheck("dispatch")("offsets", offsets, "F");
    if (offsets.dim(0) < 2)
        throw Error("[dispatch] offsets has no expert: give it one entry more than there are experts.");
}
template <class T>
void gather_rows(const Tensor<T>& rows, const Tensor<T>& x, const Ids& row_tokens) {
    ShapeCheck("gather_rows")("x", x, "ND")("row_tokens", row_tokens, "R")("rows", rows, "RD");
}
template <class T>
void gather_rows_backward(const Tensor<T>& dx, const Tensor<T>& drows, const Ids& positions) {
    ShapeCheck("gather_rows_backward")("dx", dx, "ND")("positions", positions, "NK")("drows", drows, "RD")
        .product('R', 'N', 'K');
}
template <class T>
void combine(const Tensor<T>& y, const Tensor<T>& weights, const Tensor<T>& rows, const Ids& positions) {
    ShapeCheck("combine")("weights", weights, "NK")("positions", positions, "NK")("rows", rows, "RD")("y", y, "ND")
        .product('R', 'N', 'K');
}
template <class T>
void combine_backward(const Tensor<T>& dweights, const Tensor<T>& drows, const Tensor<T>& dy, const Tensor<T>& weights,
                      const Tensor<T>& rows, const Ids& positions) {
    ShapeCheck check("combine_backward");
    check("weights", weights, "NK")("positions", positions, "NK")("rows", rows, "RD")("dy", dy, "ND");
    check("dweights", dweights, "NK")("drows", drows, "RD").product('R', 'N', 'K');
}
template <class T>
void balance_loss(const Tensor<T>& loss, const Tensor<T>& dprobs, const Tensor<T>& probs, const Ids& indices,
                  const Ids& words) {
    ShapeCheck check("balance_loss");
    check("probs", probs, "NE")("indices", indices, "NK")("loss", loss, "1")("dprobs", dprobs, "NE");
    if (words) check("words", words, "N");
    check.not_above('K', 'E');
}
template <class T>
void expert_load(const Tensor<T>& load, const Tensor<T>& weights, const Ids& indices, const Ids& words) {
    ShapeCheck check("expert_load");
    check("weights", weights, "NK")("indices", indices, "NK")("load", load, "E");
    if (words) check("words", words, "N");
}
template <class T>
void softmax_cross_entropy(const Tensor<T>& loss, const Tensor<T>& correct, const Tensor<T>& logits,
                           const Ids& targets) {
    ShapeCheck("softmax_cross_entropy")("logits", logits, "NV")("targets", targets, "N")("loss", loss, "1")(
        "correct", correct, "1");
}
template <class T>
void adam(const Tensor<T>& w, const Tensor<T>& g, const Tensor<T>& m, const Tensor<T>& v, const Tensor<T>& rate) {
    ShapeCheck("adam")("w", w, "ABC")("g", g, "ABC")("m", m, "ABC")("v", v, "ABC")("rate", rate, "1");
}
/// A parameter's four tensors, all of `signature`.
template <class P>
void trained(ShapeCheck& check, const P& p, const char* value, const char* gradient, const char* m, const char* v,
             const char* signature) {
    check(value, p.value, signature)(gradient, p.gradient, signature)(m, p.m, signature)(v, p.v, signature);
}
template <class T, class P>
void dense_update(const Tensor<T>& dx, const P& w, const P& b, const Tensor<T>& dy, const Tensor<T>& x,
                  const Tensor<T>& rate) {
    ShapeCheck check("dense_update");
    check("x", x, "NI")("dy", dy, "NO")("rate", rate, "1");
    trained(check, w, "w", "dw", "m of w", "v of w", "IO");
    trained(check, b, "b", "db", "m of b", "v of b", "O");
    if (dx) check("dx", dx, "NI");
}
template <class T, class P>
void grouped_dense_update(const Tensor<T>& dx, const P& w, const P& b, const Tensor<T>& dy, const Tensor<T>& x,
                          const Ids& offsets, const Tensor<T>& rate) {
    ShapeCheck check("grouped_dense_update");
    check("x", x, "RI")("dy", dy, "RO")("rate", rate, "1");
    trained(check, w, "w", "dw", "m of w", "v of w", "EIO");
    trained(check, b, "b", "db", "m of b", "v of b", "EO");
    check("offsets", offsets, "+");
    if (dx) check("dx", dx, "RI");
}
template <class T, class P>
void experts_update(const Tensor<T>& dx, const Tensor<T>& dhidden, const P& w1, const P& b1, const P& w2, const P& b2,
                    const Tensor<T>& dy, const Tensor<T>& x, const Tensor<T>& sums, const Tensor<T>& hidden,
                    const Ids& offsets, const Tensor<T>& rate) {
    ShapeCheck check("experts_update");
    check("x", x, "RD");
    trained(check, w1, "w1", "dw1", "m of w1", "v of w1", "EDH");
    trained(check, b1, "b1", "db1", "m of b1", "v of b1", "EH");
    trained(check, w2, "w2", "dw2", "m of w2", "v of w2", "EHD");
    trained(check, b2, "b2", "db2", "m of b2", "v of b2", "ED");
    check("offsets", offsets, "+")("sums", sums, "RH")("hidden", hidden, "RH")("dy", dy, "RD")("dhidden", dhidden, "RH")(
        "dx", dx, "RD")("rate", rate, "1");
}
template <class T, class P>
void embedding_mean_update(const P& table, const Tensor<T>& dy, const Ids& ids, const Tensor<T>& rate) {
    ShapeCheck check("embedding_mean_update");
    check("ids", ids, "NT")("dy", dy, "ND")("rate", rate, "1");
    trained(check, table, "table", "dtable", "m of the table", "v of the table", "VD");
}
template <class T>
void adam_of_squares(const Tensor<T>& w, const Tensor<T>& g, const Tensor<T>& squares, const Tensor<T>& m,
                     const Tensor<T>& v, const Tensor<T>& rate) {
    ShapeCheck("adam_of_squares")("w", w, "ABC")("g", g, "ABC")("squares", squares, "ABC")("m", m, "ABC")(
        "v", v, "ABC")("rate", rate, "1");
}

}  // namespace shapes
}  // namespace moe
