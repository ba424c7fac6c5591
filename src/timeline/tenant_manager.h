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
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "runtime/turns.h"
#include "storage_sync/remote_gc.h"
#include "storage_sync/repack.h"
#include "storage_sync/sync_startup.h"
#include "storage_sync/tenant_log.h"
#include "storage_sync/upload.h"
#include "timeline/tenant_directory.h"
#include "timeline/tenant_info.h"
#include "timeline/timeline_draft.h"
#include "timeline/timeline_reader.h"
#include "timeline/timeline_states.h"

namespace varve {

// Thread-safe once it is opened. Whoever asks for something never waits for a change. Changes of a
// tenant take turns, each for a commit or two; what takes long, the data of an import or a
// download, goes on beside them. What brings layer files of one timeline here, or frees them, takes
// turns as well. The order of turns: those of timelines, ascending, before that of their tenant.
//
// `call`, where a function takes one, ends it besides Options::call.
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
    // Of readers; null: records cannot be read.
    std::shared_ptr<Redo> redo = {};
    // Of everything.
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
  // tenant as it is then. Conflict while a timeline of it is in the making here.
  Result<TenantInfo> attach_tenant(const TenantId& id, const CallOptions& call = {});

  // Gives up what this work directory has of the tenant: its ownership, so that nothing is written
  // from here any more, and all local files. The tenant stays in the remote storage and can be
  // attached again, from here or elsewhere. Conflict without a remote storage, while a timeline is
  // in the making, and, naming it, when a timeline has something that is not remote; Corrupted when
  // the remote storage lacks an object that is needed. The local files go before the ownership, so
  // that an error or a crash leaves the tenant attached, some layers being only remote, or
  // detached.
  Result<> detach_tenant(const TenantId& id, const CallOptions& call = {});

  // Deletes all timelines of the tenant, branches before what they begin in, and then the tenant,
  // with a last commit of its log that stays for ever: its ID is never used again, its name is
  // free. After an error or a crash the same call goes on where it was; once the last commit is
  // made, the next open frees what is left of the local files, also where some could not be freed,
  // which is logged. The objects of the timelines stay in the remote storage until they are
  // collected there. Conflict while a timeline is in the making; a damaged timeline is not deleted,
  // and keeps its tenant.
  Result<> delete_tenant(const TenantId& id, const CallOptions& call = {});

  // --- timelines ---

  // Sorted by time of creation. Reads the newest commit of timelines that are only remote.
  Result<std::vector<TimelineInfo>> timelines(const TenantId& tenant) const;
  // Those of all tenants that are in the work directory. Asks the remote storage for nothing.
  std::vector<TimelineInfo> local_timelines() const;
  // "TENANT/TIMELINE", each an ID or a name.
  Result<TimelineInfo> timeline(std::string_view address) const;
  // Those that are there. Asks the remote storage for nothing.
  std::vector<TenantTimelineId> timeline_ids(const TenantId& tenant) const;
  bool has_timeline(const TenantTimelineId& id) const { return directory_->timeline(id).ok(); }

  // Checks that the timeline may be created, before the work begins.
  Result<> check_new_timeline(const TenantId& tenant, const std::string& name) const;
  // Of that ID, which nobody else has, or else of one drawn at random.
  Result<TimelineDraft> start_timeline(const TenantId& tenant, Lsn image_lsn,
                                       const std::optional<TimelineId>& id = {});
  // Whose history the LSN is of: the timeline's own or, below the LSN at which a branch begins,
  // that of its ancestor, which alone decides how long it can be read.
  Result<TenantTimelineId> origin_of(const TenantTimelineId& id, Lsn lsn) const;
  // A timeline that is what its parent is at `lsn`, without a copy of anything. Its ancestor is the
  // origin of that LSN, which it keeps for as long as the branch is there, and which is uploaded
  // first if it is not remote up to there. NotFound when it cannot be read.
  Result<TimelineInfo> branch_timeline(const TenantTimelineId& parent, Lsn lsn,
                                       const std::string& name, const CallOptions& call = {});
  // Keeps an LSN readable, whatever is collected, until it is unpinned: noted in the tenant's log.
  // What is pinned is the origin of that LSN: below its beginning, a branch pins its ancestor, and
  // the pin stays when the branch is deleted. Gives the pin, also when it was there already. The
  // caller sees to it that the LSN is not given up meanwhile, see Timeline::retain().
  Result<TimelinePin> pin_timeline(const TenantTimelineId& id, Lsn lsn,
                                   const CallOptions& call = {});
  // The other way round, likewise of the origin. NotFound when it is not pinned.
  Result<> unpin_timeline(const TenantTimelineId& id, Lsn lsn, const CallOptions& call = {});
  // Those of the timeline's own history, ascending by LSN.
  Result<std::vector<TimelinePin>> pins(const TenantTimelineId& id) const;

