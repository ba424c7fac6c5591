#include "storage_sync/attach.h"

#include "base/logging.h"
#include "fs/directory.h"
#include "runtime/parallel.h"
#include "storage_sync/conditional_probe.h"
#include "storage_sync/object_reader.h"
#include "storage_sync/reconcile.h"
#include "storage_sync/remote_listing.h"
#include "storage_sync/stale_uploads.h"
#include "storage_sync/tenant_log.h"
#include "storage_sync/upload.h"

namespace varve {
namespace {

// The former owner may take a number or two before it is fenced.
constexpr int kAttempts = 10;

class Attach {
 public:
  Attach(const SyncContext& context, LocalStore& store, const TenantId& tenant,
         const AttachOptions& options)
      : context_(context),
        store_(store),
        tenant_(*store.tenant(tenant)),
        id_(tenant),
        options_(options) {}

  Result<bool> run() {
    if (tenant_.get()->check_owned().ok()) return false;
    VARVE_TRY(begin());
    VARVE_TRY(take_tenant_log());
    VARVE_TRY(take_timeline_logs());
    VARVE_TRY(tenant_.change([](LocalTenant& local) -> Result<> {
      local.attaching = false;
      return {};
    }));
    abort_uploads_of_former_owner();
    return true;
  }

 private:
  Result<> begin() {
    if (tenant_.get()->attaching) return {};
    return tenant_.change([&](LocalTenant& local) -> Result<> {
      local.writer = context_.random.next_id<WriterId>();
      local.fence.reset();
      local.attaching = true;
      return {};
    });
  }

  // They can no longer become commits; that they lie about is no reason to fail.
  void abort_uploads_of_former_owner() const {
    const auto aborted =
        abort_stale_uploads(context_.storage, id_, Duration::zero(), options_.call);
    if (!aborted.ok()) log_error("unfinished uploads of the former owner remain", aborted.error());
  }

  Error somebody_writes(const std::string& what) const {
    return make_error(ErrorCode::kConflict,
                      "{} is written to by another server all the time: stop that one, then "
                      "repeat the attach",
                      what);
  }

  // The newest archive of a log; none when it is empty.
  using Head = std::optional<ObjectName>;
  static Head head_of(const RemoteListing& listing, const LogName& log) {
    const ListedLog* listed = listing.find(log);
    if (listed == nullptr || listed->archives.empty()) return std::nullopt;
    return listed->archives.back().name;
  }
  Result<Head> head_of(const LogName& log) const {
    VARVE_ASSIGN(const RemoteListing listing,
                 list_remote(context_.storage, log.prefix(), options_.call));
    return head_of(listing, log);
  }

  // --- the tenant's log ---

  Result<> take_tenant_log() {
    const LogName log{id_, {}};
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
      VARVE_ASSIGN(const Head head, head_of(log));
      VARVE_TRY(read_tenant_head(head));
      if (head && tenant_.get()->manifest.stamp.writer == tenant_.get()->writer) return {};
      const auto same = [](TenantManifest&) -> Result<> { return {}; };
      const auto taken = commit_tenant(context_, tenant_, same, options_.call);
      if (!tenant_.get()->fence) {
        VARVE_TRY(taken);
        // Fencing stands and falls with the condition.
        return probe_conditional_put(context_.storage, *tenant_.get(), options_.call);
      }
      // Another writer had the number first, or the next one already.
      VARVE_TRY(tenant_.change([](LocalTenant& local) -> Result<> {
        local.fence.reset();
        return {};
      }));
    }
    return somebody_writes(fmt::format("the log of tenant {}", id_));
  }

  Result<> read_tenant_head(const Head& head) {
    std::optional<ReadTenantCommit> commit;
    if (head && head->sequence > tenant_.get()->head.sequence) {
      VARVE_ASSIGN(commit, read_tenant_commit(context_.storage, *head, options_.call));
    }
    return tenant_.change([&](LocalTenant& local) -> Result<> {
      // Only a LIST after the commit tells that it is the last one.
      local.head_seen.reset();
      if (!commit) return {};
      local.head = {head->sequence, commit->tail.trailer.checksum()};
      local.manifest = std::move(commit->manifest);
      return {};
    });
  }

  // --- the timelines' logs ---

  Result<> take_timeline_logs() {
    VARVE_ASSIGN(const RemoteListing listing,
                 list_remote(context_.storage, tenant_prefix(id_), options_.call));
    const auto tenant = tenant_.get();
    std::vector<const TimelineRegistration*> timelines;
    for (const TimelineRegistration& timeline : tenant->manifest.timelines) {
      if (!timeline.deleted) timelines.push_back(&timeline);
    }
    return run_parallel(
        timelines.size(), options_.concurrency, options_.call, [&](size_t at, const CallOptions&) {
          return take_timeline_log(*timelines[at], head_of(listing, {id_, timelines[at]->id}));
        });
  }

