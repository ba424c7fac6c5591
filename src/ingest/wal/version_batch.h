// Versions on their way from the WAL into a timeline, with the bytes of their values.
#pragma once

#include <algorithm>
#include <deque>
#include <span>
#include <vector>

#include "layer/value.h"

namespace varve {

// Not thread-safe.
class VersionBatch {
 public:
  // Room for a value, to be filled by the caller; valid until clear().
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
  // The same with a copy of `bytes` in it.
  ByteView keep(ByteView bytes) {
    const std::span<uint8_t> copy = allocate(bytes.size());
    std::ranges::copy(bytes, copy.begin());
    return copy;
  }

  // `value` lies in the batch.
  void add(const Key& key, Lsn lsn, ValueKind kind, ByteView value) {
    versions_.push_back({key, lsn, kind, value});
  }

  std::span<const Version> versions() const { return versions_; }
  // Gives up the versions behind the first `count`.
  void truncate(size_t count) { versions_.erase(versions_.begin() + count, versions_.end()); }
  // Of the values.
  size_t size() const { return size_; }

  void clear() {
    versions_.clear();
    size_ = 0;
    // One is used again.
    if (chunks_.size() > 1) chunks_.erase(std::next(chunks_.begin()), chunks_.end());
    if (!chunks_.empty()) chunks_.front().clear();
  }

 private:
  static constexpr size_t kChunkSize = 1 << 20;

  std::vector<Version> versions_;
  // None grows beyond what it has reserved, so that views stay valid.
  std::deque<Bytes> chunks_;
  size_t size_ = 0;
};

}  // namespace varve