  // Registers, uploads and publishes a draft that is finished. Nobody finds the timeline before it
  // is published, but its name is taken. On error nothing of it counts, unless its last request had
  // landed unnoticed: then the timeline is there, whole, at the next open.
  Result<TimelineInfo> commit_timeline(TimelineDraft draft, const std::string& name,
                                       const ByteProgress& progress, const CallOptions& call = {});

  // Brings the timeline to where it is to be, in the calling thread: uploads what is not remote
  // yet, or downloads what is behind. Returns whether there was anything.
  Result<bool> sync_timeline(const TenantTimelineId& id, const ByteProgress& progress,
                             const CallOptions& call = {});

  // Brings all layers that are not here into the work directory, and with them the timeline.
  Result<> prefetch_timeline(const TenantTimelineId& id, const ByteProgress& progress,
                             const CallOptions& call = {});

  struct FreedLayers {
    size_t layers = 0;
    uint64_t bytes = 0;
  };
  // Frees the local copies of the layers that are remote and of which `wanted` says so; from then
  // on they are read from there. Lists the timeline's log first: Corrupted, and nothing is freed,
  // when an object is missing. Of a timeline that is open, see OpenTimelines.
  using LayerPredicate = std::function<bool(const LayerName&)>;
  Result<FreedLayers> drop_local_layers(const TenantTimelineId& id, const CallOptions& call = {},
                                        const LayerPredicate& wanted = {});

  // Deletes the objects of the timeline's log that nothing needs any more. Conflict when this work
  // directory does not own the tenant, or has no state of the timeline.
  Result<CollectedGarbage> collect_garbage(const TenantTimelineId& id,
                                           const CallOptions& call = {});
  struct MovedLayers {
    size_t layers = 0;
    uint64_t bytes = 0;  // Stored.
  };
  // Copies layers out of remote objects that are mostly garbage, with one commit, so that those can
  // be deleted later. What is more than one commit takes is moved by the next call. Errors as those
  // of collect_garbage.
  Result<MovedLayers> repack_timeline(const TenantTimelineId& id, const CallOptions& call = {});
  // Deletes what the log of the tenant and those of its deleted timelines do not need any more; of
  // a tenant that is deleted as well. Conflict when this work directory does not own it.
  Result<CollectedGarbage> collect_tenant_garbage(const TenantId& id, const CallOptions& call = {});
  // Whether there may be anything to collect, now or later. Asks the remote storage for nothing.
  bool may_have_garbage(const TenantId& id) const;

  // Commits the deletion for good, then frees the local files. Waits for what brings layers of the
  // timeline here. What a crash leaves, or cannot be freed, which is logged, the next open frees.
  // Conflict while it has branches.
  Result<> delete_timeline(const TenantTimelineId& id, const CallOptions& call = {});

  // A reader of the newest state, through the ancestors of a branch; what is read of layers that
  // are not local is fetched into scratch directories under `scratch_parent`. Fails where the chain
  // of ancestors is broken; see find_ancestry().
  Result<std::unique_ptr<TimelineReader>> open_reader(
      const TenantTimelineId& id, const std::filesystem::path& scratch_parent,
      ReadPattern pattern = ReadPattern::kOnDemand) const;

  const RemoteListing& remote_listing() const { return startup_.listing; }

  // --- for the sync engine ---

  // The files of the work directory; the sync engine changes them beside this.
  LocalStore& store() const { return *store_; }
  // Whom the sync engine reports to.
  TimelineStates& states() const { return *states_; }
  // How the timelines stood when this was opened, and what is to be done about it.
  const std::vector<TimelineSyncStatus>& states_at_start() const { return startup_.states; }
  const std::vector<SyncTask>& first_tasks() const { return startup_.first_tasks; }
  // What would bring the timeline to where it is to be; none when it is there.
  Result<std::optional<SyncTask>> pending_task(const TenantTimelineId& id) const;

 private:
  using State = TenantDirectory::State;
  using TenantTurn = Turns<TenantId>::Turn;

  explicit TenantManager(Options options);

