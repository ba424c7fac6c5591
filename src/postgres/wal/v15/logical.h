// Records of the resource managers LogicalMessage (src/include/replication/message.h),
// ReplicationOrigin (replication/origin.h) and Sequence (commands/sequence.h).
#pragma once

#include <string_view>
#include <variant>

#include "postgres/layout.h"
#include "postgres/wal/decoded_record.h"

namespace varve::wal15 {

// pg_logical_emit_message; changes nothing.
struct LogicalMessage {
  uint32_t database = 0;
  bool transactional = false;
  std::string_view prefix;
  ByteView message;
};

Result<LogicalMessage> parse_logical_message(const DecodedRecord& record);

// How far a node has followed another one. Kept in pg_logical/replorigin_checkpoint.
struct ReplicationOriginSet {
  Lsn remote_lsn;
  uint16_t node = 0;
  bool force = false;
};
struct ReplicationOriginDropped {
  uint16_t node = 0;
};
using ReplicationOriginPayload = std::variant<ReplicationOriginSet, ReplicationOriginDropped>;

Result<ReplicationOriginPayload> parse_replication_origin(const DecodedRecord& record);

// Block reference 0 is the sequence's only page, which redo makes anew from `tuple`.
struct SequenceUpdate {
  RelationTag relation;
  ByteView tuple;
};

Result<SequenceUpdate> parse_sequence(const DecodedRecord& record);

}  // namespace varve::wal15
