// What the sync engine tells of itself.
#pragma once

#include "base/clock.h"
#include "base/metrics.h"
#include "storage_sync/sync_task.h"

namespace varve {

// Thread-safe, as the metrics it comes from, which it must not outlive.
class SyncMetrics {
 public:
  explicit SyncMetrics(Metrics& metrics);

  void set_remaining(size_t tasks);
  void set_evicted(size_t timelines);
  void observe(SyncOperation operation, bool succeeded, Duration taken);

 private:
  Metrics& metrics_;
  Gauge remaining_;
  Gauge evicted_;
};

}  // namespace varve
