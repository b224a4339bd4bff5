#pragma once
#include "engine/formats/h5_records.h"

#include <filesystem>
#include <string>
#include <string_view>

namespace moe {

/// The program moelab-h5, which reads the HDF5 files of strangers: libhdf5 crashes and hangs on damaged ones, so that
/// happens in a short-lived process with limits on its memory, time and files. It lies beside moelab.
struct H5Program {
    std::filesystem::path file;
    double start_seconds = 10;  // that it may take to start, on a slow disk
    double read_seconds = 0;    // that reading may take then; 0: h5_seconds()
};

/// The one in the folder of `program`, an absolute path.
H5Program h5_program_beside(const std::filesystem::path& program);

/// What is in the HDF5 file `image`, read by `program`; nothing is written to the disk. Throws Error in one sentence
/// that names `name`: the program is missing, the file breaks a rule, or reading it crashed, took too long or went
/// beyond a limit. The child has ended then. Any thread.
std::map<std::string, H5Object> read_h5(const H5Program& program, std::string_view image, const std::string& name);

}  // namespace moe
