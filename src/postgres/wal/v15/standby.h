// Records of the resource manager Standby (src/include/storage/standbydefs.h, lockdefs.h). They
// tell a hot standby what its sessions must see, and change no file.
#pragma once

#include <variant>

#include "postgres/layout.h"
#include "postgres/wal/decoded_record.h"
#include "postgres/wal/entry_list.h"
#include "postgres/wal/v15/invalidation.h"

namespace varve::wal15 {

// xl_standby_lock: an access-exclusive lock.
struct StandbyLock {
  static constexpr size_t kSize = 12;
  uint32_t transaction = 0;
  uint32_t database = 0;
  uint32_t relation = 0;
  static StandbyLock load(const uint8_t* from) {
    return {.transaction = load_little<uint32_t>(from),
            .database = load_little<uint32_t>(from + 4),
            .relation = load_little<uint32_t>(from + 8)};
  }
};
struct StandbyLocks {
  EntryList<StandbyLock> locks;
};

struct RunningTransactions {
  uint32_t next_transaction = 0;
  uint32_t oldest_running = 0;
  uint32_t latest_completed = 0;
  // There are more subtransactions than are listed.
  bool overflowed = false;
  EntryList<uint32_t> transactions;
  EntryList<uint32_t> subtransactions;
};

struct StandbyInvalidations {
  DatabaseTag database;
  bool invalidates_relation_cache_file = false;
  EntryList<Invalidation> invalidations;
};

using StandbyPayload = std::variant<StandbyLocks, RunningTransactions, StandbyInvalidations>;

Result<StandbyPayload> parse_standby(const DecodedRecord& record);

}  // namespace varve::wal15
