#include "postgres/page_redo/commit_timestamp_page.h"

#include "postgres/page_redo/ended_transactions.h"

namespace varve {
namespace {

// TimestampTz of src/include/datatype/timestamp.h: microseconds since 2000-01-01.
uint64_t as_server_time(Timestamp time) {
  constexpr uint64_t kMicrosToYear2000 = 946'684'800'000'000;
  return static_cast<uint64_t>(time.micros) - kMicrosToYear2000;
}

}  // namespace

void commit_timestamp_pages(const wal15::TransactionEnd& end, std::vector<uint32_t>& pages) {
  pages.clear();
  if (end.outcome != wal15::TransactionEnd::Outcome::kCommitted) return;
  collect_transaction_pages(end, kTransactionsPerTimestampPage, pages);
}

bool redo_commit_timestamps(const wal15::TransactionEnd& end, uint16_t origin, uint32_t page,
                            std::span<uint8_t, kBlockSize> bytes) {
  if (end.outcome != wal15::TransactionEnd::Outcome::kCommitted) return false;
  const uint64_t time = as_server_time(end.origin ? end.origin->time : end.time);
  bool found = false;
  visit_ended_transactions(end, [&](uint32_t transaction) {
    if (transaction / kTransactionsPerTimestampPage != page) return;
    uint8_t* entry =
        &bytes[transaction % kTransactionsPerTimestampPage * size_t{kCommitTimestampSize}];
    store_little(entry, time);
    store_little(entry + sizeof time, origin);
    found = true;
  });
  return found;
}

}  // namespace varve
