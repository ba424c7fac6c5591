#include "timeline/lag_metrics.h"

namespace varve {

void export_remote_lag(Metrics& metrics, const TimelineInfo& timeline, Timestamp now) {
  const MetricLabels labels{{"tenant", timeline.id.tenant.to_string()},
                            {"timeline", timeline.id.timeline.to_string()}};
  const Lsn local = timeline.metadata.disk_consistent_lsn;
  const Lsn remote = timeline.remote_consistent_lsn;
  const Timestamp since = timeline.remote_at.value_or(timeline.created_at);
  metrics
      .gauge("varve_timeline_remote_lag_bytes",
             "WAL between the last local checkpoint and what is remote.", labels)
      .set(remote < local ? static_cast<double>(local.value - remote.value) : 0);
  metrics
      .gauge("varve_timeline_remote_lag_seconds",
             "Time since the last commit of a timeline of which something is not remote.", labels)
      .set(timeline.sync_pending ? static_cast<double>(now.micros - since.micros) / 1e6 : 0);
}

}  // namespace varve
