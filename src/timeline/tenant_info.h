// What is told of tenants and timelines.
#pragma once

#include <optional>
#include <string>

#include "storage_sync/local_tenant.h"
#include "storage_sync/sync_state.h"

namespace varve {

struct TenantInfo {
  TenantId id;
  std::string name;
  Timestamp created_at;
  // This work directory may write to the tenant.
  bool owned = false;
  std::optional<Fence> fence;
  size_t timeline_count = 0;
};

struct TimelineInfo {
  TenantTimelineId id;
  std::string name;
  Timestamp created_at;
  TimelineSyncState state = TimelineSyncState::kReady;
  TimelineMetadata metadata;
  Lsn last_record_lsn;
  Lsn remote_consistent_lsn;
  // When what is remote of it was committed; none when nothing is.
  std::optional<Timestamp> remote_at;
  // Something of it still has to be uploaded or downloaded.
  bool sync_pending = false;
  size_t layer_count = 0;
  uint64_t layer_bytes = 0;  // Of the layer files, uncompressed.
};

}  // namespace varve
