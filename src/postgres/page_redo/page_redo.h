// Redo of the pages that PostgreSQL's own redo is not asked for: those of SLRUs, and pages of
// visibility maps whose relation is truncated. What is said of WAL here is true of version 15.
#pragma once

#include <cstdint>
#include <span>

#include "base/result.h"
#include "postgres/layout.h"
#include "postgres/slru.h"
#include "postgres/wal/decoded_record.h"

namespace varve {

// Changes page `page` of an SLRU, all zeros before its first record, as the record does: the end of
// a transaction, a new multixact, or that the page is zeroed. For commit timestamps the record is
// taken to come from a server that tracks them.
//
// Corrupted, naming the record, when it is damaged or does not change this page, which then stays
// as it is.
Result<> redo_slru_page(const DecodedRecord& record, Slru slru, uint32_t page,
                        std::span<uint8_t, kBlockSize> bytes);

// Whether the record is the truncation of a relation, and thus one for
// redo_visibility_map_page. All other records of such a page refer to it, or to a block whose bits
// they clear, and redo by PostgreSQL applies them.
bool is_relation_truncation(const WalRecordHeader& header);

// Clears what block `block` of a relation's visibility map says of blocks that are truncated away.
// Errors as above.
Result<> redo_visibility_map_page(const DecodedRecord& record, const RelationTag& relation,
                                  uint32_t block, std::span<uint8_t, kBlockSize> page);

}  // namespace varve
