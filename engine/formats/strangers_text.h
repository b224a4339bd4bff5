#pragma once
#include <string>
#include <string_view>

namespace moe {

/// What a stranger's file calls something, for a sentence: on one line, at most `most` bytes, valid UTF-8.
std::string strangers_text(std::string_view text, std::size_t most = 80);

}  // namespace moe
