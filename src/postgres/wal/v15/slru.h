// Records of the resource managers CLOG (src/include/access/clog.h), CommitTs (access/commit_ts.h)
// and MultiXact (access/multixact.h).
#pragma once

#include <variant>

#include "postgres/slru.h"
#include "postgres/wal/decoded_record.h"
#include "postgres/wal/entry_list.h"

namespace varve::wal15 {

// A page is in use from now on, and zero.
struct SlruPageZeroed {
  Slru slru = Slru::kTransactionStatus;
  uint32_t page = 0;
};

// Segments that lie wholly before `page` are not needed any more.
struct TransactionStatusTruncated {
  uint32_t page = 0;
  uint32_t oldest_transaction = 0;
  uint32_t oldest_transaction_database = 0;
};
struct CommitTimestampsTruncated {
  uint32_t page = 0;
  uint32_t oldest_transaction = 0;
};

// MultiXactMember.
struct MultixactMember {
  static constexpr size_t kSize = 8;
  uint32_t transaction = 0;
  uint32_t status = 0;
  static MultixactMember load(const uint8_t* from) {
    return {.transaction = load_little<uint32_t>(from), .status = load_little<uint32_t>(from + 4)};
  }
};
struct MultixactCreated {
  uint32_t multixact = 0;
  // Of the first member.
  uint32_t offset = 0;
  EntryList<MultixactMember> members;
};
struct MultixactsTruncated {
  uint32_t oldest_multixact_database = 0;
  // From the first up to, but without, the second.
  uint32_t start_multixact = 0;
  uint32_t end_multixact = 0;
  uint32_t start_member = 0;
  uint32_t end_member = 0;
};

using SlruPayload = std::variant<SlruPageZeroed, TransactionStatusTruncated,
                                 CommitTimestampsTruncated, MultixactCreated, MultixactsTruncated>;

Result<SlruPayload> parse_transaction_status(const DecodedRecord& record);
Result<SlruPayload> parse_commit_timestamps(const DecodedRecord& record);
Result<SlruPayload> parse_multixact(const DecodedRecord& record);

}  // namespace varve::wal15
