#include "postgres/page_redo/page_redo.h"

#include <algorithm>

#include "postgres/page_redo/commit_timestamp_page.h"
#include "postgres/page_redo/multixact_page.h"
#include "postgres/page_redo/transaction_status_page.h"
#include "postgres/page_redo/visibility_map_page.h"
#include "postgres/wal/v15/payload.h"

namespace varve {
namespace {

constexpr uint8_t kStorageResourceManager = 2;  // src/include/access/rmgrlist.h
constexpr uint8_t kTruncate = 0x20;             // XLOG_SMGR_TRUNCATE of catalog/storage_xlog.h

// Null unless the payload is of this kind.
template <typename Kind, typename Family>
const Kind* find_payload(const wal15::Payload& payload) {
  const Family* family = std::get_if<Family>(&payload);
  return family == nullptr ? nullptr : std::get_if<Kind>(family);
}

// Whether the page was changed.
bool redo_slru_page(const DecodedRecord& record, const wal15::Payload& payload, Slru slru,
                    uint32_t page, std::span<uint8_t, kBlockSize> bytes) {
  using namespace wal15;
  if (const auto* zeroed = find_payload<SlruPageZeroed, SlruPayload>(payload)) {
    if (zeroed->slru != slru || zeroed->page != page) return false;
    std::ranges::fill(bytes, uint8_t{0});
    return true;
  }
  const auto* end = find_payload<TransactionEnd, TransactionPayload>(payload);
  const auto* created = find_payload<MultixactCreated, SlruPayload>(payload);
  switch (slru) {
    case Slru::kTransactionStatus:
      return end != nullptr && redo_transaction_status(*end, page, bytes);
    case Slru::kCommitTimestamps:
      return end != nullptr && redo_commit_timestamps(*end, record.origin(), page, bytes);
    case Slru::kMultixactOffsets:
      return created != nullptr && redo_multixact_offsets(*created, page, bytes);
    case Slru::kMultixactMembers:
      return created != nullptr && redo_multixact_members(*created, page, bytes);
  }
  return false;
}

// A record that nobody knows was none when it was stored.
Result<wal15::Payload> parse(const DecodedRecord& record) {
  Result<wal15::Payload> payload = wal15::parse_payload(record);
  if (payload.ok()) return payload;
  return Error(ErrorCode::kCorrupted, payload.error().message());
}

}  // namespace

Result<> redo_slru_page(const DecodedRecord& record, Slru slru, uint32_t page,
                        std::span<uint8_t, kBlockSize> bytes) {
  VARVE_ASSIGN(const wal15::Payload payload, parse(record));
  if (redo_slru_page(record, payload, slru, page, bytes)) return {};
  return make_error(ErrorCode::kCorrupted, "the WAL record at {} does not change page {} of {}",
                    record.start(), page, directory(slru));
}

bool is_relation_truncation(const WalRecordHeader& header) {
  return header.resource_manager == kStorageResourceManager && header.record_type() == kTruncate;
}

Result<> redo_visibility_map_page(const DecodedRecord& record, const RelationTag& relation,
                                  uint32_t block, std::span<uint8_t, kBlockSize> page) {
  VARVE_ASSIGN(const wal15::Payload payload, parse(record));
  const auto* truncated = find_payload<wal15::RelationTruncated, wal15::StoragePayload>(payload);
  if (truncated == nullptr || truncated->relation != relation || !truncated->visibility_map ||
      visibility_map_page_to_clear(truncated->block) != block) {
    const RelationForkTag fork{.relation = relation, .fork = RelationFork::kVisibilityMap};
    return make_error(ErrorCode::kCorrupted, "the WAL record at {} does not cut {} in block {}",
                      record.start(), fork.to_string(), block);
  }
  redo_visibility_map_truncation(truncated->block, page);
  return {};
}

}  // namespace varve
