// One process at a time in a directory.
#pragma once

#include <filesystem>

#include "base/result.h"
#include "fs/file.h"

namespace varve {

// Held from acquire() to destruction, and released by the kernel when the process dies however it
// dies. The lock is flock(2) on a file in the directory, so it does not protect across machines
// that share a network file system without lock support.
class DirectoryLock {
 public:
  // Conflict when another process holds it; the message names that process where it can be told.
  static Result<DirectoryLock> acquire(const std::filesystem::path& directory);

  DirectoryLock(DirectoryLock&&) noexcept = default;
  DirectoryLock& operator=(DirectoryLock&&) = delete;
  ~DirectoryLock();

  // Whether the one that held it before died without letting go of it. What it wrote last may be
  // there and not be durable.
  bool was_abandoned() const { return was_abandoned_; }

 private:
  DirectoryLock(File file, bool was_abandoned)
      : file_(std::move(file)), was_abandoned_(was_abandoned) {}

  File file_;
  bool was_abandoned_;
};

}  // namespace varve
