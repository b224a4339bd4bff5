#pragma once
// Every float backend that this machine can run.
#include "engine/backend/cpu/cpu_backend.h"
#include "engine/verify/op_table.h"
#include "tests/support/cuda_emulator.h"

#include <doctest/doctest.h>

#include <functional>

namespace moe::ops {

struct UnderTest {
    std::string name;
    std::function<std::unique_ptr<Backend<float>>()> make;
};

inline std::vector<UnderTest> float_backends() {
    std::vector<UnderTest> all = {{"reference", [] { return make_reference_backend<float>(); }}};
    for (const Isa isa : {Isa::baseline, Isa::v3, Isa::v4}) {
        if (!isa_supported(isa)) {
            MESSAGE("skipped: this processor lacks ", std::string(isa_name(isa)));
            continue;
        }
        all.push_back({std::string("CPU ") + isa_name(isa), [isa] { return make_cpu_backend(isa, 1); }});
    }
    all.push_back({"CUDA, emulated", cuda::make_emulated_backend});
    return all;
}

inline void for_each_float_backend(const std::function<void(Backend<float>&)>& test) {
    for (const UnderTest& backend : float_backends()) {
        CAPTURE(backend.name);
        test(*backend.make());
    }
}

}  // namespace moe::ops
