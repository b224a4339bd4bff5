#pragma once
// Every float backend that this machine can run.
#include "engine/verify/op_table.h"

#include <doctest/doctest.h>

#include <functional>

namespace moe::ops {

struct UnderTest {
    std::string name;
    std::function<std::unique_ptr<Backend<float>>()> make;
};

inline std::vector<UnderTest> float_backends() {
    return {{"reference", [] { return make_reference_backend<float>(); }}};
}

inline void for_each_float_backend(const std::function<void(Backend<float>&)>& test) {
    for (const UnderTest& backend : float_backends()) {
        CAPTURE(backend.name);
        test(*backend.make());
    }
}

}  // namespace moe::ops
