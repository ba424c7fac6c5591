// What became of transactions, as a server sees it that starts at an LSN with nothing running.
#pragma once

#include <optional>

#include "layer/version_source.h"
#include "postgres/control_file.h"
#include "postgres/heap_page.h"
#include "postgres/page_redo/transaction_status_page.h"
#include "postgres/slru.h"

namespace varve {

// Reads only those pages of pg_xact and pg_multixact that are asked for. Not thread-safe.
class TransactionOutcomes {
 public:
  // `checkpoint` holds the counters at `lsn`; `source` must outlive the object.
  TransactionOutcomes(VersionSource& source, Lsn lsn, const CheckpointRecord& checkpoint)
      : source_(source), lsn_(lsn), checkpoint_(checkpoint) {}

  // Whether a tuple of a catalog is the one that the server sees (HeapTupleSatisfiesMVCC of
  // src/backend/access/heap/heapam_visibility.c). What was not committed, be it that it was
  // prepared, is not seen. Corrupted when pg_xact or pg_multixact lack what the tuple refers to.
  Result<bool> is_visible(const HeapTuple& tuple);

 private:
  Result<bool> is_committed(uint32_t transaction);
  // Whose change of a row a multixact stands for; nothing when its members only lock.
  Result<std::optional<uint32_t>> updater(uint32_t multixact);
  Result<uint32_t> members_begin(uint32_t multixact);
  Result<Bytes> page(Slru slru, uint32_t number);

  VersionSource& source_;
  const Lsn lsn_;
  const CheckpointRecord checkpoint_;
};

}  // namespace varve
