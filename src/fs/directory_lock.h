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

 private:
  explicit DirectoryLock(File file) : file_(std::move(file)) {}
  File file_;
};

}  // namespace varve
