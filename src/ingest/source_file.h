// A file of a source, read from front to back.
#pragma once

#include <ctime>

#include "fs/file.h"

namespace varve {

// Not thread-safe.
class SourceFile {
 public:
  // Conflict unless the file has `expected_size` bytes, or more where that may be. The kernel is
  // told to read ahead.
  static Result<SourceFile> open(const std::filesystem::path& path, uint64_t expected_size,
                                 bool may_be_longer = false);

  // The next bytes; exactly out.size() of them.
  Result<> read(std::span<uint8_t> out);

  // Conflict when the file's size or modification time changed since it was opened.
  Result<> check_unchanged() const;

 private:
  SourceFile(File file, uint64_t size, timespec modified)
      : file_(std::move(file)), size_(size), modified_(modified) {}

  File file_;
  uint64_t size_;
  timespec modified_;
  uint64_t offset_ = 0;
};

}  // namespace varve
