#include "engine/formats/zip_archive.h"
#include "tests/fuzz/fuzzing.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    return moe::fuzz(bytes, size, [](std::string_view input) {
        const moe::ZipReader archive = moe::ZipReader::in_memory(input, "m.keras");
        for (const std::string& member : archive.members()) {
            moe::must(!member.starts_with('/') && !member.starts_with("../") &&
                      member.find("/../") == std::string::npos);
            if (archive.size(member) < (1 << 20))
                moe::must(archive.read(member, 1 << 20).size() == archive.size(member));
        }
    });
}
