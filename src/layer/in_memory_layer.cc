#include "layer/in_memory_layer.h"

#include <algorithm>

#include "base/checksum.h"

namespace varve {
namespace {

constexpr size_t kFirstTableSize = 1U << 10;
constexpr size_t kChunkSize = 1U << 20;
// Larger values get memory of their own, so that little of a chunk is wasted.
constexpr size_t kLargeValue = kChunkSize / 8;

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

InMemoryLayer::InMemoryLayer() : table_(kFirstTableSize, kNone) {}

InMemoryLayer::~InMemoryLayer() = default;

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
  std::vector<Version> versions;
  {
    const std::lock_guard lock(mutex_);
    for (const Entry& entry : entries_) {
      if (range.contains(entry.key)) versions.push_back(version(entry));
    }
  }
  std::ranges::sort(versions, comes_before);
  return std::make_unique<SortedVersions>(std::move(versions));
}

size_t InMemoryLayer::version_count() const {
  const std::lock_guard lock(mutex_);
  return entries_.size();
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
  if (value.size() > free_size_) {
    const bool large = value.size() >= kLargeValue;
    const size_t size = large ? value.size() : kChunkSize;
    chunks_.push_back(std::make_unique_for_overwrite<uint8_t[]>(size));
    bytes_.fetch_add(size, std::memory_order_relaxed);
    if (large) {
      std::ranges::copy(value, chunks_.back().get());
      return chunks_.back().get();
    }
    free_ = chunks_.back().get();
    free_size_ = size;
  }
  std::ranges::copy(value, free_);
  free_size_ -= value.size();
  return std::exchange(free_, free_ + value.size());
}

Version InMemoryLayer::version(const Entry& entry) const {
  return {.key = entry.key,
          .lsn = entry.lsn,
          .kind = entry.kind,
          .value = ByteView(entry.value, entry.size)};
}

}  // namespace varve
