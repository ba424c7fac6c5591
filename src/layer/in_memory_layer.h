// The newest versions of a timeline, in memory until they are written into a layer file.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

#include "base/result.h"
#include "layer/large_chunks.h"
#include "layer/version_cursor.h"

namespace varve {

// Thread-safe: versions are put in while others are read.
//
// Values lie in an arena and never move, so that what a read gives out stays valid as long as the
// layer. Keys are found through a hash table; only a scan sorts them.
class InMemoryLayer {
 public:
  // What it takes from `large` it gives back at its end.
  explicit InMemoryLayer(std::shared_ptr<LargeChunks> large = std::make_shared<LargeChunks>());
  ~InMemoryLayer();
  InMemoryLayer(const InMemoryLayer&) = delete;
  InMemoryLayer& operator=(const InMemoryLayer&) = delete;

  // Versions of a key come in ascending order of their LSNs; InvalidArgument otherwise. The value
  // is copied. Exhausted when the layer holds as many versions as it can count, 2^32 - 2.
  Result<> put(const Version& version);

  // The versions of `key` at or below `lsn`, the newest first, down to the first image, or the
  // first at or below `first`. Without an image at the end, older ones are to be found in other
  // layers.
  std::vector<Version> find(const Key& key, Lsn lsn, Lsn first = Lsn{0}) const;

  // All versions of the keys in `range` as of now. The layer must outlive it.
  VersionCursorPointer cursor(const KeyRange& range) const;

  size_t version_count() const;
  // Memory in use.
  size_t bytes() const { return bytes_.load(std::memory_order_relaxed); }
  // How many large chunks are part of it.
  size_t large_chunk_count() const;

 private:
  using Number = uint32_t;
  static constexpr Number kNone = UINT32_MAX;
  struct Entry {
    Key key;
    ValueKind kind;
    // The version of the same key before this one.
    Number previous;
    uint32_t size;
    Lsn lsn;
    const uint8_t* value;
  };

  // With the lock held. Where in the table the key is, or would be.
  size_t place_of(const Key& key) const;
  void grow();
  const uint8_t* store(ByteView value);
  void add_chunk();
  Version version(const Entry& entry) const;

  // Not one that readers share: it would let them keep the writer waiting for ever.
  mutable std::mutex mutex_;
  std::vector<Entry> entries_;
  // The newest entry of each key. A power of two places, at most half of them taken.
  std::vector<Number> table_;
  size_t keys_ = 0;
  std::vector<std::unique_ptr<uint8_t[]>> chunks_;
  const std::shared_ptr<LargeChunks> large_;
  std::vector<LargeChunks::Chunk> large_chunks_;
  // What is left of the newest of them.
  std::span<uint8_t> free_;
  std::atomic<size_t> bytes_ = 0;
};

}  // namespace varve
