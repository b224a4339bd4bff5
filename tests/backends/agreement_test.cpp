#include "tests/backends/backends_under_test.h"

using namespace ops;

namespace {

// Normalised mean squared error; a tensor that must be zero has to be zero.
double nmse(const std::vector<double>& expected, const std::vector<float>& found) {
    double error = 0, norm = 0;
    for (std::size_t i = 0; i < expected.size(); ++i) {
        const double d = expected[i] - double(found[i]);
        error += d * d;
        norm += expected[i] * expected[i];
    }
    return error == 0 ? 0 : error / norm;
}

}  // namespace

TEST_CASE("every backend agrees with the reference in double, op by op") {
    for (const UnderTest& backend : float_backends()) {
        double worst = 0;
        std::string worst_row;
        for (const Row& row : table())
            for (Sizes sizes : all_sizes())
                for (const double scale : {1.0, 8.0}) {
                    sizes.scale = scale;
                    CAPTURE(backend.name);
                    CAPTURE(row.name);
                    CAPTURE(sizes.name);
                    const auto exact = make_reference_backend<double>();
                    const auto fast = backend.make();
                    Io<float> b(*fast, row.args, sizes, 3);
                    Io<double> a(*exact, row.args, sizes, 3);
                    // Both start from the same bits.
                    for (const Arg& arg : row.args)
                        if (!is_ids(arg.content)) {
                            const std::vector<float> rounded = b.get(arg.name);
                            a.set(arg.name, {rounded.begin(), rounded.end()});
                        } else {
                            CHECK(a.get_ids(arg.name) == b.get_ids(arg.name));
                        }
                    for (const Call& call : {row.forward, row.backward})
                        if (call) {
                            call(a);
                            call(b);
                        }
                    for (const Arg& arg : row.args) {
                        CAPTURE(arg.name);
                        if (is_ids(arg.content)) {
                            CHECK(a.get_ids(arg.name) == b.get_ids(arg.name));
                            continue;
                        }
                        const double error = nmse(a.get(arg.name), b.get(arg.name));
                        CHECK(error <= row.tolerance);
                        if (!(error <= worst)) worst = error, worst_row = row.name + " " + arg.name + ", " + sizes.name;
                    }
                }
        MESSAGE(backend.name, ": largest NMSE ", worst, " (", worst_row, ")");
    }
}
