// Directories and whole small files: listing, durable creation, atomic replacement, removal.
//
// Durability: a file or name is durable once its directory was synced. Functions say so where they
// do it.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"

namespace varve {

// Files that are being written carry this suffix until they are renamed into place. What bears it
// after a crash was never finished, and is removed by whoever owns the directory.
inline constexpr std::string_view kTemporarySuffix = ".tmp";

// The whole file. Exhausted when it is larger than `limit` bytes.
Result<Bytes> read_file(const std::filesystem::path& path, uint64_t limit = 64ULL << 20);

// Replaces `path` in one step: a temporary file beside it, fsync, rename, fsync of the directory.
// After a crash the old or the new content is there, whole.
Result<> write_file_atomically(const std::filesystem::path& path, ByteView content,
                               mode_t mode = 0600);

// rename(2), then fsync of the directory that holds `to`. Where `from` is in another one, a crash
// may bring that name back.
Result<> rename_durably(const std::filesystem::path& from, const std::filesystem::path& to);

Result<> sync_directory(const std::filesystem::path& directory);

// Makes everything durable that was ever written to the file system of `directory`, by whomever:
// for what was left by a process that died before it could sync. May take long.
Result<> sync_file_system(const std::filesystem::path& directory);

// Creates the directory and those above it that are missing, each synced into its parent.
Result<> create_directories_durably(const std::filesystem::path& directory, mode_t mode = 0700);

struct DirectoryEntry {
  std::string name;
  std::filesystem::file_type type = std::filesystem::file_type::unknown;  // A link is not followed.
};

// Sorted by name.
Result<std::vector<DirectoryEntry>> list_directory(const std::filesystem::path& directory);

// Whether anything has that name; an error other than its absence is an error.
Result<bool> path_exists(const std::filesystem::path& path);

struct FileStatus {
  uint64_t size = 0;  // Bytes.
  Timestamp modified;
};
// None when there is no such file.
Result<std::optional<FileStatus>> file_status(const std::filesystem::path& path);
// Changes when a file says that it was modified. Not durably.
Result<> set_modified(const std::filesystem::path& path, Timestamp time);

// Removes a file; its absence is not an error.
Result<> remove_file(const std::filesystem::path& path);

// Removes a directory with all it holds; its absence is not an error.
Result<> remove_tree(const std::filesystem::path& directory);

}  // namespace varve
