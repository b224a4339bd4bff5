#pragma once
// One table of all ops: a row says an op's signature once, and whatever checks gradients, agreement and shapes walks
// it.
#include "engine/backend/backend.h"
#include "engine/core/error.h"
#include "engine/core/rng.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <map>
#include <numeric>
#include <set>
#include <string>
#include <vector>

namespace moe::ops {

/// What is in a tensor before an op sees it.
enum class Content {
    numbers,    // normal: a uniform spread around zero
    positive,   // a softmax's output, a velocity
    written,    // rubbish that an op must overwrite
    added_to,   // numbers that an op must add to
    zero,       // a gradient that an op leaves at zero
    cotangent,  // the loss's derivative by the output: random weights of its entries
    one,        // a loss's own cotangent
    ids,        // [0, V)
    targets,    // [0, V)
    indices,    // K different experts a row
    offsets,    // the three that follow from `indices` by counting sort
    row_tokens,
    positions,
};

struct Arg {
    std::string name;
    std::string letters;  // "NI"; '1' is a size of one, '+' is E + 1
    Content content = Content::numbers;
};

/// Sizes by letter, and how the data is drawn. R = N*K, M = N*T.
struct Sizes {
    std::string name;
    std::map<char, std::size_t> size;
    bool one_expert = false;  // all tokens to expert 0 (and the next ones where K > 1): the others are empty
    double scale = 1;         // of `numbers`

    std::size_t of(char letter) const {
        if (letter == '1') return 1;
        if (letter == '+') return size.at('E') + 1;
        if (letter == 'M') return size.at('N') * size.at('T');
        if (letter == 'H') return size.at('O');  // an expert's hidden units
        return letter == 'R' ? size.at('N') * size.at('K') : size.at(letter);
    }
};

inline bool is_ids(Content c) {
    return c >= Content::ids;
}

/// One op's tensors on one backend. Calls ask for them by name; asking is noted, for the tests of shapes.
template <class T>
class Io {
public:
    Io(Backend<T>& on, const std::vector<Arg>& args, const Sizes& sizes, std::uint64_t seed) : backend(on) {
        for (const Arg& a : args) {
            Shape shape;
            for (std::size_t i = 0; i < a.letters.size(); ++i) shape.size[i] = sizes.of(a.letters[i]);
            if (is_ids(a.content))
                ids_[a.name] = backend.allocate_ids(shape);
            else
                tensors_[a.name] = backend.allocate(shape);
            draw(a, sizes, shape, seed);
        }
    }

    Tensor<T> operator()(const std::string& name) {
        touched.insert(name);
        return tensors_.at(name);
    }
    Ids ids(const std::string& name) {
        touched.insert(name);
        return ids_.at(name);
    }
    void copy(const std::string& to, const std::string& from) {
        if (tensors_.at(to).count() == tensors_.at(from).count()) set(to, get(from));
    }
    void upload_ids(const std::string& name, const std::vector<std::int32_t>& values) {
        backend.upload(ids_.at(name), values.data());
    }

    std::vector<T> get(const std::string& name) {
        std::vector<T> values(tensors_.at(name).count());
        backend.download(tensors_.at(name), values.data());
        return values;
    }
    std::vector<std::int32_t> get_ids(const std::string& name) {
        std::vector<std::int32_t> values(ids_.at(name).count());
        backend.download(ids_.at(name), values.data());
        return values;
    }
    void set(const std::string& name, const std::vector<T>& values) {
        if (values.size() != tensors_.at(name).count()) throw Error("The op table gives '" + name + "' another size.");
        backend.upload(tensors_.at(name), values.data());
    }
    /// The same memory under another shape, to see an op refuse it.
    void reshape(const std::string& name, Shape shape) {
        if (tensors_.count(name))
            tensors_[name] = Tensor<T>(tensors_[name].raw(), shape);
        else
            ids_[name] = Ids(ids_[name].raw(), shape);
    }
    Shape shape(const std::string& name) const {
        return tensors_.count(name) ? tensors_.at(name).shape() : ids_.at(name).shape();
    }

