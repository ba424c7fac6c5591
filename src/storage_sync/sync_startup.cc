#include "storage_sync/sync_startup.h"

#include <spdlog/spdlog.h>

#include <set>

#include "base/logging.h"
#include "fs/directory.h"
#include "runtime/parallel.h"
#include "storage_sync/local_scan.h"
#include "storage_sync/object_reader.h"
#include "storage_sync/reconcile.h"
#include "storage_sync/tenant_log.h"
#include "storage_sync/timeline_sync_runner.h"

namespace varve {
namespace {

Error rolled_back(std::string_view what, uint64_t remote, uint64_t local) {
  return make_error(
      ErrorCode::kCorrupted,
      "the remote log of {} ends at number {}, and this work directory has seen number {}: remote "
      "objects were deleted, or the remote storage is not the one that was used before",
      what, remote, local);
}

// Whether the commit was begun in this directory. A journal that cannot be read proves nothing.
bool begun_in(const std::filesystem::path& directory, const Nonce& nonce) {
  const auto journal = NonceJournal::open(directory / kNonceJournalFileName);
  if (!journal.ok()) log_error("a journal of attempts is not used", journal.error());
  return journal.ok() && journal->contains(nonce);
}

// A log whose newest commit has to be read, and what came of it.
template <typename Id, typename Commit>
struct HeadToRead {
  Id id;
  ObjectName object;
  Result<Commit> commit;

  LogHead head() const { return {object.sequence, commit->tail.trailer.checksum()}; }
};
using TenantHead = HeadToRead<TenantId, ReadTenantCommit>;
using TimelineHead = HeadToRead<TenantTimelineId, ReadTimelineCommit>;

Error not_read() {
  return make_error(ErrorCode::kInternal, "the head was not read");
}

class Startup {
 public:
  Startup(LocalStore& store, const SyncStartupOptions& options)
      : store_(store), options_(options) {}

  Result<SyncStartupData> run() {
    VARVE_ASSIGN(scan_, scan_work_directory(store_, options_.only_tenant));
    if (options_.remote != nullptr) VARVE_TRY(list());
    VARVE_TRY(compare_tenants());
    VARVE_TRY(compare_timelines());
    return std::move(data_);
  }

 private:
  // The owner of a known tenant.
  WriterId writer(const TenantId& tenant) const { return store_.tenant(tenant)->get()->writer; }
  bool is_owned(const TenantId& tenant) const {
    return store_.tenant(tenant)->get()->check_owned().ok();
  }

  Result<> list() {
    const auto prefix =
        options_.only_tenant ? tenant_prefix(*options_.only_tenant) : std::string(kTenantsPrefix);
    // What is seen was so after this moment.
    listed_at_ = options_.remote->clock.boot_time();
    VARVE_ASSIGN(data_.listing, list_remote(options_.remote->storage, prefix, options_.call));
    return {};
  }

  uint64_t listed_head(const LogName& log) const {
    const ListedLog* listed = data_.listing.find(log);
    return listed == nullptr ? 0 : listed->head_sequence();
  }

  // --- tenants ---

  // What of the tenant was read here; none = nothing that says anything.
  const LocalTenant* scanned(const TenantId& id) const {
    const auto found = scan_.tenants.find(id);
    return found == scan_.tenants.end() || !found->second.ok() ? nullptr : &*found->second;
  }

