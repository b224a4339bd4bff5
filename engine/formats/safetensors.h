#pragma once
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace moe {

inline constexpr std::size_t largest_safetensors_header = std::size_t(4) << 20;  // bytes

/// The bytes of a safetensors file: arrays of plain numbers by name, in the order in which they were added, each once.
/// Equal arrays give equal bytes. Throws Error where a name comes twice.
class SafetensorsWriter {
public:
    void add(const std::string& name, std::vector<std::size_t> shape, std::span<const float> values);
    void add(const std::string& name, std::vector<std::size_t> shape, std::span<const double> values);
    void add(const std::string& name, std::vector<std::size_t> shape, std::span<const std::uint32_t> values);
    void add(const std::string& name, std::vector<std::size_t> shape, std::span<const std::uint64_t> values);

    std::string bytes() const;

private:
    void add_bytes(const std::string& name, const char* type, const std::vector<std::size_t>& shape,
                   std::span<const std::byte> values, std::size_t width);

    std::string header_, data_;
    std::map<std::string, bool> names_;
};

/// A safetensors file in memory, read where it lies: `image` must outlive this. No holes, no overlaps, no name twice,
/// the whole file covered, a header of at most 4 MiB; else Error naming `name`. Sizes are checked before anything is
/// allocated.
class SafetensorsReader {
public:
    SafetensorsReader(std::string_view image, std::string name);

    bool has(const std::string& array) const { return arrays_.contains(array); }
    /// Throws Error where the array is missing or of another type than the call's.
    const std::vector<std::size_t>& shape(const std::string& array) const;
    std::vector<float> floats(const std::string& array) const;
    std::vector<double> doubles(const std::string& array) const;
    std::vector<std::uint32_t> u32(const std::string& array) const;
    std::vector<std::uint64_t> u64(const std::string& array) const;

private:
    struct Array {
        std::string type;
        std::vector<std::size_t> shape;
        std::string_view bytes;
    };
    const Array& find(const std::string& array) const;
    template <class T>
    std::vector<T> read(const std::string& array, const char* type) const;

    std::map<std::string, Array> arrays_;
    std::string name_;
};

}  // namespace moe
