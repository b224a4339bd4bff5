#include "engine/formats/keras_graph.h"
#include "tests/fuzz/fuzzing.h"

// config.json of an archive, or, after a byte 1, model_config and training_config of a legacy file around a byte 0.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    return moe::fuzz(bytes, size, [](std::string_view input) {
        if (!input.starts_with('\1')) {
            moe::read_keras_config(input, "m.keras");
            return;
        }
        input.remove_prefix(1);
        const std::size_t middle = input.find('\0');
        const bool both = middle != std::string_view::npos;
        moe::read_legacy_config(input.substr(0, middle), both ? input.substr(middle + 1) : std::string_view(), "m.h5");
    });
}
