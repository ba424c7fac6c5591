// The sync engine of a work directory, ready to run: the loop, what its tasks do, and the threads
// for both.
#pragma once

#include "storage_sync/sync_loop.h"
#include "storage_sync/sync_startup.h"
#include "storage_sync/timeline_sync_runner.h"

namespace varve {

class SyncEngine {
 public:
  struct Options {
    SyncLoop::Options loop = {};
    TaskProgress progress;
  };
  // All outlive the engine.
  SyncEngine(Options options, const SyncContext& context, LocalStore& store, SyncObserver& observer,
             Metrics& metrics);

  // Starts the loop, once: it reports `states`, and then does `first_tasks` and what is scheduled.
  // Before that, uploads are aborted that an earlier process of this work directory left behind.
  void start(std::vector<TimelineSyncStatus> states, const std::vector<SyncTask>& first_tasks);

  SyncLoop& loop() { return loop_; }

 private:
  void abort_stale_uploads_of_owned_tenants();

  const SyncContext& context_;
  LocalStore& store_;
  TimelineSyncRunner runner_;
  LanePools executor_;
  // Last, so that it shuts down while there is still everything that its tasks need.
  SyncLoop loop_;
};

}  // namespace varve
