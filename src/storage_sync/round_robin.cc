#include "storage_sync/round_robin.h"

#include <algorithm>

namespace varve {

void RoundRobin::add(const TenantTimelineId& timeline) {
  auto& waiting = waiting_[timeline.tenant];
  if (waiting.empty()) turns_.push_back(timeline.tenant);
  waiting.push_back(timeline.timeline);
  ++size_;
}

void RoundRobin::remove(const TenantTimelineId& timeline) {
  const auto found = waiting_.find(timeline.tenant);
  if (found == waiting_.end()) return;
  size_ -= found->second.remove(timeline.timeline);
  if (!found->second.empty()) return;
  waiting_.erase(found);
  turns_.remove(timeline.tenant);
}

std::optional<TenantTimelineId> RoundRobin::take(
    const std::function<bool(const TenantTimelineId&)>& may_run) {
  for (auto turn = turns_.begin(); turn != turns_.end(); ++turn) {
    const TenantId tenant = *turn;
    auto& waiting = waiting_.at(tenant);
    const auto next = std::ranges::find_if(
        waiting, [&](const TimelineId& timeline) { return may_run({tenant, timeline}); });
    if (next == waiting.end()) continue;
    const TenantTimelineId taken{tenant, *next};
    waiting.erase(next);
    --size_;
    if (waiting.empty()) {
      waiting_.erase(tenant);
      turns_.erase(turn);
    } else {
      turns_.splice(turns_.end(), turns_, turn);
    }
    return taken;
  }
  return std::nullopt;
}

}  // namespace varve
