#pragma once
#include "engine/text/tokenizer.h"

#include <string>
#include <string_view>

namespace moe {

/// Keras's Tokenizer as Python's pickle writes it (protocols 2 to 5), the tutorial's `tokenizer.pkl`. Nothing is
/// executed: of pickle's instructions those that such a file needs are known, and of classes Tokenizer, OrderedDict,
/// defaultdict and int. Throws Error naming `name`, the byte and the rule for anything else. Any thread.
Tokenizer read_tokenizer_pickle(std::string_view bytes, const std::string& name);

/// tokenizer.json or tokenizer.pkl, told apart by the first byte.
Tokenizer read_tokenizer(std::string_view bytes, const std::string& name);

}  // namespace moe