  Result<> compare_tenants() {
    std::set<TenantId> ids;
    for (const auto& [id, tenant] : scan_.tenants) ids.insert(id);
    for (const TenantId& id : data_.listing.tenants()) ids.insert(id);

    std::vector<TenantHead> heads;
    for (const TenantId& id : ids) {
      KnownTenant& known = data_.tenants[id];
      const auto found = scan_.tenants.find(id);
      if (found != scan_.tenants.end() && !found->second.ok()) {
        known.damage = found->second.error();
        continue;
      }
      const LogName log{id, {}};
      const uint64_t remote_head = listed_head(log);
      const LocalTenant* local = scanned(id);
      const uint64_t local_head = local == nullptr ? 0 : local->head.sequence;
      if (options_.remote != nullptr &&
          (remote_head < local_head || (local == nullptr && remote_head == 0))) {
        leave_alone(known, id, rolled_back(fmt::format("tenant {}", id), remote_head, local_head));
        // Its name finds it all the same.
        if (local != nullptr) store_.add_tenant(*local);
      } else if (remote_head > local_head) {
        heads.push_back({id, data_.listing.find(log)->archives.back().name, not_read()});
      } else {
        LocalTenant unchanged = *local;
        if (options_.remote != nullptr) unchanged.head_seen = listed_at_;
        store_.add_tenant(std::move(unchanged));
      }
    }
    VARVE_TRY(read_heads(heads, [this](const ObjectName& object) {
      return read_tenant_commit(options_.remote->storage, object, options_.call);
    }));
    for (TenantHead& head : heads) VARVE_TRY(take_over_head(head));
    for (auto& [id, known] : data_.tenants) {
      if (known.damage) continue;
      for (const auto& registration : store_.tenant(id)->get()->manifest.timelines) {
        known.timelines[registration.id].registration = registration;
      }
    }
    return {};
  }

  static void leave_alone(KnownTenant& known, const TenantId& id, Error error) {
    log_error(fmt::format("tenant {} is left alone", id), error);
    known.damage = std::move(error);
  }

  // The tenant's log is further than the work directory.
  Result<> take_over_head(TenantHead& head) {
    if (head.commit.failed_with(ErrorCode::kCorrupted)) {
      leave_alone(data_.tenants[head.id], head.id, head.commit.error());
      return {};
    }
    if (!head.commit.ok()) return head.commit.error();
    const LocalTenant* known = scanned(head.id);
    const CommitStamp stamp = head.commit->manifest.stamp;
    LocalTenant next = known == nullptr ? LocalTenant{} : *known;
    if (known == nullptr && begun_in(store_.tenant_directory(head.id), stamp.nonce)) {
      // Created here, and the process died before it could note so.
      next.writer = stamp.writer;
    } else if (stamp.writer != next.writer && !next.writer.is_nil() && !next.fence) {
      next.fence = Fence{stamp.writer, stamp.created_at};
      spdlog::warn("tenant {} was taken over by writer {} at {}", head.id, next.fence->writer,
                   next.fence->at.to_string());
    }
    next.head = head.head();
    next.head_seen = listed_at_;
    next.manifest = std::move(head.commit->manifest);
    VARVE_TRY(create_directories_durably(store_.tenant_directory(head.id)));
    VARVE_TRY(next.write(store_.tenant_directory(head.id)));
    store_.add_tenant(std::move(next));
    return {};
  }

  // --- timelines ---

  LocalSide local_side(const TenantTimelineId& id) const {
    const auto found = scan_.timelines.find(id);
    if (found == scan_.timelines.end()) return {};
    if (!found->second.ok()) return {.files = LocalSide::Files::kDamaged};
    const LocalManifest& local = *found->second;
    return {.files = LocalSide::Files::kValid,
            .head_sequence = local.head.sequence,
            .changed = !local.in_sync(),
            .disk_consistent_lsn = local.manifest.metadata.disk_consistent_lsn};
  }

