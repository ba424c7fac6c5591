// What the tasks of the sync loop do: uploads and downloads of the timelines of a work directory.
#pragma once

#include "storage_sync/local_store.h"
#include "storage_sync/sync_context.h"
#include "storage_sync/sync_loop.h"

namespace varve {

// The LSN, and what else distinguishes states with the same LSN.
Checkpoint checkpoint_of(const LocalManifest& local);

// Told how many raw bytes of a task have been done; from the thread that runs the task.
using TaskProgress = std::function<void(const SyncTask&, uint64_t done, uint64_t total)>;

// A timeline that is downloaded from nothing is added to the store.
class TimelineSyncRunner : public SyncTaskRunner {
 public:
  // Both outlive the runner.
  TimelineSyncRunner(const SyncContext& context, LocalStore& store, TaskProgress progress = {})
      : context_(context), store_(store), progress_(std::move(progress)) {}

  // An upload registers the timeline with its tenant where that was not done yet. Conflict, without
  // any request once it is known, when this work directory does not own the tenant, or when the
  // timeline was deleted; InvalidArgument when it is not in the work directory.
  Result<Checkpoint> run(const SyncTask& task, const CallOptions& options) override;

 private:
  Result<Checkpoint> upload(const SyncTask& task, const CallOptions& options);
  Result<> register_timeline(KeptTenant& tenant, const TenantTimelineId& id,
                             const CallOptions& options);
  ByteProgress progress_of(const SyncTask& task) const;
  Result<Checkpoint> download(const SyncTask& task, const CallOptions& options);

  const SyncContext& context_;
  LocalStore& store_;
  const TaskProgress progress_;
};

}  // namespace varve