  Result<> take_timeline_log(const TimelineRegistration& registration, const Head& listed) {
    const TenantTimelineId id{id_, registration.id};
    const LogName log{id_, registration.id};
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
      Head head = listed;
      if (attempt > 0) {
        VARVE_ASSIGN(head, head_of(log));
      }
      VARVE_ASSIGN(const auto timeline, state_at(id, registration, head));
      const auto state = timeline->get();
      const bool taken =
          state->head.sequence > 0 && state->manifest.stamp.writer == tenant_.get()->writer;
      // Nothing follows the last commit of a deleted timeline.
      const bool ended = state->head.sequence > 0 && state->manifest.deleted;
      if (taken || ended) return {};
      VARVE_ASSIGN(
          const UploadResult result,
          upload_timeline(context_, {.writer = tenant_.get()->writer, .take_ownership = true},
                          *timeline, {}, options_.call));
      if (result.outcome == UploadOutcome::kUploaded) return {};
    }
    return somebody_writes(fmt::format("timeline {}", id));
  }

  // The timeline in the store, at the head of its log or further.
  Result<std::shared_ptr<KeptTimeline>> state_at(const TenantTimelineId& id,
                                                 const TimelineRegistration& registration,
                                                 const Head& head) {
    const auto kept = store_.timeline(id);
    if (kept != nullptr && kept->get()->head.sequence >= (head ? head->sequence : 0)) return kept;
    LocalManifest state;
    if (!head) {
      state.manifest.id = id;
      state.manifest.metadata.ancestor = registration.ancestor;
      state.manifest.metadata.ancestor_lsn = registration.ancestor_lsn;
      state.manifest.metadata.disk_consistent_lsn = registration.ancestor_lsn;
      // Without a log and without an ancestor it is an import that did not finish, and with this
      // commit it never will: its number is taken.
      state.manifest.deleted = !registration.ancestor.has_value();
    } else {
      VARVE_ASSIGN(auto commit, read_timeline_commit(context_.storage, *head, options_.call));
      VARVE_TRY(check_not_parted(id, kept, head->sequence, commit.manifest));
      state = LocalManifest::from_commit({head->sequence, commit.tail.trailer.checksum()},
                                         std::move(commit.manifest), commit.stored);
    }
    VARVE_TRY(create_directories_durably(store_.timeline_directory(id)));
    // A download that ends meanwhile may have added it.
    const auto noted = store_.find_or_add_timeline(state);
    VARVE_TRY(noted->change([&](LocalManifest& local) -> Result<> {
      if (local.head.sequence <= state.head.sequence) local = state;
      return {};
    }));
    return noted;
  }

  // What is here and was never remote is not given up in silence.
  Result<> check_not_parted(const TenantTimelineId& id, const std::shared_ptr<KeptTimeline>& kept,
                            uint64_t head, const TimelineManifest& manifest) const {
    if (kept == nullptr) return {};
    const auto local = kept->get();
    const auto verdict =
        reconcile({.files = LocalSide::Files::kValid,
                   .head_sequence = local->head.sequence,
                   .changed = !local->in_sync(),
                   .disk_consistent_lsn = local->manifest.metadata.disk_consistent_lsn},
                  {.head_sequence = head,
                   .head = RemoteSide::Head::kForeign,
                   .deleted = manifest.deleted,
                   .disk_consistent_lsn = manifest.metadata.disk_consistent_lsn},
                  false);
    if (verdict != Verdict::kParted) return {};
    return make_error(ErrorCode::kConflict,
                      "timeline {} has changes in this work directory that are not in the remote "
                      "storage, where another server went on without them: to give them up, move "
                      "{} away, then repeat the attach",
                      id, kept->directory().string());
  }

  const SyncContext& context_;
  LocalStore& store_;
  KeptTenant& tenant_;
  const TenantId id_;
  const AttachOptions& options_;
};

}  // namespace

Result<bool> attach_tenant(const SyncContext& context, LocalStore& store, const TenantId& tenant,
                           const AttachOptions& options) {
  if (store.tenant(tenant) == nullptr) {
    return make_error(ErrorCode::kNotFound, "there is no tenant {}", tenant);
  }
  return Attach(context, store, tenant, options).run();
}

}  // namespace varve
