#include "engine/formats/h5_records.h"
#include "tests/fuzz/fuzzing.h"

#include <cstring>

// What a child sends after its greeting; the first two bytes are the size of the file that it was given.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    if (size < 2) return 0;
    std::string_view input(reinterpret_cast<const char*>(bytes) + 2, size - 2);
    const std::size_t file_bytes = std::size_t(bytes[0]) << 8 | bytes[1];
    try {
        const moe::H5Contents contents = moe::read_h5_records(
            [&input](void* into, std::size_t count) {
                if (count > input.size()) throw moe::Error("it ended");
                if (count > 0) std::memcpy(into, input.data(), count);
                input.remove_prefix(count);
            },
            file_bytes);
        std::size_t floats = 0;
        for (const auto& [path, object] : contents.objects) {
            moe::must(path.size() <= moe::h5_most_path && object.address < file_bytes);
            std::size_t count = object.kind == moe::H5Record::floats;
            for (const std::size_t length : object.shape) count *= length;
            moe::must(object.values.size() == count);
            floats += count;
        }
        moe::must(floats * sizeof(float) <= moe::h5_most_bytes(file_bytes));
    } catch (const moe::Error&) {
    }
    return 0;
}
