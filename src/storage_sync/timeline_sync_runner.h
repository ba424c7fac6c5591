// What the tasks of the sync loop do: uploads and downloads of the timelines of a work directory.
#pragma once

#include <filesystem>

#include "storage_sync/local_manifest.h"
#include "storage_sync/sync_context.h"
#include "storage_sync/sync_loop.h"

namespace varve {

// The LSN, and what else distinguishes states with the same LSN.
Checkpoint checkpoint_of(const LocalManifest& local);

// Reads and replaces the metadata files of timelines and, to note a fence, the tenant files: while
// a task runs, nobody else may write those of its timeline and tenant.
class TimelineSyncRunner : public SyncTaskRunner {
 public:
  // tenants/<tenant>/timelines/<timeline>/ lie in `work_directory`.
  TimelineSyncRunner(const SyncContext& context, std::filesystem::path work_directory)
      : context_(context), work_directory_(std::move(work_directory)) {}

  // Conflict, without any request once it is known, when this work directory does not own the
  // tenant; InvalidArgument when the tenant's log does not list the timeline.
  Result<Checkpoint> run(const SyncTask& task, const CallOptions& options) override;

 private:
  std::filesystem::path tenant_directory(const TenantId& tenant) const;
  std::filesystem::path timeline_directory(const TenantTimelineId& timeline) const;
  Result<Checkpoint> upload(const TenantTimelineId& timeline, const CallOptions& options);
  Result<Checkpoint> download(const SyncTask& task, const CallOptions& options);

  const SyncContext context_;
  const std::filesystem::path work_directory_;
};

}  // namespace varve
