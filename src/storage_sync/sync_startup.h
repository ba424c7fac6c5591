// The start of the sync engine: the work directory is scanned, the remote storage listed once, and
// both are compared. What follows from it is known before any task runs.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "storage_sync/local_store.h"
#include "storage_sync/remote_listing.h"
#include "storage_sync/sync_context.h"
#include "storage_sync/sync_state.h"
#include "storage_sync/sync_task.h"

namespace varve {

// What is known of a timeline besides its state in the LocalStore.
struct KnownTimeline {
  // As the tenant's log has it; none when the log does not list it.
  std::optional<TimelineRegistration> registration;
  // Number of the newest commit of its log, as listed; 0 when there is none.
  uint64_t remote_head = 0;
  // The newest commit, where it was read and is above the local head.
  std::shared_ptr<const LocalManifest> remote;
  // Why it can't be used.
  std::optional<Error> damage;
};

struct KnownTenant {
  std::map<TimelineId, KnownTimeline> timelines;
  // Why it can't be used.
  std::optional<Error> damage;
};

struct SyncStartupData {
  // All of them, with damaged ones.
  std::map<TenantId, KnownTenant> tenants;
  RemoteListing listing;
  // How each timeline that can be used stands.
  std::vector<TimelineSyncStatus> states;
  std::vector<SyncTask> first_tasks;
};

struct SyncStartupOptions {
  // None: nothing is remote, every valid timeline is Ready, and there are no tasks.
  const SyncContext* remote = nullptr;
  // Only this tenant is looked at, here and remotely.
  std::optional<TenantId> only_tenant;
  // Commits that are read at once.
  size_t parallel_reads = 8;
  CallOptions call;
};

// Fills the store. A tenant or timeline that cannot be read is logged and left alone; the others go
// on. Writes nothing to the remote storage. Fails when the work directory or the remote storage
// cannot be read at all: an unreachable storage is never taken for an empty one.
Result<SyncStartupData> start_local_timeline_sync(LocalStore& store,
                                                  const SyncStartupOptions& options);

}  // namespace varve
