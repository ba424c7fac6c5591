// The tuples of a heap page (src/include/storage/itemid.h and src/include/access/htup_details.h).
#pragma once

#include <cstdint>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace varve {

// The header of a tuple, and where its columns are.
struct HeapTuple {
  uint16_t item = 0;  // The number of its line pointer, from 1.
  uint32_t xmin = 0;
  uint32_t xmax = 0;
  uint16_t flags = 0;  // t_infomask.
  // How many columns it has before the first that is null. Fixed-length ones among them are where
  // the declaration of the catalog puts them.
  uint32_t columns = 0;
  // Of all columns, from the start of the page.
  size_t data_offset = 0;
  size_t data_size = 0;

  // What was noted of the end of xmin, if anything.
  bool xmin_is_committed() const { return (flags & kXminCommitted) != 0; }
  bool xmin_is_invalid() const { return (flags & kXminFrozen) == kXminInvalid; }
  // Nobody updated, deleted or locked it, or that was rolled back.
  bool xmax_is_invalid() const { return (flags & kXmaxInvalid) != 0 || xmax == 0; }
  // HEAP_XMAX_IS_LOCKED_ONLY.
  bool xmax_only_locks() const {
    return (flags & kXmaxLockOnly) != 0 ||
           (flags & (kXmaxIsMultixact | kXmaxLocks)) == kXmaxExclusiveLock;
  }
  bool xmax_is_multixact() const { return (flags & kXmaxIsMultixact) != 0; }
  bool xmax_is_committed() const { return (flags & kXmaxCommitted) != 0; }

  // HEAP_*.
  static constexpr uint16_t kHasNull = 0x0001;
  static constexpr uint16_t kXmaxExclusiveLock = 0x0040;
  static constexpr uint16_t kXmaxLocks = 0x0050;
  static constexpr uint16_t kXmaxLockOnly = 0x0080;
  static constexpr uint16_t kXminCommitted = 0x0100;
  static constexpr uint16_t kXminInvalid = 0x0200;
  static constexpr uint16_t kXminFrozen = kXminCommitted | kXminInvalid;
  static constexpr uint16_t kXmaxCommitted = 0x0400;
  static constexpr uint16_t kXmaxInvalid = 0x0800;
  static constexpr uint16_t kXmaxIsMultixact = 0x1000;
};

// All tuples of a page of kBlockSize bytes, in the order of their line pointers, dead or alive;
// none for a new page. Corrupted when a line pointer or a tuple leads out of the page.
Result<std::vector<HeapTuple>> heap_tuples(ByteView page);

}  // namespace varve
