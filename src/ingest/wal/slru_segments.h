// Which segments of the transaction logs there are while the WAL is ingested.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "layer/version_source.h"
#include "postgres/slru.h"

namespace varve {

// Not thread-safe.
class SlruSegments {
 public:
  static Result<SlruSegments> read(VersionSource& source, Lsn lsn);

  bool has_page(Slru slru, uint32_t page) const;
  // The new number of pages of the page's segment, if that grows.
  std::optional<uint32_t> extend_to(Slru slru, uint32_t page);

  // Removes the segments all pages of which come before `page`, and gives them. What the entries
  // are about is numbered around 2^32 (SimpleLruTruncate of src/backend/access/transam/slru.c).
  std::vector<uint32_t> truncate_before(Slru slru, uint32_t page, uint32_t entries_per_page);
  // Removes one.
  bool remove(Slru slru, uint32_t segment);

 private:
  // By segment, how many pages it has.
  std::map<Slru, std::map<uint32_t, uint32_t>> pages_;
};

}  // namespace varve
