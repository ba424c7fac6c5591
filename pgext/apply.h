// One record on the wanted page.
#ifndef VARVE_REDO_APPLY_H
#define VARVE_REDO_APPLY_H

#include "protocol.h"

// Once, after pages_set_up().
void apply_set_up(void);

// Applies the record, whose bytes follow `record`, to the wanted page of pages.h. Allocates in the
// current memory context. ERROR when the record is damaged, is none that only changes blocks, does
// not touch the wanted page, needs a page before it and there is none, or leaves the page in
// another state than its redo should.
void apply_record(const struct VarveRedoRecord* record);

// What was applied before is forgotten; after an error.
void apply_reset(void);

#endif
