#include "tests/backends/backends_under_test.h"

#include "engine/verify/verify.h"

using namespace moe::ops;
using namespace moe;

TEST_CASE("every backend agrees with the reference in double, op by op and over 100 steps") {
    for (const UnderTest& backend : float_backends()) {
        CAPTURE(backend.name);
        double worst = 0;
        std::string worst_row;
        std::size_t curves = 0;
        for (const VerifyRow& row : verify_backend(backend.make)) {
            CAPTURE(row.name);
            CAPTURE(row.detail);
            CAPTURE(row.worst);
            CHECK(row.ok);
            curves += row.measure != "NMSE";
            if (row.measure == "NMSE" && !(row.worst <= worst))
                worst = row.worst, worst_row = row.name + ", " + row.detail;
        }
        CHECK(curves >= 8);
        MESSAGE(backend.name, ": largest NMSE ", worst, " (", worst_row, ")");
    }
}
