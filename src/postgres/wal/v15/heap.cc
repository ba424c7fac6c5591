#include "postgres/wal/v15/heap.h"

#include "postgres/wal/payload_reader.h"

namespace varve::wal15 {
namespace {

// XLOG_HEAP_* and XLOG_HEAP2_* of src/include/access/heapam_xlog.h.
constexpr uint8_t kTypeMask = 0x70;
enum HeapRecordType : uint8_t {
  kInsert = 0x00,
  kDelete = 0x10,
  kUpdate = 0x20,
  kTruncate = 0x30,
  kHotUpdate = 0x40,
  kConfirm = 0x50,
  kLock = 0x60,
  kInplace = 0x70,
};
enum Heap2RecordType : uint8_t {
  kRewrite = 0x00,
  kPrune = 0x10,
  kVacuum = 0x20,
  kFreezePage = 0x30,
  kVisible = 0x40,
  kMultiInsert = 0x50,
  kLockUpdated = 0x60,
  kNewCid = 0x70,
};

constexpr uint8_t kAllVisibleCleared = 1 << 0;     // XLH_INSERT_, XLH_DELETE_ALL_VISIBLE_CLEARED
constexpr uint8_t kOldAllVisibleCleared = 1 << 0;  // XLH_UPDATE_OLD_ALL_VISIBLE_CLEARED
constexpr uint8_t kNewAllVisibleCleared = 1 << 1;  // XLH_UPDATE_NEW_ALL_VISIBLE_CLEARED
constexpr uint8_t kAllFrozenCleared = 1 << 0;      // XLH_LOCK_ALL_FROZEN_CLEARED

// offsetof(flags) in xl_heap_insert, and in xl_heap_delete, _update, _lock and _lock_updated.
constexpr size_t kInsertFlags = 2;
constexpr size_t kOtherFlags = 7;

void add_clear(PayloadReader& reader, HeapChange& change, const BlockReference* block,
               VisibilityMapClear::Bits bits) {
  if (block == nullptr) {
    reader.fail();
    return;
  }
  change.clears[change.clear_count++] = {
      .relation = block->fork.relation, .heap_block = block->block, .bits = bits};
}

// A record with flags at `offset` of its main data, one of which says that bits of block reference
// 0 are cleared.
HeapChange take_change(PayloadReader& reader, const DecodedRecord& record, size_t offset,
                       uint8_t flag, VisibilityMapClear::Bits bits) {
  HeapChange change;
  reader.take_bytes(offset);
  if ((reader.take<uint8_t>() & flag) != 0) {
    add_clear(reader, change, record.find_block(0), bits);
  }
  reader.take_rest();
  return change;
}

// Block reference 0 is the new page; 1 the old one, if it is another.
HeapChange take_update(PayloadReader& reader, const DecodedRecord& record) {
  HeapChange change;
  reader.take_bytes(kOtherFlags);
  const auto flags = reader.take<uint8_t>();
  const BlockReference* new_page = record.find_block(0);
  const BlockReference* old_page = record.find_block(1);
  if ((flags & kOldAllVisibleCleared) != 0) {
    add_clear(reader, change, old_page != nullptr ? old_page : new_page,
              VisibilityMapClear::Bits::kAll);
  }
  if ((flags & kNewAllVisibleCleared) != 0) {
    add_clear(reader, change, new_page, VisibilityMapClear::Bits::kAll);
  }
  reader.take_rest();
  return change;
}

// xl_heap_new_cid.
NewCommandId take_new_command_id(PayloadReader& reader) {
  NewCommandId id{.top_level_transaction = reader.take<uint32_t>()};
  id.minimum = reader.take<uint32_t>();
  id.maximum = reader.take<uint32_t>();
  id.combined = reader.take<uint32_t>();
  id.relation = reader.take_relation();
  // ItemPointerData has the block number in two halves, the high one first.
  const uint32_t high = reader.take<uint16_t>();
  id.block = high << 16 | reader.take<uint16_t>();
  id.offset_number = reader.take<uint16_t>();
  return id;
}

// xl_heap_rewrite_mapping.
LogicalRewrite take_rewrite(PayloadReader& reader) {
  LogicalRewrite rewrite{.transaction = reader.take<uint32_t>()};
  rewrite.database = reader.take<uint32_t>();
  rewrite.relation = reader.take<uint32_t>();
  reader.skip_alignment();
  rewrite.offset = reader.take<uint64_t>();
  rewrite.mapping_count = reader.take<uint32_t>();
  reader.skip_alignment();
  rewrite.start_lsn = reader.take_lsn();
  rewrite.mappings = reader.take_rest();
  return rewrite;
}

}  // namespace

Result<HeapPayload> parse_heap(const DecodedRecord& record) {
  PayloadReader reader(record);
  HeapPayload payload;
  switch (record.header().info & kTypeMask) {
    case kInsert:
      payload = take_change(reader, record, kInsertFlags, kAllVisibleCleared,
                            VisibilityMapClear::Bits::kAll);
      break;
    case kDelete:
      payload = take_change(reader, record, kOtherFlags, kAllVisibleCleared,
                            VisibilityMapClear::Bits::kAll);
      break;
    case kUpdate:
    case kHotUpdate:
      payload = take_update(reader, record);
      break;
    case kLock:
      payload = take_change(reader, record, kOtherFlags, kAllFrozenCleared,
                            VisibilityMapClear::Bits::kAllFrozen);
      break;
    case kTruncate:  // For logical decoding; the truncation itself is a new file.
    case kConfirm:
    case kInplace:
      return HeapChange{};
    default:
      reader.fail();
  }
  VARVE_TRY(reader.finish("heap"));
  return payload;
}

Result<HeapPayload> parse_heap2(const DecodedRecord& record) {
  PayloadReader reader(record);
  HeapPayload payload;
  switch (record.header().info & kTypeMask) {
    case kRewrite:
      payload = take_rewrite(reader);
      break;
    case kPrune:
    case kVacuum:
    case kFreezePage:
      return HeapChange{};
    case kVisible: {
      VisibilityMapSet set{.cutoff_transaction = reader.take<uint32_t>()};
      set.flags = reader.take<uint8_t>();
      payload = set;
      break;
    }
    case kMultiInsert:
      payload = take_change(reader, record, 0, kAllVisibleCleared, VisibilityMapClear::Bits::kAll);
      break;
    case kLockUpdated:
      payload = take_change(reader, record, kOtherFlags, kAllFrozenCleared,
                            VisibilityMapClear::Bits::kAllFrozen);
      break;
    case kNewCid:
      payload = take_new_command_id(reader);
      break;
    default:
      reader.fail();
  }
  VARVE_TRY(reader.finish("heap"));
  return payload;
}

}  // namespace varve::wal15
