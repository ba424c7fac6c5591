#include "layer/in_memory_layer.h"

#include <algorithm>

#include "base/checksum.h"
#include "base/copy_bytes.h"

namespace varve {
namespace {

constexpr size_t kFirstTableSize = 1U << 10;
constexpr size_t kChunkSize = 1U << 20;
// Larger values get memory of their own, so that little of a chunk is wasted.
constexpr size_t kLargeValue = kChunkSize / 8;

// Where a version belongs among the others: by its key, and the newest of a key first. Numbers are
// compared faster than bytes.
struct Place {
  uint64_t first;
  uint64_t second;
  uint16_t third;
  // The number of its entry, counted from the last: those of a key are put in ascending order.
  uint32_t from_last;

  auto operator<=>(const Place&) const = default;
};

Place place_among(const Key& key, uint32_t number) {
  static_assert(Key::kSize == 8 + 8 + 2);
  return {.first = load_big<uint64_t>(key.bytes.data()),
          .second = load_big<uint64_t>(key.bytes.data() + 8),
          .third = load_big<uint16_t>(key.bytes.data() + 16),
          .from_last = UINT32_MAX - number};
}

class SortedVersions : public VersionCursor {
 public:
  explicit SortedVersions(std::vector<Version> versions) : versions_(std::move(versions)) {}

  const Version* current() const override {
    return at_ < versions_.size() ? &versions_[at_] : nullptr;
  }
  Result<> next() override {
    ++at_;
    return {};
  }

 private:
  const std::vector<Version> versions_;
  size_t at_ = 0;
};

}  // namespace

InMemoryLayer::InMemoryLayer(std::shared_ptr<LargeChunks> large)
    : table_(kFirstTableSize, kNone), large_(std::move(large)) {}

InMemoryLayer::~InMemoryLayer() {
  for (auto& chunk : large_chunks_) large_->give_back(std::move(chunk));
}

Result<> InMemoryLayer::put(const Version& version) {
  const std::lock_guard lock(mutex_);
  if (entries_.size() >= kNone) {
    return make_error(ErrorCode::kExhausted, "a layer in memory is full with {} versions",
                      entries_.size());
  }
  size_t place = place_of(version.key);
  const Number previous = table_[place];
  if (previous == kNone) {
    if (2 * (keys_ + 1) > table_.size()) {
      grow();
      place = place_of(version.key);
    }
    ++keys_;
  } else if (entries_[previous].lsn >= version.lsn) {
    return make_error(ErrorCode::kInvalidArgument,
                      "key {} was put at {} after it had been put at {}", version.key, version.lsn,
                      entries_[previous].lsn);
  }
  table_[place] = static_cast<Number>(entries_.size());
  entries_.push_back({.key = version.key,
                      .kind = version.kind,
                      .previous = previous,
                      .size = static_cast<uint32_t>(version.value.size()),
                      .lsn = version.lsn,
                      .value = store(version.value)});
  bytes_.fetch_add(sizeof(Entry), std::memory_order_relaxed);
  return {};
}

std::vector<Version> InMemoryLayer::find(const Key& key, Lsn lsn, Lsn first) const {
  std::vector<Version> found;
  const std::lock_guard lock(mutex_);
  for (Number at = table_[place_of(key)]; at != kNone; at = entries_[at].previous) {
    const Entry& entry = entries_[at];
    if (entry.lsn > lsn) continue;
    found.push_back(version(entry));
    if (!needs_older(entry.kind) || entry.lsn <= first) break;
  }
  return found;
}

VersionCursorPointer InMemoryLayer::cursor(const KeyRange& range) const {
  std::vector<Place> places;
  {
    const std::lock_guard lock(mutex_);
    for (Number number = 0; number < entries_.size(); ++number) {
      const Key& key = entries_[number].key;
      if (range.contains(key)) places.push_back(place_among(key, number));
    }
  }
  std::ranges::sort(places);
  std::vector<Version> versions;
  versions.reserve(places.size());
  // Entries are only ever added.
  const std::lock_guard lock(mutex_);
  for (const Place& place : places) {
    versions.push_back(version(entries_[UINT32_MAX - place.from_last]));
  }
  return std::make_unique<SortedVersions>(std::move(versions));
}

size_t InMemoryLayer::version_count() const {
  const std::lock_guard lock(mutex_);
  return entries_.size();
}

size_t InMemoryLayer::large_chunk_count() const {
  const std::lock_guard lock(mutex_);
  return large_chunks_.size();
}

size_t InMemoryLayer::place_of(const Key& key) const {
  const size_t mask = table_.size() - 1;
  size_t place = checksum64(key.bytes) & mask;
  while (table_[place] != kNone && entries_[table_[place]].key != key) place = (place + 1) & mask;
  return place;
}

void InMemoryLayer::grow() {
  const std::vector<Number> old =
      std::exchange(table_, std::vector<Number>(2 * table_.size(), kNone));
  for (const Number number : old) {
    if (number != kNone) table_[place_of(entries_[number].key)] = number;
  }
  bytes_.fetch_add(old.size() * sizeof(Number), std::memory_order_relaxed);
}

const uint8_t* InMemoryLayer::store(ByteView value) {
  if (value.size() >= kLargeValue) {
    chunks_.push_back(std::make_unique_for_overwrite<uint8_t[]>(value.size()));
    bytes_.fetch_add(value.size(), std::memory_order_relaxed);
    copy_bytes(value, {chunks_.back().get(), value.size()});
    return chunks_.back().get();
  }
  if (value.size() > free_.size()) add_chunk();
  copy_bytes(value, free_);
  const uint8_t* const stored = free_.data();
  free_ = free_.subspan(value.size());
  return stored;
}

void InMemoryLayer::add_chunk() {
  if (bytes_.load(std::memory_order_relaxed) < LargeChunks::kSize) {
    chunks_.push_back(std::make_unique_for_overwrite<uint8_t[]>(kChunkSize));
    free_ = {chunks_.back().get(), kChunkSize};
  } else {
    large_chunks_.push_back(large_->take());
    free_ = {large_chunks_.back().get(), LargeChunks::kSize};
  }
  bytes_.fetch_add(free_.size(), std::memory_order_relaxed);
}

Version InMemoryLayer::version(const Entry& entry) const {
  return {.key = entry.key,
          .lsn = entry.lsn,
          .kind = entry.kind,
          .value = ByteView(entry.value, entry.size)};
}

}  // namespace varve
