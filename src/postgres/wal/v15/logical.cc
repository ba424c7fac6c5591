#include "postgres/wal/v15/logical.h"

#include "postgres/wal/payload_reader.h"

namespace varve::wal15 {
namespace {

// XLOG_REPLORIGIN_* of src/include/replication/origin.h.
constexpr uint8_t kOriginSet = 0x00;
constexpr uint8_t kOriginDrop = 0x10;

}  // namespace

// xl_logical_message.
Result<LogicalMessage> parse_logical_message(const DecodedRecord& record) {
  PayloadReader reader(record);
  LogicalMessage message{.database = reader.take<uint32_t>()};
  message.transactional = reader.take_bool();
  reader.skip_alignment();
  const auto prefix_size = reader.take<uint64_t>();
  const auto message_size = reader.take<uint64_t>();
  // The zero byte that ends the prefix counts.
  const std::string_view prefix = as_text(reader.take_bytes(prefix_size));
  if (prefix.empty() || prefix.find('\0') != prefix.size() - 1) reader.fail();
  message.prefix = prefix.substr(0, prefix.empty() ? 0 : prefix.size() - 1);
  message.message = reader.take_bytes(message_size);
  VARVE_TRY(reader.finish("logical message"));
  return message;
}

Result<ReplicationOriginPayload> parse_replication_origin(const DecodedRecord& record) {
  PayloadReader reader(record);
  ReplicationOriginPayload payload;
  switch (record.header().record_type()) {
    case kOriginSet: {
      ReplicationOriginSet set{.remote_lsn = reader.take_lsn()};
      set.node = reader.take<uint16_t>();
      set.force = reader.take_bool();
      reader.skip_alignment();
      payload = set;
      break;
    }
    case kOriginDrop:
      payload = ReplicationOriginDropped{reader.take<uint16_t>()};
      break;
    default:
      reader.fail();
  }
  VARVE_TRY(reader.finish("replication origin"));
  return payload;
}

// xl_seq_rec.
Result<SequenceUpdate> parse_sequence(const DecodedRecord& record) {
  PayloadReader reader(record);
  SequenceUpdate update{.relation = reader.take_relation()};
  update.tuple = reader.take_rest();
  VARVE_TRY(reader.finish("sequence"));
  return update;
}

}  // namespace varve::wal15
