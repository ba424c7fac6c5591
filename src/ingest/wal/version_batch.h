// Versions on their way from the WAL into a timeline, with the bytes of their values.
#pragma once

#include <deque>
#include <span>
#include <vector>

#include "layer/value.h"

namespace varve {

// Not thread-safe.
class VersionBatch {
 public:
  // Keeps a copy of `bytes`; the view is valid until clear().
  ByteView keep(ByteView bytes) {
    if (chunks_.empty() || chunks_.back().size() + bytes.size() > chunks_.back().capacity()) {
      chunks_.emplace_back().reserve(std::max(kChunkSize, bytes.size()));
    }
    Bytes& chunk = chunks_.back();
    const size_t start = chunk.size();
    chunk.insert(chunk.end(), bytes.begin(), bytes.end());
    size_ += bytes.size();
    return ByteView(chunk).subspan(start);
  }

  // `value` is what keep() gave.
  void add(const Key& key, Lsn lsn, ValueKind kind, ByteView value) {
    versions_.push_back({key, lsn, kind, value});
  }

  std::span<const Version> versions() const { return versions_; }
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
