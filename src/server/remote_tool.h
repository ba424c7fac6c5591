// The archive tool: looks at a remote storage with nothing else at hand.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "server/remote_access.h"
#include "storage_sync/manifest.h"
#include "storage_sync/object_reader.h"
#include "storage_sync/remote_listing.h"

namespace varve {

struct ShownObject {
  ObjectName name;
  ObjectTail tail;
  // By kind, one of them. A commit of a timeline has its manifest whole or as a delta.
  std::optional<TenantManifest> tenant;
  std::optional<TimelineManifest> timeline;
  std::optional<TimelineManifestDelta> timeline_delta;
  std::optional<PackManifest> pack;

  // The members that lie in this object itself.
  std::vector<LayerEntry> members() const;
};

// NotFound when there is no such object; InvalidArgument when the key is not one of an object.
Result<ShownObject> show_object(RemoteStorage& storage, const std::string& key,
                                const CallOptions& call);

struct ExtractRequest {
  std::string key;
  std::vector<std::string> members;  // Names; empty: all.
  std::filesystem::path to;          // A directory; made where it is missing.
};
// Writes members as files, whole and verified, and returns them. NotFound for a member that the
// object does not hold; Conflict when a file is there already.
Result<std::vector<LayerEntry>> extract_members(const SyncContext& context,
                                                const ExtractRequest& request,
                                                const CallOptions& call);

}  // namespace varve
