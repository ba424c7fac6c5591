// What the tasks of the sync loop do: uploads and downloads of the timelines of a work directory.
#pragma once

#include "storage_sync/local_store.h"
#include "storage_sync/sync_context.h"
#include "storage_sync/sync_loop.h"

namespace varve {

// The LSN, and what else distinguishes states with the same LSN.
Checkpoint checkpoint_of(const LocalManifest& local);

// A timeline that is downloaded from nothing is added to the store.
class TimelineSyncRunner : public SyncTaskRunner {
 public:
  // Both outlive the runner.
  TimelineSyncRunner(const SyncContext& context, LocalStore& store)
      : context_(context), store_(store) {}

  // Conflict, without any request once it is known, when this work directory does not own the
  // tenant; InvalidArgument when the tenant's log does not list the timeline.
  Result<Checkpoint> run(const SyncTask& task, const CallOptions& options) override;

 private:
  Result<Checkpoint> upload(const TenantTimelineId& id, const CallOptions& options);
  Result<Checkpoint> download(const SyncTask& task, const CallOptions& options);

  const SyncContext& context_;
  LocalStore& store_;
};

}  // namespace varve
