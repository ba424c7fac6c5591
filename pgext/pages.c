#include "postgres.h"

#include "pages.h"

#include <fcntl.h>

#include "access/xlogrecord.h"
#include "catalog/pg_tablespace_d.h"
#include "storage/bufmgr.h"
#include "storage/bufpage.h"
#include "storage/fd.h"
#include "storage/fsm_internals.h"
#include "storage/smgr.h"
#include "utils/memutils.h"

// The wanted relation, and as many others as a record has blocks.
#define RESERVED_COUNT (XLR_MAX_BLOCK_ID + 2)
// Above every number that a server gives out before it wraps around, though it would do no harm.
#define FIRST_RESERVED_RELATION 4000000000u
// All blocks there may be, and the segments of a relation of that size.
#define PRETENDED_BLOCKS (MaxBlockNumber - 1)
#define PRETENDED_SEGMENTS ((int)(MaxBlockNumber / RELSEG_SIZE) + 1)
// What one record may place: each of its blocks, with two pages of maps.
#define MOST_PER_RECORD (3 * (XLR_MAX_BLOCK_ID + 1))

// struct _MdfdVec of src/backend/storage/smgr/md.c.
typedef struct OpenSegment {
  File file;
  BlockNumber number;
} OpenSegment;

// What a reserved relation stands for. Init forks get one of their own and appear as its main fork:
// redo would write the page of an init fork to its file at once.
typedef struct Meaning {
  RelFileNode relation;
  bool is_init;
} Meaning;

static SMgrRelation reserved[RESERVED_COUNT];
static Meaning meanings[RESERVED_COUNT];
static int meaning_count;  // The wanted page is in the first.
static int most_meanings;  // Since the buffers were empty.

static PageTag wanted;  // As reserved.
static Buffer wanted_buffer = InvalidBuffer;
// Upper bound of the buffers in use. None must ever be evicted: there is no file to write it to.
static int placed;

void pages_set_up(void) {
  // Whoever reads or writes a segment after all gets an error: it is a directory.
  File directory = PathNameOpenFile(".", O_RDONLY | PG_BINARY);
  OpenSegment* segments =
      MemoryContextAlloc(TopMemoryContext, sizeof(OpenSegment) * PRETENDED_SEGMENTS);

  if (directory < 0) elog(FATAL, "cannot open the data directory: %m");
  for (int i = 0; i < PRETENDED_SEGMENTS; ++i) {
    segments[i] = (OpenSegment){.file = directory, .number = (BlockNumber)i};
  }
  for (int i = 0; i < RESERVED_COUNT; ++i) {
    RelFileNode node = {
        .spcNode = DEFAULTTABLESPACE_OID, .dbNode = 1, .relNode = FIRST_RESERVED_RELATION + (Oid)i};

    reserved[i] = smgropen(node, InvalidBackendId);
    for (int fork = 0; fork <= MAX_FORKNUM; ++fork) {
      reserved[i]->smgr_cached_nblocks[fork] = PRETENDED_BLOCKS;
      reserved[i]->md_num_open_segs[fork] = PRETENDED_SEGMENTS;
      reserved[i]->md_seg_fds[fork] = (struct _MdfdVec*)segments;
    }
  }
}

PageTag pages_reserved(const PageTag* tag) {
  Meaning meaning = {.relation = tag->relation, .is_init = tag->fork == INIT_FORKNUM};
  int at = 0;

  while (at < meaning_count && !(RelFileNodeEquals(meanings[at].relation, meaning.relation) &&
                                 meanings[at].is_init == meaning.is_init)) {
    ++at;
  }
  if (tag->block >= PRETENDED_BLOCKS) elog(ERROR, "there is no block %u", tag->block);
  if (at == RESERVED_COUNT) elog(ERROR, "the record names more relations than it can have blocks");
  if (at == meaning_count) meanings[meaning_count++] = meaning;
  most_meanings = Max(most_meanings, meaning_count);
  return (PageTag){.relation = reserved[at]->smgr_rnode.node,
                   .fork = meaning.is_init ? MAIN_FORKNUM : tag->fork,
                   .block = tag->block};
}

bool pages_is_wanted(const PageTag* tag) {
  return tag->fork == wanted.fork && tag->block == wanted.block &&
         RelFileNodeEquals(tag->relation, wanted.relation);
}

