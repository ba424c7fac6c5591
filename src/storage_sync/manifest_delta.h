// The manifest of a timeline as the difference to an earlier one of its log, so that a commit to a
// timeline of many layers does not repeat them all.
// The layout, byte by byte, is in docs/formats/archive.md; change both together.
//
// The earlier one, its base, is always a full manifest, and the difference holds all that has
// changed since then: never a chain, so that a reader needs two objects at most.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "storage_sync/manifest.h"

namespace varve {

// The commit that holds the base, named beyond doubt.
struct ManifestBase {
  std::string object;     // File name of an archive of the same log.
  uint64_t checksum = 0;  // ObjectTrailer::checksum of that object.

  bool operator==(const ManifestBase&) const = default;
};

// Where a commit is stored.
struct StoredCommit {
  std::string object;  // File name of its archive.
  // What its manifest is a delta of; none when it is full.
  std::optional<ManifestBase> base;
};

// Everything but the lists is that of the newer manifest. A deleted timeline is never a difference.
struct TimelineManifestDelta {
  TenantTimelineId id;
  CommitStamp stamp;
  ManifestBase base;
  TimelineMetadata metadata;
  std::vector<LayerName> removed_layers;  // Ascending.
  // Ascending by name. One that the base has as well takes the place of that one: it is stored
  // elsewhere.
  std::vector<LayerEntry> added_layers;
  // Of the list of retired objects.
  std::vector<std::string> removed_retired;  // Ascending.
  std::vector<RetiredObject> added_retired;  // Ascending.

  bool operator==(const TimelineManifestDelta&) const = default;
  Bytes encode() const;
  static Result<TimelineManifestDelta> decode(ByteView bytes);
};

// What makes `next` out of `base`, which `reference` names. Both are of one timeline, neither is
// that of a deleted one, and the lists of `next` are in ascending order.
TimelineManifestDelta difference(const ManifestBase& reference, const TimelineManifest& base,
                                 const TimelineManifest& next);

// The newer manifest, whole. Corrupted, naming what does not fit, when the delta was made from
// another base; the caller has compared the checksum of the object that `base` was read from.
Result<TimelineManifest> apply(const TimelineManifestDelta& delta, TimelineManifest base);

}  // namespace varve
