#include "storage_sync/sync_metrics.h"

namespace varve {

SyncMetrics::SyncMetrics(Metrics& metrics)
    : metrics_(metrics),
      remaining_(metrics.gauge("varve_remote_storage_remaining_sync_items",
                               "Uploads and downloads of timelines that are queued, without those "
                               "that run.")),
      evicted_(metrics.gauge("varve_remote_storage_evicted_timelines",
                             "Timelines that were given up after too many errors, until their "
                             "tenant is attached again.")) {}

void SyncMetrics::set_remaining(size_t tasks) {
  remaining_.set(static_cast<double>(tasks));
}

void SyncMetrics::set_evicted(size_t timelines) {
  evicted_.set(static_cast<double>(timelines));
}

void SyncMetrics::observe(SyncOperation operation, bool succeeded, Duration taken) {
  metrics_
      .histogram("varve_remote_storage_sync_seconds",
                 "How long uploads and downloads of timelines took, each attempt by itself.",
                 {{"operation_kind", std::string(name(operation))},
                  {"status", succeeded ? "success" : "failure"}})
      .observe(std::chrono::duration<double>(taken).count());
}

}  // namespace varve
