#include "engine/formats/keras_archive.h"
#include "engine/session/history_file.h"
#include "engine/session/timeline_file.h"
#include "tests/fuzz/fuzz_run.h"
#include "tests/fuzz/fuzzing.h"

// The members of a session that tell of its past: one byte that says which, then commands.json and checkpoints (a byte
// 0 between them), or history, or session.json.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    static const moe::RunState present = moe::fuzz_present();
    if (size == 0) return 0;
    return moe::fuzz(bytes + 1, size - 1, [which = bytes[0] % 3](std::string_view input) {
        if (which == 0) {
            moe::unpack_history(input, "history", present, "a b");
            return;
        }
        const std::size_t middle = std::min(input.find('\0'), input.size());
        const std::string first(input.substr(0, middle)), rest(input.substr(std::min(middle + 1, input.size())));
        if (which == 1) {
            const std::string archive =
                moe::write_zip({{moe::fuzz_commands_member, first}, {moe::fuzz_checkpoints_member, rest}});
            moe::unpack_timeline(moe::ZipReader::in_memory(archive, "s.keras"), present, moe::fuzz_examples);
            return;
        }
        const std::string archive = moe::write_zip({{moe::session_member, first}});
        moe::read_session_json(moe::ZipReader::in_memory(archive, "s.keras"));
    });
}
