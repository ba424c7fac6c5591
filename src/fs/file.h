// Files through system calls, with errors that name the path.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <string>

#include "base/bytes.h"
#include "base/result.h"

namespace varve {

// An open file. Closed by the destructor; a writer that cares calls sync() first, since close
// reports nothing. Positioned reads and writes may run on several threads at once.
class File {
 public:
  // flags and mode as in open(2); O_CLOEXEC is added.
  static Result<File> open(const std::filesystem::path& path, int flags, mode_t mode = 0600);
  // A new one, to read and write, that loses its name `path` at once: nothing of it is left when
  // this object or the process ends.
  static Result<File> open_scratch(const std::filesystem::path& path);

  File(File&& other) noexcept;
  File& operator=(File&& other) noexcept;
  ~File();

  const std::filesystem::path& path() const { return path_; }
  int descriptor() const { return descriptor_; }

  Result<uint64_t> size() const;

  // Fills `out` from `offset` on; fewer bytes only at the end of the file. Returns how many.
  Result<size_t> read_at(uint64_t offset, std::span<uint8_t> out) const;
  // The same, but Corrupted when the file ends before `out` is full.
  Result<> read_exactly_at(uint64_t offset, std::span<uint8_t> out) const;

  // Writes all of `bytes`.
  Result<> write_at(uint64_t offset, ByteView bytes);
  Result<> append(ByteView bytes);

  // Cuts the file off, or extends it by a hole: see ftruncate(2).
  Result<> truncate(uint64_t size);

  // fsync(2). After an error the content must be taken for lost: the kernel reports it only once.
  Result<> sync();

 private:
  File(std::filesystem::path path, int descriptor)
      : path_(std::move(path)), descriptor_(descriptor) {}

  std::filesystem::path path_;
  int descriptor_ = -1;
};

}  // namespace varve
