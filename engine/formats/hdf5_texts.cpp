#include "engine/formats/hdf5_texts.h"

#include "engine/core/error.h"

#include <map>
#include <utility>

namespace moe {

namespace {

constexpr std::uint64_t most_texts = 65536, most_bytes = std::uint64_t(1) << 26, most_messages = 65536,
                        most_heap_objects = 1 << 20;
constexpr std::uint64_t type_attribute = 0x0C, type_continuation = 0x10;

class TextReader {
public:
    TextReader(std::string_view image, const std::string& attribute, const std::string& where)
        : image_(image), attribute_(attribute), where_(where) {
        constexpr std::uint64_t version = 8, offset_size = 13, length_size = 14, base_address = 24;
        const std::uint64_t found = number(version, 1);
        if (found > 1 || number(offset_size, 1) != 8 || number(length_size, 1) != 8 ||
            number(base_address + 4 * found, 8) != 0)
            refuse("is in a newer layout than Keras writes; save the model as a .keras file");
    }

    // Of the object header at `address`: a list of messages, in one block or in several.
    std::optional<std::vector<std::string>> find(std::uint64_t address) {
        if (number(address, 1) != 1) refuse("is in a newer layout than Keras writes; save the model as a .keras file");
        std::vector<std::pair<std::uint64_t, std::uint64_t>> blocks{{address + 16, number(address + 8, 4)}};
        std::uint64_t messages = 0;
        for (std::size_t b = 0; b < blocks.size(); ++b) {
            auto [at, size] = blocks[b];
            part(at, size);
            for (const std::uint64_t end = at + size; at + 8 <= end;) {
                const std::uint64_t type = number(at, 2), bytes = number(at + 2, 2);
                if (bytes > end - at - 8 || ++messages > most_messages) damaged();
                if (type == type_continuation) blocks.emplace_back(number(at + 8, 8), number(at + 16, 8));
                if (type == type_attribute)
                    if (auto texts = read_attribute(at + 8, bytes)) return texts;
                at += 8 + bytes;
            }
        }
        return {};
    }

private:
    [[noreturn]] void refuse(const char* what) const { throw Error(where_ + " " + what + "."); }
    [[noreturn]] void damaged() const { refuse("is damaged; copy the file again, or save the model again"); }

    std::string_view part(std::uint64_t at, std::uint64_t size) const {
        if (at > image_.size() || size > image_.size() - at) damaged();
        return image_.substr(at, size);
    }

    std::uint64_t number(std::uint64_t at, unsigned bytes) const {
        const std::string_view found = part(at, bytes);
        std::uint64_t value = 0;
        for (unsigned i = bytes; i > 0; --i) value = value << 8 | static_cast<unsigned char>(found[i - 1]);
        return value;
    }

    // Versions 1 (parts padded to 8 bytes) to 3 (a byte more before the name).
    std::optional<std::vector<std::string>> read_attribute(std::uint64_t at, std::uint64_t size) {
        const std::uint64_t end = at + size, version = number(at, 1);
        if (version < 1 || version > 3) damaged();
        const auto padded = [&](std::uint64_t bytes) { return version == 1 ? (bytes + 7) / 8 * 8 : bytes; };
        const std::uint64_t name_size = number(at + 2, 2), type_size = number(at + 4, 2),
                            space_size = number(at + 6, 2);
        const std::uint64_t name = at + (version == 3 ? 9 : 8), type = name + padded(name_size),
                            space = type + padded(type_size), data = space + padded(space_size);
        if (data > end) damaged();
        std::string_view found = part(name, name_size);
        if (found.substr(0, found.find('\0')) != attribute_) return {};
        if (version > 1 && number(at + 1, 1) != 0) damaged();  // a type or space that lies elsewhere
        if (type_size < 8) damaged();
        const std::uint64_t count = points(space, space_size);
        if (count == 0) return std::vector<std::string>();
        if (count > most_texts) refuse("is longer than a model needs");
        const std::uint64_t kind = number(type, 1) & 15, text_size = number(type + 4, 4);
        if (kind == 3) return fixed(part(data, end - data), text_size, count);
        if (kind != 9 || (number(type + 1, 1) & 15) != 1) refuse("is no text");
        if (count * 16 > end - data) damaged();
        std::vector<std::string> texts;
        std::uint64_t bytes = 0;
        for (std::uint64_t i = 0; i < count; ++i) {
            const std::uint64_t place = data + 16 * i, length = number(place, 4);
            texts.push_back(length == 0 ? std::string()
                                        : heap_text(number(place + 4, 8), number(place + 12, 4), length));
            if ((bytes += length) > most_bytes) refuse("is longer than a model needs");
        }
        return texts;
    }

    std::uint64_t points(std::uint64_t space, std::uint64_t size) const {
        if (size < 4) damaged();
        const std::uint64_t version = number(space, 1), rank = number(space + 1, 1), head = version == 1 ? 8 : 4;
        if (version < 1 || version > 2 || rank > 1 || size < head + 8 * rank) damaged();
        if (version == 2 && number(space + 3, 1) == 2) return 0;  // the null space
        return rank == 0 ? 1 : number(space + head, 8);
    }

    std::vector<std::string> fixed(std::string_view data, std::uint64_t size, std::uint64_t count) const {
        if (size == 0 || size > data.size() / count) damaged();
        std::vector<std::string> texts;
        for (std::uint64_t i = 0; i < count; ++i) {
            const std::string_view text = data.substr(i * size, size);
            texts.emplace_back(text.substr(0, text.find('\0')));
        }
        return texts;
    }

    std::string heap_text(std::uint64_t collection, std::uint64_t index, std::uint64_t length) {
        auto known = collections_.find(collection);
        if (known == collections_.end()) known = collections_.emplace(collection, read_collection(collection)).first;
        const auto found = known->second.find(index);
        if (found == known->second.end() || found->second.second < length) damaged();
        const std::string_view text = part(found->second.first, length);
        return std::string(text.substr(0, text.find('\0')));
    }

    using Collection = std::map<std::uint64_t, std::pair<std::uint64_t, std::uint64_t>>;  // index -> place and size

    Collection read_collection(std::uint64_t address) {
        if (part(address, 4) != "GCOL" || number(address + 4, 1) != 1) damaged();
        const std::uint64_t size = number(address + 8, 8);
        part(address, size);
        Collection objects;
        for (std::uint64_t at = address + 16; at + 16 <= address + size;) {
            const std::uint64_t index = number(at, 2), bytes = number(at + 8, 8);
            if (index == 0) break;  // what is free
            if (bytes > address + size - at - 16 || ++heap_objects_ > most_heap_objects) damaged();
            objects[index] = {at + 16, bytes};
            at += 16 + (bytes + 7) / 8 * 8;
        }
        return objects;
    }

    std::string_view image_;
    const std::string &attribute_, &where_;
    std::map<std::uint64_t, Collection> collections_;
    std::uint64_t heap_objects_ = 0;
};

}  // namespace

std::optional<std::vector<std::string>> read_hdf5_texts(std::string_view image, std::uint64_t address,
                                                        const std::string& attribute, const std::string& where) {
    return TextReader(image, attribute, where).find(address);
}

}  // namespace moe
