#include "postgres/wal/v15/payload.h"

namespace varve::wal15 {
namespace {

// src/include/access/rmgrlist.h.
enum ResourceManagerNumber : uint8_t {
  kXlog = 0,
  kTransaction = 1,
  kStorage = 2,
  kClog = 3,
  kDatabase = 4,
  kTablespace = 5,
  kMultixact = 6,
  kRelationMap = 7,
  kStandby = 8,
  kHeap2 = 9,
  kHeap = 10,
  kBtree = 11,
  kHash = 12,
  kGin = 13,
  kGist = 14,
  kSequence = 15,
  kSpGist = 16,
  kBrin = 17,
  kCommitTimestamps = 18,
  kReplicationOrigin = 19,
  kGeneric = 20,
  kLogicalMessage = 21,
};

template <typename Parsed>
Result<Payload> as_payload(Result<Parsed> parsed) {
  if (!parsed.ok()) [[unlikely]] {
    return std::move(parsed).error();
  }
  return Payload(std::move(*parsed));
}

}  // namespace

Result<Payload> parse_payload(const DecodedRecord& record) {
  VARVE_TRY(identify_record(wal_format_15(), record.header(), record.start()));
  switch (record.header().resource_manager) {
    case kXlog:
      return as_payload(parse_xlog(record));
    case kTransaction:
      return as_payload(parse_transaction(record));
    case kStorage:
      return as_payload(parse_storage(record));
    case kClog:
      return as_payload(parse_transaction_status(record));
    case kDatabase:
      return as_payload(parse_database(record));
    case kTablespace:
      return as_payload(parse_tablespace(record));
    case kMultixact:
      return as_payload(parse_multixact(record));
    case kRelationMap:
      return as_payload(parse_relation_map(record));
    case kStandby:
      return as_payload(parse_standby(record));
    case kHeap2:
      return as_payload(parse_heap2(record));
    case kHeap:
      return as_payload(parse_heap(record));
    case kSequence:
      return as_payload(parse_sequence(record));
    case kCommitTimestamps:
      return as_payload(parse_commit_timestamps(record));
    case kReplicationOrigin:
      return as_payload(parse_replication_origin(record));
    case kLogicalMessage:
      return as_payload(parse_logical_message(record));
    case kBtree:
    case kHash:
    case kGin:
    case kGist:
    case kSpGist:
    case kBrin:
    case kGeneric:
      return Payload(ReferencedBlocksOnly{});
    default:
      return make_error(ErrorCode::kInternal, "no payload is known for resource manager {}",
                        record.header().resource_manager);
  }
}

}  // namespace varve::wal15
