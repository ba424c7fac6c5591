// Versions on their way from the WAL into a timeline, with the bytes of their values.
#pragma once

#include <span>
#include <vector>

#include "base/byte_arena.h"
#include "layer/value.h"

namespace varve {

// Not thread-safe.
class VersionBatch {
 public:
  // As those of ByteArena.
  std::span<uint8_t> allocate(size_t size) { return values_.allocate(size); }
  ByteView keep(ByteView bytes) { return values_.keep(bytes); }

  // `value` lies in the batch.
  void add(const Key& key, Lsn lsn, ValueKind kind, ByteView value) {
    versions_.push_back({key, lsn, kind, value});
  }

  std::span<const Version> versions() const { return versions_; }
  // Gives up the versions behind the first `count`.
  void truncate(size_t count) { versions_.resize(count); }
  // Of the values, bytes.
  size_t size() const { return values_.size(); }

  void clear() {
    versions_.clear();
    values_.clear();
  }

 private:
  std::vector<Version> versions_;
  ByteArena values_;
};

}  // namespace varve
