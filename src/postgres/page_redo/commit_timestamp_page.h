// Pages of pg_commit_ts, which hold when and where every transaction committed, as long as
// track_commit_timestamp is on (src/backend/access/transam/commit_ts.c).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "postgres/layout.h"
#include "postgres/wal/v15/transaction.h"

namespace varve {

// SizeOfCommitTimestampEntry: the time, and the number of the origin.
inline constexpr uint32_t kCommitTimestampSize = 10;
// COMMIT_TS_XACTS_PER_PAGE.
inline constexpr uint32_t kTransactionsPerTimestampPage = kBlockSize / kCommitTimestampSize;

// The pages that hold the transaction that commits or one of its subtransactions, each once,
// ascending; none when it aborts. `pages` is emptied before. Whether the server tracks them at all
// the record does not tell.
void commit_timestamp_pages(const wal15::TransactionEnd& end, std::vector<uint32_t>& pages);

// Enters those that page `page` holds; false when there is none. `origin` is that of the record
// (DecodedRecord::origin). A replicated transaction has the time at which it committed first
// (xact_redo_commit of src/backend/access/transam/xact.c).
bool redo_commit_timestamps(const wal15::TransactionEnd& end, uint16_t origin, uint32_t page,
                            std::span<uint8_t, kBlockSize> bytes);

}  // namespace varve
