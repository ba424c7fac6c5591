// Which primary a timeline follows: kept in the work directory, since the storage must not know how
// to reach it.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/lsn.h"
#include "base/result.h"

namespace varve {

struct FollowedPrimary {
  TenantTimelineId timeline;
  // As libpq has it. It may hold a password: it belongs in no message.
  std::string connection_string;
  // The replication slot there, which is this timeline's alone.
  std::string slot;
  // Of a primary that was restored from this timeline: as of which LSN. Its WAL begins above.
  Lsn restored_at = {};

  bool operator==(const FollowedPrimary&) const = default;

  Bytes encode() const;
  // Corrupted when these are not the bytes of one.
  static Result<FollowedPrimary> decode(ByteView bytes);
};

// One file each, readable by the owner alone. Layout: docs/formats/local-files.md. Not thread-safe
// for one timeline.
class FollowedPrimaryFiles {
 public:
  explicit FollowedPrimaryFiles(std::filesystem::path directory)
      : directory_(std::move(directory)) {}

  // Whatever is there. A file that cannot be read is logged, and left out.
  Result<std::vector<FollowedPrimary>> list() const;
  // Durable on return.
  Result<> write(const FollowedPrimary& primary) const;
  Result<> remove(const TenantTimelineId& timeline) const;

 private:
  std::filesystem::path path_of(const TenantTimelineId& timeline) const;

  const std::filesystem::path directory_;
};

}  // namespace varve
