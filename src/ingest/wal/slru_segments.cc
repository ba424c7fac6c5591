#include "ingest/wal/slru_segments.h"

#include "postgres/key_space.h"
#include "postgres/stored_values.h"

namespace varve {

Result<SlruSegments> SlruSegments::read(VersionSource& source, Lsn lsn) {
  SlruSegments segments;
  VARVE_TRY(source.scan(
      range_of(KeyKind::kSlruSegmentSize), lsn, [&](const Key& key, ByteView value) -> Result<> {
        VARVE_ASSIGN(const KeyFields fields, parse_key(key));
        const auto& segment = std::get<SlruSegmentSizeKey>(fields);
        VARVE_ASSIGN(segments.pages_[segment.slru][segment.segment], decode_block_count(value));
        return {};
      }));
  return segments;
}

bool SlruSegments::has_page(Slru slru, uint32_t page) const {
  const auto segments = pages_.find(slru);
  if (segments == pages_.end()) return false;
  const auto segment = segments->second.find(page / kSlruPagesPerSegment);
  return segment != segments->second.end() && page % kSlruPagesPerSegment < segment->second;
}

std::optional<uint32_t> SlruSegments::extend_to(Slru slru, uint32_t page) {
  uint32_t& pages = pages_[slru][page / kSlruPagesPerSegment];
  const uint32_t wanted = page % kSlruPagesPerSegment + 1;
  if (pages >= wanted) return std::nullopt;
  pages = wanted;
  return pages;
}

std::vector<uint32_t> SlruSegments::truncate_before(Slru slru, uint32_t page,
                                                    uint32_t entries_per_page) {
  const auto precedes = [&](uint32_t other) {
    return static_cast<int32_t>((other - page) * entries_per_page) < 0;
  };
  std::vector<uint32_t> removed;
  std::erase_if(pages_[slru], [&](const auto& entry) {
    const uint32_t first = entry.first * kSlruPagesPerSegment;
    const bool is_before = precedes(first) && precedes(first + kSlruPagesPerSegment - 1);
    if (is_before) removed.push_back(entry.first);
    return is_before;
  });
  return removed;
}

bool SlruSegments::remove(Slru slru, uint32_t segment) {
  return pages_[slru].erase(segment) > 0;
}

}  // namespace varve
