// Pages of pg_xact, which hold two bits for every transaction (src/include/access/clog.h,
// src/backend/access/transam/clog.c).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "postgres/layout.h"
#include "postgres/wal/v15/transaction.h"

namespace varve {

// TRANSACTION_STATUS_*. WAL makes the second and third only: the last one stands in a page while
// the server commits subtransactions on several pages.
enum class TransactionStatus : uint8_t {
  kInProgress = 0,
  kCommitted = 1,
  kAborted = 2,
  kSubcommitted = 3,
};

// CLOG_XACTS_PER_PAGE.
inline constexpr uint32_t kTransactionsPerStatusPage = kBlockSize * 4;

// Of a transaction that is on the page.
TransactionStatus transaction_status(uint32_t transaction,
                                     std::span<const uint8_t, kBlockSize> page);

// The pages that hold the transaction that ends or one of its subtransactions, each once,
// ascending. `pages` is emptied before: give the same one again, and nothing is allocated.
void transaction_status_pages(const wal15::TransactionEnd& end, std::vector<uint32_t>& pages);

// Sets the status of those that page `page` holds; false when there is none.
bool redo_transaction_status(const wal15::TransactionEnd& end, uint32_t page,
                             std::span<uint8_t, kBlockSize> bytes);

}  // namespace varve
