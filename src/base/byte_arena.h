// Room for many small values that go together.
#pragma once

#include <algorithm>
#include <memory>
#include <vector>

#include "base/bytes.h"
#include "base/copy_bytes.h"

namespace varve {

// Not thread-safe. What it gives is valid until clear(), or as long as it.
class ByteArena {
 public:
  // To be filled by the caller.
  std::span<uint8_t> allocate(size_t size) {
    if (chunks_.empty() || chunks_.back().room - used_ < size) add_chunk(size);
    const std::span<uint8_t> place(chunks_.back().bytes.get() + used_, size);
    used_ += size;
    size_ += size;
    return place;
  }
  // A copy of `bytes`.
  ByteView keep(ByteView bytes) {
    const std::span<uint8_t> copy = allocate(bytes.size());
    copy_bytes(bytes, copy);
    return copy;
  }

  // Of all that was allocated.
  size_t size() const { return size_; }

  void clear() {
    size_ = 0;
    used_ = 0;
    // The last one, mostly the largest, is used again.
    if (chunks_.size() > 1) chunks_.erase(chunks_.begin(), std::prev(chunks_.end()));
  }

 private:
  static constexpr size_t kFirstChunk = 1 << 12;
  static constexpr size_t kLargestChunk = 1 << 20;

  // Not cleared: whoever allocates fills it.
  struct Chunk {
    std::unique_ptr<uint8_t[]> bytes;
    size_t room = 0;
  };

  // Each is twice as large as the one before.
  void add_chunk(size_t size) {
    const size_t next = chunks_.empty() ? kFirstChunk : 2 * chunks_.back().room;
    const size_t room = std::max(std::min(next, kLargestChunk), size);
    chunks_.push_back({std::make_unique_for_overwrite<uint8_t[]>(room), room});
    used_ = 0;
  }

  // Only the last one has room left.
  std::vector<Chunk> chunks_;
  size_t used_ = 0;  // Of the last one.
  size_t size_ = 0;
};

}  // namespace varve
