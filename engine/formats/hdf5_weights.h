#pragma once
#include <cstdint>
#include <memory>
#include <optional>
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

/// An HDF5 file in memory. Follows hard links only, and reads only what the file itself can hold: no external storage,
/// no virtual datasets, no filters but gzip and shuffle, no size beyond the file's own. libhdf5 is not safe for
/// threads: a reader holds the one lock while it lives.
class Hdf5Reader {
public:
    /// Throws Error naming `name` where `image` is no HDF5 file. `image` is read where it lies and must outlive this.
    Hdf5Reader(std::string_view image, std::string name);
    Hdf5Reader(std::string&&, std::string) = delete;
    ~Hdf5Reader();
    Hdf5Reader(const Hdf5Reader&) = delete;
    Hdf5Reader& operator=(const Hdf5Reader&) = delete;

    /// False where nothing stands at `path`. Throws Error where a link on the way is no hard link.
    bool exists(const std::string& path) const;

    /// How many links the group at `path` has. Throws Error where it is no group.
    std::size_t links(const std::string& path) const;

    /// Sizes of the dataset at `path`. Throws Error as floats() does, whatever its shape.
    std::vector<std::size_t> shape(const std::string& path, const std::string& owner) const;

    /// The float32 or float64 dataset at `path`, row-major. Throws Error where it is missing, unsafe, or of another
    /// shape than `shape`; `owner` is for the sentence ("the layer 'dense'").
    std::vector<float> floats(const std::string& path, const std::vector<std::size_t>& shape,
                              const std::string& owner) const;

    /// The whole number at `path`. Throws Error as floats() does.
    std::int64_t integer(const std::string& path, const std::string& owner) const;

    /// The text that the object at `path` ("": the file itself) carries as an attribute; nothing where there is none.
    /// Throws Error where it is no text, or larger than the file can hold.
    std::optional<std::string> text(const std::string& path, const std::string& attribute) const;

    /// A list of texts, as Keras's legacy format has them: long ones are in pieces called `attribute`0, 1 and so on.
    /// Empty where there is none. Throws Error as text() does.
    std::vector<std::string> texts(const std::string& path, const std::string& attribute) const;

private:
    std::optional<std::vector<std::string>> read_texts(const std::string& path, const std::string& attribute) const;

    struct File;
    std::unique_ptr<File> file_;
    std::string name_;
    std::string_view image_;
};

}  // namespace moe
