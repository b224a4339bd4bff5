#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace moe {

// What the program moelab-h5 tells of an HDF5 file, as bytes on a pipe, numbers little-endian. First h5_greeting, when
// it has started and before it looks at the file; then one record for each group and dataset; then the end, or why the
// file is not read:
//   g  path, u64 address, u64 links                              a group
//   f  path, u64 address, u8 rank, u64 size[rank], f32 values    float32, or float64 made float32; row-major
//   i  path, u64 address, i64 value                              one whole number
//   o  path, u64 address, u8 H5Other                             a dataset that is no weights, and why
//   r  path, u8 H5Rule, u64 bytes                                the file is refused: the last record then
//   e  u64 records                                               the end
// A path is u16 length and its bytes, without a slash at the beginning; the file's root has the empty one. An address
// is where in the file the object's header lies.

inline constexpr char h5_greeting[] = "moelab-h5 1\n";
enum class H5Record : char { group = 'g', floats = 'f', integer = 'i', other = 'o', refused = 'r', end = 'e' };
enum class H5Other : std::uint8_t { rank, type, count };  // more than three sizes; no float32 or float64
enum class H5Rule : std::uint8_t {
    damaged_file,  // no HDF5 file, or cut off
    damaged,       // something in it
    link,          // soft or external
    external_storage,
    virtual_storage,
    filter,  // neither deflate nor shuffle
    too_large,
    twice,  // an object under two names, as in a loop
    deep,   // more groups, one in the other, than any model needs
    long_path,
    many,   // more objects than any model needs
    memory,
    count
};

inline constexpr std::size_t h5_most_path = 1024, h5_most_depth = 24, h5_most_objects = std::size_t(1) << 18;

/// A group or dataset takes more bytes than this of any file.
inline constexpr std::size_t h5_least_object = 64;

/// Bytes of all unpacked weights that a file of `file_bytes` may hold: what is stored as it is has the file's size at
/// most, gzip makes more of it, but reading must not take more than three times the file and 64 MiB.
constexpr std::size_t h5_most_bytes(std::size_t file_bytes) {
    return 2 * file_bytes + (std::size_t(32) << 20);
}

/// Seconds that reading may take once the child has started: what hangs is noticed within two where the file is small.
constexpr double h5_seconds(std::size_t file_bytes) {
    return 1.5 + double(file_bytes) / double(std::size_t(32) << 20);
}

struct H5Object {
    H5Record kind = H5Record::group;
    H5Other other = H5Other::count;  // of H5Record::other
    std::uint64_t address = 0;
    std::uint64_t links = 0;         // of a group
    std::vector<std::size_t> shape;  // of floats
    std::vector<float> values;       // as many as the shape says
    std::int64_t integer = 0;
};

struct H5Refused {
    H5Rule rule = H5Rule::damaged_file;
    std::string path;
    std::uint64_t bytes = 0;  // of too_large
};

struct H5Contents {
    std::map<std::string, H5Object> objects;  // by path
    std::optional<H5Refused> refused;         // then there are no objects
};

/// Reads all that follows the greeting. `take` fills so many bytes or throws. What was sent is not trusted: every
/// length is held against its bound, and against a file of `file_bytes`, before anything is allocated. Throws Error,
/// which says what is wrong in a few words, where it is no such list. Any thread.
H5Contents read_h5_records(const std::function<void(void* into, std::size_t bytes)>& take, std::size_t file_bytes);

}  // namespace moe
