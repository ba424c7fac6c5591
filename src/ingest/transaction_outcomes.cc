#include "ingest/transaction_outcomes.h"

#include "ingest/scanned_value.h"
#include "postgres/key_space.h"
#include "postgres/page_redo/multixact_page.h"

namespace varve {
namespace {

// src/include/access/transam.h: committed, without an entry in pg_xact.
constexpr uint32_t kBootstrapTransaction = 1;
constexpr uint32_t kFrozenTransaction = 2;
constexpr uint32_t kFirstNormalTransaction = 3;

// MultiXactStatus of src/include/access/multixact.h: from the first of these on, the member changed
// the row.
constexpr uint32_t kNoKeyUpdate = 4;
constexpr uint32_t kUpdate = 5;

std::span<const uint8_t, kBlockSize> whole(const Bytes& page) {
  return std::span<const uint8_t, kBlockSize>(page);
}

}  // namespace

Result<bool> TransactionOutcomes::is_visible(const HeapTuple& tuple) {
  if (!tuple.xmin_is_committed()) {
    if (tuple.xmin_is_invalid()) return false;
    VARVE_ASSIGN(const bool inserted, is_committed(tuple.xmin));
    if (!inserted) return false;
  }
  if (tuple.xmax_is_invalid() || tuple.xmax_only_locks()) return true;
  uint32_t deleter = tuple.xmax;
  if (tuple.xmax_is_multixact()) {
    VARVE_ASSIGN(const auto found, updater(tuple.xmax));
    if (!found) return true;
    deleter = *found;
  } else if (tuple.xmax_is_committed()) {
    return false;
  }
  VARVE_ASSIGN(const bool deleted, is_committed(deleter));
  return !deleted;
}

Result<bool> TransactionOutcomes::is_committed(uint32_t transaction) {
  if (transaction < kFirstNormalTransaction) {
    return transaction == kBootstrapTransaction || transaction == kFrozenTransaction;
  }
  VARVE_ASSIGN(const Bytes statuses,
               page(Slru::kTransactionStatus, transaction / kTransactionsPerStatusPage));
  // A subtransaction that is marked as committed alone has a parent that never was.
  return transaction_status(transaction, whole(statuses)) == TransactionStatus::kCommitted;
}

Result<std::optional<uint32_t>> TransactionOutcomes::updater(uint32_t multixact) {
  VARVE_ASSIGN(const uint32_t begin, members_begin(multixact));
  uint32_t end = checkpoint_.next_multixact_offset;
  const uint32_t next = next_multixact(multixact);
  if (next != checkpoint_.next_multixact) {
    VARVE_ASSIGN(end, members_begin(next));
  }
  Bytes members;
  for (uint32_t offset = begin; offset != end; ++offset) {
    if (members.empty() || offset % kMembersPerPage == 0) {
      VARVE_ASSIGN(members, page(Slru::kMultixactMembers, offset / kMembersPerPage));
    }
    const wal15::MultixactMember member = multixact_member(offset, whole(members));
    // Offset 0 is skipped when the numbers start again.
    if (member.transaction == 0) continue;
    if (member.status > kUpdate) {
      return make_error(ErrorCode::kCorrupted, "member {} of multixact {} has the status {}",
                        offset, multixact, member.status);
    }
    if (member.status >= kNoKeyUpdate) return std::optional(member.transaction);
  }
  return std::optional<uint32_t>();
}

Result<uint32_t> TransactionOutcomes::members_begin(uint32_t multixact) {
  VARVE_ASSIGN(const Bytes offsets,
               page(Slru::kMultixactOffsets, multixact / kMultixactsPerOffsetsPage));
  const uint32_t offset = multixact_offset(multixact, whole(offsets));
  if (offset != 0) return offset;
  return make_error(ErrorCode::kCorrupted, "it is not stored where the members of multixact {} are",
                    multixact);
}

Result<Bytes> TransactionOutcomes::page(Slru slru, uint32_t number) {
  const Key key = make_key(SlruBlockKey{slru, number});
  auto image = source_.get(key, lsn_);
  if (image.failed_with(ErrorCode::kNotFound)) {
    return make_error(ErrorCode::kCorrupted, "{} is not stored at {}", describe(key), lsn_);
  }
  if (image.ok()) VARVE_TRY(check_block_size(key, *image));
  return image;
}

}  // namespace varve
