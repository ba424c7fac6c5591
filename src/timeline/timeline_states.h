// How the timelines stand, as the sync engine reports it.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <stop_token>

#include "base/clock.h"
#include "runtime/call_options.h"
#include "storage_sync/sync_state.h"

namespace varve {

// Thread-safe.
class TimelineStates : public SyncObserver {
 public:
  void set_timeline_states(const std::vector<TimelineSyncStatus>& changed) override;
  void task_failed(const SyncTask& task, const Error& error, const FinishOutcome& outcome) override;
  void forget(const TenantTimelineId& timeline);

  // None for a timeline that was never reported.
  std::optional<TimelineSyncStatus> find(const TenantTimelineId& timeline) const;
  // Why the last task of the timeline failed; none when it succeeded.
  std::optional<Error> last_failure(const TenantTimelineId& timeline) const;

  // Returns when something was reported after `seen`, of any timeline, and gives a number to pass
  // next time; 0 to begin with. Cancelled when the deadline passes before, or on a stop request.
  Result<uint64_t> wait_for_report(uint64_t seen, Clock& clock, const CallOptions& options);

 private:
  void note_report(std::unique_lock<std::mutex> lock);

  mutable std::mutex mutex_;
  std::map<TenantTimelineId, TimelineSyncStatus> states_;
  std::map<TenantTimelineId, Error> failures_;
  uint64_t reports_ = 0;
  // Ends the waits of now.
  std::stop_source reported_;
};

}  // namespace varve
