#include "engine/formats/model_files.h"
#include "tests/fuzz/fuzzing.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    return moe::fuzz(bytes, size, [](std::string_view input) {
        const moe::Tokenizer tokenizer = moe::read_tokenizer_json(input, "tokenizer.json");
        moe::must(moe::read_tokenizer_json(moe::write_tokenizer_json(tokenizer), "again.json").vocabulary() ==
                  tokenizer.vocabulary());
    });
}
