// Room for many small values that go together.
#pragma once

#include <algorithm>
#include <deque>

#include "base/bytes.h"

namespace varve {

// Not thread-safe. What it gives is valid until clear(), or as long as it.
class ByteArena {
 public:
  // To be filled by the caller.
  std::span<uint8_t> allocate(size_t size) {
    if (chunks_.empty() || chunks_.back().size() + size > chunks_.back().capacity()) {
      chunks_.emplace_back().reserve(std::max(kChunkSize, size));
    }
    Bytes& chunk = chunks_.back();
    const size_t start = chunk.size();
    chunk.resize(start + size);
    size_ += size;
    return std::span(chunk).subspan(start);
  }
  // A copy of `bytes`.
  ByteView keep(ByteView bytes) {
    const std::span<uint8_t> copy = allocate(bytes.size());
    std::ranges::copy(bytes, copy.begin());
    return copy;
  }

  // Of all that was allocated.
  size_t size() const { return size_; }

  void clear() {
    size_ = 0;
    // One chunk is used again.
    if (chunks_.size() > 1) chunks_.erase(std::next(chunks_.begin()), chunks_.end());
    if (!chunks_.empty()) chunks_.front().clear();
  }

 private:
  static constexpr size_t kChunkSize = 1 << 20;

  // None grows beyond what it has reserved, so that views stay valid.
  std::deque<Bytes> chunks_;
  size_t size_ = 0;
};

}  // namespace varve
