// How a timeline stands between the work directory and the remote storage, and who is told.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "storage_sync/sync_queue.h"

namespace varve {

enum class TimelineSyncState {
  kReady,           // Local, and at least as new as the remote.
  kAwaitsDownload,  // Local, and behind the remote.
  kCloudOnly,       // Only remote; read on demand.
  kEvicted,         // Given up after too many errors: nothing more is uploaded from it.
};

// "Ready", "AwaitsDownload", "CloudOnly", "Evicted".
std::string_view name(TimelineSyncState state);

struct TimelineSyncStatus {
  TenantTimelineId timeline;
  TimelineSyncState state = TimelineSyncState::kReady;
  // Everything up to here is remote; none when nothing is known to be.
  std::optional<Lsn> remote_consistent_lsn;

  bool operator==(const TimelineSyncStatus&) const = default;
};

// Told how timelines stand. The sync engine calls it from one thread at a time and holds no lock
// meanwhile, so that it may ask for more work.
class SyncObserver {
 public:
  virtual ~SyncObserver() = default;
  // What has changed since the last call, a timeline at most once. Never empty.
  virtual void set_timeline_states(const std::vector<TimelineSyncStatus>& changed) = 0;
  // A task did not succeed, and what follows from that. States that change with it are reported
  // after it.
  virtual void task_failed(const SyncTask& task, const Error& error, const FinishOutcome& outcome);
};

}  // namespace varve
