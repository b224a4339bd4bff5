#include "engine/formats/safetensors.h"
#include "tests/fuzz/fuzzing.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    return moe::fuzz(bytes, size, [](std::string_view input) {
        const moe::SafetensorsReader reader(input, "h.safetensors");
        for (const char* array : {"step", "steps", "load", "a"})
            if (reader.has(array)) {
                moe::must(reader.shape(array).size() <= 8);
                reader.floats(array);
            }
    });
}
