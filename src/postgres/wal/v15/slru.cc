#include "postgres/wal/v15/slru.h"

#include "postgres/wal/payload_reader.h"

namespace varve::wal15 {
namespace {

// CLOG_* of src/include/access/clog.h, COMMIT_TS_* of access/commit_ts.h.
constexpr uint8_t kZeroPage = 0x00;
constexpr uint8_t kTruncate = 0x10;
// XLOG_MULTIXACT_* of access/multixact.h.
constexpr uint8_t kZeroOffsetsPage = 0x00;
constexpr uint8_t kZeroMembersPage = 0x10;
constexpr uint8_t kCreateMultixact = 0x20;
constexpr uint8_t kTruncateMultixacts = 0x30;

}  // namespace

Result<SlruPayload> parse_transaction_status(const DecodedRecord& record) {
  PayloadReader reader(record);
  SlruPayload payload;
  switch (record.header().record_type()) {
    case kZeroPage:
      payload = SlruPageZeroed{Slru::kTransactionStatus, reader.take<uint32_t>()};
      break;
    case kTruncate: {
      TransactionStatusTruncated truncated{.page = reader.take<uint32_t>()};
      truncated.oldest_transaction = reader.take<uint32_t>();
      truncated.oldest_transaction_database = reader.take<uint32_t>();
      payload = truncated;
      break;
    }
    default:
      reader.fail();
  }
  VARVE_TRY(reader.finish("CLOG"));
  return payload;
}

Result<SlruPayload> parse_commit_timestamps(const DecodedRecord& record) {
  PayloadReader reader(record);
  SlruPayload payload;
  switch (record.header().record_type()) {
    case kZeroPage:
      payload = SlruPageZeroed{Slru::kCommitTimestamps, reader.take<uint32_t>()};
      break;
    case kTruncate: {
      CommitTimestampsTruncated truncated{.page = reader.take<uint32_t>()};
      truncated.oldest_transaction = reader.take<uint32_t>();
      payload = truncated;
      break;
    }
    default:
      reader.fail();
  }
  VARVE_TRY(reader.finish("commit timestamp"));
  return payload;
}

Result<SlruPayload> parse_multixact(const DecodedRecord& record) {
  PayloadReader reader(record);
  SlruPayload payload;
  switch (record.header().record_type()) {
    case kZeroOffsetsPage:
      payload = SlruPageZeroed{Slru::kMultixactOffsets, reader.take<uint32_t>()};
      break;
    case kZeroMembersPage:
      payload = SlruPageZeroed{Slru::kMultixactMembers, reader.take<uint32_t>()};
      break;
    case kCreateMultixact: {
      MultixactCreated created{.multixact = reader.take<uint32_t>()};
      created.offset = reader.take<uint32_t>();
      created.members = reader.take_list<MultixactMember>(reader.take<uint32_t>());
      payload = created;
      break;
    }
    case kTruncateMultixacts: {
      MultixactsTruncated truncated{.oldest_multixact_database = reader.take<uint32_t>()};
      truncated.start_multixact = reader.take<uint32_t>();
      truncated.end_multixact = reader.take<uint32_t>();
      truncated.start_member = reader.take<uint32_t>();
      truncated.end_member = reader.take<uint32_t>();
      payload = truncated;
      break;
    }
    default:
      reader.fail();
  }
  VARVE_TRY(reader.finish("multixact"));
  return payload;
}

}  // namespace varve::wal15
