// The counters of a cluster as the WAL moves them: what a restored server must not hand out again.
#pragma once

#include "postgres/control_file.h"
#include "postgres/wal/v15/slru.h"

namespace varve {

// What stands under the checkpoint's key must be valid at every LSN until its next version. So that
// not every transaction needs one, its next transaction lies ahead of the last one seen, though
// never on a page of pg_xact that is not there yet. Not thread-safe.
class ClusterCounters {
 public:
  explicit ClusterCounters(const CheckpointRecord& stored);

  void note_transaction(uint32_t transaction);
  void note_next_transaction(uint32_t transaction) { note_transaction(transaction - 1); }
  void note_oid(uint32_t next_oid);
  void note_multixact(const wal15::MultixactCreated& created);
  void note_oldest_transaction(uint32_t oldest, uint32_t database);
  void note_oldest_multixact(uint32_t oldest, uint32_t database);
  void note_oldest_commit_timestamp(uint32_t transaction);
  void note_newest_commit_timestamp(uint32_t transaction);
  void note_checkpoint(const CheckpointRecord& checkpoint);

  // Whether there is a new version to store since the last call, and that.
  bool take_change();
  const CheckpointRecord& stored() const { return stored_; }

 private:
  CheckpointRecord stored_;
  // The exact next transaction, as far as it is known.
  uint64_t next_transaction_;
  bool changed_ = false;
};

}  // namespace varve
