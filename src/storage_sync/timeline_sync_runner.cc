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
  if (timeline == nullptr) {
    VARVE_TRY(download_timeline(context_, directory, target, progress_of(task), options));
    store_.add_timeline(target);
  } else {
    VARVE_TRY(download_layers(context_, directory, target.manifest, progress_of(task), options));
    VARVE_TRY(timeline->change([&](LocalManifest& local) -> Result<> {
      local = target;
      return {};
    }));
  }
  return checkpoint_of(target);
}

}  // namespace varve
