#include "engine/backend/cpu/kernels.h"

#include "engine/core/error.h"

#include <array>
#include <cstdlib>
#include <mutex>

namespace moe {

static constexpr std::array all_isas = {Isa::v4, Isa::v3, Isa::baseline};

bool isa_supported(Isa isa) {
    __builtin_cpu_init();
    switch (isa) {
        case Isa::v4:
            return __builtin_cpu_supports("x86-64-v4") != 0;
        case Isa::v3:
            return __builtin_cpu_supports("x86-64-v3") != 0;
        case Isa::baseline:
            break;
    }
    return true;
}

const Kernels& kernels_for(Isa isa) {
    static std::once_flag prepared[3];
    const Kernels& kernels = isa == Isa::v4 ? kernels_v4 : isa == Isa::v3 ? kernels_v3 : kernels_baseline;
    std::call_once(prepared[static_cast<int>(isa)], kernels.prepare);
    return kernels;
}

const char* isa_name(Isa isa) {
    return isa == Isa::v4 ? "v4" : isa == Isa::v3 ? "v3" : "baseline";
}

Isa choose_isa() {
    const char* const forced = std::getenv("MOELAB_ISA");
    for (const Isa isa : all_isas) {
        if (forced == nullptr || *forced == '\0') {
            if (isa_supported(isa)) return isa;
        } else if (std::string(forced) == isa_name(isa)) {
            if (isa_supported(isa)) return isa;
            throw Error("MOELAB_ISA is " + std::string(forced) +
                        ", but this processor lacks that instruction set; leave the variable empty.");
        }
    }
    throw Error("MOELAB_ISA is \"" + std::string(forced) + "\", but it takes baseline, v3 or v4.");
}

}  // namespace moe
