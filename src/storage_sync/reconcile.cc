#include "storage_sync/reconcile.h"

namespace varve {

bool needs_head(const LocalSide& local, uint64_t remote_head_sequence) {
  return local.files == LocalSide::Files::kValid && local.head_sequence < remote_head_sequence;
}

Verdict reconcile(const LocalSide& local, const RemoteSide& remote, bool owned) {
  if (local.files != LocalSide::Files::kValid) {
    if (remote.head_sequence > 0) return Verdict::kCloudOnly;
    return local.files == LocalSide::Files::kNone ? Verdict::kNothing : Verdict::kLost;
  }
  if (remote.head_sequence < local.head_sequence) return Verdict::kRolledBack;
  if (remote.head_sequence == local.head_sequence) {
    // What was never committed is changed, whatever it is.
    const bool changed = local.changed || local.head_sequence == 0;
    if (!changed) return Verdict::kInSync;
    return owned ? Verdict::kLocalNewer : Verdict::kParted;
  }
  switch (remote.head) {
    case RemoteSide::Head::kBegunHere:
      return remote.deleted ? Verdict::kDeletedUnnoticed : Verdict::kLandedUnnoticed;
    case RemoteSide::Head::kOwn:
      // The work directory is an old copy: what it has besides was superseded by its own later
      // self.
      return remote.deleted ? Verdict::kDeletedUnnoticed : Verdict::kBehind;
    case RemoteSide::Head::kForeign: {
      // Nothing is given up here that the remote state does not reach.
      const bool covered = !local.changed || remote.deleted ||
                           local.disk_consistent_lsn < remote.disk_consistent_lsn;
      return covered ? Verdict::kBehind : Verdict::kParted;
    }
    case RemoteSide::Head::kNotRead:
    case RemoteSide::Head::kUnreadable:
      break;
  }
  return Verdict::kUnreadable;
}

std::optional<TimelineSyncState> state_after(Verdict verdict) {
  switch (verdict) {
    case Verdict::kInSync:
    case Verdict::kLocalNewer:
    case Verdict::kLandedUnnoticed:
      return TimelineSyncState::kReady;
    case Verdict::kBehind:
      return TimelineSyncState::kAwaitsDownload;
    case Verdict::kCloudOnly:
      return TimelineSyncState::kCloudOnly;
    case Verdict::kParted:
      return TimelineSyncState::kEvicted;
    case Verdict::kNothing:
    case Verdict::kLost:
    case Verdict::kRolledBack:
    case Verdict::kUnreadable:
    case Verdict::kDeletedUnnoticed:
      break;
  }
  return std::nullopt;
}

}  // namespace varve
