// What every collection of remote garbage does: check that the log is the one it knows, and delete.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "storage_sync/remote_listing.h"
#include "storage_sync/sync_context.h"

namespace varve {

struct CollectedGarbage {
  uint64_t objects = 0;
  uint64_t bytes = 0;
  // Those that the storage refused to delete.
  std::vector<FailedRemoval> failed;

  void add(const CollectedGarbage& more);
};

// Whether the log ends with commit `known`; `listed` is null when nothing of it was listed.
// Conflict when it has gone on without us; Corrupted when it ends before what is known.
Result<> check_head(const LogName& log, uint64_t known, const ListedLog* listed);

// By the storage's clock alone.
bool is_older_than(Duration age, const ListedObject& object, Timestamp storage_time);

// Deletes in bulk and adds up in `collected`; gives those that are gone now. An error says that
// some may be.
Result<std::vector<ListedObject>> remove_objects(RemoteStorage& storage,
                                                 std::span<const ListedObject> objects,
                                                 CollectedGarbage& collected,
                                                 const CallOptions& options);

}  // namespace varve
