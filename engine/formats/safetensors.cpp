#include "engine/formats/safetensors.h"

#include "engine/core/checked.h"
#include "engine/formats/json_text.h"
#include "engine/formats/strangers_text.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace moe {

static_assert(std::endian::native == std::endian::little, "the arrays are little-endian, as the machines are");

namespace {

constexpr std::size_t header_grid = 8;

std::size_t width_of(std::string_view type) {
    if (type == "U8") return 1;
    if (type == "F32" || type == "U32") return 4;
    if (type == "F64" || type == "U64") return 8;
    return 0;
}

}  // namespace

void SafetensorsWriter::add_bytes(const std::string& name, const char* type, const std::vector<std::size_t>& shape,
                                  std::span<const std::byte> values, std::size_t width) {
    std::size_t count = 1;
    for (const std::size_t size : shape) count = checked_product("The array " + name, {count, size});
    if (!names_.emplace(name, true).second || checked_product("The array " + name, {count, width}) != values.size())
        throw Error("The array " + name +
                    " cannot be packed: it is there twice, or its shape is not that of its values.");
    header_ += (header_.empty() ? "" : ",") + json_quote(name) + ":{\"dtype\":\"" + type + "\",\"shape\":[";
    for (std::size_t i = 0; i < shape.size(); ++i) header_ += (i ? "," : "") + std::to_string(shape[i]);
    header_ += "],\"data_offsets\":[" + std::to_string(data_.size()) + ',' +
               std::to_string(data_.size() + values.size()) + "]}";
    data_.append(reinterpret_cast<const char*>(values.data()), values.size());
}

void SafetensorsWriter::add(const std::string& name, std::vector<std::size_t> shape, std::span<const float> values) {
    add_bytes(name, "F32", shape, std::as_bytes(values), sizeof(float));
}
void SafetensorsWriter::add(const std::string& name, std::vector<std::size_t> shape, std::span<const double> values) {
    add_bytes(name, "F64", shape, std::as_bytes(values), sizeof(double));
}
void SafetensorsWriter::add(const std::string& name, std::vector<std::size_t> shape,
                            std::span<const std::uint32_t> values) {
    add_bytes(name, "U32", shape, std::as_bytes(values), sizeof(std::uint32_t));
}
void SafetensorsWriter::add(const std::string& name, std::vector<std::size_t> shape,
                            std::span<const std::uint64_t> values) {
    add_bytes(name, "U64", shape, std::as_bytes(values), sizeof(std::uint64_t));
}

std::string SafetensorsWriter::bytes() const {
    std::string header = '{' + header_ + '}';
    header.resize((header.size() + header_grid - 1) / header_grid * header_grid, ' ');
    const std::uint64_t length = header.size();
    std::string all(sizeof length, '\0');
    std::memcpy(all.data(), &length, sizeof length);
    return all + header + data_;
}

SafetensorsReader::SafetensorsReader(std::string_view image, std::string name) : name_(std::move(name)) {
    const auto refuse = [this](const std::string& why) {
        throw Error("'" + name_ + "' is damaged: " + why + "; copy it again from where it came.");
    };
    std::uint64_t length = 0;
    if (image.size() < sizeof length) refuse("it ends before its header");
    std::memcpy(&length, image.data(), sizeof length);
    if (length > largest_safetensors_header || length > image.size() - sizeof length)
        refuse("its header says that it is " + format_bytes(std::size_t(length)) + " long");
    const Json header = parse_json(image.substr(sizeof length, std::size_t(length)), name_);
    const std::string_view data = image.substr(sizeof length + std::size_t(length));
    if (!header.is_object()) refuse("its header is no list of arrays");

    std::vector<std::pair<std::size_t, std::size_t>> spans;
    for (const auto& [array, entry] : header.items()) {
        if (array == "__metadata__") continue;
        Array found;
        const Json &type = json_field(entry, "dtype", name_), &shape = json_field(entry, "shape", name_),
                   &offsets = json_field(entry, "data_offsets", name_);
        if (type.is_string()) found.type = type.get<std::string>();
        std::size_t bytes = width_of(found.type);
        if (bytes == 0) refuse("its array " + strangers_text(array) + " is of a type that is not read here");
        if (!shape.is_array() || shape.size() > 8 || !offsets.is_array() || offsets.size() != 2)
            refuse("its array " + strangers_text(array) + " has no shape or no place");
        for (const Json& size : shape) {
            found.shape.push_back(std::size_t(json_whole(size, data.size(), "a size", name_)));
            bytes = checked_product("An array in '" + name_ + "'", {bytes, found.shape.back()});
        }
        const auto first = std::size_t(json_whole(offsets[0], data.size(), "an offset", name_)),
                   last = std::size_t(json_whole(offsets[1], data.size(), "an offset", name_));
        if (last < first || last - first != bytes) refuse("its array " + strangers_text(array) + " is of another size");
        found.bytes = data.substr(first, bytes);
        spans.emplace_back(first, last);
        arrays_.emplace(array, std::move(found));
    }
    std::sort(spans.begin(), spans.end());
    std::size_t covered = 0;
    for (const auto& [first, last] : spans) {
        if (first != covered) refuse("its arrays leave a hole or overlap");
        covered = last;
    }
    if (covered != data.size()) refuse("its arrays do not fill it");
}

const SafetensorsReader::Array& SafetensorsReader::find(const std::string& array) const {
    const auto found = arrays_.find(array);
    if (found == arrays_.end()) throw Error("'" + name_ + "' is damaged: it has no array " + array + ".");
    return found->second;
}

const std::vector<std::size_t>& SafetensorsReader::shape(const std::string& array) const {
    return find(array).shape;
}

template <class T>
std::vector<T> SafetensorsReader::read(const std::string& array, const char* type) const {
    const Array& found = find(array);
    if (found.type != type)
        throw Error("'" + name_ + "' is damaged: its array " + array + " is " + found.type + " where " + type +
                    " belongs.");
    std::vector<T> values(found.bytes.size() / sizeof(T));
    if (!values.empty()) std::memcpy(values.data(), found.bytes.data(), found.bytes.size());
    return values;
}

std::vector<float> SafetensorsReader::floats(const std::string& array) const {
    return read<float>(array, "F32");
}
std::vector<double> SafetensorsReader::doubles(const std::string& array) const {
    return read<double>(array, "F64");
}
std::vector<std::uint32_t> SafetensorsReader::u32(const std::string& array) const {
    return read<std::uint32_t>(array, "U32");
}
std::vector<std::uint64_t> SafetensorsReader::u64(const std::string& array) const {
    return read<std::uint64_t>(array, "U64");
}

}  // namespace moe
