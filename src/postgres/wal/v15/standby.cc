#include "postgres/wal/v15/standby.h"

#include "postgres/wal/payload_reader.h"

namespace varve::wal15 {
namespace {

// src/include/storage/standbydefs.h.
constexpr uint8_t kLock = 0x00;                 // XLOG_STANDBY_LOCK
constexpr uint8_t kRunningTransactions = 0x10;  // XLOG_RUNNING_XACTS
constexpr uint8_t kInvalidations = 0x20;        // XLOG_INVALIDATIONS

constexpr size_t kBoolPadding = 3;

// xl_running_xacts.
RunningTransactions take_running(PayloadReader& reader) {
  const auto transactions = reader.take<uint32_t>();
  const auto subtransactions = reader.take<uint32_t>();
  RunningTransactions running;
  running.overflowed = reader.take_bool();
  reader.take_bytes(kBoolPadding);
  running.next_transaction = reader.take<uint32_t>();
  running.oldest_running = reader.take<uint32_t>();
  running.latest_completed = reader.take<uint32_t>();
  running.transactions = reader.take_list<uint32_t>(transactions);
  running.subtransactions = reader.take_list<uint32_t>(subtransactions);
  return running;
}

// xl_invalidations.
StandbyInvalidations take_invalidations(PayloadReader& reader) {
  StandbyInvalidations message;
  message.database.database = reader.take<uint32_t>();
  message.database.tablespace = reader.take<uint32_t>();
  message.invalidates_relation_cache_file = reader.take_bool();
  reader.take_bytes(kBoolPadding);
  message.invalidations = reader.take_list<Invalidation>(reader.take<uint32_t>());
  return message;
}

}  // namespace

Result<StandbyPayload> parse_standby(const DecodedRecord& record) {
  PayloadReader reader(record);
  StandbyPayload payload;
  switch (record.header().record_type()) {
    case kLock:
      payload = StandbyLocks{reader.take_list<StandbyLock>(reader.take<uint32_t>())};
      break;
    case kRunningTransactions:
      payload = take_running(reader);
      break;
    case kInvalidations:
      payload = take_invalidations(reader);
      break;
    default:
      reader.fail();
  }
  VARVE_TRY(reader.finish("standby"));
  return payload;
}

}  // namespace varve::wal15
