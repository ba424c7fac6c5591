#include "server/local_timeline_snapshot.h"

namespace varve {

Result<TimedLsn> lsn_at(OpenTimelines& timelines, const TenantTimelineId& id, Timestamp time,
                        const CallOptions& call) {
  VARVE_ASSIGN(const auto snapshot, timelines.open_snapshot(id, std::nullopt, {}, call));
  VARVE_ASSIGN(const auto found, find_lsn_at(*snapshot.reader, time, snapshot.lsn));
  if (found) return *found;
  return make_error(ErrorCode::kNotFound, "timeline {} is not known as it was at {}", id,
                    time.to_string());
}

Result<std::optional<Lsn>> lsn_of(OpenTimelines& timelines, const TenantTimelineId& id,
                                  const TimelinePoint& point, const CallOptions& call) {
  if (const auto* lsn = std::get_if<Lsn>(&point)) return std::optional(*lsn);
  const auto* time = std::get_if<Timestamp>(&point);
  if (time == nullptr) return std::optional<Lsn>();
  VARVE_ASSIGN(const TimedLsn found, lsn_at(timelines, id, *time, call));
  return std::optional(found.lsn);
}

Result<std::unique_ptr<LocalTimelineSnapshot>> LocalTimelineSnapshot::open(
    OpenTimelines& timelines, const SnapshotRequest& request, const CallOptions& call) {
  VARVE_ASSIGN(const TimelineInfo timeline, timelines.tenants().timeline(request.timeline));
  VARVE_ASSIGN(const auto lsn, lsn_of(timelines, timeline.id, request.at, call));
  VARVE_ASSIGN(auto snapshot, timelines.open_snapshot(timeline.id, lsn, request.scratch_parent,
                                                      call, request.pattern));
  return std::unique_ptr<LocalTimelineSnapshot>(
      new LocalTimelineSnapshot(to_json(timeline), std::move(snapshot)));
}

}  // namespace varve
