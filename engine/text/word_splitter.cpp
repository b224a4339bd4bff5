#include "engine/text/word_splitter.h"

#include "engine/core/error.h"
#include "engine/text/unicode_lower.h"
#include "engine/text/utf8.h"

#include <algorithm>

namespace moe {

WordSplitter::WordSplitter(const TokenizerOptions& options) : options_(options) {
    if (options_.char_level) return;
    if (options_.split.empty()) throw Error("The tokenizer's split is empty; give the text that separates words.");
    bytewise_ = options_.split.size() == 1 && is_ascii(options_.split) && is_ascii(options_.filters);
    for (int i = 0; i < 128; ++i) {
        const char byte = static_cast<char>(i);
        const char low = options_.lower && byte >= 'A' && byte <= 'Z' ? static_cast<char>(byte + 32) : byte;
        table_[i] = options_.filters.find(low) != std::string::npos ? options_.split[0] : low;
    }
    for (std::size_t i = 0; i < options_.filters.size();) {
        const std::size_t length = std::max<std::size_t>(1, decode_utf8(options_.filters, i).length);
        if (length > 1) wide_filters_ += options_.filters.substr(i, length);
        i += length;
    }
}

void WordSplitter::prepare(std::string_view text) {
    if (bytewise_ && is_ascii(text)) {
        buffer_.resize(text.size());
        for (std::size_t i = 0; i < text.size(); ++i) buffer_[i] = table_[static_cast<unsigned char>(text[i])];
        return;
    }
    const std::string lowered = options_.lower ? to_lower(text) : std::string(text);
    if (options_.char_level) {
        buffer_ = lowered;
        return;
    }
    buffer_.clear();
    for (std::size_t i = 0; i < lowered.size();) {
        const unsigned char byte = static_cast<unsigned char>(lowered[i]);
        if (byte < 0x80) {
            if (options_.filters.find(lowered[i]) != std::string::npos)
                buffer_ += options_.split;
            else
                buffer_ += lowered[i];
            ++i;
            continue;
        }
        const std::size_t length = std::max<std::size_t>(1, decode_utf8(lowered, i).length);
        const std::string_view c = std::string_view(lowered).substr(i, length);
        if (!wide_filters_.empty() && wide_filters_.find(c) != std::string::npos)
            buffer_ += options_.split;
        else
            buffer_ += c;
        i += length;
    }
}

const std::vector<std::string_view>& WordSplitter::split(std::string_view text) {
    words_.clear();
    prepare(text);
    const std::string_view prepared = buffer_;
    if (options_.char_level) {
        for (std::size_t i = 0; i < prepared.size();) {
            const std::size_t length = std::max<std::size_t>(1, decode_utf8(prepared, i).length);
            words_.push_back(prepared.substr(i, length));
            i += length;
        }
        return words_;
    }
    for (std::size_t start = 0; start < prepared.size();) {
        std::size_t end = prepared.find(options_.split, start);
        if (end == std::string_view::npos) end = prepared.size();
        if (end > start) words_.push_back(prepared.substr(start, end - start));
        start = end + options_.split.size();
    }
    return words_;
}

void WordCounter::add(const std::vector<std::string_view>& words, std::vector<std::int32_t>& ids) {
    ++documents_;
    for (const std::string_view word : words) {
        auto found = positions_.find(word);
        if (found == positions_.end()) {
            found = positions_.emplace(std::string(word), std::int32_t(counts_.size())).first;
            counts_.push_back({std::string(word), 0, 0});
            last_document_.push_back(0);
        }
        const auto position = std::size_t(found->second);
        ++counts_[position].count;
        if (last_document_[position] != documents_) {
            last_document_[position] = documents_;
            ++counts_[position].documents;
        }
        ids.push_back(found->second);
    }
}

}  // namespace moe
