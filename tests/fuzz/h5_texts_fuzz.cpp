#include "engine/formats/hdf5_texts.h"
#include "tests/fuzz/fuzzing.h"

// A file's bytes after two that say where the object lies.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    if (size < 2) return 0;
    const std::uint64_t address = std::uint64_t(bytes[0]) << 8 | bytes[1];
    return moe::fuzz(bytes + 2, size - 2, [address](std::string_view input) {
        for (const char* attribute : {"model_config", "one", "list", "weight_names"})
            moe::read_hdf5_texts(input, address, attribute, "'m.h5': its attribute");
    });
}
