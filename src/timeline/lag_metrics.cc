#include "timeline/lag_metrics.h"

namespace varve {
namespace {

constexpr char kLagBytes[] = "varve_timeline_remote_lag_bytes";
constexpr char kLagSeconds[] = "varve_timeline_remote_lag_seconds";

MetricLabels labels_of(const TenantTimelineId& timeline) {
  return {{"tenant", timeline.tenant.to_string()}, {"timeline", timeline.timeline.to_string()}};
}

}  // namespace

void export_remote_lag(Metrics& metrics, const TimelineInfo& timeline, Timestamp now) {
  const MetricLabels labels = labels_of(timeline.id);
  const Lsn local = timeline.metadata.disk_consistent_lsn;
  const Lsn remote = timeline.remote_consistent_lsn;
  const Timestamp since = timeline.remote_at.value_or(timeline.created_at);
  metrics.gauge(kLagBytes, "WAL between the last local checkpoint and what is remote.", labels)
      .set(remote < local ? static_cast<double>(local.value - remote.value) : 0);
  metrics
      .gauge(kLagSeconds,
             "Time since the last commit of a timeline of which something is not remote.", labels)
      .set(timeline.sync_pending ? static_cast<double>(now.micros - since.micros) / 1e6 : 0);
}

void forget_remote_lag(Metrics& metrics, const TenantTimelineId& timeline) {
  for (const char* name : {kLagBytes, kLagSeconds}) {
    metrics.remove_gauge(name, labels_of(timeline));
  }
}

}  // namespace varve
