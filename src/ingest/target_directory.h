// The directory that an export fills: everything in it belongs to the right user, is on disk before
// it is declared complete, and is gone again when it never is.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "fs/file.h"
#include "fs/system_user.h"
#include "ingest/export.h"

namespace varve {

// Not thread-safe, but for create_file() in directories that are there. Paths are relative to the
// directory, unless they are named location.
class TargetDirectory {
 public:
  struct Permissions {
    // Applied when the process runs as root.
    std::optional<SystemUser> owner;
    // 0700 or 0750; files get no more than that.
    mode_t directory_mode = 0700;
  };

  // Conflict when `path` is anything but absent or an empty directory; NotFound when the directory
  // above it is missing.
  static Result<TargetDirectory> create(const std::filesystem::path& path,
                                        const Permissions& permissions);

  TargetDirectory(TargetDirectory&& other) noexcept;
  TargetDirectory& operator=(TargetDirectory&&) = delete;
  // Removes what was created, in here and at linked locations, unless keep() was called.
  ~TargetDirectory();

  // Creates the directory and those above it that are missing; one that was created before is fine.
  Result<> make_directory(const std::string& path);
  // A new file, in a directory that is made when it is missing. Of `mode` count the bits that the
  // permissions of the directory leave; the owner may always read and write.
  Result<File> create_file(const std::string& path, mode_t mode = 0666);
  Result<> write_file(const std::string& path, ByteView content);
  // A link at `path` to a directory outside, which must be absent or empty and is then this
  // target's.
  Result<> link_directory(const std::string& path, const std::filesystem::path& location);

  Result<bool> has(const std::string& path) const;

  // Brings everything created so far to disk; what was synced by an earlier call is not repeated.
  Result<> sync(std::stop_token stop);
  void keep() { kept_ = true; }

  uint64_t file_count() const { return file_count_; }

 private:
  TargetDirectory(std::filesystem::path root, const Permissions& permissions)
      : root_(std::move(root)), permissions_(permissions) {}

  Result<> adopt_directory(const std::filesystem::path& path);
  Result<> take_permissions(int descriptor, const std::filesystem::path& path, mode_t mode) const;
  void remove_created() noexcept;

  void note_file(const std::filesystem::path& path);
  void note_directory(const std::filesystem::path& path);

  std::filesystem::path root_;
  Permissions permissions_;
  // Of what follows, while files are created.
  std::mutex mutex_;
  // Absolute, in the order of their creation. A directory that was there before is only synced.
  std::vector<std::filesystem::path> created_;
  std::vector<std::filesystem::path> unsynced_files_;
  std::vector<std::filesystem::path> unsynced_directories_;
  uint64_t file_count_ = 0;
  bool kept_ = false;
};

}  // namespace varve
