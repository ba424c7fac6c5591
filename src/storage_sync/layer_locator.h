// Finds out where a layer is stored by now.
//
// Who reads without owning the timeline has the manifest of some moment. Meanwhile the owner may
// have moved its layers into other objects and, after the grace period, removed those that the
// manifest names.
#pragma once

#include <memory>
#include <mutex>

#include "storage_sync/manifest.h"
#include "storage_sync/sync_context.h"

namespace varve {

// Of one timeline. Thread-safe. Reads the log only when what it read last does not help.
class LayerLocator {
 public:
  // The context outlives it.
  LayerLocator(const SyncContext& context, const LogName& log) : context_(context), log_(log) {}

  // Another place of the same layer than `layer.stored`, where an object was found to be absent.
  // NotFound, saying what to do, when the newest commit has the layer at that very place or has it
  // no more.
  Result<StoredMember> locate(const LayerEntry& layer, const CallOptions& options);

  // The newest commit that was read on the way; null when none was.
  std::shared_ptr<const TimelineManifest> newest_known() const;

 private:
  Result<std::shared_ptr<const TimelineManifest>> read_newest(const CallOptions& options);

  const SyncContext& context_;
  const LogName log_;
  mutable std::mutex mutex_;
  std::shared_ptr<const TimelineManifest> newest_;
};

}  // namespace varve
