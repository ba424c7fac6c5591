// What one object says of itself: the first thing that a verification asks of each.
#pragma once

#include <optional>

#include "storage_sync/object_reader.h"
#include "storage_sync/remote_listing.h"
#include "storage_sync/verify/finding.h"

namespace varve {

// Only what later checks need: the manifests of all commits of a log would fill the memory.
struct ExaminedObject {
  ListedObject listed;
  // The newest commit of its log.
  bool is_newest = false;

  // Manifest and trailer could be read. If not there is a finding, and what follows is empty.
  bool readable = false;
  uint64_t checksum = 0;         // ObjectTrailer::checksum.
  uint64_t manifest_offset = 0;  // Everything before it is header and members.
  CommitStamp stamp;             // Of commits.
  // The members that lie in the object itself, sorted by name.
  std::vector<LayerEntry> members;
  // Of the newest commit of a log, the one that fits. Where it is stored as a delta, `timeline`
  // follows only from that and its base; see complete_head().
  std::optional<ReadTimelineArchive> delta;
  std::optional<TimelineManifest> timeline;
  std::optional<TenantManifest> tenant;

  std::vector<Finding> findings;
};

// Fails only for reasons that say nothing about the object, such as an unreachable storage.
Result<ExaminedObject> examine_object(RemoteStorage& storage, const ListedObject& listed,
                                      bool is_newest, const CallOptions& options);

// Whether an error of reading says something about what was read: it is then a finding.
bool tells_of_damage(ErrorCode code);
// That finding.
Finding damage_of(const Error& error, Need need, Place place);

}  // namespace varve