    Backend<T>& backend;
    std::set<std::string> touched;

private:
    void draw(const Arg& a, const Sizes& sizes, Shape shape, std::uint64_t seed) {
        const std::size_t count = shape.count();
        Rng rng(seed, std::hash<std::string>{}(a.name));
        if (is_ids(a.content)) {
            std::vector<std::int32_t> values(count);
            if (a.content == Content::ids || a.content == Content::targets) {
                for (auto& v : values) v = std::int32_t(rng.below(sizes.of('V')));
                if (a.content == Content::ids)  // padding in front, as pad_sequences does, and one row of nothing else
                    for (std::size_t i = 0; i < count; ++i)
                        if (i % shape.size[1] < shape.size[1] / 3 || i < shape.size[1]) values[i] = 0;
            } else {
                const std::size_t N = sizes.of('N'), K = sizes.of('K'), E = sizes.of('E');
                std::vector<std::int32_t> indices, offsets(E + 1), tokens(N * K), positions(N * K);
                Rng same(seed, 77);
                for (std::size_t n = 0; n < N; ++n) {
                    std::vector<std::int32_t> experts(E);
                    std::iota(experts.begin(), experts.end(), 0);
                    if (!sizes.one_expert)
                        for (std::size_t i = E; i > 1; --i) std::swap(experts[i - 1], experts[same.below(i)]);
                    indices.insert(indices.end(), experts.begin(), experts.begin() + std::ptrdiff_t(K));
                }
                std::size_t row = 0;  // by definition, not by counting sort
                for (std::size_t e = 0; e < E; ++e) {
                    offsets[e] = std::int32_t(row);
                    for (std::size_t i = 0; i < N * K; ++i)
                        if (indices[i] == std::int32_t(e)) {
                            positions[i] = std::int32_t(row);
                            tokens[row++] = std::int32_t(i / K);
                        }
                }
                offsets[E] = std::int32_t(row);
                values = a.content == Content::indices      ? indices
                         : a.content == Content::offsets    ? offsets
                         : a.content == Content::row_tokens ? tokens
                                                            : positions;
            }
            if (count > 0) backend.upload(ids_.at(a.name), values.data());
            return;
        }
        std::vector<T> values(count);
        for (T& v : values) {
            const double u = rng.uniform();
            switch (a.content) {
                case Content::numbers:
                    v = T((2 * u - 1) * sizes.scale);
                    break;
                case Content::positive:
                    v = T(u + 0.01);
                    break;
                case Content::written:
                    v = T(1e3 + u);
                    break;
                case Content::one:
                    v = T(1);
                    break;
                case Content::zero:
                    v = T(0);
                    break;
                default:
                    v = T(2 * u - 1);
                    break;
            }
        }
        backend.upload(tensors_.at(a.name), values.data());
    }

