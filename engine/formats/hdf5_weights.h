#pragma once
#include "engine/formats/h5_program.h"

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace moe {

/// A dataset to write: float32, or one whole number where `integer` is set.
struct Hdf5Item {
    std::string path;                // "layers/dense/vars/0"
    std::vector<std::size_t> shape;  // empty: one scalar
    std::span<const float> values;
    std::optional<std::int64_t> integer;
};

/// The bytes of an HDF5 file as Keras lays out `model.weights.h5`: superblock 0, contiguous little-endian, no times, so
/// that equal weights give equal bytes. `groups` are made whether or not a dataset is in them. Any thread.
std::string write_hdf5(const std::vector<std::string>& groups, const std::vector<Hdf5Item>& items);

/// What is in an HDF5 file in memory, as the program moelab-h5 reads it (engine/formats/h5_program.h): arrays of
/// floats, whole numbers, and texts that groups carry. A file with links, storage elsewhere, filters but gzip and
/// shuffle, or sizes beyond its own is refused as a whole. Any thread, one at a time.
class Hdf5Reader {
public:
    /// Throws Error as read_h5() does. `image` is read where it lies and must outlive this.
    Hdf5Reader(std::string_view image, std::string name, const H5Program& program);
    Hdf5Reader(std::string&&, std::string, const H5Program&) = delete;

    /// False where nothing stands at `path`.
    bool exists(const std::string& path) const;

    /// How many links the group at `path` has. Throws Error where it is no group.
    std::size_t links(const std::string& path) const;

    /// Sizes of the array at `path`. Throws Error as take_floats() does, whatever its shape.
    std::vector<std::size_t> shape(const std::string& path, const std::string& owner) const;

    /// The float32 or float64 array at `path`, row-major; once each. Throws Error where it is missing, of another type
    /// or shape than `shape`, or was taken; `owner` is for the sentence ("the layer 'dense'").
    std::vector<float> take_floats(const std::string& path, const std::vector<std::size_t>& shape,
                                   const std::string& owner);

    /// The whole number at `path`. Throws Error where there is none.
    std::int64_t integer(const std::string& path, const std::string& owner) const;

    /// The text that the object at `path` ("": the file itself) carries as an attribute; nothing where there is none.
    /// Throws Error where it is no text, or larger than the file can hold.
    std::optional<std::string> text(const std::string& path, const std::string& attribute) const;

    /// A list of texts, as Keras's legacy format has them: long ones are in pieces called `attribute`0, 1 and so on.
    /// Empty where there is none. Throws Error as text() does.
    std::vector<std::string> texts(const std::string& path, const std::string& attribute) const;

private:
    const H5Object& array(const std::string& path, const std::string& owner) const;
    std::optional<std::vector<std::string>> read_texts(const std::string& path, const std::string& attribute) const;

    std::string name_;
    std::string_view image_;
    std::map<std::string, H5Object> objects_;
    std::set<std::string> taken_;
};

}  // namespace moe
