#include "storage_sync/stale_uploads.h"

#include "remote_storage/streams.h"
#include "storage_sync/object_name.h"

namespace varve {

Result<std::vector<UnfinishedUpload>> abort_stale_uploads(RemoteStorage& storage,
                                                          const TenantId& tenant,
                                                          Duration older_than,
                                                          const CallOptions& options) {
  VARVE_ASSIGN(auto uploads,
               list_uploads_older_than(storage, tenant_prefix(tenant), older_than, options));
  std::optional<Error> first_error;
  for (const UnfinishedUpload& upload : uploads) {
    auto aborted = storage.abort_upload(upload.key, upload.upload_id, options);
    if (aborted.ok() || first_error) continue;
    first_error = aborted.error().context(fmt::format("the unfinished upload of {} of {}",
                                                      upload.key, upload.started_at.to_string()));
  }
  if (first_error) return *std::move(first_error);
  return uploads;
}

}  // namespace varve
