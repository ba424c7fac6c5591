// Writes a new file from front to back in large pieces.
#pragma once

#include "base/bytes.h"
#include "fs/file.h"

namespace varve {

// The bytes of a file on their way to the disk; one buffer serves many files, one after another.
// Not thread-safe.
class WriteBuffer {
 public:
  static constexpr size_t kCapacity = 1U << 20;

  WriteBuffer() : bytes_(kCapacity) {}

 private:
  friend class SequentialWriter;
  Bytes bytes_;
  size_t used_ = 0;
};

// Not thread-safe. What was not brought to the file by finish() is dropped.
class SequentialWriter {
 public:
  // `buffer` must outlive the writer and serve no other at the same time.
  SequentialWriter(File file, WriteBuffer& buffer) : file_(std::move(file)), buffer_(&buffer) {
    buffer_->used_ = 0;
  }

  // The place of the next `size` bytes (at most WriteBuffer::kCapacity), which the caller fills
  // before the next call.
  Result<std::span<uint8_t>> extend(size_t size);
  // Long stretches are left to the file system to keep as reserved space, without writing them.
  Result<> append_zeros(uint64_t count);

  // Hands everything to the kernel, and asks it to start writing it to the disk.
  Result<> finish();

 private:
  Result<> flush();

  File file_;
  WriteBuffer* buffer_;
  uint64_t written_ = 0;
};

}  // namespace varve
