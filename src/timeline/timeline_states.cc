#include "timeline/timeline_states.h"

#include <utility>

namespace varve {

void TimelineStates::set_timeline_states(const std::vector<TimelineSyncStatus>& changed) {
  std::unique_lock lock(mutex_);
  for (const TimelineSyncStatus& status : changed) {
    states_[status.timeline] = status;
    if (status.state != TimelineSyncState::kEvicted) failures_.erase(status.timeline);
  }
  note_report(std::move(lock));
}

void TimelineStates::task_failed(const SyncTask& task, const Error& error,
                                 const FinishOutcome& /*outcome*/) {
  std::unique_lock lock(mutex_);
  failures_.insert_or_assign(task.timeline, error);
  note_report(std::move(lock));
}

void TimelineStates::note_report(std::unique_lock<std::mutex> lock) {
  ++reports_;
  auto waiting = std::exchange(reported_, std::stop_source());
  lock.unlock();
  waiting.request_stop();
}

std::optional<Error> TimelineStates::last_failure(const TenantTimelineId& timeline) const {
  const std::lock_guard lock(mutex_);
  const auto found = failures_.find(timeline);
  if (found == failures_.end()) return std::nullopt;
  return found->second;
}

void TimelineStates::forget(const TenantTimelineId& timeline) {
  const std::lock_guard lock(mutex_);
  states_.erase(timeline);
  failures_.erase(timeline);
}

std::optional<TimelineSyncStatus> TimelineStates::find(const TenantTimelineId& timeline) const {
  const std::lock_guard lock(mutex_);
  const auto found = states_.find(timeline);
  if (found == states_.end()) return std::nullopt;
  return found->second;
}

Result<uint64_t> TimelineStates::wait_for_report(uint64_t seen, Clock& clock,
                                                 const CallOptions& options) {
  for (;;) {
    std::stop_source wake;
    {
      const std::lock_guard lock(mutex_);
      if (reports_ != seen) return reports_;
      wake = reported_;
    }
    VARVE_TRY(options.check("wait"));
    const std::stop_callback on_stop(options.stop, [&] { wake.request_stop(); });
    clock.sleep(options.deadline.remaining(clock), wake.get_token());
  }
}

}  // namespace varve