  Result<> compare_timelines() {
    for (const auto& [id, timeline] : scan_.timelines) {
      KnownTenant& tenant = data_.tenants[id.tenant];
      if (!tenant.damage) tenant.timelines.try_emplace(id.timeline);
    }
    std::vector<TimelineHead> heads;
    std::map<TenantTimelineId, TimelineHead*> head_of;
    for (auto& [tenant_id, tenant] : data_.tenants) {
      for (auto& [timeline_id, timeline] : tenant.timelines) {
        const TenantTimelineId id{tenant_id, timeline_id};
        const LogName log{tenant_id, timeline_id};
        timeline.remote_head = listed_head(log);
        if (needs_head(local_side(id), timeline.remote_head)) {
          heads.push_back({id, data_.listing.find(log)->archives.back().name, not_read()});
        }
      }
    }
    VARVE_TRY(read_heads(heads, [this](const ObjectName& object) {
      return read_timeline_commit(options_.remote->storage, object, options_.call);
    }));
    for (TimelineHead& head : heads) head_of.emplace(head.id, &head);
    for (auto& [tenant_id, tenant] : data_.tenants) {
      for (auto& [timeline_id, timeline] : tenant.timelines) {
        const auto head = head_of.find({tenant_id, timeline_id});
        VARVE_TRY(compare_timeline({tenant_id, timeline_id}, timeline,
                                   head == head_of.end() ? nullptr : head->second));
      }
    }
    return {};
  }

  Result<> compare_timeline(const TenantTimelineId& id, KnownTimeline& timeline,
                            TimelineHead* head) {
    if (head != nullptr && !head->commit.ok() && !head->commit.failed_with(ErrorCode::kCorrupted)) {
      return head->commit.error();
    }
    if (head != nullptr && head->commit.ok()) VARVE_TRY(note_foreign_head(id, *head));

    const LocalSide local = local_side(id);
    if (options_.remote == nullptr) {
      // Whatever it lacks, there is nowhere it could be put or had from.
      if (local.files == LocalSide::Files::kValid) {
        settle(id, timeline, nullptr, Verdict::kInSync);
      } else if (local.files == LocalSide::Files::kDamaged) {
        timeline.damage = scan_.timelines.at(id).error();
      }
      return {};
    }
    const Verdict verdict = reconcile(local, remote_side(id, timeline, head), is_owned(id.tenant));
    return apply(id, timeline, head, verdict);
  }

  // A commit by another writer fences the tenant, wherever it is found.
  Result<> note_foreign_head(const TenantTimelineId& id, const TimelineHead& head) {
    const auto tenant = store_.tenant(id.tenant);
    const CommitStamp& stamp = head.commit->manifest.stamp;
    const auto owner = tenant->get();
    if (owner->writer.is_nil() || owner->writer == stamp.writer || owner->fence) return {};
    const auto fenced = fence_tenant(*options_.remote, *tenant, stamp);
    // Noting it is all that has to work: from then on the tenant is not owned.
    if (!tenant->get()->fence) return fenced;
    spdlog::warn("{}", fenced.error().message());
    return {};
  }

  RemoteSide remote_side(const TenantTimelineId& id, const KnownTimeline& timeline,
                         const TimelineHead* head) const {
    RemoteSide side{.head_sequence = timeline.remote_head};
    if (head == nullptr) return side;
    if (!head->commit.ok()) {
      side.head = RemoteSide::Head::kUnreadable;
      return side;
    }
    const TimelineManifest& manifest = head->commit->manifest;
    side.deleted = manifest.deleted;
    side.disk_consistent_lsn = manifest.metadata.disk_consistent_lsn;
    if (manifest.stamp.writer != writer(id.tenant)) {
      side.head = RemoteSide::Head::kForeign;
    } else if (begun_in(store_.timeline_directory(id), manifest.stamp.nonce)) {
      side.head = RemoteSide::Head::kBegunHere;
    } else {
      side.head = RemoteSide::Head::kOwn;
    }
    return side;
  }

