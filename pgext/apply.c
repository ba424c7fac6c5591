#include "postgres.h"

#include "apply.h"

#include "access/hash_xlog.h"
#include "access/heapam_xlog.h"
#include "access/rmgr.h"
#include "access/xlog.h"
#include "access/xlog_internal.h"
#include "access/xlogreader.h"
#include "access/xlogrecord.h"
#include "catalog/pg_control.h"
#include "port/pg_crc32c.h"

#include "pages.h"

static XLogReaderState* reader;

void apply_set_up(void) {
  // Never reads: it holds the decoded record for the redo routines.
  reader = XLogReaderAllocate(wal_segment_size, NULL, XL_ROUTINE(), NULL);
  if (reader == NULL) elog(FATAL, "out of memory for a WAL reader");
  // Contexts in which some access methods work.
  for (int id = 0; id <= RM_MAX_BUILTIN_ID; ++id) {
    if (RmgrIdExists((RmgrId)id) && RmgrTable[id].rm_startup != NULL) RmgrTable[id].rm_startup();
  }
}

void apply_reset(void) {
  reader->record = NULL;
}

static const char* name_of(const XLogRecord* record) {
  const char* name = NULL;

  if (!RmgrIdExists(record->xl_rmid)) {
    return psprintf("record of unknown resource manager %u", record->xl_rmid);
  }
  name = RmgrTable[record->xl_rmid].rm_identify(record->xl_info);
  return psprintf("record %s/%s", RmgrTable[record->xl_rmid].rm_name,
                  name != NULL ? name : psprintf("%02X", record->xl_info));
}

// The decoder takes this for done: as ValidXLogRecord of src/backend/access/transam/xlogreader.c.
static void check_crc(const XLogRecord* record) {
  pg_crc32c crc;

  INIT_CRC32C(crc);
  COMP_CRC32C(crc, (const char*)record + SizeOfXLogRecord, record->xl_tot_len - SizeOfXLogRecord);
  COMP_CRC32C(crc, (const char*)record, offsetof(XLogRecord, xl_crc));
  FIN_CRC32C(crc);
  if (!EQ_CRC32C(crc, record->xl_crc)) elog(ERROR, "the record does not match its checksum");
}

static DecodedXLogRecord* decode(const struct VarveRedoRecord* message) {
  const XLogRecord* record = (const XLogRecord*)(message + 1);
  DecodedXLogRecord* decoded;
  char* problem = NULL;

  if (message->length < SizeOfXLogRecord || record->xl_tot_len != message->length) {
    elog(ERROR, "the record is %u bytes long and claims another length", message->length);
  }
  check_crc(record);
  decoded = palloc(DecodeXLogRecordRequiredSpace(record->xl_tot_len));
  // The decoder only reads the record; its parameter just lacks the const.
  if (!DecodeXLogRecord(reader, decoded, (XLogRecord*)(uintptr_t)record, message->start_lsn,
                        &problem)) {
    elog(ERROR, "%s", problem != NULL ? problem : "the record cannot be decoded");
  }
  return decoded;
}

// Whether all that the redo of the record does is changes of the blocks that it names, and of the
// maps of a heap. A kind that is not known to be so is not applied.
static bool only_changes_blocks(const DecodedXLogRecord* decoded) {
  uint8 info = decoded->header.xl_info & ~XLR_INFO_MASK;

  switch (decoded->header.xl_rmid) {
    case RM_XLOG_ID:
      return info == XLOG_FPI || info == XLOG_FPI_FOR_HINT;
    case RM_HEAP2_ID:
      return (info & XLOG_HEAP_OPMASK) != XLOG_HEAP2_REWRITE;  // Writes to a file.
    case RM_HEAP_ID:
    case RM_BTREE_ID:
    case RM_HASH_ID:
    case RM_GIN_ID:
    case RM_GIST_ID:
    case RM_SEQ_ID:
    case RM_SPGIST_ID:
    case RM_BRIN_ID:
    case RM_GENERIC_ID:
      return true;
    default:
      return false;
  }
}

static bool is_heap_record(const DecodedXLogRecord* decoded) {
  return decoded->header.xl_rmid == RM_HEAP_ID || decoded->header.xl_rmid == RM_HEAP2_ID;
}

static bool is_hint_without_image(const DecodedXLogRecord* decoded, const DecodedBkpBlock* block) {
  return decoded->header.xl_rmid == RM_XLOG_ID && !block->has_image;
}

