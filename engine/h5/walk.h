#pragma once
#include "engine/formats/h5_records.h"

#include <hdf5.h>

#include <string_view>
#include <vector>

namespace moe {

/// Why the file is not read: one rule, and where it is broken.
struct Refusal {
    H5Refused what;
};

/// A group or dataset that keeps every rule.
struct Found {
    std::string path;
    H5Object object;  // without values
};

/// An HDF5 file in memory, as libhdf5 reads it. Throws Refusal.
class H5Image {
public:
    explicit H5Image(std::string_view image);  // read where it lies
    ~H5Image();
    H5Image(const H5Image&) = delete;
    H5Image& operator=(const H5Image&) = delete;

    /// Every group and dataset, parents first, each held against the rules; nothing is read of any of them.
    std::vector<Found> walk();

    /// The values of one that walk() found, into its object.
    void read(Found& found) const;

private:
    void walk_group(const std::string& path, std::uint64_t address, std::size_t depth);
    void visit(const std::string& path, std::size_t depth);
    H5Object check_dataset(const std::string& path);

    std::string_view image_;
    hid_t access_ = -1, file_ = -1;
    std::vector<Found> found_;
    std::vector<std::uint64_t> addresses_;
    std::size_t stored_ = 0, unpacked_ = 0;  // bytes, of all datasets so far
};

}  // namespace moe
