// The tenants and timelines of a work directory, compared with the remote storage when it is
// opened.
//
//   tenants/<tenant>/tenant                      newest known commit of the tenant's log, its owner
//   tenants/<tenant>/attempts                    nonces of the tenant's commits begun here
//   tenants/<tenant>/timelines/<timeline>/       metadata, attempts, layer files of a timeline
//   tenants/<tenant>/timelines/<timeline>.tmp/   an import under way; removed at the next open
//
// The order of a new timeline: layers and metadata into the draft's directory; registration in the
// tenant's log; the timeline's own log; rename of the directory. What a crash leaves: before the
// registration, a draft that the next open removes; before the timeline's commit, besides it a
// registration without a log, which does not count as a timeline and whose name is free; after it,
// the timeline, to be read from the remote storage.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "storage_sync/remote_gc.h"
#include "storage_sync/sync_startup.h"
#include "storage_sync/tenant_log.h"
#include "storage_sync/upload.h"
#include "timeline/timeline_draft.h"
#include "timeline/timeline_reader.h"
#include "timeline/timeline_states.h"

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
  Lsn remote_consistent_lsn;
  // When what is remote of it was committed; none when nothing is.
  std::optional<Timestamp> remote_at;
  // Something of it still has to be uploaded or downloaded.
  bool sync_pending = false;
  size_t layer_count = 0;
  uint64_t layer_bytes = 0;  // Of the layer files, uncompressed.
};

// Not thread-safe.
class TenantManager {
 public:
  struct Options {
    std::filesystem::path work_directory;
    // None: nothing is remote.
    const SyncContext* remote = nullptr;
    Clock* clock = &system_clock();
    Random* random = &system_random();
    // Only this tenant is looked at, here and remotely.
    std::optional<TenantId> only_tenant;
    uint64_t layer_size = 256ULL << 20;
    CallOptions call;
  };
  // Scans the work directory and lists the remote storage, once. A tenant or timeline that cannot
  // be read is logged and left alone; the others go on.
  static Result<TenantManager> open(Options options);

  // --- tenants ---

  std::vector<TenantInfo> tenants() const;
  // By ID or name. NotFound; InvalidArgument for what can be neither.
  Result<TenantInfo> tenant(std::string_view id_or_name) const;
  // Conflict when ID or name are taken; InvalidArgument when the storage turns out to ignore the
  // condition that protects one server's backups from another's. `id` is drawn at random when it is
  // not given. After an error by which the storage may have stored it all the same, the name is
  // taken until the next open finds out.
  Result<TenantInfo> create_tenant(std::optional<TenantId> id, const std::string& name);

  // Takes the tenant over from whichever work directory owns it; see attach_tenant(). Gives the
  // tenant as it is then.
  Result<TenantInfo> attach_tenant(const TenantId& id);

  // --- timelines ---

  // Sorted by time of creation. Reads the newest commit of timelines that are only remote.
  Result<std::vector<TimelineInfo>> timelines(const TenantId& tenant);
  // Those of all tenants that are in the work directory. Asks the remote storage for nothing.
  std::vector<TimelineInfo> local_timelines();
  // "TENANT/TIMELINE", each an ID or a name.
  Result<TimelineInfo> timeline(std::string_view address);

  // Checks that the timeline may be created, before the work begins.
  Result<> check_new_timeline(const TenantId& tenant, const std::string& name) const;
  Result<TimelineDraft> start_timeline(const TenantId& tenant, Lsn image_lsn);
  // A timeline that is what its parent is at `lsn`, without a copy of anything. The parent keeps
  // that LSN for as long as the branch is there. NotFound when it cannot be read.
  Result<TimelineInfo> branch_timeline(const TenantTimelineId& parent, Lsn lsn,
                                       const std::string& name);
  // Registers, uploads and publishes a draft that is finished. On error nothing of it counts,
  // unless its last request had landed unnoticed: then the timeline is there, whole, at the next
  // open.
  Result<TimelineInfo> commit_timeline(TimelineDraft draft, const std::string& name,
                                       const ByteProgress& progress);

  // Brings the timeline to where it is to be, in the calling thread: uploads what is not remote
  // yet, or downloads what is behind. Returns whether there was anything.
  Result<bool> sync_timeline(const TenantTimelineId& id, const ByteProgress& progress);

