// What this process knows of its work directory: the tenants and timelines that have valid files
// there.
#pragma once

#include <map>

#include "runtime/turns.h"
#include "storage_sync/kept_state.h"

namespace varve {

// The suffix of the directories of timelines in the making, which do not count; what bears it at
// the start of a server is left from a crash.
inline constexpr std::string_view kDraftSuffix = ".tmp";

// Thread-safe. Everybody who changes one of the files does so by what is had here.
class LocalStore {
 public:
  explicit LocalStore(std::filesystem::path work_directory)
      : work_directory_(std::move(work_directory)) {}

  std::filesystem::path tenants_directory() const;
  std::filesystem::path tenant_directory(const TenantId& tenant) const;
  std::filesystem::path timelines_directory(const TenantId& tenant) const;
  std::filesystem::path timeline_directory(const TenantTimelineId& timeline) const;

  std::vector<TenantId> tenants() const;
  // Null when there is none.
  std::shared_ptr<KeptTenant> tenant(const TenantId& id) const;
  std::shared_ptr<KeptTimeline> timeline(const TenantTimelineId& id) const;

  // Whether the tenant's log, as it is known here, pins the LSN.
  bool is_pinned(const TenantTimelineId& timeline, Lsn lsn) const;

  // What the file holds already, or will with the first change. Takes the place of what was there.
  std::shared_ptr<KeptTenant> add_tenant(LocalTenant state);
  std::shared_ptr<KeptTimeline> add_timeline(LocalManifest state);
  // The one that is there, or else `state`.
  std::shared_ptr<KeptTimeline> find_or_add_timeline(LocalManifest state);
  // The files stay.
  void forget_tenant(const TenantId& id);
  void forget_timeline(const TenantTimelineId& id);

  // The turn of whoever brings layer files of the timeline into the work directory, or takes them
  // from it. Uploads do without: they read the layers that are not remote yet, which nobody takes.
  using FilesTurn = Turns<TenantTimelineId>::Turn;
  Result<FilesTurn> take_files_turn(const TenantTimelineId& id, const CallOptions& call);

 private:
  const std::filesystem::path work_directory_;
  mutable std::mutex mutex_;
  std::map<TenantId, std::shared_ptr<KeptTenant>> tenants_;
  std::map<TenantTimelineId, std::shared_ptr<KeptTimeline>> timelines_;
  Turns<TenantTimelineId> files_turns_;
};

}  // namespace varve
