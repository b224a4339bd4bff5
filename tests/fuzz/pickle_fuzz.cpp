#include "engine/formats/tokenizer_pickle.h"
#include "tests/fuzz/fuzzing.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    return moe::fuzz(bytes, size, [](std::string_view input) {
        const moe::Tokenizer tokenizer = moe::read_tokenizer_pickle(input, "tokenizer.pkl");
        for (const moe::WordCount& word : tokenizer.word_counts()) tokenizer.id(word.word);
    });
}