  // Brings all layers that are not here into the work directory.
  Result<> prefetch_timeline(const TenantTimelineId& id, const ByteProgress& progress);

  struct FreedLayers {
    size_t layers = 0;
    uint64_t bytes = 0;
  };
  // Frees the local copies of the layers that are remote; from then on they are read from there.
  // Lists the timeline's log first: Corrupted, and nothing is freed, when an object is missing.
  Result<FreedLayers> drop_local_layers(const TenantTimelineId& id);

  // Deletes the objects of the timeline's log that nothing needs any more. Conflict when this work
  // directory does not own the tenant, or has no state of the timeline.
  Result<CollectedGarbage> collect_garbage(const TenantTimelineId& id);

  // Commits the deletion for good, then frees the local files. What a crash leaves of that is freed
  // by the next open.
  Result<> delete_timeline(const TenantTimelineId& id);

  // A reader of the newest state, through the ancestors of a branch; what is read of layers that
  // are not local is fetched into scratch directories under `scratch_parent`. Fails where the chain
  // of ancestors is broken; see find_ancestry().
  Result<std::unique_ptr<TimelineReader>> open_reader(const TenantTimelineId& id,
                                                      const std::filesystem::path& scratch_parent,
                                                      ReadPattern pattern = ReadPattern::kOnDemand);

  const RemoteListing& remote_listing() const { return startup_.listing; }

  // --- for the sync engine ---

  // The files of the work directory; the sync engine changes them beside this.
  LocalStore& store() { return *store_; }
  // Whom the sync engine reports to.
  TimelineStates& states() { return *states_; }
  // How the timelines stood when this was opened, and what is to be done about it.
  const std::vector<TimelineSyncStatus>& states_at_start() const { return startup_.states; }
  const std::vector<SyncTask>& first_tasks() const { return startup_.first_tasks; }
  // What would bring the timeline to where it is to be; none when it is there.
  Result<std::optional<SyncTask>> pending_task(const TenantTimelineId& id);

 private:
  using State = std::shared_ptr<const LocalManifest>;

  explicit TenantManager(Options options);

  void free_deleted();

  std::shared_ptr<const LocalTenant> local_tenant(const TenantId& id) const;
  // The state in the work directory; null when there is none.
  State local_state(const TenantTimelineId& id) const;
  // The newest one that is at hand; null when there is none.
  State known_state(const TenantTimelineId& id, const KnownTimeline& timeline) const;
  // The newest one, read from the remote storage if need be.
  Result<State> newest_state(const TenantTimelineId& id, KnownTimeline& timeline);

  std::optional<TimelineManifest> empty_branch(const TenantTimelineId& id,
                                               const KnownTimeline& timeline) const;

  Result<KnownTenant*> usable_tenant(const TenantId& id);
  Result<KnownTimeline*> usable_timeline(const TenantTimelineId& id);
  TenantInfo describe(const TenantId& id, const KnownTenant& tenant) const;
  Result<TimelineInfo> describe(const TenantTimelineId& id, KnownTimeline& timeline);
  Result<> read_cloud_only(const TenantId& id, KnownTenant& tenant);
  bool is_visible(const TenantTimelineId& id, const KnownTimeline& timeline) const;
  bool name_is_taken(const TenantId& id, const std::string& name) const;
  void note_ready(const TenantTimelineId& id);

  Result<> check_changeable(const TenantId& id) const;
  Result<> change_tenant(const TenantId& id, const TenantChange& change);
  // InvalidArgument when it does not; what was created is then gone from it.
  Result<> check_storage_keeps_conditions(const TenantId& created);
  // The writer is that of the tenant.
  Result<> upload(KeptTimeline& timeline, UploadRequest request, const ByteProgress& progress);

  Options options_;
  // Neither moves, since the sync engine refers to both.
  std::unique_ptr<LocalStore> store_;
  std::unique_ptr<TimelineStates> states_;
  SyncStartupData startup_;
  // Names of tenants that may or may not have been created.
  std::map<TenantId, std::string> uncertain_names_;
};

// Names: 1 to 63 letters, digits, '.', '_' and '-', beginning with a letter or digit, and not of
// the form of an ID. InvalidArgument otherwise.
Result<> check_name(std::string_view name);

}  // namespace varve
