#pragma once
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace moe {

/// Replaces `path` by `bytes`, or leaves what was there: a temporary beside the target, every byte written and counted,
/// fsync, rename, fsync of the folder. The only writer of files in the program. Throws Error with the cause in words
/// ("the folder is read-only", "the disk is full"); the old file is then untouched and the temporary gone (where only
/// the last fsync, of the folder, fails, the new file is complete). Through a symbolic link the file that it leads to
/// is replaced and the link stays; the mode of an existing file is kept; a device or pipe is written to directly.
void write_file(const std::filesystem::path& path, std::string_view bytes);

/// The whole file. Throws Error: missing, a folder, unreadable, larger than `limit` bytes.
std::string read_file(const std::filesystem::path& path, std::size_t limit = std::size_t(1) << 32);

/// At most `count` bytes from byte `offset` on. Throws Error as read_file() does, and where it is a pipe with an offset.
std::string read_file_part(const std::filesystem::path& path, std::uint64_t offset, std::size_t count);

/// Makes the folder and its parents. Throws Error with the cause in words.
void make_folder(const std::filesystem::path& path);

}  // namespace moe
