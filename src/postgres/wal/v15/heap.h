// What records of the resource managers Heap and Heap2 do beside changing the blocks that they
// refer to (src/include/access/heapam_xlog.h).
#pragma once

#include <array>
#include <span>
#include <variant>

#include "postgres/layout.h"
#include "postgres/wal/decoded_record.h"

namespace varve::wal15 {

// Redo also clears bits of a heap block in the visibility map, to whose page the record does not
// refer.
struct VisibilityMapClear {
  enum class Bits : uint8_t { kAll, kAllFrozen };
  RelationTag relation;
  uint32_t heap_block = 0;
  Bits bits = Bits::kAll;

  // The page in the fork of the visibility map (HEAPBLK_TO_MAPBLOCK of
  // src/backend/access/heap/visibilitymap.c).
  uint32_t map_block() const { return heap_block / kHeapBlocksPerMapPage; }
};

// Any record but those below. It clears the bits of none, one or two heap blocks.
struct HeapChange {
  std::array<VisibilityMapClear, 2> clears;
  uint8_t clear_count = 0;

  std::span<const VisibilityMapClear> cleared() const { return {clears.data(), clear_count}; }
};

// VISIBLE: block reference 0 is a page of the visibility map, 1 the heap block whose bits it sets.
struct VisibilityMapSet {
  uint32_t cutoff_transaction = 0;
  // VISIBILITYMAP_* of src/include/access/visibilitymapdefs.h: 1 all-visible, 2 all-frozen.
  uint8_t flags = 0;
};

// NEW_CID, for logical decoding of changes to catalogs; changes nothing.
struct NewCommandId {
  uint32_t top_level_transaction = 0;
  uint32_t minimum = 0;
  uint32_t maximum = 0;
  uint32_t combined = 0;
  RelationTag relation;
  uint32_t block = 0;
  uint16_t offset_number = 0;
};

// REWRITE, for logical decoding: redo writes `mappings` at `offset` of a file in
// pg_logical/mappings. Changes no block.
struct LogicalRewrite {
  uint32_t transaction = 0;
  uint32_t database = 0;
  uint32_t relation = 0;
  uint64_t offset = 0;
  uint32_t mapping_count = 0;
  Lsn start_lsn;
  ByteView mappings;
};

using HeapPayload = std::variant<HeapChange, VisibilityMapSet, NewCommandId, LogicalRewrite>;

// Of the resource manager Heap, and of Heap2.
Result<HeapPayload> parse_heap(const DecodedRecord& record);
Result<HeapPayload> parse_heap2(const DecodedRecord& record);

}  // namespace varve::wal15
