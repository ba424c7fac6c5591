#include "timeline/timeline_states.h"

#include <algorithm>

namespace varve {

void TimelineStates::set_timeline_states(const std::vector<TimelineSyncStatus>& changed) {
  std::stop_source waiting;
  {
    const std::lock_guard lock(mutex_);
    for (const TimelineSyncStatus& status : changed) states_[status.timeline] = status;
    ++reports_;
    std::swap(waiting, reported_);
  }
  waiting.request_stop();
}

void TimelineStates::forget(const TenantTimelineId& timeline) {
  const std::lock_guard lock(mutex_);
  states_.erase(timeline);
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
