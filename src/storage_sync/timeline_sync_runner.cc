#include "storage_sync/timeline_sync_runner.h"

#include "storage_sync/download.h"
#include "storage_sync/object_reader.h"
#include "storage_sync/tenant_log.h"
#include "storage_sync/upload.h"

namespace varve {

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
  return task.operation() == SyncOperation::kUpload ? upload(task.timeline, options)
                                                    : download(task, options);
}

Result<Checkpoint> TimelineSyncRunner::upload(const TenantTimelineId& id,
                                              const CallOptions& options) {
  const auto kept_tenant = store_.tenant(id.tenant);
  const auto timeline = store_.timeline(id);
  if (kept_tenant == nullptr || timeline == nullptr) {
    return make_error(ErrorCode::kInvalidArgument, "timeline {} is not in this work directory", id);
  }
  const auto tenant = kept_tenant->get();
  VARVE_TRY(tenant->check_owned());
  if (tenant->manifest.find(id.timeline) == nullptr) {
    return make_error(ErrorCode::kInvalidArgument,
                      "the log of its tenant does not list timeline {}: it must be registered "
                      "before it is uploaded",
                      id);
  }
  VARVE_ASSIGN(const UploadResult uploaded,
               upload_timeline(context_, {.writer = tenant->writer}, *timeline, {}, options));
  if (uploaded.outcome == UploadOutcome::kFenced) {
    VARVE_TRY(fence_tenant(context_, *kept_tenant, uploaded.other));
  }
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
      VARVE_TRY(download_layers(context_, directory, local->manifest, {}, options));
      return checkpoint_of(*local);
    }
  }
  const auto object = ObjectName::archive({id.tenant, id.timeline}, task.commit_sequence);
  VARVE_ASSIGN(auto commit, read_timeline_commit(context_.storage, object, options));
  const auto target = LocalManifest::from_commit(
      {task.commit_sequence, commit.tail.trailer.checksum()}, std::move(commit.manifest));
  if (timeline == nullptr) {
    VARVE_TRY(download_timeline(context_, directory, target, {}, options));
    store_.add_timeline(target);
  } else {
    VARVE_TRY(download_layers(context_, directory, target.manifest, {}, options));
    VARVE_TRY(timeline->change([&](LocalManifest& local) -> Result<> {
      local = target;
      return {};
    }));
  }
  return checkpoint_of(target);
}

}  // namespace varve
