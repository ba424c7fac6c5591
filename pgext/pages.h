// The buffers that redo works on: one page that is wanted, and stand-ins for all others.
//
// Redo finds pages through PostgreSQL's shared buffers. Here nothing lies behind them: a few
// reserved relations, which exist in no file, pretend to be of the largest size, and each page that
// a record may touch is placed in a buffer before it is applied.
#ifndef VARVE_REDO_PAGES_H
#define VARVE_REDO_PAGES_H

#include "access/xlogdefs.h"
#include "storage/block.h"
#include "storage/relfilenode.h"

// A page as records name it.
typedef struct PageTag {
  RelFileNode relation;
  ForkNumber fork;
  BlockNumber block;
} PageTag;

// Once, when the buffer pool is there.
void pages_set_up(void);

// A new request: `wanted` is the page that the following calls are about. It has no content yet.
void pages_begin(const PageTag* wanted);
// Gives the wanted page its content; all zeros when `content` is NULL.
void pages_place_wanted(const char* content);
// Whether pages_place_wanted was called for it.
bool pages_has_wanted(void);

// A copy of the wanted page, or only what its header says.
void pages_copy_wanted(char* to);
XLogRecPtr pages_wanted_lsn(void);
bool pages_wanted_is_new(void);

// Before a record: forgets the other relations of the one before it, and makes room.
void pages_begin_record(void);
// `tag` as redo must see it: the same block of a reserved relation.
PageTag pages_reserved(const PageTag* tag);
// Places a page there that redo leaves alone, since it seems newer than any record.
void pages_place_stand_in(const PageTag* reserved);
// For the block of a heap: stand-ins for the pages of its free space and visibility map, which redo
// reads although no record names them; the wanted page is left.
void pages_place_maps_of(const PageTag* reserved);

// Whether `reserved` is the wanted page.
bool pages_is_wanted(const PageTag* reserved);
// The block of the visibility map that holds the bits of heap block `block`.
BlockNumber pages_visibility_map_block(BlockNumber block);

// Empties all buffers. No page may be pinned.
void pages_drop(void);
// After an error, before the memory of the request is freed: reserved relations may be referred to
// by what redo allocated.
void pages_disown(void);

#endif
