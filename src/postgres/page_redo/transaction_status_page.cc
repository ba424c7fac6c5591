#include "postgres/page_redo/transaction_status_page.h"

#include "postgres/page_redo/ended_transactions.h"

namespace varve {
namespace {

// Where the two bits of a transaction are in its page.
struct Place {
  uint32_t byte;
  uint32_t shift;

  explicit Place(uint32_t transaction)
      : byte(transaction % kTransactionsPerStatusPage / 4), shift(transaction % 4 * 2) {}
};

}  // namespace

TransactionStatus transaction_status(uint32_t transaction,
                                     std::span<const uint8_t, kBlockSize> page) {
  const Place place(transaction);
  return static_cast<TransactionStatus>(page[place.byte] >> place.shift & 3U);
}

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
    const Place place(transaction);
    uint8_t& four = bytes[place.byte];
    four = static_cast<uint8_t>((four & ~(3U << place.shift)) | uint32_t{status} << place.shift);
    found = true;
  });
  return found;
}

}  // namespace varve