    std::map<std::string, Tensor<T>> tensors_;
    std::map<std::string, Ids> ids_;
};

/// A call that runs on either scalar type.
struct Call {
    Call() = default;
    template <class F>
    Call(F f) : on_double(f), on_float(f) {}
    void operator()(Io<double>& io) const { on_double(io); }
    void operator()(Io<float>& io) const { on_float(io); }
    explicit operator bool() const { return bool(on_double); }
    std::function<void(Io<double>&)> on_double;
    std::function<void(Io<float>&)> on_float;
};

struct Wrt {
    std::string input, gradient;
};

struct Row {
    std::string name;
    std::vector<Arg> args;
    Call forward;
    std::string output, cotangent;  // loss = sum of cotangent * output
    Call backward;                  // empty: nothing to differentiate
    std::vector<Wrt> wrt;
    double slope_tolerance = 1e-10;  // NMSE against the reference in double, of what `backward` writes
    bool has_kink = false;           // points near zero are skipped in the gradient check
};

/// `in_place`: y takes the memory of x, as training has it where the slope shows in y.
inline Row experts_row(std::string name, Activation f, bool in_place) {
    using C = Content;
    const char* const sums = in_place ? "hidden" : "sums";
    Row row{std::move(name),
            {{"x", "RD"},
             {"w1", "EDH"},
             {"b1", "EH"},
             {"w2", "EHD"},
             {"b2", "ED"},
             {"offsets", "+", C::offsets},
             {"hidden", "RH", C::written},
             {"y", "RD", C::written},
             {"dy", "RD", C::cotangent},
             {"dhidden", "RH", C::written},
             {"dx", "RD", C::written},
             {"dw1", "EDH", C::written},
             {"db1", "EH", C::written},
             {"dw2", "EHD", C::written},
             {"db2", "ED", C::written}},
            [f, sums](auto& io) {
                io.backend.experts(io(sums), io("hidden"), io("y"), io("x"), io("w1"), io("b1"), io("w2"), io("b2"),
                                   io.ids("offsets"), f);
            },
            "y",
            "dy",
            [f, sums](auto& io) {
                io.backend.experts_backward(io("dx"), io("dhidden"), io("dw1"), io("db1"), io("dw2"), io("db2"),
                                            io("dy"), io("x"), io(sums), io("hidden"), io("w1"), io("w2"),
                                            io.ids("offsets"), f);
            },
            {{"x", "dx"}, {"w1", "dw1"}, {"b1", "db1"}, {"w2", "dw2"}, {"b2", "db2"}}};
    if (f == Activation::relu) {  // no differences across its kinks, which lie inside
        row.forward = [there = row.forward, back = row.backward](auto& io) { there(io), back(io); };
        row.backward = {};
        row.wrt.clear();
    }
    if (!in_place) row.args.push_back({"sums", "RH", C::written});
    return row;
}

inline Row activation_row(std::string name, Activation f, bool has_kink = false, bool in_place = false) {
    using C = Content;
    const std::string sums = in_place ? "y" : "x";
    return {std::move(name),
            {{"x", "ND"}, {"y", "ND", C::written}, {"dy", "ND", C::cotangent}, {"dx", "ND", C::written}},
            [=](auto& io) {
                if (in_place) io.copy("y", "x");
                io.backend.activate(io("y"), io(sums), f);
            },
            "y",
            "dy",
            [=](auto& io) {
                io.copy("dx", "dy");
                io.backend.activate_backward(io("dx"), io(sums), io("y"), f);
            },
            {{"x", "dx"}},
            // Where tanh is close to 1 its output has lost digits of the slope 1 - y^2, in Keras as here: not its own.
            f == Activation::tanh ? 1e-4 : 1e-10,
            has_kink};
}

template <class T>
Trained<T> trained(Io<T>& io, const std::string& name) {
    return {io(name), io("d" + name), io("m " + name), io("v " + name)};
}

/// An op that updates `parameters` on its way back.
template <class F>
Row update_row(std::string name, std::vector<Arg> args, const std::vector<Arg>& parameters, F call) {
    using C = Content;
    for (const Arg& p : parameters) {
        args.push_back(p);
        args.push_back({"d" + p.name, p.letters, C::zero});
        args.push_back({"m " + p.name, p.letters});
        args.push_back({"v " + p.name, p.letters, C::positive});
    }
    args.push_back({"rate", "1", C::positive});
    return {std::move(name), std::move(args), call, "", "", {}, {}};
}

/// `in_place` as experts_row() has it.
inline Row experts_update_row(std::string name, Activation f, bool in_place) {
    using C = Content;
    const char* const sums = in_place ? "hidden" : "sums";
    std::vector<Arg> args = {{"x", "RD"},
                             {"dy", "RD", C::cotangent},
                             {"offsets", "+", C::offsets},
                             {"hidden", "RH"},
                             {"dhidden", "RH", C::written},
                             {"dx", "RD", C::written}};
    if (!in_place) args.push_back({"sums", "RH"});
    return update_row(std::move(name), std::move(args), {{"w1", "EDH"}, {"b1", "EH"}, {"w2", "EHD"}, {"b2", "ED"}},
                      [f, sums](auto& io) {
                          io.backend.experts_update(io("dx"), io("dhidden"), trained(io, "w1"), trained(io, "b1"),
                                                    trained(io, "w2"), trained(io, "b2"), io("dy"), io("x"), io(sums),
                                                    io("hidden"), io.ids("offsets"), f, io("rate"));
                      });
}

inline Row mean_tokens_row(std::string name, bool mask) {
    using C = Content;
    return {std::move(name),
            {{"ids", "NT", C::ids},
             {"x", "MD"},
             {"y", "ND", C::written},
             {"dy", "ND", C::cotangent},
             {"dx", "MD", C::written}},
            [=](auto& io) { io.backend.mean_tokens(io("y"), io("x"), io.ids("ids"), mask); },
            "y",
            "dy",
            [=](auto& io) { io.backend.mean_tokens_backward(io("dx"), io("dy"), io.ids("ids"), mask); },
            {{"x", "dx"}}};
}

inline const std::vector<Row>& table() {
    using C = Content;
    static const std::vector<Row> rows = {
        {"embedding_mean",
         {{"ids", "NT", C::ids},
          {"table", "VD"},
          {"y", "ND", C::written},
          {"dy", "ND", C::cotangent},
          {"dtable", "VD", C::added_to}},
         [](auto& io) { io.backend.embedding_mean(io("y"), io.ids("ids"), io("table"), false); },
         "y",
         "dy",
         [](auto& io) { io.backend.embedding_mean_backward(io("dtable"), io("dy"), io.ids("ids"), false); },
         {{"table", "dtable"}}},
        {"embedding_mean masked",
         {{"ids", "NT", C::ids},
          {"table", "VD"},
          {"y", "ND", C::written},
          {"dy", "ND", C::cotangent},
          {"dtable", "VD", C::added_to}},
         [](auto& io) { io.backend.embedding_mean(io("y"), io.ids("ids"), io("table"), true); },
         "y",
         "dy",
         [](auto& io) { io.backend.embedding_mean_backward(io("dtable"), io("dy"), io.ids("ids"), true); },
         {{"table", "dtable"}}},
        mean_tokens_row("mean_tokens", false),
        mean_tokens_row("mean_tokens masked", true),
        {"dense",
         {{"x", "NI"},
          {"w", "IO"},
          {"b", "O"},
          {"y", "NO", C::written},
          {"dy", "NO", C::cotangent},
          {"dx", "NI", C::written},
          {"dw", "IO", C::written},
          {"db", "O", C::written}},
         [](auto& io) { io.backend.dense(io("y"), io("x"), io("w"), io("b")); },
         "y",
         "dy",
         [](auto& io) { io.backend.dense_backward(io("dx"), io("dw"), io("db"), io("dy"), io("x"), io("w")); },
         {{"x", "dx"}, {"w", "dw"}, {"b", "db"}}},
        {"dense without dx",
         {{"x", "NI"},
          {"w", "IO"},
          {"b", "O"},
          {"y", "NO", C::written},
          {"dy", "NO", C::cotangent},
          {"dw", "IO", C::written},
          {"db", "O", C::written}},
         [](auto& io) { io.backend.dense(io("y"), io("x"), io("w"), io("b")); },
         "y",
         "dy",
         [](auto& io) { io.backend.dense_backward({}, io("dw"), io("db"), io("dy"), io("x"), io("w")); },
         {{"w", "dw"}, {"b", "db"}}},
        {"grouped_dense",
         {{"x", "RI"},
          {"w", "EIO"},
          {"b", "EO"},
          {"offsets", "+", C::offsets},
          {"y", "RO", C::written},
          {"dy", "RO", C::cotangent},
          {"dx", "RI", C::written},
          {"dw", "EIO", C::written},
          {"db", "EO", C::written}},
         [](auto& io) { io.backend.grouped_dense(io("y"), io("x"), io("w"), io("b"), io.ids("offsets")); },
         "y",
         "dy",
         [](auto& io) {
             io.backend.grouped_dense_backward(io("dx"), io("dw"), io("db"), io("dy"), io("x"), io("w"),
                                               io.ids("offsets"));
         },
         {{"x", "dx"}, {"w", "dw"}, {"b", "db"}}},
        experts_row("experts linear", Activation::linear, false),
        experts_row("experts relu, sums and hidden in one", Activation::relu, true),
        {"add",
         {{"x", "ND"}, {"y0", "ND"}, {"y", "ND", C::written}},
         [](auto& io) {
             io.copy("y", "y0");
             io.backend.add(io("y"), io("x"));
         },
         "",
         "",
         {},
         {}},
        activation_row("activate relu", Activation::relu, true),
        activation_row("activate relu in place", Activation::relu, true, true),
        activation_row("activate linear", Activation::linear),
        activation_row("activate gelu", Activation::gelu),
        activation_row("activate gelu_tanh", Activation::gelu_tanh),
        activation_row("activate tanh", Activation::tanh),
        activation_row("activate tanh in place", Activation::tanh, false, true),
        {"softmax",
         {{"logits", "NE"}, {"probs", "NE", C::written}, {"dprobs", "NE", C::cotangent}, {"dlogits", "NE", C::written}},
         [](auto& io) { io.backend.softmax(io("probs"), io("logits")); },
         "probs",
         "dprobs",
         [](auto& io) { io.backend.softmax_backward(io("dlogits"), io("dprobs"), io("probs")); },
         {{"logits", "dlogits"}}},
        {"softmax in place",
         {{"logits", "NE"}, {"probs", "NE", C::written}, {"dprobs", "NE", C::cotangent}, {"dlogits", "NE", C::written}},
         [](auto& io) {
             io.copy("probs", "logits");
             io.backend.softmax(io("probs"), io("probs"));
         },
         "probs",
         "dprobs",
         [](auto& io) {
             io.copy("dlogits", "dprobs");
             io.backend.softmax_backward(io("dlogits"), io("dlogits"), io("probs"));
         },
         {{"logits", "dlogits"}}},
        {"top_k",
         {{"logits", "NE"}, {"chosen", "NK", C::indices}},
         [](auto& io) { io.backend.top_k(io.ids("chosen"), io("logits")); },
         "",
         "",
         {},
         {}},
        {"all_experts",
         {{"chosen", "NE", C::ids}},
         [](auto& io) { io.backend.all_experts(io.ids("chosen")); },
         "",
         "",
         {},
         {}},
        {"select",
         {{"x", "NE"},
          {"indices", "NK", C::indices},
          {"y", "NK", C::written},
          {"dy", "NK", C::cotangent},
          {"dx", "NE", C::added_to}},
         [](auto& io) { io.backend.select(io("y"), io("x"), io.ids("indices")); },
         "y",
         "dy",
         [](auto& io) { io.backend.select_backward(io("dx"), io("dy"), io.ids("indices")); },
         {{"x", "dx"}}},
        {"dispatch",
         {{"indices", "NK", C::indices},
          {"offsets", "+", C::offsets},
          {"row_tokens", "R", C::row_tokens},
          {"positions", "NK", C::positions}},
         [](auto& io) {
             io.backend.dispatch(io.ids("offsets"), io.ids("row_tokens"), io.ids("positions"), io.ids("indices"));
         },
         "",
         "",
         {},
         {}},
        {"gather_rows",
         {{"x", "ND"},
          {"row_tokens", "R", C::row_tokens},
          {"positions", "NK", C::positions},
          {"rows", "RD", C::written},
          {"drows", "RD", C::cotangent},
          {"dx", "ND", C::written}},
         [](auto& io) { io.backend.gather_rows(io("rows"), io("x"), io.ids("row_tokens")); },
         "rows",
         "drows",
         [](auto& io) { io.backend.gather_rows_backward(io("dx"), io("drows"), io.ids("positions")); },
         {{"x", "dx"}}},
        {"combine",
         {{"weights", "NK"},
          {"rows", "RD"},
          {"positions", "NK", C::positions},
          {"y", "ND", C::written},
          {"dy", "ND", C::cotangent},
          {"dweights", "NK", C::written},
          {"drows", "RD", C::written}},
         [](auto& io) { io.backend.combine(io("y"), io("weights"), io("rows"), io.ids("positions")); },
         "y",
         "dy",
         [](auto& io) {
             io.backend.combine_backward(io("dweights"), io("drows"), io("dy"), io("weights"), io("rows"),
                                         io.ids("positions"));
         },
         {{"weights", "dweights"}, {"rows", "drows"}}},
        {"balance_loss",
         {{"probs", "NE", C::positive},
          {"indices", "NK", C::indices},
          {"loss", "1", C::written},
          {"dloss", "1", C::one},
          {"dprobs", "NE", C::added_to},
          {"scratch", "NE", C::written}},
         [](auto& io) { io.backend.balance_loss(io("loss"), io("scratch"), io("probs"), io.ids("indices"), 0.3f); },
         "loss",
         "dloss",
         [](auto& io) { io.backend.balance_loss(io("loss"), io("dprobs"), io("probs"), io.ids("indices"), 0.3f); },
         {{"probs", "dprobs"}}},
        {"expert_load",
         {{"weights", "NK", C::positive}, {"indices", "NK", C::indices}, {"load", "E", C::written}},
         [](auto& io) { io.backend.expert_load(io("load"), io("weights"), io.ids("indices")); },
         "",
         "",
         {},
         {}},
        {"balance_loss masked",
         {{"probs", "NE", C::positive},
          {"indices", "NK", C::indices},
          {"words", "N", C::ids},
          {"loss", "1", C::written},
          {"dloss", "1", C::one},
          {"dprobs", "NE", C::added_to},
          {"scratch", "NE", C::written}},
         [](auto& io) {
             io.backend.balance_loss(io("loss"), io("scratch"), io("probs"), io.ids("indices"), 0.3f, io.ids("words"));
         },
         "loss",
         "dloss",
         [](auto& io) {
             io.backend.balance_loss(io("loss"), io("dprobs"), io("probs"), io.ids("indices"), 0.3f, io.ids("words"));
         },
         {{"probs", "dprobs"}}},
        {"expert_load masked",
         {{"weights", "NK", C::positive},
          {"indices", "NK", C::indices},
          {"words", "N", C::ids},
          {"load", "E", C::written}},
         [](auto& io) { io.backend.expert_load(io("load"), io("weights"), io.ids("indices"), io.ids("words")); },
         "",
         "",
         {},
         {}},
        {"softmax_cross_entropy",
         {{"logits", "NV"},
          {"targets", "N", C::targets},
          {"loss", "1", C::written},
          {"correct", "1", C::written},
          {"dloss", "1", C::one},
          {"dlogits", "NV", C::written}},
         [](auto& io) {
             io.copy("dlogits", "logits");
             io.backend.softmax_cross_entropy(io("loss"), io("correct"), io("dlogits"), io.ids("targets"));
         },
         "loss",
         "dloss",
         [](auto& io) {
             io.copy("dlogits", "logits");
             io.backend.softmax_cross_entropy(io("loss"), io("correct"), io("dlogits"), io.ids("targets"));
         },
         {{"logits", "dlogits"}}},
        {"adam",
         {{"w", "IO"}, {"g", "IO"}, {"m", "IO"}, {"v", "IO", C::positive}, {"rate", "1", C::positive}},
         [](auto& io) { io.backend.adam(io("w"), io("g"), io("m"), io("v"), io("rate")); },
         "",
         "",
         {},
         {}},
        {"embedding_mean_squares",
         {{"ids", "NT", C::ids}, {"dy", "ND"}, {"squares", "VD", C::added_to}},
         [](auto& io) { io.backend.embedding_mean_squares(io("squares"), io("dy"), io.ids("ids"), false); },
         "",
         "",
         {},
         {}},
        {"embedding_mean_squares masked",
         {{"ids", "NT", C::ids}, {"dy", "ND"}, {"squares", "VD", C::added_to}},
         [](auto& io) { io.backend.embedding_mean_squares(io("squares"), io("dy"), io.ids("ids"), true); },
         "",
         "",
         {},
         {}},
        {"adam_of_squares",
         {{"w", "IO"},
          {"g", "IO"},
          {"squares", "IO", C::positive},
          {"m", "IO"},
          {"v", "IO", C::positive},
          {"rate", "1", C::positive}},
         [](auto& io) { io.backend.adam_of_squares(io("w"), io("g"), io("squares"), io("m"), io("v"), io("rate")); },
         "",
         "",
         {},
         {}},
        update_row("dense_update", {{"x", "NI"}, {"dy", "NO"}, {"dx", "NI", C::written}}, {{"w", "IO"}, {"b", "O"}},
                   [](auto& io) {
                       io.backend.dense_update(io("dx"), trained(io, "w"), trained(io, "b"), io("dy"), io("x"),
                                               io("rate"));
                   }),
        update_row("dense_update without dx", {{"x", "NI"}, {"dy", "NO"}}, {{"w", "IO"}, {"b", "O"}},
                   [](auto& io) {
                       io.backend.dense_update({}, trained(io, "w"), trained(io, "b"), io("dy"), io("x"), io("rate"));
                   }),
        update_row("grouped_dense_update",
                   {{"x", "RI"}, {"dy", "RO"}, {"offsets", "+", C::offsets}, {"dx", "RI", C::written}},
                   {{"w", "EIO"}, {"b", "EO"}},
                   [](auto& io) {
                       io.backend.grouped_dense_update(io("dx"), trained(io, "w"), trained(io, "b"), io("dy"), io("x"),
                                                       io.ids("offsets"), io("rate"));
                   }),
        experts_update_row("experts_update gelu", Activation::gelu, false),
        experts_update_row("experts_update relu, sums and hidden in one", Activation::relu, true),
        update_row("embedding_mean_update", {{"ids", "NT", C::ids}, {"dy", "ND"}}, {{"table", "VD"}},
                   [](auto& io) {
                       io.backend.embedding_mean_update(trained(io, "table"), io("dy"), io.ids("ids"), false,
                                                        io("rate"));
                   }),
        update_row("embedding_mean_update masked", {{"ids", "NT", C::ids}, {"dy", "ND"}}, {{"table", "VD"}},
                   [](auto& io) {
                       io.backend.embedding_mean_update(trained(io, "table"), io("dy"), io.ids("ids"), true,
                                                        io("rate"));
                   }),
        {"fill", {{"y", "ND", C::written}}, [](auto& io) { io.backend.fill(io("y"), 0.5f); }, "", "", {}, {}},
    };
    return rows;
}

/// Sizes that have hurt somebody before: one of everything, no multiples of 8, K = E, empty experts, wide vocabularies.
inline std::vector<Sizes> all_sizes() {
    auto sizes = [](std::string name, std::size_t N, std::size_t T, std::size_t V, std::size_t D, std::size_t I,
                    std::size_t O, std::size_t E, std::size_t K) {
        return Sizes{std::move(name), {{'N', N}, {'T', T}, {'V', V}, {'D', D}, {'I', I}, {'O', O}, {'E', E}, {'K', K}}};
    };
    std::vector<Sizes> all = {
        sizes("one of everything", 1, 1, 1, 1, 1, 1, 1, 1),
        sizes("the tutorial", 8, 4, 11, 32, 32, 64, 4, 4),
        sizes("odd", 7, 5, 13, 19, 17, 23, 5, 2),
        sizes("one example", 1, 6, 33, 40, 31, 65, 6, 3),
        sizes("one expert", 9, 3, 21, 12, 20, 11, 1, 1),
        sizes("K = E", 6, 3, 10, 9, 9, 10, 7, 7),
        sizes("wide", 33, 7, 1037, 70, 66, 517, 8, 2),
        sizes("one word", 5, 4, 1, 16, 8, 1, 3, 1),
        sizes("many experts", 12, 2, 50, 8, 24, 16, 37, 2),
        sizes("nobody", 0, 3, 5, 8, 8, 8, 3, 2),
        sizes("the seed model", 32, 20, 2000, 64, 64, 2000, 4, 4),
    };
    all.push_back(sizes("all to one expert", 11, 2, 9, 18, 24, 14, 6, 1));
    all.back().one_expert = true;
    all.push_back(sizes("all to two experts", 20, 2, 9, 33, 40, 48, 8, 2));
    all.back().one_expert = true;
    return all;
}

}  // namespace moe::ops
