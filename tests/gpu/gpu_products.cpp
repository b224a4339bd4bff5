#include "tests/gpu/gpu_products.h"

#include "engine/core/error.h"
#include "engine/core/rng.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <span>
#include <vector>

namespace moe::gpu_check {

namespace {

using std::size_t;

constexpr double no_number = std::numeric_limits<double>::quiet_NaN();
constexpr size_t compared_entries = 2048;  // of a result: all would take double sums too long

struct PrecisionBounds {
    const char* name;
    double least, most;  // NMSE; less than `least` was not rounded
};
constexpr PrecisionBounds precisions[] = {{"float32", 0, 1e-10}, {"tf32", 1e-9, 1e-6}, {"bf16", 1e-7, 1e-4}};

enum class ProductOp { dense, grouped, experts };
constexpr const char* op_titles[] = {"dense", "grouped_dense", "experts"};

struct ProductShape {
    ProductOp op;
    const char* tiles;  // in float32, as choose_tile() has them for any number of processors from 20 to 200
    bool tensor_cores;  // some of its products are large enough for them
    size_t E, R, I, O;  // of experts I is D, O is H
    Activation f = Activation::linear;

    std::string name() const {
        return std::string(op_titles[size_t(op)]) + " " + std::to_string(R) + " x " + std::to_string(I) + " x " +
               std::to_string(O) + (op == ProductOp::dense ? "" : ", E " + std::to_string(E)) + " (" + tiles + ")";
    }
};

// Large: 96 or more both ways and 200 tiles of 128; middle: 48 to 95 one way and 200 tiles of 64; parts: at most 10
// tiles of 32, of a depth from 256 on. Products that are not named take what the processors make of them.
constexpr ProductShape all_shapes[] = {
    {ProductOp::dense, "small, y in parts", false, 1, 33, 700, 40},
    {ProductOp::dense, "middle, dw in parts", true, 1, 6500, 90, 85},
    {ProductOp::dense, "middle, dx in parts", true, 1, 70, 75, 6500},
    {ProductOp::dense, "middle, y in parts", true, 1, 75, 6500, 70},
    {ProductOp::dense, "large", true, 1, 1820, 1810, 1850},
    {ProductOp::grouped, "middle, dx in parts", true, 1, 70, 75, 6500},
    {ProductOp::grouped, "y in parts", false, 3, 90, 300, 40},
    {ProductOp::grouped, "dx in parts", false, 3, 90, 40, 300},
    {ProductOp::grouped, "dw in parts", false, 3, 2400, 30, 60},
    {ProductOp::grouped, "middle y, dx", true, 3, 6700, 90, 85},
    {ProductOp::grouped, "middle y, dw", true, 3, 210, 90, 2200},
    {ProductOp::grouped, "large", true, 3, 3300, 970, 1040},
    {ProductOp::grouped, "small", false, 64, 700, 40, 45},
    {ProductOp::grouped, "small, y in parts from 128 processors on", false, 64, 640, 300, 30},
    {ProductOp::grouped, "middle", true, 64, 4480, 100, 90},
    {ProductOp::experts, "sums, dhidden in parts", false, 3, 90, 300, 40, Activation::gelu},
    {ProductOp::experts, "y, dx in parts", false, 3, 90, 40, 300, Activation::relu},
    {ProductOp::experts, "dw1, dw2 in parts", false, 3, 2400, 30, 60, Activation::gelu_tanh},
    {ProductOp::experts, "middle, dw1, dw2 in parts", true, 1, 6500, 90, 85, Activation::tanh},
    {ProductOp::experts, "middle", true, 64, 4480, 100, 90, Activation::gelu},
    {ProductOp::experts, "large", true, 64, 6208, 390, 410, Activation::relu},
};
constexpr ProductShape few_shapes[] = {
    {ProductOp::dense, "small, y in parts", false, 1, 33, 700, 40},
    {ProductOp::grouped, "middle", true, 200, 9800, 49, 49},
    {ProductOp::grouped, "large", true, 200, 19400, 97, 97},
};

std::vector<float> drawn(size_t count, std::uint64_t stream) {
    Rng rng(23, stream);
    std::vector<float> values(count);
    for (float& v : values) v = float(2 * rng.uniform() - 1);
    return values;
}

/// The rows of each expert, by chance; some have none, of many the first and the last too.
std::vector<std::int32_t> drawn_offsets(size_t E, size_t R) {
    Rng rng(29, E * R);
    std::vector<double> shares(E + 1);
    for (size_t e = 0; e < E; ++e) {
        const bool empty = E == 3 ? e == 1 : E > 3 && e % 7 == 0;
        shares[e + 1] = shares[e] + (empty ? 0 : 0.2 + rng.uniform());
    }
    std::vector<std::int32_t> offsets(E + 1);
    for (size_t e = 1; e <= E; ++e) offsets[e] = std::int32_t(double(R) * shares[e] / shares[E]);
    return offsets;
}

/// What goes into a shape's ops. The second layer is that of experts.
struct ProductInputs {
    std::vector<std::int32_t> offsets, groups;  // groups: the expert of each row
    std::vector<float> x, w, b, w2, b2, dy;