BlockNumber pages_visibility_map_block(BlockNumber block) {
  // HEAPBLK_TO_MAPBLOCK of src/backend/access/heap/visibilitymap.c: two bits a block.
  return block / ((BLCKSZ - MAXALIGN(SizeOfPageHeaderData)) * 4);
}

// fsm_logical_to_physical of src/backend/storage/freespace/freespace.c for the page at the lowest
// of the three levels that has the category of a heap block: leaves are counted with the pages
// above them, each of which stands before its children.
static BlockNumber free_space_map_block(BlockNumber block) {
  BlockNumber at_level = block / SlotsPerFSMPage;
  BlockNumber pages = 0;

  for (int level = 0; level < 3; ++level) {
    pages += at_level + 1;
    at_level /= SlotsPerFSMPage;
  }
  return pages - 1;
}

void pages_drop(void) {
  if (placed > 0) DropRelFileNodesAllBuffers(reserved, most_meanings);
  placed = 0;
  most_meanings = 1;
  wanted_buffer = InvalidBuffer;
}

void pages_disown(void) {
  for (int i = 0; i < RESERVED_COUNT; ++i) {
    if (reserved[i]->smgr_owner != NULL) smgrclearowner(reserved[i]->smgr_owner, reserved[i]);
  }
}

void pages_begin(const PageTag* tag) {
  pages_drop();
  meaning_count = 0;
  wanted = pages_reserved(tag);
}

// The buffer of a page, locked; its content is undefined.
static Buffer place(const PageTag* tag) {
  ++placed;
  return ReadBufferWithoutRelcache(tag->relation, tag->fork, tag->block, RBM_ZERO_AND_LOCK, NULL,
                                   true);
}

void pages_place_wanted(const char* content) {
  wanted_buffer = place(&wanted);
  if (content != NULL) {
    memcpy(BufferGetPage(wanted_buffer), content, BLCKSZ);
  } else {
    memset(BufferGetPage(wanted_buffer), 0, BLCKSZ);
  }
  // Not kept pinned: redo may wait until it alone has a pin.
  UnlockReleaseBuffer(wanted_buffer);
}

bool pages_has_wanted(void) {
  return wanted_buffer != InvalidBuffer;
}

// Pins the wanted page where it was placed.
static Page pin_wanted(void) {
  if (!ReadRecentBuffer(wanted.relation, wanted.fork, wanted.block, wanted_buffer)) {
    elog(FATAL, "the wanted page has left its buffer");
  }
  return BufferGetPage(wanted_buffer);
}

void pages_copy_wanted(char* to) {
  memcpy(to, pin_wanted(), BLCKSZ);
  ReleaseBuffer(wanted_buffer);
}

XLogRecPtr pages_wanted_lsn(void) {
  Page page = pin_wanted();
  XLogRecPtr lsn = PageGetLSN(page);

  ReleaseBuffer(wanted_buffer);
  return lsn;
}

bool pages_wanted_is_new(void) {
  Page page = pin_wanted();
  bool is_new = PageIsNew(page);

  ReleaseBuffer(wanted_buffer);
  return is_new;
}

void pages_begin_record(void) {
  meaning_count = 1;
  if (placed + MOST_PER_RECORD >= NBuffers) {
    PGAlignedBlock content;

    pages_copy_wanted(content.data);
    pages_drop();
    pages_place_wanted(content.data);
  }
}

void pages_place_stand_in(const PageTag* tag) {
  Buffer buffer = place(tag);
  Page page = BufferGetPage(buffer);

  PageInit(page, BLCKSZ, 0);
  PageSetLSN(page, PG_UINT64_MAX);
  UnlockReleaseBuffer(buffer);
}

void pages_place_maps_of(const PageTag* heap) {
  PageTag map = *heap;

  map.fork = FSM_FORKNUM;
  map.block = free_space_map_block(heap->block);
  if (!pages_is_wanted(&map)) pages_place_stand_in(&map);
  map.fork = VISIBILITYMAP_FORKNUM;
  map.block = pages_visibility_map_block(heap->block);
  if (!pages_is_wanted(&map)) pages_place_stand_in(&map);
}
