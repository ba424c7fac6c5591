// How far what is remote of a timeline lags behind what is local.
#pragma once

#include "base/metrics.h"
#include "timeline/tenant_manager.h"

namespace varve {

// Sets varve_timeline_remote_lag_bytes (of WAL) and varve_timeline_remote_lag_seconds, labelled
// with tenant and timeline, as of `now`. Seconds count from the last commit, which is the latest
// moment at which everything was remote; both are 0 when it is.
void export_remote_lag(Metrics& metrics, const TimelineInfo& timeline, Timestamp now);

// For a timeline that is no more.
void forget_remote_lag(Metrics& metrics, const TenantTimelineId& timeline);

}  // namespace varve
