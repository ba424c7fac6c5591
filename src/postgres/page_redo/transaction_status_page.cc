#include "postgres/page_redo/transaction_status_page.h"

#include "postgres/page_redo/ended_transactions.h"

namespace varve {

void transaction_status_pages(const wal15::TransactionEnd& end, std::vector<uint32_t>& pages) {
  collect_transaction_pages(end, kTransactionsPerStatusPage, pages);
}

bool redo_transaction_status(const wal15::TransactionEnd& end, uint32_t page,
                             std::span<uint8_t, kBlockSize> bytes) {
  const auto status = static_cast<uint8_t>(end.outcome == wal15::TransactionEnd::Outcome::kCommitted
                                               ? TransactionStatus::kCommitted
                                               : TransactionStatus::kAborted);
  bool found = false;
  visit_ended_transactions(end, [&](uint32_t transaction) {
    if (transaction / kTransactionsPerStatusPage != page) return;
    const uint32_t index = transaction % kTransactionsPerStatusPage;
    const uint32_t shift = index % 4 * 2;
    uint8_t& four = bytes[index / 4];
    four = static_cast<uint8_t>((four & ~(3U << shift)) | uint32_t{status} << shift);
    found = true;
  });
  return found;
}

}  // namespace varve
