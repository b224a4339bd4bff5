#include "engine/formats/strangers_text.h"

#include "engine/text/utf8.h"

namespace moe {

std::string strangers_text(std::string_view text, std::size_t most) {
    std::string shown;
    for (std::size_t at = 0; at < text.size();) {
        const Utf8Char next = decode_utf8(text, at);
        const std::size_t length = next.length == 0 ? 1 : next.length;
        if (shown.size() + length > most) return shown + "...";
        if (next.length == 0 || next.value < 32 || next.value == 127)
            shown += '?';
        else
            shown += text.substr(at, length);
        at += length;
    }
    return shown;
}

}  // namespace moe
