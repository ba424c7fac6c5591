// Manifests: what an object holds and, for a commit, the whole state of its log.
// The layout, byte by byte, is in docs/formats/archive.md; change both together.
#pragma once

#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "base/checksum.h"
#include "base/clock.h"
#include "base/ids.h"
#include "layer/layer_name.h"
#include "layer/layer_writer.h"
#include "layer/timeline_metadata.h"
#include "storage_sync/object_name.h"

namespace varve {

// Who wrote a commit, when, and after which one.
struct CommitStamp {
  uint64_t sequence = 0;
  WriterId writer;
  Nonce nonce;
  // ObjectTrailer::checksum of the commit before this one; 0 for the first.
  uint64_t predecessor_checksum = 0;
  Timestamp created_at;
  std::string writer_version;

  bool operator==(const CommitStamp&) const = default;
};

// Where an object keeps the frames of a member.
struct StoredMember {
  // File name of an object of the same log; empty for a layer that is not remote.
  std::string object;
  uint64_t table_offset = 0;
  uint32_t table_size = 0;
  uint64_t table_checksum = 0;  // XXH3-64.

  bool is_remote() const { return !object.empty(); }
  bool operator==(const StoredMember&) const = default;
};

struct LayerEntry {
  LayerName name;
  uint64_t size = 0;     // Of the layer file, bytes.
  Checksum128 checksum;  // Of the layer file.
  StoredMember stored;

  bool operator==(const LayerEntry&) const = default;
};

// An object that no live layer refers to any more.
struct RetiredObject {
  std::string object;
  uint64_t superseded_by = 0;  // Sequence of the first commit that did without it.

  bool operator==(const RetiredObject&) const = default;
  // In the order in which they were retired.
  auto operator<=>(const RetiredObject& other) const {
    return std::tie(superseded_by, object) <=> std::tie(other.superseded_by, other.object);
  }
};

// The state of a timeline as of one commit. A commit holds it whole, or as the difference to an
// earlier one: see manifest_delta.h.
struct TimelineManifest {
  TenantTimelineId id;
  CommitStamp stamp;
  // The last commit of a deleted timeline; it has no layers, and nothing follows it.
  bool deleted = false;
  TimelineMetadata metadata;
  std::vector<LayerEntry> layers;      // Sorted by name.
  std::vector<RetiredObject> retired;  // Ascending, each object once.

  bool operator==(const TimelineManifest&) const = default;
  Bytes encode() const;
  static Result<TimelineManifest> decode(ByteView bytes);
};

// A timeline as its tenant's log lists it. Without an ancestor and without a log of its own it is
// an import that never finished.
struct TimelineRegistration {
  TimelineId id;
  std::string name;  // Empty, or unique within the tenant.
  std::optional<TimelineId> ancestor;
  Lsn ancestor_lsn;
  Timestamp created_at;
  bool deleted = false;

  bool operator==(const TimelineRegistration&) const = default;
};

// An LSN that stays readable, whatever is collected, until the pin is removed.
struct TimelinePin {
  TimelineId timeline;
  Lsn lsn;
  Timestamp created_at;

  bool operator==(const TimelinePin&) const = default;
};

// The state of a tenant as of one commit of its log.
struct TenantManifest {
  TenantId id;
  CommitStamp stamp;
  std::string name;  // Empty, or unique under the prefix.
  Timestamp created_at;
  // The last commit of a deleted tenant; nothing follows it.
  bool deleted = false;
  std::vector<TimelineRegistration> timelines;
  std::vector<TimelinePin> pins;

  bool operator==(const TenantManifest&) const = default;
  Bytes encode() const;
  static Result<TenantManifest> decode(ByteView bytes);

  const TimelineRegistration* find(const TimelineId& timeline) const;
  bool is_pinned(const TimelineId& timeline, Lsn lsn) const;
};

// What a pack holds. `stored.object` is the pack itself.
struct PackManifest {
  TenantTimelineId id;
  Nonce nonce;
  uint32_t part = 0;
  Timestamp created_at;
  std::string writer_version;
  std::vector<LayerEntry> members;

  bool operator==(const PackManifest&) const = default;
  Bytes encode() const;
  static Result<PackManifest> decode(ByteView bytes);
};

}  // namespace varve