    explicit ProductInputs(const ProductShape& s)
        : offsets(drawn_offsets(s.E, s.R)),
          x(drawn(s.R * s.I, 1)),
          w(drawn(s.E * s.I * s.O, 2)),
          b(drawn(s.E * s.O, 3)),
          dy(drawn(s.R * (s.op == ProductOp::experts ? s.I : s.O), 4)) {
        for (size_t e = 0; e < s.E; ++e) groups.resize(size_t(offsets[e + 1]), std::int32_t(e));
        if (s.op == ProductOp::experts) w2 = drawn(w.size(), 5), b2 = drawn(s.E * s.I, 6);
    }
};

/// What came back. Of the update of weights, which has kernels of its own, Adam's first momentum: its part of dw.
struct ProductResults {
    std::vector<float> y, dx, dw, db, moved_w, moved_b;
    std::vector<float> sums, hidden, dhidden, dw2, db2;  // of experts

    static constexpr std::array<std::pair<const char*, std::vector<float> ProductResults::*>, 11> all() {
        using P = ProductResults;
        return {{{"y", &P::y},
                 {"dx", &P::dx},
                 {"dw", &P::dw},
                 {"db", &P::db},
                 {"dw of the update", &P::moved_w},
                 {"db of the update", &P::moved_b},
                 {"sums", &P::sums},
                 {"hidden", &P::hidden},
                 {"dhidden", &P::dhidden},
                 {"dw2", &P::dw2},
                 {"db2", &P::db2}}};
    }
};

/// Has the ops computed on a backend of their own.
class ProductRun {
public:
    ProductRun(const ProductShape& shape, const ProductInputs& in, const BackendOptions& options)
        : s_(shape), in_(in), backend_(make_backend(options)) {}

    ProductResults results() {
        if (s_.op == ProductOp::dense) return layer({{s_.I, s_.O, 1}}, {{s_.O, 1, 1}}, {});
        offsets_ = backend_->allocate_ids({{s_.E + 1, 1, 1}});
        backend_->upload(offsets_, in_.offsets.data());
        return s_.op == ProductOp::grouped ? layer({{s_.E, s_.I, s_.O}}, {{s_.E, s_.O, 1}}, offsets_) : experts();
    }

private:
    using Numbers = Tensor<float>;

    Numbers put(Shape shape, const std::vector<float>& values) {
        const Numbers made = backend_->allocate(shape);
        backend_->upload(made, values.data());
        return made;
    }
    Numbers room(Shape shape) {  // what an op leaves unwritten shows
        const Numbers made = backend_->allocate(shape);
        backend_->fill(made, float(no_number));
        return made;
    }
    std::vector<float> take(Numbers from) {
        std::vector<float> values(from.count());
        backend_->download(from, values.data());
        return values;
    }

    ProductResults layer(Shape of_w, Shape of_b, Ids offsets) {
        Backend<float>& on = *backend_;
        const Numbers x = put({{s_.R, s_.I, 1}}, in_.x), w = put(of_w, in_.w), b = put(of_b, in_.b),
                      dy = put({{s_.R, s_.O, 1}}, in_.dy), y = room(dy.shape()), dx = room(x.shape()), dw = room(of_w),
                      db = room(of_b);
        const auto zeros = [&](Numbers value) {
            const Shape shape = value.shape();
            return Trained<float>{value, on.allocate(shape), on.allocate(shape), on.allocate(shape)};
        };
        const Trained<float> moved_w = zeros(w), moved_b = zeros(b);
        const Numbers rate = on.allocate({});  // zero: the weights stay
        if (offsets) {
            on.grouped_dense(y, x, w, b, offsets);
            on.grouped_dense_backward(dx, dw, db, dy, x, w, offsets);
            on.grouped_dense_update({}, moved_w, moved_b, dy, x, offsets, rate);
        } else {
            on.dense(y, x, w, b);
            on.dense_backward(dx, dw, db, dy, x, w);
            on.dense_update({}, moved_w, moved_b, dy, x, rate);
        }
        return {take(y), take(dx), take(dw), take(db), take(moved_w.m), take(moved_b.m), {}, {}, {}, {}, {}};
    }

