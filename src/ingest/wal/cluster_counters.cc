#include "ingest/wal/cluster_counters.h"

#include <algorithm>
#include <utility>

#include "postgres/page_redo/transaction_status_page.h"

namespace varve {
namespace {

// So many more transactions need no new version.
constexpr uint64_t kTransactionsAhead = 1024;
// FirstNormalTransactionId of src/include/access/transam.h; the smaller ones are skipped.
constexpr uint32_t kFirstNormalTransaction = 3;

// Whether `left` was handed out after `right`: both count around 2^32.
bool is_newer(uint32_t left, uint32_t right) {
  return static_cast<int32_t>(left - right) > 0;
}

}  // namespace

ClusterCounters::ClusterCounters(const CheckpointRecord& stored)
    : stored_(stored), next_transaction_(stored.next_transaction) {}

void ClusterCounters::note_transaction(uint32_t transaction) {
  if (transaction < kFirstNormalTransaction) return;
  const auto ahead = static_cast<int32_t>(transaction - static_cast<uint32_t>(next_transaction_));
  if (ahead < 0) return;
  next_transaction_ += static_cast<uint64_t>(ahead) + 1;
  if (static_cast<uint32_t>(next_transaction_) < kFirstNormalTransaction) {
    next_transaction_ += kFirstNormalTransaction - static_cast<uint32_t>(next_transaction_);
  }
  if (next_transaction_ <= stored_.next_transaction) return;
  constexpr uint64_t kPerPage = kTransactionsPerStatusPage;
  const uint64_t end_of_page = (next_transaction_ + kPerPage - 1) / kPerPage * kPerPage;
  stored_.next_transaction = std::min(next_transaction_ + kTransactionsAhead, end_of_page);
  changed_ = true;
}

void ClusterCounters::note_oid(uint32_t next_oid) {
  if (stored_.next_oid == next_oid) return;
  stored_.next_oid = next_oid;
  changed_ = true;
}

void ClusterCounters::note_multixact(const wal15::MultixactCreated& created) {
  // MultiXactAdvanceNextMXact of src/backend/access/transam/multixact.c.
  const uint32_t next = created.multixact == UINT32_MAX ? 1 : created.multixact + 1;
  const auto next_offset = created.offset + static_cast<uint32_t>(created.members.size());
  if (is_newer(next, stored_.next_multixact)) {
    stored_.next_multixact = next;
    changed_ = true;
  }
  if (is_newer(next_offset, stored_.next_multixact_offset)) {
    stored_.next_multixact_offset = next_offset;
    changed_ = true;
  }
}

void ClusterCounters::note_oldest_transaction(uint32_t oldest, uint32_t database) {
  if (!is_newer(oldest, stored_.oldest_transaction)) return;
  stored_.oldest_transaction = oldest;
  stored_.oldest_transaction_database = database;
  changed_ = true;
}

void ClusterCounters::note_oldest_multixact(uint32_t oldest, uint32_t database) {
  if (!is_newer(oldest, stored_.oldest_multixact)) return;
  stored_.oldest_multixact = oldest;
  stored_.oldest_multixact_database = database;
  changed_ = true;
}

void ClusterCounters::note_oldest_commit_timestamp(uint32_t transaction) {
  stored_.oldest_commit_timestamp_transaction = transaction;
  changed_ = true;
}

void ClusterCounters::note_newest_commit_timestamp(uint32_t transaction) {
  stored_.newest_commit_timestamp_transaction = transaction;
  if (stored_.oldest_commit_timestamp_transaction == 0) {
    stored_.oldest_commit_timestamp_transaction = transaction;
  }
  changed_ = true;
}

void ClusterCounters::note_checkpoint(const CheckpointRecord& checkpoint) {
  // What lies ahead stays ahead.
  const uint64_t next = std::max(stored_.next_transaction, checkpoint.next_transaction);
  const CheckpointRecord before = stored_;
  stored_ = checkpoint;
  stored_.next_transaction = next;
  if (is_newer(before.next_multixact, stored_.next_multixact)) {
    stored_.next_multixact = before.next_multixact;
    stored_.next_multixact_offset = before.next_multixact_offset;
  }
  next_transaction_ = std::max(next_transaction_, checkpoint.next_transaction);
  changed_ = true;
}

bool ClusterCounters::take_change() {
  return std::exchange(changed_, false);
}

}  // namespace varve