  void free_deleted();
  // What a deleted tenant has besides the tenant file, which keeps its ID taken.
  Result<> free_tenant(const TenantId& id) const;

  // --- what there is ---

  // How a timeline stands, as of one moment.
  struct Standing {
    State local;   // In the work directory; null when there is none.
    State newest;  // The same, or one that is ahead of it.
  };
  // Reads the newest state from the remote storage if need be.
  Result<Standing> standing(const TenantTimelineId& id, const KnownTimeline& timeline,
                            const CallOptions& call) const;
  Result<std::optional<SyncTask>> pending_task(const TenantTimelineId& id,
                                               const CallOptions& call) const;
  Result<TimelineInfo> describe(const TenantTimelineId& id, const KnownTimeline& timeline) const;
  Result<> read_cloud_only(const TenantId& id) const;

  // --- changes ---

  Result<TenantTurn> take_turn(const TenantId& id, const CallOptions& call);
  Result<> check_changeable(const TenantId& id) const;
  // Conflict while a timeline of the tenant is in the making. In the turn of the tenant.
  Result<> check_makes_nothing(const TenantId& id) const;
  // In the turn of the tenant, but for one that nobody knows yet.
  Result<> change_tenant(const TenantId& id, const TenantChange& change, const CallOptions& call);
  // InvalidArgument when it does not; what was created is then gone from it.
  Result<> check_storage_keeps_conditions(const TenantId& created);
  // The metadata of a branch that begins there. NotFound when that cannot be read.
  Result<TimelineMetadata> branch_point(const TenantTimelineId& parent, Lsn lsn,
                                        const CallOptions& call) const;
  // Takes a turn of the tenant to keep the name and to register the timeline.
  Result<TenantDirectory::Reservation> register_timeline(const TenantId& tenant,
                                                         const TimelineRegistration& registration,
                                                         const CallOptions& call);
  // The state of a timeline that is both here and remote, and owned.
  Result<std::shared_ptr<KeptTimeline>> collectable_timeline(const TenantTimelineId& id) const;
  // Uploads a draft that is registered, and gives it its place.
  Result<TimelineInfo> publish(TimelineDraft draft, const TimelineRegistration& registration,
                               const ByteProgress& progress, const CallOptions& call);
  // In the turns of the timeline's files and of the tenant.
  Result<> delete_in_turn(const TenantTimelineId& id, const CallOptions& call);
  // Logs that the local files of something deleted could not all be freed.
  static void warn_of_what_stays(std::string_view deleted, const Result<>& freed);
  // The turns of a tenant and of the files of all its timelines.
  struct WholeTenant {
    std::vector<LocalStore::FilesTurn> files;
    TenantTurn tenant;
  };
  Result<WholeTenant> take_whole_tenant(const TenantId& id, const CallOptions& call);
  // Makes a branch that was registered and no more one of this work directory, if that owns it.
  Result<> begin_registered_branch(const LocalManifest& state, const CallOptions& call);
  // Frees all local files of a timeline of which everything is remote. The rest: in its turns.
  Result<> give_up_copy(KeptTimeline& timeline, const RemoteListing& listing);
  // What is at hand, if it is not remote up to `lsn`.
  Result<> upload_up_to(const TenantTimelineId& id, Lsn lsn, const CallOptions& call);
  // The writer is that of the tenant.
  Result<> upload(KeptTimeline& timeline, UploadRequest request, const ByteProgress& progress,
                  const CallOptions& call);
  // Reports it as Ready, unless it is gone.
  void note_ready(const TenantTimelineId& id);

  Options options_;
  // None moves, since the sync engine refers to some, and reservations and turns to others.
  std::unique_ptr<LocalStore> store_;
  std::unique_ptr<TimelineStates> states_;
  std::unique_ptr<TenantDirectory> directory_;
  std::unique_ptr<Turns<TenantId>> turns_;
  // What was found out about remote objects, so that they are not looked at again.
  struct KnownGarbage {
    std::mutex mutex;
    // Under mutex.
    std::map<TenantTimelineId, ExaminedObjects> examined;
    // The commit of each tenant's log at which there was nothing left to collect.
    std::map<TenantId, uint64_t> clean_at;
  };
  std::unique_ptr<KnownGarbage> known_garbage_ = std::make_unique<KnownGarbage>();
  // Not changed after the opening; the tenants went into the directory.
  SyncStartupData startup_;
};

}  // namespace varve