    ProductResults experts() {
        const size_t E = s_.E, R = s_.R, D = s_.I, H = s_.O;
        const Shape of_x{{R, D, 1}}, of_hidden{{R, H, 1}}, of_w{{E, D, H}}, of_b{{E, H, 1}}, of_w2{{E, H, D}},
            of_b2{{E, D, 1}};
        const Numbers x = put(of_x, in_.x), w = put(of_w, in_.w), b = put(of_b, in_.b), w2 = put(of_w2, in_.w2),
                      b2 = put(of_b2, in_.b2), dy = put(of_x, in_.dy);
        const Numbers hidden = room(of_hidden), dhidden = room(of_hidden), y = room(of_x), dx = room(of_x),
                      dw = room(of_w), db = room(of_b), dw2 = room(of_w2), db2 = room(of_b2);
        const Numbers sums = s_.f == Activation::relu ? hidden : room(of_hidden);  // as training has it
        backend_->experts(sums, hidden, y, x, w, b, w2, b2, offsets_, s_.f);
        backend_->experts_backward(dx, dhidden, dw, db, dw2, db2, dy, x, sums, hidden, w, w2, offsets_, s_.f);
        return {take(y),    take(dx),     take(dw),      take(db),  {},       {},
                take(sums), take(hidden), take(dhidden), take(dw2), take(db2)};
    }

    const ProductShape& s_;
    const ProductInputs& in_;
    std::unique_ptr<Backend<float>> backend_;
    Ids offsets_;
};

/// One number of a layer's results at a time, in double.
struct HostLayer {
    size_t I, O;
    const ProductInputs& in;
    std::span<const float> x, w, b, dy;

    double y(size_t r, size_t o) const {
        const size_t e = size_t(in.groups[r]);
        double sum = b[e * O + o];
        for (size_t i = 0; i < I; ++i) sum += double(x[r * I + i]) * double(w[(e * I + i) * O + o]);
        return sum;
    }
    double dx(size_t r, size_t i) const {
        const float* const row = &w[(size_t(in.groups[r]) * I + i) * O];
        double sum = 0;
        for (size_t o = 0; o < O; ++o) sum += double(dy[r * O + o]) * double(row[o]);
        return sum;
    }
    double dw(size_t row, size_t o) const {
        const size_t e = row / I, i = row % I;
        double sum = 0;
        for (auto r = size_t(in.offsets[e]); r < size_t(in.offsets[e + 1]); ++r)
            sum += double(x[r * I + i]) * double(dy[r * O + o]);
        return sum;
    }
    double db(size_t e, size_t o) const {
        double sum = 0;
        for (auto r = size_t(in.offsets[e]); r < size_t(in.offsets[e + 1]); ++r) sum += double(dy[r * O + o]);
        return sum;
    }
};

/// NMSE of entries by chance against wanted(row, column); every fourth is of the last row or column, where a tile ends.
template <class F>
double sampled_nmse(const std::vector<float>& found, size_t columns, F wanted) {
    for (const float v : found)
        if (!std::isfinite(v)) return no_number;
    Rng rng(31, found.size());
    const size_t rows = found.size() / columns, count = std::min(compared_entries, found.size());
    double error = 0, scale = 0;
    for (size_t k = 0; k < count; ++k) {
        size_t row = k / columns, column = k % columns;
        if (count < found.size()) {
            row = k % 8 == 0 ? rows - 1 : size_t(rng.below(rows));
            column = k % 8 == 4 ? columns - 1 : size_t(rng.below(columns));
        }
        const double w = wanted(row, column), d = double(found[row * columns + column]) - w;
        error += d * d, scale += w * w;
    }
    return error == 0 ? 0 : error / scale;
}

/// The result that is furthest from its sums.
struct FurthestResult {
    double nmse = 0;
    const char* name = "";

