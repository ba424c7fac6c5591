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

std::filesystem::path TimelineSyncRunner::tenant_directory(const TenantId& tenant) const {
  return work_directory_ / "tenants" / tenant.to_string();
}

std::filesystem::path TimelineSyncRunner::timeline_directory(
    const TenantTimelineId& timeline) const {
  return tenant_directory(timeline.tenant) / "timelines" / timeline.timeline.to_string();
}

Result<Checkpoint> TimelineSyncRunner::run(const SyncTask& task, const CallOptions& options) {
  return task.operation() == SyncOperation::kUpload ? upload(task.timeline, options)
                                                    : download(task, options);
}

Result<Checkpoint> TimelineSyncRunner::upload(const TenantTimelineId& timeline,
                                              const CallOptions& options) {
  const auto directory = timeline_directory(timeline);
  VARVE_ASSIGN(LocalTenant tenant, LocalTenant::read(tenant_directory(timeline.tenant)));
  VARVE_TRY(tenant.check_owned());
  if (tenant.manifest.find(timeline.timeline) == nullptr) {
    return make_error(ErrorCode::kInvalidArgument,
                      "the log of its tenant does not list timeline {}: it must be registered "
                      "before it is uploaded",
                      timeline);
  }
  VARVE_ASSIGN(LocalManifest local, LocalManifest::read(directory));
  VARVE_ASSIGN(const UploadResult uploaded,
               upload_timeline(context_, {.directory = directory, .writer = tenant.writer}, local,
                               {}, options));
  if (uploaded.outcome == UploadOutcome::kFenced) {
    VARVE_TRY(fence_tenant(context_, tenant_directory(timeline.tenant), tenant, uploaded.other));
  }
  return checkpoint_of(local);
}

Result<Checkpoint> TimelineSyncRunner::download(const SyncTask& task, const CallOptions& options) {
  const auto directory = timeline_directory(task.timeline);
  auto target = LocalManifest::read(directory);
  if (!target.ok() && !target.failed_with(ErrorCode::kNotFound) &&
      !target.failed_with(ErrorCode::kCorrupted)) {
    return target.error();
  }
  // A work directory that has got further since only lacks layer files.
  if (!target.ok() || target->head.sequence < task.commit_sequence) {
    const LogName log{task.timeline.tenant, task.timeline.timeline};
    VARVE_ASSIGN(auto commit,
                 read_timeline_commit(context_.storage,
                                      ObjectName::archive(log, task.commit_sequence), options));
    target = LocalManifest::from_commit({task.commit_sequence, commit.tail.trailer.checksum()},
                                        std::move(commit.manifest));
  }
  VARVE_TRY(download_timeline(context_, directory, *target, {}, options));
  return checkpoint_of(*target);
}

}  // namespace varve