  Result<> apply(const TenantTimelineId& id, KnownTimeline& timeline, TimelineHead* head,
                 Verdict verdict) {
    const LocalSide local = local_side(id);
    switch (verdict) {
      case Verdict::kNothing:
        return {};
      case Verdict::kCloudOnly:
        if (local.files == LocalSide::Files::kDamaged) {
          spdlog::warn("timeline {} is read from the remote storage alone", id);
        }
        break;
      case Verdict::kLost:
        timeline.damage = scan_.timelines.at(id).error();
        return {};
      case Verdict::kRolledBack:
        leave_alone(
            timeline, id,
            rolled_back(fmt::format("timeline {}", id), timeline.remote_head, local.head_sequence));
        return {};
      case Verdict::kUnreadable:
        leave_alone(timeline, id, head->commit.error());
        return {};
      case Verdict::kLandedUnnoticed:
      case Verdict::kDeletedUnnoticed: {
        LocalManifest& noted = *scan_.timelines.at(id);
        if (verdict == Verdict::kLandedUnnoticed) {
          noted.note_commit(head->head(), head->commit->manifest, head->commit->stored);
        } else {
          noted = LocalManifest::from_commit(head->head(), std::move(head->commit->manifest),
                                             head->commit->stored);
        }
        VARVE_TRY(noted.write(store_.timeline_directory(id)));
        break;
      }
      case Verdict::kBehind:
        timeline.remote = std::make_shared<const LocalManifest>(LocalManifest::from_commit(
            head->head(), std::move(head->commit->manifest), head->commit->stored));
        break;
      case Verdict::kInSync:
      case Verdict::kLocalNewer:
      case Verdict::kParted:
        break;
    }
    settle(id, timeline, head, verdict);
    return {};
  }

  static void leave_alone(KnownTimeline& timeline, const TenantTimelineId& id, Error error) {
    log_error(fmt::format("timeline {} is left alone", id), error);
    timeline.damage = std::move(error);
  }

  // Enters the timeline into the store, its state and its first task into the data.
  void settle(const TenantTimelineId& id, KnownTimeline& timeline, const TimelineHead* head,
              Verdict verdict) {
    std::shared_ptr<KeptTimeline> kept;
    if (local_side(id).files == LocalSide::Files::kValid) {
      LocalManifest& local = *scan_.timelines.at(id);
      if (options_.remote != nullptr && local.head.sequence == timeline.remote_head) {
        local.head_seen = listed_at_;
      }
      kept = store_.add_timeline(std::move(local));
    }
    const auto state = state_after(verdict);
    const bool deleted = (timeline.registration && timeline.registration->deleted) ||
                         (kept != nullptr && kept->get()->manifest.deleted) ||
                         (timeline.remote != nullptr && timeline.remote->manifest.deleted);
    if (!state || deleted) return;
    TimelineSyncStatus status{id, *state, std::nullopt};
    if (timeline.remote != nullptr) {
      status.remote_consistent_lsn = timeline.remote->remote_consistent_lsn;
    } else if (kept != nullptr && kept->get()->head.sequence > 0) {
      status.remote_consistent_lsn = kept->get()->remote_consistent_lsn;
    }
    data_.states.push_back(status);
    if (verdict == Verdict::kBehind) {
      data_.first_tasks.push_back(SyncTask::download(id, head->object.sequence));
    } else if (verdict == Verdict::kLocalNewer ||
               (verdict == Verdict::kLandedUnnoticed && !kept->get()->in_sync())) {
      data_.first_tasks.push_back(SyncTask::upload(id, checkpoint_of(*kept->get())));
    }
  }

  // Several at a time; an error other than that of a damaged commit ends it.
  template <typename Head, typename Read>
  Result<> read_heads(std::vector<Head>& heads, Read read) {
    if (heads.empty()) return {};
    return run_parallel(options_.remote->transfer_pool, heads.size(), [&](size_t at) -> Result<> {
      heads[at].commit = read(heads[at].object);
      if (heads[at].commit.ok() || heads[at].commit.failed_with(ErrorCode::kCorrupted)) return {};
      return heads[at].commit.error();
    });
  }

  LocalStore& store_;
  const SyncStartupOptions& options_;
  LocalScan scan_;
  BootTime listed_at_{0};
  SyncStartupData data_;
};

}  // namespace

Result<SyncStartupData> start_local_timeline_sync(LocalStore& store,
                                                  const SyncStartupOptions& options) {
  return Startup(store, options).run();
}

}  // namespace varve