    template <class F>
    void add(const char* of, const std::vector<float>& found, size_t columns, F wanted) {
        const double error = sampled_nmse(found, columns, wanted);
        if (error <= nmse || std::isnan(nmse)) return;
        nmse = error, name = of;
    }
};

/// Each op against what went into it, so that experts' second layer is held against the first one's own numbers.
FurthestResult compared(const ProductShape& s, const ProductInputs& in, const ProductResults& got) {
    FurthestResult furthest;
    const size_t I = s.I, O = s.O;
    if (s.op != ProductOp::experts) {
        const HostLayer layer{I, O, in, in.x, in.w, in.b, in.dy};
        constexpr double moved = 1 - adam_beta1;
        const auto dw = [&](size_t r, size_t c) { return layer.dw(r, c); };
        const auto db = [&](size_t r, size_t c) { return layer.db(r, c); };
        furthest.add("y", got.y, O, [&](size_t r, size_t c) { return layer.y(r, c); });
        furthest.add("dx", got.dx, I, [&](size_t r, size_t c) { return layer.dx(r, c); });
        furthest.add("dw", got.dw, O, dw);
        furthest.add("db", got.db, O, db);
        furthest.add("dw of the update", got.moved_w, O, [&](size_t r, size_t c) { return moved * dw(r, c); });
        furthest.add("db of the update", got.moved_b, O, [&](size_t r, size_t c) { return moved * db(r, c); });
        return furthest;
    }
    const HostLayer first{I, O, in, in.x, in.w, in.b, got.dhidden}, second{O, I, in, got.hidden, in.w2, in.b2, in.dy};
    const bool in_place = s.f == Activation::relu;
    const auto slope = [&](size_t at) { return activation_slope(s.f, double(got.sums[at])); };
    if (!in_place) furthest.add("sums", got.sums, O, [&](size_t r, size_t c) { return first.y(r, c); });
    furthest.add("hidden", got.hidden, O, [&](size_t r, size_t c) {
        return activated(s.f, in_place ? first.y(r, c) : double(got.sums[r * O + c]));
    });
    furthest.add("y", got.y, I, [&](size_t r, size_t c) { return second.y(r, c); });
    furthest.add("dhidden", got.dhidden, O, [&](size_t r, size_t c) { return second.dx(r, c) * slope(r * O + c); });
    furthest.add("dw2", got.dw2, I, [&](size_t r, size_t c) { return second.dw(r, c); });
    furthest.add("db2", got.db2, I, [&](size_t r, size_t c) { return second.db(r, c); });
    furthest.add("dx", got.dx, I, [&](size_t r, size_t c) { return first.dx(r, c); });
    furthest.add("dw1", got.dw, O, [&](size_t r, size_t c) { return first.dw(r, c); });
    furthest.add("db1", got.db, O, [&](size_t r, size_t c) { return first.db(r, c); });
    return furthest;
}

/// The name of a result that is not the same twice; empty: all are.
std::string other_bits(const ProductResults& a, const ProductResults& b) {
    for (const auto& [name, result] : ProductResults::all()) {
        const std::vector<float>&first = a.*result, &second = b.*result;
        if (!first.empty() && std::memcmp(first.data(), second.data(), first.size() * sizeof(float)) != 0) return name;
    }
    return {};
}

ProductRow check_shape(const ProductShape& shape, const PrecisionBounds& precision, const BackendOptions& options,
                       bool twice) {
    const ProductInputs in(shape);
    const ProductResults got = ProductRun(shape, in, options).results();
    const FurthestResult furthest = compared(shape, in, got);
    ProductRow row{shape.name(), precision.name, furthest.nmse, precision.most, {}, {}};
    if (!(furthest.nmse <= precision.most))
        row.failure = std::string(furthest.name) + " is wrong";
    else if (shape.tensor_cores && furthest.nmse < precision.least)
        row.failure = "too exact to have been rounded: the tensor cores did not multiply";
    if (twice) {
        const std::string other = other_bits(got, ProductRun(shape, in, options).results());
        if (!other.empty())
            row.failure += (row.failure.empty() ? "" : ", and ") + other + " has other bits the second time";
    }
    return row;
}

/// Why the device does not compute in a precision; empty: it does.
std::string refusal_of(const BackendOptions& options) {
    if (options.precision == "float32") return {};  // without this nothing can be checked
    try {
        make_backend(options);
    } catch (const DeviceFailure&) {
        throw;
    } catch (const Error& e) {
        return e.what();
    }
    return {};
}

}  // namespace

void check_products(ProductShapes which, const BackendOptions& options,
                    const std::function<void(const ProductRow&)>& report) {
    const bool all = which == ProductShapes::all;
    for (const PrecisionBounds& precision : precisions) {
        BackendOptions in_precision = options;
        in_precision.precision = precision.name;
        if (const std::string why = refusal_of(in_precision); !why.empty()) {
            report({{}, precision.name, 0, 0, {}, why});
            continue;
        }
        for (const ProductShape& shape : all ? std::span<const ProductShape>(all_shapes) : few_shapes)
            report(check_shape(shape, precision, in_precision, all));
    }
}

}  // namespace moe::gpu_check
