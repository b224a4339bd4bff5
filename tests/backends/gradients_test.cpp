#include "tests/backends/op_table.h"

using namespace ops;

namespace {

// The loss whose gradient is checked: the outputs weighted by the cotangent.
double loss(const Row& row, Io<double>& io) {
    row.forward(io);
    const std::vector<double> y = io.get(row.output), c = io.get(row.cotangent);
    return std::inner_product(y.begin(), y.end(), c.begin(), 0.0);
}

}  // namespace

TEST_CASE("every op's backward is the derivative of its forward") {
    constexpr double h = 1e-3;
    std::size_t checked = 0;
    for (const Row& row : table()) {
        if (!row.backward) continue;
        for (const Sizes& sizes : all_sizes()) {
            if (sizes.of('V') * sizes.of('N') > 1000) continue;  // each point costs four forward passes
            CAPTURE(row.name);
            CAPTURE(sizes.name);
            const auto backend = make_reference_backend<double>();
            Io<double> io(*backend, row.args, sizes, 5);
            std::map<std::string, std::vector<double>> before;
            for (const Wrt& w : row.wrt) before[w.gradient] = io.get(w.gradient);
            row.forward(io);
            row.backward(io);
            for (const Wrt& w : row.wrt) {
                CAPTURE(w.input);
                const Content content = std::find_if(row.args.begin(), row.args.end(), [&](const Arg& a) {
                                            return a.name == w.gradient;
                                        })->content;
                std::vector<double> gradient = io.get(w.gradient), point = io.get(w.input);
                const std::vector<double> centre = point;
                double error = 0, norm = 0;
                for (std::size_t i = 0; i < point.size(); ++i) {
                    if (row.has_kink && std::abs(centre[i]) < 10 * h) continue;
                    const double claimed = gradient[i] - (content == Content::added_to ? before[w.gradient][i] : 0);
                    auto at = [&](double x) {
                        point[i] = x;
                        io.set(w.input, point);
                        const double value = loss(row, io);
                        point[i] = centre[i];
                        return value;
                    };
                    const double x = centre[i];
                    const double measured = (8 * (at(x + h) - at(x - h)) - (at(x + 2 * h) - at(x - 2 * h))) / (12 * h);
                    error += (claimed - measured) * (claimed - measured);
                    norm += measured * measured;
                    ++checked;
                }
                io.set(w.input, centre);
                CHECK(std::sqrt(error) <= 1e-8 * std::max(std::sqrt(norm), 1e-3));
            }
        }
    }
    CHECK(checked > 5000);
}
