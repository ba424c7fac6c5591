// What is known of a timeline besides its data: written last at every checkpoint, and carried by
// every manifest.
#pragma once

#include <optional>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/lsn.h"

namespace varve {

struct TimelineMetadata {
  // Everything up to here is in layer files.
  Lsn disk_consistent_lsn;
  // Start of the last WAL record below disk_consistent_lsn.
  Lsn previous_record_lsn;
  // Set on a branch: what lies below ancestor_lsn is read from the ancestor.
  std::optional<TimelineId> ancestor;
  Lsn ancestor_lsn;
  // The oldest LSN that can still be read; where it lies above disk_consistent_lsn, in a base
  // backup whose WAL is not all there, the first one that can ever be.
  Lsn gc_cutoff_lsn;
  // Major version of the source server, and the identifier that initdb gave the cluster.
  uint32_t postgres_version = 0;
  uint64_t system_identifier = 0;

  bool operator==(const TimelineMetadata&) const = default;

  // The layout is in docs/formats/metadata.md. It has a version, but no checksum of its own: the
  // file or manifest that holds it has one.
  Bytes encode() const;
  // Corrupted for anything that encode() cannot have made.
  static Result<TimelineMetadata> decode(ByteView bytes);
};

}  // namespace varve
