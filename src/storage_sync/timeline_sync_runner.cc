#include "storage_sync/timeline_sync_runner.h"

#include "storage_sync/download.h"
#include "storage_sync/object_reader.h"
#include "storage_sync/tenant_log.h"
#include "storage_sync/upload.h"

namespace varve {

namespace {

Error was_deleted(const TenantTimelineId& id) {
  return make_error(ErrorCode::kConflict, "timeline {} was deleted", id);
}

bool is_deleted(const LocalStore& store, const TenantTimelineId& id) {
  const auto tenant = store.tenant(id.tenant);
  if (tenant == nullptr) return false;
  const auto local = tenant->get();
  const TimelineRegistration* known = local->manifest.find(id.timeline);
  return known != nullptr && known->deleted;
}

}  // namespace

Checkpoint checkpoint_of(const LocalManifest& local) {
  // Where the stream has got to is told by the LSN alone; the rest is content.
  LocalManifest content;
  content.manifest.deleted = local.manifest.deleted;
  content.manifest.layers = local.manifest.layers;
  content.manifest.metadata = local.manifest.metadata;
  content.manifest.metadata.disk_consistent_lsn = {};
  content.manifest.metadata.previous_record_lsn = {};
  return {local.manifest.metadata.disk_consistent_lsn, content.state_checksum()};
}

Result<Checkpoint> TimelineSyncRunner::run(const SyncTask& task, const CallOptions& options) {
  return task.operation() == SyncOperation::kUpload ? upload(task, options)
                                                    : download(task, options);
}

ByteProgress TimelineSyncRunner::progress_of(const SyncTask& task) const {
  if (!progress_) return {};
  return [this, task](uint64_t done, uint64_t total) { progress_(task, done, total); };
}

// The tenant's log names a timeline before the timeline has a log of its own, or nobody would look
// for that.
Result<> TimelineSyncRunner::register_timeline(KeptTenant& tenant, const TenantTimelineId& id,
                                               const CallOptions& options) {
  const auto local = tenant.get();
  const TimelineRegistration* known = local->manifest.find(id.timeline);
  if (known != nullptr && known->deleted) return was_deleted(id);
  // Without a commit of the tenant's log, what is known here is known here only.
  if (known != nullptr && local->head.sequence > 0) return {};
  return commit_tenant(
      context_, tenant,
      [&](TenantManifest& manifest) -> Result<> {
        if (manifest.find(id.timeline) == nullptr) {
          manifest.timelines.push_back({.id = id.timeline, .created_at = context_.clock.now()});
        }
        return {};
      },
      options);
}

Result<Checkpoint> TimelineSyncRunner::upload(const SyncTask& task, const CallOptions& options) {
  const TenantTimelineId& id = task.timeline;
  const auto tenant = store_.tenant(id.tenant);
  const auto timeline = store_.timeline(id);
  if (tenant == nullptr || timeline == nullptr) {
    return make_error(ErrorCode::kInvalidArgument, "timeline {} is not in this work directory", id);
  }
  VARVE_TRY(tenant->get()->check_owned());
  VARVE_TRY(register_timeline(*tenant, id, options));
  VARVE_ASSIGN(const UploadResult uploaded,
               upload_timeline(context_, {.writer = tenant->get()->writer}, *timeline,
                               progress_of(task), options));
  if (uploaded.outcome == UploadOutcome::kFenced) {
    VARVE_TRY(fence_tenant(context_, *tenant, uploaded.other));
  }
  // Another task may have met the other server meanwhile: then nothing more is acknowledged.
  VARVE_TRY(tenant->get()->check_owned());
  if (uploaded.remote->manifest.deleted) return was_deleted(id);
  return checkpoint_of(*uploaded.remote);
}

Result<Checkpoint> TimelineSyncRunner::download(const SyncTask& task, const CallOptions& options) {
  const TenantTimelineId& id = task.timeline;
  VARVE_ASSIGN(const auto turn, store_.take_files_turn(id, options));
  // Its files may have been freed for good while this waited.
  if (is_deleted(store_, id)) return was_deleted(id);
  const auto directory = store_.timeline_directory(id);
  const auto timeline = store_.timeline(id);
  if (timeline != nullptr) {
    const auto local = timeline->get();
    if (local->head.sequence >= task.commit_sequence) {
      // The state has got as far since, and only layer files may be missing.
      VARVE_TRY(download_layers(context_, directory, local->manifest, progress_of(task), options));
      if (local->in_sync()) return checkpoint_of(*local);
      // What is here besides is not remote by that.
      return Checkpoint{.disk_consistent_lsn = local->remote_consistent_lsn};
    }
  }
  const LogName log{id.tenant, id.timeline};
  VARVE_ASSIGN(auto commit,
               read_timeline_commit(context_.storage, log, task.commit_sequence, options));
  const auto target =
      LocalManifest::from_commit({task.commit_sequence, commit.tail.trailer.checksum()},
                                 std::move(commit.manifest), commit.stored);
  VARVE_TRY(download_layers(context_, directory, target.manifest, progress_of(task), options));
  auto noted = store_.find_or_add_timeline(target)->change([&](LocalManifest& local) -> Result<> {
    // An attach may have taken the log further meanwhile.
    if (local.head.sequence < target.head.sequence) local = target;
    return {};
  });
  if (!noted.ok() && timeline == nullptr) store_.forget_timeline(id);
  VARVE_TRY(noted);
  return checkpoint_of(target);
}

}  // namespace varve