// Whether the redo of a record may rightly leave the LSN of a block that it names as it was.
static bool may_leave_lsn(const DecodedXLogRecord* decoded, int block_id) {
  const DecodedBkpBlock* block = &decoded->blocks[block_id];
  uint8 info = decoded->header.xl_info & ~XLR_INFO_MASK;

  if (is_hint_without_image(decoded, block)) return true;
  if (decoded->header.xl_rmid == RM_HEAP2_ID) {
    // The heap page changes only a hint; the map's page not at all when its bits were set.
    return (info & XLOG_HEAP_OPMASK) == XLOG_HEAP2_VISIBLE;
  }
  if (decoded->header.xl_rmid == RM_HASH_ID && block_id == 0) {
    // The first page of the bucket may be named only to be locked.
    return info == XLOG_HASH_DELETE || info == XLOG_HASH_MOVE_PAGE_CONTENTS ||
           info == XLOG_HASH_SQUEEZE_PAGE;
  }
  // An image may be of a page that was never used.
  return block->apply_image && pages_wanted_is_new();
}

// Whether the redo of a heap record changes the wanted page, a block of the visibility map, though
// the record does not name it.
static bool may_clear_wanted_map(const DecodedXLogRecord* decoded, const PageTag* heap) {
  PageTag map = *heap;

  if (!is_heap_record(decoded) || heap->fork != MAIN_FORKNUM) return false;
  map.fork = VISIBILITYMAP_FORKNUM;
  map.block = pages_visibility_map_block(heap->block);
  return pages_is_wanted(&map);
}

// The wanted page as block `block_id` of the record: whether it has what the record builds on.
static void check_base(const DecodedXLogRecord* decoded, int block_id, bool has_content) {
  const DecodedBkpBlock* block = &decoded->blocks[block_id];

  if ((block->flags & BKPBLOCK_WILL_INIT) != 0 || block->apply_image) return;
  // Redo makes an empty page of the visibility map itself.
  if (is_heap_record(decoded) && block->forknum == VISIBILITYMAP_FORKNUM) return;
  if (!has_content) elog(ERROR, "it needs the page before it, and none was given");
  if (is_hint_without_image(decoded, block)) return;
  if (pages_wanted_is_new()) elog(ERROR, "it needs the page before it, which is all zeros");
}

void apply_record(const struct VarveRedoRecord* message) {
  DecodedXLogRecord* decoded = decode(message);
  bool has_content = pages_has_wanted();
  bool is_touched = false;
  int wanted_block_id = -1;
  XLogRecPtr before;
  XLogRecPtr after;

  if (decoded->max_block_id < 0 || !only_changes_blocks(decoded)) {
    elog(ERROR, "a %s is not one that only changes blocks", name_of(&decoded->header));
  }
  if (!has_content) pages_place_wanted(NULL);
  pages_begin_record();
  for (int id = 0; id <= decoded->max_block_id; ++id) {
    DecodedBkpBlock* block = &decoded->blocks[id];
    PageTag tag = {.relation = block->rnode, .fork = block->forknum, .block = block->blkno};

    if (!block->in_use) continue;
    if (block->forknum < 0 || block->forknum > MAX_FORKNUM) {
      elog(ERROR, "there is no fork %d", (int)block->forknum);
    }
    tag = pages_reserved(&tag);
    block->rnode = tag.relation;
    if (pages_is_wanted(&tag)) {
      check_base(decoded, id, has_content);
      wanted_block_id = id;
    } else {
      pages_place_stand_in(&tag);
    }
    block->forknum = tag.fork;
    if (is_heap_record(decoded) && tag.fork == MAIN_FORKNUM) {
      pages_place_maps_of(&tag);
      is_touched = is_touched || may_clear_wanted_map(decoded, &tag);
    }
  }
  if (wanted_block_id < 0 && !is_touched) {
    elog(ERROR, "the %s does not touch the wanted page", name_of(&decoded->header));
  }

  before = pages_wanted_lsn();
  // With the data checksums that the scratch control file does not have, it decides whether redo
  // minds hint bits: XLogHintBitIsNeeded().
  wal_log_hints = (message->flags & VARVE_REDO_HINT_BITS_LOGGED) != 0;
  reader->record = decoded;
  reader->ReadRecPtr = message->start_lsn;
  reader->EndRecPtr = message->end_lsn;
  GetRmgr(decoded->header.xl_rmid).rm_redo(reader);
  reader->record = NULL;

  after = pages_wanted_lsn();
  if (wanted_block_id < 0 || after == message->end_lsn) return;
  // A page that is newer than the record is left as it is.
  if (after == before && before > message->end_lsn) return;
  if (after == before && may_leave_lsn(decoded, wanted_block_id)) return;
  elog(ERROR, "after a %s the page has LSN %X/%X", name_of(&decoded->header),
       LSN_FORMAT_ARGS(after));
}
