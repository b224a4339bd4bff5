#include "engine/text/corpus.h"
#include "engine/text/utf8.h"
#include "tests/fuzz/fuzzing.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    return moe::fuzz(bytes, size, [](std::string_view input) {
        const auto corpus = moe::Corpus::from_text("notes.txt", input);
        moe::must(corpus->examples() > 0 && corpus->lines() > 0);
        for (std::size_t e = 0; e < corpus->examples(); ++e) {
            moe::must(std::size_t(corpus->target(e)) < corpus->tokenizer().vocabulary());
            moe::must(!corpus->prefix(e, 8).empty());
        }
        moe::must(moe::find_bad_utf8(corpus->text()) == std::string_view::npos);
    });
}
