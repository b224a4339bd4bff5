#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace moe {

/// The texts that the object at `address` of an HDF5 file carries as the attribute `attribute`; nothing where it has
/// none. Read from the bytes themselves, every offset checked, because libhdf5 crashes on damaged texts of variable
/// length. Understands what h5py writes by default (superblock 0 or 1, object headers of version 1). Throws Error,
/// which begins with `where`, for anything else. Any thread.
std::optional<std::vector<std::string>> read_hdf5_texts(std::string_view image, std::uint64_t address,
                                                        const std::string& attribute, const std::string& where);

}  // namespace moe
