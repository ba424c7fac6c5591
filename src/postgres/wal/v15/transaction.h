// Records of the resource manager Transaction (src/include/access/xact.h; ParseCommitRecord,
// ParseAbortRecord and ParsePrepareRecord of src/backend/access/rmgrdesc/xactdesc.c).
#pragma once

#include <optional>
#include <string_view>
#include <variant>

#include "base/clock.h"
#include "postgres/wal/decoded_record.h"
#include "postgres/wal/entry_list.h"
#include "postgres/wal/v15/invalidation.h"

namespace varve::wal15 {

// xl_xact_stats_item: what the statistics counted for an object that is gone.
struct StatisticsItem {
  static constexpr size_t kSize = 12;
  uint32_t kind = 0;
  uint32_t database = 0;
  uint32_t object = 0;
  static StatisticsItem load(const uint8_t* from) {
    return {.kind = load_little<uint32_t>(from),
            .database = load_little<uint32_t>(from + 4),
            .object = load_little<uint32_t>(from + 8)};
  }
};

// xl_xact_origin: when and where a replicated transaction committed first.
struct TransactionOrigin {
  Lsn lsn;
  Timestamp time;
};

// A transaction and its subtransactions are over: COMMIT, ABORT, and the same of a prepared one.
struct TransactionEnd {
  enum class Outcome : uint8_t { kCommitted, kAborted };
  Outcome outcome = Outcome::kCommitted;
  // 0 when it had none, as a transaction that only wrote hints or invalidations.
  uint32_t transaction = 0;
  // It was prepared: its state is not needed any more. `gid` may be empty even then.
  bool was_prepared = false;
  std::string_view gid;
  Timestamp time;
  // xinfo, XACT_XINFO_* and XACT_COMPLETION_*.
  uint32_t flags = 0;
  std::optional<DatabaseTag> database;
  EntryList<uint32_t> subtransactions;
  // All forks of these are removed.
  EntryList<RelationTag> dropped_relations;
  EntryList<StatisticsItem> dropped_statistics;
  EntryList<Invalidation> invalidations;
  std::optional<TransactionOrigin> origin;
};

// PREPARE TRANSACTION.
struct TransactionPrepared {
  uint32_t transaction = 0;
  uint32_t database = 0;
  Timestamp time;
  uint32_t owner = 0;
  std::string_view gid;
  EntryList<uint32_t> subtransactions;
  EntryList<RelationTag> dropped_on_commit;
  EntryList<RelationTag> dropped_on_abort;
  EntryList<StatisticsItem> statistics_dropped_on_commit;
  EntryList<StatisticsItem> statistics_dropped_on_abort;
  EntryList<Invalidation> invalidations;
  bool invalidates_relation_cache_file = false;
  TransactionOrigin origin;
  // All of it: the two-phase file but for its CRC.
  ByteView state;

  // The file of the prepared transaction in pg_twophase (two_phase_file.h).
  Bytes two_phase_file() const;
};

struct SubtransactionAssignment {
  uint32_t top_level_transaction = 0;
  EntryList<uint32_t> subtransactions;
};

// With wal_level = logical, those of each command.
struct TransactionInvalidations {
  EntryList<Invalidation> invalidations;
};

using TransactionPayload = std::variant<TransactionEnd, TransactionPrepared,
                                        SubtransactionAssignment, TransactionInvalidations>;

Result<TransactionPayload> parse_transaction(const DecodedRecord& record);

}  // namespace varve::wal15
